//! How many events a second one core evaluates with the embedded rules, and looks up in a hundred thousand indicators.
//!
//! Takes nothing, or `MAYFLY_DATA` for the public rules and `CloudTrail` as well; prints one JSON object a line: name,
//! value, unit, goal, met. The same events as JSON, and the parsing of that JSON alone, are the baselines. Time is that on the
//! processor where the kernel tells it, so that neighbours on the machine count for less.

mod indicators;

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rules::{Correlator, Engine, Event, Field, JsonEvent, Known, LogSource, Value, content, fields};
use serde_json::json;

/// What the whole way of an event on the node has to reach; the rules are one part of it.
const GOAL: f64 = 300_000.0;

/// Each measurement runs for so long.
const SPAN: Duration = Duration::from_secs(1);

/// A node event as the agent holds one: all values at hand.
#[derive(Clone)]
struct NodeEvent {
    source: LogSource<'static>,
    image: String,
    command: String,
    parent: String,
    parent_command: String,
    directory: &'static str,
    target: String,
    address: IpAddr,
    port: i64,
    in_container: bool,
}

impl Event for NodeEvent {
    fn log_source(&self) -> LogSource<'_> {
        self.source
    }

    fn field<'a>(&'a self, field: &'a Field) -> Value<'a> {
        let process = self.source == fields::PROCESS_CREATION;
        let network = self.source == fields::NETWORK_CONNECTION;
        match field.known() {
            Some(Known::Image) => Value::Text(self.image.as_bytes()),
            Some(Known::OriginalFileName) => Value::text(self.image.rsplit('/').next().map(str::as_bytes)),
            Some(Known::CommandLine) => Value::Text(self.command.as_bytes()),
            Some(Known::ParentImage) => Value::Text(self.parent.as_bytes()),
            Some(Known::ParentCommandLine) if process => Value::Text(self.parent_command.as_bytes()),
            Some(Known::CurrentDirectory) if process => Value::Text(self.directory.as_bytes()),
            Some(Known::User) => Value::Text(b"root"),
            Some(Known::TargetFilename) if !process && !network => Value::Text(self.target.as_bytes()),
            Some(Known::DestinationIp) if network => Value::Address(self.address),
            Some(Known::DestinationPort) if network => Value::Int(self.port),
            Some(Known::Initiated) if network => Value::Bool(true),
            Some(Known::InContainer) => Value::Bool(self.in_container),
            Some(Known::InInitTree) if self.in_container => Value::Bool(true),
            Some(Known::ExeMemfd | Known::ExeDeleted | Known::ExeUpperLayer | Known::NetImds) => Value::Bool(false),
            _ => Value::Missing,
        }
    }

    fn each_text(&self, visit: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        let texts = [&self.image, &self.command, &self.parent, &self.parent_command, &self.target];
        texts.iter().any(|text| visit(text.as_bytes()))
    }
}

/// Ordinary work: builds, shells, a web server, health checks, package files, connections inside a cluster.
fn events() -> Vec<NodeEvent> {
    let commands = [
        (
            "/usr/bin/cc1",
            "/usr/lib/gcc/x86_64-linux-gnu/12/cc1 -quiet -imultiarch x86_64-linux-gnu -D_GNU_SOURCE main.c",
        ),
        ("/usr/bin/git", "git -c core.quotepath=off status --porcelain=v2 --branch"),
        ("/bin/sh", "/bin/sh -c test -f /etc/default/app && . /etc/default/app; exec /usr/bin/app --port 8080"),
        ("/usr/bin/python3.11", "python3 -m pip install --no-cache-dir -r requirements.txt"),
        ("/usr/bin/curl", "curl -fsS http://localhost:8080/healthz"),
        ("/usr/sbin/nginx", "nginx: worker process"),
        ("/usr/bin/node", "node --enable-source-maps /app/dist/main.js"),
        ("/usr/bin/find", "find /var/cache -type f -name *.deb -mtime +7"),
        ("/usr/bin/grep", "grep -q ready /run/app/state"),
        ("/usr/lib/postgresql/15/bin/postgres", "postgres: autovacuum worker"),
    ];
    let sources = [
        fields::PROCESS_CREATION,
        fields::FILE_EVENT,
        fields::NETWORK_CONNECTION,
        fields::FILE_ACCESS,
        fields::FILE_DELETE,
        fields::PROCESS_CREATION,
        fields::PROCESS_END,
        fields::NETWORK_CONNECTION,
    ];
    (0..4096_usize)
        .map(|number| {
            let (image, command) = commands[number % commands.len()];
            let (parent, parent_command) = commands[(number / 7) % commands.len()];
            let tail = u8::try_from(number % 250).expect("below 250");
            NodeEvent {
                source: sources[(number / 3) % sources.len()],
                image: image.to_owned(),
                command: format!("{command} --run {number}"),
                parent: parent.to_owned(),
                parent_command: parent_command.to_owned(),
                directory: "/srv/app/current",
                target: format!("/var/lib/app/cache/{:02x}/object-{number}.tmp", number % 256),
                address: IpAddr::V4(Ipv4Addr::new(10, 4, tail, 17)),
                port: 5432,
                in_container: number % 4 != 0,
            }
        })
        .collect()
}

