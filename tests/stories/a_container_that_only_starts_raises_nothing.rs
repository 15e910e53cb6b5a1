//! A runtime mounts, enters namespaces, changes roots and gives up rights for every container that it starts: none of that is an alarm. The
//! same in the hands of a process of the container is.

use std::collections::BTreeSet;

use anyhow::Result;
use serde_json::Value;
use tests::world::agent::Agent;
use tests::world::collector::Collector;
use tests::world::container::{Container, Pod, Wanted};
use tests::world::incident::PATIENCE;
use tests::world::place::Place;
use tests::world::program::eventually;

use crate::skip;

/// Titles of the rules about these nouns.
fn titles() -> BTreeSet<String> {
    let (engine, _) = rules::Engine::load(rules::content().iter().copied());
    let ours = |file: &str| file.starts_with("privilege/") || file.starts_with("kernel/");
    engine.rules().filter(|(_, rule)| ours(&rule.file)).map(|(_, rule)| rule.title.clone()).collect()
}

fn events(collector: &Collector) -> Result<Vec<Value>> {
    Ok(collector.ask(&["events", "--limit", "10000"])?["events"].as_array().cloned().unwrap_or_default())
}

fn word<'a>(event: &'a Value, pointer: &str) -> &'a str {
    event.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn triggers(events: &[Value], titles: &BTreeSet<String>) -> Vec<String> {
    let told = events.iter().filter(|event| word(event, "/body/what") == "trigger");
    told.map(|event| word(event, "/body/rule_title").to_owned()).filter(|title| titles.contains(title)).collect()
}

#[test]
fn a_container_that_only_starts_raises_nothing() -> Result<()> {
    if skip::without_containers() {
        return Ok(());
    }
    let titles = titles();
    assert!(titles.len() > 10, "{titles:?}");
    let place = Place::new("qiet")?;
    let collector = Collector::start(&place, None)?;
    let _agent = Agent::start(&place, &collector)?;
    let id = format!("{:064x}", u128::from(std::process::id()) + 0x60);
    let arguments = ["sleep", "60"].map(str::to_owned).to_vec();
    let wanted =
        Wanted { id: id.clone(), pod: Pod::shop(), arguments, environment: Vec::new(), network: None, token: "" };
    let container = Container::start(&place, &wanted)?;
    eventually("the first process", PATIENCE, || Ok(container.exec(&["true"]).ok()))?;
    let seen = eventually("what the runtime did, and the process that was entered", PATIENCE, || {
        let events = events(&collector)?;
        let has = |how: &str| events.iter().any(|event| word(event, "/body/how") == how);
        let entered = events.iter().any(|event| word(event, "/body/path") == "/bin/busybox");
        let all = has("mount_changed") && has("root_changed") && has("namespaces_changed") && entered;
        Ok(all.then_some(events))
    })?;
    assert_eq!(triggers(&seen, &titles), Vec::<String>::new());

    container.exec(&["sh", "-c", ": > /proc/1/mem"])?;
    eventually("the memory that is written", PATIENCE, || {
        let raised = triggers(&events(&collector)?, &titles);
        Ok(raised.contains(&"Memory of another process written in a container".to_owned()).then_some(()))
    })
}
