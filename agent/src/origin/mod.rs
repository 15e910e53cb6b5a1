//! Who did it: the process, its parent, and the container it is in, or why that is not known.
//!
//! Takes what records say of processes and cgroups; gives an [`Actor`](proto::v1::Actor) for each. Known before a container's
//! first exec, since its cgroup is announced; what is learned later is said again. Never waits for anybody.

pub mod bundle;
pub mod cgroup_path;
pub mod cgroup_tree;
pub mod container;
mod entry;
pub mod image;
mod mounts;
pub mod process;
pub mod remember;
pub mod runtime;
pub mod seed;
mod token;
mod version_one;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proto::v1::actor::Origin as WireOrigin;
use proto::v1::{Actor, ContainerGone, ContainerSeen, Entry, ProcessKey, UnknownOrigin};

use cgroup_tree::CgroupTree;
use container::{Container, ContainerTable};
use image::Image;
use process::{Process, ProcessTable};
use version_one::VersionOne;

pub use container::Origin as CgroupOrigin;

const SECOND: u64 = 1_000_000_000;
/// How often a table that is full looks for processes whose exit was lost.
const SWEEP_EVERY_NS: u64 = 10 * SECOND;
/// How often the runtimes' answers are looked for.
const LISTEN_EVERY_NS: u64 = SECOND / 200;

/// Where the machine is, and how much of it is remembered.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The mount of `/proc` of the host's pid namespace.
    pub proc: PathBuf,
    /// The root of the host's file system: `/`, or where a container has it mounted.
    pub host: PathBuf,
    /// The mount of the version 2 cgroup tree; `None`: where `/proc/self/mounts` says, and where it says that there is only version 1,
    /// cgroups are read process by process.
    pub cgroups: Option<PathBuf>,
    /// Processes in the table. At 16 384 it stays below 20 MiB with the longest command lines.
    pub processes: usize,
    /// Cgroups in the table.
    pub containers: usize,
    /// How long containers are kept that are gone.
    pub keep_gone_ns: u64,
    /// How long the dead are kept: their exec or their connections may still be on the way from another CPU.
    pub keep_dead_ns: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            proc: PathBuf::from("/proc"),
            host: PathBuf::from("/"),
            cgroups: None,
            processes: 16_384,
            containers: 16_384,
            keep_gone_ns: 3600 * SECOND,
            keep_dead_ns: 5 * SECOND,
        }
    }
}

/// What every record says of the process it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject {
    /// The process.
    pub process: ProcessKey,
    /// The thread.
    pub tid: u32,
    /// Its parent at the moment; pid 0: none.
    pub parent: ProcessKey,
    /// Real user.
    pub uid: u32,
    /// Its cgroup.
    pub cgroup_id: u64,
}

/// The two tables, and what joins them.
#[derive(Debug)]
pub struct Origin {
    settings: Settings,
    processes: ProcessTable,
    containers: ContainerTable,
    next_sweep_ns: u64,
    next_listen_ns: u64,
    users: HashMap<u32, String>,
    host_mount_namespace: Option<u32>,
    // Nothing where the version 2 tree is mounted.
    version_one: Option<VersionOne>,
}

impl Origin {
    /// Empty tables: for records of another machine (a replay), and for tests.
    pub fn new(settings: Settings) -> Self {
        let version_one = match settings.cgroups {
            Some(_) => None,
            None => VersionOne::here(&settings.proc, settings.containers),
        };
        let tree = settings
            .cgroups
            .clone()
            .map(|mount| CgroupTree::new(mount, settings.proc.clone()))
            .or_else(|| CgroupTree::mounted(&settings.proc, &settings.host))
            .unwrap_or_else(|| CgroupTree::new(PathBuf::from("/sys/fs/cgroup"), settings.proc.clone()));
        let containers = ContainerTable::new(settings.host.clone(), tree, settings.containers, settings.keep_gone_ns);
        let processes = ProcessTable::new(settings.processes, settings.keep_dead_ns);
        let users = seed::users(&settings.host.join("etc/passwd"));
        // As the kernel programs have it: where the first process may not be looked at, our own mounts are taken for the host's.
        let host_mount_namespace =
            [1, std::process::id()].into_iter().find_map(|pid| seed::mount_namespace(&settings.proc, pid));
        Self {
            settings,
            processes,
            containers,
            next_sweep_ns: 0,
            next_listen_ns: 0,
            users,
            host_mount_namespace,
            version_one,
        }
    }

    /// Tables of what already runs. Gives the containers among it. Call it after the kernel's hooks are attached, so that
    /// nothing starts unseen in between.
    pub fn seed(&mut self, now_ns: u64) -> Vec<ContainerSeen> {
        let mut found = self.containers.seed(now_ns);
        let mut seeds = seed::all(&self.settings.proc);
        seeds.sort_by_key(|seed| (seed.key.start_ns, seed.key.pid));
        for seed in seeds {
            self.insert_seed(seed, now_ns, &mut found);
        }
        found
    }

    /// The process table.
    pub fn processes(&self) -> &ProcessTable {
        &self.processes
    }