fn as_json(event: &NodeEvent) -> serde_json::Value {
    json!({
        "Image": event.image, "CommandLine": event.command, "ParentImage": event.parent,
        "ParentCommandLine": event.parent_command, "CurrentDirectory": event.directory, "User": "root",
        "TargetFilename": event.target, "DestinationIp": event.address.to_string(), "DestinationPort": event.port,
        "Initiated": true, "InContainer": event.in_container, "InInitTree": true, "Exe.Memfd": false,
        "Exe.Deleted": false, "Exe.UpperLayer": false, "Net.Imds": false,
    })
}

/// Time this thread has spent on a processor; wall time since `start` where the kernel does not say.
fn busy(start: Instant) -> Duration {
    let nanoseconds = std::fs::read_to_string("/proc/thread-self/schedstat")
        .ok()
        .and_then(|text| text.split_whitespace().next().and_then(|first| first.parse().ok()));
    nanoseconds.map_or_else(|| start.elapsed(), Duration::from_nanos)
}

/// Rounds over all events until the span is over; gives events a second.
fn rate(count: usize, mut round: impl FnMut()) -> f64 {
    round();
    let start = Instant::now();
    let before = busy(start);
    let mut rounds = 0_usize;
    loop {
        round();
        rounds += 1;
        let spent = busy(start).saturating_sub(before);
        if spent >= SPAN {
            return (rounds * count) as f64 / spent.as_secs_f64();
        }
    }
}

/// A rate, which is to be at least the goal.
fn print(name: &str, value: f64, goal: Option<f64>) {
    let met = goal.map(|goal| value >= goal);
    println!("{}", json!({"name": name, "value": value.round(), "unit": "events/s", "goal": goal, "met": met}));
}

fn evaluate<E: Event>(engine: &Engine, events: &[E]) -> f64 {
    let mut matches = Vec::with_capacity(64);
    rate(events.len(), || {
        for event in events {
            matches.clear();
            engine.evaluate(event, &mut matches);
            black_box(&matches);
        }
    })
}

fn main() {
    let public = public_rules();
    if !public.is_empty() {
        memory(&public);
    }
    let (engine, errors) = Engine::load(content().iter().copied());
    assert!(errors.is_empty(), "{errors:?}");
    let events = events();
    let values: Vec<_> = events.iter().map(as_json).collect();
    let texts: Vec<_> = values.iter().map(ToString::to_string).collect();
    print("rules/embedded/typed", evaluate(&engine, &events), Some(GOAL));
    let wrapped: Vec<_> =
        (values.iter().zip(&events)).map(|(value, event)| JsonEvent::new(value, event.source)).collect();
    print("rules/embedded/json_already_parsed", evaluate(&engine, &wrapped), None);
    print("rules/baseline/json_parsing_alone", parse(&texts, |_| ()), None);
    correlate();
    flood();
    indicators::measure(&events);
    if public.is_empty() {
        println!("skipped: the public rules are not there (set MAYFLY_DATA to the folder of sample data)");
        return;
    }
    linux(&public, &events);
    cloudtrail(&public);
}

/// Rounds of parsing each text and doing something with it.
fn parse(texts: &[String], mut then: impl FnMut(&serde_json::Value)) -> f64 {
    rate(texts.len(), || {
        for text in texts {
            let value = serde_json::from_str::<serde_json::Value>(text).expect("it was printed as JSON");
            then(black_box(&value));
        }
    })
}

