//! Life of processes: what a fork, an exec and an exit tell.

use std::fs;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use agent::decode::Body;
use ebpf_common::header::flag;
use ebpf_common::record::process::MAX_ARGUMENTS;
use nix::sys::memfd::{MFdFlags, memfd_create};

use crate::stimulus::stimulus;
use crate::watch::{Watch, bytes, folder, watch};

fn run(command: &mut Command) -> u32 {
    let mut child: Child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("start a program");
    let pid = child.id();
    child.wait().expect("it ends");
    pid
}

fn exit(watch: &Watch, pid: u32) -> (u32, u32) {
    watch.find(&format!("the exit of {pid}"), |record| match record.body {
        Body::Exit(exit) if record.header.pid == pid => Some((exit.code, exit.signal)),
        _ => None,
    })
}

#[test]
fn an_exec_names_the_file_the_folder_the_arguments_and_the_owner() {
    let Some(watch) = watch() else { return };
    let (_keep, folder) = folder();
    let program = Path::new("/bin/sleep").canonicalize().expect("there is a sleep");
    let facts = fs::metadata(&program).expect("it is there");
    let mut command = Command::new("/bin/sleep");
    let pid = run(command.arg("0.01").current_dir(&folder));
    watch.exec(pid, |record, exec| {
        assert_eq!(exec.path, bytes(&program));
        assert_eq!(exec.directory, bytes(&folder));
        assert_eq!(exec.arguments, b"/bin/sleep\x000.01\0");
        assert_eq!(exec.comm(), b"sleep");
        assert_eq!((exec.fixed.inode, u64::from(exec.fixed.links)), (facts.ino(), facts.nlink()));
        assert_eq!(usize::try_from(exec.fixed.argument_bytes), Ok(exec.arguments.len()));
        assert_eq!((record.header.uid, exec.fixed.gid, exec.fixed.effective_uid), (0, 0, 0));
        assert_ne!(exec.fixed.capabilities, 0);
        let own = fs::metadata("/proc/self/ns/mnt").expect("our own namespace").ino();
        assert_eq!(u64::from(exec.fixed.mount_namespace), own);
        let pid_namespace = fs::metadata("/proc/self/ns/pid").expect("our own namespace").ino();
        assert_eq!(u64::from(exec.fixed.pid_namespace), pid_namespace);
        assert_eq!(record.header.parent_pid, std::process::id());
        assert_ne!((record.header.start_ns, record.header.parent_start_ns), (0, 0));
        assert_eq!(record.header.flags, 0);
        Some(())
    });
}

#[test]
fn arguments_beyond_sixteen_kib_are_cut_and_say_so() {
    let Some(watch) = watch() else { return };
    let long = "a".repeat(20 * 1024);
    let pid = run(Command::new("/bin/true").arg(&long));
    let whole = "/bin/true".len() + 1 + long.len() + 1;
    watch.exec(pid, |record, exec| {
        assert!(record.has(flag::ARGUMENTS_TRUNCATED));
        assert_eq!(exec.arguments.len(), MAX_ARGUMENTS);
        assert_eq!(usize::try_from(exec.fixed.argument_bytes), Ok(whole));
        assert!(exec.arguments.starts_with(b"/bin/true\0aaa"));
        Some(())
    });
}

#[test]
fn a_program_in_an_anonymous_file_is_marked() {
    let Some(watch) = watch() else { return };
    let memory = memfd_create(c"hidden", MFdFlags::empty()).expect("an anonymous file");
    let mut file = fs::File::from(memory);
    file.write_all(&fs::read("/bin/true").expect("there is a true")).expect("memory takes it");
    let pid = run(&mut Command::new(format!("/proc/self/fd/{}", file.as_raw_fd())));
    watch.exec(pid, |record, exec| {
        assert!(record.has(flag::MEMFD) && !record.has(flag::DELETED), "marks {:#x}", record.header.flags);
        assert_eq!(exec.path, b"/memfd:hidden");
        Some(())
    });
}

#[test]
fn a_program_without_a_name_is_marked() {
    let Some(watch) = watch() else { return };
    let (_keep, folder) = folder();
    let program = folder.join("gone");
    fs::copy("/bin/true", &program).expect("copy a program");
    let file = fs::File::open(&program).expect("open it");
    // Inherited by the child, which executes it by its descriptor.
    nix::fcntl::fcntl(&file, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty())).expect("keep it over an exec");
    fs::remove_file(&program).expect("remove its name");
    let pid = run(&mut Command::new(format!("/proc/self/fd/{}", file.as_raw_fd())));
    watch.exec(pid, |record, exec| {
        assert!(record.has(flag::DELETED) && !record.has(flag::MEMFD), "marks {:#x}", record.header.flags);
        assert_eq!((exec.fixed.links, exec.path), (0, bytes(&program)));
        Some(())
    });
}