    /// The container table.
    pub fn containers(&self) -> &ContainerTable {
        &self.containers
    }

    /// The name of a user of the host. In a container other names may hold: only root is root everywhere.
    pub fn user(&self, uid: u32, in_container: bool) -> Option<&str> {
        match uid {
            0 => Some("root"),
            _ if in_container => None,
            _ => self.users.get(&uid).map(String::as_str),
        }
    }

    /// Inode number of the host's mount namespace, where it is known.
    pub fn host_mounts(&self) -> Option<u32> {
        self.host_mount_namespace
    }

    /// The mount of `/proc` that was given.
    pub fn proc(&self) -> &Path {
        &self.settings.proc
    }

    /// From now on container runtimes are asked for names as well.
    pub fn ask(&mut self, link: runtime::Link) {
        self.containers.ask(link);
    }

    /// Once for each record, before the others: forgets the dead, and hears what runtimes answered.
    pub fn advance(&mut self, now_ns: u64, said: &mut Vec<ContainerSeen>) {
        self.processes.forget_dead(now_ns);
        if now_ns >= self.next_listen_ns {
            self.next_listen_ns = now_ns.saturating_add(LISTEN_EVERY_NS);
            self.containers.take_told(said);
        }
        if self.processes.len() >= self.settings.processes && now_ns >= self.next_sweep_ns {
            self.next_sweep_ns = now_ns.saturating_add(SWEEP_EVERY_NS);
            let proc = self.settings.proc.clone();
            self.processes.sweep(|pid| seed::is_alive(&proc, pid));
        }
    }

    /// What became known of containers since somebody last looked, whether or not anything happens in them.
    pub fn settle(&mut self, now_ns: u64) -> Vec<ContainerSeen> {
        let mut said = Vec::new();
        self.containers.take_told(&mut said);
        said.extend(self.containers.join_all_late(now_ns));
        said
    }

    /// Who did it. Also says what became known of a container on the way.
    pub fn actor(&mut self, subject: &Subject, now_ns: u64, said: &mut Vec<ContainerSeen>) -> Actor {
        let subject = &self.in_its_cgroup(subject, now_ns, said);
        let (origin, found) = self.containers.origin(subject.cgroup_id, subject.process.pid, now_ns);
        let (origin, in_container) = match origin {
            CgroupOrigin::Container(container) => (WireOrigin::ContainerId(container.id.clone()), true),
            CgroupOrigin::Host => (WireOrigin::Host(true), false),
            CgroupOrigin::Unknown(_) if subject.cgroup_id == version_one::NOBODY_KNOWS => {
                (WireOrigin::Unknown(i32::from(UnknownOrigin::CgroupVersion1)), false)
            }
            CgroupOrigin::Unknown(why) => (WireOrigin::Unknown(i32::from(*why)), false),
        };
        let settled = said.len();
        said.extend(found);
        said.extend(self.containers.join_late(subject.cgroup_id, now_ns));
        if !in_container && said.len() > settled {
            // What was unrecognised a moment ago is a container now.
            return self.actor(subject, now_ns, said);
        }
        let entry = self.meet(subject, in_container, now_ns);
        let process = self.processes.get(subject.process);
        Actor {
            process: Some(subject.process),
            tid: subject.tid,
            parent: (subject.parent.pid != 0).then_some(subject.parent),
            executable: process.map(|process| process.image.executable.clone()).unwrap_or_default(),
            uid: subject.uid,
            cgroup_id: subject.cgroup_id,
            origin: Some(origin),
            entry: i32::from(match entry {
                // "Entered from outside" is a claim, and is made only where the way in was seen.
                Entry::Unspecified if in_container => Entry::Unknown,
                known => known,
            }),
            in_host_mounts: false,
            entered_container_id: String::new(),
        }
    }

    /// A process was made by `by`, as a child of `parent`: another than `by` where the child was made a sibling.
    pub fn forked(&mut self, by: &Subject, parent: ProcessKey, child: ProcessKey, now_ns: u64) {
        let (image, entry, cgroup_id) = match self.processes.get(by.process) {
            Some(known) => (Arc::clone(&known.image), known.entry, known.cgroup_id),
            None => (Arc::default(), Entry::Unspecified, by.cgroup_id),
        };
        let mut process = Process::forked(child, Some(parent), image, cgroup_id);
        process.parent_image = self.processes.get(parent).map(|known| Arc::clone(&known.image));
        process.entry = entry;
        self.processes.insert(process, now_ns);
    }

    /// A new image is in place.
    pub fn executed(&mut self, subject: &Subject, image: Arc<Image>) {
        let mounts = image.mount_namespace;
        self.processes.execute(subject.process, image);
        self.learn_mounts(subject.process, mounts);
    }

    /// A process ended.
    pub fn exited(&mut self, process: ProcessKey, now_ns: u64) {
        self.processes.exit(process, now_ns);
    }

    /// A cgroup was made.
    pub fn cgroup_made(&mut self, id: u64, path: &[u8], now_ns: u64) -> Option<ContainerSeen> {
        self.containers.made(id, path, now_ns)
    }

