//! Which file: its path from the root of the mount namespace, read from the kernel's own tree of names and mounts, from the
//! last component up. Takes a `struct path`; gives the text at the end of a walk's room. Bounded in components and bytes:
//! what does not fit is cut off in front and marked, so that the last components are always right.
//!
//! All that changes from step to step is kept in the map and not in registers: what comes out of memory the verifier takes
//! for any number, so that all ways through one step are the same to it, and it looks at each step once.

use core::mem::offset_of;

use aya_ebpf::macros::map;
use aya_ebpf::maps::PerCpuArray;
use ebpf_common::record::process::MAX_PATH;

use crate::{offset, read};

/// Most components, and mounts crossed, of one path. With the bound on bytes this is what an attacker can make long.
const MAX_STEPS: u32 = 72;
/// Longest component that any filesystem has.
const MAX_NAME: u64 = 255;

/// A `struct path`, by its two fields.
#[derive(Clone, Copy)]
pub struct Place {
    pub mount: u64,
    pub dentry: u64,
}

impl Place {
    /// No place. Not an `Option`: the compiler leaves what is in none undefined, and old verifiers see it look there.
    pub const NOWHERE: Self = Self { mount: 0, dentry: 0 };

    /// Whether there is a place.
    #[inline(always)]
    pub fn is_somewhere(self) -> bool {
        self.dentry != 0
    }

    /// From the address of a `struct path`.
    #[inline(always)]
    pub fn read(path: u64) -> Option<Self> {
        let (mount, dentry) = read::fields(path, offset!(path_mnt), offset!(path_dentry))?;
        if mount == 0 || dentry == 0 { None } else { Some(Self { mount, dentry }) }
    }
}

/// Rooms to walk in, one for each kind of record that has paths: who builds such a record has its room to itself.
#[map]
static WALKS: PerCpuArray<Walk> = PerCpuArray::with_max_entries(ROOMS, 0);

/// Of an exec.
pub const EXEC: usize = 0;
/// Of a record about files.
pub const FILE: usize = 1;
/// For records without a path.
pub const NONE: usize = 2;
const ROOMS: u32 = 2;

/// Longest text of a walk.
const LIMIT: u64 = MAX_PATH as u64;

const _: () = assert!(LIMIT.is_power_of_two() && (MAX_NAME + 1).is_power_of_two(), "bounds are masks");

/// The state of a walk.
#[repr(C)]
pub struct Walk {
    /// Where the text begins so far.
    at: u64,
    /// Where it ends.
    end: u64,
    components: u64,
    dentry: u64,
    /// Where the walk begins: the `struct vfsmount` of the place; then the `struct mount` around it, and those above.
    mount: u64,
    root: u64,
    /// The next mount.
    above: u64,
    entry: Entry,
    /// The verifier sees a slash and the longest name at the very end.
    text: [u8; MAX_PATH + 256],
}

/// What is read of a `struct dentry`, as it stands there in every kernel seen so far: one read instead of three.
#[derive(Clone, Copy)]
#[repr(C)]
struct Entry {
    parent: u64,
    hash: u32,
    name_length: u32,
    name: u64,
}

/// Reads the path of the place that stands in a room, of at most `limit` bytes. Says whether it is whole; [`text`] then has it.
///
/// A function that is known by its name, so that the verifier looks at it by itself, with any arguments, and once a program. As a
/// part of its callers it would be looked at with each of their states: on kernels before 6.4 that is more than it has patience for.
/// Such a function takes numbers only, and what a hook gives may be a typed pointer: so the place is handed over in the room.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn walk(room: u64, limit: u64) -> u64 {
    let Some(walk) = WALKS.get_ptr_mut(room as u32) else { return 0 };
    // SAFETY: a value of the map, of this CPU, which nobody else uses while its caller's record is built.
    u64::from(unsafe { (*walk).run(read::bound(limit, LIMIT)) })
}

/// Walks, and says whether the path is whole.
#[inline(always)]
pub fn run(room: usize, place: Place, limit: u64) -> bool {
    let Some(begin) = WALKS.get_ptr_mut(room as u32) else { return false };
    // SAFETY: as in `walk`.
    unsafe {
        (*begin).dentry = place.dentry;
        (*begin).mount = place.mount;
    }
    walk(room as u64, limit) != 0
}