#[test]
fn a_program_of_the_writable_layer_is_marked_and_one_of_the_image_is_not() {
    let Some(watch) = watch() else { return };
    let (_keep, folder) = folder();
    for layer in ["lower", "upper", "work", "merged"] {
        fs::create_dir(folder.join(layer)).expect("make a layer");
    }
    fs::copy("/bin/true", folder.join("lower/shipped")).expect("copy a program");
    // The overlay is in a mount namespace of its own; its working folder must not be on another overlay.
    let script = "mount -t tmpfs none \"$0/work\" && mkdir \"$0/work/u\" \"$0/work/w\" \
                  && mount -t overlay overlay -o lowerdir=\"$0/lower\",upperdir=\"$0/work/u\",workdir=\"$0/work/w\" \"$0/merged\" \
                  && cp /bin/true \"$0/merged/dropped\" && \"$0/merged/shipped\" && \"$0/merged/dropped\"; exit 7";
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", script]).arg(&folder);
    let status = command.status().expect("start unshare");
    assert_eq!(status.code(), Some(7));
    for (name, expected) in [("shipped", false), ("dropped", true)] {
        let path = folder.join("merged").join(name);
        watch.find(&format!("the exec of {name}"), |record| match &record.body {
            Body::Exec(exec) if exec.path == bytes(&path) => {
                assert_eq!(record.has(flag::UPPER_LAYER), expected, "{name}");
                Some(())
            }
            _ => None,
        });
    }
}

#[test]
fn an_exit_tells_the_code_or_the_signal() {
    let Some(watch) = watch() else { return };
    let code = run(Command::new("sh").args(["-c", "exit 3"]));
    let killed = run(Command::new("sh").args(["-c", "kill -9 $$"]));
    assert_eq!(exit(watch, code), (3, 0));
    assert_eq!(exit(watch, killed), (0, 9));
}

#[test]
fn a_fork_names_the_child_as_its_own_records_do() {
    let Some(watch) = watch() else { return };
    let pid = run(&mut Command::new("/bin/true"));
    let start = watch.exec(pid, |record, _| Some(record.header.start_ns));
    watch.find("the fork", |record| match record.body {
        Body::Fork(fork) if fork.child_pid == pid => {
            assert_eq!(fork.child_start_ns, start);
            assert_eq!((record.header.pid, fork.child_parent_pid), (std::process::id(), std::process::id()));
            Some(())
        }
        _ => None,
    });
}

#[test]
fn threads_are_not_processes_and_their_end_is_no_exit() {
    let Some(watch) = watch() else { return };
    let (_keep, folder) = folder();
    std::thread::spawn(|| ()).join().expect("a thread that does nothing");
    watch.settle(&folder);
    let own = std::process::id();
    let told = watch.count(|record| match record.body {
        Body::Fork(fork) => fork.child_pid == own,
        Body::Exit(_) => record.header.pid == own,
        _ => false,
    });
    assert_eq!(told, 0);
}

#[test]
fn a_number_that_is_used_again_within_ten_milliseconds_is_another_process() {
    const TEN_MILLISECONDS: u64 = 10_000_000;
    let Some(watch) = watch() else { return };
    let ended_as = |pid: u32, wanted: u32| {
        watch.find(&format!("the process {pid} that ends with {wanted}"), |record| match record.body {
            Body::Exit(exit) if (record.header.pid, exit.code) == (pid, wanted) => Some(record.header.start_ns),
            _ => None,
        })
    };
    // On a busy machine the second may come late, or somebody else take the number before it.
    let reused = (0..200).find_map(|_| {
        let pid = u32::try_from(stimulus(&["reuse"]).result).ok()?;
        let (first, second) = (ended_as(pid, 7), ended_as(pid, 8));
        assert_ne!(first, second, "two processes of the number {pid}");
        (second - first < TEN_MILLISECONDS).then_some((pid, first, second))
    });
    let (pid, first, second) = reused.expect("the number was taken again within ten milliseconds");
    for start in [first, second] {
        let forks = watch.count(|record| match record.body {
            Body::Fork(fork) => (fork.child_pid, fork.child_start_ns) == (pid, start),
            _ => false,
        });
        assert_eq!(forks, 1, "each has a birth of its own");
    }
}
