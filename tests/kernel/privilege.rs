//! Powers taken, and used on other processes: one call, one record, with the right other process.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use agent::decode::{Body, Privilege, Record};
use ebpf_common::header::flag;
use ebpf_common::record::privilege::way;
use ebpf_common::record::{CredentialsChanged, Namespaces, NamespacesChanged, Reach};
use nix::libc;

use crate::stimulus::{Done, stimulus};
use crate::watch::{Watch, bytes, folder, watch};

fn of<T>(watch: &Watch, done: &Done, question: impl Fn(&Privilege<'_>, &Record<'_>) -> Option<T>) -> T {
    watch.find("a record of privilege", |record| match &record.body {
        Body::Privilege(privilege) if record.header.pid == done.pid => question(privilege, record),
        _ => None,
    })
}

fn call(number: i64) -> u32 {
    u32::try_from(number).expect("a number of a system call")
}

fn changed(watch: &Watch, done: &Done, number: i64) -> CredentialsChanged {
    of(watch, done, |privilege, _| match privilege {
        Privilege::Credentials(changed) if changed.call == call(number) => Some(*changed),
        _ => None,
    })
}

#[test]
fn another_user_is_told_with_who_it_was_before() {
    let Some(watch) = watch() else { return };
    let done = stimulus(&["setresuid", "65534"]);
    let changed = changed(watch, &done, libc::SYS_setresuid);
    assert_eq!((changed.before.uid, changed.before.effective_uid), (0, 0));
    assert_eq!((changed.after.uid, changed.after.effective_uid, changed.result), (65534, 65534, 0));
    assert!(changed.before.effective != 0 && changed.after.effective == 0, "{changed:?}");
}

#[test]
fn who_may_not_become_root_and_tries_is_told() {
    let Some(watch) = watch() else { return };
    let done = stimulus(&["become", "65534"]);
    let changed = changed(watch, &done, libc::SYS_setuid);
    assert_eq!((changed.result, changed.after.uid), (-1, 65534));
}

#[test]
fn a_program_that_makes_its_caller_root_is_told_as_that() {
    let Some(watch) = watch() else { return };
    let (_keep, folder) = folder();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("let others in");
    let program = folder.join("set-uid");
    fs::copy(crate::stimulus::program(), &program).expect("copy the stimulus");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o4755)).expect("give it root's power");
    let done = stimulus(&["exec_as", "65534", program.to_str().expect("a plain path")]);
    let changed = changed(watch, &done, libc::SYS_execve);
    assert_eq!((changed.before.effective_uid, changed.after.effective_uid, changed.after.uid), (65534, 0, 65534));
    assert!(changed.after.effective & !changed.before.effective != 0, "{changed:?}");
}

#[test]
fn a_program_that_changes_nothing_of_its_caller_is_not_told() {
    let Some(watch) = watch() else { return };
    let (_keep, folder) = folder();
    let done = stimulus(&["executed"]);
    watch.settle(&folder);
    let told = watch.count(|record| {
        record.header.pid == done.pid && matches!(record.body, Body::Privilege(Privilege::Credentials(_)))
    });
    assert_eq!(told, 0);
}

fn reach(watch: &Watch, done: &Done, number: u32, request: u32) -> Reach {
    of(watch, done, |privilege, record| match privilege {
        Privilege::Reach(reach) if reach.call == number && reach.request == request => {
            assert!(record.header.flags & (flag::FIELD_MISSING | flag::TAMPER) == 0, "{record:?}");
            Some(*reach)
        }
        _ => None,
    })
}

#[test]
fn every_way_into_another_process_names_it_and_when_it_began() {
    let Some(watch) = watch() else { return };
    let ways = [
        ("attach", call(libc::SYS_ptrace), 16),
        ("seize", call(libc::SYS_ptrace), 0x4206),
        ("poke", call(libc::SYS_ptrace), 5),
        ("vm_write", call(libc::SYS_process_vm_writev), 0),
        ("vm_read", call(libc::SYS_process_vm_readv), 0),
        ("memory_file", way::MEMORY_FILE, 0),
        ("pidfd_getfd", call(libc::SYS_pidfd_getfd), 0),
        ("kcmp", call(libc::SYS_kcmp), 1),
    ];
    for (how, number, request) in ways {
        let done = stimulus(&["reach", how]);
        let reach = reach(watch, &done, number, request);
        let answer = if how == "memory_file" && watch.sees_objects("open") { 0 } else { done.result };
        assert_eq!((reach.target.pid, reach.result), (done.other, answer), "{how}");
        let forked = watch.find("the fork of the target", |record| match &record.body {
            Body::Fork(fork) if fork.child_pid == done.other => Some(fork.child_start_ns),
            _ => None,
        });
        assert_eq!(reach.target.start_ns, forked, "{how}");
    }
}

