//! Which file: its path from the root of the mount namespace, read from the kernel's own tree of names and mounts, from the
//! last component up. Takes a `struct path`; gives the text at the end of the walk's room. Bounded in components and bytes:
//! what does not fit is cut off in front and marked, so that the last components are always right.
//!
//! All that changes from step to step is kept in the map and not in registers: what comes out of memory the verifier takes
//! for any number, so that all ways through one step are the same to it, and it looks at each step once.

use crate::{offset, read};

/// Most components, and mounts crossed, of one path. With the bound on bytes this is what an attacker can make long.
const MAX_STEPS: u32 = 72;
/// Longest component that any filesystem has.
const MAX_NAME: u64 = 255;

/// Room that a walk of at most `limit` bytes needs: the verifier sees a slash and the longest name at the very end.
pub const fn room(limit: usize) -> usize {
    limit + 256
}

/// A `struct path`, by its two fields.
#[derive(Clone, Copy)]
pub struct Place {
    pub mount: u64,
    pub dentry: u64,
}

impl Place {
    /// From the address of a `struct path`.
    #[inline(always)]
    pub fn read(path: u64) -> Option<Self> {
        let (mount, dentry) = read::fields(path, offset!(path_mnt), offset!(path_dentry))?;
        if mount == 0 || dentry == 0 { None } else { Some(Self { mount, dentry }) }
    }
}

/// The state of a walk; its room is [`room`] of its limit.
#[repr(C)]
pub struct Walk<const ROOM: usize> {
    /// Where the text begins so far.
    at: u64,
    components: u64,
    dentry: u64,
    mount: u64,
    root: u64,
    /// The next dentry, or the next mount.
    above: u64,
    name: u64,
    name_length: u64,
    text: [u8; ROOM],
}

impl<const ROOM: usize> Walk<ROOM> {
    /// Reads the path of `place`. Says whether it is whole; [`Walk::text`] then has it.
    #[inline(never)]
    pub fn run<const LIMIT: u64>(&mut self, mount: u64, dentry: u64) -> bool {
        self.at = LIMIT;
        self.components = 0;
        self.dentry = dentry;
        self.mount = mount.wrapping_sub(u64::from(offset!(mount_mnt)));
        self.root = 0;
        read::into(&raw mut self.root, mount, offset!(vfsmount_root));
        for _ in 0..MAX_STEPS {
            match self.step::<LIMIT>() {
                Step::More => {}
                Step::Root => {
                    self.finish::<LIMIT>();
                    return true;
                }
                Step::Lost => return false,
            }
        }
        false
    }

    #[inline(always)]
    fn step<const LIMIT: u64>(&mut self) -> Step {
        self.above = 0;
        if self.dentry == self.root {
            return self.cross();
        }
        read::into(&raw mut self.above, self.dentry, offset!(dentry_parent));
        if self.above == 0 || !self.prepend::<LIMIT>() {
            return Step::Lost;
        }
        self.components += 1;
        // A file without a place in the tree (an anonymous one) is its own parent.
        if self.above == self.dentry {
            return Step::Root;
        }
        self.dentry = self.above;
        Step::More
    }

    /// From the root of a mount to where it is mounted.
    #[inline(always)]
    fn cross(&mut self) -> Step {
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
    fn prepend<const LIMIT: u64>(&mut self) -> bool {
        self.name_length = 0;
        // The kernel's number is half as long: the other half stays zero.
        read::into((&raw mut self.name_length).cast::<u32>(), self.dentry, offset!(dentry_name_length));
        self.name = 0;
        read::into(&raw mut self.name, self.dentry, offset!(dentry_name));
        let length = self.name_length;
        if length == 0 || length > MAX_NAME || self.at < length + 1 {
            return false;
        }
        self.at -= length + 1;
        let before = read::bound(self.at, LIMIT);
        let length = read::bound(length, MAX_NAME);
        // SAFETY: `before` and `length` are bounded by the two lines above; the room is longer by 256 than `LIMIT`.
        unsafe {
            let slash = self.text.as_mut_ptr().add(before as usize);
            *slash = b'/';
            read::kernel_bytes(slash.add(1), length, self.name)
        }
    }

    /// The root itself has no component, and is `/`.
    #[inline(always)]
    fn finish<const LIMIT: u64>(&mut self) {
        if self.components == 0 {
            self.at = LIMIT - 1;
            // SAFETY: the room is longer than `LIMIT`.
            unsafe { *self.text.as_mut_ptr().add(LIMIT as usize - 1) = b'/' };
        }
    }

    /// Where the text is, how long, and of how many components.
    #[inline(always)]
    pub fn text<const LIMIT: u64>(&self) -> (u64, u64, u16) {
        let at = read::bound(self.at, LIMIT);
        (self.text.as_ptr() as u64 + at, LIMIT - at, self.components as u16)
    }
}

enum Step {
    More,
    Root,
    Lost,
}
