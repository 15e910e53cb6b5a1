//! The other side of the tests: a real gRPC server with certificates made on the spot, which does what its script says and
//! remembers what it saw.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};

use proto::v1::collector_message::Message as To;
use proto::v1::ingest_server::{Ingest, IngestServer};
use proto::v1::node_message::Message as From;
use proto::v1::{Ack, ArtifactAck, CollectorMessage, Hello, NodeMessage, Order, OrderResult, Refused, Welcome};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tokio_stream::{Stream, StreamExt};
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};
use tonic::{Request, Response, Status, Streaming};

/// Signs certificates.
pub(super) struct Authority {
    pub(super) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("signs itself");
        Self { pem: certificate.pem(), issuer: Issuer::new(params, key) }
    }

    /// Certificate and key, PEM.
    pub(super) fn issue(&self, name: &str) -> (String, String) {
        let mut params = CertificateParams::new(vec![String::from("localhost")]).expect("a name");
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("signs");
        (certificate.pem(), key.serialize_pem())
    }
}

/// What the server does.
#[derive(Clone, Default)]
pub(super) struct Script {
    pub(super) resume_after: u64,
    pub(super) refuse: Option<&'static str>,
    pub(super) orders: Vec<&'static str>,
    pub(super) artifact_from: u64,
}

/// What the server saw.
#[derive(Clone, Default)]
pub(super) struct Seen {
    pub(super) hello: Option<Hello>,
    blocks: Vec<(u64, u32)>,
    last_link: Option<Vec<u8>>,
    pub(super) chain_holds: bool,
    pub(super) results: Vec<OrderResult>,
    pub(super) manifests: usize,
    pub(super) chunks: Vec<(u64, usize)>,
}

impl Seen {
    pub(super) fn positions(&self) -> Vec<u64> {
        let mut positions: Vec<u64> =
            self.blocks.iter().flat_map(|(first, count)| *first..*first + u64::from(*count)).collect();
        positions.sort_unstable();
        positions.dedup();
        positions
    }
}

/// A running server.
pub(super) struct Served {
    pub(super) port: u16,
    seen: Arc<Mutex<Seen>>,
    drop_sessions: watch::Sender<u32>,
    shutdown: watch::Sender<bool>,
    task: JoinHandle<()>,
}

struct Service {
    script: Script,
    seen: Arc<Mutex<Seen>>,
    drop_sessions: watch::Receiver<u32>,
}

/// A port where nobody listens at the moment.
pub(super) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("localhost:0").expect("loopback");
    listener.local_addr().expect("bound").port()
}

impl Served {
    pub(super) async fn start(authority: &Authority, script: Script) -> Self {
        Self::start_at(authority, script, 0).await
    }

    pub(super) async fn start_at(authority: &Authority, script: Script, port: u16) -> Self {
        let listener = TcpListener::bind(("localhost", port)).await.expect("the port is free");
        let port = listener.local_addr().expect("bound").port();
        let (certificate, key) = authority.issue("collector");
        let tls = ServerTlsConfig::new()
            .identity(Identity::from_pem(certificate, key))
            .client_ca_root(Certificate::from_pem(&authority.pem));
        let seen = Arc::new(Mutex::new(Seen { chain_holds: true, ..Seen::default() }));
        let (drop_sessions, dropped) = watch::channel(0);
        let (shutdown, mut down) = watch::channel(false);
        let service = Service { script, seen: Arc::clone(&seen), drop_sessions: dropped };
        let router = Server::builder()
            .tls_config(tls)
            .expect("certificates")
            .add_service(IngestServer::new(service).max_decoding_message_size(proto::limits::MESSAGE_BYTES));
        let task = tokio::spawn(async move {
            let stop = async move { drop(down.wait_for(|down| *down).await) };
            drop(router.serve_with_incoming_shutdown(TcpListenerStream::new(listener), stop).await);
        });
        Self { port, seen, drop_sessions, shutdown, task }
    }

    pub(super) fn seen(&self) -> Seen {
        lock(&self.seen).clone()
    }

    pub(super) fn drop_sessions(&self) {
        self.drop_sessions.send_modify(|count| *count += 1);
    }

    pub(super) async fn stop(self) {
        self.drop_sessions();
        self.shutdown.send(true).expect("runs");
        self.task.await.expect("no panic");
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().expect("no test panics while it holds the lock")
}

#[tonic::async_trait]
impl Ingest for Service {
    type SessionStream = Pin<Box<dyn Stream<Item = Result<CollectorMessage, Status>> + Send>>;

    async fn session(&self, request: Request<Streaming<NodeMessage>>) -> Result<Response<Self::SessionStream>, Status> {
        let (out, stream) = mpsc::channel(64);
        let (script, seen) = (self.script.clone(), Arc::clone(&self.seen));
        let mut dropped = self.drop_sessions.clone();
        dropped.mark_unchanged();
        let mut inbound = request.into_inner();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    message = inbound.next() => {
                        let Some(Ok(message)) = message else { return };
                        for answer in answer(&script, &seen, message) {
                            let last = matches!(answer.message, Some(To::Refused(_)));
                            if out.send(Ok(answer)).await.is_err() || last { return; }
                        }
                    }
                    _ = dropped.changed() => return,
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }
}

fn answer(script: &Script, seen: &Mutex<Seen>, message: NodeMessage) -> Vec<CollectorMessage> {
    let mut seen = lock(seen);
    let answers = match message.message {
        Some(From::Hello(hello)) => {
            seen.hello = Some(hello);
            match script.refuse {
                Some(reason) => vec![To::Refused(Refused { position: 0, reason: reason.to_owned() })],
                None => welcome(script),
            }
        }
        Some(From::Block(block)) => {
            let follows = seen.last_link.as_ref().is_none_or(|link| *link == block.previous);
            seen.chain_holds &= follows;
            seen.last_link = Some(block.link);
            seen.blocks.push((block.first_position, block.count));
            vec![To::Ack(Ack { position: block.first_position + u64::from(block.count) - 1 })]
        }
        Some(From::Manifest(_)) => {
            seen.manifests += 1;
            Vec::new()
        }
        Some(From::ArtifactBegin(begin)) => {
            vec![artifact_ack(begin.capture_id, begin.artifact_id, script.artifact_from, false)]
        }
        Some(From::ArtifactChunk(chunk)) => {
            seen.chunks.push((chunk.offset, chunk.data.len()));
            let received = chunk.offset + chunk.data.len() as u64;
            if received < 700_000 {
                Vec::new()
            } else {
                vec![artifact_ack(chunk.capture_id, chunk.artifact_id, received, true)]
            }
        }
        Some(From::OrderResult(result)) => {
            seen.results.push(result);
            Vec::new()
        }
        Some(From::Status(_)) | None => Vec::new(),
    };
    answers.into_iter().map(|message| CollectorMessage { message: Some(message) }).collect()
}

fn welcome(script: &Script) -> Vec<To> {
    let welcome = Welcome { resume_after: script.resume_after, collector_version: String::from("test") };
    let order = |id: &&str| To::Order(Order { id: String::from(*id), ..Order::default() });
    let mut answers = vec![To::Welcome(welcome)];
    answers.extend(script.orders.iter().map(order));
    answers
}

fn artifact_ack(capture_id: String, artifact_id: String, received: u64, complete: bool) -> To {
    To::ArtifactAck(ArtifactAck { capture_id, artifact_id, received, complete })
}
