//! What hangs where stands in `ebpf_common::hook`, as data: each hook with its ways, the best first, and the first kernel of each.
//! `mayfly-agent check` prints what a kernel grants of it.
//!
//! The same object is for every kernel since 5.10: what only newer ones have stands behind a setting that the verifier sees, which
//! then never comes to it (`read`, `call`), and the one instruction that an old kernel refuses even there is not used (`number`). Only the ends of system calls are hooked: there the outcome is known,
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
