//! The parts of the agent, built from the configuration. Takes a [`Config`]; gives rules, the observer, the log, the spool, what the
//! responder and the sender need. Starts nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use ebpf_common::config::Packets;
use ebpf_common::record::process::watch;
use ipnet::IpNet;
use proto::hash_secret::HashSecret;
use proto::v1::Order;
use rules::Engine;
use tokio::sync::mpsc;

use super::{Ground, RunError};
use crate::clock::{Clock, nanoseconds};
use crate::config::{Config, Kernel as KernelSettings, Runtimes};
use crate::deliver::Delivery;
use crate::deliver::hello::NodeFacts;
use crate::deliver::orders::OrderDesk;
use crate::deliver::spool::Spool;
use crate::health::Health;
use crate::kernel::{Budgets, Kernel, KernelConfig, PinConfig, Quarantine, Rate, SensitivePath};
use crate::log::{Log, LogOptions, parse_id};
use crate::observe::Observer;
use crate::observe::sensitive::{Pattern, Sensitive};
use crate::origin::cgroup_tree::CgroupTree;
use crate::origin::runtime::Session;
use crate::origin::{Origin, Settings as OriginSettings};
use crate::respond::held::Guard;
use crate::respond::journal::Journal;
use crate::respond::outside::Network;
use crate::respond::probe::OwnProbe;
use crate::respond::{Outside, Responder, Settings};

/// Rule files of a folder, and the bytes of one: what a person wrote, not an archive.
const RULE_FILES: usize = 10_000;
const RULE_BYTES: u64 = 1 << 20;

/// Reads the built-in rules and those of the configured folders.
pub(super) fn engine(config: &Config) -> Result<Engine, RunError> {
    let mut files = Vec::new();
    for folder in &config.rules.folders {
        rule_files(folder, folder, &mut files)?;
    }
    let (engine, errors) = Engine::load_small(rules::overlay(rules::node_content(), files));
    if errors.is_empty() {
        return Ok(engine);
    }
    Err(RunError::Rules(errors.iter().map(ToString::to_string).collect()))
}

