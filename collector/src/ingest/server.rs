//! The gRPC service that nodes connect to. Takes mutual TLS and a `Hello`; gives a session. Refuses a client without a certificate of
//! our authority, and a node that says another name than its certificate.

use futures::stream::{self, BoxStream, StreamExt};
use proto::limits;
use proto::v1::ingest_server::{Ingest, IngestServer};
use proto::v1::node_message::Message as In;
use proto::v1::{CollectorMessage, Hello, NodeMessage};
use tonic::transport::server::{Router, Server};
use tonic::transport::{Certificate, Identity, ServerTlsConfig};
use tonic::{Request, Response, Status, Streaming};

use collector_core::custody::Kind;
use serde_json::json;

use super::orders::NodeOrders;
use super::session::Session;
use crate::clock::Clock;
use crate::pki::{self, Credentials};
use crate::store::Store;
use crate::store::state::Node;

/// Sessions of one client connection: an agent has one.
const STREAMS: u32 = 8;

/// How much a node may send before we have read it: a few blocks.
const WINDOW_BYTES: u32 = 8 << 20;

/// The service.
#[derive(Clone, Debug)]
pub struct Service {
    store: Store,
    clock: Clock,
    orders: NodeOrders,
}

impl Service {
    /// Sessions into this store.
    pub fn new(store: Store, clock: Clock, orders: NodeOrders) -> Self {
        Self { store, clock, orders }
    }

    /// A server that only clients of our authority can talk to.
    pub fn router(self, credentials: &Credentials) -> Result<Router, tonic::transport::Error> {
        let tls = ServerTlsConfig::new()
            .identity(Identity::from_pem(&credentials.certificate, &credentials.key))
            .client_ca_root(Certificate::from_pem(&credentials.authority));
        let ingest = IngestServer::new(self)
            .max_decoding_message_size(limits::MESSAGE_BYTES)
            .max_encoding_message_size(limits::MESSAGE_BYTES);
        let mut server = Server::builder()
            .tls_config(tls)?
            .max_concurrent_streams(STREAMS)
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .tcp_nodelay(true)
            .http2_keepalive_interval(Some(std::time::Duration::from_secs(20)));
        Ok(server.add_service(ingest))
    }

    /// The node by its certificate, compared with what it says.
    fn identify(certificate: Option<&[u8]>, hello: &Hello) -> Result<(), Status> {
        let name = certificate.and_then(pki::common_name);
        let name = name.ok_or_else(|| Status::unauthenticated("the client certificate has no common name"))?;
        if name != hello.node {
            return Err(Status::permission_denied("the node's name is not that of its certificate"));
        }
        let names = [&hello.node, &hello.log_id, &hello.boot_id, &hello.agent_version, &hello.instance_id];
        let is_bounded = names.iter().all(|name| name.len() <= limits::NAME_BYTES)
            && hello.addresses.len() <= 64
            && hello.addresses.iter().all(|address| address.len() <= limits::NAME_BYTES)
            && hello.signing_key.len() <= limits::NAME_BYTES;
        if hello.log_id.is_empty() || !is_bounded {
            return Err(Status::invalid_argument("a name in the hello is missing or too long"));
        }
        Ok(())
    }

    fn refuse(&self, peer: &str, hello: &Hello, status: &Status) {
        let said: String = hello.node.chars().take(limits::NAME_BYTES).collect();
        let body = json!({"address": peer, "said": said, "reason": status.message()});
        if let Err(cause) = self.store.journal.note("collector", Kind::Refused, None, body) {
            tracing::error!(cause = crate::say(&cause), "a refusal could not be journalled");
        }
    }

    async fn introduce(&self, hello: &Hello) -> Result<(), Status> {
        let now = self.clock.now_ns();
        let node = Node {
            name: hello.node.clone(),
            boot_id: hello.boot_id.clone(),
            log_id: hello.log_id.clone(),
            agent_version: hello.agent_version.clone(),
            signing_key: hello.signing_key.clone(),
            instance_id: hello.instance_id.clone(),
            addresses: hello.addresses.clone(),
            replay: hello.replay,
            first_seen_ns: now,
            last_seen_ns: now,
        };
        self.store.state.put_node(&node).await.map_err(|cause| Status::unavailable(crate::say(&cause)))
    }
}

#[tonic::async_trait]
impl Ingest for Service {
    type SessionStream = BoxStream<'static, Result<CollectorMessage, Status>>;

    async fn session(&self, request: Request<Streaming<NodeMessage>>) -> Result<Response<Self::SessionStream>, Status> {
        let peer = request.remote_addr().map_or_else(|| "an unknown address".to_owned(), |peer| peer.to_string());
        let certificate = request.peer_certs().and_then(|chain| chain.first().map(|first| first.to_vec()));
        let mut inbound = request.into_inner();
        let Some(NodeMessage { message: Some(In::Hello(hello)) }) = inbound.message().await? else {
            return Err(Status::failed_precondition("a session begins with hello"));
        };
        if let Err(status) = Self::identify(certificate.as_deref(), &hello) {
            self.refuse(&peer, &hello, &status);
            return Err(status);
        }
        self.introduce(&hello).await?;
        tracing::info!(node = hello.node, peer, log = hello.log_id, newest = hello.newest_position, "session");
        // The newer session is the node: attaching ends the older one before the cursor is read.
        let attached = self.orders.attach(&hello.node);
        let session =
            Session::new(self.store.clone(), self.clock.clone(), self.orders.clone(), inbound, hello, attached);
        let answers = stream::unfold(session, |mut session| async move {
            let message = session.next().await?;
            Some((message, session))
        });
        Ok(Response::new(answers.boxed()))
    }
}
