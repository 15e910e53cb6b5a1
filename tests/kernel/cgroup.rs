//! Cgroups: known as containers before anything runs in them, watched at exec, cut off.

use std::fs::{self, File};
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use agent::decode::Body;
use agent::kernel::{Kernel, cgroup_id};
use ebpf_common::header::flag;
use ebpf_common::record::process::watch as facts;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::watch::{bytes, folder, watch};

/// A cgroup of this test, removed with it.
pub(crate) struct Cgroup(pub(crate) PathBuf);

impl Cgroup {
    pub(crate) fn make(kernel: &Kernel, name: &str) -> Self {
        let path = kernel.cgroup_root().join(format!("mayfly-test-{}-{name}", std::process::id()));
        fs::create_dir(&path).expect("make a cgroup");
        Self(path)
    }

    pub(crate) fn id(&self) -> u64 {
        cgroup_id(&self.0).expect("it is there")
    }

    /// A command that begins in the cgroup.
    pub(crate) fn command(&self, script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("echo $$ > \"$0/cgroup.procs\" && {script}")]).arg(&self.0);
        command
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // Its last process may still be on its way out.
        for _ in 0..100 {
            if fs::remove_dir(&self.0).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

#[test]
fn a_containers_cgroup_is_known_when_it_is_made() {
    let Some(watch) = watch() else { return };
    let parent = Cgroup::make(&watch.kernel, "pods");
    let container = Cgroup(parent.0.join(format!("cri-containerd-{}.scope", "0123456789abcdef".repeat(4))));
    fs::create_dir(&container.0).expect("make a cgroup");
    let inner = Cgroup(container.0.join("inner"));
    fs::create_dir(&inner.0).expect("make a cgroup");
    for (cgroup, expected) in [(&parent, false), (&container, true), (&inner, true)] {
        let id = cgroup.id();
        assert_eq!(watch.kernel.is_container(id), expected, "{}", cgroup.0.display());
        let path = Path::new("/").join(cgroup.0.strip_prefix(watch.kernel.cgroup_root()).expect("below the root"));
        watch.find("the cgroup made", |record| match &record.body {
            Body::CgroupMade(made) if made.fixed.id == id => {
                assert_eq!(made.path, bytes(&path));
                assert_eq!(record.has(flag::CONTAINER), expected);
                Some(())
            }
            _ => None,
        });
    }
    let (id, inner_id) = (container.id(), inner.id());
    drop(inner);
    drop(container);
    for id in [id, inner_id] {
        watch.find("the cgroup gone", |record| match &record.body {
            Body::CgroupGone(gone) => (gone.fixed.id == id).then_some(()),
            _ => None,
        });
        assert!(!watch.kernel.is_container(id));
    }
}

/// The state letter of a process.
pub(crate) fn state(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

#[test]
fn a_watched_exec_is_stopped_before_its_first_instruction() {
    let Some(watch) = watch() else { return };
    let (_keep, folder) = folder();
    let cgroup = Cgroup::make(&watch.kernel, "stop");
    watch.kernel.watch_cgroup(cgroup.id(), facts::MEMFD).expect("watch it");
    let memory = memfd_create(c"payload", MFdFlags::empty()).expect("an anonymous file");
    let mut payload = File::from(memory);
    payload.write_all(&fs::read("/bin/touch").expect("there is a touch")).expect("memory takes it");
    let mark = folder.join("ran");
    let script = format!("exec unshare -m /proc/self/fd/{} {}", payload.as_raw_fd(), mark.display());
    let mut child = cgroup.command(&script).spawn().expect("start a shell");
    let pid = child.id();
    watch.exec(pid, |record, exec| {
        if exec.path != b"/memfd:payload" {
            return None;
        }
        assert!(record.stopped_in_kernel(), "marks {:#x}", record.header.flags);
        assert_eq!(exec.stopped_for(), facts::MEMFD);
        assert_eq!(record.header.cgroup_id, cgroup.id());
        Some(())
    });
    // The record is sent before the signal is taken, which is at the way back to user space.
    while state(pid) != Some('T') {
        assert!(state(pid).is_some_and(|state| state != 'Z'), "it ran to its end");
        std::thread::yield_now();
    }
    assert!(!mark.exists(), "not one instruction ran");
    kill(Pid::from_raw(pid.try_into().expect("a pid")), Signal::SIGCONT).expect("let it go on");
    assert!(child.wait().expect("it ends").success());
    assert!(mark.exists());
}

#[test]
fn what_is_not_asked_for_and_what_is_the_hosts_is_not_stopped() {
    let Some(watch) = watch() else { return };
    let cgroup = Cgroup::make(&watch.kernel, "go");
    let memory = memfd_create(c"harmless", MFdFlags::empty()).expect("an anonymous file");
    let mut program = File::from(memory);
    program.write_all(&fs::read("/bin/true").expect("there is a true")).expect("memory takes it");
    let number = program.as_raw_fd();
    let run = |script: String| assert!(cgroup.command(&script).status().expect("start a shell").success());
    watch.kernel.watch_cgroup(cgroup.id(), facts::UPPER_LAYER).expect("watch it");
    run(format!("exec unshare -m /proc/self/fd/{number}"));
    // The runtime: in the container's cgroup already, in the host's mount namespace still.
    watch.kernel.watch_cgroup(cgroup.id(), facts::ALL).expect("watch it");
    run(format!("exec /proc/self/fd/{number}"));
    watch.kernel.unwatch_cgroup(cgroup.id()).expect("no longer");
    run(format!("exec unshare -m /proc/self/fd/{number}"));
}

/// Run by the test below from inside the cgroup: tries each address of `TRY`, and says which answered.
#[test]
#[ignore = "run by another test"]
fn speaks_from_inside() {
    for address in std::env::var("TRY").expect("set by the other test").split(',') {
        let address = address.parse().expect("an address");
        let answered = TcpStream::connect_timeout(&address, Duration::from_millis(400)).is_ok();
        println!("{address} {}", if answered { "answered" } else { "silent" });
    }
}

#[test]
fn a_quarantined_cgroup_reaches_what_is_allowed_and_nothing_else() {
    let Some(watch) = watch() else { return };
    let cgroup = Cgroup::make(&watch.kernel, "quarantine");
    let listeners = ["127.0.0.1:0", "127.0.0.2:0"].map(|at| TcpListener::bind(at).expect("listen on the loopback"));
    let [closed, open] = listeners.each_ref().map(|listener| listener.local_addr().expect("it has an address"));
    let program = std::env::current_exe().expect("our own program");
    let speak = || {
        let script = "exec \"$1\" --exact cgroup::speaks_from_inside --ignored --nocapture";
        let mut command = cgroup.command(script);
        command.arg(&program).env("TRY", format!("{closed},{open}")).stderr(Stdio::null());
        let output = command.output().expect("start ourselves");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        [closed, open].map(|address| text.contains(&format!("{address} answered")))
    };
    assert_eq!(speak(), [true, true], "before");
    let allow = ["127.0.0.2/32".parse().expect("a network")];
    let quarantine = watch.kernel.quarantine(&cgroup.0, &allow, 0).expect("cut it off");
    assert!(watch.kernel.quarantine(&cgroup.0, &allow, 0).is_err(), "it is cut off already");
    assert_eq!(speak(), [false, true], "while it stands");
    let packets = quarantine.release().expect("read the counters");
    assert!(packets.dropped_out > 0, "{packets:?}");
    assert!(packets.passed_out > 0 && packets.passed_in > 0, "{packets:?}");
    assert_eq!(speak(), [true, true], "after");
}
