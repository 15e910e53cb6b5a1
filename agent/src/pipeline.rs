//! The hot path, on one thread: record → decode → origin → observe → log → rules. Takes a record's bytes, wherever they come from
//! (a ring or a recording); every event it makes of them has a position in the log before anybody is told. Never waits for the
//! network, the responder or the disk's platter.

use std::fs::File;
use std::path::PathBuf;

use ebpf_common::Class;
use proto::v1::{Event, Loss, LossReason};

use crate::accounting::{Accounting, Books};
use crate::canary::Sighted;
use crate::clock::Clock;
use crate::decode::{Body, Record, decode};
use crate::health::{Counter, Health};
use crate::kernel::{Over, Quiet, Told};
use crate::log::Log;
use crate::loss::Ledger;
use crate::observe::Observer;
use crate::recording::Writer;

/// Records that could not be decoded are kept as bytes, for whoever looks for the reason. So many are enough for that, and bound
/// what somebody who can make them may fill.
const MALFORMED_KEPT: u64 = 64;

/// The hot path and what it works with. `C` is told each event, with its position and what is known at that moment.
pub struct Pipeline<C> {
    observer: Observer,
    ledger: Ledger,
    accounting: Accounting,
    log: Log,
    clock: Clock,
    health: Health,
    on_event: C,
    canary: Sighted,
    malformed: Malformed,
    /// Kept between records: its room is reused.
    events: Vec<Event>,
}

/// Where records go that could not be decoded.
struct Malformed {
    path: PathBuf,
    kept: u64,
    writer: Option<Writer<File>>,
}

/// What the kernel lost of one class for one reason since the last look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lost {
    /// The records' class.
    pub class: Class,
    /// Why.
    pub reason: LossReason,
    /// How many.
    pub count: u64,
}

impl<C: FnMut(&Event, &Observer)> Pipeline<C> {
    /// A pipeline that writes to `log`. Records that cannot be decoded are kept at `malformed`.
    pub fn new(observer: Observer, log: Log, clock: Clock, health: Health, malformed: PathBuf, on_event: C) -> Self {
        let malformed = Malformed { path: malformed, kept: 0, writer: None };
        let (ledger, accounting) = (Ledger::new(&clock), Accounting::new(&clock));
        Self {
            observer,
            ledger,
            accounting,
            log,
            clock,
            health,
            on_event,
            canary: Sighted::default(),
            malformed,
            events: Vec::new(),
        }
    }

    /// Records of the agent's own canary are told to it, and make no event.
    #[must_use]
    pub fn with_canary(self, canary: Sighted) -> Self {
        Self { canary, ..self }
    }

    /// What runs already becomes known; to be called after the kernel's hooks are attached, before the first record.
    pub fn seed(&mut self) {
        let mut events = std::mem::take(&mut self.events);
        self.observer.seed(&self.clock, &mut events);
        self.events = events;
        self.pass_on();
    }

    /// Takes one record.
    pub fn record(&mut self, bytes: &[u8]) {
        match decode(bytes) {
            Ok(record) => {
                let class = Class::from_number(record.header.class).map_or(crate::loss::ALL, Class::name);
                self.ledger.sequence(class, u32::from(record.header.cpu), record.header.sequence);
                if self.canary.takes(&record.header, crate::canary::number(&record)) {
                    self.health.count(Counter::Canary);
                    self.accounting.read(&record.header, false);
                    return;
                }
                self.observer.observe(&record, &self.clock, &mut self.events);
                let told = self.events.iter().any(|event| event.cpu_sequence == record.header.sequence);
                self.accounting.read(&record.header, told);
                if let Body::CgroupGone(gone) = &record.body {
                    self.accounting.cgroup_gone(gone.fixed.id);
                }
                self.pass_on();
            }
            Err(error) => {
                self.health.count(Counter::Malformed);
                self.ledger.malformed(1);
                tracing::warn!(%error, bytes = bytes.len(), "a record could not be decoded");
                let boot_id = self.log.identity().boot_id;
                self.malformed.keep(bytes, boot_id, &self.clock);
            }
        }
    }

