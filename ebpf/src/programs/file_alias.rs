//! Another name of a file that is opened, by which the sensitive list may know it: a hard link leads to the same file, and so does a mount that
//! shows a part of a filesystem in another place. Takes what was opened; gives where the other name is.
//!
//! What it does not see: a name of a hard link that the kernel has forgotten since (it remembers names that were looked up lately, and to make a
//! link looks its old name up), and one beyond the first few.

use ebpf_common::offsets::ABSENT;

use crate::object::Inode;
use crate::path::Place;
use crate::{filter, offset, read};

/// Most names of one file that are looked at.
const MOST: u32 = 8;
const TYPE: u16 = 0o170_000;
const REGULAR: u16 = 0o100_000;
/// The path is then from the root of the filesystem.
const NO_MOUNT: u64 = 0;

/// Of a file whose own last components say nothing. Nearly all files have one name, and pay for a look at that.
#[inline(always)]
pub fn of_link(inode: &Inode, place: Place) -> Place {
    link(inode, place).unwrap_or(Place::NOWHERE)
}

#[inline(always)]
fn link(inode: &Inode, place: Place) -> Option<Place> {
    if inode.links < 2 || inode.mode() & TYPE != REGULAR {
        return None;
    }
    let dentry = other_name(inode.address, place.dentry);
    Some(Place { mount: place.mount, dentry })
}

/// Of a file whose own last components say something, below a mount that does not begin where its filesystem does.
#[inline(always)]
pub fn of_mount(inode: &Inode, place: Place) -> Place {
    below(inode, place).unwrap_or(Place::NOWHERE)
}

#[inline(always)]
fn below(inode: &Inode, place: Place) -> Option<Place> {
    let shown = read::pointer(place.mount, offset!(vfsmount_root))?;
    let whole = read::pointer(inode.filesystem(), offset!(super_root))?;
    if shown == whole { None } else { Some(Place { mount: NO_MOUNT, dentry: place.dentry }) }
}

/// Another name in the kernel's memory whose last component, or its folder's, is one of the sensitive list; 0: there is none.
///
/// A function that is known by its name, for the reason that `path::walk` gives.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn other_name(inode: u64, own: u64) -> u64 {
    if offset!(dentry_alias) == ABSENT {
        return 0;
    }
    let mut next = read::or_zero::<u64>(inode, offset!(inode_aliases));
    for _ in 0..MOST {
        if next == 0 {
            return 0;
        }
        let dentry = next.wrapping_sub(u64::from(offset!(dentry_alias)));
        if dentry != own && filter::sensitive(dentry) != 0 {
            return dentry;
        }
        // The next one stands at the begin of each.
        next = read::kernel::<u64>(next).unwrap_or(0);
    }
    0
}