/// Node events against the public rules for Linux: of all kinds, and execs alone, for which most of the rules are.
fn linux(public: &[(String, String)], events: &[NodeEvent]) {
    let linux = || public.iter().filter(|(_, text)| text.contains("product: linux")).cloned();
    let (engine, _) = Engine::load(linux());
    let rules = engine.rules().len();
    print(&format!("rules/public_linux_{rules}/typed"), evaluate(&engine, events), Some(GOAL));
    let execs: Vec<_> = events.iter().filter(|event| event.source == fields::PROCESS_CREATION).cloned().collect();
    print(&format!("rules/public_linux_{rules}/typed_execs"), evaluate(&engine, &execs), Some(GOAL));
    print(&format!("rules/public_linux_{rules}/typed_attacks"), evaluate(&engine, &attacks()), Some(GOAL));
    let (engine, _) = Engine::load(linux().chain(rules::overlay(rules::node_content(), Vec::new())));
    let rules = engine.rules().len();
    print(&format!("rules/public_and_embedded_{rules}/typed"), evaluate(&engine, events), Some(GOAL));
}

/// The execs of attacks, made from the samples: most of them match something.
fn attacks() -> Vec<NodeEvent> {
    let text = std::fs::read_to_string(samples("events/linux_atomic_derived.jsonl")).unwrap_or_default();
    let like = &events()[0];
    let lines = text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let event = |line: serde_json::Value| {
        let field = |name: &str| line["event"][name].as_str().unwrap_or_default().to_owned();
        let (image, command, parent) = (field("Image"), field("CommandLine"), field("ParentImage"));
        NodeEvent { source: fields::PROCESS_CREATION, image, command, parent, ..like.clone() }
    };
    lines.map(event).collect()
}

/// Entries of `CloudTrail` against all public rules, parsed before and parsed on the way.
fn cloudtrail(public: &[(String, String)]) {
    let (engine, _) = Engine::load(public.iter().map(|(file, text)| (file, text)));
    let values = cloudtrail_entries();
    let texts: Vec<_> = values.iter().map(ToString::to_string).collect();
    let wrapped: Vec<_> = values.iter().map(|value| JsonEvent::new(value, fields::CLOUDTRAIL)).collect();
    let name = format!("rules/public_{}/cloudtrail", engine.rules().len());
    print(&format!("{name}/json_already_parsed"), evaluate(&engine, &wrapped), Some(100_000.0));
    let mut matches = Vec::with_capacity(64);
    let parsed = parse(&texts, |value| {
        matches.clear();
        engine.evaluate(&JsonEvent::new(value, fields::CLOUDTRAIL), &mut matches);
        black_box(&matches);
    });
    print(&format!("{name}/json_text"), parsed, Some(60_000.0));
    print("rules/baseline/cloudtrail_json_parsing_alone", parse(&texts, |_| ()), None);
}

const COUNTED: &str = "
title: Somebody
name: somebody
logsource: {product: linux, category: process_creation}
detection: {selection: {Image|startswith: /}, condition: selection}
---
title: Often
correlation:
    type: event_count
    rules: [somebody]
    group-by: [User]
    timespan: 1h
    condition: {gte: 1000}
";

/// Groups that live at the same time.
const GROUPS: usize = 10_000;

/// An engine with one correlation, and so many groups of it with one event each.
fn groups(mut files: Vec<(String, String)>) -> (Engine, Correlator<u64>) {
    files.push(("counted.yml".to_owned(), COUNTED.to_owned()));
    let (engine, _) = Engine::load(files);
    let mut correlator = Correlator::new(&engine);
    for number in 0..GROUPS {
        counted(&engine, &mut correlator, number);
    }
    (engine, correlator)
}

fn counted(engine: &Engine, correlator: &mut Correlator<u64>, number: usize) {
    let event = json!({"Image": "/bin/sh", "User": format!("user-{}", number % GROUPS)});
    let event = JsonEvent::new(&event, fields::PROCESS_CREATION);
    let rule = engine.find("Somebody").expect("it was loaded");
    let time = i64::try_from(number).expect("few") * 1_000_000;
    black_box(correlator.observe(&event, &[rule], &(number as u64), time));
}

