//! What hangs where stands in `ebpf_common::hook`, as data: each hook with its ways, the best first, and the first kernel of each.
//! `mayfly-agent check` prints what a kernel grants of it.
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
