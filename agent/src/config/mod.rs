//! The agent's configuration: one TOML file, read whole before anything starts. Takes a path; gives a [`Config`] in which every
//! value is within its bounds, or an error that names file, line and field. An unknown key is an error: a misspelt bound must
//! not silently be the default.

mod bounds;
mod files;
mod kernel;
mod kubernetes;
mod quantity;
mod runtimes;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use bounds::{line_at, line_of, size, span, within};
pub use files::{Files, SensitivePath};
pub use kernel::{Kernel, OWN_TYPES};
pub use kubernetes::Kubernetes;
pub use quantity::{Bytes, parse_duration};
pub use runtimes::Runtimes;

/// A configuration file is a page of text; a larger one is another file.
const FILE_BYTES: u64 = 1 << 20;

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the log, the captures and the keys lie. Default `/var/lib/mayfly`. Root's alone; made if absent.
    pub data: PathBuf,
    /// The node's name: the common name of its client certificate, or the collector refuses it. Default: the host's name.
    pub node: String,
    /// The cloud instance (`i-…`) that the node is. Default: what the firmware says, where a cloud writes it there.
    pub instance: Option<String>,
    /// Where events go. Default: nowhere; they stay in the log until its bounds take them.
    pub collector: Option<Collector>,
    /// The log's bounds.
    pub log: LogBounds,
    /// The flight recorder.
    pub recorder: Recorder,
    /// How often it is tried whether the hooks work.
    pub canary: Canary,
    /// Which files are watched.
    pub files: Files,
    /// What each container may tell.
    pub budget: Budget,
    /// Which rules run on the node.
    pub rules: Rules,
    /// Which container runtimes are asked for names.
    pub runtimes: Runtimes,
    /// The cluster that the node is in.
    pub kubernetes: Kubernetes,
    /// What the kernel does not say of itself, and what it keeps while the agent restarts.
    pub kernel: Kernel,
    /// What the agent may do, and how much of it.
    pub respond: Respond,
}

/// The way to the collector.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Collector {
    /// `https://host:port`. Plain HTTP is refused: both sides prove who they are.
    pub endpoint: String,
    /// The name in the collector's certificate, where it is not the host of `endpoint`.
    #[serde(default)]
    pub server_name: Option<String>,
    /// Certificates that may have signed the collector's, PEM.
    pub ca: PathBuf,
    /// The node's certificate, PEM.
    pub certificate: PathBuf,
    /// The node's key, PEM.
    pub key: PathBuf,
    /// Bytes sent and not yet acknowledged. Default 4 MiB; 1 MiB … 64 MiB. Less: slower over a long way. More: sent again after
    /// a broken session.
    #[serde(default = "default_window")]
    pub window: Bytes,
    /// First wait after a failure. Default 500 ms; 10 ms … 1 m. It doubles up to `backoff_max`, each time with jitter.
    #[serde(default = "default_backoff_min", deserialize_with = "quantity::duration")]
    pub backoff_min: Duration,
    /// Longest wait between two attempts. Default 30 s; 10 ms … 10 m. Longer: a collector that is back waits for its nodes.
    #[serde(default = "default_backoff_max", deserialize_with = "quantity::duration")]
    pub backoff_max: Duration,
    /// How long connecting, the welcome and the last words at shutdown may take. Default 10 s; 100 ms … 2 m.
    #[serde(default = "default_timeout", deserialize_with = "quantity::duration")]
    pub timeout: Duration,
}

/// Bounds of the log on disk.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogBounds {
    /// How long events stay after the collector has them. Default 60 m; 1 m … 30 d. It must not be less than `recorder.before`.
    #[serde(deserialize_with = "quantity::duration")]
    pub max_age: Duration,
    /// All segments together. Default 2 GiB; 16 MiB … 1024 GiB. Reached while the collector is away: the oldest events go, and a
    /// loss event takes their place.
    pub max_bytes: Bytes,
    /// Raw bytes at which a block closes. Default 256 KiB; 16 KiB … 768 KiB. Less: worse compression. More: more is lost when the
    /// agent is killed.
    pub block_bytes: Bytes,
    /// Age at which a block closes. Default 200 ms; 10 ms … 10 s. Up to so much is lost when the agent is killed.
    #[serde(deserialize_with = "quantity::duration")]
    pub block_age: Duration,
    /// Least time between two syncs of the disk. Default 250 ms; 10 ms … 1 m. Only synced events are sent, so this is also the
    /// delay of an event; less costs the disk more.
    #[serde(deserialize_with = "quantity::duration")]
    pub sync: Duration,
    /// zstd level. Default 1; 1 … 9. Higher: a few per cent smaller, and several times the time.
    pub level: i32,
}

