//! Tracepoints of system calls are attached by a number that only tracefs tells. Many hosts do not mount it; this makes it
//! seen by the calling thread alone, in a mount namespace of its own, and leaves the host's mounts as they are.

use std::fs;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

const PLACES: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

/// Makes tracefs visible to this thread. To be called in a thread that ends after attaching.
pub(super) fn show() -> Result<(), Errno> {
    if PLACES.iter().any(|place| fs::metadata(format!("{place}/events/syscalls")).is_ok()) {
        return Ok(());
    }
    unshare(CloneFlags::CLONE_NEWNS)?;
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)?;
    mount(Some("tracefs"), PLACES[0], Some("tracefs"), MsFlags::empty(), None::<&str>)
}
