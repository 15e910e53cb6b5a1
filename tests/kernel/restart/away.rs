//! Nobody reads: what is recorded, stopped and cut off all the same, and what no longer.

use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::AsRawFd;
use std::thread;
use std::time::Duration;

use agent::kernel::{Kernel, KernelConfig, PinConfig, uninstall};
use ebpf_common::record::process::watch as facts;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{Ground, acts, drain, lost, open, run, told_once};
use crate::cgroup::{Cgroup, state};

#[test]
fn what_happens_while_no_agent_runs_waits_for_the_next() {
    let Some(ground) = Ground::make() else { return };
    let mut all = Vec::new();
    let (kernel, mut rings) = ground.load();
    assert!(kernel.not_kept().iter().all(|what| what.starts_with("sysctl")), "{:?}", kernel.not_kept());
    drain(&mut rings, &mut all);
    kernel.leave().expect("say that nobody reads");
    drop((kernel, rings));
    for number in 0..50 {
        run("away-", number);
        open(&ground.files, "away-", number);
    }
    let (kernel, mut rings) = ground.load();
    drain(&mut rings, &mut all);
    let made = (0..50).flat_map(|number| [(("exec", number), 1), (("open", number), 1)]).collect();
    told_once(&kernel, &all, "away-", &made);
}

#[test]
fn nobody_is_stopped_while_no_agent_reads() {
    let Some(ground) = Ground::make() else { return };
    let kernel = Kernel::load(&KernelConfig { hangs_after: Duration::from_secs(2), ..ground.config() });
    let kernel = kernel.expect("load the kernel programs");
    let mut rings = kernel.take_rings().expect("nobody took the rings before");
    let cgroup = Cgroup::make(&kernel, "away");
    kernel.watch_cgroup(cgroup.id(), facts::MEMFD).expect("watch it");
    let memory = memfd_create(c"payload", MFdFlags::empty()).expect("an anonymous file");
    let mut payload = fs::File::from(memory);
    payload.write_all(&fs::read("/bin/true").expect("there is a true")).expect("memory takes it");
    let script = format!("exec unshare -m /proc/self/fd/{} ", payload.as_raw_fd());
    let mut all = Vec::new();

    rings.wait().expect("say that somebody reads");
    let mut child = cgroup.command(&format!("{script} stop-1")).spawn().expect("start a shell");
    while state(child.id()) != Some('T') {
        assert!(state(child.id()).is_some_and(|state| state != 'Z'), "it ran to its end while somebody reads");
        rings.wait().expect("say that somebody reads");
    }
    kill(Pid::from_raw(child.id().try_into().expect("a pid")), Signal::SIGCONT).expect("let it go on");
    assert!(child.wait().expect("it ends").success());

    // A moment longer than a reader may be silent; and then one that says that it ends.
    thread::sleep(Duration::from_millis(2_500));
    assert!(cgroup.command(&format!("{script} stop-2")).status().expect("it is not stopped").success());
    rings.wait().expect("say that somebody reads");
    kernel.leave().expect("say that nobody reads");
    assert!(cgroup.command(&format!("{script} stop-3")).status().expect("it is not stopped").success());
    drain(&mut rings, &mut all);
    let told = acts(&all, "stop-");
    assert!((1..=3).all(|number| told.get(&("exec", number)) >= Some(&1)), "{told:?}");
}

#[test]
fn recording_ends_when_nobody_has_read_for_too_long_and_the_next_agent_says_since_when() {
    let Some(ground) = Ground::make() else { return };
    let mut config = ground.config();
    config.pins = config.pins.map(|pins| PinConfig { away: Duration::from_millis(200), ..pins });
    let kernel = Kernel::load(&config).expect("load the kernel programs");
    drop(kernel);
    thread::sleep(Duration::from_millis(400));
    // Whatever ends now finds that nobody reads.
    run("quiet-", 1);
    run("quiet-", 2);
    let (kernel, mut rings) = ground.load();
    let [quiet] = <[_; 1]>::try_from(kernel.take_quiet()).expect("one span");
    assert!(quiet.from_ns < quiet.to_ns && kernel.take_quiet().is_empty());
    run("quiet-", 3);
    let mut all = Vec::new();
    drain(&mut rings, &mut all);
    let told = acts(&all, "quiet-");
    assert_eq!((told.get(&("exec", 2)), told.get(&("exec", 3))), (None, Some(&1)));
}

#[test]
fn a_quarantine_stands_while_no_agent_runs_and_ends_by_itself() {
    let Some(ground) = Ground::make() else { return };
    let (kernel, rings) = ground.load();
    let cgroup = Cgroup::make(&kernel, "kept");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listen");
    let port = listener.local_addr().expect("it has an address").port();
    let script = format!("exec timeout 2 bash -c 'echo > /dev/tcp/127.0.0.1/{port}' 2> /dev/null");
    let passes = || cgroup.command(&script).status().expect("start a shell").success();
    assert!(passes(), "nothing is cut off yet");
    drop(kernel.quarantine(&cgroup.0, &[], 0).expect("cut it off"));
    drop((kernel, rings));
    assert!(!passes(), "it ended with the agent");

    let (kernel, rings) = ground.load();
    assert_eq!(kernel.kept_quarantines(), [cgroup.id()]);
    assert!(!passes(), "it ended with the next agent");
    let again = kernel.quarantine(&cgroup.0, &["127.0.0.0/8".parse().expect("a network")], 0).expect("take it over");
    assert!(passes(), "this address is allowed now");
    drop(again);
    let until_ns = agent::clock::Clock::system().now().boot_ns + 10_000_000_000;
    drop(kernel.quarantine(&cgroup.0, &[], until_ns).expect("take it over again"));
    drop((kernel, rings));
    assert!(!passes(), "its end has not come");
    while agent::clock::Clock::system().now().boot_ns < until_ns {
        thread::sleep(Duration::from_millis(100));
    }
    assert!(passes(), "its end has come");
    assert_eq!(uninstall(&ground.pins()).expect("nobody has it").quarantines, 1);
}

#[test]
fn a_loss_that_was_told_is_not_told_by_the_next_agent() {
    let Some(ground) = Ground::make() else { return };
    let mut config = ground.config();
    config.rings.process = 4096;
    let load = || Kernel::load(&config).expect("load the kernel programs");
    let told = |kernel: &Kernel| -> u64 {
        let losses = kernel.losses().expect("read the accounts");
        losses.iter().map(|loss| loss.count).sum()
    };
    let kernel = load();
    (0..50).for_each(|number| run("loss-", number));
    let first = told(&kernel);
    kernel.keep_told(&[]).expect("keep what was told");
    drop(kernel);
    (0..50).for_each(|number| run("loss-", number));
    let kernel = load();
    let before = lost(&kernel);
    let second = told(&kernel);
    assert!(first > 0 && second > 0, "nothing was lost");
    // What is lost while this is asked may be in either.
    assert!((before..=lost(&kernel)).contains(&(first + second)), "{first} and {second} were told, {before} were lost");
}