/// The flight recorder.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Recorder {
    /// How much before a trigger is sealed with it. Default 5 m; 1 s … 24 h.
    #[serde(deserialize_with = "quantity::duration")]
    pub before: Duration,
}

/// The canary: known calls by a process of the agent's own.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Canary {
    /// Between two rounds. Default 10 s; 1 s … 10 m. Less: a few milliseconds of processor time more often. More: a hook that fell silent is
    /// noticed later, after two rounds.
    #[serde(deserialize_with = "quantity::duration")]
    pub every: Duration,
}

/// Records a second of each container, and of each cgroup of the host: what is over it is counted and not told, so that who floods
/// loses only what is its own. Processes, privilege and the kernel have no bound. 0: no bound; at most a million.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Budget {
    /// Files opened and changed. Default 20000.
    pub files: u32,
    /// Connections and datagrams. Default 5000.
    pub connections: u32,
}

/// Which rules run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rules {
    /// Folders whose `*.yml` files add to the built-in rules or replace them by the same path. Default: none. A file that cannot be
    /// used is an error at the start, with its line.
    pub folders: Vec<PathBuf>,
    /// Files with indicators (CSV, STIX 2.1, MISP), and folders whose `*.csv` and `*.json` files are. Default: none. A file that cannot be
    /// read is an error at the start; an entry that cannot be used is logged, and the others are used.
    pub indicators: Vec<PathBuf>,
}

/// What the agent may do.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Respond {
    /// Orders and triggers that may wait. Default 64; 1 … 4096. Over it an order is answered as refused, and the collector may
    /// order again.
    pub waiting: usize,
    /// Captures on disk. Default 4 GiB; 64 MiB … 1024 GiB. Over it those go, oldest first, that the collector has; one that it
    /// does not have is never removed.
    pub captures_max_bytes: Bytes,
    /// One captured file. Default 64 MiB; 1 MiB … 1 GiB. Of a larger one its beginning is taken, and the manifest says so.
    pub artifact_max_bytes: Bytes,
    /// How long a process stays stopped after a rule stopped it; then it goes on. Default 10 m; 1 s … 24 h. Less: it may go on before
    /// anybody looked. More: a false alarm stands still for longer.
    #[serde(deserialize_with = "quantity::duration")]
    pub hold: Duration,
    /// A file with what all nodes of the deployment and its collector share for hashes of access keys, 16 … 4096 bytes, readable by its
    /// owner alone. Default: none; then the node makes a key of its own, and its manifests carry it.
    pub hash_secret: Option<PathBuf>,
    /// Executables that are never stopped, killed or quarantined, whatever rule or order says. Default: the container runtimes, the
    /// kubelet, init and the SSH server: without them nobody reaches the node any more.
    pub never_touch: Vec<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: PathBuf::from("/var/lib/mayfly"),
            node: String::new(),
            instance: None,
            collector: None,
            log: LogBounds::default(),
            recorder: Recorder::default(),
            canary: Canary::default(),
            files: Files::default(),
            budget: Budget::default(),
            rules: Rules::default(),
            runtimes: Runtimes::default(),
            kubernetes: Kubernetes::default(),
            kernel: Kernel::default(),
            respond: Respond::default(),
        }
    }
}

impl Default for LogBounds {
    fn default() -> Self {
        Self {
            max_age: Duration::from_hours(1),
            max_bytes: Bytes(2 << 30),
            block_bytes: Bytes(256 << 10),
            block_age: Duration::from_millis(200),
            sync: Duration::from_millis(250),
            level: 1,
        }
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self { files: 20_000, connections: 5_000 }
    }
}

impl Default for Recorder {
    fn default() -> Self {
        Self { before: Duration::from_mins(5) }
    }
}

impl Default for Canary {
    fn default() -> Self {
        Self { every: Duration::from_secs(10) }
    }
}

impl Default for Respond {
    fn default() -> Self {
        let never_touch = [
            "/sbin/init",
            "/usr/lib/systemd/systemd",
            "/usr/bin/kubelet",
            "/usr/bin/containerd",
            "/usr/bin/containerd-shim-runc-v2",
            "/usr/bin/dockerd",
            "/usr/bin/crio",
            "/usr/bin/conmon",
            "/usr/sbin/sshd",
        ];
        Self {
            waiting: 64,
            captures_max_bytes: Bytes(4 << 30),
            artifact_max_bytes: Bytes(64 << 20),
            hold: Duration::from_mins(10),
            hash_secret: None,
            never_touch: never_touch.map(PathBuf::from).to_vec(),
        }
    }
}

