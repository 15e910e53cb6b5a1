//! Brings the kernel programs in: offsets and settings as constants, rings by the page size of this machine, then each hook on
//! its own. Takes a [`KernelConfig`]; gives a [`Kernel`], or the reason why not one program could work.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aya::maps::{Array, HashMap, Map, MapData, MapError, RingBuf};
use aya::{Ebpf, EbpfError, EbpfLoader};
use ebpf_common::config::cgroup::CONTAINER;
use ebpf_common::config::{COMPONENT, Component};
use ebpf_common::record::process::watch;
use ebpf_common::{Account, Class, Config, account};
use zerocopy::IntoBytes;

use super::accounts::Accounts;
use super::cgroups::Found;
use super::hooks::HookState;
use super::kept::{self, Kept};
use super::offsets::Layout;
use super::pages::ring_size;
use super::pins::PinError;
use super::plain;
use super::presence::Presence;
use super::quarantine::Barrier;
use super::ring::{Ring, Rings};
use super::sensitive::{self, Keys, PatternError, SensitiveList};
use super::{CgroupTreeError, Kernel, KernelConfig, attach, cgroups, own, repeats, told};
use crate::clock::nanoseconds;

/// Aligned, as the loader wants it.
pub(super) static OBJECT: &[u8] = aya::include_bytes_aligned!(env!("MAYFLY_BPF_OBJECT"));

/// The table of cgroups must not overwrite what the kernel programs wrote meanwhile.
const ONLY_NEW: u64 = 1;
const ANY: u64 = 0;
const SENSITIVE_TABLES: [&str; 2] = ["SENSITIVE_NAMES", "SENSITIVE_FOLDERS"];

/// The rings, and the records of each.
pub(super) const RINGS: [(&str, &[Class]); Rings::COUNT] = [
    ("RING_PROCESS", &[Class::Process]),
    ("RING_GUARD", &[Class::Privilege, Class::Kernel]),
    ("RING_NETWORK", &[Class::Network]),
    ("RING_FILE", &[Class::File]),
];

