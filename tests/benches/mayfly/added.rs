//! What the kernel programs add to other programs' work. Takes a round with them and a round without, in turns, so that the
//! machine's moods meet both; gives the ratio of the medians in processor time, and what of it the programs took themselves. Records
//! are read and decoded meanwhile, as the agent does, and then dropped.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use agent::decode::decode;
use agent::kernel::{Kernel, KernelConfig};
use anyhow::{Context, Result};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use nix::time::{ClockId, clock_gettime};

use super::{print, quantile};

/// Loads of the programs, each between a round without them and one with them. One takes seconds.
const LOADS: usize = 2;
/// How often each work is measured in a round.
const REPEATS: usize = 4;

/// One call, how often it is made in a round, and what it may cost more.
type Work = (&'static str, u32, fn(&Path) -> Result<()>);

const WORKS: [Work; 4] = [
    ("spawn and wait", 150, |_| {
        Command::new("/bin/true").stdin(Stdio::null()).status().context("start a program")?;
        Ok(())
    }),
    ("open and close, unwatched", 30_000, |path| {
        File::open(path).context("open a file")?;
        Ok(())
    }),
    ("connect and close, loopback", 1_000, |_| {
        thread_local! { static LISTENER: TcpListener = TcpListener::bind("127.0.0.1:0").expect("a loopback"); }
        LISTENER.with(|listener| {
            let outgoing = TcpStream::connect(listener.local_addr()?)?;
            let (incoming, _) = listener.accept()?;
            drop((outgoing, incoming));
            Ok(())
        })
    }),
    ("getppid", 300_000, |_| {
        std::hint::black_box(nix::unistd::getppid());
        Ok(())
    }),
];

pub(crate) fn measure() -> Result<()> {
    let file = tempfile::NamedTempFile::new().context("make a file")?;
    let mut without: [Vec<f64>; WORKS.len()] = Default::default();
    let mut with: [Vec<f64>; WORKS.len()] = Default::default();
    let mut own = Vec::new();
    let mut loads = Vec::new();
    for _ in 0..LOADS {
        round(&mut without, file.path())?;
        let begun = Instant::now();
        let watched = Watched::begin()?;
        loads.push(begun.elapsed().as_secs_f64());
        round(&mut with, file.path())?;
        own = own_time(file.path())?;
        watched.end()?;
    }
    for (((name, _, _), (without, with)), own) in WORKS.iter().zip(without.iter_mut().zip(with.iter_mut())).zip(own) {
        let (without, with) = (quantile(without, 0.5), quantile(with, 0.5));
        print(&format!("kernel: {name}, with programs against without"), with / without, "ratio", None);
        print(&format!("kernel: {name}, added"), with - without, "ns", None);
        print(&format!("kernel: {name}, in the programs themselves"), own, "ns", None);
    }
    print("kernel: load and attach", quantile(&mut loads, 0.5), "s", None);
    Ok(())
}

/// Nanoseconds of this thread and of the programs that it started: what others on the machine do meanwhile is not in it, nor is the
/// reader's work.
fn processor_time() -> Result<f64> {
    let own = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?;
    let children = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let children = children.user_time().num_microseconds() + children.system_time().num_microseconds();
    Ok((own.num_nanoseconds() + children * 1000) as f64)
}

/// Nanoseconds of one call of each work.
fn round(times: &mut [Vec<f64>; WORKS.len()], path: &Path) -> Result<()> {
    for _ in 0..REPEATS {
        for ((_, calls, work), times) in WORKS.iter().zip(times.iter_mut()) {
            work(path)?;
            let begun = processor_time()?;
            for _ in 0..*calls {
                work(path)?;
            }
            times.push((processor_time()? - begun) / f64::from(*calls));
        }
    }
    Ok(())
}

/// Nanoseconds that one call of each work spends in the programs, as the kernel counts them while it is asked to.
fn own_time(path: &Path) -> Result<Vec<f64>> {
    let _counted = Counted::begin()?;
    let mut times = Vec::new();
    for (_, calls, work) in WORKS {
        let before = spent()?;
        for _ in 0..calls {
            work(path)?;
        }
        let mut time = 0.0;
        for (id, after) in spent()? {
            let before = before.get(&id).copied().unwrap_or_default();
            let (nanoseconds, runs) = ((after.0 - before.0) as f64, (after.1 - before.1) as f64);
            // Others on the machine run the programs too: whole runs a call are ours.
            time += nanoseconds / runs.max(1.0) * (runs / f64::from(calls)).round();
        }
        times.push(time);
    }
    Ok(times)
}

/// Nanoseconds and runs of each program of this process since it was loaded.
fn spent() -> Result<BTreeMap<u64, (u64, u64)>> {
    let mut spent = BTreeMap::new();
    for entry in fs::read_dir("/proc/self/fdinfo")? {
        let text = fs::read_to_string(entry?.path()).unwrap_or_default();
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        if let (Some(id), Some(time), Some(runs)) = (field("prog_id:"), field("run_time_ns:"), field("run_cnt:")) {
            spent.insert(id, (time, runs));
        }
    }
    Ok(spent)
}

/// The kernel counts what programs take. It is told so for as long as this lives.
struct Counted {
    before: String,
}

impl Counted {
    const SWITCH: &str = "/proc/sys/kernel/bpf_stats_enabled";

    fn begin() -> Result<Self> {
        let before = fs::read_to_string(Self::SWITCH)?;
        fs::write(Self::SWITCH, "1").context("count what programs take")?;
        Ok(Self { before })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if let Err(problem) = fs::write(Self::SWITCH, &self.before) {
            eprintln!("what programs take is still counted: {problem}");
        }
    }
}

/// Loaded programs, and a thread that reads what they tell.
struct Watched {
    kernel: Kernel,
    stop: Arc<AtomicBool>,
    reader: JoinHandle<()>,
}

impl Watched {
    fn begin() -> Result<Self> {
        let config = KernelConfig { exclude_self: false, ..KernelConfig::default() };
        let kernel = Kernel::load(&config).context("load the kernel programs")?;
        for hook in kernel.hooks().iter().filter(|hook| !hook.attached) {
            eprintln!("refused: {} ({})", hook.name, hook.refusal());
        }
        let mut rings = kernel.take_rings().context("take the rings")?;
        let stop = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&stop);
        let reader = thread::spawn(move || {
            while !asked.load(Ordering::Relaxed) && rings.wait().is_ok() {
                rings.drain(4096, |bytes| {
                    std::hint::black_box(decode(bytes).is_ok());
                });
            }
        });
        Ok(Self { kernel, stop, reader })
    }

    fn end(self) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        self.reader.join().ok().context("the reader panicked")?;
        for loss in self.kernel.losses().context("read the counters")? {
            eprintln!("lost: {} {:?} {}", loss.class.name(), loss.reason, loss.count);
        }
        Ok(())
    }
}