    /// Takes a record that the agent made in place of one that was lost: it has no number of the kernel's.
    pub fn made(&mut self, record: &Record<'_>) {
        self.observer.observe(record, &self.clock, &mut self.events);
        self.pass_on();
    }

    /// Takes an event that a part of the agent made.
    pub fn event(&mut self, event: Event) {
        self.events.push(event);
        self.pass_on();
    }

    /// Once a second or so: what was lost, what became of the rest and what became known becomes events, and the clock is looked at.
    pub fn settle(&mut self, lost: &[Lost], books: Books<'_>) {
        for lost in lost {
            self.ledger.kernel(lost.class.name(), lost.reason, lost.count);
        }
        if let Some(jump) = self.clock.check() {
            self.health.count(Counter::ClockJumps);
            tracing::warn!(moved_ns = jump.moved_ns, boot_ns = jump.boot_ns, "the wall clock was moved");
        }
        self.observer.settle(&self.clock, &mut self.events);
        self.events.extend(self.ledger.report(&self.clock));
        self.pass_on();
        let containers = self.observer.origin().containers();
        let container = |id: u64| containers.container(id).map(|container| container.id.as_str());
        self.events.extend(self.accounting.report(books, &self.clock, container));
        if let Some(position) = self.pass_on() {
            self.accounting.reported_at(position);
        }
    }

    /// Nothing was recorded for a while, nobody knows of how much.
    pub fn away(&mut self, quiet: Quiet) {
        let wall_ns = |boot_ns| self.clock.wall_ns(boot_ns).0;
        let mut loss = Loss { class: crate::loss::ALL.to_owned(), ..Loss::default() };
        loss.set_reason(LossReason::AgentAway);
        (loss.from_ns, loss.to_ns) = (wall_ns(quiet.from_ns), wall_ns(quiet.to_ns));
        self.event(crate::loss::event(&self.clock, loss));
    }

    /// The records that come now are of tables that were made anew: their numbers and accounts begin somewhere.
    pub fn numbers_begin_anew(&mut self) {
        self.ledger.begin_anew();
        self.accounting.forget_reads();
    }

    /// What agents before this one told of the kernel's accounts is not told again.
    pub fn resume_accounts(&mut self, told: Vec<(u64, Told)>) {
        self.accounting.resume(told);
    }

    /// What the last reports told of the accounts, for the next agent.
    pub fn take_told(&mut self) -> Vec<(u64, Option<Told>)> {
        self.accounting.take_changed()
    }

    /// Takes what the kernel counted after it had told the first. Rules saw that one, and are not asked again.
    pub fn repeated(&mut self, over: &Over) {
        self.observer.repeated(over, &self.clock, &mut self.events);
        for mut event in self.events.drain(..) {
            self.log.append(&mut event);
        }
    }

    /// Cgroups whose removal was told since the last question.
    pub fn take_gone(&mut self) -> Vec<u64> {
        self.accounting.take_gone()
    }

    /// What is known of processes and containers.
    pub fn observer(&self) -> &Observer {
        &self.observer
    }

    /// Gives the position of the last one.
    fn pass_on(&mut self) -> Option<u64> {
        let mut last = None;
        for mut event in self.events.drain(..) {
            last = Some(self.log.append(&mut event));
            (self.on_event)(&event, &self.observer);
        }
        last
    }
}

