//! The thread that has the canary make its calls, and says what came of them: an event in the log where coverage changed, and whether the
//! node is ready in the agent's picture. Spawned by `run` alone.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use proto::v1::event::Body;

use super::{Ground, RunError, thread};
use crate::canary::{Rounds, Sighted};
use crate::clock::Clock;
use crate::config::Config;
use crate::coverage::Coverage;
use crate::health::Health;
use crate::kernel::Kernel;
use crate::log::Log;
use crate::loss::agent_event;

/// Between two looks at whether the agent ends.
const LOOK: Duration = Duration::from_millis(50);

/// What the thread works with.
struct Keeper {
    kernel: Arc<Kernel>,
    every: Duration,
    log: Log,
    clock: Clock,
    health: Health,
    stop: Arc<AtomicBool>,
}

/// Starts the thread, and gives what the reader of the rings tells it. A replay has none, since nothing of it is this kernel's.
pub(super) fn start(
    config: &Config,
    ground: &Ground,
    (log, health): (&Log, &Health),
    stop: &Arc<AtomicBool>,
) -> Result<(Sighted, Option<JoinHandle<()>>), RunError> {
    let sighted = Sighted::default();
    let Some(kernel) = ground.kernel.clone() else {
        health.set_lacks(vec!["a replay watches nothing".to_owned()]);
        return Ok((sighted, None));
    };
    // The same file also after an upgrade has put another in its place.
    let program = PathBuf::from("/proc/self/exe");
    let (folder, cgroups) = (config.data.join("canary"), kernel.cgroup_root().to_owned());
    let rounds = Rounds::new(program, folder, cgroups, sighted.clone(), Arc::clone(stop));
    let (log, clock, health) = (log.clone(), ground.clock.clone(), health.clone());
    let keeper = Keeper { kernel, every: config.canary.every, log, clock, health, stop: Arc::clone(stop) };
    Ok((sighted, Some(thread("canary", move || keeper.keep(rounds))?)))
}

impl Keeper {
    fn keep(self, mut rounds: Rounds) {
        let stop = &self.stop;
        let mut coverage = Coverage::new(self.kernel.hooks());
        while !stop.load(Ordering::Relaxed) {
            let next = Instant::now() + self.every;
            let round = rounds.make();
            if let Err(error) = &round {
                tracing::warn!(error = crate::deliver::chain(error), "the canary made no round");
            }
            if let Some(told) = coverage.judge(&round, &self.kernel.left_out(), self.clock.now().boot_ns) {
                for lack in &told.lacks {
                    tracing::warn!(lack, "the node is not ready");
                }
                self.log.append(&mut agent_event(&self.clock, Body::Coverage(told)));
            }
            self.health.set_lacks(coverage.lacks());
            while Instant::now() < next && !stop.load(Ordering::Relaxed) {
                std::thread::sleep(LOOK);
            }
        }
    }
}
