//! The cluster that the node is in. Takes the section of the file, and the two variables that Kubernetes gives to every pod; gives the
//! addresses at which the API server answers.

use std::net::{IpAddr, SocketAddr};

use serde::Deserialize;

/// The cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Kubernetes {
    /// Where the API server answers, `address:port`, beside what `KUBERNETES_SERVICE_HOST` and `KUBERNETES_SERVICE_PORT` say. Default:
    /// nowhere else. Connections to it are marked.
    pub api_server: Vec<SocketAddr>,
}

impl Kubernetes {
    /// All addresses of the API server, with what the agent's own environment says.
    pub fn api_servers(&self) -> Vec<(IpAddr, u16)> {
        let variable = |name| std::env::var(name).ok();
        self.known(variable("KUBERNETES_SERVICE_HOST").as_deref(), variable("KUBERNETES_SERVICE_PORT").as_deref())
    }

    fn known(&self, host: Option<&str>, port: Option<&str>) -> Vec<(IpAddr, u16)> {
        let own = host.and_then(|host| host.parse().ok()).zip(port.unwrap_or("443").parse().ok());
        self.api_server.iter().map(|address| (address.ip(), address.port())).chain(own).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_api_server_is_what_the_file_and_the_environment_say() {
        let file = Kubernetes { api_server: vec!["10.0.0.1:6443".parse().expect("an address")] };
        let check = |host, port| -> Vec<String> {
            file.known(host, port).iter().map(|(address, port)| format!("{address} {port}")).collect()
        };
        assert_eq!(check(Some("10.96.0.1"), Some("443")), ["10.0.0.1 6443", "10.96.0.1 443"]);
        assert_eq!(check(Some("fd00::1"), None), ["10.0.0.1 6443", "fd00::1 443"]);
        assert_eq!(check(Some("kubernetes.default"), Some("443")), ["10.0.0.1 6443"]);
        assert_eq!(check(None, None), ["10.0.0.1 6443"]);
    }
}
