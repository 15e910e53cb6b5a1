//! What the running agent takes of a machine at a steady rate of events: processor and memory, at two rates and with nothing to do.
//! Takes the agent's processor time from the kernel, all its threads in it. The agent sends to nobody, and no cgroup has a budget.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;
use tests::world::agent::Agent;
use tests::world::place::Place;

use super::flooded::{now, round};
use super::memory::Resident;
use super::print;

/// How long each rate is held.
const SPAN: Duration = Duration::from_secs(10);
/// What is offered comes in portions, this far apart.
const PORTION: Duration = Duration::from_millis(10);
/// Records of one round.
const RECORDS: u64 = 3;

/// Events a second, and what they may take: cores, and MiB at most.
const RATES: [(u64, f64, f64); 3] = [(0, 0.01, 64.0), (10_000, 0.1, 64.0), (100_000, 0.6, 128.0)];

pub(crate) fn measure() -> Result<()> {
    RATES.into_iter().try_for_each(|(rate, cores, memory)| one(rate, cores, memory))
}

fn one(rate: u64, cores: f64, memory: f64) -> Result<()> {
    let place = Place::new("pace")?;
    let files = tempfile::Builder::new().prefix("mayfly-").tempdir_in("/dev/shm").context("make a folder in memory")?;
    let mut agent = Agent::alone(&place, "[budget]\nfiles = 0")?;
    let mut process = agent.process.take().context("the agent runs")?;
    let id = Pid::from_raw(i32::try_from(process.id())?);
    let clock = clock_getcpuclockid(id).context("the agent's processor time")?;
    let before = now(clock)?;
    let begun = Instant::now();
    let made = offer(rate, files.path())?;
    let (taken, elapsed) = (now(clock)?.saturating_sub(before), begun.elapsed());
    let resident = Resident::of(id)?;
    process.signal(Signal::SIGTERM)?;
    process.wait()?;
    let offered = made as f64 / elapsed.as_secs_f64();
    ensure!(rate == 0 || offered > 0.8 * rate as f64, "only {offered:.0} of {rate} records a second were made");
    let name = |what: &str| format!("agent, {rate} events/s offered: {what}");
    print(&name("cores"), taken.as_secs_f64() / elapsed.as_secs_f64(), "cores", Some(cores));
    print(&name("resident at most since its start"), resident.most, "MiB", Some(memory));
    print(&name("resident"), resident.now, "MiB", None);
    Ok(())
}

/// Makes records at this rate; gives how many.
fn offer(rate: u64, folder: &Path) -> Result<u64> {
    let begun = Instant::now();
    let mut rounds = 0;
    while begun.elapsed() < SPAN {
        let due = begun.elapsed().as_secs_f64() * rate as f64 / RECORDS as f64;
        while (rounds as f64) < due {
            round(folder, rounds)?;
            rounds += 1;
        }
        std::thread::sleep(PORTION);
    }
    Ok(rounds * RECORDS)
}
