//! Many containers that live for a moment, and what the collector has of each. Takes a containerd and a collector; gives counts: how many
//! have their program's start and end, their pod, their image by name and digest.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result};
use serde_json::Value;

use super::collector::Collector;
use super::container::Pod;
use super::containerd::Containerd;
use super::image::Image;

/// How long each lives, as the words of its command line.
const COMMAND: [&str; 2] = ["/bin/sleep", "0.05"];

/// Events of one kind that are looked at: more than there are.
const EVENTS: &str = "1000000";

/// What is known of how many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Attributed {
    /// Containers whose program's start was seen in them.
    pub execs: usize,
    /// Containers whose program's end was seen in them.
    pub exits: usize,
    /// Containers whose pod is known by name and namespace.
    pub pods: usize,
    /// Containers whose image is known by name and digest.
    pub images: usize,
}

/// One of them.
pub struct ShortLived {
    /// Its id.
    pub id: String,
    /// Its pod.
    pub pod: Pod,
}

/// Runs `count` containers, `at_once` of them at a time, each time in a pod of their own; gives them.
pub fn run(containerd: &mut Containerd, image: &Image, count: usize, at_once: usize) -> Result<Vec<ShortLived>> {
    let numbered = |number: usize| Pod {
        uid: format!("6b1f0c1e-7a55-4f0e-9d0c-{number:012x}"),
        name: format!("shop-{number}"),
        ..Pod::shop()
    };
    let pods = (0..at_once).map(|number| {
        let pod = numbered(number);
        Ok((containerd.pod(&pod)?, pod))
    });
    let pods = pods.collect::<Result<Vec<_>>>()?;
    let (next, containerd) = (AtomicUsize::new(0), &*containerd);
    let work = |(sandbox, pod): &(String, Pod)| -> Result<Vec<ShortLived>> {
        let (cri, mut made) = (containerd.cri()?, Vec::new());
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return Ok(made);
            }
            let id = cri.start((sandbox, pod), &format!("short-{number}"), &image.name, &COMMAND)?;
            made.push(ShortLived { id, pod: pod.clone() });
        }
    };
    let made = std::thread::scope(|scope| {
        let threads: Vec<_> = pods.iter().map(|pod| scope.spawn(|| work(pod))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no thread panicked")).collect::<Result<Vec<_>>>()
    })?;
    Ok(made.into_iter().flatten().collect())
}

/// What the collector has of them now: asked once for each kind of event, as a question about one container takes as long as one about
/// all.
pub fn attributed(collector: &Collector, all_of_them: &[ShortLived], image: &Image) -> Result<Attributed> {
    let (execs, exits) = (of_kind(collector, "exec", ACTOR)?, of_kind(collector, "exit", ACTOR)?);
    let seen = of_kind(collector, "container_seen", "/body/container_id")?;
    let mut all = Attributed::default();
    for ShortLived { id, pod } in all_of_them {
        let process = |event: &Value| event.pointer("/actor/process").map(ToString::to_string);
        let began: HashSet<_> = of(&execs, id).iter().filter(|event| ran(event)).filter_map(process).collect();
        all.execs += usize::from(!began.is_empty());
        all.exits += usize::from(of(&exits, id).iter().filter_map(process).any(|process| began.contains(&process)));
        let says = |wanted: &[(&str, &str)]| {
            let is = |event: &Value| wanted.iter().all(|(place, word)| text(event, place) == *word);
            usize::from(of(&seen, id).iter().any(is))
        };
        all.pods += says(&[("/body/pod_name", &pod.name), ("/body/pod_namespace", &pod.namespace)]);
        all.images += says(&[("/body/image", &image.name), ("/body/image_digest", &image.id)]);
    }
    Ok(all)
}

/// Events by their container's id.
type Events = HashMap<String, Vec<Value>>;

/// Where the container of whoever did it stands.
const ACTOR: &str = "/actor/origin/id";

fn of_kind(collector: &Collector, kind: &str, container: &str) -> Result<Events> {
    let answer = collector.ask(&["events", "--kind", kind, "--limit", EVENTS])?;
    let mut events = Events::new();
    for event in answer["events"].as_array().context("a list of events")? {
        events.entry(text(event, container).to_owned()).or_default().push(event.clone());
    }
    Ok(events)
}

fn of<'a>(events: &'a Events, container: &str) -> &'a [Value] {
    events.get(container).map_or(&[], Vec::as_slice)
}

fn ran(event: &Value) -> bool {
    event.pointer("/body/arguments").and_then(Value::as_array).is_some_and(|words| words == &COMMAND)
}

fn text<'a>(event: &'a Value, place: &str) -> &'a str {
    event.pointer(place).and_then(Value::as_str).unwrap_or_default()
}
