//! Rings as byte slices. Takes the ring maps; gives each record once, in the order of the ring, and waits until the kernel programs
//! ask to be read. Never copies a record, never holds one after the callback.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aya::maps::{MapData, RingBuf};
use ebpf_common::Class;
use ebpf_common::config::SOON_NS;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use super::presence::Presence;

/// One ring.
pub struct Ring {
    classes: &'static [Class],
    ring: RingBuf<MapData>,
}

impl Ring {
    pub(super) fn new(classes: &'static [Class], ring: RingBuf<MapData>) -> Self {
        Self { classes, ring }
    }

    /// Which records it carries.
    pub fn classes(&self) -> &'static [Class] {
        self.classes
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

/// All rings, to be read in this order: what is urgent first.
pub struct Rings {
    /// Processes and cgroups.
    pub process: Ring,
    /// Privilege and the kernel itself.
    pub guard: Ring,
    /// Connections.
    pub network: Ring,
    /// Files.
    pub file: Ring,
    /// Rings when a kernel program asks for it, and only then: records that wake nobody lie in the rings meanwhile.
    bell: Epoll,
    /// The last look left records behind, of which the bell says nothing any more.
    is_left: bool,
    /// Whoever waits here reads, which the kernel programs are told.
    presence: Option<Arc<Mutex<Presence>>>,
    /// The bell rang before the last look.
    rang: bool,
    /// Looks one after the other that found nothing.
    empty_looks: u32,
}

impl Rings {
    /// How many there are.
    pub const COUNT: usize = 4;
    /// How often somebody has to look: records that nothing waits for wake nobody, so this is how late they are. Longer would
    /// cost room in the rings; shorter costs an idle machine.
    pub const LOOK: Duration = Duration::from_millis(5);
    /// The same where nothing came for a while: what a flood puts into a ring in that time fits into half of it.
    pub const LONGEST_LOOK: Duration = Duration::from_millis(40);
    /// The same after the bell rang: what comes so soon after that rings no more.
    const AFTER_BELL: Duration = Duration::from_nanos(SOON_NS);
    /// After so many empty looks the next is later.
    const PATIENCE: u32 = 20;

    pub(super) fn new(
        [process, guard, network, file]: [Ring; Self::COUNT],
        presence: Option<Arc<Mutex<Presence>>>,
    ) -> io::Result<Self> {
        let bell = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        for (number, ring) in [&process, &guard, &network, &file].into_iter().enumerate() {
            bell.add(&ring.ring, EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, number as u64))?;
        }
        Ok(Self { process, guard, network, file, bell, is_left: false, presence, rang: false, empty_looks: 0 })
    }

    /// Waits until a kernel program asks to be read, or for [`Rings::LOOK`], longer where all is quiet. Then the rings are to be drained.
    pub fn wait(&mut self) -> io::Result<()> {
        if let Some(presence) = &self.presence {
            presence.lock().unwrap_or_else(PoisonError::into_inner).beat().map_err(io::Error::other)?;
        }
        if self.is_left {
            return Ok(());
        }
        let usual = Self::LOOK.saturating_mul((self.empty_looks / Self::PATIENCE).max(1)).min(Self::LONGEST_LOOK);
        let look = if self.rang { Self::AFTER_BELL } else { usual };
        let longest = EpollTimeout::try_from(look).unwrap_or(EpollTimeout::ZERO);
        self.rang = match self.bell.wait(&mut [EpollEvent::empty(); Self::COUNT], longest) {
            Ok(rings) => rings > 0,
            // Nobody knows whether it did.
            Err(Errno::EINTR) => true,
            Err(cause) => return Err(cause.into()),
        };
        Ok(())
    }

    /// Gives up to `most` records of each ring to `each`, the urgent rings first, and says how many there were.
    pub fn drain(&mut self, most: usize, mut each: impl FnMut(&[u8])) -> usize {
        let rings = [&mut self.process, &mut self.guard, &mut self.network, &mut self.file];
        let counts = rings.map(|ring| ring.drain(most, &mut each));
        self.is_left = counts.contains(&most);
        let count = counts.iter().sum();
        self.empty_looks = if count == 0 { self.empty_looks.saturating_add(1) } else { 0 };
        count
    }
}
