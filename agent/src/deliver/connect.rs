//! The connection to the collector: TLS 1.3 or 1.2, both sides with certificates. Takes the configuration; gives a channel. Reads
//! the certificates for each attempt, so a renewed one is used without a restart. Never connects without encryption, and trusts
//! no authority but the configured one.

use std::path::{Path, PathBuf};

use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

use crate::config::Collector;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// A certificate or key.
    #[error("read {path}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        cause: std::io::Error,
    },
    /// The endpoint, the certificates, the network or the other side.
    #[error("connect to {endpoint}")]
    Transport {
        /// Where to.
        endpoint: String,
        /// What went wrong.
        #[source]
        cause: tonic::transport::Error,
    },
}

/// Connects.
pub(super) async fn connect(settings: &Collector) -> Result<Channel, ConnectError> {
    let transport = |cause| ConnectError::Transport { endpoint: settings.endpoint.clone(), cause };
    let mut tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(read(&settings.ca)?))
        .identity(Identity::from_pem(read(&settings.certificate)?, read(&settings.key)?));
    if let Some(name) = &settings.server_name {
        tls = tls.domain_name(name);
    }
    let endpoint = Endpoint::from_shared(settings.endpoint.clone())
        .map_err(transport)?
        .connect_timeout(settings.timeout)
        // A collector that vanished without a word is noticed here, not after the kernel's two hours.
        .http2_keep_alive_interval(settings.timeout)
        .keep_alive_timeout(settings.timeout)
        .tls_config(tls)
        .map_err(transport)?;
    endpoint.connect().await.map_err(transport)
}

fn read(path: &Path) -> Result<Vec<u8>, ConnectError> {
    std::fs::read(path).map_err(|cause| ConnectError::Read { path: path.to_owned(), cause })
}
