//! Record + origin + time → event: what a node saw, and who did it, in the words of the wire.
//!
//! Takes decoded records in the order in which they arrive; gives one event or several (a container that became known stands
//! before what it did). Cannot fail: what is not known is said to be unknown. Positions are the log's to give.

mod arguments;
mod call;
mod changes;
mod cursor;
pub mod dns;
pub mod dns_stream;
mod file;
pub mod hello;
mod kernel;
pub mod lost_exec;
mod network;
pub mod node_event;
pub mod path;
mod powers;
mod privilege;
mod process;
mod repeats;
pub mod sensitive;
mod tamper;

use std::net::IpAddr;
use std::path::PathBuf;

use dns_stream::Streams;
use ebpf_common::header::{Header, flag};
use proto::v1::actor::Origin as WireOrigin;
use proto::v1::event::Body as Wire;
use proto::v1::{Actor, ContainerSeen, Event, FileAct, ProcessKey, UnknownOrigin};

use crate::clock::Clock;
use crate::decode::{Body, Record};
use crate::kernel::Over;
use crate::origin::runtime::Link;
use crate::origin::{Origin, Subject};
use arguments::Arguments;
use repeats::Firsts;
use sensitive::Sensitive;
use tamper::Own;

/// Makes events of records. Owns what it learned of processes and containers on the way.
#[derive(Debug)]
pub struct Observer {
    origin: Origin,
    arguments: Arguments,
    sensitive: Sensitive,
    own: Own,
    // Kept between records, so that a record that says nothing new of a container allocates nothing for it.
    said: Vec<ContainerSeen>,
    silent: u64,
    streams: Streams,
    firsts: Firsts,
    api_servers: Vec<(IpAddr, u16)>,
}

impl Observer {
    /// An observer with the default list of sensitive paths.
    pub fn new(origin: Origin) -> Self {
        Self::with_sensitive(origin, Sensitive::default())
    }

    /// An observer with a list of sensitive paths: the one that the kernel programs were given.
    pub fn with_sensitive(origin: Origin, sensitive: Sensitive) -> Self {
        let (own, streams, firsts) = (Own::default(), Streams::default(), Firsts::default());
        let arguments = Arguments::new(origin.proc());
        let (said, silent, api_servers) = (Vec::new(), 0, Vec::new());
        Self { origin, arguments, sensitive, own, said, silent, streams, firsts, api_servers }
    }

    /// Tells what others do to these folders of the agent's as what it is: done to the agent.
    #[must_use]
    pub fn guarding(self, folders: Vec<PathBuf>) -> Self {
        Self { own: Own::here(folders), ..self }
    }

    /// Where the Kubernetes API server answers: connections to it are marked.
    #[must_use]
    pub fn with_api_servers(self, api_servers: Vec<(IpAddr, u16)>) -> Self {
        Self { api_servers, ..self }
    }

    /// From now on container runtimes are asked for names as well.
    pub fn ask(&mut self, link: Link) {
        self.origin.ask(link);
    }

    /// What is known of processes and containers.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// How many records told nothing that an event is made of: a cgroup of no container, an open that was let through by
    /// one component of a sensitive path. For the reconciliation of records with events.
    pub fn silent(&self) -> u64 {
        self.silent
    }

    /// Reads what runs already: after the hooks are attached, before the first record. Gives an event for each container.
    pub fn seed(&mut self, clock: &Clock, out: &mut Vec<Event>) {
        let boot_ns = clock.now().boot_ns;
        let header = Stamp { boot_ns, cpu: 0, sequence: 0 };
        let found = self.origin.seed(boot_ns);
        out.extend(found.into_iter().map(|seen| header.event(clock, None, Wire::ContainerSeen(seen))));
    }

    /// Appends what became known of containers meanwhile. Asked once a second or so.
    pub fn settle(&mut self, clock: &Clock, out: &mut Vec<Event>) {
        let boot_ns = clock.now().boot_ns;
        let stamp = Stamp { boot_ns, cpu: 0, sequence: 0 };
        let found = self.origin.settle(boot_ns);
        out.extend(found.into_iter().map(|seen| stamp.event(clock, None, Wire::ContainerSeen(seen))));
    }

