//! How fast one core takes records to the log, and how large they are there. Takes nothing; prints a JSON object a line:
//! `{"name", "value", "unit", "goal", "met"}`. The records are made as the kernel programs make them, of a node with forty
//! containers: processes that start, write files, connect and end, in the proportions of a build server. The built-in rules are
//! asked about every event. Rates are per second of processor time: one core, whatever else runs beside.

mod records;

use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use agent::clock::Clock;
use agent::health::{Health, usage};
use agent::log::{Log, LogOptions};
use agent::observe::Observer;
use agent::origin::{Origin, Settings};
use agent::pipeline::Pipeline;
use agent::respond::held::Guard;
use agent::respond::{Limits, Triggers};
use proto::v1::Event;
use records::Node;

/// Records of one run; a few seconds of work.
const RECORDS: usize = 1_500_000;

/// Between two looks at the clock of the log.
const BATCH: usize = 4096;

fn main() {
    let folder = tempfile::tempdir().expect("a folder for the log");
    let clock = Clock::system();
    let log = Log::open(options(&folder), [1; 16], &clock).expect("an empty folder");
    let nowhere = folder.path().join("nothing");
    let settings = Settings {
        proc: nowhere.clone(),
        host: nowhere.clone(),
        cgroups: Some(nowhere.clone()),
        ..Settings::default()
    };
    let observer = Observer::new(Origin::new(settings));
    let (engine, errors) = rules::Engine::load_small(rules::overlay(rules::node_content(), Vec::new()));
    assert!(errors.is_empty(), "the built-in rules load: {errors:?}");
    let guard = Guard::new(Path::new("/proc"), &[]);
    // The processes of these records are nobody's: matches are counted, and nothing is done.
    let mut triggers = Triggers::new(engine, Limits { acts: false, ..Limits::new(guard, clock.clone()) });
    let matches = Rc::new(Cell::new(0_u64));
    let counted = Rc::clone(&matches);
    let on_event = move |event: &Event, observer: &Observer| {
        if triggers.check(event, observer).is_some() {
            counted.set(counted.get() + 1);
        }
    };
    let mut pipeline = Pipeline::new(observer, log.clone(), clock.clone(), Health::default(), nowhere, on_event);
    let mut node = Node::new(clock.now().boot_ns);
    node.containers(|record| pipeline.record(record));

    let (mut records, mut taken, mut batch) = (0, Duration::ZERO, Vec::new());
    while records < RECORDS {
        node.batch(BATCH, &mut batch);
        let begin = processor_time();
        for record in &batch {
            pipeline.record(record);
        }
        log.tick();
        taken += processor_time().saturating_sub(begin);
        records += batch.len();
    }
    log.close_block();
    let events = log.newest() as f64;
    print("agent: record to log, synthetic records", events / taken.as_secs_f64(), "events/s", 300_000.0, true);
    let bytes = log.counters().written_bytes as f64 / events;
    print("agent: on disk, synthetic records", bytes, "bytes/event", 60.0, false);
    print("agent: resident, this benchmark's own process", usage().0 as f64 / f64::from(1 << 20), "MiB", 64.0, false);
    eprintln!("{events} events, {} matches of built-in rules", matches.get());
    seal(&log);
}

/// How long it takes until the last five minutes are fixed, and until they lie in a file of their own.
fn seal(log: &Log) {
    let begin = Instant::now();
    let sealed = log.seal(Duration::from_mins(5)).expect("the log is readable");
    print("agent: recorder fixed, synthetic records", begin.elapsed().as_secs_f64() * 1e3, "ms", 5.0, false);
    let mut copy = Vec::new();
    let begin = Instant::now();
    sealed.write_to(&mut copy).expect("the segments are there");
    let rate = copy.len() as f64 / begin.elapsed().as_secs_f64() / f64::from(1 << 20);
    print("agent: recorder copied, synthetic records", rate, "MiB/s", 100.0, true);
}

/// Time that this thread had a core, in the kernel's part too. On a machine that others use as well, wall time measures them.
fn processor_time() -> Duration {
    let time = nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID).expect("every kernel counts it");
    Duration::from(time)
}

fn options(folder: &tempfile::TempDir) -> LogOptions {
    let level = std::env::var("MAYFLY_BENCH_LEVEL").ok().and_then(|level| level.parse().ok()).unwrap_or(1);
    LogOptions {
        folder: folder.path().join("log"),
        max_bytes: 2 << 30,
        max_age: Duration::from_hours(1),
        block_bytes: 256 << 10,
        block_age: Duration::from_millis(200),
        level,
        awaits_sender: true,
    }
}

fn print(name: &str, value: f64, unit: &str, goal: f64, more_is_better: bool) {
    let met = if more_is_better { value >= goal } else { value <= goal };
    println!("{}", serde_json::json!({ "name": name, "value": value, "unit": unit, "goal": goal, "met": met }));
}
