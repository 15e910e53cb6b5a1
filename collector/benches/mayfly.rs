//! How fast a collector takes what nodes tell: gRPC over mutual TLS → checked → on disk → acknowledged, from a client on the same machine, on
//! two cores for both. Prints one JSON object a line: `{"name", "value", "unit", "goal", "met"}`. `MAYFLY_BENCH_EVENTS` sets how
//! many events are sent.

#[path = "../tests/node/mod.rs"]
#[allow(dead_code, unreachable_pub, reason = "the benchmark uses its part")]
mod node;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use collector::clock::Clock;
use collector::config::Config;
use collector::run::{self, Ready};
use node::{Log, Node, channel, credentials, hello};
use proto::v1::Block;
use proto::v1::node_message::Message as In;
use tokio::sync::oneshot;

/// Events of one block: what an agent compresses at once.
const BLOCK: u32 = 2_000;

/// Nodes that send at the same time.
const NODES: u64 = 4;

fn main() -> Result<()> {
    let events: u64 = std::env::var("MAYFLY_BENCH_EVENTS").ok().map_or(Ok(4_000_000), |text| text.parse())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(measure(events))
}

async fn measure(events: u64) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = Config { listen: ([127, 0, 0, 1], 0).into(), ..Config::default() };
    let (stop, stopped) = oneshot::channel::<()>();
    let (ready, is_ready) = oneshot::channel();
    let stop_when = async { drop(stopped.await) };
    let collector = run::serve_until(folder.path(), config, Clock::system(), stop_when, ready);
    let client = async {
        let ready = is_ready.await.context("the collector did not start")?;
        let outcome = drive(folder.path(), &ready, events).await;
        drop(ready);
        drop(stop);
        outcome
    };
    let (ran, outcome) = tokio::join!(collector, client);
    ran?;
    outcome
}

async fn drive(data: &Path, ready: &Ready, events: u64) -> Result<()> {
    let blocks = events / NODES / u64::from(BLOCK);
    // Made before the clock runs: what an agent costs is measured where the agent is.
    let logs: Vec<Vec<Block>> = (0..NODES).map(|_| blocks_of(blocks)).collect();
    let wire: usize = logs.iter().flatten().map(|block| block.payload.len()).sum();
    let sent = NODES * blocks * u64::from(BLOCK);

    let began = Instant::now();
    let nodes = logs.into_iter().enumerate().map(|(number, blocks)| send(data, ready.listen.port(), number, blocks));
    for outcome in futures::future::join_all(nodes).await {
        outcome?;
    }
    let seconds = began.elapsed().as_secs_f64();
    line("collector: gRPC to durable to acked", sent as f64 / seconds, "events/s", Some((200_000.0, true)));
    line("collector: bytes received", wire as f64 / sent as f64, "bytes/event", Some((60.0, false)));

    let stored = into_the_lake(ready, sent).await?;
    line("collector: in the lake after", began.elapsed().as_secs_f64(), "s", None);
    line("collector: durable and in the lake", sent as f64 / began.elapsed().as_secs_f64(), "events/s", None);
    line("collector: bytes at rest, parquet", stored.0 as f64 / sent as f64, "bytes/event", None);
    line("collector: bytes at rest, blocks as sent", stored.1 as f64 / sent as f64, "bytes/event", None);
    Ok(())
}

fn blocks_of(count: u64) -> Vec<Block> {
    let mut log = Log::new();
    (0..count).map(|_| log.block(BLOCK)).collect()
}

async fn send(data: &Path, port: u16, number: usize, blocks: Vec<Block>) -> Result<()> {
    let name = format!("node-{number}");
    let way = channel(port, &credentials(data, &name), true);
    let mut node = Node::connect(way, hello(&name)).await?;
    let last = blocks.len() as u64 * u64::from(BLOCK);
    let sender = node.sender();
    let send = async {
        for block in blocks {
            sender.send(In::Block(block)).await;
        }
    };
    let (acknowledged, ()) = tokio::join!(node.acknowledged(last), send);
    Ok(acknowledged?)
}

/// Waits until all events are in the lake; bytes of Parquet and of the blocks as they came.
async fn into_the_lake(ready: &Ready, sent: u64) -> Result<(u64, u64)> {
    let events = &ready.store.events;
    loop {
        events.landing().seal(Duration::ZERO).await;
        let segments = ready.store.state.segments().await?;
        if segments.iter().map(|segment| segment.events).sum::<u64>() >= sent {
            let size =
                |path: &str| std::fs::metadata(ready.store.directory.join("objects").join(path)).map(|file| file.len());
            let mut parquet = 0;
            for segment in &segments {
                parquet += segment.events_object.as_deref().map_or(Ok(0), size)?;
            }
            return Ok((parquet, segments.iter().map(|segment| segment.bytes).sum()));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// One line; `goal` with whether more is better.
fn line(name: &str, value: f64, unit: &str, goal: Option<(f64, bool)>) {
    let met = goal.map(|(goal, more)| if more { value >= goal } else { value <= goal });
    let goal = goal.map(|(goal, _)| goal);
    println!("{}", serde_json::json!({"name": name, "value": value, "unit": unit, "goal": goal, "met": met}));
}