    /// Appends what a record tells.
    pub fn observe(&mut self, record: &Record<'_>, clock: &Clock, out: &mut Vec<Event>) {
        let header = &record.header;
        let now_ns = header.boot_ns;
        let stamp = Stamp { boot_ns: now_ns, cpu: u32::from(header.cpu), sequence: header.sequence };
        self.origin.advance(now_ns, &mut self.said);
        let body = match &record.body {
            Body::CgroupMade(cgroup) => {
                let seen = self.origin.cgroup_made(cgroup.fixed.id, cgroup.path, now_ns);
                self.silent += u64::from(seen.is_none());
                out.extend(seen.map(|seen| stamp.event(clock, None, Wire::ContainerSeen(seen))));
                return;
            }
            Body::CgroupGone(cgroup) => {
                let gone = self.origin.cgroup_gone(cgroup.fixed.id, now_ns);
                self.silent += u64::from(gone.is_none());
                out.extend(gone.map(|gone| stamp.event(clock, None, Wire::ContainerGone(gone))));
                return;
            }
            Body::Fork(fork) => process::fork(fork),
            Body::Exec(exec) => process::exec(record, exec, self.arguments.hash(record, exec)),
            Body::Exit(exit) => process::exit(*exit),
            Body::Connect(connect) => network::connect(connect, &self.api_servers),
            Body::Accept(accept) => network::accept(accept),
            Body::Close(close) => network::close(close, record.has(flag::OUTGOING)),
            Body::Datagram(datagram) => network::datagram(datagram),
            Body::Dns(payload) => {
                let told = network::dns(payload, &mut self.streams);
                self.tell(record, stamp, clock, told, out);
                return;
            }
            Body::ClientHello(payload) => {
                let told = network::hello(payload);
                self.tell(record, stamp, clock, told, out);
                return;
            }
            Body::Socket(call) => network::socket(call),
            Body::FileOpen(open) => file::open(record, open, &self.sensitive),
            Body::FileUnlink(unlink) => file::unlink(record, unlink),
            Body::FileRename(rename) => file::rename(record, rename),
            Body::FileChmod(chmod) => file::chmod(record, chmod),
            Body::Privilege(privilege) => privilege::body(record, privilege, self.origin.host_mounts()),
            Body::Kernel(change) => kernel::body(record, change),
            Body::FileLink(link) => file::link(record, link, FileAct::Linked),
            Body::FileSymlink(link) => file::link(record, link, FileAct::Symlinked),
            Body::FileChange(change) => file::change(record, change),
        };
        let is_told = !file::is_chance_hit(&body);
        self.tell(record, stamp, clock, is_told.then_some(body), out);
        if let Body::FileOpen(open) = &record.body {
            self.firsts.read(&open.fixed, header.tid, out.last().filter(|_| is_told));
        }
    }

    /// Appends what the kernel counted after it had told the first.
    pub fn repeated(&mut self, over: &Over, clock: &Clock, out: &mut Vec<Event>) {
        self.firsts.over(over, clock, out);
    }

    /// Appends what a record told: nothing, or one event, or several, of which the first has the record's number.
    fn tell(
        &mut self,
        record: &Record<'_>,
        stamp: Stamp,
        clock: &Clock,
        told: impl IntoIterator<Item = Wire>,
        out: &mut Vec<Event>,
    ) {
        let mut told = told.into_iter();
        let Some(first) = told.next().filter(|_| !self.own.did(&record.header)) else {
            self.silent += 1;
            return;
        };
        let actor = self.actor(record);
        let made = Stamp { sequence: 0, ..stamp };
        out.extend(self.said.drain(..).map(|seen| made.event(clock, None, Wire::ContainerSeen(seen))));
        let attempt = record.has(flag::ATTEMPT);
        let tampered = self.own.tampered(&first, &actor, record.has(flag::TAMPER));
        out.extend(tampered.map(|body| made.event(clock, Some(actor.clone()), body)));
        let more: Vec<Event> = told.map(|body| made.event(clock, Some(actor.clone()), body)).collect();
        out.push(Event { attempt, ..stamp.event(clock, Some(actor), first) });
        out.extend(more);
    }

    /// Who did it; and the table learns from what was done.
    fn actor(&mut self, record: &Record<'_>) -> Actor {
        let header = &record.header;
        if record.has(flag::OWNER_UNKNOWN) {
            return unowned();
        }
        let subject = subject(header);
        let mut actor = self.origin.actor(&subject, header.boot_ns, &mut self.said);
        match &record.body {
            Body::Fork(fork) => {
                let child = ProcessKey { pid: fork.child_pid, start_ns: fork.child_start_ns };
                // CLONE_PARENT makes a sibling: its parent is not the one that forked.
                let sibling = fork.child_parent_pid != header.pid && fork.child_parent_pid == header.parent_pid;
                let parent = if sibling { subject.parent } else { subject.process };
                self.origin.forked(&subject, parent, child, header.boot_ns);
            }
            Body::Exec(exec) => {
                self.origin.executed(&subject, process::image(record, exec));
                actor.executable = exec.path.to_vec();
            }
            Body::Exit(_) => self.origin.exited(subject.process, header.boot_ns),
            _ => {}
        }
        self.origin.place(&mut actor);
        actor
    }
}

/// When and where in the kernel's count.
#[derive(Clone, Copy)]
struct Stamp {
    boot_ns: u64,
    cpu: u32,
    sequence: u64,
}

impl Stamp {
    fn event(self, clock: &Clock, actor: Option<Actor>, body: Wire) -> Event {
        Event { actor, body: Some(body), ..self.bare(clock) }
    }

    /// Without what happened.
    fn bare(self, clock: &Clock) -> Event {
        let (time_ns, uncertainty_us) = clock.wall_ns(self.boot_ns);
        Event {
            position: 0,
            time_ns,
            boot_ns: self.boot_ns,
            uncertainty_us,
            cpu: self.cpu,
            cpu_sequence: self.sequence,
            actor: None,
            attempt: false,
            body: None,
        }
    }
}

fn subject(header: &Header) -> Subject {
    Subject {
        process: ProcessKey { pid: header.pid, start_ns: header.start_ns },
        tid: header.tid,
        parent: ProcessKey { pid: header.parent_pid, start_ns: header.parent_start_ns },
        uid: header.uid,
        cgroup_id: header.cgroup_id,
    }
}

/// A socket that was taken before the agent began: the kernel does not say by whom.
fn unowned() -> Actor {
    let why = i32::from(UnknownOrigin::StartedBeforeUs);
    Actor { origin: Some(WireOrigin::Unknown(why)), ..Actor::default() }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
