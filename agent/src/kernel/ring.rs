//! Rings as byte slices. Takes the ring maps; gives each record once, in the order of the ring, and says by its descriptor
//! when there is something to read. Never copies a record, never holds one after the callback.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;

use aya::maps::{MapData, RingBuf};
use ebpf_common::Class;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// The ring of one class. Its descriptor is readable when there are records (for epoll, or tokio's `AsyncFd`).
pub struct Ring {
    class: Class,
    ring: RingBuf<MapData>,
}

impl Ring {
    pub(super) fn new(class: Class, ring: RingBuf<MapData>) -> Self {
        Self { class, ring }
    }

    /// Which records it carries.
    pub fn class(&self) -> Class {
        self.class
    }

    /// Gives up to `most` records to `each`, oldest first, and says how many there were. Fewer than `most`: it is empty now.
    pub fn drain(&mut self, most: usize, mut each: impl FnMut(&[u8])) -> usize {
        let mut count = 0;
        while count < most {
            let Some(record) = self.ring.next() else { break };
            each(&record);
            count += 1;
        }
        count
    }
}

impl AsRawFd for Ring {
    fn as_raw_fd(&self) -> RawFd {
        self.ring.as_raw_fd()
    }
}

impl AsFd for Ring {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.ring.as_fd()
    }
}

/// All rings, to be read in this order: what is urgent first.
pub struct Rings {
    /// Processes and cgroups.
    pub process: Ring,
    /// Connections.
    pub network: Ring,
    /// Files.
    pub file: Ring,
}

impl Rings {
    /// Waits until a ring has records, or for `longest`. Says whether one has.
    pub fn wait(&self, longest: Duration) -> io::Result<bool> {
        let mut watched =
            [&self.process, &self.network, &self.file].map(|ring| PollFd::new(ring.as_fd(), PollFlags::POLLIN));
        let longest = PollTimeout::try_from(longest).unwrap_or(PollTimeout::MAX);
        match poll(&mut watched, longest) {
            Ok(ready) => Ok(ready > 0),
            Err(nix::errno::Errno::EINTR) => Ok(false),
            Err(cause) => Err(cause.into()),
        }
    }

    /// Gives up to `most` records of each ring to `each`, the urgent rings first, and says how many there were.
    pub fn drain(&mut self, most: usize, mut each: impl FnMut(&[u8])) -> usize {
        self.process.drain(most, &mut each) + self.network.drain(most, &mut each) + self.file.drain(most, &mut each)
    }
}
