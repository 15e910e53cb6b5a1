//! The container table: which container a cgroup is of, from before the container's first exec.
//!
//! Takes cgroups as they are made and removed, and ids that nobody announced; gives the origin of a cgroup, and what to say
//! about a container when something new is known. Bounded; the gone stay for an hour, since what they did is still on its
//! way. Reads the cgroup tree; names come in `join`.

mod join;

use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use proto::v1::{ContainerGone, ContainerSeen, ProcessKey, UnknownOrigin};

use super::bundle::{self, Names};
use super::cgroup_path::{self, Meaning, Runtime};
use super::cgroup_tree::CgroupTree;
use super::runtime::Link;
use join::Early;

const SECOND: u64 = 1_000_000_000;
/// When disk and runtimes are asked again for names that were not there: at once; within the first milliseconds, in which runc writes its
/// state and starts the program; then ever later.
const RETRY_AFTER_NS: [u64; 7] = [0, SECOND / 500, SECOND / 50, SECOND / 5, SECOND, 5 * SECOND, 30 * SECOND];

/// A container and all that is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// The id, as its runtime has it.
    pub id: String,
    /// What made it.
    pub runtime: Runtime,
    /// Its cgroup.
    pub cgroup_id: u64,
    /// The path of that cgroup, from the root of the tree.
    pub cgroup_path: Vec<u8>,
    /// Its names, as far as anybody said.
    pub names: Names,
    /// Whether its cgroup is gone.
    pub gone: bool,
}

impl Container {
    /// What the wire says of it.
    pub fn seen(&self) -> ContainerSeen {
        let names = self.names.clone();
        ContainerSeen {
            container_id: self.id.clone(),
            runtime: self.runtime.name().to_owned(),
            cgroup_id: self.cgroup_id,
            cgroup_path: self.cgroup_path.clone(),
            pod_uid: names.pod_uid,
            pod_name: names.pod_name,
            pod_namespace: names.pod_namespace,
            image: names.image,
            image_digest: names.image_digest,
            name: names.name,
            service_account: names.service_account,
        }
    }
}

/// Whose a cgroup is.
#[derive(Debug, Clone)]
pub enum Origin {
    /// A container's.
    Container(Arc<Container>),
    /// The host's own.
    Host,
    /// Nobody can say, for this reason.
    Unknown(UnknownOrigin),
}

#[derive(Debug)]
struct Entry {
    origin: Origin,
    // The container's first process; what enters later from outside is not of its tree.
    init: Option<ProcessKey>,
    attempts: usize,
    next_attempt_ns: u64,
    // The disk said all that it says.
    named: bool,
    // The mount namespace of the container; 0 until its first program runs in one.
    mounts: u32,
    // A runtime answered, whatever was made of it.
    told: bool,
    // Of a cgroup that nobody recognised: it is read again when its runtime may have written its state.
    path: Vec<u8>,
}

/// All cgroups that were met.
#[derive(Debug)]
pub struct ContainerTable {
    host: PathBuf,
    tree: CgroupTree,
    cgroups: HashMap<u64, Entry>,
    // The cgroup that a container as a whole has, by the container's id: the living one where its runtime began it again.
    ids: HashMap<String, u64>,
    // The same, by the container's mount namespace, while it lives: the number is used again afterwards.
    mounts: HashMap<u32, u64>,
    gone: VecDeque<(u64, u64)>,
    // A gone container is asked for by orders and by late records for as long; a full table forgets the oldest of the gone before.
    keep_gone_ns: u64,
    limit: usize,
    // Nothing where no runtime is asked.
    link: Option<Link>,
    early: Early,
}

impl ContainerTable {
    /// A table of at most `limit` cgroups, over the tree and the host's root, which keeps the gone for so long.
    pub fn new(host: PathBuf, tree: CgroupTree, limit: usize, keep_gone_ns: u64) -> Self {
        Self {
            host,
            tree,
            cgroups: HashMap::new(),
            ids: HashMap::new(),
            mounts: HashMap::new(),
            gone: VecDeque::new(),
            keep_gone_ns,
            limit,
            link: None,
            early: Early::default(),
        }
    }

    /// Reads every cgroup that is there already. Gives the containers among them.
    pub fn seed(&mut self, now_ns: u64) -> Vec<ContainerSeen> {
        let mut found = Vec::new();
        for (id, path) in self.tree.walk(self.limit) {
            found.extend(self.made(id, &path, now_ns));
        }
        found
    }

