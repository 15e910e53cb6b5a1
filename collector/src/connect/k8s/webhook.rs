//! Where the API server posts its audit events: HTTPS, with a client certificate of our authority or a bearer token. Takes an `EventList`;
//! answers 200 when its events are durable, so that the API server sends again what was not.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::post;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use super::audit;
use crate::connect::audit::Intake;
use crate::pki::Credentials;

/// A token shorter than this can be guessed.
const TOKEN_BYTES: usize = 16;

/// Posts whose bodies are in memory at once, each at most [`audit::OBJECT_BYTES`]; more wait, unread.
const READING: usize = 4;

/// A body that takes longer than this to come makes room for the next; the API server sends it again.
const BODY_TIME: Duration = Duration::from_mins(1);

/// Why the webhook cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// The token is too short.
    #[error("the bearer token has {0} bytes, fewer than {TOKEN_BYTES}")]
    Token(usize),
    /// A certificate or key is damaged.
    #[error("read the collector's certificate")]
    Pem(#[from] rustls::pki_types::pem::Error),
    /// TLS does not take them.
    #[error("set up TLS")]
    Tls(#[from] rustls::Error),
    /// TLS does not take the authority.
    #[error("set up the check of client certificates")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
    /// The server broke.
    #[error("serve")]
    Serve(#[source] std::io::Error),
}

#[derive(Clone)]
struct Door {
    intake: Intake,
    /// sha256 of the token, where one opens the door: compared as a whole, its time tells nothing about the token.
    token: Option<[u8; 32]>,
    reading: Arc<Semaphore>,
}

/// Serves until `handle` is shut down.
pub async fn serve(
    listener: TcpListener,
    credentials: &Credentials,
    token: Option<&str>,
    intake: Intake,
    handle: Handle<std::net::SocketAddr>,
) -> Result<(), WebhookError> {
    let token = token.map(str::trim);
    if let Some(short) = token.filter(|token| token.len() < TOKEN_BYTES) {
        return Err(WebhookError::Token(short.len()));
    }
    let tls = RustlsConfig::from_config(Arc::new(tls(credentials, token.is_some())?));
    let door = Door::new(intake, token);
    let router =
        Router::new().route("/", post(receive)).layer(DefaultBodyLimit::max(audit::OBJECT_BYTES)).with_state(door);
    let server = axum_server::from_tcp_rustls(listener, tls).map_err(WebhookError::Serve)?;
    server.handle(handle).serve(router.into_make_service()).await.map_err(WebhookError::Serve)
}

/// Without a token, nobody gets further than the handshake without a certificate of ours.
fn tls(credentials: &Credentials, has_token: bool) -> Result<ServerConfig, WebhookError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
    let builder = if has_token {
        builder.with_no_client_auth()
    } else {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(credentials.authority.as_bytes())?)?;
        builder
            .with_client_cert_verifier(WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build()?)
    };
    let certificate = CertificateDer::from_pem_slice(credentials.certificate.as_bytes())?;
    let key = PrivateKeyDer::from_pem_slice(credentials.key.as_bytes())?;
    let mut config = builder.with_single_cert(vec![certificate], key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Who is not let in is told so before a byte of their body is read.
async fn receive(State(door): State<Door>, request: Request) -> (StatusCode, String) {
    if !door.opens_for(request.headers()) {
        return (StatusCode::UNAUTHORIZED, "the bearer token is missing or wrong".to_owned());
    }
    let _room = door.reading.acquire().await.expect("it is never closed");
    let body = match tokio::time::timeout(BODY_TIME, Bytes::from_request(request, &())).await {
        Ok(Ok(body)) => body,
        Ok(Err(rejection)) => return (rejection.status(), rejection.body_text()),
        Err(_) => return (StatusCode::REQUEST_TIMEOUT, format!("the body did not come within {BODY_TIME:?}")),
    };
    let parsed = audit::parse_list(&body);
    if parsed.entries.is_empty() && !parsed.troubles.is_empty() {
        return (StatusCode::BAD_REQUEST, parsed.troubles.join("; "));
    }
    for trouble in &parsed.troubles {
        tracing::warn!(trouble, "kubernetes audit webhook");
    }
    match door.intake.take(body, parsed.entries).await {
        Ok(new) => (StatusCode::OK, format!("{new} new\n")),
        Err(cause) => (StatusCode::SERVICE_UNAVAILABLE, crate::say(&cause)),
    }
}

impl Door {
    fn new(intake: Intake, token: Option<&str>) -> Self {
        let token = token.map(|token| Sha256::digest(token).into());
        Self { intake, token, reading: Arc::new(Semaphore::new(READING)) }
    }

    fn opens_for(&self, headers: &HeaderMap) -> bool {
        let Some(wanted) = self.token else {
            return true;
        };
        let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
        shown.is_some_and(|token| Sha256::digest(token)[..] == wanted)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use axum::body::Body;
    use futures::FutureExt;

    use super::*;
    use crate::clock::Clock;
    use crate::config::StoreConfig;
    use crate::health::Health;
    use crate::store::Store;

    const TOKEN: &str = "a token of some length";

    /// A post, and whether its body was asked for.
    fn post(token: &str) -> (Request, Arc<AtomicBool>) {
        let read = Arc::new(AtomicBool::new(false));
        let note = read.clone();
        let body = Body::from_stream(futures::stream::once(async move {
            note.store(true, Ordering::Relaxed);
            Ok::<_, std::io::Error>(Bytes::from_static(b"no JSON"))
        }));
        let request = Request::builder().header(header::AUTHORIZATION, format!("Bearer {token}"));
        (request.body(body).expect("a request"), read)
    }

    #[tokio::test]
    async fn a_body_is_read_only_with_the_token_and_only_when_there_is_room() {
        let folder = tempfile::tempdir().expect("a folder");
        let (clock, health) = (Clock::system(), Health::default());
        let (store, writer) =
            Store::open(folder.path(), &StoreConfig::default(), &clock, &health).await.expect("a store");
        let door = Door::new(Intake::new(store, clock), Some(TOKEN));

        let (stranger, read) = post("another token of a length");
        assert_eq!(receive(State(door.clone()), stranger).await.0, StatusCode::UNAUTHORIZED);
        assert!(!read.load(Ordering::Relaxed), "a stranger's body was read");

        let taken = door.reading.acquire_many(u32::try_from(READING).expect("few")).await.expect("room");
        let (request, read) = post(TOKEN);
        let mut waiting = receive(State(door.clone()), request).boxed();
        assert!((&mut waiting).now_or_never().is_none(), "it does not wait");
        assert!(!read.load(Ordering::Relaxed), "it is read without room");
        drop(taken);
        let (status, why) = waiting.await;
        assert!(read.load(Ordering::Relaxed));
        assert_eq!(status, StatusCode::BAD_REQUEST, "{why}");
        drop((door, writer));
    }
}
