//! The kernel programs from this side: load them, say which hooks this kernel refused, read their rings and counters, tell
//! them which cgroups to watch and which to cut off. Takes a [`KernelConfig`]; gives a [`Kernel`], whose programs are gone
//! when it is dropped. Never reads a record: that is `decode`.

mod accounts;
mod attach;
mod btf;
mod cgroups;
mod config;
mod cost;
mod gate;
mod hooks;
mod kept;
mod load;
mod missed;
mod mounts;
mod needs;
mod offsets;
mod own;
mod pages;
mod pins;
mod places;
mod plain;
mod presence;
mod quarantine;
mod repeats;
mod ring;
mod sensitive;
mod skipped;
mod tiers;
mod told;

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aya::maps::{Array, HashMap, MapData, MapError};
use aya::programs::ProgramError;
use ebpf_common::config::cgroup::{CHOSEN, CONTAINER};
use ebpf_common::record::process::{Stopped, watch};
use ipnet::IpNet;
use zerocopy::FromBytes;

pub use accounts::{Counted, KernelLoss, Standing};
pub use cgroups::{CgroupTreeError, cgroup_root};
pub use config::{Budgets, KernelConfig, Rate, RingBytes};
pub use cost::ProgramCost;
pub use hooks::{HookState, Refusal};
pub use load::LoadError;
pub use pins::{PinConfig, PinError, Uninstalled, uninstall, would_keep};
pub use presence::Quiet;
pub use quarantine::{Quarantine, QuarantineError};
pub use repeats::{Over, Repeat};
pub use ring::{Ring, Rings};
pub use sensitive::{PatternError, SensitiveList, SensitivePath};
pub use told::Told;

use accounts::Accounts;
use gate::Gates;
use pins::Pins;
use presence::Presence;
use quarantine::Barrier;

/// The loaded kernel programs. Dropped: all detached, but for the quarantines that still stand, and for what [`KernelConfig::pins`]
/// keeps.
pub struct Kernel {
    /// Holds the programs and their attachments.
    programs: Mutex<aya::Ebpf>,
    hooks: Vec<HookState>,
    rings: Mutex<Option<Rings>>,
    accounts: Mutex<Accounts>,
    repeats: Mutex<repeats::Table>,
    cgroups: Mutex<HashMap<MapData, u64, u32>>,
    default_watch: Mutex<Array<MapData, u32>>,
    stopped: Mutex<HashMap<MapData, u32, [u8; size_of::<Stopped>()]>>,
    barrier: Result<Arc<Barrier>, String>,
    sensitive: SensitiveList,
    root: PathBuf,
    own_cgroup: u64,
    gates: Option<Gates>,
    presence: Arc<Mutex<Presence>>,
    earlier: Mutex<Vec<Rings>>,
    not_kept: Vec<String>,
    /// The last: where nothing is to stay it goes when all else has.
    _pins: Option<Pins>,
}

/// What was not told, and why. Where the kernel does not say, there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// By hook: how often its programs would have run inside themselves.
    pub skipped: BTreeMap<&'static str, u64>,
    /// By hook: how often too many waited in the function at whose end its programs hang.
    pub missed: BTreeMap<&'static str, u64>,
    /// By noun: what the agent's own cgroup, which is its canary's too, was over its budget with.
    pub throttled: BTreeMap<&'static str, u64>,
}

/// A map of the kernel programs could not be changed.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The table of cgroups.
    #[error("watch cgroup {id}")]
    Cgroup {
        /// The cgroup.
        id: u64,
        /// Why.
        #[source]
        cause: MapError,
    },
    /// The default.
    #[error("set what containers are watched for")]
    Default(#[source] MapError),
}

impl Kernel {
    /// Loads and attaches everything. A hook that this kernel refuses is no error: it stands in [`Kernel::hooks`].
    pub fn load(config: &KernelConfig) -> Result<Self, LoadError> {
        load::load(config)
    }

    /// Every hook, and the way by which it is attached.
    pub fn hooks(&self) -> &[HookState] {
        &self.hooks
    }

