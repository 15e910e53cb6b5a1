//! The log as its users see it: opened, filled, torn, filled up, sealed, delivered from. One [`Bench`] makes a folder, a clock and
//! a disk that can be made to refuse.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use proto::v1::{FileUnlink, Loss, event::Body};

use super::*;
use crate::clock::Clock;

const BOOT: [u8; 16] = [7; 16];
const START: u64 = 1_790_000_000_000_000_000;

/// A disk with so much room.
#[derive(Debug)]
struct SmallDisk {
    room: AtomicU64,
}

impl Disk for SmallDisk {
    fn create(&self, path: &Path) -> io::Result<File> {
        disk::NodeDisk.create(path)
    }

    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        let room = self.room.load(Ordering::Relaxed);
        let fits = usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len());
        // A full disk takes a part first: that part must not confuse anybody later.
        disk::NodeDisk.write_at(file, &bytes[..fits], offset)?;
        self.room.store(room - fits as u64, Ordering::Relaxed);
        if fits < bytes.len() { Err(io::Error::from(io::ErrorKind::StorageFull)) } else { Ok(()) }
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        disk::NodeDisk.sync(file)
    }
}

/// `SplitMix64`: bytes that zstd finds nothing in.
fn mixed(number: u64) -> u64 {
    let number = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}

struct Bench {
    folder: tempfile::TempDir,
    clock: Clock,
    disk: Arc<SmallDisk>,
    options: LogOptions,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let options = LogOptions {
            folder: folder.path().join("log"),
            max_bytes: 1 << 30,
            max_age: Duration::from_hours(1),
            block_bytes: 4 << 10,
            block_age: Duration::from_millis(200),
            level: 1,
            awaits_sender: true,
        };
        let disk = Arc::new(SmallDisk { room: AtomicU64::new(1 << 40) });
        Self { folder, clock: Clock::standing(START, 1_000_000_000_000), disk, options }
    }

    fn open(&self) -> Log {
        Log::open_on(self.options.clone(), BOOT, &self.clock, Arc::clone(&self.disk) as Arc<dyn Disk>).expect("opens")
    }

    fn append(&self, log: &Log, count: u64) {
        for _ in 0..count {
            let now = self.clock.now();
            // Incompressible, so that the bounds are met.
            let path = (0..40).flat_map(|at| mixed((log.newest() << 8) + at).to_be_bytes());
            let body = Body::FileUnlink(FileUnlink { path: path.collect(), ..FileUnlink::default() });
            let mut event = Event { time_ns: now.wall_ns, boot_ns: now.boot_ns, body: Some(body), ..Event::default() };
            log.append(&mut event);
        }
    }

    fn segments(&self) -> Vec<PathBuf> {
        recover::segment_paths(&self.options.folder).expect("the folder is there")
    }
}

/// All events that a sender would get after `position`, with the chain checked.
fn delivered(log: &Log, mut position: u64) -> Vec<Event> {
    log.sync();
    let mut all = Vec::new();
    let mut link: Option<Vec<u8>> = None;
    while let Some(block) = log.block_after(position).expect("readable") {
        if block.first_position == position + 1 {
            assert!(link.is_none_or(|link| link == block.previous), "the chain holds where positions do");
        }
        let frame = segment::Frame {
            payload_bytes: 0,
            first_position: block.first_position,
            count: block.count,
            raw_bytes: block.raw_bytes,
            first_ns: 0,
            last_ns: 0,
            previous: proto::link::GENESIS,
            link: proto::link::GENESIS,
        };
        all.extend(events(&frame, &block.payload).expect("whole"));
        position = block.first_position + u64::from(block.count) - 1;
        link = Some(block.link);
    }
    all
}

fn losses(events: &[Event]) -> Vec<Loss> {
    events
        .iter()
        .filter_map(|event| if let Some(Body::Loss(loss)) = &event.body { Some(loss.clone()) } else { None })
        .collect()
}

fn positions(events: &[Event]) -> Vec<u64> {
    events.iter().map(|event| event.position).collect()
}

#[test]
fn positions_are_dense_and_go_on_after_a_restart() {
    let bench = Bench::new();
    for _ in 0..3 {
        let log = bench.open();
        bench.append(&log, 10);
        log.finish();
    }
    let log = bench.open();
    assert_eq!(positions(&delivered(&log, 0)), (1..=30).collect::<Vec<u64>>());
}

