//! Delivery against a real server over real TLS on loopback: what arrives, what is refused, and what happens when nobody is there.

mod collector;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use proto::v1::{Event, FileUnlink, Order, OrderResult, OrderStatus, event::Body};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::*;
use crate::clock::Clock;
use crate::config::{Bytes, Collector};
use crate::log::LogOptions;
use crate::respond::journal::Journal;
use collector::{Authority, Script, Served};

/// A node whose delivery runs.
struct Node {
    folder: tempfile::TempDir,
    log: Log,
    health: Health,
    spool: Spool,
    orders: mpsc::Receiver<Order>,
    journal: Journal,
    results: mpsc::Sender<OrderResult>,
    shutdown: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// A log with `count` events of which each block has a few.
fn log_with(folder: &Path, count: u64) -> Log {
    let clock = Clock::standing(1_790_000_000_000_000_000, 1_000_000_000_000);
    let options = LogOptions {
        folder: folder.join("log"),
        max_bytes: 1 << 30,
        max_age: Duration::from_hours(1),
        block_bytes: 4 << 10,
        block_age: Duration::from_millis(200),
        level: 1,
        awaits_sender: true,
    };
    let log = Log::open(options, [1; 16], &clock).expect("opens");
    append(&log, count);
    log
}

fn append(log: &Log, count: u64) {
    for _ in 0..count {
        let path = format!("/tmp/file-{}", log.newest()).into_bytes();
        let body = Some(Body::FileUnlink(FileUnlink { path, ..FileUnlink::default() }));
        log.append(&mut Event { body, ..Event::default() });
    }
    log.close_block();
    log.sync();
}

/// Starts delivery from `folder` to `port` with a certificate of `authority`, trusting `trusted`.
fn node(port: u16, authority: &Authority, trusted: &Authority, events: u64) -> Node {
    let folder = tempfile::tempdir().expect("a folder");
    let (certificate, key) = authority.issue("node-1");
    let write = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).expect("writable");
        folder.path().join(name)
    };
    let settings = Collector {
        endpoint: format!("https://localhost:{port}"),
        server_name: None,
        ca: write("ca.pem", &trusted.pem),
        certificate: write("node.pem", &certificate),
        key: write("node.key", &key),
        window: Bytes(1 << 20),
        backoff_min: Duration::from_millis(10),
        backoff_max: Duration::from_secs(30),
        timeout: Duration::from_secs(5),
    };
    let log = log_with(folder.path(), events);
    let health = Health::default();
    let spool = Spool::open(folder.path().join("captures"), 1 << 30).expect("opens");
    let (to_responder, orders) = mpsc::channel(4);
    let journal = Journal::open(folder.path().join("journal"), 8).expect("opens");
    let desk = OrderDesk::new(journal.clone(), to_responder, health.clone());
    let facts = NodeFacts { node: String::from("node-1"), replay: true, ..NodeFacts::default() };
    let (results, from_responder) = mpsc::channel(4);
    let (shutdown, down) = watch::channel(false);
    let delivery = Delivery { settings, facts, log: log.clone(), spool: spool.clone(), desk, health: health.clone() };
    let task = tokio::spawn(delivery.run(Ends { results: from_responder, shutdown: down }));
    Node { folder, log, health, spool, orders, journal, results, shutdown, task }
}

impl Node {
    async fn stop(self) {
        self.shutdown.send(true).expect("the task is there");
        self.task.await.expect("no panic");
    }
}

/// Waits, in real time, until something holds.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..1_500 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what}: not within 15 s");
}

#[tokio::test]
async fn every_event_arrives_and_the_cursor_follows() {
    let authority = Authority::new();
    let served = Served::start(&authority, Script::default()).await;
    let node = node(served.port, &authority, &authority, 500);
    until("all acknowledged", || node.log.acknowledged() == 500).await;
    append(&node.log, 20);
    until("new ones too", || node.log.acknowledged() == 520).await;
    let seen = served.seen();
    assert_eq!(seen.positions(), (1..=520).collect::<Vec<u64>>());
    assert!(seen.hello.expect("said").replay, "a replay says so");
    assert!(seen.chain_holds);
    node.stop().await;
}

