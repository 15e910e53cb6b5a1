//! What a node says of itself when a session begins. Takes what the agent was told and what the machine says; gives a `Hello`. Asks
//! no network: the instance's id is read from the firmware's tables, where a cloud writes it.

use std::path::Path;

use proto::v1::Hello;

use crate::log::Log;

/// Where EC2 writes the instance id, on Nitro and on Xen.
const INSTANCE_FILES: [&str; 2] = ["/sys/class/dmi/id/board_asset_tag", "/sys/hypervisor/uuid"];

/// The node, as the collector is told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeFacts {
    /// Common name of its certificate.
    pub node: String,
    /// The kernel's boot id, as the kernel writes it.
    pub boot_id: String,
    /// ed25519 public key of its manifests.
    pub signing_key: Vec<u8>,
    /// Events come from a recording.
    pub replay: bool,
    /// Cloud instance; empty where unknown.
    pub instance_id: String,
    /// Addresses of its interfaces, without loopback.
    pub addresses: Vec<String>,
}

impl NodeFacts {
    /// What this machine says. `instance_id` is what was configured, if anything was.
    pub fn of_this_machine(node: &str, instance_id: Option<&str>, boot_id: &str) -> Self {
        Self {
            node: node.to_owned(),
            boot_id: boot_id.to_owned(),
            instance_id: instance_id.map_or_else(instance_id_of_firmware, str::to_owned),
            addresses: addresses(),
            ..Self::default()
        }
    }

    pub(super) fn hello(&self, log: &Log) -> Hello {
        Hello {
            node: self.node.clone(),
            boot_id: self.boot_id.clone(),
            agent_version: String::from(env!("CARGO_PKG_VERSION")),
            oldest_position: log.oldest(),
            newest_position: log.newest(),
            signing_key: self.signing_key.clone(),
            replay: self.replay,
            log_id: log.identity().log_id_text(),
            instance_id: self.instance_id.clone(),
            addresses: self.addresses.clone(),
        }
    }

    /// Differs between nodes and between boots.
    pub(super) fn seed(&self) -> u64 {
        let text = self.node.bytes().chain(self.boot_id.bytes());
        text.fold(0xcbf2_9ce4_8422_2325, |seed, byte| (seed ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    }
}

fn instance_id_of_firmware() -> String {
    let read = |path: &&str| std::fs::read_to_string(Path::new(path)).ok();
    let texts = INSTANCE_FILES.iter().filter_map(read);
    texts.map(|text| text.trim().to_owned()).find(|text| text.starts_with("i-")).unwrap_or_default()
}

fn addresses() -> Vec<String> {
    let Ok(interfaces) = nix::ifaddrs::getifaddrs() else { return Vec::new() };
    let mut found: Vec<String> = interfaces
        .filter_map(|interface| {
            let address = interface.address?;
            let v4 = address.as_sockaddr_in().map(|address| std::net::IpAddr::V4(address.ip()));
            v4.or_else(|| address.as_sockaddr_in6().map(|address| std::net::IpAddr::V6(address.ip())))
        })
        .filter(|address| !address.is_loopback())
        .map(|address| address.to_string())
        .collect();
    found.sort();
    found.dedup();
    found
}
