//! Where the kernel keeps what outlives the agent: a folder of a BPF filesystem with the gates at the hooks, the tables and rings behind
//! them, and the barriers that stand. Takes the folder's path; gives paths below it, and the lock that only one agent has. Removes what
//! is not of this layout; never touches what is outside its folder.
//!
//! ```text
//! <folder>/v1/AGENT              the agent as the kernel knows it
//!            /gates/<place>/     behind, program, link
//!            /maps/<tables>/     one map each; the name says how they are built
//!            /barriers/<cgroup>/ egress, ingress
//! ```

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use aya::maps::{MapInfo, MapType};
use aya_obj::Object;
use ebpf_common::agent::Agent;
use ebpf_common::header::VERSION;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::mount::{MsFlags, mount};
use nix::sys::statfs::{FsType, statfs};
use sha2::{Digest, Sha256};

use super::load::OBJECT;
use super::told;

/// The layout of the folder: what gates and `AGENT` are.
const LAYOUT: &str = "v1";
const BPF_FS: FsType = FsType(0xcafe_4a11);
/// Where every host that has one has its BPF filesystem.
const USUAL: &str = "/sys/fs/bpf";
/// An agent that ends sends its last words meanwhile.
const PATIENCE: Duration = Duration::from_secs(15);
const AGAIN: Duration = Duration::from_millis(50);

/// Maps that outlive the agent. All others hold what it is configured with, or what is over within one run of a program.
pub(super) const KEPT: [&str; 21] = [
    "RING_PROCESS",
    "RING_GUARD",
    "RING_NETWORK",
    "RING_FILE",
    "SEQUENCES",
    "ACCOUNTS",
    "REPEATS",
    "PAYERS",
    "CGROUPS",
    "STOPPED",
    "SOCKETS",
    "FLOWS",
    "ASKERS",
    "WRITTEN",
    "REPEATED",
    "BEFORE",
    "OPENING",
    "ACCEPTING",
    "QUARANTINED",
    "ALLOWED",
    "ENDS",
];

/// What of the kernel programs outlives the agent, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinConfig {
    /// The folder, on a BPF filesystem.
    pub folder: PathBuf,
    /// Recording ends when no agent has read for so long.
    pub away: Duration,
    /// Recording goes on when the agent ends well. Else it takes everything with it.
    pub stay: bool,
}

/// Why nothing outlives the agent.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// There is no BPF filesystem.
    #[error("{path} is on no BPF filesystem: mount one there, in a container the host's /sys/fs/bpf")]
    NoFilesystem {
        /// The folder.
        path: PathBuf,
    },
    /// Another agent has it.
    #[error("another agent has {path}: end it first")]
    Held {
        /// The folder.
        path: PathBuf,
    },
    /// A folder could not be made, read or removed.
    #[error("{doing} {path}")]
    Folder {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: io::Error,
    },
}

/// The folder, locked.
#[derive(Debug)]
pub(super) struct Pins {
    folder: PathBuf,
    stay: bool,
    _lock: Flock<File>,
}

impl Pins {
    /// Makes what is missing, and waits for the agent before this one to end.
    pub(super) fn open(config: &PinConfig) -> Result<Self, PinError> {
        let folder = config.folder.clone();
        find_filesystem(&folder)?;
        let pins = Self { _lock: lock(&folder)?, folder, stay: config.stay };
        for entry in entries(&pins.folder)? {
            if entry.file_name().is_none_or(|name| name != LAYOUT) {
                tracing::warn!(path = %entry.display(), "removed: not of this agent's layout");
                remove(&entry)?;
            }
        }
        let bytes = u32::try_from(size_of::<Agent>()).expect("some dozen bytes");
        let agent = Definition { name: "AGENT", kind: MapType::Array as u32, key: 4, value: bytes, entries: 1 };
        if pins.agent().exists() && !agent.is_at(&pins.agent()) {
            // The gates look there: without it they are none.
            tracing::warn!(path = %pins.agent().display(), "removed with all gates: not the map of the agent");
            remove(&pins.folder.join(LAYOUT))?;
        }
        for folder in [pins.gates(), pins.maps(), pins.barriers()] {
            make(&folder)?;
        }
        Ok(pins)
    }

    /// The agent as the kernel knows it.
    pub(super) fn agent(&self) -> PathBuf {
        self.folder.join(LAYOUT).join("AGENT")
    }

    /// The folder of the gates.
    pub(super) fn gates(&self) -> PathBuf {
        self.folder.join(LAYOUT).join("gates")
    }

    /// The folder of the quarantines that stand.
    pub(super) fn barriers(&self) -> PathBuf {
        self.folder.join(LAYOUT).join("barriers")
    }

