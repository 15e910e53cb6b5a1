//! One real system call, one record: the kernel programs in this machine's kernel, asked through the agent's own loader and
//! decoder. Needs root and BPF; says so and passes where there is neither. Leaves no cgroup, mount or file behind.
#![forbid(unsafe_code)]
#![allow(missing_docs, reason = "tests are named as sentences")]

mod canary;
mod cgroup;
mod evasion;
mod file;
mod file_change;
mod guard;
mod kernel;
mod missing_field;
mod network;
mod network_payload;
mod network_socket;
mod privilege;
mod process;
mod repeats;
mod restart;
mod ring;
mod stimulus;
mod stopped;
mod watch;
mod what_it_took;
