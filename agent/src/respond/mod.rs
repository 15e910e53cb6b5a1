//! What the node does when a rule or the collector asks for it: stop, capture, cut off, and each of these undone.
//!
//! Takes [`Fired`] and orders, one at a time; gives events, results of orders and captures on the shelf. Everything that it
//! changes on the node ends by itself unless it is renewed, survives the agent's own end, and is never done to who is
//! protected. Works in one thread of its own: it reads `/proc` and disks, and blocks while it does.

pub mod artifact;
pub mod capture;
pub mod facts;
mod fired;
pub mod held;
pub mod journal;
pub mod lease;
pub mod manifest;
pub mod memory;
mod order;
pub mod outside;
pub mod probe;
pub mod quarantine;
pub mod secret;
pub mod trigger;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use proto::hash_secret::HashSecret;
use proto::v1::{Event, Order, OrderResult};
use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::origin::cgroup_tree::CgroupTree;
use capture::Bounds;
use held::Guard;
use journal::Journal;
use lease::{AfterHold, Leases};
use manifest::{NodeKey, Tool};
use outside::{Network, Probe, Recorder, Shelf};
use quarantine::Quarantines;
use secret::HashKey;
pub use trigger::{Fired, Limits, Triggers};

/// How often leases and expiries are looked at.
const TICK: Duration = Duration::from_millis(250);

/// Orders that are remembered. They are valid for hours; after a thousand others nobody repeats one.
const ORDERS: usize = 1024;

/// How the responder works on this node.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its folder: keys, holds, quarantines, the journal of orders.
    pub data: PathBuf,
    /// The node's name.
    pub node: String,
    /// This boot, as `/proc/sys/kernel/random/boot_id` writes it.
    pub boot_id: String,
    /// Whether the events come from a recorded run: then nothing is touched.
    pub replay: bool,
    /// The root of the host's file system.
    pub host: PathBuf,
    /// Whom nothing is done to, and where `/proc` is.
    pub guard: Guard,
    /// How much is captured.
    pub bounds: Bounds,
    /// How long a process stays stopped after a rule stopped it.
    pub hold: Duration,
    /// What happens to it then.
    pub after_hold: AfterHold,
    /// What all nodes of the deployment share for hashes of secrets; `None`: the node makes a key of its own.
    pub hash_secret: Option<HashSecret>,
}

impl Settings {
    /// The defaults: five minutes before, 64 MiB an artifact, 16 MiB of memory, held for ten minutes and then let go.
    pub fn new(data: PathBuf, node: String, boot_id: String, guard: Guard) -> Self {
        let bounds = Bounds { artifact_bytes: 64 << 20, memory_bytes: 16 << 20, before: Duration::from_mins(5) };
        Self {
            data,
            node,
            boot_id,
            replay: false,
            host: PathBuf::from("/"),
            guard,
            bounds,
            hold: Duration::from_mins(10),
            after_hold: AfterHold::Resume,
            hash_secret: None,
        }
    }
}

/// The parts that the responder works with.
pub struct Outside {
    /// The flight recorder.
    pub recorder: Box<dyn Recorder>,
    /// Where captures wait for the collector.
    pub shelf: Box<dyn Shelf>,
    /// The network's barrier; `None` where the kernel refused it: a quarantine is then refused in its words.
    pub network: Result<Box<dyn Network>, String>,
    /// Sends from inside a cgroup.
    pub probe: Box<dyn Probe>,
    /// The cgroup tree.
    pub tree: CgroupTree,
    /// What time it is.
    pub clock: Clock,
}

/// What the responder says.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    /// For the log.
    Event(Box<Event>),
    /// For the collector.
    Result(Box<OrderResult>),
}

/// Acts on this node.
pub struct Responder {
    settings: Settings,
    outside: Outside,
    node_key: NodeKey,
    hash_key: HashKey,
    tool: Tool,
    journal: Journal,
    leases: Leases,
    quarantines: Quarantines,
    captures: u64,
}

impl Responder {
    /// A responder that goes on where an earlier one of this boot ended: holds and quarantines are still in force.
    pub fn new(settings: Settings, outside: Outside) -> io::Result<Self> {
        std::fs::create_dir_all(&settings.data)?;
        let at = |name: &str| settings.data.join(name);
        let hash_key = match &settings.hash_secret {
            Some(secret) => HashKey::shared(secret),
            None => HashKey::own(&at("hash.key"))?,
        };
        let mut responder = Self {
            node_key: NodeKey::open(&at("node.key"))?,
            hash_key,
            tool: Tool::own(),
            journal: Journal::open(at("journal"), ORDERS)?,
            leases: Leases::open(at("leases.json"), &settings.boot_id)?,
            quarantines: Quarantines::open(at("quarantines.json"), &settings.boot_id)?,
            captures: 0,
            settings,
            outside,
        };
        responder.resume_quarantines();
        Ok(responder)
    }

    /// What became of its orders, for whoever tells the collector.
    pub fn journal(&self) -> Journal {
        self.journal.clone()
    }

    /// What verifies its manifests: goes into `Hello`.
    pub fn signing_key(&self) -> [u8; 32] {
        self.node_key.public()
    }

    /// Works until both channels are closed. Triggers come before orders. Blocks while it works: give it a thread, with a
    /// runtime of that one thread. What it says waits when `out` is full; triggers then wait in their own channel, and the
    /// processes that they are about are stopped already.
    pub async fn run(
        mut self,
        mut fired: mpsc::Receiver<Fired>,
        mut orders: mpsc::Receiver<Order>,
        out: mpsc::Sender<Said>,
    ) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let (mut triggers_open, mut orders_open) = (true, true);
        let mut said = Vec::new();
        while triggers_open || orders_open {
            tokio::select! {
                biased;
                next = fired.recv(), if triggers_open => match next {
                    Some(fired) => self.fired(fired, &mut said),
                    None => triggers_open = false,
                },
                next = orders.recv(), if orders_open => match next {
                    Some(order) => self.order(&order, &mut said),
                    None => orders_open = false,
                },
                _ = ticks.tick() => self.tick(),
            }
            for word in said.drain(..) {
                if out.send(word).await.is_err() {
                    return;
                }
            }
        }
    }

    /// Ends what is over: holds and quarantines.
    pub fn tick(&mut self) {
        let now_ns = self.outside.clock.now().boot_ns;
        self.end_holds(now_ns);
        self.end_quarantines(now_ns);
    }

    /// A new id: the boot, the time and a count make it unique on this node.
    fn capture_id(&mut self, boot_ns: u64) -> String {
        self.captures += 1;
        let boot = self.settings.boot_id.get(..8).unwrap_or(&self.settings.boot_id);
        format!("{}-{boot}-{boot_ns:x}-{}", plain(&self.settings.node), self.captures)
    }
}

/// A node's name as a part of a file's name.
fn plain(name: &str) -> String {
    let part = |letter: char| if letter.is_ascii_alphanumeric() || letter == '-' { letter } else { '_' };
    name.chars().take(64).map(part).collect()
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
