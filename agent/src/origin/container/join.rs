//! Names of containers, as they come: from the disk, from a runtime that was asked, early or late.
//!
//! Takes containers of the table and what runtimes said; gives what to say of a container when something new is known. What a runtime
//! says never moves a container to another cgroup or pod than the kernel's path says: such an answer is refused, and counted.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use proto::v1::{ContainerSeen, UnknownOrigin};

use super::{ContainerTable, Entry, Origin, RETRY_AFTER_NS};
use crate::origin::bundle::{self, Names};
use crate::origin::cgroup_path::{self, Meaning};
use crate::origin::runtime::{Facts, Link};
use crate::origin::token;

/// Facts about containers whose cgroup was not met: created and not started, or ended before the agent began.
const EARLY: usize = 4096;

/// What runtimes said before the kernel did. The oldest goes when it is full.
#[derive(Debug, Default)]
pub(super) struct Early {
    facts: HashMap<String, Facts>,
    order: VecDeque<String>,
}

impl Early {
    fn keep(&mut self, facts: Facts) {
        if self.order.len() >= EARLY
            && let Some(oldest) = self.order.pop_front()
        {
            self.facts.remove(&oldest);
        }
        if self.facts.insert(facts.id.clone(), facts.clone()).is_none() {
            self.order.push_back(facts.id);
        }
    }

    fn take(&mut self, id: &str) -> Option<Facts> {
        let facts = self.facts.remove(id)?;
        self.order.retain(|kept| kept != id);
        Some(facts)
    }
}

impl ContainerTable {
    /// From now on runtimes are asked as well.
    pub fn ask(&mut self, link: Link) {
        self.link = Some(link);
    }

    /// Takes what runtimes said since the last look.
    pub fn take_told(&mut self, said: &mut Vec<ContainerSeen>) {
        while let Some(facts) = self.link.as_mut().and_then(Link::answer) {
            match self.ids.get(&facts.id).copied() {
                Some(id) => {
                    let learned = self.accept(id, &facts).then(|| self.container(id)).flatten();
                    said.extend(learned.map(|container| container.seen()));
                }
                None => self.early.keep(facts),
            }
        }
    }

    /// Looks once more for what is not known of a container, when it is time. Gives what to say if that is new.
    pub fn join_late(&mut self, id: u64, now_ns: u64) -> Option<ContainerSeen> {
        let entry = self.cgroups.get(&id)?;
        if self.is_settled(entry) || entry.attempts >= RETRY_AFTER_NS.len() || now_ns < entry.next_attempt_ns {
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

    /// Whether everybody who could name it did.
    fn is_settled(&self, entry: &Entry) -> bool {
        entry.named && (entry.told || self.link.is_none())
    }

    /// The same for all of them: a container that is quiet gets its names too.
    pub fn join_all_late(&mut self, now_ns: u64) -> Vec<ContainerSeen> {
        let waiting =
            self.cgroups.iter().filter(|(_, entry)| now_ns >= entry.next_attempt_ns && !self.is_settled(entry));
        let waiting: Vec<u64> = waiting.map(|(id, _)| *id).collect();
        waiting.into_iter().filter_map(|id| self.join_late(id, now_ns)).collect()
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

    /// Takes names from the disk, and asks the runtimes. Whether something new was learned.
    pub(super) fn name(&mut self, id: u64, now_ns: u64) -> bool {
        self.schedule(id, now_ns);
        let learned = self.ask_runtimes(id);
        let Some(Entry { origin: Origin::Container(container), named, .. }) = self.cgroups.get_mut(&id) else {
            return learned;
        };
        if *named {
            return learned;
        }
        let (before, known) = (container.clone(), Arc::make_mut(container));
        if let Some(told) = bundle::look(&self.host, &known.id) {
            *named = told.names != Names { pod_uid: told.names.pod_uid.clone(), ..Names::default() };
            fill(&mut known.names, &told.names);
            known.runtime = told.runtime;
        }
        if known.names.service_account.is_empty()
            && let Some(told) = token::of_pod(&self.host, &known.names.pod_uid)
        {
            fill(&mut known.names, &told);
        }
        learned || before != *container
    }

    /// Whether a runtime had said something already; else it is asked, if it is one of those that give such ids.
    fn ask_runtimes(&mut self, id: u64) -> bool {
        let Some(Entry { origin: Origin::Container(container), told: false, .. }) = self.cgroups.get(&id) else {
            return false;
        };
        if let Some(facts) = self.early.take(&container.id) {
            return self.accept(id, &facts);
        }
        if let Some(link) = &self.link
            && cgroup_path::is_hex_id(&container.id)
        {
            link.ask(&container.id);
        }
        false
    }

    /// Takes what a runtime said of a container; whether that was new. The kernel's path tells the pod, and a runtime that names another
    /// one is not believed anything.
    fn accept(&mut self, id: u64, facts: &Facts) -> bool {
        let Some(entry) = self.cgroups.get_mut(&id) else { return false };
        let Origin::Container(container) = &mut entry.origin else { return false };
        entry.told = true;
        let pod = match cgroup_path::read(&container.cgroup_path) {
            Meaning::Container { pod_uid, .. } => pod_uid.unwrap_or_default(),
            Meaning::Host | Meaning::Unrecognised => String::new(),
        };
        let said = &facts.names.pod_uid;
        if !pod.is_empty() && !said.is_empty() && pod.replace('-', "") != said.replace('-', "") {
            let why =
                format!("container {} is in the cgroup of pod {pod}, and it was said to be of pod {said}", facts.id);
            if let Some(link) = &self.link {
                link.refuse(facts, why);
            }
            return false;
        }
        let (before, known) = (container.clone(), Arc::make_mut(container));
        // The runtime's own word goes before what the disk said of it, which may be older.
        let mut names = facts.names.clone();
        fill(&mut names, &known.names);
        if !known.names.pod_uid.is_empty() {
            names.pod_uid.clone_from(&known.names.pod_uid);
        }
        known.names = names;
        known.runtime = facts.runtime.unwrap_or(known.runtime);
        before != *container
    }

    fn schedule(&mut self, id: u64, now_ns: u64) -> usize {
        let Some(entry) = self.cgroups.get_mut(&id) else { return 0 };
        entry.attempts += 1;
        let wait = RETRY_AFTER_NS.get(entry.attempts).copied().unwrap_or(u64::MAX);
        entry.next_attempt_ns = now_ns.saturating_add(wait);
        entry.attempts
    }
}

/// Takes each name that is not known yet.
fn fill(known: &mut Names, told: &Names) {
    let pairs = [
        (&mut known.pod_uid, &told.pod_uid),
        (&mut known.pod_name, &told.pod_name),
        (&mut known.pod_namespace, &told.pod_namespace),
        (&mut known.image, &told.image),
        (&mut known.image_digest, &told.image_digest),
        (&mut known.name, &told.name),
        (&mut known.service_account, &told.service_account),
    ];
    for (known, told) in pairs {
        if known.is_empty() {
            known.clone_from(told);
        }
    }
}
