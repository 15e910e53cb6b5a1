//! Powers that the canary uses on itself and on its own child alone, and gives back.

use std::io::{self, IoSliceMut};

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::{Gid, Pid, chroot, getegid, setegid};

use super::super::ground::Ground;
use super::told;

/// Nobody's group on every machine that has one; no more than a number elsewhere.
const NOBODY: u32 = 65_534;

/// Reads at an address where no process has anything.
pub(super) fn reach_into_the_program(ground: &Ground<'_>) -> io::Result<()> {
    let child = ground.child.borrow();
    let child = child.as_ref().ok_or_else(|| io::Error::other("no program was started"))?;
    let pid = Pid::from_raw(child.id().try_into().map_err(io::Error::other)?);
    let mut room = [0];
    let asked = [RemoteIoVec { base: 0, len: 1 }];
    told(process_vm_readv(pid, &mut [IoSliceMut::new(&mut room)], &asked).err())
}

/// And back, before anything else is done.
pub(super) fn be_another_group(_: &Ground<'_>) -> io::Result<()> {
    let own = getegid();
    match setegid(Gid::from_raw(NOBODY)) {
        Ok(()) => Ok(setegid(own)?),
        // Told, as a refusal. Any other answer is not.
        Err(Errno::EPERM) => Ok(()),
        Err(cause) => Err(cause.into()),
    }
}

/// The name of the machine and nothing else: such a namespace costs the kernel a few hundred bytes, and goes with the next.
pub(super) fn leave_a_namespace(_: &Ground<'_>) -> io::Result<()> {
    told(unshare(CloneFlags::CLONE_NEWUTS).err())
}

/// The root that the canary has already.
pub(super) fn keep_the_root(_: &Ground<'_>) -> io::Result<()> {
    told(chroot("/").err())
}
