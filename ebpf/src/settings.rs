//! What the agent fixed at load: constants in the object's read-only data, which the verifier reads, so that a branch on a
//! setting costs nothing at run time. Never written here.

use ebpf_common::account::Budget;
use ebpf_common::config::Sieve;
use ebpf_common::{Config, Offsets};

/// Replaced by the agent.
#[unsafe(no_mangle)]
static OFFSETS: Offsets = Offsets::ABSENT;

/// Replaced by the agent.
#[unsafe(no_mangle)]
static CONFIG: Config = Config {
    datagram_window_ns: 60_000_000_000,
    repeat_window_ns: 10_000_000_000,
    sensitive_names: Sieve([0; Sieve::WORDS]),
    sensitive_folders: Sieve([0; Sieve::WORDS]),
    network_budget: Budget::NONE,
    file_budget: Budget::NONE,
    agent_cgroup: 0,
    own_pid: 0,
    host_mount_namespace: 0,
    exit_says_group_dead: 0,
    typed_task: 1,
    registers_in_stack: 0,
    agent_pid: 0,
    uring_arguments: 0,
    plain_loads: 0,
};

/// The settings, to be read with [`constant`].
pub const fn config() -> *const Config {
    &raw const CONFIG
}

/// The offsets, to be read with [`constant`].
pub const fn offsets() -> *const Offsets {
    &raw const OFFSETS
}

/// Reads a constant as it is in the loaded object, not as it was compiled.
#[inline(always)]
pub fn constant<T: Copy>(address: *const T) -> T {
    // SAFETY: callers pass a field of one of the two statics above: aligned, initialised, never written while loaded.
    unsafe { core::ptr::read_volatile(address) }
}

/// One word of a sieve.
#[inline(always)]
pub fn word(sieve: *const Sieve, number: usize) -> u64 {
    // SAFETY: callers pass the address of a sieve of the settings, and a number below its words.
    constant(unsafe { sieve.cast::<u64>().add(number & (Sieve::WORDS - 1)) })
}

/// The offset of a field in this kernel.
#[macro_export]
macro_rules! offset {
    ($field:ident) => {{
        // SAFETY: takes the address of a field of a static, without reading it.
        let address = unsafe { &raw const (*$crate::settings::offsets()).$field };
        $crate::settings::constant(address)
    }};
}

/// A setting.
#[macro_export]
macro_rules! config {
    ($field:ident) => {
        $crate::settings::constant($crate::config_at!($field))
    };
}

/// Where a setting stands.
#[macro_export]
macro_rules! config_at {
    ($field:ident) => {{
        // SAFETY: takes the address of a field of a static, without reading it.
        unsafe { &raw const (*$crate::settings::config()).$field }
    }};
}
