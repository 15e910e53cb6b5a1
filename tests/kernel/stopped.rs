//! Stops whose record was lost: the process is found all the same, and what it is is told from `/proc`.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::Command;

use agent::decode::{Body, Record, decode};
use agent::kernel::{Kernel, RingBytes};
use agent::observe::lost_exec::LostExec;
use ebpf_common::header::flag;
use ebpf_common::record::process::watch as facts;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::cgroup::{Cgroup, state};
use crate::watch::{allowed, config, page};

#[test]
fn a_stopped_process_whose_record_was_lost_is_found_and_told() {
    if !allowed() {
        println!("skipped: needs root and BPF");
        return;
    }
    let mut config = config();
    config.rings = RingBytes { process: 4096, ..RingBytes::default() };
    let kernel = Kernel::load(&config).expect("load the kernel programs");
    let mut rings = kernel.take_rings().expect("nobody took the rings before");
    let cgroup = Cgroup::make(&kernel, "lost");
    kernel.watch_cgroup(cgroup.id(), facts::MEMFD).expect("watch it");
    let memory = memfd_create(c"payload", MFdFlags::empty()).expect("an anonymous file");
    let mut payload = File::from(memory);
    payload.write_all(&std::fs::read("/bin/true").expect("there is a true")).expect("memory takes it");
    // One page of ring: one of 4 KiB is full after a dozen, and nobody reads it.
    for _ in 0..100 * page() / 4096 {
        Command::new("/bin/true").status().expect("start a program");
    }
    let script = format!("exec unshare -m /proc/self/fd/{} hello", payload.as_raw_fd());
    let mut child = cgroup.command(&script).spawn().expect("start a shell");
    let pid = child.id();
    while state(pid) != Some('T') {
        assert!(state(pid).is_some_and(|state| state != 'Z'), "it ran to its end");
        std::thread::yield_now();
    }
    let mut told = false;
    while rings.drain(1000, |bytes| {
        let record = decode(bytes).expect("the kernel programs emit true records");
        told |= record.header.pid == pid && matches!(record.body, Body::Exec(_));
    }) > 0
    {}
    assert!(!told, "its record was not lost");

    let all = kernel.stopped().expect("read the table");
    let (_, stopped) = all.iter().find(|(of, _)| *of == pid).expect("it is in the table");
    assert_eq!((stopped.cgroup_id, stopped.stopped_for), (cgroup.id(), facts::MEMFD));
    let lost = LostExec::read(Path::new("/proc"), pid, stopped).expect("it is stopped");
    let Record { header, body: Body::Exec(exec) } = lost.record() else { panic!("an exec") };
    assert_eq!(exec.path, b"/memfd:payload");
    assert!(exec.arguments.ends_with(b"\0hello\0"), "{:?}", String::from_utf8_lossy(exec.arguments));
    assert_eq!((header.pid, header.cgroup_id, header.start_ns), (pid, cgroup.id(), stopped.start_ns));
    for mark in [flag::MEMFD, flag::STOPPED_IN_KERNEL, flag::FROM_PROC] {
        assert_ne!(header.flags & mark, 0, "marks {:#x}", header.flags);
    }

    kernel.has_record(pid).expect("take it from the table");
    assert!(kernel.stopped().expect("read the table").iter().all(|(of, _)| *of != pid));
    kill(Pid::from_raw(pid.try_into().expect("a pid")), Signal::SIGCONT).expect("let it go on");
    assert!(child.wait().expect("it ends").success());
}
