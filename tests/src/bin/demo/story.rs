//! What the demo does, step by step. Every line that it prints was read from the running parts a moment before.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;
use tests::world::agent::replay as replay_agent;
use tests::world::cloud::Cloud;
use tests::world::collector::Collector;
use tests::world::incident::{Incident, PATIENCE, steps};
use tests::world::place::Place;
use tests::world::program::eventually;

use crate::teller::Teller;

/// Raw records of one run of the attack, as `mayfly-agent record` wrote them.
const RECORDING: &[u8] = include_bytes!("../../../fixtures/attack.raw");

/// The real one: container, attacker, kernel.
pub(crate) fn live(teller: &mut Teller, out: &Path, keep: bool) -> Result<()> {
    teller.say(
        "set up",
        "Starting a collector, a node agent, a container with a small web shop, and everything outside it.",
    );
    let incident = Incident::prepare("demo", 2)?;
    let id = &incident.attack.container.id;
    teller.say("running", &format!("Container {} serves a shop; the agent watches the kernel.", &id[..12]));
    attack(teller, &incident);
    let case = judge(teller, &incident)?;
    contain(teller, &incident, &case)?;
    if incident.cloud.is_some() {
        cloud(teller, &incident, &case)?;
    } else {
        teller.say(
            "skipped",
            "The stand-in AWS is not installed, so nothing is done in a cloud: run `cargo xtask setup`.",
        );
    }
    finish(teller, incident, &case, out, keep)
}

fn attack(teller: &mut Teller, incident: &Incident) {
    teller.say("attack", "A request to the shop carries a command: fetch a program, run it.");
    incident.strike();
    let got = |name: &str| incident.attack.loot(name).is_some();
    let loot = match (got("token"), got("keys")) {
        (true, true) => "has the service account's token and the node role's keys",
        (true, false) => "has the service account's token",
        (false, true) => "has the node role's keys",
        (false, false) => "got nothing",
    };
    teller.say("attack", &format!("The attacker {loot}. The container ends within two seconds."));
}

fn judge(teller: &mut Teller, incident: &Incident) -> Result<String> {
    let id = incident.case()?;
    let case = incident.case_when(&id, "a verdict", |case| text(case, "/case/verdict") == "true_positive")?;
    teller.say("case", &format!("{id}: {}", text(&case, "/case/title")));
    let events = incident.events()?;
    for event in events.iter().filter(|event| event.pointer("/body/what").and_then(Value::as_str) == Some("trigger")) {
        let action = text(event, "/body/action").replace('_', " ");
        let micros = event.pointer("/body/stop_latency_ns").and_then(Value::as_u64).unwrap_or(0) / 1000;
        let stopped = if micros > 0 { format!(" ({micros} µs after the event)") } else { String::new() };
        teller.say("node", &format!("{}: {action}{stopped}", text(event, "/body/rule_title")));
    }
    Ok(id)
}

fn contain(teller: &mut Teller, incident: &Incident, id: &str) -> Result<()> {
    let plan = incident.plan_when(id, "a plan", |plan| plan.get("steps").is_some())?;
    for step in steps(&plan, "node.net.quarantine", "auto") {
        teller.say("contain", &format!("Automatic: {}", text(step, "/reach")));
    }
    let case = incident.collector.show(&["case", id])?;
    teller.show(&format!("mayfly case {id}"), &case);
    Ok(())
}