    /// The rings, once: whoever has them reads them.
    pub fn take_rings(&self) -> Option<Rings> {
        self.rings.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// What was not told since the programs were loaded.
    pub fn left_out(&self) -> LeftOut {
        let programs = self.programs.lock().unwrap_or_else(PoisonError::into_inner);
        let skipped = skipped::read(&programs, self.gates.as_ref());
        let missed = missed::read(&programs, self.gates.as_ref(), &self.hooks);
        LeftOut { skipped, missed, throttled: self.books().throttled(self.own_cgroup) }
    }

    /// Rings of agents before this one whose tables were built otherwise, once: nothing is written into them any more.
    pub fn take_earlier_rings(&self) -> Vec<Rings> {
        std::mem::take(&mut self.earlier.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What is not recorded while no agent runs, and why; empty: all is.
    pub fn not_kept(&self) -> &[String] {
        &self.not_kept
    }

    /// From here on the kernel stops nobody: the agent is about to end. What was stopped before has its record in the rings.
    pub fn leave(&self) -> Result<(), MapError> {
        self.presence().leave()
    }

    /// Spans in which nothing was recorded because no agent had read for too long; each is given once.
    pub fn take_quiet(&self) -> Vec<Quiet> {
        self.presence().take_quiet()
    }

    fn presence(&self) -> MutexGuard<'_, Presence> {
        self.presence.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records lost since the last call, by class and reason; empty where none was.
    pub fn losses(&self) -> Result<Vec<KernelLoss>, MapError> {
        self.books().losses()
    }

    /// What became of every record since the programs were loaded.
    pub fn counted(&self) -> Result<BTreeMap<Counted, u64>, MapError> {
        self.books().totals()
    }

    /// The account of each cgroup. One whose cgroup is gone, and that said the same ten seconds ago, is given a last time and closed.
    pub fn accounts(&self, now_ns: u64) -> Result<Vec<Standing>, MapError> {
        self.books().standing(now_ns)
    }

    /// What agents before this one told of the accounts; nothing where it was not kept.
    pub fn told(&self) -> Vec<(u64, Told)> {
        self.books().told().unwrap_or_else(|error| {
            tracing::error!(%error, "what was told before cannot be read: it is told again");
            Vec::new()
        })
    }

    /// Keeps for the next agent what was told of the accounts; `None`: the account is closed.
    pub fn keep_told(&self, changes: &[(u64, Option<Told>)]) -> Result<(), MapError> {
        self.books().keep_told(changes)
    }

    /// The container's cgroup on whose account a cgroup below it is.
    pub fn payer(&self, cgroup_id: u64) -> Option<u64> {
        self.books().payer(cgroup_id)
    }

    /// A cgroup is gone.
    pub fn cgroup_gone(&self, cgroup_id: u64, now_ns: u64) {
        self.books().cgroup_gone(cgroup_id, now_ns);
    }

    /// What was told before, was done again and will be no more in the same window of time; each once.
    pub fn repeats_over(&self, now_ns: u64) -> Result<Over, MapError> {
        self.repeats.lock().unwrap_or_else(PoisonError::into_inner).over(now_ns)
    }

    /// The same, also of the window that is not over.
    pub fn repeats_so_far(&self) -> Result<Over, MapError> {
        self.repeats.lock().unwrap_or_else(PoisonError::into_inner).all()
    }

    fn books(&self) -> MutexGuard<'_, Accounts> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What every loaded program cost the verifier and, while the kernel counts that, the machine.
    pub fn costs(&self) -> Result<Vec<ProgramCost>, ProgramError> {
        cost::costs(&self.programs.lock().unwrap_or_else(PoisonError::into_inner), self.gates.as_ref())
    }

    /// Counts a cgroup as a container's, and stops its processes at exec for the facts of `mask`
    /// ([`ebpf_common::record::process::watch`]) and no others. What it makes below itself from now on inherits that.
    pub fn watch_cgroup(&self, id: u64, mask: u32) -> Result<(), WatchError> {
        let value = CONTAINER | CHOSEN | (mask & watch::ALL);
        let mut cgroups = self.cgroups.lock().unwrap_or_else(PoisonError::into_inner);
        cgroups.insert(id, value, 0).map_err(|cause| WatchError::Cgroup { id, cause })
    }

    /// Counts a cgroup as the host's again: nothing in it is stopped.
    pub fn unwatch_cgroup(&self, id: u64) -> Result<(), WatchError> {
        let mut cgroups = self.cgroups.lock().unwrap_or_else(PoisonError::into_inner);
        absent_is_well(cgroups.remove(&id)).map_err(|cause| WatchError::Cgroup { id, cause })
    }

    /// What the kernel programs know of a cgroup: whether it is a container's.
    pub fn is_container(&self, id: u64) -> bool {
        let cgroups = self.cgroups.lock().unwrap_or_else(PoisonError::into_inner);
        cgroups.get(&id, 0).is_ok_and(|value| value & CONTAINER != 0)
    }

    /// The facts for which processes of every container are stopped, where [`Kernel::watch_cgroup`] said nothing else.
    pub fn watch_containers(&self, mask: u32) -> Result<(), WatchError> {
        let mut default = self.default_watch.lock().unwrap_or_else(PoisonError::into_inner);
        default.set(0, mask & watch::ALL, 0).map_err(WatchError::Default)
    }

    /// Processes that the kernel programs stopped and of which [`Kernel::has_record`] was not said, by pid.
    pub fn stopped(&self) -> Result<Vec<(u32, Stopped)>, MapError> {
        let stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        let entries = stopped.iter().map(|entry| {
            let (pid, bytes) = entry?;
            Ok((pid, Stopped::read_from_bytes(&bytes).expect("an entry is as large as its type")))
        });
        entries.collect()
    }

    /// The agent knows that this process is stopped.
    pub fn has_record(&self, pid: u32) -> Result<(), MapError> {
        let mut stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        absent_is_well(stopped.remove(&pid))
    }

    /// Drops every packet of the cgroup and of what is below it, but to and from `allow`, until a moment of the boot clock; 0: without
    /// end. It stands until it is dropped or [`Quarantine::release`]d, also when this `Kernel` is dropped; where
    /// [`KernelConfig::pins`] keeps it, until it is released or [`Kernel::lift`]ed.
    pub fn quarantine(&self, cgroup: &Path, allow: &[IpNet], until_ns: u64) -> Result<Quarantine, QuarantineError> {
        let barrier = self.barrier.as_ref().map_err(|refusal| QuarantineError::Refused { refusal: refusal.clone() })?;
        Quarantine::begin(&self.programs, Arc::clone(barrier), cgroup, allow, until_ns)
    }

    /// Ends a quarantine that an earlier agent began. False: the cgroup was not cut off.
    pub fn lift(&self, cgroup_id: u64) -> bool {
        self.barrier.as_ref().is_ok_and(|barrier| barrier.lift(cgroup_id))
    }

    /// Moves the end of a quarantine.
    pub fn quarantine_until(&self, cgroup_id: u64, until_ns: u64) -> Result<(), MapError> {
        self.barrier.as_ref().map_or(Ok(()), |barrier| barrier.end(cgroup_id, until_ns))
    }

    /// Cgroups of which a quarantine is kept over the agent's end.
    pub fn kept_quarantines(&self) -> Vec<u64> {
        self.barrier.as_ref().map(|barrier| barrier.kept()).unwrap_or_default()
    }

    /// Decides which class of the sensitive list a path is of, where the kernel said that it may be of one.
    pub fn sensitive(&self) -> &SensitiveList {
        &self.sensitive
    }

    /// Where the version 2 cgroup tree is mounted.
    pub fn cgroup_root(&self) -> &Path {
        &self.root
    }
}

/// The number by which records name a cgroup, from its folder.
pub fn cgroup_id(folder: &Path) -> std::io::Result<u64> {
    std::fs::metadata(folder).map(|found| found.ino())
}

/// What was to be removed is not there: the kernel says so in an error of the call.
fn absent_is_well(removed: Result<(), MapError>) -> Result<(), MapError> {
    match removed {
        Err(MapError::KeyNotFound) => Ok(()),
        Err(MapError::SyscallError(error)) if error.io_error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
