//! Which container runtimes are asked for names. Takes a table of the configuration; gives sockets and a bound of time.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::quantity;

/// Container runtimes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Runtimes {
    /// Unix sockets of the Kubernetes Container Runtime Interface, each asked for the names of containers; at most 16. Default: those of
    /// containerd, CRI-O, k3s and cri-dockerd. One that is not there is looked for again every half minute; an empty list asks nobody, and
    /// names come from the runtimes' files alone.
    pub sockets: Vec<PathBuf>,
    /// How long one answer may take. Default 2 s; 10 ms … 30 s. Events never wait for it.
    #[serde(deserialize_with = "quantity::duration")]
    pub timeout: Duration,
    /// How long a container's names are kept after its end, for what is still on its way and for orders about it. Default 1 h; 1 s … 24 h.
    /// A kilobyte or two each; 16 384 containers are the most.
    #[serde(deserialize_with = "quantity::duration")]
    pub keep: Duration,
}

impl Default for Runtimes {
    fn default() -> Self {
        let sockets = [
            "/run/containerd/containerd.sock",
            "/run/crio/crio.sock",
            "/run/k3s/containerd/containerd.sock",
            "/run/cri-dockerd.sock",
        ];
        Self {
            sockets: sockets.map(PathBuf::from).to_vec(),
            timeout: Duration::from_secs(2),
            keep: Duration::from_hours(1),
        }
    }
}
