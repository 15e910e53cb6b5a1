//! Changes to the kernel itself: one call, one record; requests to an `io_uring`; whatever reaches for the agent.

use std::fs;
use std::process::Command;

use agent::decode::{Body, Change, Record};
use ebpf_common::Class;
use ebpf_common::header::flag;
use ebpf_common::record::kernel::tamper;
use nix::libc;

use crate::stimulus::{Done, program, run, stimulus};
use crate::watch::{Watch, bytes, folder, watch};

fn of<T>(watch: &Watch, done: &Done, question: impl Fn(&Change<'_>, &Record<'_>) -> Option<T>) -> T {
    watch.find("a record of the kernel", |record| match &record.body {
        Body::Kernel(change) if record.header.pid == done.pid => question(change, record),
        _ => None,
    })
}

fn call(number: i64) -> u32 {
    u32::try_from(number).expect("a number of a system call")
}

fn has(watch: &Watch, program: &str) -> bool {
    let is_there = hangs(watch, program);
    if !is_there {
        println!("skipped: this kernel has nothing where {program} would hang");
    }
    is_there
}

fn hangs(watch: &Watch, program: &str) -> bool {
    watch.kernel.hooks().iter().any(|hook| hook.programs.contains(&program))
}

#[test]
fn what_is_no_module_is_told_with_its_file_and_the_refusal() {
    let Some(watch) = watch() else { return };
    if !has(watch, "finit_module_end") {
        return;
    }
    let file = program().to_str().expect("a plain path").to_owned();
    let ways = [
        (stimulus(&["finit_module", &file]), libc::SYS_finit_module, [&b""[..], file.as_bytes(), b"option=1"]),
        (stimulus(&["init_module"]), libc::SYS_init_module, [&b""[..], b"", b"option=1"]),
        (stimulus(&["delete_module", "no_such"]), libc::SYS_delete_module, [&b"no_such"[..], b"", b""]),
    ];
    for (done, number, texts) in ways {
        of(watch, &done, |change, _| match change {
            Change::Module(module) if module.fixed.call == call(number) => {
                assert_eq!((module.fixed.result, &module.texts[..3]), (done.result, &texts[..]));
                Some(())
            }
            _ => None,
        });
    }
}

#[test]
fn another_kernel_is_told_when_it_is_asked_for() {
    let Some(watch) = watch() else { return };
    if !has(watch, "kexec_load_end") {
        return;
    }
    let done = stimulus(&["kexec"]);
    of(watch, &done, |change, _| match change {
        Change::Kexec(kexec) => {
            assert_eq!((kexec.fixed.call, kexec.fixed.result), (call(libc::SYS_kexec_load), done.result));
            Some(())
        }
        _ => None,
    });
}

#[test]
fn a_program_that_is_loaded_is_told_with_its_name_and_number() {
    let Some(watch) = watch() else { return };
    for (how, program_type) in [("bpf_load", 1), ("bpf_load_kprobe", 2)] {
        let done = stimulus(&[how]);
        of(watch, &done, |change, record| match change {
            Change::Bpf(bpf) => {
                assert_eq!((bpf.command, bpf.program_type, bpf.result), (5, program_type, done.result));
                assert_eq!((&bpf.name[..9], bpf.instructions), (&b"stimulus\0"[..], 2));
                assert!(bpf.id != 0 && record.header.flags & flag::TAMPER == 0, "{bpf:?}");
                Some(())
            }
            _ => None,
        });
    }
}

#[test]
fn whoever_takes_hold_of_the_agents_own_programs_and_maps_is_told_as_that() {
    let Some(watch) = watch() else { return };
    for (how, line) in [("bpf_program_by_id", "prog_id:"), ("bpf_map_by_id", "map_id:")] {
        let done = stimulus(&[how, &own(line)]);
        assert!(done.result >= 0, "{how}: {}", done.result);
        of(watch, &done, |change, record| match change {
            Change::Bpf(bpf) => {
                assert!(bpf.result == done.result && record.header.flags & flag::TAMPER != 0, "{record:?}");
                Some(())
            }
            _ => None,
        });
    }
}

/// The number of something of this process's in the kernel.
fn own(line: &str) -> String {
    let entries = fs::read_dir("/proc/self/fdinfo").expect("our descriptors");
    let texts = entries.flatten().filter_map(|entry| fs::read_to_string(entry.path()).ok());
    let found = texts.filter_map(|text| Some(text.lines().find_map(|it| it.strip_prefix(line))?.trim().to_owned()));
    found.last().expect("the kernel programs have one")
}

#[test]
fn a_performance_event_that_overflows_is_told() {
    let Some(watch) = watch() else { return };
    let done = stimulus(&["perf_event"]);
    of(watch, &done, |change, _| match change {
        Change::PerfEvent(event) => {
            assert_eq!((event.source, event.period, event.cpu, event.result), (1, 100_000, -1, done.result));
            Some(())
        }
        _ => None,
    });
}

