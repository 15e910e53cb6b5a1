//! How many events a second one core evaluates with the embedded rules, and looks up in a hundred thousand indicators.
//!
//! Takes nothing, or `MAYFLY_DATA` for the public rules as well; prints one JSON object a line: name, value, unit,
//! goal, met. The same events as JSON, and the parsing of that JSON alone, are the baselines. Time is that on the
//! processor where the kernel tells it, so that neighbours on the machine count for less.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rules::indicators::Set;
use rules::{Engine, Event, Field, JsonEvent, Known, LogSource, Value, content, fields};
use serde_json::json;

/// What the whole way of an event on the node has to reach; the rules are one part of it.
const GOAL: f64 = 300_000.0;

/// Each measurement runs for so long.
const SPAN: Duration = Duration::from_secs(1);

/// A node event as the agent holds one: all values at hand.
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
    let (engine, errors) = Engine::load(content().iter().copied());
    assert!(errors.is_empty(), "{errors:?}");
    let events = events();
    let values: Vec<_> = events.iter().map(as_json).collect();
    let texts: Vec<_> = values.iter().map(ToString::to_string).collect();
    print("rules/embedded/typed", evaluate(&engine, &events), Some(GOAL));
    let wrapped: Vec<_> =
        (values.iter().zip(&events)).map(|(value, event)| JsonEvent::new(value, event.source)).collect();
    print("rules/embedded/json_already_parsed", evaluate(&engine, &wrapped), None);
    let parsed = rate(texts.len(), || {
        for text in &texts {
            black_box(serde_json::from_str::<serde_json::Value>(text).expect("it was printed as JSON"));
        }
    });
    print("rules/baseline/json_parsing_alone", parsed, None);
    indicators(&events);
    let files = public_linux_rules();
    if files.is_empty() {
        println!("skipped: the public rules are not there (set MAYFLY_DATA to the folder of sample data)");
        return;
    }
    let (engine, _) = Engine::load(files);
    print(&format!("rules/public_linux_{}/typed", engine.rules().len()), evaluate(&engine, &events), Some(GOAL));
    let (engine, _) =
        Engine::load(public_linux_rules().into_iter().chain(rules::overlay(rules::node_content(), Vec::new())));
    print(&format!("rules/public_and_embedded_{}/typed", engine.rules().len()), evaluate(&engine, &events), Some(GOAL));
}

/// A feed of all kinds, of which no event meets any.
fn feed() -> String {
    let mut feed = String::from("type,value,source,why,expires\n");
    for number in 0..100_000_u32 {
        let network = number / 8 * 16;
        let value = match number % 8 {
            0..3 => format!("sha256,{:064x}", number + 1),
            3 => format!("address,198.{}.{}.{}", 18 + (number >> 16), number >> 8 & 0xff, number & 0xff),
            4 => format!("network,203.{}.{}.{}/28", network >> 16, network >> 8 & 0xff, network & 0xff),
            5 => format!("domain,node-{number}.bad.example"),
            6 => format!("url,http://node-{number}.bad.example/payload/{number}.sh"),
            _ => format!("file_name,payload-{number}/run"),
        };
        feed.push_str(&value);
        feed.push_str(",a feed,control server of a campaign,2030-01-01T00:00:00Z\n");
    }
    feed
}

/// Reading the feed, what the set takes, and events that meet nothing of it.
fn indicators(events: &[NodeEvent]) {
    let feed = feed();
    let start = Instant::now();
    let (set, errors) = Set::load([("feed.csv", &feed)]);
    let seconds = start.elapsed().as_secs_f64();
    assert!(errors.is_empty(), "{errors:?}");
    let count = set.indicators().len();
    print(&format!("rules/indicators_{count}/read"), count as f64 / seconds, None);
    let bytes = json!({"name": format!("rules/indicators_{count}/memory"), "value": set.bytes(), "unit": "bytes", "goal": null, "met": null});
    println!("{bytes}");
    let mut hits = Vec::with_capacity(64);
    let lookups = rate(events.len(), || {
        for event in events {
            hits.clear();
            set.lookup(event, 1_767_225_600, &mut hits);
            black_box(&hits);
        }
    });
    assert!(hits.is_empty(), "the feed was made so that nothing meets it");
    print(&format!("rules/indicators_{count}/typed"), lookups, Some(GOAL));
}

fn public_linux_rules() -> Vec<(String, String)> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared").join("data");
    let folder = std::env::var_os("MAYFLY_DATA").map_or(beside, PathBuf::from).join("sigma");
    let mut files = Vec::new();
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(text) = std::fs::read_to_string(&path)
                && text.contains("product: linux")
            {
                files.push((path.display().to_string(), text));
            }
        }
    }
    files.sort();
    files
}
