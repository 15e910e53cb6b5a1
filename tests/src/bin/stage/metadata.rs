//! An instance metadata service, version 2, that gives the credentials of one role. Stands in for the link-local service of a cloud,
//! which no test machine has; the answers have the shape of
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html>.

use std::net::{SocketAddr, TcpListener};

use anyhow::Result;

use crate::http;

const CREDENTIALS: &str = "/latest/meta-data/iam/security-credentials/";

/// Serves `credentials` (JSON) for `role`.
pub(crate) fn serve(listen: SocketAddr, role: &str, credentials: &str) -> Result<()> {
    let listener = TcpListener::bind(listen)?;
    println!("metadata listens on {listen}");
    for stream in listener.incoming() {
        let mut stream = stream?;
        let Ok(request) = http::read(&mut stream) else { continue };
        let body = match (request.method.as_str(), request.path.as_str()) {
            ("PUT", "/latest/api/token") => "AQAEAstage-token".to_owned(),
            ("GET", CREDENTIALS) => role.to_owned(),
            ("GET", path) if path.strip_prefix(CREDENTIALS) == Some(role) => credentials.to_owned(),
            _ => String::new(),
        };
        http::answer(&mut stream, body.as_bytes())?;
    }
    Ok(())
}
