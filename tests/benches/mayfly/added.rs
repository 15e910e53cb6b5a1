//! What the sensor adds to other programs' work: rounds with the real agent and rounds without it, in turns, in one run. Takes the
//! work's own processor time, so that what others do on the machine meanwhile is not in it; each round with an agent is held against
//! the two without one around it, and a row whose pairs differ among themselves by more than the goal leaves room for says that
//! it measured nothing. Beside each stands what the kernel counted in the programs themselves.
//!
//! The work has a CPU of its own and the agent the others, as on a machine with something to do. Starting and ending the agent is
//! never part of what is measured; it watches with everything on, as it does by default, and writes its log. What an exec or a
//! connection costs where it wakes the agent is measured in a cgroup that is named as a container's.

use std::cell::Cell;
use std::fs::{self, File};
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use agent::kernel::cgroup_root;
use anyhow::{Context, Result, ensure};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::Signal;
use nix::sys::time::TimeValLike;
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;
use proto::v1::event::Body;
use tempfile::TempDir;
use tests::world::agent::Agent;
use tests::world::place::Place;

use super::counted::Counted;
use super::floor::Idle;
use super::{each_logged, print, print_unmeasurable, quantile};

/// Rounds with an agent; one more are without.
const PAIRS: usize = 8;
/// Measures of each work in a round, of which the cheapest tenth counts: what is dearer met something that is not its own.
const STRETCHES: usize = 30;
const CHEAPEST: f64 = 0.1;
/// Stretches in which the kernel counts.
const COUNTED: u32 = 10;

/// What a work may cost more.
#[derive(Clone, Copy)]
enum Goal {
    /// Times what it costs without.
    Times(f64),
    /// Nanoseconds more.
    More(f64),
}

/// Who works.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    Host,
    Container,
}

/// One call, and how often it is made in a stretch.
struct Work {
    name: &'static str,
    who: Who,
    calls: u32,
    goal: Goal,
    call: fn(&Ground) -> Result<()>,
}

const WORKS: [Work; 7] = [
    work("spawn and wait", Who::Host, 10, Goal::Times(1.25), spawn),
    work("open and close, nothing told", Who::Host, 3_000, Goal::Times(1.3), open),
    work("create, write and close, in memory", Who::Host, 300, Goal::Times(1.2), create),
    work("connect and close, loopback", Who::Host, 100, Goal::Times(1.05), connect),
    work("getppid", Who::Host, 30_000, Goal::More(20.0), ask),
    work("spawn and wait, container", Who::Container, 10, Goal::Times(1.25), spawn),
    work("connect and close, loopback, container", Who::Container, 100, Goal::Times(1.05), connect),
];

/// The call that is of no interest.
const ASKING: usize = 4;

const fn work(name: &'static str, who: Who, calls: u32, goal: Goal, call: fn(&Ground) -> Result<()>) -> Work {
    Work { name, who, calls, goal, call }
}

type Round = [f64; WORKS.len()];

pub(crate) fn measure() -> Result<()> {
    let place = Place::new("added")?;
    let ground = Ground::prepare(&place)?;
    let cpus = Cpus::divide()?;
    let mut agent = None;
    let (mut without, mut with, mut own) = (vec![round(&ground)?], Vec::new(), Vec::new());
    for _ in 0..PAIRS {
        let running = cpus.beside(|| match agent.take() {
            None => Agent::alone(&place, ""),
            Some(mut stopped) => Agent::up(&mut stopped).map(|()| stopped),
        })?;
        with.push(round(&ground)?);
        own = own_time(&ground, &running)?;
        agent = Some(end(running)?);
        without.push(round(&ground)?);
    }
    for (number, (work, own)) in WORKS.iter().zip(own).enumerate() {
        let around = without.windows(2).map(|pair| f64::midpoint(pair[0][number], pair[1][number]));
        let pairs: Vec<(f64, f64)> = with.iter().map(|round| round[number]).zip(around).collect();
        tell(work, &pairs, own);
    }
    floor(&ground)?;
    let lost = lost(&agent.context("an agent ran")?.data)?;
    print("cost: records lost meanwhile", lost as f64, "records", Some(0.0));
    Ok(())
}