fn rule_files(root: &Path, folder: &Path, files: &mut Vec<(String, String)>) -> Result<(), RunError> {
    let failed = |path: &Path, cause: io::Error| RunError::File { doing: "read rules", path: path.to_owned(), cause };
    for entry in fs::read_dir(folder).map_err(|cause| failed(folder, cause))? {
        let path = entry.map_err(|cause| failed(folder, cause))?.path();
        if path.is_dir() {
            rule_files(root, &path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "yml") {
            let bytes = fs::metadata(&path).map_err(|cause| failed(&path, cause))?.len();
            if bytes > RULE_BYTES || files.len() >= RULE_FILES {
                return Err(failed(&path, io::Error::other("too many or too large")));
            }
            let text = fs::read_to_string(&path).map_err(|cause| failed(&path, cause))?;
            let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
            files.push((name, text));
        }
    }
    Ok(())
}

/// The facts of an exec for which some rule wants the process stopped before its first instruction.
pub(super) fn watched_facts(engine: &Engine) -> u32 {
    let flags = engine.kernel_stop();
    let facts = [(flags.memfd, watch::MEMFD), (flags.upper_layer, watch::UPPER_LAYER), (flags.deleted, watch::DELETED)];
    facts.into_iter().filter(|(wanted, _)| *wanted).fold(0, |mask, (_, fact)| mask | fact)
}

/// The list of sensitive paths: one for the kernel and the observer, since a record names patterns by their place in it.
pub(super) fn sensitive(config: &Config) -> Result<Sensitive, RunError> {
    match &config.files.sensitive {
        None => Ok(Sensitive::default()),
        Some(paths) => {
            let patterns = paths.iter().map(|path| Pattern::new(&path.class, &path.path)).collect();
            Sensitive::new(patterns).map_err(|error| RunError::Sensitive(error.to_string()))
        }
    }
}

pub(super) fn kernel_config(config: &Config, sensitive: &Sensitive, engine: &Engine) -> KernelConfig {
    let path = |pattern: &Pattern| SensitivePath { class: pattern.class.clone(), pattern: pattern.path.clone() };
    KernelConfig {
        types: config.kernel.btf.clone(),
        sensitive: sensitive.patterns().iter().map(path).collect(),
        watch_containers: watched_facts(engine),
        repeat_window: config.files.repeats,
        budgets: Budgets { network: Rate(config.budget.connections), file: Rate(config.budget.files) },
        ..KernelConfig::default()
    }
}

/// The same for the agent itself: what it puts into the kernel outlives it, where that is wanted.
pub(super) fn kept_kernel_config(config: &Config, sensitive: &Sensitive, engine: &Engine) -> KernelConfig {
    let KernelSettings { pins, stay, away, .. } = config.kernel.clone();
    let pins = (!pins.as_os_str().is_empty()).then_some(PinConfig { folder: pins, away, stay });
    KernelConfig { pins, ..kernel_config(config, sensitive, engine) }
}

/// What knows this machine's processes.
pub(super) fn observer(config: &Config, sensitive: Sensitive, kernel: &Kernel) -> Observer {
    let tree = kernel.cgroup_root();
    if !tree.exists() {
        tracing::warn!(
            "only cgroup version 1 is mounted: a process that ends at once is in an unknown container, none can be quarantined"
        );
    }
    let settings = OriginSettings {
        cgroups: tree.exists().then(|| tree.to_owned()),
        keep_gone_ns: nanoseconds(config.runtimes.keep),
        ..OriginSettings::default()
    };
    Observer::with_sensitive(Origin::new(settings), sensitive).guarding(own_folders(config))
}

/// Where only the agent changes anything.
fn own_folders(config: &Config) -> Vec<PathBuf> {
    let folders = [&config.data, &config.kernel.pins].into_iter().filter(|folder| !folder.as_os_str().is_empty());
    folders.cloned().collect()
}

/// The talks with container runtimes, whose answers the observer takes from now on.
pub(super) fn runtimes(config: &Config, health: &Health, observer: &mut Observer) -> Vec<Session> {
    let Runtimes { sockets, timeout, .. } = &config.runtimes;
    let (link, sessions) = crate::origin::runtime::open(sockets, *timeout, health.runtimes());
    if let Some(link) = link {
        observer.ask(link);
    }
    sessions
}

/// What knows nothing of this machine: the records of a replay are another's.
pub(super) fn stranger(sensitive: Sensitive) -> Observer {
    let nowhere = PathBuf::from("/nonexistent");
    let settings = OriginSettings {
        proc: nowhere.clone(),
        host: nowhere.clone(),
        cgroups: Some(nowhere),
        ..OriginSettings::default()
    };
    Observer::with_sensitive(Origin::new(settings), sensitive)
}

/// Makes the agent's folder, for root alone: what processes do, and what was captured of them, is nobody else's.
pub(super) fn own_folder(config: &Config) -> Result<(), RunError> {
    use std::os::unix::fs::DirBuilderExt;
    let failed = |cause| RunError::File { doing: "make", path: config.data.clone(), cause };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&config.data).map_err(failed)
}

pub(super) fn log(config: &Config, boot_id: [u8; 16], clock: &Clock) -> Result<Log, RunError> {
    let bounds = &config.log;
    let options = LogOptions {
        folder: config.data.join("log"),
        max_bytes: bounds.max_bytes.0,
        max_age: bounds.max_age,
        block_bytes: usize::try_from(bounds.block_bytes.0).unwrap_or(usize::MAX),
        block_age: bounds.block_age,
        level: bounds.level,
        awaits_sender: config.collector.is_some(),
    };
    Ok(Log::open(options, boot_id, clock)?)
}

/// This boot, as the kernel writes it, and as the log keeps it.
pub(super) fn boot_id() -> Result<(String, [u8; 16]), RunError> {
    let path = Path::new("/proc/sys/kernel/random/boot_id");
    let failed = |cause| RunError::File { doing: "read", path: path.to_owned(), cause };
    let text = fs::read_to_string(path).map_err(failed)?.trim().to_owned();
    let id = parse_id(&text).ok_or_else(|| failed(io::Error::other("not a UUID")))?;
    Ok((text, id))
}

/// The running kernel's release, as `uname -r` says it.
pub(super) fn kernel_release() -> String {
    nix::sys::utsname::uname().map_or_else(|_| String::new(), |names| names.release().to_string_lossy().into_owned())
}

pub(super) fn guard(config: &Config) -> Guard {
    Guard::new(Path::new("/proc"), &config.respond.never_touch)
}