    /// A cgroup was made. Gives what to say of it where it is a container's.
    pub fn made(&mut self, id: u64, path: &[u8], now_ns: u64) -> Option<ContainerSeen> {
        self.forget_gone(now_ns);
        if self.cgroups.len() >= self.limit && !self.cgroups.contains_key(&id) {
            return None;
        }
        let origin = self.read(id, path);
        let unrecognised = matches!(origin, Origin::Unknown(_));
        let path = if unrecognised { path.to_vec() } else { Vec::new() };
        let mut entry = Entry {
            origin,
            init: None,
            attempts: 0,
            next_attempt_ns: now_ns,
            named: false,
            told: false,
            mounts: 0,
            path,
        };
        // A cgroup inside of a container is the same container, and what is known of that one holds.
        let inside = match &entry.origin {
            Origin::Container(container) => self.of_container(&container.id),
            _ => None,
        };
        if let Some((outer, named, init)) = inside {
            entry.origin = Origin::Container(outer);
            (entry.named, entry.init, entry.attempts) = (named, init, RETRY_AFTER_NS.len());
            self.cgroups.insert(id, entry);
            return None;
        }
        let container_id = match &entry.origin {
            Origin::Container(container) => Some(container.id.clone()),
            Origin::Host | Origin::Unknown(_) => None,
        };
        self.cgroups.insert(id, entry);
        self.ids.insert(container_id?, id);
        self.name(id, now_ns);
        self.container(id).map(|container| container.seen())
    }

    /// A cgroup was removed. Gives what to say where it was a container's own.
    pub fn removed(&mut self, id: u64, now_ns: u64) -> Option<ContainerGone> {
        let entry = self.cgroups.get_mut(&id)?;
        self.gone.push_back((now_ns.saturating_add(self.keep_gone_ns), id));
        self.mounts.remove(&entry.mounts);
        let Origin::Container(container) = &mut entry.origin else { return None };
        Arc::make_mut(container).gone = true;
        (container.cgroup_id == id).then(|| ContainerGone { container_id: container.id.clone(), cgroup_id: id })
    }

    /// Whose a cgroup is. One that nobody announced is looked for in the tree, by way of `pid` where that still lives.
    pub fn origin(&mut self, id: u64, pid: u32, now_ns: u64) -> (&Origin, Option<ContainerSeen>) {
        let mut found = None;
        if !self.cgroups.contains_key(&id) {
            found = match self.tree.find(id, pid) {
                Some(path) => self.made(id, &path, now_ns),
                None => self.keep_unknown(id, now_ns),
            };
        }
        let origin = self.cgroups.get(&id).map(|entry| &entry.origin);
        (origin.unwrap_or(&Origin::Unknown(UnknownOrigin::CgroupGone)), found)
    }

    /// The container of a cgroup.
    pub fn container(&self, cgroup_id: u64) -> Option<&Arc<Container>> {
        let of = |cgroup_id| match &self.cgroups.get(&cgroup_id)?.origin {
            Origin::Container(container) => Some(container),
            Origin::Host | Origin::Unknown(_) => None,
        };
        // A cgroup inside of a container keeps what was known when it was made: names that came later are with the container's own.
        let inner = of(cgroup_id)?;
        Some(of(inner.cgroup_id).unwrap_or(inner))
    }

    /// Whether a cgroup was met.
    pub fn has(&self, id: u64) -> bool {
        self.cgroups.contains_key(&id)
    }

    /// The cgroup that a process is in now, as `/proc` says.
    pub fn cgroup_of(&self, pid: u32) -> Option<u64> {
        self.tree.id_of(&self.tree.of_process(pid)?)
    }

    /// The tree that the paths are of.
    pub fn tree(&self) -> &CgroupTree {
        &self.tree
    }

    /// The container with that id; the living one where its runtime began it again in another cgroup.
    pub fn by_id(&self, container_id: &str) -> Option<&Arc<Container>> {
        self.container(*self.ids.get(container_id)?)
    }

    /// The first process of the container of that cgroup.
    pub fn init(&self, cgroup_id: u64) -> Option<ProcessKey> {
        self.cgroups.get(&self.own_cgroup(cgroup_id)).and_then(|entry| entry.init)
    }

