//! The real binary, killed and started again, and a disk that is full: nothing that was acknowledged is lost, nothing is there twice.

#[allow(dead_code, unreachable_pub, reason = "each test file uses its part")]
mod node;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use collector::clock::Clock;
use collector::config::StoreConfig;
use collector::health::Health;
use collector::store::Store;
use collector::store::events::query::Question;
use node::{Log, Node, channel, credentials, hello};
use proto::v1::Block;
use proto::v1::collector_message::Message as Out;
use proto::v1::node_message::Message as In;

/// `mayfly serve` with a port of the kernel's choice.
struct Process {
    child: Child,
    port: u16,
}

impl Process {
    /// Small segments, so that the compactor has work at every moment.
    fn start(data: &Path) -> Self {
        let config = data.with_extension("toml");
        let text = "listen = \"127.0.0.1:0\"\n[store]\nsegment_bytes = 65536\nsegment_age = \"1s\"\n";
        std::fs::write(&config, text).expect("written");
        let mut child = Command::new(env!("CARGO_BIN_EXE_mayfly"))
            .args(["serve", "--data"])
            .arg(data)
            .arg("--config")
            .arg(&config)
            .env("NO_COLOR", "1")
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let port = loop {
            let line = lines.next().expect("it says that it is ready").expect("text");
            if let Some((_, address)) = line.split_once("listen=127.0.0.1:") {
                break address.trim().parse().expect("a port");
            }
        };
        // Read to its end, so that the process never waits for us.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, port }
    }

    fn kill(mut self) {
        self.child.kill().expect("it is ours");
        self.child.wait().expect("it is ours");
    }
}

/// Every position of the log, read from the store itself.
async fn positions(data: &Path) -> Vec<u64> {
    let open = Store::open(data, &StoreConfig::default(), &Clock::system(), &Health::default()).await;
    let (store, _writer) = open.expect("it opens after a crash");
    let question = Question { limit: Some(usize::MAX), ..Question::default() };
    let events = store.events.query(&question).await.expect("an answer");
    events.into_iter().map(|event| event.position).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_killed_at_any_point_loses_nothing_and_has_nothing_twice() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let mut log = Log::new();
    let blocks: Vec<Block> = (0..400).map(|_| log.block(50)).collect();
    let mut acknowledged = 0;
    // Killed while blocks are on their way, each time at another moment.
    for round in 0..6_u64 {
        let process = Process::start(&data);
        let way = channel(process.port, &credentials(&data, "n1"), true);
        let mut node = Node::connect(way, hello("n1")).await.expect("welcome");
        assert!(node.resume_after >= acknowledged, "round {round}: {} < {acknowledged}", node.resume_after);
        let rest = blocks.iter().filter(|block| block.first_position > node.resume_after).cloned();
        let rest: Vec<Block> = rest.take(60).collect();
        let sender = node.sender();
        let send = async {
            for block in rest {
                sender.send(In::Block(block)).await;
            }
            std::future::pending::<()>().await;
        };
        let hear = async {
            while let Ok(Out::Ack(ack)) = node.next().await {
                acknowledged = ack.position;
            }
        };
        let moment = tokio::time::sleep(Duration::from_millis(3 + round * 37));
        tokio::select! { () = send => {}, () = hear => {}, () = moment => {} }
        process.kill();
    }
    let process = Process::start(&data);
    let way = channel(process.port, &credentials(&data, "n1"), true);
    let mut node = Node::connect(way, hello("n1")).await.expect("welcome");
    let resume_after = node.resume_after;
    let sender = node.sender();
    let rest: Vec<Block> = blocks.into_iter().filter(|block| block.first_position > resume_after).collect();
    let send = async {
        for block in rest {
            sender.send(In::Block(block)).await;
        }
    };
    let (heard, ()) = tokio::join!(node.acknowledged(20_000), send);
    heard.expect("all is acknowledged");
    process.kill();
    assert_eq!(positions(&data).await, (1..=20_000).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_acknowledges_nothing_and_goes_on_when_there_is_room() {
    let folder = tempfile::tempdir().expect("a folder");
    let disk = folder.path().join("disk");
    std::fs::create_dir(&disk).expect("a folder");
    let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=3m", "mayfly-test"]).arg(&disk).status();
    if !mount.is_ok_and(|status| status.success()) {
        println!("skipped: a small file system cannot be mounted here (needs root)");
        return;
    }
    let unmount = Unmount(disk.clone());
    let data = disk.join("data");
    let process = Process::start(&data);
    let certificates = credentials(&data, "n1");
    let ballast = disk.join("ballast");
    let mut log = Log::new();
    let blocks: Vec<Block> = (0..40).map(|_| log.block(500)).collect();
    let mut node = Node::connect(channel(process.port, &certificates, true), hello("n1")).await.expect("welcome");
    fill(&ballast);
    for block in &blocks {
        node.send(In::Block(block.clone())).await;
    }
    let mut last = Ok(Out::Ack(proto::v1::Ack::default()));
    while last.is_ok() {
        last = node.next().await;
    }
    let told = last.expect_err("the loop ended with it");
    assert!(told.message().contains("No space left on device"), "{told}");
    std::fs::remove_file(&ballast).expect("room again");
    let mut node = Node::connect(channel(process.port, &certificates, true), hello("n1")).await.expect("welcome");
    let resume_after = node.resume_after;
    for block in blocks.into_iter().filter(|block| block.first_position > resume_after).take(5) {
        let last = block.first_position + u64::from(block.count) - 1;
        assert_eq!(node.offer(block).await, format!("ack {last}"));
    }
    process.kill();
    let positions = positions(&data).await;
    assert_eq!(positions, (1..=positions.len() as u64).collect::<Vec<_>>());
    drop(unmount);
}

/// Writes until nothing more fits.
fn fill(path: &Path) {
    use std::io::Write;
    let mut file = std::fs::File::create(path).expect("a file");
    for size in [65_536, 4_096, 512] {
        while file.write_all(&vec![1; size]).is_ok() {}
    }
}

struct Unmount(std::path::PathBuf);

impl Drop for Unmount {
    fn drop(&mut self) {
        let status = Command::new("umount").arg("-l").arg(&self.0).status();
        assert!(status.is_ok_and(|status| status.success()), "{} stays mounted", self.0.display());
    }
}
