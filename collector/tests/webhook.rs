//! The API server's audit webhook over HTTPS: who is let in, what becomes of what they post, and what they are told.

#[allow(dead_code, unreachable_pub, reason = "each test file uses its part")]
mod node;

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum_server::Handle;
use collector::clock::Clock;
use collector::connect::audit::Intake;
use collector::connect::k8s::webhook::{self, WebhookError};
use collector::pki::{Credentials, SERVER_NAME};
use node::collector::Collector;
use node::credentials;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tokio::task::JoinHandle;

const TOKEN: &str = "a token of some length";
const LIST: &str = r#"{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[{"auditID":"k1","stage":"ResponseComplete",
    "verb":"get","requestURI":"/version","requestReceivedTimestamp":"2026-11-21T18:10:23.123456Z"}]}"#;

/// A served webhook.
struct Webhook {
    address: SocketAddr,
    handle: Handle<SocketAddr>,
    task: JoinHandle<Result<(), WebhookError>>,
    client: Credentials,
}

impl Webhook {
    fn serve(collector: &Collector, data: &Path, token: Option<&'static str>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        listener.set_nonblocking(true).expect("a listener");
        let address = listener.local_addr().expect("an address");
        let server = collector.ready().pki.server(&[]).expect("a certificate");
        let intake = Intake::new(collector.ready().store.clone(), Clock::system());
        let handle = Handle::new();
        let own = handle.clone();
        let task = tokio::spawn(async move { webhook::serve(listener, &server, token, intake, own).await });
        Self { address, handle, task, client: credentials(data, "api-server") }
    }

    /// Sends this over TLS; what came back until the server hung up.
    async fn ask(&self, with_certificate: bool, request: String) -> io::Result<String> {
        let (address, client) = (self.address, self.client.clone());
        let ask = move || {
            let connection = ClientConnection::new(
                tls(&client, with_certificate),
                ServerName::try_from(SERVER_NAME).expect("a name"),
            );
            let socket = TcpStream::connect(address)?;
            // A server that waits for what is never sent fails the test here.
            socket.set_read_timeout(Some(Duration::from_secs(20)))?;
            let mut stream = StreamOwned::new(connection.expect("TLS"), socket);
            stream.write_all(request.as_bytes())?;
            stream.flush()?;
            let mut answer = Vec::new();
            match stream.read_to_end(&mut answer) {
                Err(cause) if answer.is_empty() => Err(cause),
                _ => Ok(String::from_utf8_lossy(&answer).into_owned()),
            }
        };
        tokio::task::spawn_blocking(ask).await.expect("no panic")
    }

    async fn stop(self) {
        self.handle.shutdown();
        self.task.await.expect("no panic").expect("no error");
    }
}

fn tls(client: &Credentials, with_certificate: bool) -> Arc<ClientConfig> {
    let certificate = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate");
    let mut roots = RootCertStore::empty();
    roots.add(certificate(&client.authority)).expect("an authority");
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("TLS")
        .with_root_certificates(roots);
    let key = || PrivateKeyDer::from_pem_slice(client.key.as_bytes()).expect("a key");
    Arc::new(if with_certificate {
        builder.with_client_auth_cert(vec![certificate(&client.certificate)], key()).expect("a certificate and its key")
    } else {
        builder.with_no_client_auth()
    })
}

fn post(token: Option<&str>, length: usize, body: &str) -> String {
    let token = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    format!("POST / HTTP/1.1\r\nHost: mayfly\r\nConnection: close\r\n{token}Content-Length: {length}\r\n\r\n{body}")
}

/// Ids of all entries.
async fn entries(collector: &Collector) -> Vec<String> {
    let entries = collector.ready().store.events.entries(|_| true).await.expect("an answer");
    entries.into_iter().map(|entry| entry.id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_is_asked_for_before_the_body_and_what_is_taken_is_durable() {
    let folder = tempfile::tempdir().expect("a folder");
    let collector = Collector::start(folder.path()).await;
    let webhook = Webhook::serve(&collector, folder.path(), Some(TOKEN));
    // Thirty megabytes are announced and never sent: the answer does not wait for them.
    for token in [None, Some("another token of a length")] {
        let answer = webhook.ask(false, post(token, 30 << 20, "")).await.expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
        assert!(answer.contains("the bearer token is missing or wrong"), "{answer}");
    }
    let answer = webhook.ask(false, post(Some(TOKEN), 9, "{garbage}")).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("event list: "), "{answer}");
    assert!(entries(&collector).await.is_empty());

    let answer = webhook.ask(false, post(Some(TOKEN), LIST.len(), LIST)).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("1 new"), "{answer}");
    let again = webhook.ask(false, post(Some(TOKEN), LIST.len(), LIST)).await.expect("an answer");
    assert!(again.starts_with("HTTP/1.1 200") && again.contains("0 new"), "{again}");
    webhook.stop().await;
    collector.stop().await;
    let collector = Collector::start(folder.path()).await;
    assert_eq!(entries(&collector).await, ["k1/ResponseComplete"], "also after a restart, and once");
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_a_certificate_of_ours_is_needed() {
    let folder = tempfile::tempdir().expect("a folder");
    let collector = Collector::start(folder.path()).await;
    let webhook = Webhook::serve(&collector, folder.path(), None);
    let refused = webhook.ask(false, post(None, LIST.len(), LIST)).await.expect_err("it was let in");
    assert!(refused.to_string().contains("CertificateRequired"), "{refused}");
    assert!(entries(&collector).await.is_empty());
    let answer = webhook.ask(true, post(None, LIST.len(), LIST)).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    webhook.stop().await;
    collector.stop().await;
}
