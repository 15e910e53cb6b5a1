//! The container table: which container a cgroup is of, from before the container's first exec.
//!
//! Takes cgroups as they are made and removed, and ids that nobody announced; gives the origin of a cgroup, and what to say
//! about a container when something new is known. Bounded; the gone stay for a while, since what they did is still on its
//! way. Reads the cgroup tree and, through [`bundle`], what runtimes left on disk.

use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use proto::v1::{ContainerGone, ContainerSeen, ProcessKey, UnknownOrigin};

use super::bundle::{self, Names};
use super::cgroup_path::{self, Meaning, Runtime};
use super::cgroup_tree::CgroupTree;

const SECOND: u64 = 1_000_000_000;
/// A gone container is asked for by orders and by late records for as long.
const KEEP_GONE_NS: u64 = 600 * SECOND;
/// When the disk is asked again for names that were not there: at once, at the first exec, then ever later.
const RETRY_AFTER_NS: [u64; 5] = [0, SECOND / 10, SECOND, 5 * SECOND, 30 * SECOND];

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
    named: bool,
    // Of a cgroup that nobody recognised: it is read again when its runtime may have written its state.
    path: Vec<u8>,
}

/// All cgroups that were met.
#[derive(Debug)]
pub struct ContainerTable {
    host: PathBuf,
    tree: CgroupTree,
    cgroups: HashMap<u64, Entry>,
    gone: VecDeque<(u64, u64)>,
    limit: usize,
}

impl ContainerTable {
    /// A table of at most `limit` cgroups, over the tree and the host's root.
    pub fn new(host: PathBuf, tree: CgroupTree, limit: usize) -> Self {
        Self { host, tree, cgroups: HashMap::new(), gone: VecDeque::new(), limit }
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
        let mut entry = Entry { origin, init: None, attempts: 0, next_attempt_ns: now_ns, named: false, path };
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
        let is_container = matches!(entry.origin, Origin::Container(_));
        self.cgroups.insert(id, entry);
        if !is_container {
            return None;
        }
        self.name(id, now_ns);
        self.container(id).map(|container| container.seen())
    }

    /// A cgroup was removed. Gives what to say where it was a container's own.
    pub fn removed(&mut self, id: u64, now_ns: u64) -> Option<ContainerGone> {
        let entry = self.cgroups.get_mut(&id)?;
        self.gone.push_back((now_ns.saturating_add(KEEP_GONE_NS), id));
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

    /// Asks the disk once more for what is not known of a container, when it is time. Gives what to say if that is new.
    pub fn join_late(&mut self, id: u64, now_ns: u64) -> Option<ContainerSeen> {
        let entry = self.cgroups.get(&id)?;
        if entry.named || entry.attempts >= RETRY_AFTER_NS.len() || now_ns < entry.next_attempt_ns {
            return None;
        }
        match &entry.origin {
            Origin::Container(_) => {
                self.name(id, now_ns).then(|| self.container(id).map(|container| container.seen()))?
            }
            Origin::Unknown(UnknownOrigin::CgroupUnrecognised) => self.recognise_late(id, now_ns),
            Origin::Host | Origin::Unknown(_) => None,
        }
    }

    /// The same for all of them: a container that is quiet gets its names too.
    pub fn join_all_late(&mut self, now_ns: u64) -> Vec<ContainerSeen> {
        let waiting = self.cgroups.iter().filter(|(_, entry)| !entry.named && now_ns >= entry.next_attempt_ns);
        let waiting: Vec<u64> = waiting.map(|(id, _)| *id).collect();
        waiting.into_iter().filter_map(|id| self.join_late(id, now_ns)).collect()
    }

    /// The container of a cgroup.
    pub fn container(&self, cgroup_id: u64) -> Option<&Arc<Container>> {
        match &self.cgroups.get(&cgroup_id)?.origin {
            Origin::Container(container) => Some(container),
            Origin::Host | Origin::Unknown(_) => None,
        }
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
        let all = self.cgroups.values().filter_map(|entry| match &entry.origin {
            Origin::Container(container) if container.id == container_id => Some(container),
            _ => None,
        });
        all.max_by_key(|container| (!container.gone, container.cgroup_id))
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

    /// The cgroup that the container as a whole has.
    fn own_cgroup(&self, cgroup_id: u64) -> u64 {
        self.container(cgroup_id).map_or(cgroup_id, |container| container.cgroup_id)
    }

    fn of_container(&self, container_id: &str) -> Option<(Arc<Container>, bool, Option<ProcessKey>)> {
        self.cgroups.values().find_map(|entry| match &entry.origin {
            Origin::Container(container) if container.id == container_id && !container.gone => {
                Some((Arc::clone(container), entry.named, entry.init))
            }
            _ => None,
        })
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

    /// runc makes the cgroup before it writes the state that names it: such a cgroup is looked at again.
    fn recognise_late(&mut self, id: u64, now_ns: u64) -> Option<ContainerSeen> {
        let attempts = self.schedule(id, now_ns);
        let path = self.cgroups.get(&id)?.path.clone();
        if !matches!(self.read(id, &path), Origin::Container(_)) {
            return None;
        }
        let seen = self.made(id, &path, now_ns);
        if let Some(entry) = self.cgroups.get_mut(&id) {
            entry.attempts = entry.attempts.max(attempts);
        }
        seen
    }

    /// Takes names from the disk. Whether something new was learned.
    fn name(&mut self, id: u64, now_ns: u64) -> bool {
        self.schedule(id, now_ns);
        let Some(Entry { origin: Origin::Container(container), named, .. }) = self.cgroups.get_mut(&id) else {
            return false;
        };
        let Some(told) = bundle::look(&self.host, &container.id) else { return false };
        let names = Names {
            pod_uid: if container.names.pod_uid.is_empty() {
                told.names.pod_uid
            } else {
                container.names.pod_uid.clone()
            },
            ..told.names
        };
        *named = names != Names { pod_uid: names.pod_uid.clone(), ..Names::default() };
        if names == container.names && told.runtime == container.runtime {
            return false;
        }
        let known = Arc::make_mut(container);
        (known.names, known.runtime) = (names, told.runtime);
        true
    }

    fn schedule(&mut self, id: u64, now_ns: u64) -> usize {
        let Some(entry) = self.cgroups.get_mut(&id) else { return 0 };
        entry.attempts += 1;
        let wait = RETRY_AFTER_NS.get(entry.attempts).copied().unwrap_or(u64::MAX);
        entry.next_attempt_ns = now_ns.saturating_add(wait);
        entry.attempts
    }

    fn keep_unknown(&mut self, id: u64, now_ns: u64) -> Option<ContainerSeen> {
        self.forget_gone(now_ns);
        if self.cgroups.len() < self.limit {
            let origin = Origin::Unknown(UnknownOrigin::CgroupGone);
            let path = Vec::new();
            let entry = Entry { origin, init: None, attempts: 0, next_attempt_ns: u64::MAX, named: true, path };
            self.cgroups.insert(id, entry);
            self.gone.push_back((now_ns.saturating_add(KEEP_GONE_NS), id));
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
            self.cgroups.remove(&id);
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
