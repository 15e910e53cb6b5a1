//! What hangs where. The agent reads the same table as data from `ebpf_common::hook`.
//!
//! | hook | record | tier | since |
//! |---|---|---|---|
//! | `cgroup_mkdir`, `cgroup_rmdir` | `CgroupMade`, `CgroupGone` | tracepoint (typed) | 5.12 |
//! | `sched_process_fork` | `Fork` | tracepoint (typed) | 5.12 |
//! | `sched_process_exec` | `Exec`, and stops the process | tracepoint (typed) | 5.12 |
//! | `sched_process_exit` | `Exit` | tracepoint (typed) | 5.12 |
//! | `inet_sock_set_state` | `Connect`, `Close` | tracepoint (typed) | 5.12 |
//! | `sys_exit_accept`, `sys_exit_accept4` | `Accept` | tracepoint | 5.15 |
//! | `connect4`, `connect6`, `sendmsg4`, `sendmsg6` of the root cgroup | `Datagram` | tracepoint | 5.12 |
//! | `sys_exit_open`, `openat`, `openat2`, `creat` | `FileOpen` | tracepoint | 5.15 |
//! | `sys_exit_unlink`, `unlinkat`, `rmdir` | `FileUnlink` | tracepoint | 5.15 |
//! | `sys_exit_rename`, `renameat`, `renameat2` | `FileRename` | tracepoint | 5.15 |
//! | `sys_exit_chmod`, `fchmod`, `fchmodat`, `fchmodat2` | `FileChmod` | tracepoint | 5.15 |
//! | `sys_exit_userfaultfd` | `Userfault` | tracepoint | 5.15 |
//! | `sys_exit_io_uring_setup` | `UringSetup` | tracepoint | 5.15 |
//! | `cgroup_skb` of a quarantined cgroup | none: drops packets | tracepoint | 5.12 |
//!
//! 5.12 is the first kernel whose programs may add to a number and read it in one instruction (`emit`), 5.15 the first whose
//! programs may ask for a task's registers (`call`). Only the ends of system calls are hooked: there the outcome is known,
//! the pages of the names are present because the kernel has just read them, and a call that nobody asks about pays once.

mod call;
mod cgroup;
mod enforce;
mod file;
mod file_names;
mod guard;
mod kernel;
mod network;
mod network_datagram;
mod privilege;
mod process;
mod quarantine;
mod socket;