#[tokio::test]
async fn a_session_resumes_after_what_the_collector_has() {
    let authority = Authority::new();
    let served = Served::start(&authority, Script { resume_after: 250, ..Script::default() }).await;
    let node = node(served.port, &authority, &authority, 300);
    until("acknowledged", || node.log.acknowledged() == 300).await;
    assert!(served.seen().positions()[0] <= 251, "from the block that has 251");
    assert!(served.seen().positions()[0] > 1);
    node.stop().await;
}

#[tokio::test]
async fn a_foreign_certificate_is_refused_on_both_sides() {
    let (ours, foreign) = (Authority::new(), Authority::new());
    let served = Served::start(&ours, Script::default()).await;
    let stranger = node(served.port, &foreign, &ours, 10);
    let careful = node(served.port, &ours, &foreign, 10);
    until("both fail", || [&stranger, &careful].iter().all(|node| node.health.get(Counter::SessionsFailed) >= 2)).await;
    assert!(served.seen().hello.is_none(), "no word was said");
    assert_eq!((stranger.log.acknowledged(), careful.log.acknowledged()), (0, 0));
    stranger.stop().await;
    careful.stop().await;
}

#[tokio::test]
async fn an_absent_certificate_is_an_error_and_not_an_end() {
    let authority = Authority::new();
    let served = Served::start(&authority, Script::default()).await;
    let node = node(served.port, &authority, &authority, 10);
    until("delivered", || node.log.acknowledged() == 10).await;
    let kept = std::fs::read(node.folder.path().join("node.pem")).expect("there");
    std::fs::remove_file(node.folder.path().join("node.pem")).expect("removable");
    served.stop().await;
    append(&node.log, 5);
    until("attempts fail", || node.health.get(Counter::SessionsFailed) >= 2).await;
    std::fs::write(node.folder.path().join("node.pem"), kept).expect("writable");
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_collector_away_for_ten_minutes_gets_everything_and_nothing_is_read_meanwhile() {
    let authority = Authority::new();
    let port = collector::free_port();
    let node = node(port, &authority, &authority, 100);
    for _ in 0..600 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        append(&node.log, 10);
    }
    let attempts = node.health.get(Counter::SessionsFailed);
    assert!((20..200).contains(&attempts), "{attempts} attempts in ten minutes: neither idle nor a storm");
    assert_eq!(node.health.get(Counter::BlocksSent), 0, "nothing is read from disk for nobody");
    // From here on in real time: the network does not know ours.
    tokio::time::resume();
    let served = Served::start_at(&authority, Script::default(), port).await;
    // The last wait was begun in moved time and may be half a minute long; a restart is what an operator would do.
    let Node { log, shutdown, task, folder, .. } = node;
    shutdown.send(true).expect("runs");
    task.await.expect("no panic");
    let again = restarted(port, &folder, &log);
    until("all are there", || log.acknowledged() == 6_100).await;
    assert_eq!(served.seen().positions(), (1..=6_100).collect::<Vec<u64>>());
    again.0.send(true).expect("runs");
    again.1.await.expect("no panic");
}