#[test]
fn a_killed_agent_loses_its_open_block_and_says_so() {
    let bench = Bench::new();
    let log = bench.open();
    bench.append(&log, 100);
    let written = positions(&delivered(&log, 0)).len() as u64;
    assert!(written > 0 && written < 100, "some blocks closed, one is open");
    drop(log);
    let log = bench.open();
    log.close_block();
    let events = delivered(&log, 0);
    assert_eq!(positions(&events), (1..=written + 1).collect::<Vec<u64>>());
    assert_eq!(losses(&events)[0].reason(), LossReason::TornWrite);
}

#[test]
fn a_tail_torn_at_any_byte_is_cut_off_and_is_a_loss() {
    let bench = Bench::new();
    let log = bench.open();
    bench.append(&log, 1);
    log.close_block();
    let after_one = std::fs::metadata(&bench.segments()[0]).expect("there").len();
    bench.append(&log, 1);
    log.finish();
    let path = bench.segments()[0].clone();
    let bytes = std::fs::read(&path).expect("there");
    for length in (after_one..bytes.len() as u64).step_by(3) {
        let length = usize::try_from(length).expect("small");
        for extra in bench.segments() {
            std::fs::remove_file(extra).expect("removable");
        }
        std::fs::write(&path, &bytes[..length]).expect("writable");
        let log = bench.open();
        bench.append(&log, 1);
        log.finish();
        let events = delivered(&log, 0);
        let torn = usize::from(length as u64 != after_one);
        assert_eq!(losses(&events).len(), torn, "torn at {length}");
        assert_eq!(positions(&events), (1..=2 + torn as u64).collect::<Vec<u64>>());
    }
}

#[test]
fn a_flipped_byte_on_disk_is_passed_over_and_is_a_loss_with_positions() {
    let bench = Bench::new();
    let log = bench.open();
    for _ in 0..3 {
        bench.append(&log, 5);
        log.close_block();
    }
    log.sync();
    let path = bench.segments()[0].clone();
    let mut bytes = std::fs::read(&path).expect("there");
    let second = segment::HEADER_BYTES
        + segment::FRAME_BYTES
        + segment::read_block(&bytes[segment::HEADER_BYTES..]).expect("whole").payload.len();
    bytes[second + segment::FRAME_BYTES + 9] ^= 1;
    std::fs::write(&path, bytes).expect("writable");
    delivered(&log, 0);
    log.tick();
    log.close_block();
    let events = delivered(&log, 0);
    let loss = &losses(&events)[0];
    assert_eq!((loss.first_position, loss.last_position, loss.count), (6, 10, 5));
    assert!(events.iter().all(|event| !(6..=10).contains(&event.position)));
}

#[test]
fn the_size_bound_drops_the_oldest_and_unsent_ones_are_a_loss() {
    let mut bench = Bench::new();
    bench.options.max_bytes = 512 << 10;
    let log = bench.open();
    bench.append(&log, 4_000);
    log.tick();
    log.close_block();
    assert!(log.bytes() <= 640 << 10, "{} bytes", log.bytes());
    let events = delivered(&log, 0);
    let lost: u64 = losses(&events).iter().map(|loss| loss.count).sum();
    let first = events[0].position;
    assert!(first > 1);
    let named: u64 = losses(&events).iter().map(|loss| loss.last_position - loss.first_position + 1).sum();
    assert_eq!(lost, named);
    assert!(lost >= first - 1 - log.counters().dropped_segments && lost > 0);
    assert!(losses(&events).iter().all(|loss| loss.reason() == LossReason::LogFull));
}

#[test]
fn what_was_delivered_is_dropped_by_age_without_a_loss() {
    let bench = Bench::new();
    let log = bench.open();
    for _ in 0..30 {
        bench.append(&log, 10);
        bench.clock.advance(Duration::from_secs(301));
        log.tick();
    }
    assert_eq!(log.oldest(), 1, "nothing is dropped by age before it is delivered");
    log.acknowledge(300);
    log.tick();
    assert!(log.oldest() > 100, "older than an hour is gone: {}", log.oldest());
    log.close_block();
    assert_eq!(losses(&delivered(&log, 0)), []);
}

#[test]
fn a_full_disk_is_waited_for_and_loses_nothing_while_memory_lasts() {
    let bench = Bench::new();
    let log = bench.open();
    bench.append(&log, 10);
    log.close_block();
    bench.disk.room.store(1_000, Ordering::Relaxed);
    bench.append(&log, 500);
    log.close_block();
    assert!(log.counters().write_failures > 0);
    bench.disk.room.store(1 << 30, Ordering::Relaxed);
    log.tick();
    log.close_block();
    assert_eq!(positions(&delivered(&log, 0)), (1..=510).collect::<Vec<u64>>());
}

