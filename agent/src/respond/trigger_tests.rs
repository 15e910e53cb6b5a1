//! Tests of triggers: rules and events in, what fired out. The processes are children of this one.

use std::path::PathBuf;
use std::process::{Child, Command};

use proto::v1::{Actor, Exec};

use super::*;
use crate::origin::{Origin, Settings, seed};

const RULES: &str = r"
title: Sleeping is watched
id: 00000000-0000-4000-8000-000000000001
level: low
logsource: {product: linux, category: process_creation}
detection:
    selection:
        Image|endswith: /sleep
    condition: selection
---
title: Sleeping for long is stopped
id: 00000000-0000-4000-8000-000000000002
level: high
tags: [attack.t1059]
logsource: {product: linux, category: process_creation}
detection:
    selection:
        CommandLine|contains: 'sleep 60'
    condition: selection
mayfly:
    response: stop
    why: nobody sleeps for a minute here
    match:
        - {name: a minute, event: {CommandLine: sleep 60}}
    near_miss:
        - {name: less, event: {CommandLine: sleep 6}}
";

struct World {
    triggers: Triggers,
    observer: Observer,
    clock: Clock,
}

fn world(acts: bool) -> World {
    let (engine, errors) = Engine::load([("sleep.yml", RULES)]);
    assert!(errors.is_empty(), "{errors:?}");
    let clock = Clock::standing(10_000_000_000, 5_000_000_000);
    let guard = Guard::new(Path::new("/proc"), &[PathBuf::from("/nobody")]);
    let limits = Limits { acts, ..Limits::new(guard, clock.clone()) };
    World { triggers: Triggers::new(engine, limits), observer: Observer::new(Origin::new(Settings::default())), clock }
}

fn child() -> (Child, ProcessKey) {
    let child = Command::new("sleep").arg("60").spawn().expect("sleep is on every machine");
    let key = seed::one(Path::new("/proc"), child.id()).expect("the child runs").key;
    (child, key)
}

fn end(mut child: Child) {
    child.kill().expect("it is ours");
    child.wait().expect("it was ours");
}

fn exec(key: ProcessKey, boot_ns: u64, arguments: &str) -> Event {
    let exec = Exec { path: b"/bin/sleep".to_vec(), arguments: arguments.into(), ..Exec::default() };
    let actor = Actor { process: Some(key), ..Actor::default() };
    Event { position: 3, boot_ns, actor: Some(actor), body: Some(Body::Exec(exec)), ..Event::default() }
}

fn line(fired: &Fired) -> String {
    let rules: Vec<&str> = fired.rules.iter().map(|rule| rule.title.as_str()).collect();
    format!("{:?} {} repeats {}", fired.action(), rules.join(" + "), fired.repeats)
}

#[test]
fn a_process_is_stopped_before_anything_else_and_the_latency_is_measured() {
    let mut world = world(true);
    let (child, key) = child();
    world.clock.advance(std::time::Duration::from_micros(300));
    let event = exec(key, 5_000_000_000, "sleep\x0060");
    let fired = world.triggers.check(&event, &world.observer).expect("two rules match");
    assert_eq!(line(&fired), "Stopped Sleeping for long is stopped + Sleeping is watched repeats 0");
    assert_eq!(fired.stop_latency_ns(), 300_000);
    assert_eq!(fired.rules[0].techniques, ["T1059"]);
    assert!(fired.process.as_ref().is_some_and(|held| held.state() == State::Stopped));
    end(child);
}

#[test]
fn the_same_match_is_counted_and_told_with_the_next() {
    let mut world = world(false);
    let key = ProcessKey { pid: 4_000_000, start_ns: 1 };
    let second = 1_000_000_000;
    let mut at = |seconds: u64| {
        let event = exec(key, seconds * second, "sleep\x001");
        world.triggers.check(&event, &world.observer).map_or("nothing".to_owned(), |fired| line(&fired))
    };
    assert_eq!(at(5), "Observed Sleeping is watched repeats 0");
    assert_eq!(at(6), "nothing");
    assert_eq!(at(64), "nothing");
    assert_eq!(at(66), "Observed Sleeping is watched repeats 2");
    assert_eq!(world.triggers.counted(), 2);
}

#[test]
fn a_process_that_has_ended_is_said_to_be_gone() {
    let mut world = world(true);
    let (child, key) = child();
    end(child);
    let fired = world.triggers.check(&exec(key, 5, "sleep\x0060"), &world.observer).expect("two rules match");
    assert_eq!(fired.action(), TriggerAction::Gone);
    assert!(fired.process.is_none() && fired.capture);
}

#[test]
fn a_replay_stops_nobody() {
    let mut world = world(false);
    let (child, key) = child();
    let fired = world.triggers.check(&exec(key, 5, "sleep\x0060"), &world.observer).expect("two rules match");
    assert_eq!(fired.action(), TriggerAction::Observed);
    assert_eq!(Held::take(Path::new("/proc"), key).expect("it runs").state(), State::Running);
    end(child);
}

#[test]
fn whoever_the_kernel_stopped_is_always_told_of() {
    let mut world = world(true);
    let key = ProcessKey { pid: 4_000_000, start_ns: 1 };
    let mut event = exec(key, 5, "other");
    let Some(Body::Exec(body)) = &mut event.body else { panic!("it is an exec") };
    (body.stopped_in_kernel, body.path) = (true, b"/bin/other".to_vec());
    assert!(world.triggers.check(&event, &world.observer).is_some_and(|fired| fired.rules.is_empty()));
    assert!(world.triggers.check(&event, &world.observer).is_some(), "also the second time");
}

#[test]
fn an_event_of_no_source_asks_no_rule() {
    let mut world = world(true);
    assert!(world.triggers.check(&Event::default(), &world.observer).is_none());
}

#[test]
fn a_listed_value_is_told_with_who_says_so_and_stops_nobody() {
    let feed = "type,value,source,why,expires,level\nfile_name,sleep,Our CERT,seen at a break-in,2026-01-01T00:00:00Z,critical\n";
    let (set, errors) = Set::load([("cert.csv", feed)]);
    assert!(errors.is_empty(), "{errors:?}");
    let mut world = world(true);
    world.triggers = world.triggers.with_indicators(set);
    let (child, key) = child();
    let fired = world.triggers.check(&exec(key, 5, "sleep\x006"), &world.observer).expect("a rule and an indicator");
    let title = "Indicator: file_name sleep. Our CERT lists it: seen at a break-in; until 2026-01-01T00:00:00Z.";
    assert_eq!(line(&fired), format!("Observed {title} + Sleeping is watched repeats 0"));
    assert_eq!((fired.rules[0].rule_id.as_str(), fired.rules[0].level), ("indicator:file_name:sleep", "critical"));
    assert!(!fired.capture && matches!(fired.stop, Stop::NotAsked));
    let again = world.triggers.check(&exec(key, 6, "sleep\x006"), &world.observer);
    assert!(again.is_none(), "it is counted");
    let mut late = exec(ProcessKey { pid: 4_000_001, start_ns: 1 }, 7, "sleep\x006");
    late.time_ns = 1_767_225_600_000_000_000;
    let fired = world.triggers.check(&late, &world.observer).expect("the rule matches");
    assert_eq!(line(&fired), "Observed Sleeping is watched repeats 0");
    end(child);
}