    /// A cgroup was removed.
    pub fn cgroup_gone(&mut self, id: u64, now_ns: u64) -> Option<ContainerGone> {
        self.containers.removed(id, now_ns)
    }

    /// The process of that key.
    pub fn process(&self, key: ProcessKey) -> Option<&Process> {
        self.processes.get(key)
    }

    /// What the parent of a process runs, or ran when it was last seen.
    pub fn parent_image(&self, key: ProcessKey, parent: Option<ProcessKey>) -> Option<&Arc<Image>> {
        let living = parent.and_then(|parent| self.processes.get(parent)).map(|parent| &parent.image);
        living.or_else(|| self.processes.get(key)?.parent_image.as_ref())
    }

    /// The container with that id.
    pub fn container(&self, id: &str) -> Option<&Arc<Container>> {
        self.containers.by_id(id)
    }

    /// Parents come before their children here, and a container's init before what entered it.
    fn insert_seed(&mut self, seed: seed::Seed, now_ns: u64, found: &mut Vec<ContainerSeen>) {
        let cgroup_id = match &self.version_one {
            Some(_) => self.read_now(seed.key, now_ns, found).unwrap_or_default(),
            None => self.containers.cgroup_of(seed.key.pid).unwrap_or_default(),
        };
        let parent = self.processes.by_pid(seed.parent).map(|parent| parent.key);
        let mut process = Process::seeded(seed.key, parent, seed.image, cgroup_id);
        process.parent_image = self.processes.by_pid(seed.parent).map(|parent| Arc::clone(&parent.image));
        self.processes.insert(process, now_ns);
        if self.containers.container(cgroup_id).is_some() {
            let parent = parent.unwrap_or_default();
            let subject = Subject { process: seed.key, tid: seed.key.pid, parent, uid: 0, cgroup_id };
            let entry = self.way_in(&subject);
            let mounts = match self.processes.get_seeded(seed.key.pid) {
                Some(process) => {
                    process.entry = entry;
                    process.image.mount_namespace
                }
                None => 0,
            };
            self.learn_mounts(seed.key, mounts);
        }
    }

    /// Makes sure that the process is in the table, and says where it stands against its container's init.
    fn meet(&mut self, subject: &Subject, in_container: bool, now_ns: u64) -> Entry {
        let known = self.processes.get_mut(subject.process);
        if let Some(process) = known
            && process.cgroup_id == subject.cgroup_id
            && (!in_container || process.entry != Entry::Unspecified)
        {
            return process.entry;
        }
        if self.processes.get(subject.process).is_none() {
            self.admit(subject, now_ns);
        }
        let entry = if in_container { self.way_in(subject) } else { Entry::Unspecified };
        if let Some(process) = self.processes.get_mut(subject.process) {
            (process.cgroup_id, process.entry) = (subject.cgroup_id, entry);
        }
        entry
    }

    /// A process whose fork was not seen: from `/proc` where it still is, else from the record alone.
    fn admit(&mut self, subject: &Subject, now_ns: u64) {
        let told = seed::one(&self.settings.proc, subject.process.pid)
            .filter(|seed| seed.key.start_ns / process::TICK_NS == subject.process.start_ns / process::TICK_NS);
        let parent = (subject.parent.pid != 0).then_some(subject.parent);
        let image = told.map(|seed| seed.image).unwrap_or_default();
        let mut process = Process::forked(subject.process, parent, image, 0);
        process.parent_image = parent.and_then(|key| self.processes.get(key)).map(|known| Arc::clone(&known.image));
        self.processes.insert(process, now_ns);
    }

    /// A process that is new in a container: the first from outside is its init; whoever comes later from outside entered.
    fn way_in(&mut self, subject: &Subject) -> Entry {
        let here = self.containers.container(subject.cgroup_id).map(|container| container.cgroup_id);
        let same =
            |cgroup_id| here.is_some() && self.containers.container(cgroup_id).map(|other| other.cgroup_id) == here;
        if let Some(process) = self.processes.get(subject.process)
            && process.entry != Entry::Unspecified
            && same(process.cgroup_id)
        {
            // From one cgroup of the container to another.
            return process.entry;
        }
        if let Some(parent) = self.processes.get(subject.parent)
            && same(parent.cgroup_id)
            && parent.entry != Entry::Unspecified
        {
            return parent.entry;
        }
        match self.containers.init(subject.cgroup_id) {
            None => {
                self.containers.set_init(subject.cgroup_id, subject.process);
                Entry::InitTree
            }
            Some(init) if init == subject.process => Entry::InitTree,
            // Entering is what a process does that was known outside before.
            Some(_)
                if self.processes.get(subject.process).is_some_and(|process| process.cgroup_id != 0)
                    || self.processes.get(subject.parent).is_some() =>
            {
                let runtime = self.containers.container(subject.cgroup_id).map(|container| container.runtime);
                entry::of(&self.processes, subject, runtime)
            }
            Some(_) => Entry::Unspecified,
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
