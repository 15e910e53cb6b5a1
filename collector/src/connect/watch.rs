//! The tasks that read audit logs. Takes the configuration; gives one future for each source, which looks again and again until the
//! collector stops. A source that cannot be read is said, and tried again.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use axum_server::Handle;
use futures::future::{BoxFuture, FutureExt};
use tokio::sync::watch;

use super::audit::{Audit, Intake};
use super::aws::trail::Trail;
use super::k8s::log::Log;
use super::k8s::webhook;
use crate::config::Config;
use crate::health::Health;
use crate::pki::Credentials;

/// How long a post may go on after the collector began to stop.
const GRACE: Duration = Duration::from_secs(2);

/// Why a configured source cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The webhook's address is taken, or not ours.
    #[error("listen for the audit webhook on {address}")]
    Listen {
        /// Which one.
        address: SocketAddr,
        /// Why not.
        #[source]
        cause: std::io::Error,
    },
    /// The token cannot be read.
    #[error("read the webhook's token {path}")]
    Token {
        /// Its file.
        path: std::path::PathBuf,
        /// Why not.
        #[source]
        cause: std::io::Error,
    },
}

/// Every configured source, each ready to be spawned.
pub fn sources(
    config: &Config,
    credentials: &Credentials,
    intake: &Intake,
    health: &Health,
    stop: &watch::Receiver<bool>,
) -> Result<Vec<BoxFuture<'static, ()>>, WatchError> {
    let mut sources = Vec::new();
    if !config.cloudtrail.paths.is_empty() {
        let trail = Trail::new(config.cloudtrail.paths.clone(), intake.clone());
        sources.push(look(trail, config.cloudtrail.poll, "cloudtrail", health.clone(), stop.clone()).boxed());
    }
    for path in &config.kubernetes.logs {
        let log = Log::new(path.clone(), intake.clone());
        sources.push(look(log, config.kubernetes.poll, "kubernetes audit", health.clone(), stop.clone()).boxed());
    }
    if let Some(address) = config.kubernetes.webhook {
        let listen = |cause| WatchError::Listen { address, cause };
        let listener = TcpListener::bind(address).map_err(listen)?;
        listener.set_nonblocking(true).map_err(listen)?;
        let token = match &config.kubernetes.webhook_token {
            Some(path) => {
                let read = std::fs::read_to_string(path);
                Some(read.map_err(|cause| WatchError::Token { path: path.clone(), cause })?)
            }
            None => None,
        };
        sources
            .push(receive(listener, credentials.clone(), token, intake.clone(), health.clone(), stop.clone()).boxed());
    }
    Ok(sources)
}

async fn look(
    mut audit: impl Audit,
    poll: Duration,
    part: &'static str,
    health: Health,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        match audit.look().await {
            Ok(0) => health.well(part),
            Ok(new) => {
                health.well(part);
                tracing::info!(source = %audit.source(), new, "audit entries");
            }
            Err(cause) => health.ill(part, &crate::say(&cause)),
        }
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(poll) => {}
        }
    }
}

async fn receive(
    listener: TcpListener,
    credentials: Credentials,
    token: Option<String>,
    intake: Intake,
    health: Health,
    mut stop: watch::Receiver<bool>,
) {
    let handle = Handle::new();
    let serve = webhook::serve(listener, &credentials, token.as_deref(), intake, handle.clone());
    tokio::pin!(serve);
    let early = tokio::select! {
        served = &mut serve => Some(served),
        () = stopped(&mut stop) => None,
    };
    let served = if let Some(served) = early {
        served
    } else {
        handle.graceful_shutdown(Some(GRACE));
        serve.await
    };
    if let Err(cause) = served {
        health.ill("kubernetes audit webhook", &crate::say(&cause));
    }
}

/// Resolves when the collector stops, or is gone.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}
