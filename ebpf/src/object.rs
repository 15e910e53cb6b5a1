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
    Inode::read(inode).object(mount)
}

/// What is asked of an inode.
pub struct Inode {
    pub address: u64,
    pub links: u32,
    /// Of the device that it is, where it is one.
    pub device: u32,
    number: u64,
}

impl Inode {
    /// Zeros where it cannot be read.
    #[inline(always)]
    pub fn read(address: u64) -> Self {
        let (number, links, device) = (offset!(inode_number), offset!(inode_links), offset!(inode_device));
        let (number, (links, device)) = if device == links + size_of::<u32>() as u32 {
            let (number, both) = read::fields_or_zero::<u64, [u32; 2]>(address, number, links);
            (number, (both[0], both[1]))
        } else {
            (read::or_zero(address, number), read::fields_or_zero(address, links, device))
        };
        Self { address, links, device, number }
    }

    /// Its type and who may do what.
    #[inline(always)]
    pub fn mode(&self) -> u16 {
        read::or_zero(self.address, offset!(inode_mode))
    }

    /// Its `struct super_block`.
    #[inline(always)]
    pub fn filesystem(&self) -> u64 {
        read::or_zero(self.address, offset!(inode_super))
    }

    /// The object, reached by a `struct vfsmount`; 0: by none that is known.
    #[inline(always)]
    pub fn object(&self, mount: u64) -> Object {
        let mode = u32::from(self.mode());
        let (mount_id, mount_unique) = self::mount(mount);
        let mut object = Object {
            inode: self.number,
            mount_unique,
            device: 0,
            generation: read::or_zero(self.address, offset!(inode_generation)),
            mount_id,
            mode,
            links: self.links,
            marks: 0,
        };
        let filesystem = self.filesystem();
        object.device = read::or_zero(filesystem, offset!(super_device));
        if read::or_zero::<u64>(filesystem, offset!(super_magic)) == OVERLAY && upper(self.address).is_some() {
            object.marks |= UPPER_LAYER;
        }
        if mode & TYPE == CHARACTER_DEVICE && self.device == 0 {
            object.marks |= WHITEOUT;
        }
        object
    }
}

#[inline(always)]
fn mount(mount: u64) -> (u32, u64) {
    if mount == 0 {
        return (0, 0);
    }
    let whole = mount.wrapping_sub(u64::from(offset!(mount_mnt)));
    read::fields_or_zero(whole, offset!(mount_id), offset!(mount_unique))
}

/// The upper file of an overlay's inode: there is one where the file is in the writable layer.
#[inline(always)]
pub fn upper(inode: u64) -> Option<u64> {
    let overlay = inode.wrapping_sub(u64::from(offset!(ovl_inode_vfs)));
    read::pointer(overlay, offset!(ovl_inode_upper))
}
