//! C2, and what comes near it without being it.

use super::*;
use crate::model::Identity;

fn issues(id: &str, milliseconds: i64, by: &str, key: &str) -> AuditEntry {
    let mut entry = call(id, milliseconds, "sam", by, "203.0.113.7");
    entry.action = "AssumeRole".into();
    entry.original["responseElements"] = json!({"credentials": {"accessKeyId": key}});
    entry
}

fn edges(entries: &[AuditEntry], now_ms: i64) -> Vec<String> {
    let world = World { entries: entries.to_vec(), ..World::default() };
    let key = Entity::Identity { identity: Identity::AccessKey { id: "ASIAFIRST".into() } };
    let finding = finding("f", 0, entries[0].evidence(), vec![key]);
    world.correlator().edges_for(&[finding], at(now_ms)).iter().map(line).collect()
}

#[test]
fn a_chain_of_sessions_is_followed_to_its_end() {
    let chain = [
        issues("e1", 0, "ASIAFIRST", "ASIASECOND"),
        issues("e2", 60_000, "ASIASECOND", "AKIATHIRD"),
        call("e3", 120_000, "sam", "AKIATHIRD", "203.0.113.7"),
    ];
    let expected = [
        "C2 Exact joined: access key ASIAFIRST -> access key ASIASECOND 60 s",
        "C2 Exact joined: access key ASIASECOND -> access key AKIATHIRD 60 s",
    ];
    assert_eq!(edges(&chain, HOUR), expected);
}

#[test]
fn a_use_from_before_the_key_was_given_out_is_not_joined() {
    let chain = [issues("e1", 0, "ASIAFIRST", "ASIASECOND"), call("e2", -60_000, "sam", "ASIASECOND", "203.0.113.7")];
    assert_eq!(edges(&chain, HOUR), Vec::<String>::new());
}

#[test]
fn a_session_s_key_is_not_joined_after_its_end_but_a_user_s_is() {
    let late = 13 * HOUR;
    let session = [issues("e1", 0, "ASIAFIRST", "ASIASECOND"), call("e2", late, "sam", "ASIASECOND", "203.0.113.7")];
    assert_eq!(edges(&session, late), Vec::<String>::new());
    let user = [issues("e1", 0, "ASIAFIRST", "AKIASECOND"), call("e2", late, "sam", "AKIASECOND", "203.0.113.7")];
    assert_eq!(edges(&user, late), ["C2 Exact joined: access key ASIAFIRST -> access key AKIASECOND 46800 s"]);
}

#[test]
fn a_refused_call_gives_nothing_out() {
    let mut refused = issues("e1", 0, "ASIAFIRST", "ASIASECOND");
    refused.denied = true;
    assert_eq!(edges(&[refused, call("e2", 60_000, "sam", "ASIASECOND", "203.0.113.7")], HOUR), Vec::<String>::new());
}

#[test]
fn a_key_that_is_not_used_yet_is_awaited() {
    let only = [issues("e1", 0, "ASIAFIRST", "ASIASECOND")];
    assert_eq!(edges(&only, 60_000), ["C2 Exact pending: access key ASIAFIRST -> access key ASIASECOND 0 s"]);
}
