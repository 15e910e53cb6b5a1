//! From the exec of a program to its stop, and from the match to the sealed capture: a real agent, programs in a real container, a
//! recorder that holds what a busy node does in five minutes. What is measured the agent says itself, in its log: the stop from the
//! time that the kernel gave the exec to the moment in which the process was seen stopped, on the boot clock; the capture from the
//! match to the signed manifest on disk. Each program is a new process; the first few are not counted.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use proto::v1::event::Body;
use proto::v1::{CaptureSealed, Trigger, TriggerAction};
use sha2::{Digest, Sha256};
use tests::world::agent::Agent;
use tests::world::container::{Container, Pod, Wanted};
use tests::world::place::{Place, quoted};
use tests::world::program::eventually;

use super::{each_logged, print, quantile};

/// Programs that a rule of the agent stops, and those of them that are not counted.
const BY_AGENT: usize = 70;
const WARM_UP: usize = 10;
/// How long each stands, so that it is captured before it is ended and the next one begins.
const STANDING: Duration = Duration::from_millis(150);
/// Programs that the kernel stops, and how long each stands: more captures at once than may wait, and the agent lets programs go.
const IN_KERNEL: usize = 100;
const STANDING_SHORT: Duration = Duration::from_millis(40);

/// Files that are made, renamed and removed before: three events each, in all what a node with a thousand events a second has
/// in five minutes.
const FILES: usize = 100_000;
const FILES_AT_ONCE: usize = 1_000;
const BETWEEN: Duration = Duration::from_millis(10);

const RULE_ID: &str = "6e1c58c0-8b0e-4d5a-9f43-5d0a3c1e7b20";
const RULE: &str = "\
title: A program of a trial
id: 6e1c58c0-8b0e-4d5a-9f43-5d0a3c1e7b20
status: test
description: The program whose stop is measured.
author: Mayfly
date: 2026-11-21
logsource:
    product: linux
    category: process_creation
detection:
    trial:
        Image|endswith: /busybox
        CommandLine|endswith: sleep 3
    condition: trial
level: high
mayfly:
    why: It is to be stopped.
    response: stop
    match:
        - name: the trial
          event: {Image: /bin/busybox, CommandLine: /bin/busybox sleep 3}
    near_miss:
        - name: another time
          event: {Image: /bin/busybox, CommandLine: /bin/busybox sleep 4}
";

pub(crate) fn measure() -> Result<()> {
    let place = Place::new("stop")?;
    let rules = place.path("rules");
    fs::create_dir_all(&rules)?;
    fs::write(rules.join("trial.yml"), RULE)?;
    let mut agent = Agent::alone(&place, &format!("[rules]\nfolders = [{}]", quoted(&rules)))?;
    fill(&place)?;
    let stopped = trials(&place, "file", BY_AGENT, STANDING, &["sleep", "3"])?;
    let unheard = trials(&place, "memory", IN_KERNEL, STANDING_SHORT, &["echo", "it ran"])?;
    let mut process = agent.process.take().context("the agent runs")?;
    process.signal(Signal::SIGTERM)?;
    process.wait()?;
    let (triggers, sealed) = told(&agent.data)?;
    let by_agent: Vec<&Trigger> = triggers.iter().filter(|told| told.rule_id == RULE_ID).skip(WARM_UP).collect();
    ensure!(by_agent.len() >= 50, "only {} of {BY_AGENT} programs were matched", by_agent.len());
    let stops = by_agent.iter().filter(|told| told.action() == TriggerAction::Stopped);
    let mut stops: Vec<f64> = stops.map(|told| told.stop_latency_ns as f64 / 1e6).collect();
    eprintln!("stopped by the agent: {} of {}, seen by their parent: {}", stops.len(), by_agent.len(), stopped.len());
    print("agent: exec to stopped by descriptor, median", quantile(&mut stops, 0.5), "ms", Some(1.0));
    print("agent: exec to stopped by descriptor, 99 of 100", quantile(&mut stops, 0.99), "ms", None);
    let silent = unheard.iter().filter(|trial| trial.as_str() == "stopped 0").count();
    let ran = (IN_KERNEL - silent) as f64;
    print(&format!("kernel: programs of {IN_KERNEL} that ran before their stop"), ran, "programs", Some(0.0));
    captures(&agent.data, &by_agent, &sealed)
}