/// What the deployment shares for its hashes; nothing where it shares nothing.
pub(super) fn hash_secret(config: &Config) -> Result<Option<HashSecret>, RunError> {
    config.respond.hash_secret.as_deref().map(HashSecret::read).transpose().map_err(RunError::HashSecret)
}

pub(super) fn responder(config: &Config, ground: &Ground, log: &Log, spool: &Spool) -> Result<Responder, RunError> {
    let data = config.data.join("respond");
    let guard = guard(config);
    let mut settings = Settings::new(data.clone(), config.node.clone(), ground.boot_text.clone(), guard.clone());
    settings.bounds.before = config.recorder.before;
    settings.bounds.artifact_bytes = config.respond.artifact_max_bytes.0;
    settings.hold = config.respond.hold;
    settings.hash_secret = hash_secret(config)?;
    settings.replay = ground.kernel.is_none();
    let network: Result<Box<dyn Network>, String> = match &ground.kernel {
        Some(kernel) => Ok(Box::new(KernelNetwork::new(Arc::clone(kernel)))),
        None => Err(String::from("a replay touches nothing")),
    };
    let root =
        ground.kernel.as_ref().map_or_else(|| PathBuf::from("/nonexistent"), |kernel| kernel.cgroup_root().to_owned());
    let outside = Outside {
        recorder: Box::new(log.clone()),
        shelf: Box::new(spool.clone()),
        network,
        probe: Box::new(OwnProbe::default()),
        tree: CgroupTree::new(root, guard.proc),
        clock: ground.clock.clone(),
    };
    Responder::new(settings, outside).map_err(|cause| RunError::File {
        doing: "open the responder's folder",
        path: data,
        cause,
    })
}

/// What the sender tells the collector of this node, the responder's signing key included.
pub(super) fn facts(config: &Config, ground: &Ground, responder: &Responder) -> NodeFacts {
    let facts = NodeFacts::of_this_machine(&config.node, config.instance.as_deref(), &ground.boot_text);
    NodeFacts { signing_key: responder.signing_key().to_vec(), replay: ground.kernel.is_none(), ..facts }
}

/// What the sender is made of; nothing where there is no collector to send to.
pub(super) fn delivery(
    config: &Config,
    facts: NodeFacts,
    log: &Log,
    spool: &Spool,
    health: &Health,
    journal: Journal,
    to_responder: mpsc::Sender<Order>,
) -> Option<Delivery> {
    let collector = config.collector.as_ref()?;
    let desk = OrderDesk::new(journal, to_responder, health.clone());
    let (log, spool, health) = (log.clone(), spool.clone(), health.clone());
    Some(Delivery { settings: collector.clone(), facts, log, spool, desk, health })
}

/// The kernel's barrier, as the responder asks for it: the quarantines that stand.
pub(super) struct KernelNetwork {
    kernel: Arc<Kernel>,
    standing: Vec<Quarantine>,
}

impl KernelNetwork {
    pub(super) fn new(kernel: Arc<Kernel>) -> Self {
        Self { kernel, standing: Vec::new() }
    }
}

impl Network for KernelNetwork {
    fn cut(&mut self, _cgroup_id: u64, folder: &Path, allow: &[IpNet], until_ns: u64) -> io::Result<()> {
        self.standing.push(self.kernel.quarantine(folder, allow, until_ns).map_err(io::Error::other)?);
        Ok(())
    }

    fn extend(&mut self, cgroup_id: u64, until_ns: u64) -> io::Result<()> {
        self.kernel.quarantine_until(cgroup_id, until_ns).map_err(io::Error::other)
    }

    fn keep_only(&mut self, cgroup_ids: &[u64]) {
        for id in self.kernel.kept_quarantines().into_iter().filter(|id| !cgroup_ids.contains(id)) {
            tracing::warn!(cgroup_id = id, lifted = self.kernel.lift(id), "a quarantine that nobody knows of any more");
        }
    }

    fn lift(&mut self, cgroup_id: u64) -> io::Result<bool> {
        let before = self.standing.len();
        self.standing.retain(|quarantine| quarantine.cgroup_id() != cgroup_id);
        // One that is kept stands until the kernel is told, whoever began it.
        Ok(self.kernel.lift(cgroup_id) || self.standing.len() < before)
    }

    fn packets(&self, cgroup_id: u64) -> Option<Packets> {
        self.standing.iter().find(|quarantine| quarantine.cgroup_id() == cgroup_id)?.counters().ok()
    }
}