/// Events that each go into one of many groups, the making of the event included.
fn correlate() {
    let (engine, mut correlator) = groups(Vec::new());
    let rule = engine.find("Somebody").expect("it was loaded");
    let values: Vec<_> =
        (0..GROUPS).map(|number| json!({"User": format!("user-{}", number * 7919 % GROUPS)})).collect();
    let mut time = 0;
    let observed = rate(values.len(), || {
        for value in &values {
            time += 1_000_000;
            let event = JsonEvent::new(value, fields::PROCESS_CREATION);
            black_box(correlator.observe(&event, &[rule], &0, time));
        }
    });
    print("rules/correlate/10000_groups", observed, None);
}

/// Events that all go into one group, which is full: what a flood of matches costs, by type.
fn flood() {
    for kind in ["event_count", "value_count", "value_sum", "value_percentile", "temporal", "temporal_ordered"] {
        let condition = match kind {
            "temporal" | "temporal_ordered" => "",
            "event_count" => ", condition: {gte: 10}",
            _ => ", condition: {gte: 10, field: Value}",
        };
        let rule = |name: &str| {
            format!(
                "{{title: {name}, name: {name}, logsource: {{category: t}}, detection: {{s: {{A: {name}}}, condition: s}}}}"
            )
        };
        let correlation = format!(
            "{{title: all, correlation: {{type: {kind}, rules: [a, b], group-by: [User], timespan: 1h{condition}}}}}"
        );
        let text = format!("{}\n---\n{}\n---\n{correlation}", rule("a"), rule("b"));
        let (engine, errors) = Engine::load([("flood.yml", text)]);
        assert!(errors.is_empty(), "{errors:?}");
        let rules: Vec<_> = engine.rules().map(|(rule, _)| rule).collect();
        let mut correlator = Correlator::new(&engine);
        let values: Vec<_> = (0..8192).map(|number| json!({"User": "u", "Value": number})).collect();
        let mut number = 0_usize;
        let observed = rate(values.len(), || {
            for value in &values {
                number += 1;
                let event = JsonEvent::new(value, LogSource { category: Some("t"), ..LogSource::default() });
                let rule = &rules[number % 2..=number % 2];
                let time = i64::try_from(number).expect("few") * 1_000_000;
                black_box(correlator.observe(&event, rule, &number, time));
            }
        });
        print(&format!("rules/correlate/one_full_group/{kind}"), observed, None);
    }
}

/// What all public rules and so many groups take, as the kernel counts it. Measured first, while nothing that was given
/// back can hide it.
fn memory(public: &[(String, String)]) {
    let before = resident();
    let held = groups(public.to_vec());
    let (Some(before), Some(after)) = (before, resident()) else { return };
    let value = after.saturating_sub(before) as f64 / 1024.0;
    let name = format!("rules/memory/{}_rules_{}_groups", held.0.rules().len(), held.1.groups());
    println!("{}", json!({"name": name, "value": value.round(), "unit": "MiB", "goal": 128.0, "met": value <= 128.0}));
}

/// Kilobytes of this process that are in memory.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// A folder of samples.
fn samples(name: &str) -> PathBuf {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared").join("data");
    std::env::var_os("MAYFLY_DATA").map_or(beside, PathBuf::from).join(name)
}

/// Every public rule: (path, text).
fn public_rules() -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut folders = vec![samples("sigma"), samples("sigma_suzaku")];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "yml")
                && let Ok(text) = std::fs::read_to_string(&path)
            {
                files.push((path.display().to_string(), text));
            }
        }
    }
    files.sort();
    files
}

/// The entries of the samples that came from `CloudTrail`.
fn cloudtrail_entries() -> Vec<serde_json::Value> {
    let mut files = vec![samples("events/panther/aws.cloudtrail.jsonl")];
    files.extend(
        std::fs::read_dir(samples("incidents/stratus")).into_iter().flatten().flatten().map(|entry| entry.path()),
    );
    let texts = files.iter().filter_map(|file| std::fs::read_to_string(file).ok());
    let lines = texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>());
    lines
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(&line).ok())
        .filter(|line| line["source"] == "aws.cloudtrail")
        .map(|mut line| line["event"].take())
        .collect()
}
