//! How fast a collector takes what nodes tell: gRPC over mutual TLS → checked → on disk → acknowledged, and how far behind that the lake
//! and judgement are. Takes nothing (`MAYFLY_BENCH_EVENTS` sets how many events are sent); prints one JSON object a line:
//! `{"name", "value", "unit", "goal", "met"}`.
//!
//! This process is the collector, with everything that `mayfly serve` runs; the nodes are a second process on the same two cores. They
//! make their blocks before the clock runs (what an agent costs is measured where the agent is), so what they cost in it is gRPC and TLS
//! of the sending side; a row says how much. Each sends the same log under its own name.
//!
//! A rate by wall time is that of the machine as it was; one by processor time (of both processes, in the kernel too) is what two cores do
//! when they do nothing else. The acknowledgement waits for the disk only: what comes behind it waits there too, never in memory.

#[path = "../tests/node/mod.rs"]
#[allow(dead_code, unreachable_pub, reason = "the benchmark uses its part")]
mod node;

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use collector::config::Config;
use collector::run::Ready;
use node::collector::Collector;
use node::{Log, Node, channel, credentials, event, hello};
use prost::Message;
use proto::v1::event::Body;
use proto::v1::node_message::Message as In;
use proto::v1::{Block, Event, Exec, FileKey};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// As in `mayfly` itself.
#[global_allocator]
static MEMORY: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Events of one block: about the 256 KiB that an agent compresses at once.
const BLOCK: u32 = 800;

/// After this the benchmark gives up: on a machine that does something else there is nothing to learn.
const PATIENCE: Duration = Duration::from_secs(55);

/// Nodes that send at the same time.
const NODES: u64 = 4;

/// In the first argument: be the nodes of the collector at this port, with its data directory and the number of blocks behind it.
const BE_NODES: &str = "nodes";

/// What the nodes say when everything is acknowledged.
#[derive(Debug, Serialize, Deserialize)]
struct Sent {
    seconds: f64,
    processor_seconds: f64,
    bytes: usize,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    if let [BE_NODES, port, data, blocks] = &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        return runtime.block_on(nodes(port.parse()?, Path::new(data), blocks.parse()?));
    }
    let events: u64 = std::env::var("MAYFLY_BENCH_EVENTS").ok().map_or(Ok(1_000_000), |text| text.parse())?;
    let measured = collector((events / NODES / u64::from(BLOCK)).max(1));
    let in_time = runtime.block_on(async { tokio::time::timeout(PATIENCE, measured).await });
    in_time.context("not all was acknowledged, in the lake and judged in time")?
}

/// The collector's side: starts both, waits until all is acknowledged, in the lake and judged, and says what that took.
async fn collector(blocks: u64) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let collector = Collector::configured(folder.path(), Config::default()).await;
    let events = NODES * blocks * u64::from(BLOCK);
    let (mut child, mut said) = start_nodes(collector.port(), folder.path(), blocks)?;
    said.next_line().await?.context("the nodes ended before they began")?;

    let (began, before) = (Instant::now(), processor_time()?);
    let sent = said.next_line().await?.context("the nodes ended before all was acknowledged")?;
    let sent: Sent = serde_json::from_str(&sent)?;
    let processor = (processor_time()?.saturating_sub(before)).as_secs_f64();
    ensure!(child.wait().await?.success(), "the nodes failed");
    let acknowledged = began.elapsed();
    let lake = async { into_the_lake(collector.ready(), events).await.map(|stored| (stored, began.elapsed())) };
    let judgement = async { judged(collector.ready()).await.map(|()| began.elapsed()) };
    let ((stored, in_the_lake), judged) = tokio::try_join!(lake, judgement)?;
    let whole = in_the_lake.max(judged);
    let whole_processor = (processor_time()?.saturating_sub(before)).as_secs_f64();

    let (count, mebi) = (events as f64, f64::from(1 << 20));
    let rate = |seconds: f64| count / seconds;
    let goal = Some((200_000.0, true));
    line("collector: gRPC to durable to acked", rate(sent.seconds), "events/s", goal);
    let both = processor + sent.processor_seconds;
    line("collector: acked, by processor time of two cores", rate(both / 2.0), "events/s", goal);
    line("collector: processor time of the nodes", sent.processor_seconds * 1e6 / count, "µs/event", None);
    line("collector: bytes received", sent.bytes as f64 / count, "bytes/event", Some((60.0, false)));
    line("collector: durable, in the lake and judged", rate(whole.as_secs_f64()), "events/s", None);
    let all = whole_processor + sent.processor_seconds;
    line("collector: all of it, by processor time of two cores", rate(all / 2.0), "events/s", None);
    let behind = |done: Duration| done.saturating_sub(acknowledged).as_secs_f64();
    line("collector: in the lake after the last acknowledgement", behind(in_the_lake), "s", None);
    line("collector: judged after the last acknowledgement", behind(judged), "s", None);
    line("collector: bytes at rest, parquet", stored.0 as f64 / count, "bytes/event", None);
    line("collector: bytes at rest, blocks as sent", stored.1 as f64 / count, "bytes/event", None);
    line("collector: resident, at most", most_resident()? as f64 / mebi, "MiB", None);
    collector.stop().await;
    Ok(())
}