/// The rows of one work, from what it took with an agent and without.
fn tell(work: &Work, pairs: &[(f64, f64)], own: f64) {
    let name = format!("cost: {}", work.name);
    let mut more: Vec<f64> = pairs.iter().map(|(with, without)| with - without).collect();
    let mut times: Vec<f64> = pairs.iter().map(|(with, without)| with / without).collect();
    let mut alone: Vec<f64> = pairs.iter().map(|(_, without)| *without).collect();
    let (times_spread, more_spread) = (spread(&mut times), spread(&mut more));
    print(&format!("{name}, without the sensor"), quantile(&mut alone, 0.5), "ns", None);
    let (times, more) = (quantile(&mut times, 0.5), quantile(&mut more, 0.5));
    match work.goal {
        Goal::Times(goal) => {
            row(&format!("{name}, with it"), (times, times_spread), "times", (goal, goal - 1.0));
            print(&format!("{name}, added"), more, "ns", None);
        }
        Goal::More(goal) => row(&format!("{name}, added"), (more, more_spread), "ns", (goal, goal)),
    }
    print(&format!("{name}, in the programs themselves"), own, "ns", None);
}

/// A row with its spread, which must be smaller than the room that the goal leaves.
fn row(name: &str, (value, spread): (f64, f64), unit: &str, (goal, room): (f64, f64)) {
    if spread > room {
        print_unmeasurable(name, unit, goal);
    } else {
        print(name, value, unit, Some(goal));
    }
    print(&format!("{name}: spread of {PAIRS} pairs"), spread, unit, None);
}

/// Between the first and the last quarter of all.
fn spread(values: &mut [f64]) -> f64 {
    quantile(values, 0.75) - quantile(values, 0.25)
}

/// Nanoseconds of one call of each work.
fn round(ground: &Ground) -> Result<Round> {
    let mut round = Round::default();
    for (work, cheapest) in WORKS.iter().zip(&mut round) {
        ground.cgroup.enter(work.who)?;
        *cheapest = one(work, ground)?;
        ground.cgroup.enter(Who::Host)?;
    }
    Ok(round)
}

/// Nanoseconds of one call of a work.
fn one(work: &Work, ground: &Ground) -> Result<f64> {
    let mut stretches = Vec::with_capacity(STRETCHES);
    for _ in 0..STRETCHES {
        let begun = processor_time()?;
        stretch(work, ground)?;
        stretches.push((processor_time()? - begun) / f64::from(work.calls));
        ground.tidy()?;
    }
    Ok(quantile(&mut stretches, CHEAPEST))
}

/// What the kernel takes of a call of no interest for any tracepoint at all.
fn floor(ground: &Ground) -> Result<()> {
    let asking = &WORKS[ASKING];
    let mut more = Vec::with_capacity(PAIRS);
    for _ in 0..PAIRS {
        let without = one(asking, ground)?;
        let idle = Idle::hang()?;
        more.push(one(asking, ground)? - without);
        drop(idle);
    }
    print(&format!("cost: {}, added by one idle tracepoint", asking.name), quantile(&mut more, 0.5), "ns", None);
    Ok(())
}

fn stretch(work: &Work, ground: &Ground) -> Result<()> {
    (0..work.calls).try_for_each(|_| (work.call)(ground))
}

/// Nanoseconds of this thread and of the programs that it started and waited for.
fn processor_time() -> Result<f64> {
    let own = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?;
    let children = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let children = children.user_time().num_microseconds() + children.system_time().num_microseconds();
    Ok((own.num_nanoseconds() + children * 1000) as f64)
}

/// Nanoseconds that one call of each work spends in the agent's programs, as the kernel counts them while it is asked to.
fn own_time(ground: &Ground, agent: &Agent) -> Result<Vec<f64>> {
    let id = agent.process.as_ref().context("the agent runs")?.id();
    let counted = Counted::begin(id)?;
    WORKS.iter().map(|work| work_time(work, ground, &counted)).collect()
}

fn work_time(work: &Work, ground: &Ground, counted: &Counted) -> Result<f64> {
    ground.cgroup.enter(work.who)?;
    stretch(work, ground)?;
    ground.tidy()?;
    let before = counted.spent()?;
    for _ in 0..COUNTED {
        stretch(work, ground)?;
    }
    let spent = counted.since(&before, COUNTED * work.calls)?;
    ground.tidy()?;
    ground.cgroup.enter(Who::Host)?;
    let parts: Vec<String> = spent.iter().map(|(program, time)| format!("{program} {time:.0}")).collect();
    eprintln!("{}: {}", work.name, parts.join(", "));
    Ok(spent.iter().map(|(_, time)| time).sum())
}

fn end(mut agent: Agent) -> Result<Agent> {
    let mut process = agent.process.take().context("the agent runs")?;
    process.signal(Signal::SIGTERM)?;
    let status = process.wait()?;
    ensure!(status.success(), "the agent ended with {status}: {}", agent.printed());
    Ok(agent)
}

