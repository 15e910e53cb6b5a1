//! What a node may send and what becomes of it: a collector in this process, nodes over mutual TLS on loopback.

#[allow(dead_code, unreachable_pub, reason = "each test file uses its part")]
mod node;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use collector::clock::Clock;
use collector::pki::Pki;
use collector::store::events::query::Question;
use collector_core::custody::Kind;
use collector_core::model::Body;
use node::collector::Collector;
use node::{Log, Node, channel, credentials, hello};
use proto::link::link;
use proto::v1::node_message::Message as In;

async fn world() -> (tempfile::TempDir, Collector, Node) {
    let folder = tempfile::tempdir().expect("a folder");
    let collector = Collector::start(folder.path()).await;
    let way = channel(collector.port(), &credentials(folder.path(), "n1"), true);
    let node = Node::connect(way, hello("n1")).await.expect("welcome");
    (folder, collector, node)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_without_our_certificate_is_refused() {
    let (folder, collector, _node) = world().await;
    let ours = credentials(folder.path(), "n1");
    assert!(Node::connect(channel(collector.port(), &ours, false), hello("n1")).await.is_err(), "no certificate");
    let other = tempfile::tempdir().expect("a folder");
    let mut foreign = credentials(other.path(), "n1");
    foreign.authority.clone_from(&ours.authority);
    assert!(Node::connect(channel(collector.port(), &foreign, true), hello("n1")).await.is_err(), "a foreign one");
    let told = Node::connect(channel(collector.port(), &ours, true), hello("n2")).await.err().expect("another name");
    assert_eq!(told.message(), "the node's name is not that of its certificate");
    let hand = Arc::new(AtomicU64::new(1_000_000_000_000_000_000));
    let past = Pki::open(&folder.path().join("pki"), Clock::moved_by(hand)).expect("the same authority");
    let expired = past.issue_for("n1", Duration::from_hours(1)).expect("a certificate");
    assert!(Node::connect(channel(collector.port(), &expired, true), hello("n1")).await.is_err(), "an expired one");
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_are_acknowledged_once_and_replays_again() {
    let (_folder, collector, mut node) = world().await;
    let mut log = Log::new();
    let (one, two) = (log.block(10), log.block(5));
    assert_eq!(node.offer(one.clone()).await, "ack 10");
    assert_eq!(node.offer(two.clone()).await, "ack 15");
    assert_eq!(node.offer(one).await, "ack 15", "replayed");
    assert_eq!(node.offer(two).await, "ack 15", "replayed");
    let events = collector.ready().store.events.query(&Question::default()).await.expect("an answer");
    assert_eq!(events.iter().map(|event| event.position).collect::<Vec<_>>(), (1..=15).collect::<Vec<_>>());
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_what_it_says_is_refused_and_journalled() {
    let (_folder, collector, mut node) = world().await;
    let mut log = Log::new();
    let good = log.block(10);
    let mut bad = good.clone();
    bad.link[0] ^= 1;
    assert_eq!(node.offer(bad).await, "refused: block at position 1: its link is not the hash of its content");
    let mut bad = good.clone();
    bad.payload = bad.payload.slice(..bad.payload.len() / 2);
    let told = node.offer(relinked(bad)).await;
    assert!(told.contains("does not unpack"), "truncated: {told}");
    let told = node.offer(relinked(proto::v1::Block { count: 11, ..good.clone() })).await;
    assert!(told.contains("it says 11 events and has 10"), "{told}");
    let told = node.offer(relinked(proto::v1::Block { first_position: 2, ..good.clone() })).await;
    assert!(told.contains("event 0 stands at position 1, not 2"), "{told}");
    let told = node.offer(relinked(proto::v1::Block { raw_bytes: 9 << 20, ..good.clone() })).await;
    assert!(told.contains("its unpacked size is 9437184, more than 8388608"), "{told}");
    let told = node.offer(relinked(proto::v1::Block { previous: vec![9; 32], ..good.clone() })).await;
    assert!(told.contains("not linked to the block before"), "{told}");
    assert_eq!(node.offer(good).await, "ack 10", "the session goes on");
    let records = collector.ready().store.journal.records();
    assert_eq!(records.iter().filter(|record| record.kind == Kind::Refused).count(), 6);
    let huge = proto::v1::Block { payload: vec![0; 2 << 20].into(), ..log.block(1) };
    assert!(node.offer(huge).await.starts_with("ended"), "larger than any message");
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gap_becomes_a_loss_and_a_late_block_is_refused() {
    let (_folder, collector, mut node) = world().await;
    let mut log = Log::new();
    let (one, two, three) = (log.block(10), log.block(10), log.block(10));
    assert_eq!(node.offer(one).await, "ack 10");
    node.send(In::Block(three)).await;
    node.acknowledged(30).await.expect("the later block is taken");
    let told = node.offer(two).await;
    assert!(told.contains("positions 11 to 20 come after later ones"), "{told}");
    let store = collector.ready().store.clone();
    let events = store.events.query(&Question::default()).await.expect("an answer");
    let lost: Vec<_> = events.iter().filter(|event| matches!(event.body, Body::Loss { count: 10, .. })).collect();
    assert_eq!((events.len(), lost.len(), lost[0].position), (21, 1, 11));
    drop(store);
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newer_session_is_the_node() {
    let (folder, collector, mut old) = world().await;
    let mut log = Log::new();
    assert_eq!(old.offer(log.block(10)).await, "ack 10");
    let way = channel(collector.port(), &credentials(folder.path(), "n1"), true);
    let mut new = Node::connect(way, hello("n1")).await.expect("welcome");
    assert_eq!(new.resume_after, 10);
    assert!(old.offer(log.block(1)).await.contains("a newer session of this node took over"));
    drop(old);
    let mut again = Log::new();
    again.block(10);
    assert_eq!(new.offer(again.block(5)).await, "ack 15");
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_the_lake_reads_as_it_was() {
    let (folder, collector, mut node) = world().await;
    let mut log = Log::new();
    assert_eq!(node.offer(log.block(1000)).await, "ack 1000");
    let events = collector.ready().store.events.clone();
    let before = events.query(&Question::default()).await.expect("an answer");
    events.landing().seal(Duration::ZERO).await;
    // The collector's own compactor looks every second.
    while collector.ready().store.state.stored_sequence().await.expect("an answer") == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(events.query(&Question::default()).await.expect("an answer"), before);
    let some = Question { first_position: Some(500), last_position: Some(501), ..Question::default() };
    assert_eq!(events.query(&some).await.expect("an answer"), before[499..501]);
    let contained = Question { container: before[3].container().map(str::to_owned), ..Question::default() };
    let of_container: Vec<_> =
        before.iter().filter(|event| event.container() == before[3].container()).cloned().collect();
    assert_eq!(events.query(&contained).await.expect("an answer"), of_container);
    drop((events, node));
    collector.stop().await;
    let again = Collector::start(folder.path()).await;
    let after = again.ready().store.events.query(&Question::default()).await.expect("an answer");
    assert_eq!(after, before, "also after a restart");
    again.stop().await;
}

/// The block with the link that its (wrong) content has.
fn relinked(block: proto::v1::Block) -> proto::v1::Block {
    let previous = block.previous.clone().try_into().expect("32 bytes");
    let own = link(&previous, block.first_position, block.count, block.raw_bytes, &block.payload);
    proto::v1::Block { link: own.to_vec(), ..block }
}

/// The clock of a test that moves it.
#[test]
fn a_clock_shows_what_its_hand_says() {
    let hand = Arc::new(AtomicU64::new(7));
    let clock = Clock::moved_by(hand.clone());
    hand.store(8, Ordering::Relaxed);
    assert_eq!(clock.now_ns(), 8);
}
