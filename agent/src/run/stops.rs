//! Processes that the kernel stopped and whose record did not arrive: the ring was full. Takes the kernel's table of stops; gives each of
//! them to the pipeline as its record would have been, so that rules, captures and holds go on as usual. Whoever nothing can be said of
//! goes on.

use std::path::Path;

use proto::v1::{Event, ProcessKey};

use crate::health::{Counter, Health};
use crate::kernel::Kernel;
use crate::observe::Observer;
use crate::observe::lost_exec::LostExec;
use crate::pipeline::Pipeline;
use crate::respond::held::{Held, State};

/// A record is read within milliseconds. One that comes later than this, from a ring that was nearly full, is told a second time.
const GRACE_NS: u64 = 3_000_000_000;

/// The record of a stop came.
pub(super) fn has_record(kernel: &Kernel, event: &Event) {
    let Some(key) = event.actor.as_ref().and_then(|actor| actor.process) else { return };
    if let Err(error) = kernel.has_record(key.pid) {
        tracing::error!(%error, pid = key.pid, "the kernel programs could not be told of a record");
    }
}

/// Looks for stops without a record.
pub(super) fn find_lost<C: FnMut(&Event, &Observer)>(
    kernel: &Kernel,
    pipeline: &mut Pipeline<C>,
    now_ns: u64,
    health: &Health,
) {
    let stopped = kernel.stopped().unwrap_or_else(|error| {
        tracing::error!(%error, "the kernel's table of stops cannot be read");
        Vec::new()
    });
    for (pid, stopped) in stopped {
        if stopped.boot_ns.saturating_add(GRACE_NS) > now_ns {
            continue;
        }
        if let Err(error) = kernel.has_record(pid) {
            tracing::error!(%error, pid, "the kernel programs could not be told of a stop");
        }
        let proc = pipeline.observer().origin().proc().to_path_buf();
        let Some(held) = still_stopped(&proc, ProcessKey { pid, start_ns: stopped.start_ns }) else { continue };
        health.count(Counter::StopsFound);
        if let Some(exec) = LostExec::read(&proc, pid, &stopped) {
            tracing::warn!(pid, "the kernel stopped a process and its record was lost; it is told from /proc");
            pipeline.made(&exec.record());
        } else {
            let state = held.resume().map_or("not to be signalled", State::name);
            tracing::error!(pid, state, "the kernel stopped a process of which nothing is known; it goes on");
        }
    }
}

/// The process, where it lives and nobody let it go.
fn still_stopped(proc: &Path, key: ProcessKey) -> Option<Held> {
    Held::take(proc, key).ok().filter(|held| held.state() == State::Stopped)
}
