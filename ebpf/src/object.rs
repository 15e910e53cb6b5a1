//! Which file: what stays the same whatever names are given to it, and by which mount it was reached. Takes an inode and a
//! mount; gives an [`Object`]. Never a name: that is `path`.

use ebpf_common::record::Object;
use ebpf_common::record::file::object::{UPPER_LAYER, WHITEOUT};

use crate::path::Place;
use crate::{offset, read};

const OVERLAY: u64 = 0x794c_7630;
const TYPE: u32 = 0o170_000;
const CHARACTER_DEVICE: u32 = 0o020_000;

/// The object at a place.
#[inline(always)]
pub fn at(place: Place) -> Object {
    read::pointer(place.dentry, offset!(dentry_inode)).map_or(Object::UNKNOWN, |inode| of(inode, place.mount))
}

/// The object of an inode that was reached by a `struct vfsmount`; 0: by none that is known.
#[inline(always)]
pub fn of(inode: u64, mount: u64) -> Object {
    let (number, links) = read::fields_or_zero::<u64, u32>(inode, offset!(inode_number), offset!(inode_links));
    let mode = u32::from(read::or_zero::<u16>(inode, offset!(inode_mode)));
    let (mount_id, mount_unique) = self::mount(mount);
    let mut object = Object {
        inode: number,
        mount_unique,
        device: 0,
        generation: read::or_zero(inode, offset!(inode_generation)),
        mount_id,
        mode,
        links,
        marks: 0,
    };
    if let Some(filesystem) = read::pointer(inode, offset!(inode_super)) {
        object.device = read::or_zero(filesystem, offset!(super_device));
        if read::field(filesystem, offset!(super_magic)) == Some(OVERLAY) && upper(inode).is_some() {
            object.marks |= UPPER_LAYER;
        }
    }
    if mode & TYPE == CHARACTER_DEVICE && read::field(inode, offset!(inode_device)) == Some(0_u32) {
        object.marks |= WHITEOUT;
    }
    object
}

#[inline(always)]
fn mount(mount: u64) -> (u32, u64) {
    if mount == 0 {
        return (0, 0);
    }
    let whole = mount.wrapping_sub(u64::from(offset!(mount_mnt)));
    (read::or_zero(whole, offset!(mount_id)), read::or_zero(whole, offset!(mount_unique)))
}

/// The upper file of an overlay's inode: there is one where the file is in the writable layer.
#[inline(always)]
pub fn upper(inode: u64) -> Option<u64> {
    let overlay = inode.wrapping_sub(u64::from(offset!(ovl_inode_vfs)));
    read::pointer(overlay, offset!(ovl_inode_upper))
}
