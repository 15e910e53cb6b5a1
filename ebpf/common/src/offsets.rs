//! Where the fields of kernel structures stand. The agent finds each offset in the running kernel's own type information and
//! gives them all as one constant; the kernel programs hold no layout of any kernel.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The offset of a field that this kernel does not have.
pub const ABSENT: u32 = u32::MAX;

/// How an offset is found.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The structure.
    pub structure: &'static str,
    /// The member, through others with `.` and to one of an array with `[number]`; names that other kernels or machines use follow
    /// after `|`. Empty: the structure's size.
    pub member: &'static str,
    /// A program that reads it cannot do without it, and is not loaded where it is absent.
    pub required: bool,
}

macro_rules! offsets {
    ($($(#[$doc:meta])* $name:ident: $structure:literal $member:literal $(($optional:ident))?,)*) => {
        /// Byte offsets, each named after its structure and member.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
        #[repr(C)]
        pub struct Offsets {
            $(#[doc = concat!("`", $structure, ".", $member, "`")] $(#[$doc])* pub $name: u32,)*
        }

        impl Offsets {
            /// How each is found, in the order of the fields.
            pub const FIELDS: &'static [Field] = &[
                $(Field { structure: $structure, member: $member, required: offsets!(@required $($optional)?) },)*
            ];

            /// Every field absent.
            pub const ABSENT: Self = Self { $($name: ABSENT,)* };
        }
    };
    (@required) => { true };
    (@required optional) => { false };
}

offsets! {
    task_tgid: "task_struct" "tgid",
    task_pid: "task_struct" "pid",
    task_flags: "task_struct" "flags",
    task_group_leader: "task_struct" "group_leader",
    task_start_boottime: "task_struct" "start_boottime",
    task_real_parent: "task_struct" "real_parent",
    task_cred: "task_struct" "cred",
    task_mm: "task_struct" "mm",
    task_fs: "task_struct" "fs",
    task_files: "task_struct" "files",
    task_nsproxy: "task_struct" "nsproxy",
    task_thread_pid: "task_struct" "thread_pid",
    task_signal: "task_struct" "signal",
    task_exit_code: "task_struct" "exit_code",
    task_stack: "task_struct" "stack",
    /// Counts the images of a process.
    task_image: "task_struct" "self_exec_id" (optional),
    signal_live: "signal_struct" "live",
    signal_flags: "signal_struct" "flags",
    signal_group_exit_code: "signal_struct" "group_exit_code",
    cred_uid: "cred" "uid",
    cred_gid: "cred" "gid",
    cred_euid: "cred" "euid",
    cred_egid: "cred" "egid",
    cred_cap_permitted: "cred" "cap_permitted",
    cred_cap_effective: "cred" "cap_effective",
    cred_user_ns: "cred" "user_ns",
    nsproxy_mnt_ns: "nsproxy" "mnt_ns",
    nsproxy_net_ns: "nsproxy" "net_ns",
    nsproxy_cgroup_ns: "nsproxy" "cgroup_ns",
    nsproxy_pid_ns: "nsproxy" "pid_ns_for_children",
    nsproxy_uts_ns: "nsproxy" "uts_ns",
    nsproxy_ipc_ns: "nsproxy" "ipc_ns",
    /// Since 5.6.
    nsproxy_time_ns: "nsproxy" "time_ns" (optional),
    mnt_namespace_inum: "mnt_namespace" "ns.inum",
    net_inum: "net" "ns.inum",
    cgroup_namespace_inum: "cgroup_namespace" "ns.inum" (optional),
    uts_namespace_inum: "uts_namespace" "ns.inum" (optional),
    ipc_namespace_inum: "ipc_namespace" "ns.inum" (optional),
    time_namespace_inum: "time_namespace" "ns.inum" (optional),
    user_namespace_inum: "user_namespace" "ns.inum",
    pid_namespace_inum: "pid_namespace" "ns.inum",
    /// The table in which the kernel looks a number up.
    pid_namespace_table: "pid_namespace" "idr.idr_rt.xa_head" (optional),
    table_shift: "xa_node" "shift" (optional),
    table_slots: "xa_node" "slots" (optional),
    pid_tasks: "pid" "tasks" (optional),
    task_pid_links: "task_struct" "pid_links" (optional),
    task_cgroups: "task_struct" "cgroups" (optional),
    css_set_cgroup: "css_set" "dfl_cgrp" (optional),
    proc_inode_pid: "proc_inode" "pid" (optional),
    proc_inode_vfs: "proc_inode" "vfs_inode" (optional),
    inode_private: "inode" "i_private" (optional),
    pid_level: "pid" "level",
    pid_numbers: "pid" "numbers",
    upid_ns: "upid" "ns",
    upid_size: "upid" "",
    mm_arg_start: "mm_struct" "arg_start",
    mm_arg_end: "mm_struct" "arg_end",
    mm_exe_file: "mm_struct" "exe_file",
    area_start: "vm_area_struct" "vm_start" (optional),
    area_end: "vm_area_struct" "vm_end" (optional),
    area_file: "vm_area_struct" "vm_file" (optional),
    fs_pwd: "fs_struct" "pwd",
    fs_root: "fs_struct" "root" (optional),
    path_mnt: "path" "mnt",
    path_dentry: "path" "dentry",
    file_path: "file" "f_path",
    file_inode: "file" "f_inode",
    file_mode: "file" "f_mode",
    file_private_data: "file" "private_data",
    files_fdt: "files_struct" "fdt",
    fdtable_fd: "fdtable" "fd",
    fdtable_max_fds: "fdtable" "max_fds",
    binprm_filename: "linux_binprm" "filename",
    binprm_interpreter: "linux_binprm" "interp",
    /// What the request is about, in the kernel's words; since 6.0.
    uring_command: "io_kiocb" "cmd" (optional),
    uring_open_flags: "io_open" "how.flags" (optional),
    uring_open_mode: "io_open" "how.mode" (optional),
    uring_unlink_directory: "io_unlink" "dfd" (optional),
    uring_unlink_flags: "io_unlink" "flags" (optional),
    uring_rename_old_directory: "io_rename" "old_dfd" (optional),
    uring_rename_new_directory: "io_rename" "new_dfd" (optional),
    uring_rename_flags: "io_rename" "flags" (optional),
    open_flags_flags: "open_flags" "open_flag" (optional),
    open_flags_mode: "open_flags" "mode" (optional),
    dentry_name: "dentry" "d_name.name",
    dentry_name_length: "dentry" "d_name.len",
    /// Of the name and its folder.
    dentry_name_hash: "dentry" "d_name.hash" (optional),
    dentry_parent: "dentry" "d_parent",
    /// Where a name stands that is short; renamed in 6.14.
    dentry_short_name: "dentry" "d_shortname|d_iname" (optional),
    dentry_inode: "dentry" "d_inode",
    /// In the list of the names of one file.
    dentry_alias: "dentry" "d_u.d_alias|d_alias" (optional),
    inode_aliases: "inode" "i_dentry" (optional),
    mount_mnt: "mount" "mnt",
    mount_parent: "mount" "mnt_parent",
    mount_mountpoint: "mount" "mnt_mountpoint",
    mount_id: "mount" "mnt_id",
    /// Since 6.8.
    mount_unique: "mount" "mnt_id_unique" (optional),
    vfsmount_root: "vfsmount" "mnt_root",
    inode_mode: "inode" "i_mode",
    inode_number: "inode" "i_ino",
    inode_links: "inode" "i_nlink",
    inode_device: "inode" "i_rdev",
    inode_generation: "inode" "i_generation",
    inode_super: "inode" "i_sb",
    super_device: "super_block" "s_dev",
    super_magic: "super_block" "s_magic",
    super_root: "super_block" "s_root" (optional),
    /// Absent where the kernel has no overlay filesystem; read from the module's own types where it is a module.
    ovl_inode_upper: "ovl_inode" "__upperdentry" (optional),
    ovl_inode_vfs: "ovl_inode" "vfs_inode" (optional),
    cgroup_kn: "cgroup" "kn",
    cgroup_root: "cgroup" "root",
    cgroup_level: "cgroup" "level",
    cgroup_root_hierarchy: "cgroup_root" "hierarchy_id",
    kernfs_id: "kernfs_node" "id",
    kernfs_name: "kernfs_node" "name",
    kernfs_parent: "kernfs_node" "__parent|parent",
    socket_type: "socket" "type",
    /// Since 3.0, in the module's own types where Unix sockets are a module.
    unix_peer: "unix_sock" "peer" (optional),
    unix_address: "unix_sock" "addr" (optional),
    unix_address_length: "unix_address" "len" (optional),
    unix_address_name: "unix_address" "name" (optional),
    socket_sk: "socket" "sk",
    sock_family: "sock_common" "skc_family",
    /// Not the number in `sock_common`: that is taken back before the last change of state is told.
    sock_port: "inet_sock" "inet_sport",
    sock_remote_port: "sock_common" "skc_dport",
    sock_remote_v4: "sock_common" "skc_daddr",
    sock_local_v4: "sock_common" "skc_rcv_saddr",
    sock_remote_v6: "sock_common" "skc_v6_daddr" (optional),
    sock_local_v6: "sock_common" "skc_v6_rcv_saddr" (optional),
    sock_state: "sock_common" "skc_state",
    sock_protocol: "sock" "sk_protocol",
    sock_error: "sock" "sk_err",
    sock_flags: "sock_common" "skc_flags",
    tcp_acknowledged: "tcp_sock" "bytes_acked",
    tcp_received: "tcp_sock" "bytes_received",
    module_name: "module" "name" (optional),
    bpf_program_type: "bpf_prog" "type" (optional),
    bpf_program_attach_type: "bpf_prog" "expected_attach_type" (optional),
    bpf_program_aux: "bpf_prog" "aux" (optional),
    bpf_aux_id: "bpf_prog_aux" "id" (optional),
    bpf_aux_name: "bpf_prog_aux" "name" (optional),
    bpf_map_id: "bpf_map" "id" (optional),
    bpf_map_name: "bpf_map" "name" (optional),
    bpf_link_id: "bpf_link" "id" (optional),
    bpf_link_program: "bpf_link" "prog" (optional),
    uring_opcode: "io_kiocb" "opcode" (optional),
    uring_descriptor: "io_kiocb" "cqe.fd" (optional),
    uring_flags: "io_kiocb" "flags" (optional),
    /// Since 5.19.
    uring_command_number: "io_uring_cmd" "cmd_op" (optional),
    uring_open_name: "io_open" "filename" (optional),
    uring_unlink_name: "io_unlink" "filename" (optional),
    uring_mkdir_name: "io_mkdir" "filename" (optional),
    uring_rename_old: "io_rename" "oldpath" (optional),
    uring_rename_new: "io_rename" "newpath" (optional),
    uring_link_old: "io_link" "oldpath" (optional),
    uring_link_new: "io_link" "newpath" (optional),
    uring_open_directory: "io_open" "dfd" (optional),
    filename_name: "filename" "name" (optional),
    siginfo_code: "kernel_siginfo" "si_code" (optional),
    /// Registers that hold a system call's arguments; each machine has its own names for them: those of x86-64, then those of
    /// arm64, where the answer takes the first one's place and the kernel keeps what was there.
    argument_0: "pt_regs" "di|orig_x0",
    argument_1: "pt_regs" "si|regs[1]",
    argument_2: "pt_regs" "dx|regs[2]",
    argument_3: "pt_regs" "r10|cx|regs[3]",
    argument_4: "pt_regs" "r8|regs[4]",
}
