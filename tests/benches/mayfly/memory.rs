//! The memory that a process holds. Takes what the kernel says of it; gives MiB, with each page of a ring counted once: the kernel shows
//! a ring's pages twice, one after the other, so that no record is in two pieces.

use std::fs;

use anyhow::{Context, Result};
use nix::unistd::Pid;

/// How the kernel names the mappings of rings.
const RING: &str = "anon_inode:bpf-map";

/// MiB.
pub(crate) struct Resident {
    /// At once, since the process began.
    pub(crate) most: f64,
    pub(crate) now: f64,
}

impl Resident {
    pub(crate) fn of(process: Pid) -> Result<Self> {
        let status = fs::read_to_string(format!("/proc/{process}/status")).context("read the process's status")?;
        let maps = fs::read_to_string(format!("/proc/{process}/smaps")).context("read the process's mappings")?;
        let twice = twice(&maps);
        let once = |name: &str| Some((kib(&status, name)? - twice) / 1024.0);
        let both = once("VmHWM:").zip(once("VmRSS:"));
        let (most, now) = both.context("the kernel counts what a process holds")?;
        Ok(Self { most, now })
    }
}

/// KiB of rings that are shown a second time: what is resident beyond the process's share of it, as no other process maps them.
fn twice(maps: &str) -> f64 {
    let is_head = |line: &str| line.split(' ').next().is_some_and(|range| range.contains('-'));
    let (mut ring, mut sum) = (false, 0.0);
    for line in maps.lines() {
        if is_head(line) {
            ring = line.ends_with(RING);
        } else if ring {
            sum += kib(line, "Rss:").unwrap_or(0.0) - kib(line, "Pss:").unwrap_or(0.0);
        }
    }
    sum
}

fn kib(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}