#[test]
fn a_disk_that_stays_full_loses_the_oldest_and_says_so_when_it_can() {
    let bench = Bench::new();
    let log = bench.open();
    bench.append(&log, 10);
    log.close_block();
    bench.disk.room.store(0, Ordering::Relaxed);
    bench.append(&log, 40_000);
    log.close_block();
    bench.disk.room.store(1 << 40, Ordering::Relaxed);
    log.tick();
    log.close_block();
    let events = delivered(&log, 0);
    let loss = losses(&events).into_iter().next().expect("something was dropped");
    assert_eq!((loss.reason(), loss.first_position), (LossReason::LogWrite, 11));
    assert_eq!(loss.count, loss.last_position - loss.first_position + 1);
    assert_eq!(events.len() as u64 + loss.count, log.newest(), "each position is there or named as lost");
    // And the next agent reads over the hole.
    log.finish();
    drop(log);
    let again = bench.open();
    assert_eq!(delivered(&again, 0).len(), events.len());
}

#[test]
fn the_last_minutes_are_sealed_with_the_event_that_asked_for_it() {
    let bench = Bench::new();
    let log = bench.open();
    for _ in 0..20 {
        bench.append(&log, 20);
        bench.clock.advance(Duration::from_mins(1));
        log.tick();
    }
    bench.append(&log, 1);
    let sealed = log.seal(Duration::from_mins(5)).expect("seals");
    assert_eq!(sealed.last_position, 401);
    assert!((281..=301).contains(&sealed.first_position), "five minutes: {}", sealed.first_position);
    let mut bytes = Vec::new();
    assert_eq!(sealed.write_to(&mut bytes).expect("writes"), bytes.len() as u64);
    let read = segment::read_blocks(&bytes).expect("a recording is a segment");
    assert_eq!((read.damage, read.blocks.len()), (None, sealed.blocks));
    let mut previous = read.header.previous;
    for block in &read.blocks {
        assert_eq!(block.frame.previous, previous);
        previous = block.frame.link;
    }
}

#[test]
fn moving_the_wall_clock_does_not_hide_the_last_minutes() {
    let bench = Bench::new();
    let log = bench.open();
    bench.append(&log, 5);
    log.close_block();
    bench.clock.set_wall(START + 7_200_000_000_000);
    let sealed = log.seal(Duration::from_mins(5)).expect("seals");
    assert_eq!((sealed.first_position, sealed.last_position), (1, 5));
}

#[test]
fn a_sealed_recording_outlives_the_segments_it_came_from() {
    let bench = Bench::new();
    let log = bench.open();
    bench.append(&log, 50);
    let sealed = log.seal(Duration::from_mins(5)).expect("seals");
    for path in bench.segments() {
        std::fs::remove_file(path).expect("removable");
    }
    let mut bytes = Vec::new();
    sealed.write_to(&mut bytes).expect("the files are still open");
    assert_eq!(segment::read_blocks(&bytes).expect("whole").damage, None);
}

#[test]
fn an_unsynced_block_is_not_sent() {
    let bench = Bench::new();
    let log = bench.open();
    bench.append(&log, 5);
    log.close_block();
    assert_eq!(log.block_after(0).expect("readable"), None);
    log.sync();
    assert!(log.block_after(0).expect("readable").is_some());
}

#[test]
fn positions_that_the_collector_has_are_not_given_again() {
    let bench = Bench::new();
    let log = bench.open();
    bench.append(&log, 5);
    log.skip_to(100);
    bench.append(&log, 1);
    log.tick();
    log.close_block();
    let events = delivered(&log, 0);
    assert_eq!(positions(&events)[5..], [101, 102]);
    let loss = &losses(&events)[0];
    assert_eq!((loss.first_position, loss.last_position), (6, 100));
}

#[test]
fn a_log_that_was_removed_is_another_log() {
    let bench = Bench::new();
    let first = bench.open().identity().log_id;
    std::fs::remove_dir_all(bench.folder.path().join("log")).expect("removable");
    assert_ne!(bench.open().identity().log_id, first);
}

#[test]
fn an_event_over_the_limit_is_a_loss_and_takes_no_position() {
    let bench = Bench::new();
    let log = bench.open();
    let body = Body::FileUnlink(FileUnlink { path: vec![1; 40 << 10], ..FileUnlink::default() });
    assert_eq!(log.append(&mut Event { body: Some(body), ..Event::default() }), 0);
    log.tick();
    log.close_block();
    let events = delivered(&log, 0);
    assert_eq!((positions(&events), losses(&events)[0].reason()), (vec![1], LossReason::Oversize));
}
