//! Files that a process opens again and again in the same way. The first time in a window of time is told at once; what follows in that
//! window is counted, in the books and in an entry that the agent takes out and tells when the window is over. Takes an open that would be
//! told; says whether it was only counted. Never forgets a count: where the table is full, each open is told.
//!
//! The window stands in the key, so that nobody counts into an entry any more when its window is over and the agent takes it.

use aya_ebpf::helpers::generated::bpf_get_current_cgroup_id;
use aya_ebpf::macros::map;
use aya_ebpf::maps::HashMap;
use ebpf_common::Class;
use ebpf_common::loss::Outcome;
use ebpf_common::offsets::ABSENT;
use ebpf_common::repeats::{MAX_REPEATS, Repeated, Repeats};

use crate::path::Place;
use crate::read::Known;
use crate::{config, emit, number, offset, read};

#[map]
static REPEATS: HashMap<Repeated, Repeats> = HashMap::with_max_entries(MAX_REPEATS, 0);

const ONLY_NEW: u64 = 1;
/// Of the kernel's flags of an open file: to be read, to be written.
const USES: u32 = 3;

/// An open as it is told apart from others.
#[derive(Clone, Copy)]
pub struct Way {
    pub inode: u64,
    pub place: Place,
    /// As given.
    pub flags: u32,
    /// The kernel's flags of the open file.
    pub mode: u32,
}

impl Way {
    #[inline(always)]
    fn how(&self) -> u64 {
        u64::from(self.mode & USES) << 32 | u64::from(self.flags)
    }

    /// Counts the open where the same was told in this window.
    #[inline(always)]
    pub fn is_counted(&self) -> bool {
        config!(repeat_window_ns) != 0 && repeat_count(self.inode, self.place.mount, self.place.dentry, self.how()) != 0
    }

    /// From now on the same is counted. Gives since when; 0 where it is not.
    #[inline(always)]
    pub fn begin(&self) -> u64 {
        if config!(repeat_window_ns) == 0 {
            return 0;
        }
        repeat_begin(self.inode, self.place.mount, self.place.dentry, self.how())
    }
}

// Functions that are known by their names, for the reason that `path` gives. The key is long: each has it on its own stack.

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn repeat_count(inode: u64, mount: u64, dentry: u64, how: u64) -> u64 {
    let now = emit::now();
    let Some(key) = key(inode, mount, dentry, how, now) else { return 0 };
    let Some(repeats) = REPEATS.get_ptr_mut(key) else { return 0 };
    // SAFETY: a map's value, of eight aligned bytes each; the agent takes the entry out long after nobody comes here with its key.
    unsafe {
        number::count(&raw mut (*repeats).count, 1);
        (&raw mut (*repeats).last_ns).write_volatile(now);
    }
    emit::count(Class::File, Outcome::Aggregated);
    1
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn repeat_begin(inode: u64, mount: u64, dentry: u64, how: u64) -> u64 {
    let now = emit::now();
    let Some(key) = key(inode, mount, dentry, how, now) else { return 0 };
    let tid = Known::task().field(offset!(task_pid));
    let repeats = Repeats { counted_ns: now, count: 0, last_ns: now, tid, reserved: 0 };
    // There already: another thread was first, and told it too.
    if REPEATS.insert(key, repeats, ONLY_NEW).is_ok() { now } else { 0 }
}

#[inline(always)]
fn key(inode: u64, mount: u64, dentry: u64, how: u64, now: u64) -> Option<Repeated> {
    // Not the whole identity: this is a stack of its own below the program's.
    let task = Known::task();
    let leader = task.follow(offset!(task_group_leader))?;
    let image = offset!(task_image);
    let filesystem = read::pointer(inode, offset!(inode_super))?;
    Some(Repeated {
        start_ns: leader.field(offset!(task_start_boottime)),
        // SAFETY: takes nothing, gives a number.
        cgroup_id: unsafe { bpf_get_current_cgroup_id() },
        inode: read::field(inode, offset!(inode_number))?,
        mount,
        pid: task.field(offset!(task_tgid)),
        image: if image == ABSENT { 0 } else { task.field(image) },
        device: read::field(filesystem, offset!(super_device))?,
        generation: read::field(inode, offset!(inode_generation))?,
        name: read::field(dentry, offset!(dentry_name_hash))?,
        flags: how as u32,
        mode: (how >> 32) as u32,
        window: now.checked_div(config!(repeat_window_ns))? as u32,
    })
}
