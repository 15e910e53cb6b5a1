//! What the kernel tells in filesystems that many hosts do not mount: the numbers of tracepoints, the active security modules. Makes
//! them seen by the calling thread alone, in a mount namespace of its own, and leaves the host's mounts as they are. To be called in
//! a thread that ends after attaching.

use std::fs;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

/// Where tracefs is.
pub(super) const TRACING: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];
const SECURITY: &str = "/sys/kernel/security";
/// The active security modules, a comma between them.
pub(super) const MODULES: &str = "/sys/kernel/security/lsm";

/// Makes tracefs visible.
pub(super) fn show_tracing() -> Result<(), Errno> {
    if TRACING.iter().any(|place| fs::metadata(format!("{place}/events/syscalls")).is_ok()) {
        return Ok(());
    }
    show("tracefs", TRACING[0])
}

/// Makes [`MODULES`] visible.
pub(super) fn show_security() -> Result<(), Errno> {
    if fs::metadata(MODULES).is_ok() { Ok(()) } else { show("securityfs", SECURITY) }
}

fn show(kind: &str, place: &str) -> Result<(), Errno> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)?;
    mount(Some(kind), place, Some(kind), MsFlags::empty(), None::<&str>)
}
