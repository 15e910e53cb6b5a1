//! Case 25: somebody floods the sensor so that it misses somebody else. Each flood runs in a container's cgroup while another container
//! makes one program, one file and one connection again and again: of that one nothing may be missing, and of the flood every record is
//! read or counted.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use agent::decode::decode;
use agent::kernel::{Budgets, Kernel, KernelConfig, Rate, Rings, Standing};
use ebpf_common::loss::Outcome;
use ebpf_common::{Account, Class};

use super::begin;
use crate::cgroup::Cgroup;
use crate::watch::{config, folder};

/// Records that were read, by cgroup and class.
type Tally = BTreeMap<(u64, u8), u64>;

const FLOOD: &str = "MAYFLY_FLOOD";
const FOLDER: &str = "MAYFLY_FLOOD_FOLDER";
const THREADS: usize = 64;

/// Where it is set to more than 1, a part of each flood against a part of each budget: for a machine that is emulated.
const PART: &str = "MAYFLY_FLOOD_PART";

fn part() -> usize {
    std::env::var(PART).map_or(1, |part| part.parse().expect("a number"))
}

/// Budgets that a flood on this machine is over.
fn budgets() -> Budgets {
    // Whatever is emulated is slower still than the floods are smaller.
    const SLOWER: u32 = 5;
    let Budgets { network, file } = Budgets::default();
    match u32::try_from(part()).expect("a small number") {
        1 => Budgets { network, file },
        part => Budgets { network: Rate(network.0 / part / SLOWER), file: Rate(file.0 / part / SLOWER) },
    }
}

/// One flood at a time: each wants the whole machine.
static ALONE: Mutex<()> = Mutex::new(());

/// What a flood did, and what became of it.
struct Flooded {
    kernel: Kernel,
    flooder: Cgroup,
    quiet: Cgroup,
    /// How often the other container made its program, file and connection.
    rounds: u64,
    read: Tally,
}

impl Flooded {
    /// Runs a flood to its end. `is_read`: the rings are read meanwhile, as an agent does; else only afterwards.
    fn run(flood: &str, is_read: bool) -> Option<Self> {
        begin(25)?;
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let config = KernelConfig { budgets: budgets(), ..config() };
        let kernel = Kernel::load(&config).expect("load the kernel programs");
        let rings = kernel.take_rings().expect("nobody took the rings before");
        let (flooder, quiet) = (container(&kernel, '1'), container(&kernel, '2'));
        let (_keep, folder) = folder();
        let reader = Reader::start(rings, is_read);
        let mut child = start(&flooder, flood, &folder);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback");
        let port = listener.local_addr().expect("it is bound").port();
        let mut rounds = 0;
        while child.try_wait().expect("it is ours").is_none() {
            rounds += 1;
            let file = folder.join(format!("quiet-{rounds}"));
            let script = format!("bash -c ': > {}; exec 3<>/dev/tcp/127.0.0.1/{port}'", file.display());
            assert!(quiet.command(&script).status().expect("start a shell").success());
            drop(listener.accept().expect("it connected"));
            thread::sleep(Duration::from_millis(100));
        }
        assert!(child.wait().expect("it ended").success(), "the flood {flood}");
        Some(Self { read: reader.end(), kernel, flooder, quiet, rounds })
    }

    fn account(&self, of: &Cgroup) -> Account {
        let all = self.kernel.accounts(0).expect("read the accounts");
        let id = of.id();
        all.into_iter().find(|standing| standing.cgroup_id == id).expect("it has an account").account
    }

    /// Of the quiet container everything arrived, and of the flood all that is not bulk. Whatever began is read or counted.
    fn hold(&self) {
        let (flooder, quiet) = (self.account(&self.flooder), self.account(&self.quiet));
        for class in Class::ALL {
            for (name, cgroup, account) in [("flooder", &self.flooder, &flooder), ("quiet", &self.quiet, &quiet)] {
                let ended = account.ended[class as usize];
                let all: u64 = ended.iter().sum::<u64>() - ended[Outcome::Unowned as usize];
                assert_eq!(account.begun[class as usize], all, "{name} {}: {ended:?}", class.name());
                let read = self.read_of(cgroup.id(), class);
                assert_eq!(ended[Outcome::Sent as usize], read, "{name} {}: sent and read", class.name());
                if name == "quiet" || !matches!(class, Class::Network | Class::File) {
                    let lost = Outcome::LOSSES.map(|reason| ended[reason as usize]);
                    assert_eq!(lost, [0; 4], "{name} {}: lost", class.name());
                    assert_eq!(ended[Outcome::Throttled as usize], 0, "{name} {}: throttled", class.name());
                }
            }
        }
        for (class, each) in [(Class::Process, 2), (Class::File, 1), (Class::Network, 1)] {
            let read = self.read_of(self.quiet.id(), class);
            assert!(read >= each * self.rounds, "{read} {} records in {} rounds", class.name(), self.rounds);
        }
    }

    /// With those of cgroups below it.
    fn read_of(&self, cgroup_id: u64, class: Class) -> u64 {
        let of = self.read.iter().filter(|((id, of), _)| {
            *of == class as u8 && (*id == cgroup_id || self.kernel.payer(*id) == Some(cgroup_id))
        });
        of.map(|(_, count)| count).sum()
    }

    fn throttled(&self, class: Class) -> u64 {
        self.account(&self.flooder).ended[class as usize][Outcome::Throttled as usize]
    }
}

/// Reads the rings in a thread of its own, or only at the end.
struct Reader {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Tally>,
}

