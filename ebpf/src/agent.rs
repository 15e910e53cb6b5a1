//! Whether there is an agent: what it says of itself, and since when it says nothing. Takes the one element of its map; gives answers to
//! those who would act for it. The map outlives the agent, and is the same for the programs of the next.

use aya_ebpf::helpers::generated::bpf_ktime_get_boot_ns;
use aya_ebpf::macros::map;
use aya_ebpf::maps::Array;
use ebpf_common::agent::Agent;

#[map]
pub static AGENT: Array<Agent> = Array::with_max_entries(1, 0);

/// Whether this is the agent's process still, which the settings name: the number may be another's since it ended.
#[inline(always)]
pub fn is(pid: u32) -> bool {
    // SAFETY: the field is a number that is written whole; an old or a new one are both right.
    pid != 0 && AGENT.get_ptr(0).is_some_and(|agent| unsafe { (*agent).pid } == pid)
}

/// Whether whom the kernel stops now will be let go.
#[inline(always)]
pub fn lets_go() -> bool {
    let Some(agent) = AGENT.get_ptr(0) else { return false };
    // SAFETY: as in `is`.
    let (beat_ns, lets_go_ns, pid) = unsafe { ((*agent).beat_ns, (*agent).lets_go_ns, (*agent).pid) };
    // SAFETY: takes nothing, gives a number.
    let now = unsafe { bpf_ktime_get_boot_ns() };
    pid != 0 && now.saturating_sub(beat_ns) < lets_go_ns
}

/// A process has ended.
#[inline(always)]
pub fn ended(pid: u32) {
    if let Some(agent) = AGENT.get_ptr_mut(0) {
        // SAFETY: the field is inside a map's value, four bytes, aligned; the agent that writes it has ended.
        unsafe {
            if (*agent).pid == pid {
                (*agent).pid = 0;
            }
        }
    }
}

/// Ends recording where the agent is away for too long. To be asked now and then: the end of threads does.
#[inline(always)]
pub fn look() {
    let Some(agent) = AGENT.get_ptr_mut(0) else { return };
    // SAFETY: as in `is`.
    let (beat_ns, away_ns, quiet_ns) = unsafe { ((*agent).beat_ns, (*agent).away_ns, (*agent).quiet_ns) };
    if away_ns == 0 || quiet_ns != 0 {
        return;
    }
    // SAFETY: takes nothing, gives a number.
    let now = unsafe { bpf_ktime_get_boot_ns() };
    if now.saturating_sub(beat_ns) > away_ns {
        // SAFETY: the field is inside a map's value, eight bytes, aligned.
        unsafe { (*agent).quiet_ns = now };
    }
}
