//! What hangs where stands in `ebpf_common::hook`, as data: each hook with its ways, the best first, and the first kernel of each.
//! `mayfly-agent check` prints what a kernel grants of it.
//!
//! The same object is for every kernel since 5.10: what only newer ones have stands behind a setting that the verifier sees, which
//! then never comes to it (`read`, `call`), and the one instruction that an old kernel refuses even there is not used (`number`). Only the ends of system calls are hooked: there the outcome is known,
//! the pages of the names are present because the kernel has just read them, and a call that nobody asks about pays once.

/// One piece of work and three shells for it: on a hook of the security modules, and at the begin of the function that asks them, by
/// trampoline and by breakpoint. Each hands over the arguments with these numbers.
macro_rules! shells {
    ($work:ident: $lsm:ident, $fentry:ident, $kprobe:ident, $($argument:literal)+) => {
        #[aya_ebpf::macros::lsm]
        fn $lsm(context: aya_ebpf::programs::LsmContext) -> i32 {
            $work($(context.arg($argument)),+);
            0
        }

        #[aya_ebpf::macros::fentry]
        fn $fentry(context: aya_ebpf::programs::FEntryContext) -> u32 {
            $work($(context.arg($argument)),+);
            0
        }

        #[aya_ebpf::macros::kprobe]
        fn $kprobe(context: aya_ebpf::programs::ProbeContext) -> u32 {
            $work($(context.arg($argument).unwrap_or(0)),+);
            0
        }
    };
}

mod call;
mod cgroup;
mod enforce;
mod file;
mod file_alias;
mod file_change;
mod file_clone;
mod file_content;
mod file_link;
mod file_named;
mod file_names;
mod file_opened;
mod file_uring;
mod guard;
mod kernel;
mod kernel_bpf;
mod kernel_mount;
mod kernel_sysctl;
mod kernel_uring;
mod network;
mod network_accepted;
mod network_datagram;
mod network_payload;
mod network_socket;
mod privilege;
mod privilege_credentials;
mod privilege_memory;
mod privilege_namespaces;
mod privilege_reach;
mod process;
mod quarantine;
mod socket;
mod tamper;
mod target;