impl Malformed {
    fn keep(&mut self, bytes: &[u8], boot_id: [u8; 16], clock: &Clock) {
        if self.kept >= MALFORMED_KEPT {
            return;
        }
        self.kept += 1;
        let written = match &mut self.writer {
            Some(writer) => writer.record(bytes),
            None => File::create(&self.path).and_then(|file| {
                let writer = self.writer.insert(Writer::new(file, boot_id, clock.now())?);
                writer.record(bytes)
            }),
        };
        if let Err(error) = written {
            tracing::warn!(%error, path = %self.path.display(), "a malformed record could not be kept");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ebpf_common::header::{Header, Kind, VERSION};
    use ebpf_common::record::{Exit, Fork};
    use proto::v1::event::Body;
    use zerocopy::{FromZeros, IntoBytes};

    use super::*;
    use crate::log::{LogOptions, events};
    use crate::origin::{Origin, Settings};
    use crate::recording::Reader;

    fn record(kind: Kind, sequence: u64, body: &[u8]) -> Vec<u8> {
        let header = Header {
            length: u32::try_from(size_of::<Header>() + body.len()).expect("small"),
            kind: kind as u16,
            class: Class::Process as u8,
            version: VERSION,
            body: u16::try_from(body.len()).expect("small"),
            sequence,
            boot_ns: 1_000 + sequence,
            pid: 42,
            tid: 42,
            start_ns: 7,
            ..Header::new_zeroed()
        };
        [header.as_bytes(), body].concat()
    }

    /// Runs records through a pipeline on a machine that has nothing; gives the bodies in the log, a word each.
    fn check(records: &[Vec<u8>]) -> (Vec<String>, tempfile::TempDir) {
        let folder = tempfile::tempdir().expect("a folder");
        let clock = Clock::standing(1_790_000_000_000_000_000, 1_000_000);
        let options = LogOptions {
            folder: folder.path().join("log"),
            max_bytes: 1 << 30,
            max_age: Duration::from_hours(1),
            block_bytes: 64 << 10,
            block_age: Duration::from_millis(200),
            level: 1,
            awaits_sender: true,
        };
        let log = Log::open(options, [1; 16], &clock).expect("opens");
        let nowhere = folder.path().join("nothing");
        let settings =
            Settings { proc: nowhere.clone(), host: nowhere.clone(), cgroups: Some(nowhere), ..Settings::default() };
        let mut told = 0;
        let malformed = folder.path().join("malformed");
        let on_event = |event: &Event, _: &Observer| told = event.position;
        let observer = Observer::new(Origin::new(settings));
        let mut pipeline = Pipeline::new(observer, log.clone(), clock, Health::default(), malformed, on_event);
        for bytes in records {
            pipeline.record(bytes);
        }
        for _ in 0..3 {
            pipeline.settle(&[], Books::NONE);
        }
        assert_eq!(told, log.newest(), "each event is told with its position");
        let sealed = { log.seal(Duration::from_hours(1)).expect("seals") };
        let mut bytes = Vec::new();
        sealed.write_to(&mut bytes).expect("a vector grows");
        let read = crate::log::segment::read_blocks(&bytes).expect("whole");
        let all = read.blocks.iter().flat_map(|block| events(&block.frame, block.payload).expect("whole"));
        (all.map(|event| word(&event)).collect(), folder)
    }

    fn word(event: &Event) -> String {
        match &event.body {
            Some(Body::Fork(_)) => String::from("fork"),
            Some(Body::Exit(_)) => String::from("exit"),
            Some(Body::Loss(loss)) => format!("{} {} {}", loss.reason().as_str_name(), loss.class, loss.count),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn records_become_events_in_their_order() {
        let fork = Fork { child_start_ns: 9, child_pid: 43, child_parent_pid: 42 };
        let records =
            [record(Kind::Fork, 1, fork.as_bytes()), record(Kind::Exit, 2, Exit { code: 0, signal: 9 }.as_bytes())];
        assert_eq!(check(&records).0, ["fork", "exit"]);
    }

    #[test]
    fn a_record_that_cannot_be_decoded_is_a_loss_and_its_bytes_are_kept() {
        let (words, folder) = check(&[vec![0xff; 100], vec![1, 2, 3]]);
        assert_eq!(words, ["LOSS_REASON_MALFORMED all 2"]);
        let file = std::fs::read(folder.path().join("malformed")).expect("kept");
        let mut kept = Reader::new(file.as_slice()).expect("a recording");
        assert_eq!(kept.next_record().expect("whole"), Some(&[0xff; 100][..]));
        assert_eq!(kept.next_record().expect("whole"), Some(&[1, 2, 3][..]));
    }

    #[test]
    fn a_hole_in_the_sequence_is_a_loss() {
        let exit = Exit { code: 0, signal: 0 };
        let records = [record(Kind::Exit, 1, exit.as_bytes()), record(Kind::Exit, 5, exit.as_bytes())];
        assert_eq!(check(&records).0, ["exit", "exit", "LOSS_REASON_SEQUENCE_GAP process 3"]);
    }
}