impl Reader {
    fn start(mut rings: Rings, is_read: bool) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut tally = Tally::new();
            loop {
                let ends = asked.load(Ordering::Relaxed);
                if ends || is_read {
                    while rings.drain(1000, |bytes| {
                        let header = decode(bytes).expect("the kernel programs emit true records").header;
                        *tally.entry((header.cgroup_id, header.class)).or_default() += 1;
                    }) > 0
                    {}
                }
                if ends {
                    return tally;
                }
                rings.wait().expect("wait for records");
            }
        });
        Self { stop, thread }
    }

    fn end(self) -> Tally {
        // What closes a connection comes after the process that had it.
        thread::sleep(Duration::from_millis(500));
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the reader does not panic")
    }
}

/// A cgroup that the kernel programs take for a container's.
fn container(kernel: &Kernel, digit: char) -> Cgroup {
    let id: String = std::iter::repeat_n(digit, 54).chain(format!("{:010x}", std::process::id()).chars()).collect();
    let cgroup = Cgroup(kernel.cgroup_root().join(id));
    fs::create_dir(&cgroup.0).expect("make a cgroup");
    cgroup
}

/// This very program, in the cgroup, behind everybody else.
fn start(cgroup: &Cgroup, flood: &str, folder: &Path) -> Child {
    let own = std::env::current_exe().expect("a test is a program");
    let script = format!("exec nice -n 19 {} --ignored --exact evasion::flood::floods_from_inside", own.display());
    let mut command = cgroup.command(&script);
    command.env(FLOOD, flood).env(FOLDER, folder).env("MAYFLY_FLOOD_CGROUP", &cgroup.0).stdout(Stdio::null());
    command.spawn().expect("start a shell")
}

#[test]
#[ignore = "run by another test"]
fn floods_from_inside() {
    let Ok(flood) = std::env::var(FLOOD) else { return };
    let folder = PathBuf::from(std::env::var_os(FOLDER).expect("a folder"));
    match flood.as_str() {
        "opens" => in_threads(|thread| {
            let path = folder.join(format!("open-{thread}"));
            (0..4_000 / part()).for_each(|_| drop(File::create(&path).expect("open a file")));
        }),
        "connects" => {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback");
            let address = listener.local_addr().expect("it is bound");
            thread::spawn(move || listener.incoming().for_each(drop));
            in_threads(|_| (0..400 / part()).for_each(|_| drop(TcpStream::connect(address))));
        }
        "forks" => in_threads(|_| {
            let script = "i=0; while [ $i -lt 50 ]; do (:); i=$((i+1)); done";
            assert!(Command::new("sh").args(["-c", script]).status().expect("start a shell").success());
        }),
        // Nothing is there, and each is told by the name that was tried.
        "paths" => in_threads(|thread| {
            for number in 0..1_000_000 / THREADS / part() {
                assert!(File::options().write(true).open(folder.join(format!("{thread}-{number}"))).is_err());
            }
        }),
        "cgroups" => cgroups(&folder),
        other => panic!("no flood is called {other}"),
    }
}

fn in_threads(work: impl Fn(usize) + Sync) {
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let work = &work;
            scope.spawn(move || work(thread));
        }
    });
}

/// Two thousand cgroups below the container's, and some files from inside of each.
fn cgroups(folder: &Path) {
    let own = PathBuf::from(std::env::var_os("MAYFLY_FLOOD_CGROUP").expect("a cgroup"));
    let below = |number: usize| own.join(format!("below-{number}"));
    let enter = |cgroup: &Path| fs::write(cgroup.join("cgroup.procs"), std::process::id().to_string());
    for number in 0..2_000 / part() {
        fs::create_dir(below(number)).expect("make a cgroup");
        enter(&below(number)).expect("enter it");
        (0..40).for_each(|_| drop(File::create(folder.join("below")).expect("open a file")));
    }
    enter(&own).expect("leave them");
    (0..2_000 / part()).for_each(|number| fs::remove_dir(below(number)).expect("remove a cgroup"));
}

#[test]
fn a_flood_of_opens_costs_nobody_else_an_event() {
    let Some(flooded) = Flooded::run("opens", true) else { return };
    flooded.hold();
    assert!(flooded.throttled(Class::File) > 0);
}

#[test]
fn a_flood_of_connections_costs_nobody_else_an_event() {
    let Some(flooded) = Flooded::run("connects", true) else { return };
    flooded.hold();
    assert!(flooded.throttled(Class::Network) > 0);
}

#[test]
fn a_storm_of_forks_loses_none_of_them() {
    let Some(flooded) = Flooded::run("forks", true) else { return };
    flooded.hold();
    // Each shell, and each of its fifty: begun and ended.
    assert!(flooded.read_of(flooded.flooder.id(), Class::Process) >= 2 * 51 * THREADS as u64);
}

#[test]
fn a_million_paths_cost_nobody_else_an_event() {
    let Some(flooded) = Flooded::run("paths", true) else { return };
    flooded.hold();
    assert!(flooded.throttled(Class::File) > 0);
}

#[test]
fn two_thousand_cgroups_have_one_account() {
    let Some(flooded) = Flooded::run("cgroups", true) else { return };
    flooded.hold();
    let all: Vec<Standing> = flooded.kernel.accounts(0).expect("read the accounts");
    let of_flood = all.iter().filter(|standing| flooded.kernel.payer(standing.cgroup_id).is_some()).count();
    assert_eq!(of_flood, 0, "cgroups below a container have accounts of their own");
    assert!(flooded.throttled(Class::File) > 0);
}

#[test]
fn a_reader_that_stands_still_costs_only_the_flooder() {
    let Some(flooded) = Flooded::run("opens", false) else { return };
    flooded.hold();
    assert!(flooded.throttled(Class::File) > 0);
}
