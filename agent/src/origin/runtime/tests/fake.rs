//! A runtime that answers what a test wants: also what no honest runtime would. Takes containers and pods; serves them on a Unix socket.

use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use proto::cri::runtime_service_server::{RuntimeService, RuntimeServiceServer};
use proto::cri::{self, PodSandboxMetadata};
use tokio::net::UnixListener;
use tokio::sync::broadcast;
use tokio::task::JoinHandle;
use tokio_stream::{Stream, StreamExt};
use tonic::{Request, Response, Status};

pub(super) const ID: &str = "3f2c0b6b9ab1f5d8c1f3b6c4f2a9e1d07c5b4a39281706f5e4d3c2b1a0998877";
pub(super) const UID: &str = "1b4e28ba-2fa1-11d2-883f-0016d3cca427";
const SANDBOX: &str = "aaaa0b6b9ab1f5d8c1f3b6c4f2a9e1d07c5b4a39281706f5e4d3c2b1a0998877";

type Pair = (cri::ContainerStatus, PodSandboxMetadata);

/// The runtime.
#[derive(Clone)]
pub(super) struct Fake {
    pub(super) known: Arc<Mutex<Option<Pair>>>,
    pub(super) events: broadcast::Sender<Pair>,
    /// Takes connections and answers nothing.
    pub(super) silent: bool,
    /// Answers with this one, whichever is asked for.
    pub(super) answers_with: Option<cri::ContainerStatus>,
}

/// A container of the shop.
pub(super) fn container(id: &str) -> cri::ContainerStatus {
    cri::ContainerStatus {
        id: id.to_owned(),
        metadata: Some(cri::ContainerMetadata { name: "shop".to_owned() }),
        image: Some(cri::ImageSpec { image: "registry/shop:2.4.1".to_owned() }),
        image_ref: format!("registry/shop@sha256:{ID}"),
    }
}

/// The shop's pod.
pub(super) fn pod(uid: &str) -> PodSandboxMetadata {
    PodSandboxMetadata { name: "shop-7d9".to_owned(), uid: uid.to_owned(), namespace: "store".to_owned() }
}

impl Fake {
    pub(super) fn new() -> Self {
        let (events, _) = broadcast::channel(8);
        Self { known: Arc::default(), events, silent: false, answers_with: None }
    }

    pub(super) fn with(self, container: cri::ContainerStatus, pod: PodSandboxMetadata) -> Self {
        *self.known.lock().expect("nobody panicked") = Some((container, pod));
        self
    }

    /// Tells of a container as an event; no other call knows it.
    pub(super) fn created(&self, container: cri::ContainerStatus, pod: PodSandboxMetadata) {
        let events = self.events.clone();
        // The runtime's stream may not be asked for yet.
        drop(tokio::spawn(async move {
            while events.send((container.clone(), pod.clone())).is_err() {
                tokio::task::yield_now().await;
            }
        }));
    }

    pub(super) fn serve(&self, socket: &Path) -> JoinHandle<Result<(), tonic::transport::Error>> {
        let listener = UnixListener::bind(socket).expect("a folder of our own");
        let taken = tokio_stream::wrappers::UnixListenerStream::new(listener);
        let service = RuntimeServiceServer::new(self.clone());
        tokio::spawn(tonic::transport::Server::builder().add_service(service).serve_with_incoming(taken))
    }

    fn known(&self) -> Result<Pair, Status> {
        self.known.lock().expect("nobody panicked").clone().ok_or_else(|| Status::not_found("no such container"))
    }
}

#[tonic::async_trait]
impl RuntimeService for Fake {
    type GetContainerEventsStream = Pin<Box<dyn Stream<Item = Result<cri::ContainerEventResponse, Status>> + Send>>;

    async fn version(&self, _: Request<cri::VersionRequest>) -> Result<Response<cri::VersionResponse>, Status> {
        if self.silent {
            std::future::pending::<()>().await;
        }
        let (runtime_name, runtime_version) = ("cri-o".to_owned(), "1.30.0".to_owned());
        Ok(Response::new(cri::VersionResponse { runtime_name, runtime_version }))
    }

    async fn list_pod_sandbox(
        &self,
        _: Request<cri::ListPodSandboxRequest>,
    ) -> Result<Response<cri::ListPodSandboxResponse>, Status> {
        let sandbox = |(_, pod)| cri::PodSandbox { id: SANDBOX.to_owned(), metadata: Some(pod) };
        Ok(Response::new(cri::ListPodSandboxResponse { items: self.known().map(sandbox).into_iter().collect() }))
    }

    async fn pod_sandbox_status(
        &self,
        request: Request<cri::PodSandboxStatusRequest>,
    ) -> Result<Response<cri::PodSandboxStatusResponse>, Status> {
        let (_, pod) = self.known()?;
        let id = request.into_inner().pod_sandbox_id;
        if id != SANDBOX {
            return Err(Status::not_found("no such sandbox"));
        }
        let status = Some(cri::PodSandboxStatus { id, metadata: Some(pod) });
        Ok(Response::new(cri::PodSandboxStatusResponse { status }))
    }

    async fn list_containers(
        &self,
        _: Request<cri::ListContainersRequest>,
    ) -> Result<Response<cri::ListContainersResponse>, Status> {
        let one = |(status, _): Pair| cri::Container { id: status.id, pod_sandbox_id: SANDBOX.to_owned() };
        Ok(Response::new(cri::ListContainersResponse { containers: self.known().map(one).into_iter().collect() }))
    }

    async fn container_status(
        &self,
        request: Request<cri::ContainerStatusRequest>,
    ) -> Result<Response<cri::ContainerStatusResponse>, Status> {
        let (known, _) = self.known()?;
        if known.id != request.into_inner().container_id {
            return Err(Status::not_found("no such container"));
        }
        let status = Some(self.answers_with.clone().unwrap_or(known));
        Ok(Response::new(cri::ContainerStatusResponse { status }))
    }

    async fn get_container_events(
        &self,
        _: Request<cri::GetEventsRequest>,
    ) -> Result<Response<Self::GetContainerEventsStream>, Status> {
        let events = tokio_stream::wrappers::BroadcastStream::new(self.events.subscribe());
        let events = events.filter_map(Result::ok).map(|(status, pod)| {
            Ok(cri::ContainerEventResponse {
                container_id: status.id.clone(),
                pod_sandbox_status: Some(cri::PodSandboxStatus { id: SANDBOX.to_owned(), metadata: Some(pod) }),
                containers_statuses: vec![status],
            })
        });
        Ok(Response::new(Box::pin(events)))
    }
}