/// Where the text of the last walk is, how long, and of how many components.
#[inline(always)]
pub fn text(room: usize) -> Option<(u64, u64, u16)> {
    let walk = WALKS.get_ptr(room as u32)?;
    // SAFETY: as in `walk`.
    let walk = unsafe { &*walk };
    let at = read::bound(walk.at, LIMIT);
    Some((walk.text.as_ptr() as u64 + at, walk.end.saturating_sub(at), walk.components as u16))
}

impl Walk {
    #[inline(always)]
    fn run(&mut self, limit: u64) -> bool {
        self.at = limit;
        self.end = limit;
        self.components = 0;
        self.root = 0;
        read::into(&raw mut self.root, self.mount, offset!(vfsmount_root));
        self.mount = self.mount.wrapping_sub(u64::from(offset!(mount_mnt)));
        for _ in 0..MAX_STEPS {
            match self.step() {
                Step::More => {}
                Step::Root => {
                    self.finish();
                    return true;
                }
                Step::Lost => return false,
            }
        }
        false
    }

    #[inline(always)]
    fn step(&mut self) -> Step {
        if self.dentry == self.root {
            return self.cross();
        }
        self.read_entry();
        if self.entry.parent == 0 || !self.prepend() {
            return Step::Lost;
        }
        self.components += 1;
        // A file without a place in the tree (an anonymous one) is its own parent.
        if self.entry.parent == self.dentry {
            return Step::Root;
        }
        self.dentry = self.entry.parent;
        Step::More
    }

    #[inline(always)]
    fn read_entry(&mut self) {
        let (parent, length, name) = (offset!(dentry_parent), offset!(dentry_name_length), offset!(dentry_name));
        if length == parent + offset_of!(Entry, name_length) as u32 && name == parent + offset_of!(Entry, name) as u32 {
            read::into(&raw mut self.entry, self.dentry, parent);
        } else {
            read::into(&raw mut self.entry.parent, self.dentry, parent);
            read::into(&raw mut self.entry.name_length, self.dentry, length);
            read::into(&raw mut self.entry.name, self.dentry, name);
        }
    }

    /// From the root of a mount to where it is mounted.
    #[inline(always)]
    fn cross(&mut self) -> Step {
        self.above = 0;
        read::into(&raw mut self.above, self.mount, offset!(mount_parent));
        if self.above == 0 {
            return Step::Lost;
        }
        if self.above == self.mount {
            return Step::Root;
        }
        read::into(&raw mut self.dentry, self.mount, offset!(mount_mountpoint));
        self.mount = self.above;
        read::into(&raw mut self.root, self.mount, offset!(mount_mnt) + offset!(vfsmount_root));
        Step::More
    }

    /// Puts `/` and the component's name before what was read. Not where it does not fit or cannot be read.
    #[inline(always)]
    fn prepend(&mut self) -> bool {
        let length = u64::from(self.entry.name_length);
        if length == 0 || length > MAX_NAME || self.at < length + 1 {
            return false;
        }
        self.at -= length + 1;
        let before = read::mask(self.at, LIMIT - 1);
        let length = read::mask(length, MAX_NAME);
        // SAFETY: `before` and `length` are bounded by the two lines above; the room is longer by 256 than `LIMIT`.
        unsafe {
            let slash = self.text.as_mut_ptr().add(before as usize);
            *slash = b'/';
            read::kernel_bytes(slash.add(1), length, self.entry.name)
        }
    }

    /// The root itself has no component, and is `/`.
    #[inline(always)]
    fn finish(&mut self) {
        if self.components == 0 {
            self.at = self.end.saturating_sub(1);
            let at = read::mask(self.at, LIMIT - 1);
            // SAFETY: the room is longer than `LIMIT`.
            unsafe { *self.text.as_mut_ptr().add(at as usize) = b'/' };
        }
    }
}

enum Step {
    More,
    Root,
    Lost,
}
