//! The kernel programs from this side: load them, say which hooks this kernel refused, read their rings and counters, tell
//! them which cgroups to watch and which to cut off. Takes a [`KernelConfig`]; gives a [`Kernel`], whose programs are gone
//! when it is dropped. Never reads a record: that is `decode`.

mod accounts;
mod btf;
mod cgroups;
mod config;
mod cost;
mod hooks;
mod load;
mod mounts;
mod offsets;
mod own;
mod pages;
mod quarantine;
mod ring;
mod sensitive;
mod skipped;
mod tiers;

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
pub use offsets::OffsetError;
pub use quarantine::{Quarantine, QuarantineError};
pub use ring::{Ring, Rings};
pub use sensitive::{PatternError, SensitiveList, SensitivePath};

use accounts::Accounts;
use quarantine::Barrier;

/// The loaded kernel programs. Dropped: all detached, but for the quarantines that still stand.
pub struct Kernel {
    /// Holds the programs and their attachments.
    programs: Mutex<aya::Ebpf>,
    hooks: Vec<HookState>,
    rings: Mutex<Option<Rings>>,
    accounts: Mutex<Accounts>,
    cgroups: Mutex<HashMap<MapData, u64, u32>>,
    default_watch: Mutex<Array<MapData, u32>>,
    stopped: Mutex<HashMap<MapData, u32, [u8; size_of::<Stopped>()]>>,
    barrier: Result<Arc<Barrier>, String>,
    sensitive: SensitiveList,
    root: PathBuf,
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

    /// How often the kernel left out a hook's program because it would have interrupted itself, since it was loaded.
    pub fn skipped(&self) -> BTreeMap<&'static str, u64> {
        skipped::read(&self.programs.lock().unwrap_or_else(PoisonError::into_inner))
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

    /// The container's cgroup on whose account a cgroup below it is.
    pub fn payer(&self, cgroup_id: u64) -> Option<u64> {
        self.books().payer(cgroup_id)
    }

    /// A cgroup is gone.
    pub fn cgroup_gone(&self, cgroup_id: u64, now_ns: u64) {
        self.books().cgroup_gone(cgroup_id, now_ns);
    }

    fn books(&self) -> MutexGuard<'_, Accounts> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What every loaded program cost the verifier and, while the kernel counts that, the machine.
    pub fn costs(&self) -> Result<Vec<ProgramCost>, ProgramError> {
        cost::costs(&self.programs.lock().unwrap_or_else(PoisonError::into_inner))
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
        match cgroups.remove(&id) {
            Ok(()) | Err(MapError::KeyNotFound) => Ok(()),
            Err(cause) => Err(WatchError::Cgroup { id, cause }),
        }
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
        match stopped.remove(&pid) {
            Ok(()) | Err(MapError::KeyNotFound) => Ok(()),
            Err(cause) => Err(cause),
        }
    }

    /// Drops every packet of the cgroup and of what is below it, but to and from `allow`. It stands until it is dropped or
    /// [`Quarantine::release`]d, also when this `Kernel` is dropped.
    pub fn quarantine(&self, cgroup: &Path, allow: &[IpNet]) -> Result<Quarantine, QuarantineError> {
        let barrier = self.barrier.as_ref().map_err(|refusal| QuarantineError::Refused { refusal: refusal.clone() })?;
        Quarantine::begin(&self.programs, Arc::clone(barrier), cgroup, allow)
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