    fn maps(&self) -> PathBuf {
        self.folder.join(LAYOUT).join("maps")
    }

    /// The folder of tables that are built as those of this agent, made if it is missing. What is there and is none of them is removed.
    pub(super) fn tables(&self, sizes: &[(&str, u32)]) -> Result<PathBuf, PinError> {
        let maps = definitions(sizes);
        let folder = self.maps().join(built_as(&maps));
        make(&folder)?;
        for path in entries(&folder)? {
            let named = maps.iter().find(|map| path.file_name().is_some_and(|name| name == map.name));
            if !named.is_some_and(|map| map.is_at(&path)) {
                tracing::warn!(path = %path.display(), "removed: not a map of the kernel programs");
                remove(&path)?;
            }
        }
        Ok(folder)
    }

    /// Tables of agents that built them otherwise.
    pub(super) fn other_tables(&self, ours: &Path) -> Result<Vec<PathBuf>, PinError> {
        Ok(entries(&self.maps())?.into_iter().filter(|folder| folder != ours).collect())
    }
}

impl Drop for Pins {
    fn drop(&mut self) {
        if !self.stay
            && let Err(error) = remove(&self.folder)
        {
            tracing::error!(%error, folder = %self.folder.display(), "what was to end with the agent stays in the kernel");
        }
    }
}

/// What [`uninstall`] removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Uninstalled {
    /// Programs at hooks.
    pub hooks: usize,
    /// Tables and rings.
    pub maps: usize,
    /// Cgroups that were cut off the network.
    pub quarantines: usize,
}

/// Takes out of the kernel whatever an agent left in this folder, and the folder. Where nothing is, nothing is done.
pub fn uninstall(folder: &Path) -> Result<Uninstalled, PinError> {
    if !folder.exists() {
        return Ok(Uninstalled::default());
    }
    if !is_bpf(folder) {
        return Err(PinError::NoFilesystem { path: folder.to_owned() });
    }
    let _lock = lock(folder)?;
    let below = |path: PathBuf| if path.is_dir() { entries(&path) } else { Ok(Vec::new()) };
    let root = folder.join(LAYOUT);
    let mut maps = usize::from(root.join("AGENT").exists());
    for tables in below(root.join("maps"))? {
        maps += below(tables)?.len();
    }
    let removed =
        Uninstalled { hooks: below(root.join("gates"))?.len(), maps, quarantines: below(root.join("barriers"))?.len() };
    remove(folder)?;
    Ok(removed)
}

/// A folder with all that is in it, or one entry.
pub(super) fn remove(path: &Path) -> Result<(), PinError> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    removed.map_err(|cause| PinError::Folder { doing: "remove", path: path.to_owned(), cause })
}

pub(super) fn make(path: &Path) -> Result<(), PinError> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|cause| PinError::Folder { doing: "make", path: path.to_owned(), cause })
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, PinError> {
    let failed = |cause| PinError::Folder { doing: "read", path: folder.to_owned(), cause };
    fs::read_dir(folder).map_err(failed)?.map(|entry| Ok(entry.map_err(failed)?.path())).collect()
}

fn lock(folder: &Path) -> Result<Flock<File>, PinError> {
    let failed = |cause: io::Error| PinError::Folder { doing: "lock", path: folder.to_owned(), cause };
    let mut file = File::open(folder).map_err(failed)?;
    let mut waited = Duration::ZERO;
    loop {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(lock),
            Err((_, Errno::EWOULDBLOCK)) if waited >= PATIENCE => {
                return Err(PinError::Held { path: folder.to_owned() });
            }
            Err((back, Errno::EWOULDBLOCK | Errno::EINTR)) => file = back,
            Err((_, cause)) => return Err(failed(cause.into())),
        }
        thread::sleep(AGAIN);
        waited += AGAIN;
    }
}

/// Makes the folder on a BPF filesystem. Where the usual place has none, one is mounted there: it stays, as it must, and many hosts have
/// it. Not from another mount namespace than the host's, whose mounts go with the container.
fn find_filesystem(folder: &Path) -> Result<(), PinError> {
    let none = || PinError::NoFilesystem { path: folder.to_owned() };
    if !folder.ancestors().find(|path| path.exists()).is_some_and(is_bpf) {
        if !folder.starts_with(USUAL) || is_bpf(Path::new(USUAL)) || !is_host() {
            return Err(none());
        }
        mount(Some("bpf"), USUAL, Some("bpf"), MsFlags::empty(), Some("mode=700")).map_err(|cause| {
            PinError::Folder { doing: "mount a BPF filesystem at", path: USUAL.into(), cause: cause.into() }
        })?;
    }
    make(folder)
}