/// Delivery of the same log once more.
fn restarted(
    port: u16,
    folder: &tempfile::TempDir,
    log: &Log,
) -> (watch::Sender<bool>, JoinHandle<()>, Arc<mpsc::Sender<OrderResult>>) {
    let path = |name: &str| folder.path().join(name);
    let settings = Collector {
        endpoint: format!("https://localhost:{port}"),
        server_name: None,
        ca: path("ca.pem"),
        certificate: path("node.pem"),
        key: path("node.key"),
        window: Bytes(1 << 20),
        backoff_min: Duration::from_millis(10),
        backoff_max: Duration::from_millis(100),
        timeout: Duration::from_secs(5),
    };
    let (to_responder, _orders) = mpsc::channel(4);
    let (results, from_responder) = mpsc::channel(4);
    let (shutdown, down) = watch::channel(false);
    let health = Health::default();
    let delivery = Delivery {
        settings,
        facts: NodeFacts { node: String::from("node-1"), ..NodeFacts::default() },
        log: log.clone(),
        spool: Spool::open(path("captures"), 1 << 30).expect("opens"),
        desk: OrderDesk::new(Journal::open(path("journal"), 8).expect("opens"), to_responder, health.clone()),
        health,
    };
    (shutdown, tokio::spawn(delivery.run(Ends { results: from_responder, shutdown: down })), Arc::new(results))
}

#[tokio::test(start_paused = true)]
async fn a_refusing_collector_is_not_asked_in_a_tight_loop() {
    let authority = Authority::new();
    let script = Script { refuse: Some("this node is not known"), ..Script::default() };
    let served = Served::start(&authority, script).await;
    let node = node(served.port, &authority, &authority, 10);
    tokio::time::sleep(Duration::from_mins(10)).await;
    let attempts = node.health.get(Counter::SessionsFailed);
    assert!((10..200).contains(&attempts), "{attempts} attempts in ten minutes");
    assert_eq!(node.log.acknowledged(), 0);
}

#[tokio::test]
async fn an_order_is_passed_on_once_and_its_result_is_told_again() {
    let authority = Authority::new();
    let script = Script { orders: vec!["order-1", "order-1"], ..Script::default() };
    let served = Served::start(&authority, script).await;
    let mut node = node(served.port, &authority, &authority, 1);
    let order = node.orders.recv().await.expect("an order comes");
    assert_eq!(order.id, "order-1");
    let status = i32::from(OrderStatus::Done);
    let result = OrderResult { order_id: order.id, status, ..OrderResult::default() };
    node.journal.finish(&result).expect("writable");
    node.results.send(result.clone()).await.expect("taken");
    until("the result arrives", || served.seen().results.contains(&result)).await;
    assert!(node.orders.try_recv().is_err(), "passed on once");
    served.drop_sessions();
    until("told again to a new session", || served.seen().results.len() >= 2).await;
    assert!(node.orders.try_recv().is_err(), "and not done again");
    node.stop().await;
}

#[tokio::test]
async fn a_capture_is_resumed_where_the_collector_asks() {
    let authority = Authority::new();
    let served = Served::start(&authority, Script { artifact_from: 300_000, ..Script::default() }).await;
    let node = node(served.port, &authority, &authority, 1);
    let folder = node.spool.begin("capture-1").expect("a plain name");
    std::fs::write(folder.join("exe"), vec![7; 700_000]).expect("writable");
    let artifact = spool::Artifact {
        artifact_id: String::from("exe"),
        kind: String::from("executable"),
        name: String::from("/tmp/x"),
        media_type: String::from("application/octet-stream"),
        size: 700_000,
        sha256: "00".repeat(32),
    };
    node.spool.commit("capture-1", b"{}", &[artifact]).expect("commits");
    until("delivered", || node.health.get(Counter::CapturesDelivered) == 1).await;
    let seen = served.seen();
    assert_eq!(seen.manifests, 1);
    assert_eq!(seen.chunks, [(300_000, 262_144), (562_144, 137_856)]);
    assert!(node.spool.waiting().is_empty());
    node.stop().await;
}

#[tokio::test]
async fn the_tail_is_sent_before_the_agent_ends() {
    let authority = Authority::new();
    let served = Served::start(&authority, Script::default()).await;
    let node = node(served.port, &authority, &authority, 1);
    until("session", || node.log.acknowledged() == 1).await;
    append(&node.log, 2_000);
    node.stop().await;
    assert_eq!(served.seen().positions().len(), 2_001);
}
