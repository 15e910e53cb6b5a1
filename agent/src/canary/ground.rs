//! Where the canary makes its calls: a folder of its own, and a network of its own, in which loopback is all there is. Takes paths; leaves
//! nothing behind. What is not granted is the reason why some calls are not made.

use std::cell::{OnceCell, RefCell};
use std::fs;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::Child;

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket};

/// Where the calls may leave something for a moment.
pub(super) struct Ground<'a> {
    folder: &'a Path,
    /// The root of the version 2 cgroup tree.
    pub(super) cgroups: &'a Path,
    /// The program that was started last, until its end is waited for.
    pub(super) child: RefCell<Option<Child>>,
    network: OnceCell<Result<(), Errno>>,
}

impl<'a> Ground<'a> {
    /// Makes nothing yet: what is done before the agent knows the canary would be told as events.
    pub(super) fn new(folder: &'a Path, cgroups: &'a Path) -> Self {
        Self { folder, cgroups, child: RefCell::new(None), network: OnceCell::new() }
    }

    /// Begins a round: an empty folder, also where the canary before was killed in the middle of one. On a disk that takes nothing the calls
    /// on files say so, and all others are made.
    pub(super) fn clear(&self) {
        let _not_there = fs::remove_dir_all(self.folder);
        let _refused = fs::create_dir_all(self.folder);
        // Once, for as long as the canary lives. What came of it is asked for by those who need it.
        self.network.get_or_init(own_network);
    }

    /// Ends a round.
    pub(super) fn leave(&self) {
        if let Some(mut child) = self.child.take() {
            let _gone = child.wait();
        }
        // What cannot be removed now is removed before the next round.
        let _next_time = fs::remove_dir_all(self.folder);
    }

    /// A name in the folder.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The network is the canary's alone: nobody else hears what it sends.
    pub(super) fn apart(&self) -> io::Result<()> {
        let denied = |cause: Errno| io::Error::other(format!("no network of its own: {}", cause.desc()));
        self.network.get().copied().unwrap_or(Err(Errno::EAGAIN)).map_err(denied)
    }
}

/// A new network namespace, with its loopback up.
fn own_network() -> Result<(), Errno> {
    unshare(CloneFlags::CLONE_NEWNET)?;
    let flags = SockFlag::SOCK_CLOEXEC;
    let netlink = socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkRoute)?;
    send(netlink.as_raw_fd(), &loopback_up(), MsgFlags::empty())?;
    let mut answer = [0; 64];
    let length = recv(netlink.as_raw_fd(), &mut answer, MsgFlags::empty())?;
    // Behind the message's own head: 0, or a negative errno.
    let error = answer.get(16..20).filter(|_| length >= 20).and_then(|bytes| bytes.try_into().ok());
    match error.map(i32::from_ne_bytes) {
        Some(0) => Ok(()),
        Some(error) => Err(Errno::from_raw(-error)),
        None => Err(Errno::EPROTO),
    }
}

/// `struct nlmsghdr` and `struct ifinfomsg`: the first interface, which is loopback in every network, is to be up.
/// <https://man7.org/linux/man-pages/man7/rtnetlink.7.html>
fn loopback_up() -> [u8; 32] {
    const CHANGE_LINK: u16 = 16;
    const REQUEST_WITH_ANSWER: u16 = 5;
    const UP: u32 = 1;
    let mut message = [0; 32];
    message[0..4].copy_from_slice(&32_u32.to_ne_bytes());
    message[4..6].copy_from_slice(&CHANGE_LINK.to_ne_bytes());
    message[6..8].copy_from_slice(&REQUEST_WITH_ANSWER.to_ne_bytes());
    message[20..24].copy_from_slice(&1_u32.to_ne_bytes());
    message[24..28].copy_from_slice(&UP.to_ne_bytes());
    message[28..32].copy_from_slice(&UP.to_ne_bytes());
    message
}
