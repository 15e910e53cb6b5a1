//! Numbers of the kernel's as words. Takes what a record has; gives the name that manuals use, or the number.

use std::borrow::Cow;

use ebpf_common::record::privilege::way;
use nix::libc;

/// A system call, or what stands for one.
pub(crate) fn name(call: u32) -> String {
    let known = match call {
        way::FORK => Some("fork"),
        way::MEMORY_FILE => Some("memory_file"),
        way::MODULE_LOADED => Some("module_loaded"),
        way::MAPPING => Some("mmap"),
        way::PROTECTION => Some("mprotect"),
        _ => CALLS.iter().find(|(number, _)| i64::from(call) == *number).map(|(_, name)| *name),
    };
    known.map_or_else(|| format!("call {call}"), str::to_owned)
}

/// On this machine.
const CALLS: &[(i64, &str)] = &[
    (libc::SYS_setuid, "setuid"),
    (libc::SYS_setgid, "setgid"),
    (libc::SYS_setreuid, "setreuid"),
    (libc::SYS_setregid, "setregid"),
    (libc::SYS_setresuid, "setresuid"),
    (libc::SYS_setresgid, "setresgid"),
    (libc::SYS_capset, "capset"),
    (libc::SYS_execve, "execve"),
    (libc::SYS_execveat, "execveat"),
    (libc::SYS_ptrace, "ptrace"),
    (libc::SYS_process_vm_readv, "process_vm_readv"),
    (libc::SYS_process_vm_writev, "process_vm_writev"),
    (libc::SYS_pidfd_getfd, "pidfd_getfd"),
    (libc::SYS_kcmp, "kcmp"),
    (libc::SYS_unshare, "unshare"),
    (libc::SYS_setns, "setns"),
    (libc::SYS_chroot, "chroot"),
    (libc::SYS_pivot_root, "pivot_root"),
    (libc::SYS_keyctl, "keyctl"),
    (libc::SYS_add_key, "add_key"),
    (libc::SYS_request_key, "request_key"),
    (libc::SYS_mmap, "mmap"),
    (libc::SYS_mprotect, "mprotect"),
    (libc::SYS_pkey_mprotect, "pkey_mprotect"),
    (libc::SYS_init_module, "init_module"),
    (libc::SYS_finit_module, "finit_module"),
    (libc::SYS_delete_module, "delete_module"),
    (libc::SYS_kexec_load, "kexec_load"),
    (libc::SYS_kexec_file_load, "kexec_file_load"),
    (libc::SYS_mount, "mount"),
    (libc::SYS_umount2, "umount"),
    (libc::SYS_move_mount, "move_mount"),
    (libc::SYS_fsopen, "fsopen"),
    (libc::SYS_fsconfig, "fsconfig"),
    (libc::SYS_fsmount, "fsmount"),
    (libc::SYS_open_tree, "open_tree"),
    (libc::SYS_mount_setattr, "mount_setattr"),
];

/// A request of ptrace.
pub(crate) fn trace_request(request: u32) -> Cow<'static, str> {
    Cow::Borrowed(match request {
        0 => "trace_me",
        4 | 5 => "write_memory",
        6 => "write_user_area",
        13 | 15 | 0x4205 => "write_registers",
        16 => "attach",
        0x4206 => "seize",
        other => return Cow::Owned(other.to_string()),
    })
}

/// A command of bpf(2).
pub(crate) fn bpf_command(command: u32) -> Cow<'static, str> {
    Cow::Borrowed(match command {
        0 => "map_create",
        2 => "map_update",
        3 => "map_delete",
        5 => "program_load",
        6 => "pin",
        7 => "get_pinned",
        8 => "attach",
        9 => "detach",
        13 => "program_by_id",
        14 => "map_by_id",
        17 => "raw_tracepoint_open",
        21 => "map_take",
        22 => "map_freeze",
        25 => "map_take_batch",
        26 => "map_update_batch",
        27 => "map_delete_batch",
        28 => "link_create",
        29 => "link_update",
        30 => "link_by_id",
        32 => "enable_statistics",
        34 => "link_detach",
        other => return Cow::Owned(other.to_string()),
    })
}

/// An operation of an `io_uring`.
pub(crate) fn uring_operation(opcode: u32) -> Cow<'static, str> {
    let known = usize::try_from(opcode).ok().and_then(|opcode| OPERATIONS.get(opcode));
    known.map_or_else(|| Cow::Owned(opcode.to_string()), |name| Cow::Borrowed(*name))
}

/// What of an `io_uring` is registered or changed.
pub(crate) fn uring_registration(opcode: u32) -> Cow<'static, str> {
    /// The ring is named by its place in the process's own table of rings.
    const BY_PLACE: u32 = 1 << 31;
    let opcode = opcode & !BY_PLACE;
    let known = usize::try_from(opcode).ok().and_then(|opcode| REGISTRATIONS.get(opcode));
    known.map_or_else(|| Cow::Owned(opcode.to_string()), |name| Cow::Borrowed(*name))
}

/// `enum io_uring_register_op`, in its order, which never changes.
const REGISTRATIONS: &[&str] = &[
    "buffers",
    "unregister_buffers",
    "files",
    "unregister_files",
    "eventfd",
    "unregister_eventfd",
    "files_update",
    "eventfd_async",
    "probe",
    "personality",
    "unregister_personality",
    "restrictions",
    "enable_rings",
    "files2",
    "files_update2",
    "buffers2",
    "buffers_update",
    "iowq_aff",
    "unregister_iowq_aff",
    "iowq_max_workers",
    "ring_fds",
    "unregister_ring_fds",
    "pbuf_ring",
    "unregister_pbuf_ring",
    "sync_cancel",
    "file_alloc_range",
    "pbuf_status",
    "napi",
    "unregister_napi",
    "clock",
    "clone_buffers",
    "send_msg_ring",
    "zcrx_ifq",
    "resize_rings",
    "mem_region",
];

/// `enum io_uring_op`, in its order, which never changes.
const OPERATIONS: &[&str] = &[
    "nop",
    "readv",
    "writev",
    "fsync",
    "read_fixed",
    "write_fixed",
    "poll_add",
    "poll_remove",
    "sync_file_range",
    "sendmsg",
    "recvmsg",
    "timeout",
    "timeout_remove",
    "accept",
    "async_cancel",
    "link_timeout",
    "connect",
    "fallocate",
    "openat",
    "close",
    "files_update",
    "statx",
    "read",
    "write",
    "fadvise",
    "madvise",
    "send",
    "recv",
    "openat2",
    "epoll_ctl",
    "splice",
    "provide_buffers",
    "remove_buffers",
    "tee",
    "shutdown",
    "renameat",
    "unlinkat",
    "mkdirat",
    "symlinkat",
    "linkat",
    "msg_ring",
    "fsetxattr",
    "setxattr",
    "fgetxattr",
    "getxattr",
    "socket",
    "uring_cmd",
    "send_zc",
    "sendmsg_zc",
    "read_multishot",
    "waitid",
    "futex_wait",
    "futex_wake",
    "futex_waitv",
    "fixed_fd_install",
    "ftruncate",
    "bind",
    "listen",
    "recv_zc",
    "epoll_wait",
    "readv_fixed",
    "writev_fixed",
    "pipe",
];
