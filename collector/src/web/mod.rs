//! The control socket: what the responder's commands ask of a running collector. Takes HTTP over a Unix socket in the data folder; gives JSON.
//! Who asks is who the kernel says is at the other end: no password, no token, nothing that can be passed on.

mod cases;
mod facts;
mod peer;
mod response;

use std::future::Future;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use tokio::net::UnixListener;

use crate::health::Health;
use crate::ingest::orders::NodeOrders;
use crate::pki::Pki;
use crate::respond::answer::Answers;
use crate::store::Store;

pub use peer::Peer;

/// A request's body: a few words. Nothing that a responder says is longer.
const BODY_BYTES: usize = 64 << 10;

/// The parts that answers come from.
#[derive(Clone)]
pub struct Context {
    /// Plans, approvals, reports.
    pub answers: Answers,
    /// Events, cases, evidence.
    pub store: Store,
    /// Which nodes are connected.
    pub orders: NodeOrders,
    /// What ails.
    pub health: Health,
    /// Certificates for nodes.
    pub pki: Pki,
}

/// Serves until `shutdown` ends. The socket is the owner's and their group's; a stale one of an earlier run is replaced.
pub async fn serve(
    context: Context,
    socket: &Path,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    match std::fs::remove_file(socket) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause),
        _ => {}
    }
    let listener = UnixListener::bind(socket)?;
    std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o660))?;
    let service = router(context).into_make_service_with_connect_info::<Peer>();
    axum::serve(listener, service).with_graceful_shutdown(shutdown).await
}

/// All routes.
pub fn router(context: Context) -> Router {
    Router::new()
        .route("/status", get(facts::status))
        .route("/nodes", get(facts::nodes))
        .route("/nodes/{name}", post(facts::add_node))
        .route("/nodes/{name}/coverage", get(facts::coverage))
        .route("/events", get(facts::events))
        .route("/losses", get(facts::losses))
        .route("/completeness", get(facts::completeness))
        .route("/cases", get(cases::list))
        .route("/cases/{id}", get(cases::one))
        .route("/cases/{id}/plan", get(cases::plan).post(cases::plan_anew))
        .route("/cases/{id}/word", post(cases::word))
        .route("/cases/{id}/undo", post(cases::undo))
        .route("/cases/{id}/report", get(cases::report))
        .route("/cases/{id}/evidence", get(cases::evidence))
        .route("/cases/{id}/bundle", get(cases::bundle))
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .with_state(context)
}