/// Why no program could be loaded at all.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A pattern of the sensitive list.
    #[error("compile the list of sensitive paths")]
    Sensitive(#[from] PatternError),
    /// A name that the kernel's table cannot hold.
    #[error("container parent {name:?} is longer than 39 bytes")]
    Parent {
        /// The name.
        name: String,
    },
    /// The cgroup tree.
    #[error("find the cgroup tree")]
    Cgroups(#[from] CgroupTreeError),
    /// The host's mount namespace, without which the runtime could be stopped for a container.
    #[error("read the host's mount namespace")]
    HostNamespace(#[source] io::Error),
    /// The number of CPUs, by which the counters are read.
    #[error("count the CPUs")]
    Cpus(#[source] io::Error),
    /// The kernel does not let us in, or has no such kind of map.
    #[error("load the kernel programs' maps")]
    Object(#[source] EbpfError),
    /// A map is not what this agent knows: agent and object are of different builds.
    #[error("map {name} of the kernel programs")]
    Map {
        /// The map.
        name: &'static str,
        /// Why not.
        #[source]
        cause: MapError,
    },
    /// What is to outlive the agent.
    #[error("keep the kernel programs over the agent's end")]
    Pins(#[from] PinError),
    /// Nothing says when there is something to read.
    #[error("wait for the rings")]
    Bell(#[source] io::Error),
    /// No thread could be started to attach in.
    #[error("start the attaching thread")]
    Thread(#[source] io::Error),
}

/// See [`Kernel::load`].
pub(super) fn load(config: &KernelConfig) -> Result<Kernel, LoadError> {
    let sensitive = SensitiveList::compile(&config.sensitive)?;
    let root = match cgroups::cgroup_root() {
        // Version 1 alone: hooks that hang on the tree are refused one by one, and who is in which container is read in `/proc`.
        Err(CgroupTreeError::None) => PathBuf::from(cgroups::NO_TREE),
        told => told?,
    };
    let (ours, for_gates) = (loader(), config.pins.as_ref().map(|_| loader()));
    let known = attach::known(&config.types);
    let nothing = Layout::UNKNOWN;
    let layout = known.as_ref().map_or(&nothing, |(layout, _)| layout);
    // Without a program nothing is kept.
    let pins = config.pins.as_ref().filter(|_| known.is_ok());
    let (kept, mut not_kept) = kept::open(pins, &rings_and_sizes(config))?;
    let own_cgroup = own::cgroup(&root);
    let constants = constants(config, layout, &sensitive, own_cgroup)?;
    let mut ebpf = object(ours, config, layout, &constants, kept.as_ref())?;
    fill(&mut ebpf, config, &sensitive)?;
    let away = pins.map_or(Duration::ZERO, |pins| pins.away);
    let presence = Presence::arrive(map(&mut ebpf, "AGENT")?, away, config.hangs_after)
        .map_err(|cause| LoadError::Map { name: "AGENT", cause })?;
    let attached = attach::attach(
        &mut ebpf,
        config,
        &known,
        &root,
        kept.as_ref().zip(for_gates).map(|(kept, loader)| kept.gates(loader)),
    )?;
    let (hooks, gates) = (attached.hooks, attached.gates);
    not_kept.extend(attached.not_kept);
    // From here on every event comes to this agent's programs.
    let earlier = kept.as_ref().map(|kept| kept.change_over(gates.as_ref())).transpose()?.unwrap_or_default();
    know_own(&mut ebpf)?;
    let mut cgroups: HashMap<MapData, u64, u32> = map(&mut ebpf, "CGROUPS")?;
    let mut accounts = books(&mut ebpf, kept.as_ref())?;
    // After the hook on new ones: between the two every cgroup is seen at least once.
    find_containers(&root, &config.container_parents, &mut cgroups, &mut accounts);
    let barrier = barrier(&mut ebpf, kept.as_ref())?;
    let presence = Arc::new(Mutex::new(presence));
    beat(&presence)?;
    Ok(Kernel {
        barrier: is_quarantine_granted(&hooks).map(|()| Arc::new(barrier)),
        hooks,
        rings: Mutex::new(Some(rings(&mut ebpf, &presence)?)),
        accounts: Mutex::new(accounts),
        repeats: Mutex::new(repeats::Table::new(map(&mut ebpf, "REPEATS")?, config.repeat_window)),
        cgroups: Mutex::new(cgroups),
        default_watch: Mutex::new(map(&mut ebpf, "DEFAULT_WATCH")?),
        stopped: Mutex::new(map(&mut ebpf, "STOPPED")?),
        programs: Mutex::new(ebpf),
        sensitive,
        root,
        own_cgroup,
        gates,
        presence,
        earlier: Mutex::new(earlier),
        not_kept,
        _pins: kept.map(Kept::into_pins),
    })
}

/// Whoever reaches for these is told as that.
fn know_own(ebpf: &mut Ebpf) -> Result<(), LoadError> {
    let mut own: HashMap<_, u64, u32> = borrowed(ebpf, "OWN")?;
    own::keys()
        .into_iter()
        .try_for_each(|key| own.insert(key, 1, 0))
        .map_err(|cause| LoadError::Map { name: "OWN", cause })
}

fn books(ebpf: &mut Ebpf, kept: Option<&Kept>) -> Result<Accounts, LoadError> {
    let failed = |cause| LoadError::Map { name: told::NAME, cause };
    let keeper = kept.map(Kept::keeper).transpose().map_err(failed)?;
    Accounts::new(map(ebpf, "ACCOUNTS")?, map(ebpf, "PAYERS")?, keeper).map_err(failed)
}

fn barrier(ebpf: &mut Ebpf, kept: Option<&Kept>) -> Result<Barrier, LoadError> {
    let cpus = aya::util::nr_cpus().map_err(|(_, cause)| LoadError::Cpus(cause))?;
    let (quarantined, allowed, ends) = (map(ebpf, "QUARANTINED")?, map(ebpf, "ALLOWED")?, map(ebpf, "ENDS")?);
    Ok(Barrier::new(quarantined, allowed, ends, cpus, kept.map(Kept::barriers)))
}

/// Containers that are there already; what an earlier agent knew otherwise is forgotten.
fn find_containers(root: &Path, parents: &[String], cgroups: &mut HashMap<MapData, u64, u32>, accounts: &mut Accounts) {
    let mut before: BTreeSet<u64> = cgroups.keys().flatten().collect();
    for Found { id, payer } in cgroups::containers(root, parents) {
        let paid = payer.map_or(Ok(()), |payer| accounts.set_payer(id, payer));
        // What an earlier agent chose is not this one's choice.
        let how = if before.remove(&id) { ANY } else { ONLY_NEW };
        match paid.and_then(|()| cgroups.insert(id, CONTAINER, how)) {
            Ok(()) => {}
            // There already, or the table is full: then the rest is not watched in the kernel, the agent's rules still are.
            Err(cause) => tracing::debug!(id, %cause, "cgroup not added"),
        }
    }
    // Gone while nothing was recorded, or known by an earlier agent's word: this one has its own.
    for id in before {
        cgroups.remove(&id).unwrap_or_else(|cause| tracing::debug!(id, %cause, "cgroup not removed"));
    }
}

/// Without the kernel's types, which take 50 MiB and are read anew for each: nothing in the objects is to be moved by them.
fn loader<'a>() -> EbpfLoader<'a> {
    let mut loader = EbpfLoader::new();
    loader.btf(None);
    loader
}

/// What the programs are told once.
fn constants(
    config: &KernelConfig,
    layout: &Layout,
    sensitive: &SensitiveList,
    agent_cgroup: u64,
) -> Result<Config, LoadError> {
    let host = match config.host_mount_namespace {
        Some(given) => given,
        None => host_namespace().map_err(LoadError::HostNamespace)?,
    };
    Ok(Config {
        datagram_window_ns: nanoseconds(config.datagram_window),
        repeat_window_ns: nanoseconds(config.repeat_window),
        sensitive_names: sensitive::sieve(&sensitive.names),
        sensitive_folders: sensitive::sieve(&sensitive.folders),
        network_budget: config.budgets.network.in_kernel(ring_size(config.rings.network)),
        file_budget: config.budgets.file.in_kernel(ring_size(config.rings.file)),
        agent_cgroup,
        own_pid: if config.exclude_self { std::process::id() } else { 0 },
        host_mount_namespace: host,
        exit_says_group_dead: u32::from(layout.exit_says_group_dead),
        typed_task: u32::from(layout.typed_task),
        registers_in_stack: layout.registers_in_stack,
        agent_pid: std::process::id(),
        uring_arguments: u32::try_from(layout.uring_arguments).unwrap_or(0),
        plain_loads: u32::from(layout.cast.is_some()),
    })
}

/// The maps are made and the constants set; no program is in the kernel yet.
fn object<'a>(
    mut loader: EbpfLoader<'a>,
    config: &KernelConfig,
    layout: &'a Layout,
    constants: &'a Config,
    kept: Option<&Kept>,
) -> Result<Ebpf, LoadError> {
    loader.override_global("CONFIG", constants.as_bytes(), true).override_global(
        "OFFSETS",
        layout.offsets.as_bytes(),
        true,
    );
    for (name, size) in rings_and_sizes(config) {
        loader.map_max_entries(name, size);
    }
    for (name, path) in kept.into_iter().flat_map(Kept::maps) {
        loader.map_pin_path(name, path);
    }
    let object = plain::object(OBJECT, layout.cast);
    loader.load(object.as_bytes()).map_err(LoadError::Object)
}

fn rings_and_sizes(config: &KernelConfig) -> [(&'static str, u32); Rings::COUNT] {
    let rings = &config.rings;
    [
        ("RING_PROCESS", ring_size(rings.process)),
        ("RING_GUARD", ring_size(rings.guard)),
        ("RING_NETWORK", ring_size(rings.network)),
        ("RING_FILE", ring_size(rings.file)),
    ]
}

/// Process 1's. Some hosts let nobody look at it: there our own is taken, which is the host's unless the agent
/// itself is in a container.
fn host_namespace() -> io::Result<u32> {
    namespace("/proc/1/ns/mnt").or_else(|cause| {
        tracing::warn!(%cause, "process 1's mount namespace cannot be read: ours is taken for the host's");
        namespace("/proc/self/ns/mnt")
    })
}

fn namespace(path: &str) -> io::Result<u32> {
    // The inode numbers of namespaces are 32 bits in the kernel.
    fs::metadata(path).map(|found| u32::try_from(found.ino()).unwrap_or(0))
}

/// What the programs look up from their first run on.
fn fill(ebpf: &mut Ebpf, config: &KernelConfig, sensitive: &SensitiveList) -> Result<(), LoadError> {
    for (name, keys) in SENSITIVE_TABLES.into_iter().zip([&sensitive.names, &sensitive.folders]) {
        table(ebpf, name, keys)?;
    }
    let mut parents: HashMap<_, Component, u32> = borrowed(ebpf, "CONTAINER_PARENTS")?;
    for name in &config.container_parents {
        let mut key: Component = [0; COMPONENT];
        match key.get_mut(..COMPONENT - 1).and_then(|room| room.get_mut(..name.len())) {
            Some(room) => room.copy_from_slice(name.as_bytes()),
            None => return Err(LoadError::Parent { name: name.clone() }),
        }
        parents.insert(key, 1, 0).map_err(|cause| LoadError::Map { name: "CONTAINER_PARENTS", cause })?;
    }
    let mut accounts: HashMap<_, u64, [u8; size_of::<Account>()]> = borrowed(ebpf, "ACCOUNTS")?;
    let nothing: [u8; size_of::<Account>()] = zerocopy::transmute!(account::EMPTY);
    // What an earlier agent's programs counted there stays.
    if accounts.get(&account::SHARED, 0).is_err() {
        accounts.insert(account::SHARED, nothing, 0).map_err(|cause| LoadError::Map { name: "ACCOUNTS", cause })?;
    }
    let mut default: Array<_, u32> = borrowed(ebpf, "DEFAULT_WATCH")?;
    default
        .set(0, config.watch_containers & watch::ALL, 0)
        .map_err(|cause| LoadError::Map { name: "DEFAULT_WATCH", cause })
}

fn table(ebpf: &mut Ebpf, name: &'static str, keys: &Keys) -> Result<(), LoadError> {
    let mut table: HashMap<_, Component, u64> = borrowed(ebpf, name)?;
    keys.iter()
        .try_for_each(|(component, bits)| table.insert(component, bits, 0))
        .map_err(|cause| LoadError::Map { name, cause })
}

fn beat(presence: &Mutex<Presence>) -> Result<(), LoadError> {
    let mut presence = presence.lock().unwrap_or_else(PoisonError::into_inner);
    presence.beat().map_err(|cause| LoadError::Map { name: "AGENT", cause })
}

/// Why there is no quarantine, if there is none.
fn is_quarantine_granted(hooks: &[HookState]) -> Result<(), String> {
    hooks
        .iter()
        .filter(|hook| hook.name == "quarantine")
        .try_for_each(|hook| if hook.attached { Ok(()) } else { Err(hook.refusal()) })
}

fn rings(ebpf: &mut Ebpf, presence: &Arc<Mutex<Presence>>) -> Result<Rings, LoadError> {
    let [process, guard, network, file] =
        RINGS.map(|(name, classes)| map(ebpf, name).map(|ring: RingBuf<MapData>| Ring::new(classes, ring)));
    Rings::new([process?, guard?, network?, file?], Some(Arc::clone(presence))).map_err(LoadError::Bell)
}

/// A map of the object, which still has it: the programs that are loaded later look for it there.
fn borrowed<'a, T>(ebpf: &'a mut Ebpf, name: &'static str) -> Result<T, LoadError>
where
    T: TryFrom<&'a mut Map, Error = MapError>,
{
    let map = ebpf.map_mut(name).ok_or_else(|| absent(name))?;
    T::try_from(map).map_err(|cause| LoadError::Map { name, cause })
}

/// A map of the object, now owned by its user.
fn map<T: TryFrom<Map, Error = MapError>>(ebpf: &mut Ebpf, name: &'static str) -> Result<T, LoadError> {
    let map = ebpf.take_map(name).ok_or_else(|| absent(name))?;
    T::try_from(map).map_err(|cause| LoadError::Map { name, cause })
}

fn absent(name: &'static str) -> LoadError {
    LoadError::Map { name, cause: MapError::InvalidName { name: name.to_owned() } }
}