#[test]
fn a_ring_that_the_kernel_polls_says_so_and_a_changed_one_is_told() {
    let Some(watch) = watch() else { return };
    let done = stimulus(&["uring_setup", "2"]);
    of(watch, &done, |change, _| match change {
        Change::UringSetup(made) => {
            assert_eq!((made.entries, made.flags & 2, made.result), (8, 2, done.result));
            Some(())
        }
        _ => None,
    });
    let done = stimulus(&["uring_register"]);
    of(watch, &done, |change, _| match change {
        Change::UringRegister(changed) => {
            assert_eq!((changed.opcode, changed.result), (3, done.result));
            Some(())
        }
        _ => None,
    });
}

#[test]
fn a_request_is_told_with_its_file_also_where_a_thread_of_the_kernel_takes_it() {
    let Some(watch) = watch() else { return };
    let (_keep, folder) = folder();
    let path = folder.join("asked-for");
    let name = path.to_str().expect("a plain path");
    // Some kernels before 6.3 tell a request before they have copied its name, and before 5.12 a thread of the kernel's is nobody's.
    let is_named = hangs(watch, "io_uring_submit_req");
    let is_right = |told: &[u8]| told == bytes(&path) || !is_named && told.is_empty();
    for (flags, polled) in if is_named { &[("0", 0), ("2", 1)][..] } else { &[("0", 0)] } {
        let done = stimulus(&["uring", "openat", name, flags]);
        for class in [Class::Kernel, Class::File] {
            of(watch, &done, |change, record| match change {
                Change::UringRequest(request) if record.header.class == class as u8 => {
                    assert!(request.fixed.opcode == 18 && is_right(request.texts[0]), "{request:?}");
                    assert_eq!((request.fixed.polled, record.header.flags & flag::ATTEMPT), (*polled, flag::ATTEMPT));
                    Some(())
                }
                _ => None,
            });
        }
    }
    let done = stimulus(&["uring", "unlinkat", name]);
    of(watch, &done, |change, _| match change {
        Change::UringRequest(request) => (request.fixed.opcode == 36 && is_right(request.texts[0])).then_some(()),
        _ => None,
    });
}

#[test]
fn requests_that_name_nothing_are_told_once_and_counted() {
    let Some(watch) = watch() else { return };
    let (_keep, folder) = folder();
    let done = stimulus(&["uring", "nop"]);
    watch.settle(&folder);
    let told = watch
        .count(|record| record.header.pid == done.pid && matches!(record.body, Body::Kernel(Change::UringRequest(_))));
    assert_eq!(told, 1);
}

#[test]
fn a_mount_is_told_with_source_target_and_type() {
    let Some(watch) = watch() else { return };
    let (_keep, folder) = folder();
    let done = stimulus(&["mount", folder.to_str().expect("a plain path")]);
    assert_eq!(done.result, 0);
    of(watch, &done, |change, _| match change {
        Change::Mount(mount) if mount.texts[0] == b"stimulus" => {
            assert_eq!((mount.texts[1], mount.texts[3]), (bytes(&folder), &b"tmpfs"[..]));
            assert_eq!((mount.fixed.call, mount.fixed.flags), (call(libc::SYS_mount), libc::MS_NOSUID));
            Some(())
        }
        _ => None,
    });
    of(watch, &done, |change, _| match change {
        Change::Mount(mount) if mount.fixed.call == call(libc::SYS_umount2) => {
            assert_eq!((mount.texts[1], mount.fixed.result), (bytes(&folder), 0));
            Some(())
        }
        _ => None,
    });
    let done = stimulus(&["fsopen", "tmpfs"]);
    of(watch, &done, |change, _| match change {
        Change::Mount(mount) => (mount.texts[3] == b"tmpfs" && mount.fixed.result == done.result).then_some(()),
        _ => None,
    });
}

#[test]
fn a_setting_that_is_written_is_told_with_its_value() {
    let Some(watch) = watch() else { return };
    // In a network namespace of its own, so that nothing of this machine changes.
    let script = "echo 1 > /proc/sys/net/ipv4/ip_forward";
    let status = Command::new("unshare").args(["--net", "sh", "-c", script]).status().expect("start unshare");
    assert!(status.success());
    watch.find("the written setting", |record| match &record.body {
        Body::Kernel(Change::Sysctl(setting)) if setting.texts[0] == b"net/ipv4/ip_forward" => {
            assert_eq!(setting.texts[1].trim_ascii_end(), b"1");
            Some(())
        }
        _ => None,
    });
}

#[test]
fn a_signal_to_the_agent_is_told() {
    let Some(watch) = watch() else { return };
    let mut command = Command::new(program());
    command.args(["kill", &std::process::id().to_string(), &libc::SIGCONT.to_string()]);
    let done = run(command);
    of(watch, &done, |change, record| match change {
        Change::Tamper(done) => {
            assert_eq!((done.what, done.signal, done.code), (tamper::SIGNAL, libc::SIGCONT.cast_unsigned(), 0));
            assert_eq!(done.target.pid, std::process::id());
            assert!(record.header.flags & flag::TAMPER != 0);
            Some(())
        }
        _ => None,
    });
}