/// The captures of these matches.
fn captures(data: &Path, triggers: &[&Trigger], sealed: &[CaptureSealed]) -> Result<()> {
    let (mut times, mut recorders) = (Vec::new(), Vec::new());
    for told in sealed.iter().filter(|told| triggers.iter().any(|trigger| trigger.capture_id == told.capture_id)) {
        let folder = data.join("captures").join(&told.capture_id);
        let mut taken = fs::read_dir(&folder)?.flatten();
        // A program that ended before it was read is another measure.
        if !taken.any(|file| file.file_name().to_string_lossy().ends_with("-executable")) {
            continue;
        }
        times.push(told.latency_ns as f64 / 1e6);
        recorders.push(fs::metadata(folder.join("recorder.seg"))?.len() as f64 / 1e6);
    }
    ensure!(times.len() >= 50, "only {} captures with the program in them were sealed", times.len());
    print("agent: trigger to sealed and hashed, median", quantile(&mut times, 0.5), "ms", Some(100.0));
    print("agent: trigger to sealed and hashed, 99 of 100", quantile(&mut times, 0.99), "ms", Some(100.0));
    print("agent: recorder in each of these captures", quantile(&mut recorders, 0.5), "MB", None);
    Ok(())
}

/// What the recorder is to hold.
fn fill(place: &Place) -> Result<()> {
    let folder = place.path("work");
    fs::create_dir_all(&folder)?;
    for number in 0..FILES {
        let path = folder.join(format!("object-{number:x}.o.tmp"));
        let done = folder.join(format!("object-{number:x}.o"));
        fs::write(&path, b"")?;
        fs::rename(&path, &done)?;
        fs::remove_file(&done)?;
        if number % FILES_AT_ONCE == 0 {
            std::thread::sleep(BETWEEN);
        }
    }
    Ok(())
}

/// Runs programs in a container of their own; gives what their parent saw of each.
fn trials(place: &Place, from: &str, times: usize, standing: Duration, program: &[&str]) -> Result<Vec<String>> {
    let (times, standing) = (times.to_string(), standing.as_millis().to_string());
    let arguments = ["shop", "trials", from, &times, &standing, "/bin/busybox"];
    let wanted = Wanted {
        id: hex::encode(Sha256::digest(format!("{} {from}", place.name))),
        pod: Pod::shop(),
        arguments: arguments.iter().chain(program).map(|&word| word.to_owned()).collect(),
        environment: Vec::new(),
        network: None,
        token: "",
    };
    let mut container = Container::start(place, &wanted)?;
    eventually("the trials to be over", Duration::from_mins(1), || {
        let over = container.printed().contains("trials done");
        ensure!(over || container.runs(), "the container ended: {}", container.printed());
        Ok(over.then_some(()))
    })?;
    Ok(container.printed().lines().filter_map(|line| line.strip_prefix("trial: ")).map(str::to_owned).collect())
}

/// Matches and captures, as the agent's log has them.
fn told(data: &Path) -> Result<(Vec<Trigger>, Vec<CaptureSealed>)> {
    let (mut triggers, mut sealed) = (Vec::new(), Vec::new());
    each_logged(data, |event| match event.body {
        Some(Body::Trigger(told)) => triggers.push(told),
        Some(Body::CaptureSealed(told)) => sealed.push(told),
        Some(Body::Loss(loss)) => eprintln!("lost: {} {} {}", loss.class, loss.reason().as_str_name(), loss.count),
        _ => {}
    })?;
    Ok((triggers, sealed))
}