fn start_nodes(port: u16, data: &Path, blocks: u64) -> Result<(Child, Lines<BufReader<ChildStdout>>)> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(BE_NODES).arg(port.to_string()).arg(data).arg(blocks.to_string());
    let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
    let said = BufReader::new(child.stdout.take().context("a pipe")?).lines();
    Ok((child, said))
}

/// The nodes' side: makes a log, connects, says that it begins, sends, and says what it took until all was acknowledged.
async fn nodes(port: u16, data: &Path, blocks: u64) -> Result<()> {
    let log = log(blocks);
    let bytes: usize = log.iter().map(|block| block.payload.len()).sum();
    let mut sessions = Vec::new();
    for number in 0..NODES {
        let name = name(number);
        sessions.push(Node::connect(channel(port, &credentials(data, &name), true), hello(&name)).await?);
    }
    println!("begin");
    let (began, before) = (Instant::now(), processor_time()?);
    for outcome in futures::future::join_all(sessions.into_iter().map(|node| send(node, &log))).await {
        outcome?;
    }
    let seconds = began.elapsed().as_secs_f64();
    let processor_seconds = (processor_time()?.saturating_sub(before)).as_secs_f64();
    let bytes = bytes * usize::try_from(NODES)?;
    println!("{}", serde_json::to_string(&Sent { seconds, processor_seconds, bytes })?);
    Ok(())
}

/// All blocks of a log. Its last event is one that a rule matches: when the finding is there, everything before it has been judged.
fn log(blocks: u64) -> Vec<Block> {
    let mut log = Log::new();
    let mut all: Vec<Block> = (1..blocks).map(|_| log.block(BLOCK)).collect();
    let first = (blocks - 1) * u64::from(BLOCK) + 1;
    let mut events: Vec<Event> = (first..first + u64::from(BLOCK)).map(event).collect();
    if let Some(last) = events.last_mut() {
        let file = Some(FileKey { device: 1, inode: 7, links: 0 });
        last.body = Some(Body::Exec(Exec { path: b"/memfd:x".to_vec(), memfd: true, file, ..Exec::default() }));
    }
    let raw: Vec<u8> = events.iter().flat_map(Message::encode_length_delimited_to_vec).collect();
    all.push(log.block_of(BLOCK, &raw));
    all
}

async fn send(mut node: Node, log: &[Block]) -> Result<()> {
    let sender = node.sender();
    let send = async {
        for block in log {
            sender.send(In::Block(block.clone())).await;
        }
    };
    let (acknowledged, ()) = tokio::join!(node.acknowledged(log.len() as u64 * u64::from(BLOCK)), send);
    Ok(acknowledged?)
}

fn name(number: u64) -> String {
    format!("node-{number}")
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

/// Waits until the last event of each node has become a finding.
async fn judged(ready: &Ready) -> Result<()> {
    while (ready.store.state.findings().await?.len() as u64) < NODES {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// Time that all threads of this process had a core, in the kernel's part too: fields 14 and 15 of `proc_pid_stat(5)`, in hundredths of a
/// second.
fn processor_time() -> Result<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(')').context("every kernel writes it so")?;
    let ticks: u64 = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>).sum::<Result<_, _>>()?;
    Ok(Duration::from_millis(ticks * 10))
}

/// The most that was resident at once, in bytes, as the kernel counts it.
fn most_resident() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("every kernel counts it")?;
    let kibibytes: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kibibytes << 10)
}

/// One line; `goal` with whether more is better.
fn line(name: &str, value: f64, unit: &str, goal: Option<(f64, bool)>) {
    let met = goal.map(|(goal, more)| if more { value >= goal } else { value <= goal });
    let goal = goal.map(|(goal, _)| goal);
    println!("{}", serde_json::json!({"name": name, "value": value, "unit": unit, "goal": goal, "met": met}));
}