/// Whether something would outlive an agent with this folder; if not, why. Changes nothing.
pub fn would_keep(folder: &Path) -> Result<(), String> {
    if folder.as_os_str().is_empty() {
        return Err("kernel.pins is empty".to_owned());
    }
    let usual = folder.starts_with(USUAL) && !is_bpf(Path::new(USUAL)) && is_host();
    if usual || folder.ancestors().find(|path| path.exists()).is_some_and(is_bpf) {
        return Ok(());
    }
    Err(PinError::NoFilesystem { path: folder.to_owned() }.to_string())
}

fn is_bpf(path: &Path) -> bool {
    statfs(path).is_ok_and(|told| told.filesystem_type() == BPF_FS)
}

fn is_host() -> bool {
    let of = |path: &str| fs::metadata(path).map(|found| found.ino());
    of("/proc/1/ns/mnt").is_ok_and(|host| of("/proc/self/ns/mnt").is_ok_and(|own| own == host))
}

/// How a map is built.
struct Definition {
    name: &'static str,
    kind: u32,
    key: u32,
    value: u32,
    entries: u32,
}

impl Definition {
    /// Whether what is pinned there is such a map.
    fn is_at(&self, path: &Path) -> bool {
        let Ok(found) = MapInfo::from_pin(path) else { return false };
        found.map_type().is_ok_and(|kind| kind as u32 == self.kind)
            && (found.key_size(), found.value_size(), found.max_entries()) == (self.key, self.value, self.entries)
    }
}

/// The maps that are kept, with sizes that are given at load.
fn definitions(sizes: &[(&str, u32)]) -> Vec<Definition> {
    let object = Object::parse(OBJECT).expect("our own object");
    let definition = |name| {
        let map = object.maps.get(name).expect("the object has every map that is kept");
        let entries = sizes.iter().find(|(of, _)| *of == name).map_or(map.max_entries(), |(_, size)| *size);
        Definition { name, kind: map.map_type(), key: map.key_size(), value: map.value_size(), entries }
    };
    let told = u32::try_from(told::BYTES).expect("a row is some hundred bytes");
    let own = Definition { name: told::NAME, kind: MapType::Hash as u32, key: 8, value: told, entries: told::ENTRIES };
    KEPT.into_iter().map(definition).chain([own]).collect()
}

/// A name for all of them: the meaning of their bytes, and the definition of each.
fn built_as(maps: &[Definition]) -> String {
    let mut sum = Sha256::new();
    sum.update([VERSION]);
    for Definition { name, kind, key, value, entries } in maps {
        sum.update(format!("{name} {kind} {key} {value} {entries}\n"));
    }
    hex::encode(&sum.finalize()[..8])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// What the agent writes at load, and what is over within one run.
    const MADE_ANEW: [&str; 16] = [
        "AGENT",
        "EMPTY_ACCOUNT",
        "WOKEN",
        "OWN",
        "DEFAULT_WATCH",
        "CONTAINER_PARENTS",
        "SENSITIVE_NAMES",
        "SENSITIVE_FOLDERS",
        "FILE_SCRATCH",
        "CGROUP_SCRATCH",
        "EXEC_SCRATCH",
        "GUARD_SCRATCH",
        "SOCKET_SCRATCH",
        "PAYLOAD_OUT",
        "PAYLOAD_IN",
        "WALKS",
    ];

    #[test]
    fn every_map_is_kept_or_made_anew_and_nobody_forgot_to_say_which() {
        let object = Object::parse(OBJECT).expect("our own object");
        let built: BTreeSet<&str> = object.maps.keys().map(String::as_str).filter(|name| *name != ".rodata").collect();
        assert_eq!(built, KEPT.into_iter().chain(MADE_ANEW).collect());
    }

    #[test]
    fn tables_of_another_size_are_others() {
        let named = |size| built_as(&definitions(&[("RING_FILE", size)]));
        assert_eq!(named(4096), named(4096));
        assert_ne!(named(4096), named(8192));
    }

    #[test]
    fn what_is_on_no_bpf_filesystem_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let pins = folder.path().join("pins");
        let config = PinConfig { folder: pins.clone(), away: Duration::ZERO, stay: true };
        assert!(matches!(Pins::open(&config), Err(PinError::NoFilesystem { .. })));
        assert!(!pins.exists());
        assert_eq!(uninstall(&pins).expect("nothing is there"), Uninstalled::default());
        assert!(matches!(uninstall(folder.path()), Err(PinError::NoFilesystem { .. })));
        assert!(folder.path().exists());
    }
}
