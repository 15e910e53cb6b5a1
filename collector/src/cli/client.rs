//! How a command asks a running collector. Takes a path and a body; gives JSON or bytes from the control socket in the data folder. Says what
//! to do when nobody listens there.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;

/// An answer longer than this is not one of ours: a bundle with some captures stays below.
const ANSWER_BYTES: usize = 4 << 30;

/// The control socket of one collector.
#[derive(Clone, Debug)]
pub(super) struct Client {
    socket: PathBuf,
}

impl Client {
    /// The collector of this data folder.
    pub(super) fn new(data: &Path) -> Self {
        Self { socket: data.join("control.sock") }
    }

    /// Reads.
    pub(super) async fn get(&self, path: &str) -> Result<Value> {
        parse(&self.ask(Method::GET, path, None).await?)
    }

    /// Reads bytes.
    pub(super) async fn bytes(&self, path: &str) -> Result<Bytes> {
        self.ask(Method::GET, path, None).await
    }

    /// Asks for something to be done.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        parse(&self.ask(Method::POST, path, Some(body)).await?)
    }

    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Bytes> {
        let stream = UnixStream::connect(&self.socket).await.with_context(|| {
            format!(
                "no collector answers at {}: start one with `mayfly --data {} serve`, or name its folder with --data",
                self.socket.display(),
                self.socket.parent().unwrap_or(Path::new(".")).display()
            )
        })?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let content = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "mayfly")
            .header("content-type", "application/json")
            .body(Full::new(content))?;
        let asked = async {
            let answer = sender.send_request(request).await?;
            let status = answer.status();
            let limited = http_body_util::Limited::new(answer.into_body(), ANSWER_BYTES);
            let bytes =
                limited.collect().await.map_err(|error| anyhow::anyhow!("read the answer: {error}"))?.to_bytes();
            drop(sender);
            anyhow::Ok((status, bytes))
        };
        let ((status, bytes), connected) = tokio::try_join!(asked, async { Ok(connection.await) })?;
        connected.context("the collector hung up")?;
        if !status.is_success() {
            let said: Option<String> =
                serde_json::from_slice::<Value>(&bytes).ok().and_then(|said| said["error"].as_str().map(str::to_owned));
            bail!("{}", said.unwrap_or_else(|| format!("the collector answered {status}")));
        }
        Ok(bytes)
    }
}

fn parse(bytes: &[u8]) -> Result<Value> {
    serde_json::from_slice(bytes).context("the collector's answer is not JSON")
}

/// A value as a part of a query.
pub(super) fn quote(text: &str) -> String {
    let mut quoted = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            quoted.push(char::from(byte));
        } else {
            quoted.push('%');
            quoted.push_str(&hex::encode_upper([byte]));
        }
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::quote;

    #[test]
    fn a_query_cannot_be_broken_out_of() {
        assert_eq!(quote("node-1&limit=1 ü"), "node-1%26limit%3D1%20%C3%BC");
    }
}
