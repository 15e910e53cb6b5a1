//! The books: what became of each cgroup's records, and from which purse the next one is paid. Takes a cgroup; gives its account,
//! which every CPU adds to. Nothing in it is ever forgotten by itself: the agent removes an account after it has read it.

use aya_ebpf::helpers::generated::{bpf_get_current_cgroup_id, bpf_ktime_get_boot_ns, bpf_ringbuf_query};
use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, HashMap, RingBuf};
use ebpf_common::Class;
use ebpf_common::account::{Account, Budget, MAX_ACCOUNTS, MAX_PAYERS, Purse, SHARED};
use ebpf_common::loss::Outcome;

use crate::{config, number};

/// Cgroup → its account. Shared by the CPUs, so that its size does not grow with them.
#[map]
static ACCOUNTS: HashMap<u64, Account> = HashMap::with_max_entries(MAX_ACCOUNTS, 0);

/// Cgroup below a container's → the container's, which pays for it: who makes a thousand cgroups has one budget all the same.
#[map]
static PAYERS: HashMap<u64, u64> = HashMap::with_max_entries(MAX_PAYERS, 0);

/// An empty account, from which new ones are made: it is too long for a program's stack.
#[map]
static EMPTY_ACCOUNT: Array<Account> = Array::with_max_entries(1, 0);

const ONLY_NEW: u64 = 1;
const BPF_RB_AVAIL_DATA: u64 = 0;

/// The account of a cgroup, or of whoever pays for it.
#[derive(Clone, Copy)]
pub struct Books(*mut Account);

impl Books {
    /// Of a cgroup.
    #[inline(always)]
    pub fn of(cgroup_id: u64) -> Self {
        Self(find(cgroup_id))
    }

    /// Of the cgroup of the process that runs now.
    #[inline(always)]
    pub fn current() -> Self {
        // SAFETY: takes nothing, gives a number.
        Self::of(unsafe { bpf_get_current_cgroup_id() })
    }

    /// A hook has something to tell.
    #[inline(always)]
    pub fn begin(self, class: Class) {
        if self.0.is_null() {
            return;
        }
        // SAFETY: the account is a map's value, not null; the counter is inside it, eight bytes, aligned.
        unsafe { number::count(&raw mut (*self.0).begun[class as usize], 1) };
    }

    /// What became of it.
    #[inline(always)]
    pub fn end(self, class: Class, outcome: Outcome) {
        if self.0.is_null() {
            return;
        }
        // SAFETY: as in `begin`.
        unsafe { number::count(&raw mut (*self.0).ended[class as usize][outcome as usize], 1) };
    }

    /// Whether a record may be sent, which is then paid for. The life of processes, privilege and the kernel cost nothing.
    #[inline(always)]
    pub fn pays(self, class: Class, purse: Purse, ring: *mut RingBuf, now: u64) -> bool {
        let (place, budget) = match class {
            Class::Network => (0, config!(network_budget)),
            Class::File => (1, config!(file_budget)),
            Class::Process | Class::Privilege | Class::Kernel => return true,
        };
        if budget.cost_ns == 0 || self.0.is_null() {
            return true;
        }
        // SAFETY: the map is a ring.
        let waiting = unsafe { bpf_ringbuf_query(ring.cast(), BPF_RB_AVAIL_DATA) };
        let first = if waiting < budget.strained_bytes { Purse::Usual } else { Purse::Strained };
        // SAFETY: as in `begin`.
        let purses = unsafe { &raw mut (*self.0).paid[place] }.cast::<u64>();
        pay(purses, first, &budget, now)
            || (purse as usize > Purse::Strained as usize && pay(purses, purse, &budget, now))
    }
}

/// A purse holds the moment until which all is paid that was sent. That lies in the future by what was sent lately, at most by the burst.
/// Two CPUs may both take the last coin: the bound is soft by as many records as there are CPUs, what is counted is exact.
#[inline(always)]
fn pay(purses: *mut u64, purse: Purse, budget: &Budget, now: u64) -> bool {
    // SAFETY: a purse is one of as many numbers as there are kinds of them, in an account.
    let purse_at = unsafe { purses.add(purse as usize) };
    let (cost, burst) = (budget.cost_ns << purse.share(), budget.burst_ns);
    // SAFETY: eight bytes, aligned, inside a map's value; other CPUs write it whole.
    let paid = unsafe { purse_at.read_volatile() };
    if paid < now {
        // SAFETY: as above.
        unsafe { purse_at.write_volatile(now) };
    } else if paid - now > burst {
        return false;
    }
    // SAFETY: as above.
    unsafe { number::count(purse_at, cost) };
    true
}

/// A cgroup was made below one that is a container's.
#[inline(always)]
pub fn made_below(cgroup_id: u64, parent_id: u64) {
    let payer = PAYERS.get_ptr(parent_id).map_or(parent_id, |payer| {
        // SAFETY: the value is a number that is written whole, once.
        unsafe { *payer }
    });
    // Without room it has an account of its own.
    let _full = PAYERS.insert(cgroup_id, payer, 0);
}

/// A cgroup is gone: what its sockets still have to tell comes late, so the agent closes the account.
#[inline(always)]
pub fn gone(cgroup_id: u64) {
    if let Some(account) = ACCOUNTS.get_ptr_mut(cgroup_id) {
        // SAFETY: the field is inside a map's value, eight bytes, aligned; written here only.
        unsafe { (*account).gone_ns = bpf_ktime_get_boot_ns() };
    }
}

/// A function of its own in the object as well: every program asks for it several times. Whichever way it takes, the account is one of
/// the same table, so that the verifier looks at the rest of the program once and not once for each. The one for those for whom there
/// is no room is put there by the agent before any program runs.
#[inline(never)]
fn find(cgroup_id: u64) -> *mut Account {
    if let Some(account) = ACCOUNTS.get_ptr_mut(cgroup_id) {
        return account;
    }
    // SAFETY: the value is a number that is written whole, once.
    let payer = PAYERS.get_ptr(cgroup_id).map_or(cgroup_id, |payer| unsafe { *payer });
    if payer != cgroup_id
        && let Some(account) = ACCOUNTS.get_ptr_mut(payer)
    {
        return account;
    }
    let Some(empty) = EMPTY_ACCOUNT.get_ptr(0) else { return core::ptr::null_mut() };
    // SAFETY: a map's value that nobody writes. By its address: a copy would not fit on a program's stack.
    let empty = unsafe { &*empty };
    // Another CPU may have been first, or there is no room: the next line finds out.
    let _there = ACCOUNTS.insert(payer, empty, ONLY_NEW);
    match ACCOUNTS.get_ptr_mut(payer) {
        Some(account) => account,
        None => ACCOUNTS.get_ptr_mut(SHARED).unwrap_or(core::ptr::null_mut()),
    }
}
