//! Audit logs that are read while the collector runs: each entry once, also after a restart and a rotation.

#[allow(dead_code, unreachable_pub, reason = "each test file uses its part")]
mod node;

use std::fs;
use std::path::Path;
use std::time::Duration;

use collector::config::{CloudTrailConfig, Config, KubernetesConfig};
use node::collector::Collector;

fn record(id: &str) -> String {
    format!(r#"{{"eventID":"{id}","eventName":"ListUsers","eventTime":"2026-11-21T18:10:23Z"}}"#)
}

fn event(id: &str) -> String {
    format!(
        r#"{{"auditID":"{id}","stage":"ResponseComplete","verb":"get","requestURI":"/version","requestReceivedTimestamp":"2026-11-21T18:10:23.123456Z"}}{}"#,
        '\n'
    )
}

fn config(folder: &Path) -> Config {
    let poll = Duration::from_millis(20);
    Config {
        cloudtrail: CloudTrailConfig { paths: vec![folder.join("trail")], poll },
        kubernetes: KubernetesConfig { logs: vec![folder.join("audit.log")], poll, ..KubernetesConfig::default() },
        ..Config::default()
    }
}

/// Ids of all entries, once there are so many.
async fn entries(collector: &Collector, count: usize) -> Vec<String> {
    loop {
        let entries = collector.ready().store.events.entries(|_| true).await.expect("an answer");
        if entries.len() >= count {
            let mut ids: Vec<String> = entries.into_iter().map(|entry| entry.id).collect();
            ids.sort();
            return ids;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_entry_is_taken_once_also_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let day = folder.path().join("trail/AWSLogs/111122223333/CloudTrail/eu-central-1/2026/11/21");
    fs::create_dir_all(&day).expect("folders");
    let object = format!(r#"{{"Records":[{},{}]}}"#, record("a"), record("b"));
    fs::write(day.join("1.json"), &object).expect("written");
    let log = folder.path().join("audit.log");
    fs::write(&log, event("k1")).expect("written");
    let collector = Collector::configured(&data, config(folder.path())).await;
    assert_eq!(entries(&collector, 3).await, ["a", "b", "k1/ResponseComplete"]);
    let sha256 = collector::connect::audit::address(object.as_bytes());
    let kept = collector.ready().store.evidence.get(&sha256).await.expect("kept");
    assert_eq!(kept, object.as_bytes(), "byte for byte");
    collector.stop().await;

    // While nobody looks: another object repeats an entry, the log grows, is renamed, and begins anew.
    fs::write(day.join("2.json"), format!(r#"{{"Records":[{},{}]}}"#, record("b"), record("c"))).expect("written");
    fs::write(&log, event("k1") + &event("k2")).expect("written");
    fs::rename(&log, folder.path().join("audit-2026-11-21.log")).expect("renamed");
    fs::write(&log, event("k3")).expect("written");
    let collector = Collector::configured(&data, config(folder.path())).await;
    let all = ["a", "b", "c", "k1/ResponseComplete", "k2/ResponseComplete", "k3/ResponseComplete"];
    assert_eq!(entries(&collector, 6).await, all);
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_read_whole_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("trail")).expect("a folder");
    let whole = format!(r#"{{"Records":[{},{}]}}"#, record("a"), record("b"));
    fs::write(folder.path().join("trail/cut.json"), &whole[..whole.len() - 9]).expect("written");
    let collector = Collector::configured(&folder.path().join("data"), config(folder.path())).await;
    assert_eq!(entries(&collector, 1).await, ["a"], "what is whole is taken");
    let troubles = loop {
        let troubles = collector.ready().store.state.troubled_files().await.expect("an answer");
        if !troubles.is_empty() {
            break troubles;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(troubles[0].1.contains("cut.json, record 2: EOF while parsing"), "{troubles:?}");
    collector.stop().await;
}
