//! What the kernel programs add to other programs' work. Takes a round with them and a round without, in turns, so that the
//! machine's moods meet both; gives the ratio of the medians, one JSON object a line. Records are read and decoded meanwhile,
//! as the agent does, and then dropped.
#![forbid(unsafe_code)]

use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use agent::decode::decode;
use agent::kernel::{Kernel, KernelConfig};
use anyhow::{Context, Result};

/// Rounds of each kind. A load of the programs is between two, so that more would take minutes.
const ROUNDS: usize = 7;

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

fn main() -> Result<()> {
    // `cargo test` runs benchmarks too, to see that they build.
    if std::env::args().any(|argument| argument == "--test") {
        return Ok(());
    }
    if !nix::unistd::geteuid().is_root() || !Path::new("/sys/kernel/btf/vmlinux").exists() {
        eprintln!("skipped: needs root and BPF");
        return Ok(());
    }
    let file = tempfile::NamedTempFile::new().context("make a file")?;
    let mut without: [Vec<f64>; WORKS.len()] = Default::default();
    let mut with: [Vec<f64>; WORKS.len()] = Default::default();
    let mut loads = Vec::new();
    for _ in 0..ROUNDS {
        round(&mut without, file.path())?;
        let begun = Instant::now();
        let watched = Watched::begin()?;
        loads.push(begun.elapsed().as_secs_f64());
        round(&mut with, file.path())?;
        watched.end()?;
    }
    for ((name, _, _), (without, with)) in WORKS.iter().zip(without.iter_mut().zip(with.iter_mut())) {
        let (without, with) = (median(without), median(with));
        print(&format!("kernel: {name}, with programs against without"), with / without, "ratio");
        print(&format!("kernel: {name}, added"), with - without, "ns");
    }
    print("kernel: load and attach", median(&mut loads), "s");
    Ok(())
}

/// Nanoseconds of one call of each work.
fn round(times: &mut [Vec<f64>; WORKS.len()], path: &Path) -> Result<()> {
    for ((_, calls, work), times) in WORKS.iter().zip(times) {
        work(path)?;
        let begun = Instant::now();
        for _ in 0..*calls {
            work(path)?;
        }
        times.push(begun.elapsed().as_secs_f64() * 1e9 / f64::from(*calls));
    }
    Ok(())
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}

fn print(name: &str, value: f64, unit: &str) {
    println!("{}", serde_json::json!({ "name": name, "value": value, "unit": unit, "goal": null, "met": null }));
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
            eprintln!("refused: {} ({})", hook.name, hook.refusal);
        }
        let mut rings = kernel.take_rings().context("take the rings")?;
        let stop = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&stop);
        let reader = thread::spawn(move || {
            while !asked.load(Ordering::Relaxed) && rings.wait(Duration::from_millis(50)).is_ok() {
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
