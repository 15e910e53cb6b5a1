//! What the responder needs of others: the log's recorder, the shelf where captures wait for the collector, the network's
//! barrier.
//!
//! Traits only; the agent's parts implement them, and tests stand in for what needs a kernel.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ebpf_common::config::Packets;
use ipnet::IpNet;

use super::artifact::{Hashing, Taken};
use super::manifest::Recording;
use crate::deliver::spool::{Artifact, Spool};

/// The flight recorder.
pub trait Recorder: Send {
    /// Fixes the events of the last `span`: what is appended later is not in it, what is in it stays.
    fn seal(&self, span: Duration) -> io::Result<Box<dyn Sealed>>;
}

/// A part of the log that was fixed.
pub trait Sealed {
    /// Which part.
    fn recording(&self) -> Recording;
    /// Writes its bytes.
    fn write_to(&self, out: &mut Hashing) -> io::Result<()>;
}

impl Recorder for crate::log::LogHandle {
    fn seal(&self, span: Duration) -> io::Result<Box<dyn Sealed>> {
        let sealed = crate::log::Log::seal(self, span).map_err(io::Error::other)?;
        Ok(Box::new(sealed))
    }
}

impl Sealed for crate::log::SealedRange {
    fn recording(&self) -> Recording {
        Recording {
            first_position: self.first_position,
            last_position: self.last_position,
            from_ns: self.from_ns,
            to_ns: self.to_ns,
        }
    }

    fn write_to(&self, out: &mut Hashing) -> io::Result<()> {
        crate::log::SealedRange::write_to(self, out).map(drop)
    }
}

/// Where captures wait for the collector.
pub trait Shelf: Send {
    /// Makes the folder of a new capture.
    fn begin(&self, capture_id: &str) -> io::Result<PathBuf>;
    /// Completes a capture: the manifest is on disk before anything of it is sent.
    fn commit(&self, capture_id: &str, manifest: &[u8], artifacts: &[Taken]) -> io::Result<()>;
}

impl Shelf for Spool {
    fn begin(&self, capture_id: &str) -> io::Result<PathBuf> {
        Spool::begin(self, capture_id).map_err(io::Error::other)
    }

    fn commit(&self, capture_id: &str, manifest: &[u8], artifacts: &[Taken]) -> io::Result<()> {
        let artifacts: Vec<Artifact> = artifacts.iter().map(listed).collect();
        Spool::commit(self, capture_id, manifest, &artifacts).map_err(io::Error::other)
    }
}

fn listed(taken: &Taken) -> Artifact {
    Artifact {
        artifact_id: taken.artifact_id.clone(),
        kind: taken.kind.clone(),
        name: taken.name.clone(),
        media_type: taken.media_type.clone(),
        size: taken.size,
        sha256: taken.sha256.clone(),
    }
}

/// The barrier between a cgroup and the network.
pub trait Network: Send {
    /// Cuts a cgroup off, but for some networks, until a moment of the boot clock: the kernel ends it then, whoever is there.
    fn cut(&mut self, cgroup_id: u64, folder: &Path, allow: &[IpNet], until_ns: u64) -> io::Result<()>;
    /// Moves that moment. Nothing to do for a barrier that ends with the agent.
    fn extend(&mut self, _cgroup_id: u64, _until_ns: u64) -> io::Result<()> {
        Ok(())
    }
    /// Ends what stands of all cgroups but these: an earlier agent began it, and nobody knows of it any more. Nothing to do for a barrier
    /// that ends with the agent.
    fn keep_only(&mut self, _cgroup_ids: &[u64]) {}
    /// Ends it. False: it was not cut off.
    fn lift(&mut self, cgroup_id: u64) -> io::Result<bool>;
    /// What was dropped and let through; `None`: it is not cut off.
    fn packets(&self, cgroup_id: u64) -> Option<Packets>;
}

/// What a probe saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Where it sent.
    pub to: SocketAddr,
    /// What came of it.
    pub outcome: ProbeOutcome,
}

/// What came of one datagram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeOutcome {
    /// It left the cgroup.
    Sent,
    /// The barrier refused it.
    Refused,
    /// There is no way to it, whether or not there is a barrier.
    NoRoute,
    /// Something else, in the kernel's words.
    Other(String),
}

/// Sends from inside a cgroup.
pub trait Probe: Send {
    /// Sends one datagram to each address from inside the cgroup, in the network namespace of one of its processes.
    fn send(&self, folder: &Path, namespace: Option<u32>, to: &[SocketAddr]) -> io::Result<Vec<Seen>>;
}