/// Records that were lost: to lose one is cheaper than to send it.
fn lost(data: &Path) -> Result<u64> {
    let mut lost = 0;
    each_logged(data, |event| {
        if let Some(Body::Loss(told)) = event.body {
            eprintln!("lost: {} {} {}", told.class, told.reason().as_str_name(), told.count);
            lost += told.count;
        }
    })?;
    Ok(lost)
}

/// One CPU for what is watched, the rest for the agent.
struct Cpus {
    work: CpuSet,
    rest: CpuSet,
}

impl Cpus {
    /// Puts this thread on its CPU.
    fn divide() -> Result<Self> {
        let this = Pid::from_raw(0);
        let all = sched_getaffinity(this).context("ask for the CPUs")?;
        let mut usable = (0..CpuSet::count()).filter(|&cpu| all.is_set(cpu).unwrap_or(false));
        let (mut work, mut rest) = (CpuSet::new(), CpuSet::new());
        let first = usable.next().context("a CPU")?;
        work.set(first)?;
        usable.try_for_each(|cpu| rest.set(cpu))?;
        ensure!(rest != CpuSet::new(), "needs two CPUs: one to work on, one to watch from");
        sched_setaffinity(this, &work).context("take a CPU")?;
        Ok(Self { work, rest })
    }

    /// What is started in `start` runs on the rest.
    fn beside<T>(&self, start: impl FnOnce() -> Result<T>) -> Result<T> {
        let this = Pid::from_raw(0);
        sched_setaffinity(this, &self.rest)?;
        let started = start();
        sched_setaffinity(this, &self.work)?;
        started
    }
}

/// A cgroup that the kernel programs take for a container's, and the one that this process came from.
struct Cgroup {
    own: PathBuf,
    container: PathBuf,
}

impl Cgroup {
    fn make() -> Result<Self> {
        let root = cgroup_root()?;
        let memberships = fs::read_to_string("/proc/self/cgroup")?;
        let own = memberships.lines().find_map(|line| line.strip_prefix("0::/")).context("a cgroup of version 2")?;
        let container = root.join(format!("{:064x}", std::process::id()));
        fs::create_dir(&container).context("make a cgroup")?;
        Ok(Self { own: root.join(own), container })
    }

    /// Puts this process where such work is done.
    fn enter(&self, who: Who) -> Result<()> {
        let folder = if who == Who::Host { &self.own } else { &self.container };
        fs::write(folder.join("cgroup.procs"), "0").context("enter a cgroup")
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        if let Err(problem) = self.enter(Who::Host).and_then(|()| Ok(fs::remove_dir(&self.container)?)) {
            eprintln!("a cgroup is left behind: {problem:#}");
        }
    }
}

/// What the works need.
struct Ground {
    file: PathBuf,
    /// Not on a disk: what that takes would hide everything else.
    folder: TempDir,
    made: Cell<u32>,
    listener: TcpListener,
    cgroup: Cgroup,
}

impl Ground {
    fn prepare(place: &Place) -> Result<Self> {
        let file = place.path("file");
        fs::write(&file, b"")?;
        let folder =
            tempfile::Builder::new().prefix("mayfly-").tempdir_in("/dev/shm").context("make a folder in memory")?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        Ok(Self { file, folder, made: Cell::new(0), listener, cgroup: Cgroup::make()? })
    }

    /// The path of the file with this number.
    fn path(&self, number: u32) -> PathBuf {
        self.folder.path().join(format!("object-{number}"))
    }

    /// Removes what was made.
    fn tidy(&self) -> Result<()> {
        let made = self.made.replace(0);
        (0..made).try_for_each(|number| fs::remove_file(self.path(number)).context("remove what was made"))
    }
}

fn spawn(_: &Ground) -> Result<()> {
    Command::new("/bin/true").stdin(Stdio::null()).status().context("start a program")?;
    Ok(())
}

fn open(ground: &Ground) -> Result<()> {
    File::open(&ground.file).context("open a file")?;
    Ok(())
}

fn create(ground: &Ground) -> Result<()> {
    let number = ground.made.get();
    ground.made.set(number + 1);
    let mut file = File::create_new(ground.path(number)).context("make a file")?;
    file.write_all(&[b'x'; 512])?;
    Ok(())
}

fn connect(ground: &Ground) -> Result<()> {
    let outgoing = TcpStream::connect(ground.listener.local_addr()?)?;
    let (incoming, _) = ground.listener.accept()?;
    drop((outgoing, incoming));
    Ok(())
}

#[expect(clippy::unnecessary_wraps, reason = "one work among others, which may fail")]
fn ask(_: &Ground) -> Result<()> {
    std::hint::black_box(nix::unistd::getppid());
    Ok(())
}
