//! Two network namespaces and the wire between them: the container's, and one that plays everything outside (gateway, metadata service,
//! the attacker's host). No packet reaches the machine's own interfaces.

use std::process::Command;

use anyhow::Result;

use super::program::run;

/// Address of the container.
pub const CONTAINER: &str = "10.88.0.2";
/// The other end of its wire.
pub const GATEWAY: &str = "10.88.0.1";
/// Where the attacker's host is: TEST-NET-3, RFC 5737.
pub const ATTACKER: &str = "203.0.113.66";
/// Where the stolen key is used from: TEST-NET-2, RFC 5737.
pub const ELSEWHERE: &str = "198.51.100.23";
/// The instance metadata service.
pub const METADATA: &str = "169.254.169.254";

/// The two namespaces; removed when dropped.
pub struct Network {
    /// Name of the container's namespace.
    pub inside: String,
    /// Name of the namespace that plays the rest.
    pub outside: String,
}

impl Network {
    /// Makes both and the wire.
    pub fn new(name: &str) -> Result<Self> {
        let network = Self { inside: format!("{name}i"), outside: format!("{name}o") };
        for namespace in [&network.inside, &network.outside] {
            run(ip().args(["netns", "add", namespace]))?;
            run(ip().args(["-n", namespace, "link", "set", "lo", "up"]))?;
        }
        let (inside, outside) = (network.inside.as_str(), network.outside.as_str());
        run(ip().args(["-n", inside, "link", "add", "eth0", "type", "veth", "peer", "name", "wire", "netns", outside]))?;
        for (namespace, link, address) in [
            (inside, "eth0", format!("{CONTAINER}/24")),
            (outside, "wire", format!("{GATEWAY}/24")),
            (outside, "lo", format!("{METADATA}/32")),
            (outside, "lo", format!("{ATTACKER}/32")),
            (outside, "lo", format!("{ELSEWHERE}/32")),
        ] {
            run(ip().args(["-n", namespace, "address", "add", &address, "dev", link]))?;
        }
        run(ip().args(["-n", inside, "link", "set", "eth0", "up"]))?;
        run(ip().args(["-n", outside, "link", "set", "wire", "up"]))?;
        run(ip().args(["-n", inside, "route", "add", "default", "via", GATEWAY]))?;
        Ok(network)
    }

    /// A command that runs in the outer namespace.
    pub fn command_outside(&self, program: &std::path::Path) -> Command {
        let mut command = ip();
        command.args(["netns", "exec", &self.outside]).arg(program);
        command
    }

    /// Where the container's namespace is mounted.
    pub fn inside_path(&self) -> String {
        format!("/var/run/netns/{}", self.inside)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for namespace in [&self.inside, &self.outside] {
            if let Err(problem) = run(ip().args(["netns", "delete", namespace])) {
                eprintln!("network: {problem:#}");
            }
        }
    }
}

fn ip() -> Command {
    Command::new(super::place::find("ip").unwrap_or_else(|| "ip".into()))
}