fn default_window() -> Bytes {
    Bytes(4 << 20)
}

fn default_backoff_min() -> Duration {
    Duration::from_millis(500)
}

fn default_backoff_max() -> Duration {
    Duration::from_secs(30)
}

fn default_timeout() -> Duration {
    Duration::from_secs(10)
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file.
    #[error("read configuration {path}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        cause: std::io::Error,
    },
    /// Not TOML, an unknown key, a value of another kind.
    #[error("{path}:{line}: {what}")]
    Syntax {
        /// Which file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong and what is allowed.
        what: String,
    },
    /// A value out of its bounds.
    #[error("{path}:{line}: {field}: {what}")]
    Value {
        /// Which file.
        path: PathBuf,
        /// Counted from 1; 0 where the field is not in the file.
        line: usize,
        /// The field, with its section.
        field: &'static str,
        /// What is wrong and what is allowed.
        what: String,
    },
}

impl Config {
    /// Reads and checks a file.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let read_error = |cause| ConfigError::Read { path: path.to_owned(), cause };
        if std::fs::metadata(path).map_err(read_error)?.len() > FILE_BYTES {
            return Err(read_error(std::io::Error::other("larger than 1 MiB")));
        }
        let text = std::fs::read_to_string(path).map_err(read_error)?;
        Self::parse(path, &text)
    }

    /// Reads and checks the text of a file.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let mut config: Self = toml::from_str(text).map_err(|error| ConfigError::Syntax {
            path: path.to_owned(),
            line: error.span().map_or(0, |span| line_at(text, span.start)),
            what: error.message().replace('\n', " "),
        })?;
        config.check().map_err(|(field, what)| ConfigError::Value {
            path: path.to_owned(),
            line: line_of(text, field),
            field,
            what,
        })?;
        if config.node.is_empty() {
            config.node = nix::unistd::gethostname()
                .map_or_else(|_| String::from("unnamed"), |name| name.to_string_lossy().into_owned());
        }
        Ok(config)
    }

    fn check(&self) -> Result<(), (&'static str, String)> {
        let seconds = Duration::from_secs;
        let millis = Duration::from_millis;
        if self.node.len() > proto::limits::NAME_BYTES {
            return Err(("node", format!("longer than {} bytes", proto::limits::NAME_BYTES)));
        }
        if let Some(collector) = &self.collector {
            if !collector.endpoint.starts_with("https://") {
                return Err(("collector.endpoint", format!("{:?} does not begin with https://", collector.endpoint)));
            }
            size("collector.window", collector.window, 1 << 20..=64 << 20)?;
            span("collector.backoff_min", collector.backoff_min, millis(10)..=seconds(60))?;
            span("collector.backoff_max", collector.backoff_max, collector.backoff_min..=seconds(600))?;
            span("collector.timeout", collector.timeout, millis(100)..=seconds(120))?;
        }
        let log = &self.log;
        span("log.max_age", log.max_age, seconds(60)..=seconds(30 * 86_400))?;
        size("log.max_bytes", log.max_bytes, 16 << 20..=1 << 40)?;
        size("log.block_bytes", log.block_bytes, 16 << 10..=768 << 10)?;
        span("log.block_age", log.block_age, millis(10)..=seconds(10))?;
        span("log.sync", log.sync, millis(10)..=seconds(60))?;
        within("log.level", log.level, 1..=9)?;
        span("recorder.before", self.recorder.before, seconds(1)..=seconds(86_400).min(log.max_age))?;
        span("files.repeats", self.files.repeats, Duration::ZERO..=seconds(600))?;
        within("budget.files", self.budget.files, 0..=1_000_000)?;
        within("budget.connections", self.budget.connections, 0..=1_000_000)?;
        span("kernel.away", self.kernel.away, seconds(10)..=seconds(86_400))?;
        span("canary.every", self.canary.every, seconds(1)..=seconds(600))?;
        within("runtimes.sockets", self.runtimes.sockets.len(), 0..=16)?;
        span("runtimes.timeout", self.runtimes.timeout, millis(10)..=seconds(30))?;
        span("runtimes.keep", self.runtimes.keep, seconds(1)..=seconds(86_400))?;
        within("respond.waiting", self.respond.waiting, 1..=4096)?;
        let respond = &self.respond;
        size("respond.captures_max_bytes", respond.captures_max_bytes, 64 << 20..=1 << 40)?;
        size("respond.artifact_max_bytes", respond.artifact_max_bytes, 1 << 20..=proto::limits::ARTIFACT_BYTES)?;
        span("respond.hold", respond.hold, seconds(1)..=seconds(86_400))
    }
}

#[cfg(test)]
mod tests;