    /// Says which process is the container's first, once.
    pub fn set_init(&mut self, cgroup_id: u64, process: ProcessKey) {
        let own = self.own_cgroup(cgroup_id);
        if let Some(entry) = self.cgroups.get_mut(&own) {
            entry.init.get_or_insert(process);
        }
    }

    /// Says which mount namespace is the container's, once.
    pub fn set_mounts(&mut self, cgroup_id: u64, mounts: u32) {
        let own = self.own_cgroup(cgroup_id);
        if let Some(entry) = self.cgroups.get_mut(&own)
            && entry.mounts == 0
        {
            entry.mounts = mounts;
            self.mounts.insert(mounts, own);
        }
    }

    /// The living container that has this mount namespace.
    pub fn of_mounts(&self, mounts: u32) -> Option<&Arc<Container>> {
        self.container(*self.mounts.get(&mounts)?)
    }

    /// The cgroup that the container as a whole has.
    fn own_cgroup(&self, cgroup_id: u64) -> u64 {
        self.container(cgroup_id).map_or(cgroup_id, |container| container.cgroup_id)
    }

    fn of_container(&self, container_id: &str) -> Option<(Arc<Container>, bool, Option<ProcessKey>)> {
        let entry = self.cgroups.get(self.ids.get(container_id)?)?;
        match &entry.origin {
            Origin::Container(container) if !container.gone => Some((Arc::clone(container), entry.named, entry.init)),
            _ => None,
        }
    }

    fn read(&self, id: u64, path: &[u8]) -> Origin {
        let container = |container_id: String, runtime, pod_uid: Option<String>| {
            let names = Names { pod_uid: pod_uid.unwrap_or_default(), ..Names::default() };
            let container =
                Container { id: container_id, runtime, cgroup_id: id, cgroup_path: path.to_vec(), names, gone: false };
            Origin::Container(Arc::new(container))
        };
        match cgroup_path::read(path) {
            // Without a runtime's word: containerd, unless the disk says another (`name`).
            Meaning::Container { id, runtime, pod_uid } => {
                container(id, runtime.unwrap_or(Runtime::Containerd), pod_uid)
            }
            Meaning::Host => Origin::Host,
            Meaning::Unrecognised => {
                let path = String::from_utf8_lossy(path);
                if let Some(id) = bundle::containerd_client(&self.host, &path) {
                    container(id, Runtime::Containerd, None)
                } else if let Some(id) = bundle::plain_runc(&self.host, &path) {
                    container(id, Runtime::Runc, None)
                } else {
                    Origin::Unknown(UnknownOrigin::CgroupUnrecognised)
                }
            }
        }
    }

    fn keep_unknown(&mut self, id: u64, now_ns: u64) -> Option<ContainerSeen> {
        self.forget_gone(now_ns);
        if self.cgroups.len() < self.limit {
            let origin = Origin::Unknown(UnknownOrigin::CgroupGone);
            let path = Vec::new();
            let entry = Entry {
                origin,
                init: None,
                attempts: 0,
                next_attempt_ns: u64::MAX,
                named: true,
                told: true,
                mounts: 0,
                path,
            };
            self.cgroups.insert(id, entry);
            self.gone.push_back((now_ns.saturating_add(self.keep_gone_ns), id));
        }
        None
    }

    fn forget_gone(&mut self, now_ns: u64) {
        while let Some(&(until_ns, id)) = self.gone.front() {
            // A full table forgets the gone early, the oldest first.
            if until_ns > now_ns && self.cgroups.len() < self.limit {
                return;
            }
            self.gone.pop_front();
            if let Some(Entry { origin: Origin::Container(container), .. }) = self.cgroups.remove(&id)
                && self.ids.get(&container.id) == Some(&id)
            {
                self.ids.remove(&container.id);
            }
        }
    }
}

/// One line about a container, for people and for tests.
pub fn describe(seen: &ContainerSeen) -> String {
    let mut line = format!("{} {}", seen.runtime, seen.container_id);
    for (word, text) in [
        ("pod", &seen.pod_name),
        ("namespace", &seen.pod_namespace),
        ("uid", &seen.pod_uid),
        ("image", &seen.image),
        ("digest", &seen.image_digest),
        ("name", &seen.name),
        ("account", &seen.service_account),
    ] {
        if !text.is_empty() {
            write!(line, " {word}={text}").expect("writing to a string cannot fail");
        }
    }
    line
}

#[cfg(test)]
#[path = "container_tests.rs"]
mod tests;
