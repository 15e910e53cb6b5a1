//! What the running agent makes of a flood: the real program, its rings, origin, rules and log, while one thread of this process makes,
//! renames and removes files without a pause. Takes the agent's processor time from the kernel, all its threads in it; its events and
//! losses from its log. The agent sends to nobody: events stay where they are; no cgroup has a budget: all of the flood is read.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;
use proto::v1::event::Body;
use tests::world::agent::Agent;
use tests::world::place::Place;

use super::memory::Resident;
use super::{each_logged, print, print_at_least};

/// How long the flood lasts, and how long the agent then has for what still lies in the rings and in its open block.
const FLOOD: Duration = Duration::from_secs(4);
const DRAIN: Duration = Duration::from_millis(300);
/// Rounds between two looks at the clock; three records each.
const ROUNDS: u64 = 100;

pub(crate) fn measure() -> Result<()> {
    let place = Place::new("flood")?;
    // Not on a disk: its own work would make the flood a trickle.
    let files = tempfile::Builder::new().prefix("mayfly-").tempdir_in("/dev/shm").context("make a folder in memory")?;
    let mut agent = Agent::alone(&place, "[budget]\nfiles = 0")?;
    let mut process = agent.process.take().context("the agent runs")?;
    let id = Pid::from_raw(i32::try_from(process.id())?);
    let clock = clock_getcpuclockid(id).context("the agent's processor time")?;

    let (begin, before) = (now(ClockId::CLOCK_BOOTTIME)?, now(clock)?);
    let made = flood(files.path())?;
    let flooded = now(ClockId::CLOCK_BOOTTIME)?;
    std::thread::sleep(DRAIN);
    let (end, after) = (now(ClockId::CLOCK_BOOTTIME)?, now(clock)?);
    let resident = Resident::of(id)?;
    process.signal(Signal::SIGTERM)?;
    process.wait()?;

    let (mut logged, mut lost) = (0_u64, 0);
    each_logged(&agent.data, |event| match event.body {
        Some(Body::Loss(told)) => {
            eprintln!("lost: {} {} {}", told.class, told.reason().as_str_name(), told.count);
            lost += told.count;
        }
        _ => logged += u64::from((begin..=end).contains(&Duration::from_nanos(event.boot_ns))),
    })?;
    ensure!(logged + lost >= made, "{made} records were made, {logged} events are logged and {lost} lost");
    let taken = after.saturating_sub(before).as_secs_f64();
    eprintln!("{made} records in {:.2} s; {taken:.2} s of the agent", flooded.saturating_sub(begin).as_secs_f64());
    let rate = "agent, running: ring to log, events per second of processor time";
    print_at_least(rate, logged as f64 / taken, "events/s", 300_000.0);
    print("agent, running: events of the flood", logged as f64, "events", None);
    print("agent, running: records lost in the flood", lost as f64, "records", None);
    print("agent, running: resident at most since its start", resident.most, "MiB", Some(64.0));
    print("agent, running: resident after the flood", resident.now, "MiB", None);
    Ok(())
}

/// Makes, renames and removes files; gives how many records the kernel programs have to tell of it.
fn flood(folder: &Path) -> Result<u64> {
    let begun = Instant::now();
    let mut rounds = 0_u64;
    while begun.elapsed() < FLOOD {
        for _ in 0..ROUNDS {
            round(folder, rounds)?;
            rounds += 1;
        }
    }
    Ok(3 * rounds)
}

/// Makes, renames and removes one file: three records.
pub(crate) fn round(folder: &Path, number: u64) -> Result<()> {
    let path = folder.join(format!("object-{number:x}.o.tmp"));
    let done = folder.join(format!("object-{number:x}.o"));
    drop(File::create(&path)?);
    fs::rename(&path, &done)?;
    fs::remove_file(&done)?;
    Ok(())
}

pub(crate) fn now(clock: ClockId) -> Result<Duration> {
    Ok(clock_gettime(clock)?.into())
}