#[test]
fn words_written_one_by_one_are_told_once_and_counted() {
    let Some(watch) = watch() else { return };
    let (_keep, folder) = folder();
    let done = stimulus(&["reach", "poke"]);
    watch.settle(&folder);
    let told = watch.count(|record| {
        record.header.pid == done.pid
            && matches!(&record.body, Body::Privilege(Privilege::Reach(reach)) if reach.request == 5)
    });
    assert_eq!(told, 1);
}

#[test]
fn a_process_that_lets_its_parent_trace_it_names_the_parent() {
    let Some(watch) = watch() else { return };
    let done = stimulus(&["trace_me"]);
    assert_eq!(reach(watch, &done, call(libc::SYS_ptrace), 0).target.pid, std::process::id());
}

fn namespaces(watch: &Watch, done: &Done, number: u32) -> NamespacesChanged {
    of(watch, done, |privilege, _| match privilege {
        Privilege::Namespaces(changed) if changed.call == number => Some(*changed),
        _ => None,
    })
}

fn own(name: &str) -> u32 {
    let inode = fs::metadata(format!("/proc/self/ns/{name}")).expect("a namespace of our own").ino();
    u32::try_from(inode).expect("inodes of namespaces are 32 bits")
}

/// Those of this process.
fn ours() -> Namespaces {
    Namespaces {
        mount: own("mnt"),
        pid: own("pid"),
        network: own("net"),
        user: own("user"),
        cgroup: own("cgroup"),
        uts: own("uts"),
        ipc: own("ipc"),
        time: own("time"),
    }
}

#[test]
fn unshare_tells_both_sets_of_namespaces() {
    let Some(watch) = watch() else { return };
    let flags = libc::CLONE_NEWUSER | libc::CLONE_NEWNS | libc::CLONE_NEWUTS;
    let done = stimulus(&["unshare", &flags.to_string()]);
    let changed = namespaces(watch, &done, call(libc::SYS_unshare));
    let ours = ours();
    assert_eq!((changed.before, changed.result), (ours, 0));
    assert_eq!(changed.flags, flags.cast_unsigned());
    let after = changed.after;
    assert!(after.user != ours.user && after.mount != ours.mount && after.uts != ours.uts, "{changed:?}");
    assert_eq!((after.network, after.pid, after.ipc), (ours.network, ours.pid, ours.ipc));
}

#[test]
fn setns_into_ones_own_namespace_changes_nothing_and_a_refused_one_is_told() {
    let Some(watch) = watch() else { return };
    let (_keep, folder) = folder();
    let same = stimulus(&["setns", "/proc/self/ns/uts"]);
    let refused = stimulus(&["setns", "/proc/self/mem"]);
    assert_eq!((same.result, refused.result), (0, -22));
    assert_eq!(namespaces(watch, &refused, call(libc::SYS_setns)).result, -22);
    watch.settle(&folder);
    let told = watch.count(|record| record.header.pid == same.pid && matches!(record.body, Body::Privilege(_)));
    assert_eq!(told, 0);
}

#[test]
fn a_child_in_new_namespaces_is_told_with_its_number() {
    let Some(watch) = watch() else { return };
    let flags = libc::CLONE_NEWPID | libc::CLONE_NEWNET;
    let done = stimulus(&["clone", &flags.to_string()]);
    let changed = namespaces(watch, &done, way::FORK);
    assert_eq!(changed.target.pid, done.result.cast_unsigned());
    assert!(changed.before == ours() && changed.after.pid != changed.before.pid, "{changed:?}");
    assert_ne!(changed.after.network, changed.before.network);
}

#[test]
fn another_root_is_told_with_its_name() {
    let Some(watch) = watch() else { return };
    let (_keep, folder) = folder();
    let name = folder.to_str().expect("a plain path");
    for (what, number) in [("chroot", libc::SYS_chroot), ("pivot_root", libc::SYS_pivot_root)] {
        let done = stimulus(&[what, name]);
        of(watch, &done, |privilege, _| match privilege {
            Privilege::Root(root) if root.fixed.call == call(number) => {
                assert_eq!((root.texts[0], root.fixed.result), (bytes(&folder), done.result));
                assert_eq!(root.texts[2], if what == "chroot" { &b""[..] } else { bytes(&folder) });
                Some(())
            }
            _ => None,
        });
    }
}

#[test]
fn a_key_is_told_with_its_kind_and_name_and_never_itself() {
    let Some(watch) = watch() else { return };
    let done = stimulus(&["add_key", "mayfly-test"]);
    of(watch, &done, |privilege, _| match privilege {
        Privilege::Key(key) => {
            assert_eq!(
                (key.texts[0], key.texts[1], key.fixed.result),
                (&b"user"[..], &b"mayfly-test"[..], done.result)
            );
            Some(())
        }
        _ => None,
    });
}

#[test]
fn who_asks_to_answer_page_faults_is_told() {
    let Some(watch) = watch() else { return };
    let done = stimulus(&["userfault"]);
    of(watch, &done, |privilege, _| match privilege {
        Privilege::Userfault(made) => {
            assert_eq!((made.flags, made.result), (1, done.result));
            Some(())
        }
        _ => None,
    });
}
