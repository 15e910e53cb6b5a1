//! Programs without a file, processes that are hard to name, powers over others and over the kernel, and the sensor itself as the target.

use std::fs;

use agent::decode::{Body, Change, Privilege};
use ebpf_common::header::flag;
use ebpf_common::record::kernel::tamper;
use ebpf_common::record::privilege::way;
use nix::libc;

use super::begin;
use crate::stimulus::stimulus;
use crate::watch::folder;

/// Whether a change is the one that was made.
type Told = fn(&Change<'_>) -> bool;

#[test]
fn a_program_without_a_file_is_marked_as_what_it_is() {
    let Some((watch, _)) = begin(14) else { return };
    let (_keep, folder) = folder();
    let copy = folder.join("copy");
    let ways = [("", flag::MEMFD), (copy.to_str().expect("a plain path"), flag::DELETED)];
    for (path, mark) in ways {
        let done = stimulus(&["execute_hidden", path]);
        watch.exec(done.pid, |record, exec| {
            (exec.arguments == b"hidden\0executed\0").then(|| {
                assert_eq!(record.header.flags & (flag::MEMFD | flag::DELETED), mark);
                assert_eq!(exec.fixed.links, 0);
            })
        });
    }
}

#[test]
fn new_surroundings_are_told_with_both_sets_of_namespaces() {
    let Some((watch, _)) = begin(22) else { return };
    let (_keep, folder) = folder();
    let name = folder.to_str().expect("a plain path");
    let flags = (libc::CLONE_NEWUSER | libc::CLONE_NEWPID | libc::CLONE_NEWNS).to_string();
    for how in ["clone", "unshare"] {
        let done = stimulus(&[how, &flags]);
        watch.find("changed namespaces", |record| match &record.body {
            Body::Privilege(Privilege::Namespaces(changed)) if record.header.pid == done.pid => {
                let (before, after) = (changed.before, changed.after);
                assert!(before.user != after.user && before.pid != after.pid && before.mount != after.mount);
                assert_eq!(changed.call == way::FORK, how == "clone");
                Some(())
            }
            _ => None,
        });
    }
    let done = stimulus(&["chroot", name]);
    watch.find("another root", |record| match &record.body {
        Body::Privilege(Privilege::Root(root)) if record.header.pid == done.pid => {
            assert_eq!(root.texts[0], name.as_bytes());
            Some(())
        }
        _ => None,
    });
    let done = stimulus(&["mount", name]);
    watch.find("a mount in its own namespace", |record| match &record.body {
        Body::Kernel(Change::Mount(mount)) if record.header.pid == done.pid => {
            (mount.texts[0] == b"stimulus").then(|| assert_eq!(mount.texts[1], name.as_bytes()))
        }
        _ => None,
    });
}

#[test]
fn an_exec_names_one_process_whichever_thread_or_child_made_it() {
    let Some((watch, _)) = begin(23) else { return };
    let done = stimulus(&["thread_exec"]);
    let forked = watch.find("the fork", |record| match &record.body {
        Body::Fork(fork) if fork.child_pid == done.pid => Some(fork.child_start_ns),
        _ => None,
    });
    watch.exec(done.pid, |record, exec| {
        (exec.arguments == b"renamed\0executed\0").then(|| {
            assert_eq!((record.header.pid, record.header.tid), (done.pid, done.pid));
            assert_eq!(record.header.start_ns, forked, "the same process as before its exec");
        })
    });
    let done = stimulus(&["vfork_exec"]);
    let child = done.other;
    watch.exec(child, |record, exec| {
        (exec.arguments == b"child\0executed\0").then(|| assert_eq!(record.header.parent_pid, done.pid))
    });
}

#[test]
fn a_child_that_is_given_to_the_parent_still_has_its_maker() {
    let Some((watch, _)) = begin(24) else { return };
    let done = stimulus(&["clone_parent"]);
    watch.find("the fork", |record| match &record.body {
        Body::Fork(fork) if record.header.pid == done.pid => {
            assert_eq!((fork.child_pid, fork.child_parent_pid), (done.result.cast_unsigned(), std::process::id()));
            Some(())
        }
        _ => None,
    });
}

#[test]
fn every_way_into_another_process_is_told_with_that_process() {
    let Some((watch, _)) = begin(29) else { return };
    for how in ["attach", "seize", "poke", "vm_write", "vm_read", "memory_file", "pidfd_getfd", "kcmp"] {
        let done = stimulus(&["reach", how]);
        watch.find(how, |record| match &record.body {
            Body::Privilege(Privilege::Reach(reach)) if record.header.pid == done.pid => {
                assert!(reach.target.pid == done.other && reach.target.start_ns != 0, "{reach:?}");
                Some(())
            }
            _ => None,
        });
    }
    let done = stimulus(&["userfault"]);
    watch.find("page faults", |record| match &record.body {
        Body::Privilege(Privilege::Userfault(_)) if record.header.pid == done.pid => Some(()),
        _ => None,
    });
}

#[test]
fn what_is_put_into_the_kernel_is_told() {
    let Some((watch, _)) = begin(30) else { return };
    let is_ours = |what: &Change<'_>| matches!(what, Change::Bpf(_) | Change::PerfEvent(_));
    let mut ways: Vec<(&[&str], Told)> = vec![
        (&["bpf_load_kprobe"], |change| matches!(change, Change::Bpf(bpf) if bpf.program_type == 2)),
        (&["perf_event"], |change| matches!(change, Change::PerfEvent(event) if event.period != 0)),
    ];
    let module = watch.kernel.hooks().iter().any(|hook| hook.programs.contains(&"finit_module_end"));
    if module {
        ways.push((&["finit_module", "/proc/self/exe"], |change| matches!(change, Change::Module(_))));
    }
    for (words, is_it) in ways {
        let done = stimulus(words);
        watch.find(words[0], |record| match &record.body {
            Body::Kernel(change) if record.header.pid == done.pid && is_it(change) => Some(()),
            _ => None,
        });
    }
    let own = fs::read_dir("/proc/self/fdinfo").expect("our descriptors").flatten();
    let own = own.filter_map(|entry| fs::read_to_string(entry.path()).ok());
    let program = own.filter_map(|text| Some(text.lines().find_map(|line| line.strip_prefix("prog_id:"))?.to_owned()));
    let done = stimulus(&["bpf_program_by_id", program.last().expect("a program of ours").trim()]);
    watch.find("our own program", |record| match &record.body {
        Body::Kernel(change) if record.header.pid == done.pid && is_ours(change) => {
            assert!(record.header.flags & flag::TAMPER != 0, "{record:?}");
            Some(())
        }
        _ => None,
    });
}

#[test]
fn a_hand_on_the_sensor_is_told() {
    let Some((watch, _)) = begin(31) else { return };
    // The test is the sensor here: a signal that ends nobody.
    let done = stimulus(&["kill", &std::process::id().to_string(), &libc::SIGCONT.to_string()]);
    watch.find("the signal", |record| match &record.body {
        Body::Kernel(Change::Tamper(body)) if record.header.pid == done.pid => {
            assert_eq!((body.what, body.target.pid), (tamper::SIGNAL, std::process::id()));
            Some(())
        }
        _ => None,
    });
    // What stands there is written back: the kernel asks about it all the same.
    let setting = "/proc/sys/kernel/bpf_stats_enabled";
    fs::write(setting, fs::read(setting).expect("a setting of this kernel")).expect("write it back");
    watch.find("the setting that slows every program down", |record| match &record.body {
        Body::Kernel(Change::Sysctl(written)) if record.header.pid == std::process::id() => {
            (written.texts[0] == b"kernel/bpf_stats_enabled").then_some(())
        }
        _ => None,
    });
}
