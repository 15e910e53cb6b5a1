//! An exec whose record was lost, of a process that is stopped since: what the kernel would have said, from `/proc`.
//!
//! Takes the mount of `/proc` and what the kernel noted of the stop; gives a record that is marked as such. Bounded reads; what has
//! ended meanwhile is not there.

use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use ebpf_common::header::{Class, Header, Kind, VERSION, flag};
use ebpf_common::record;
use ebpf_common::record::process::{MAX_ARGUMENTS, Stopped};
use nix::sys::stat::{major, minor};

use crate::decode::{Body, Exec, Record};
use crate::origin::process::TICK_NS;
use crate::origin::seed;

/// What the kernel puts behind the name of a file that has none any more.
const DELETED: &[u8] = b" (deleted)";

/// The exec, in pieces that a record borrows from.
#[derive(Debug)]
pub struct LostExec {
    header: Header,
    fixed: record::Exec,
    path: Vec<u8>,
    directory: Vec<u8>,
    arguments: Vec<u8>,
}

impl LostExec {
    /// Reads it; `None` where the process is gone, or another has its pid.
    pub fn read(proc: &Path, pid: u32, stopped: &Stopped) -> Option<Self> {
        let folder = proc.join(pid.to_string());
        let link = |name: &str| fs::read_link(folder.join(name)).map(|path| path.into_os_string().into_vec()).ok();
        // The name in it is the process's own choice of bytes.
        let status = seed::bounded(&folder.join("status"), seed::FILE_BYTES)?;
        let status = String::from_utf8_lossy(&status);
        let [user, effective_user] = ids(&status, "Uid:")?;
        let [group, _] = ids(&status, "Gid:")?;
        let program = fs::metadata(folder.join("exe")).ok()?;
        let mut path = link("exe")?;
        if stopped.marks & (flag::MEMFD | flag::DELETED) != 0 && path.ends_with(DELETED) {
            path.truncate(path.len() - DELETED.len());
        }
        let arguments = seed::bounded(&folder.join("cmdline"), MAX_ARGUMENTS as u64)?;
        let parent = seed::one(proc, pid)?.parent;
        let fixed = record::Exec {
            capabilities: field(&status, "CapEff:").and_then(|word| u64::from_str_radix(word, 16).ok())?,
            inode: program.ino(),
            device: u32::try_from(major(program.dev()) << 20 | minor(program.dev())).ok()?,
            links: u32::try_from(program.nlink()).ok()?,
            gid: group,
            effective_uid: effective_user,
            argument_bytes: u32::try_from(arguments.len()).ok()?,
            mount_namespace: seed::namespace(proc, pid, "mnt")?,
            pid_namespace: seed::namespace(proc, pid, "pid").unwrap_or_default(),
            network_namespace: seed::namespace(proc, pid, "net").unwrap_or_default(),
            user_namespace: seed::namespace(proc, pid, "user").unwrap_or_default(),
            cgroup_namespace: seed::namespace(proc, pid, "cgroup").unwrap_or_default(),
            comm: comm(&folder),
            // A record on the wire measures its tail by these; here the pieces lie beside it.
            path_length: 0,
            directory_length: 0,
            arguments_length: 0,
            script_length: 0,
            arguments_end_length: 0,
            reserved: [0; 2],
            path_components: 0,
            stopped_for: stopped.stopped_for,
            filesystem: 0,
        };
        let parent_start_ns = seed::start_tick(proc, parent).unwrap_or_default().saturating_mul(TICK_NS);
        let header = header(pid, user, stopped, (parent, parent_start_ns));
        let directory = link("cwd").unwrap_or_default();
        // Last: all that was read is of the process that was stopped.
        let same = seed::start_tick(proc, pid)? == stopped.start_ns / TICK_NS;
        same.then_some(Self { header, fixed, path, directory, arguments })
    }

    /// The record.
    pub fn record(&self) -> Record<'_> {
        let Self { header, fixed, path, directory, arguments } = self;
        let exec = Exec { fixed: *fixed, path, directory, script: b"", arguments, arguments_end: b"" };
        Record { header: *header, body: Body::Exec(exec) }
    }
}

fn header(pid: u32, uid: u32, stopped: &Stopped, (parent_pid, parent_start_ns): (u32, u64)) -> Header {
    Header {
        length: 0,
        kind: Kind::Exec as u16,
        flags: stopped.marks | flag::STOPPED_IN_KERNEL | flag::FROM_PROC,
        cpu: 0,
        class: Class::Process as u8,
        version: VERSION,
        body: 0,
        sequence: 0,
        boot_ns: stopped.boot_ns,
        pid,
        tid: pid,
        start_ns: stopped.start_ns,
        parent_pid,
        uid,
        parent_start_ns,
        cgroup_id: stopped.cgroup_id,
    }
}

/// The short name, as a record has it.
fn comm(folder: &Path) -> [u8; 16] {
    let mut comm = [0; 16];
    let name = seed::bounded(&folder.join("comm"), 15).unwrap_or_default();
    let name = name.strip_suffix(b"\n").unwrap_or(&name);
    comm[..name.len()].copy_from_slice(name);
    comm
}

/// Real and effective id of a line of `status`.
fn ids(status: &str, name: &str) -> Option<[u32; 2]> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let mut words = line.split_ascii_whitespace().map(str::parse);
    Some([words.next()?.ok()?, words.next()?.ok()?])
}

fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_told_as_the_kernel_would_have() {
        let (proc, pid) = (Path::new("/proc"), std::process::id());
        let start_ns = seed::one(proc, pid).expect("the test runs").key.start_ns;
        let stopped = Stopped { start_ns, boot_ns: 5, cgroup_id: 42, stopped_for: 1, marks: flag::CONTAINER };
        let lost = LostExec::read(proc, pid, &stopped).expect("the test runs");
        let Record { header, body: Body::Exec(exec) } = lost.record() else { panic!("an exec") };
        let program = std::env::current_exe().expect("it runs").into_os_string().into_vec();
        assert_eq!((exec.path, exec.fixed.stopped_for), (program.as_slice(), 1));
        assert!(exec.arguments.starts_with(&std::env::args().next().expect("a name").into_bytes()));
        assert_eq!((header.pid, header.boot_ns, header.cgroup_id), (pid, 5, 42));
        assert_eq!(header.flags, flag::CONTAINER | flag::STOPPED_IN_KERNEL | flag::FROM_PROC);
        assert_eq!(Some(exec.fixed.mount_namespace), seed::mount_namespace(proc, pid));

        let other = Stopped { start_ns: start_ns + TICK_NS, ..stopped };
        assert!(LostExec::read(proc, pid, &other).is_none(), "another process has the pid");
    }
}
