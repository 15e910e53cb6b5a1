//! The attacker's host: gives files of a folder, keeps what is posted to it.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use anyhow::Result;

use crate::http;

/// Serves `folder`; a POST is kept there under the last part of its path.
pub(crate) fn serve(listen: SocketAddr, folder: &Path) -> Result<()> {
    let listener = TcpListener::bind(listen)?;
    println!("host listens on {listen}");
    for stream in listener.incoming() {
        let mut stream = stream?;
        let Ok(request) = http::read(&mut stream) else { continue };
        let Some(name) = Path::new(&request.path).file_name() else { continue };
        let path = folder.join(name);
        if request.method == "POST" {
            std::fs::write(path, &request.body)?;
            http::answer(&mut stream, b"ok")?;
        } else {
            let body = std::fs::read(path).unwrap_or_default();
            if let Err(problem) = http::answer(&mut stream, &body) {
                eprintln!("host: {problem}");
            }
        }
    }
    Ok(())
}