fn cloud(teller: &mut Teller, incident: &Incident, id: &str) -> Result<()> {
    let made = incident.use_stolen_keys()?;
    teller.say("cloud", &format!("The stolen keys are used from elsewhere; CloudTrail and the cluster's audit log say so. The attacker makes key {made}."));
    let ready = |plan: &Value| {
        !steps(plan, "aws.iam.key_deactivate", "needs_approval").is_empty()
            && !steps(plan, "aws.iam.session_revoke", "needs_approval").is_empty()
    };
    let plan = incident.plan_when(id, "a plan that acts in AWS", ready)?;
    teller.show(&format!("mayfly plan {id}"), &incident.collector.show(&["plan", id])?);
    let digest = text(&plan, "/digest").to_owned();
    let short = digest.get(..16).context("a digest has 64 digits")?;
    let done = incident.collector.show(&["approve", id, "--plan", short, "--as", "alice"])?;
    teller.show(&format!("mayfly approve {id} --plan {short} --as alice"), &done);
    let cloud = incident.cloud.as_ref().context("a stand-in cloud")?;
    aws_says(teller, cloud, &made)?;
    let undo = incident.collector.ask(&["undo", id, "--plan", short, "--as", "alice"])?;
    let back = text(&undo, "/digest").get(..16).context("an undo has a digest")?.to_owned();
    let done = incident.collector.show(&["approve", id, "--plan", &back, "--as", "bob"])?;
    teller.show(&format!("mayfly undo {id} --as alice; mayfly approve {id} --plan {back} --as bob"), &done);
    aws_says(teller, cloud, &made)?;
    Ok(())
}

/// What became of the key and the role, by the cloud's own word.
fn aws_says(teller: &mut Teller, cloud: &Cloud, made: &str) -> Result<()> {
    let (status, policies) = (cloud.key_status(made)?, list(&cloud.role_policies()?));
    teller.say("aws", &format!("AWS says: key {made} is {status}; the role's policies: {policies}."));
    Ok(())
}

fn finish(teller: &mut Teller, incident: Incident, id: &str, out: &Path, keep: bool) -> Result<()> {
    write_out(teller, &incident.collector, id, out)?;
    if keep {
        let data = incident.collector.data.display().to_string();
        teller.say("kept", &format!("The collector stays up: mayfly --data {data} cases. Press Ctrl-C to end it."));
        return incident.stay();
    }
    Ok(())
}

fn write_out(teller: &mut Teller, collector: &Collector, id: &str, out: &Path) -> Result<()> {
    eventually("what the node captured", PATIENCE, || {
        let listed = collector.ask(&["evidence", "list", id])?;
        let artifacts = listed["artifacts"].as_array().context("a list of artifacts")?;
        let on_its_way = |artifact: &Value| artifact["received"].is_null() && artifact["failure"] == "";
        Ok((!artifacts.iter().any(on_its_way)).then_some(()))
    })?;
    for format in ["html", "md", "json"] {
        let path = out.join(format!("{id}.{format}"));
        collector.show(&["report", id, "--format", format, "--out", &path.display().to_string()])?;
    }
    let bundle = out.join(format!("{id}.zip")).display().to_string();
    collector.show(&["evidence", "export", id, "--out", &bundle])?;
    teller.show(&format!("mayfly verify {bundle}"), &collector.show(&["verify", &bundle])?);
    let report = out.join(id).display().to_string();
    teller.say("report", &format!("Read {report}.html (also .md, .json); the evidence is {bundle}."));
    Ok(())
}

/// A recorded run of the same attack, through the same agent pipeline and the same collector. Needs neither root nor BPF.
pub(crate) fn replay(teller: &mut Teller, out: &Path, keep: bool) -> Result<()> {
    let place = Place::new("replay")?;
    let recording = place.path("attack.raw");
    std::fs::write(&recording, RECORDING).context("unpack the recording")?;
    let mut collector = Collector::start(&place, None)?;
    teller.say(
        "REPLAY",
        "What follows comes from a recorded run, not from this kernel; every page of the report says so.",
    );
    replay_agent(&place, &collector, &recording)?;
    let id = eventually("a case", PATIENCE, || {
        let cases = collector.ask(&["cases"])?;
        Ok(cases.pointer("/cases/0/id").and_then(Value::as_str).map(str::to_owned))
    })?;
    teller.show(&format!("mayfly case {id}"), &collector.show(&["case", &id])?);
    write_out(teller, &collector, &id, out)?;
    if keep && let Some(process) = &mut collector.process {
        process.wait()?;
    }
    Ok(())
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_default()
}
