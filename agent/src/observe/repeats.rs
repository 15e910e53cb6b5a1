//! Opens of which the kernel tells the first and counts the others. Takes each first one as it becomes an event, and later what was counted;
//! gives the same event once more, with how often and until when. Keeps no more than the kernel counts at a time; where the first is not
//! known any more (its record was lost), the event has what the kernel's entry says.

use std::collections::HashMap;

use ebpf_common::record;
use ebpf_common::repeats::{MAX_REPEATS, Repeated, Repeats};
use proto::v1::actor::Origin;
use proto::v1::event::Body;
use proto::v1::{Actor, Event, FileObject, FileOpen, FileRepeats, ProcessKey, UnknownOrigin};

use super::Stamp;
use crate::clock::Clock;
use crate::kernel::{Over, Repeat};

/// The moment since which it is counted, and the thread: the entry's name in the kernel.
type Entry = (u64, u32);

/// First opens of which repeats are counted.
#[derive(Debug, Default)]
pub(super) struct Firsts {
    /// Nothing: no event was made of it, and none is of its repeats.
    events: HashMap<Entry, Option<Box<Event>>>,
}

impl Firsts {
    /// An open was read, and this event was made of it.
    pub(super) fn read(&mut self, open: &record::FileOpen, tid: u32, event: Option<&Event>) {
        if open.counted_ns != 0 && self.events.len() < 2 * MAX_REPEATS as usize {
            self.events.insert((open.counted_ns, tid), event.cloned().map(Box::new));
        }
    }

    /// Appends an event for each open that was done again.
    pub(super) fn over(&mut self, over: &Over, clock: &Clock, out: &mut Vec<Event>) {
        for Repeat { of, repeats } in &over.repeats {
            let first = match self.events.remove(&(repeats.counted_ns, repeats.tid)) {
                Some(None) => continue,
                Some(Some(first)) => *first,
                None => unknown(of, repeats),
            };
            out.push(again(first, repeats, clock));
        }
        self.events.retain(|(counted_ns, _), _| *counted_ns >= over.before_ns);
    }
}

/// The same event at the moment of the last repeat.
fn again(first: Event, repeats: &Repeats, clock: &Clock) -> Event {
    let stamp = Stamp { boot_ns: repeats.last_ns, cpu: 0, sequence: 0 };
    let since_ns = clock.wall_ns(repeats.counted_ns).0;
    let body = first.body.map(|body| match body {
        Body::FileOpen(open) => {
            Body::FileOpen(FileOpen { repeats: Some(FileRepeats { count: repeats.count, since_ns }), ..open })
        }
        other => other,
    });
    Event { actor: first.actor, body, ..stamp.bare(clock) }
}

/// What the kernel's entry says of a first open whose record did not arrive.
fn unknown(of: &Repeated, repeats: &Repeats) -> Event {
    let object = FileObject { device: of.device, inode: of.inode, generation: of.generation, ..FileObject::default() };
    let actor = Actor {
        process: Some(ProcessKey { pid: of.pid, start_ns: of.start_ns }),
        tid: repeats.tid,
        cgroup_id: of.cgroup_id,
        origin: Some(Origin::Unknown(UnknownOrigin::Unspecified.into())),
        ..Actor::default()
    };
    let open = FileOpen { truncated: true, flags: of.flags, object: Some(object), ..FileOpen::default() };
    Event { actor: Some(actor), body: Some(Body::FileOpen(open)), ..Event::default() }
}

#[cfg(test)]
mod tests {
    use zerocopy::FromZeros;

    use super::*;
    use crate::observe::node_event::sources;

    /// What became of the record of the first.
    enum First {
        Lost,
        NoEvent,
        Told(&'static str),
    }

    /// Repeats of an open; gives a line for each event.
    fn check(first: &First, before_ns: u64) -> (Vec<String>, Firsts) {
        let clock = Clock::standing(1_000_000, 1_000);
        let mut firsts = Firsts::default();
        let record = record::FileOpen { counted_ns: 2_000, ..record::FileOpen::new_zeroed() };
        let told = |path: &str| {
            let open = FileOpen { path: path.into(), flags: 1, ..FileOpen::default() };
            Event { position: 5, cpu_sequence: 7, body: Some(Body::FileOpen(open)), ..Event::default() }
        };
        match first {
            First::Lost => {}
            First::NoEvent => firsts.read(&record, 12, None),
            First::Told(path) => firsts.read(&record, 12, Some(&told(path))),
        }
        let of = Repeated { inode: 33, flags: 1, pid: 11, ..Repeated::new_zeroed() };
        let repeats = Repeats { counted_ns: 2_000, count: 4, last_ns: 9_000, tid: 12, reserved: 0 };
        let mut out = Vec::new();
        firsts.over(&Over { repeats: vec![Repeat { of, repeats }], before_ns }, &clock, &mut out);
        (out.iter().map(line).collect(), firsts)
    }

    fn line(event: &Event) -> String {
        let Some(Body::FileOpen(open)) = &event.body else { panic!("an open becomes an open") };
        let again = open.repeats.expect("it says how often");
        let path = String::from_utf8_lossy(&open.path);
        let (boot, since, number) = (event.boot_ns, again.since_ns, event.cpu_sequence);
        assert_eq!(sources(event), [None, None], "rules saw the first");
        let inode = open.object.as_ref().map_or(0, |object| object.inode);
        format!("{boot} {number} {path} inode {inode} flags {} {} times since {since}", open.flags, again.count)
    }

    #[test]
    fn what_was_counted_is_the_first_event_once_more() {
        let (lines, firsts) = check(&First::Told("/a"), 0);
        assert_eq!(lines, ["9000 0 /a inode 0 flags 1 4 times since 1001000"]);
        assert!(firsts.events.is_empty());
    }

    #[test]
    fn repeats_of_what_is_no_event_are_none() {
        assert_eq!(check(&First::NoEvent, 0).0, [""; 0]);
    }

    #[test]
    fn repeats_whose_first_was_lost_are_told_by_their_inode() {
        assert_eq!(check(&First::Lost, 0).0, ["9000 0  inode 33 flags 1 4 times since 1001000"]);
    }

    #[test]
    fn a_first_is_forgotten_when_its_window_is_over() {
        let mut firsts = Firsts::default();
        let record = record::FileOpen { counted_ns: 2_000, ..record::FileOpen::new_zeroed() };
        firsts.read(&record, 12, None);
        let mut over = Over { repeats: Vec::new(), before_ns: 2_000 };
        firsts.over(&over, &Clock::standing(1_000_000, 1_000), &mut Vec::new());
        assert_eq!(firsts.events.len(), 1);
        over.before_ns = 2_001;
        firsts.over(&over, &Clock::standing(1_000_000, 1_000), &mut Vec::new());
        assert!(firsts.events.is_empty());
    }
}
