//! One connection to a container runtime: its calls, each within a bounded time and a bounded size. Takes a socket; gives answers or the
//! reason why there is none. Keeps nothing.

use std::path::{Path, PathBuf};
use std::time::Duration;

use proto::cri;
use proto::cri::runtime_service_client::RuntimeServiceClient;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Response, Status, Streaming};

/// One answer. A list of some thousand containers is about a megabyte; runtimes themselves send up to sixteen.
const ANSWER_BYTES: usize = 4 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    /// Nothing is there.
    #[error("there is no socket {0}")]
    Absent(PathBuf),
    /// Nobody takes the connection, or what does speaks something else.
    #[error("connect to {socket}: {cause}")]
    Connect { socket: PathBuf, cause: String },
    /// It did not answer in time.
    #[error("no answer to {call} within {within:?}")]
    Slow { call: &'static str, within: Duration },
    /// It answered with an error.
    #[error("{call}: {} ({:?})", .status.message(), .status.code())]
    Refused { call: &'static str, status: Box<Status> },
    /// It does not know what it was asked for.
    #[error("{call}: not known")]
    Unknown { call: &'static str },
}

/// What a runtime says of itself.
pub(super) struct About {
    pub(super) name: String,
    pub(super) version: String,
}

pub(super) struct Client {
    inner: RuntimeServiceClient<Channel>,
    timeout: Duration,
}

impl Client {
    pub(super) async fn connect(socket: &Path, timeout: Duration) -> Result<Self, CallError> {
        if !socket.exists() {
            return Err(CallError::Absent(socket.to_owned()));
        }
        let failed = |cause: String| CallError::Connect { socket: socket.to_owned(), cause };
        let endpoint = Endpoint::from_shared(format!("unix:{}", socket.display()))
            .map_err(|error| failed(crate::deliver::chain(&error)))?;
        let connecting = tokio::time::timeout(timeout, endpoint.connect()).await;
        let channel = connecting
            .map_err(|_| CallError::Slow { call: "connect", within: timeout })?
            .map_err(|error| failed(crate::deliver::chain(&error)))?;
        let inner = RuntimeServiceClient::new(channel).max_decoding_message_size(ANSWER_BYTES);
        Ok(Self { inner, timeout })
    }

    pub(super) async fn version(&mut self) -> Result<About, CallError> {
        let told = call("Version", self.timeout, self.inner.version(cri::VersionRequest {})).await?;
        let short = |text: &str| crate::origin::bundle::bounded(text);
        Ok(About { name: short(&told.runtime_name), version: short(&told.runtime_version) })
    }

    /// All containers with the sandbox of each, at most `limit`.
    pub(super) async fn containers(&mut self, limit: usize) -> Result<Vec<cri::Container>, CallError> {
        let mut told = self.list(None).await?;
        told.truncate(limit);
        Ok(told)
    }

    /// The sandbox that a container is in.
    pub(super) async fn sandbox_of(&mut self, id: &str) -> Result<String, CallError> {
        let told = self.list(Some(cri::ContainerFilter { id: id.to_owned() })).await?;
        let own = told.into_iter().find(|container| container.id == id);
        own.map(|container| container.pod_sandbox_id).ok_or(CallError::Unknown { call: "ListContainers" })
    }

    async fn list(&mut self, filter: Option<cri::ContainerFilter>) -> Result<Vec<cri::Container>, CallError> {
        let asked = self.inner.list_containers(cri::ListContainersRequest { filter });
        Ok(call("ListContainers", self.timeout, asked).await?.containers)
    }

    /// All sandboxes, at most `limit`.
    pub(super) async fn sandboxes(&mut self, limit: usize) -> Result<Vec<cri::PodSandbox>, CallError> {
        let asked = self.inner.list_pod_sandbox(cri::ListPodSandboxRequest {});
        let mut told = call("ListPodSandbox", self.timeout, asked).await?.items;
        told.truncate(limit);
        Ok(told)
    }

    pub(super) async fn container(&mut self, id: &str) -> Result<cri::ContainerStatus, CallError> {
        let asked = self.inner.container_status(cri::ContainerStatusRequest { container_id: id.to_owned() });
        let told = call("ContainerStatus", self.timeout, asked).await?;
        told.status.ok_or(CallError::Unknown { call: "ContainerStatus" })
    }

    pub(super) async fn sandbox(&mut self, id: &str) -> Result<cri::PodSandboxStatus, CallError> {
        let asked = self.inner.pod_sandbox_status(cri::PodSandboxStatusRequest { pod_sandbox_id: id.to_owned() });
        let told = call("PodSandboxStatus", self.timeout, asked).await?;
        told.status.ok_or(CallError::Unknown { call: "PodSandboxStatus" })
    }

    /// What becomes of containers, as it happens. A runtime answers this call at its first event, or at once that it has no such call.
    pub(super) fn events(
        &self,
    ) -> impl Future<Output = Result<Streaming<cri::ContainerEventResponse>, Status>> + Send + 'static {
        let mut client = self.inner.clone();
        async move { client.get_container_events(cri::GetEventsRequest {}).await.map(Response::into_inner) }
    }
}

async fn call<T>(
    name: &'static str,
    within: Duration,
    asked: impl Future<Output = Result<Response<T>, Status>>,
) -> Result<T, CallError> {
    match tokio::time::timeout(within, asked).await {
        Ok(Ok(answer)) => Ok(answer.into_inner()),
        Ok(Err(status)) if status.code() == Code::NotFound => Err(CallError::Unknown { call: name }),
        Ok(Err(status)) => Err(CallError::Refused { call: name, status: Box::new(status) }),
        Err(_) => Err(CallError::Slow { call: name, within }),
    }
}
