//! What a busy node does all day, at once: processes, files, sockets and containers that come and go. Takes a place; goes on until it is
//! stopped, and counts what it made.

use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};
use tests::world::container::{Container, Pod, Wanted};
use tests::world::place::Place;

/// Between two of a kind, so that the machine can do something else: some hundred a second.
const PAUSE: Duration = Duration::from_millis(4);

/// Kinds, and how many of each were made.
const KINDS: [&str; 4] = ["processes", "files", "connections", "containers"];

/// The threads that make them.
pub(super) struct Churn {
    stop: Arc<AtomicBool>,
    made: Arc<[AtomicU64; 4]>,
    threads: Vec<JoinHandle<Result<()>>>,
}

impl Churn {
    pub(super) fn begin(place: &Arc<Place>) -> Self {
        let (stop, made) = (Arc::new(AtomicBool::new(false)), Arc::<[AtomicU64; 4]>::default());
        let kinds: [fn(&Place, u64) -> Result<()>; 4] = [process, file, connection, container];
        let threads = kinds.into_iter().enumerate().map(|(kind, make)| {
            let (stop, made, place) = (Arc::clone(&stop), Arc::clone(&made), Arc::clone(place));
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    make(&place, made[kind].fetch_add(1, Ordering::Relaxed)).with_context(|| KINDS[kind])?;
                    std::thread::sleep(PAUSE);
                }
                Ok(())
            })
        });
        let threads = threads.collect();
        Self { stop, made, threads }
    }

    /// Whether all of it still goes on.
    pub(super) fn goes_on(&self) -> bool {
        self.threads.iter().all(|thread| !thread.is_finished())
    }

    /// Ends it; gives what was made, in words.
    pub(super) fn end(self) -> Result<String> {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().expect("no thread panicked")?;
        }
        let counts =
            KINDS.iter().zip(self.made.iter()).map(|(kind, made)| format!("{} {kind}", made.load(Ordering::Relaxed)));
        Ok(counts.collect::<Vec<_>>().join(", "))
    }
}

fn process(_: &Place, number: u64) -> Result<()> {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "/bin/true", &number.to_string()]).stdin(Stdio::null());
    command.status().context("start a program").map(drop)
}

/// Ever new names: what is remembered of a file must not pile up.
fn file(place: &Place, number: u64) -> Result<()> {
    let folder = place.path("churn");
    fs::create_dir_all(&folder)?;
    let (one, other) = (folder.join(format!("a-{number}")), folder.join(format!("b-{number}")));
    fs::File::create(&one)?.write_all(b"churn")?;
    fs::rename(&one, &other)?;
    fs::remove_file(Path::new(&other))?;
    Ok(())
}

fn connection(_: &Place, _: u64) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut out = TcpStream::connect(listener.local_addr()?)?;
    let (accepted, _) = listener.accept()?;
    out.write_all(b"churn")?;
    drop((out, accepted));
    let (one, other) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
    one.send_to(b"churn", other.local_addr()?)?;
    Ok(())
}

fn container(place: &Place, number: u64) -> Result<()> {
    let id = format!("{:032x}{number:032x}", std::process::id());
    let arguments = ["sleep", "0.05"].map(str::to_owned).to_vec();
    let wanted = Wanted { id, pod: Pod::shop(), arguments, environment: Vec::new(), network: None, token: "" };
    let mut container = Container::start(place, &wanted)?;
    container.wait()?;
    let bundle = container.bundle().to_owned();
    drop(container);
    fs::remove_dir_all(bundle).context("remove the bundle")
}
