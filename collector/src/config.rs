//! What the one who runs the collector decides. Takes a TOML file, or nothing; gives one struct, read whole before anything starts. An
//! unknown key is an error that names it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer};

use crate::respond::config::RespondConfig;

/// A configuration file is a page of text; a larger one is another file.
const FILE_BYTES: u64 = 1 << 20;

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("read {path}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// The file is not what it should be; the cause names line, column and key.
    #[error("understand {path}")]
    Parse {
        /// Which file.
        path: PathBuf,
        /// What and where.
        #[source]
        cause: Box<toml::de::Error>,
    },
}

/// Everything that can be decided. `Config::default()` is what `mayfly serve --data DIR` runs with.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where nodes connect (gRPC, mutual TLS). Default 127.0.0.1:7443; port 0 lets the kernel choose.
    pub listen: SocketAddr,
    /// Further names and addresses for the collector's certificate. Default none; it always has `mayfly-collector` and loopback.
    pub names: Vec<String>,
    /// Store.
    pub store: StoreConfig,
    /// Pipeline.
    pub pipeline: PipelineConfig,
    /// What no log says about the place.
    pub site: SiteConfig,
    /// AWS `CloudTrail`.
    pub cloudtrail: CloudTrailConfig,
    /// Kubernetes audit.
    pub kubernetes: KubernetesConfig,
    /// What is looked for beside the embedded rules.
    pub rules: RulesConfig,
    /// How to answer.
    pub respond: RespondConfig,
}

/// How the store works.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreConfig {
    /// Size at which a segment of the landing log is closed and made into Parquet. Default 16 MiB. Smaller: many small objects;
    /// larger: more memory while it is made.
    pub segment_bytes: u64,
    /// Age at which it is closed in any case. Default one minute. Shorter: many small objects; longer: a longer landing log.
    #[serde(deserialize_with = "duration")]
    pub segment_age: Duration,
}

/// How judgement runs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PipelineConfig {
    /// How long to collect findings before cases are drawn anew. Default 100 ms. Zero: after each frame. Longer: a later response.
    #[serde(deserialize_with = "duration")]
    pub settle: Duration,
}

/// What is looked for beside the embedded rules.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RulesConfig {
    /// Folders whose `.yml` and `.yaml` files add to the built-in rules, or replace one by the same path. Default none. A rule that cannot be
    /// used is said at the start and left out.
    pub folders: Vec<PathBuf>,
    /// Files with indicators (CSV, STIX 2.1, MISP), and folders whose `*.csv` and `*.json` files are. Default none. Read at the start; what
    /// was stored before is looked up as well.
    pub indicators: Vec<PathBuf>,
}

/// What the operator knows about the place.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SiteConfig {
    /// Addresses and ports of the cluster's API server, as pods see it. Default none: only token reads count as a pod's way to it.
    pub api_servers: Vec<SocketAddr>,
    /// Addresses that many share on the way out: gateways, proxies, offices. A credential used from there has not left. Default none.
    pub egress: Vec<IpNet>,
}

/// Where `CloudTrail` lies.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CloudTrailConfig {
    /// Files and folders, searched with all their subfolders. Default none.
    pub paths: Vec<PathBuf>,
    /// How often to look. Default five seconds. Shorter costs a walk of the folders each time.
    #[serde(deserialize_with = "duration")]
    pub poll: Duration,
}

/// Where the API server's audit comes from.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KubernetesConfig {
    /// Log files to follow. Default none.
    pub logs: Vec<PathBuf>,
    /// How often to look for new lines. Default one second.
    #[serde(deserialize_with = "duration")]
    pub poll: Duration,
    /// Where the API server's webhook posts to, HTTPS. Default: nowhere.
    pub webhook: Option<SocketAddr>,
    /// File with the bearer token that the webhook must show. Without one it must show a client certificate of our authority.
    pub webhook_token: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 7443)),
            names: Vec::new(),
            store: StoreConfig::default(),
            pipeline: PipelineConfig::default(),
            rules: RulesConfig::default(),
            site: SiteConfig::default(),
            cloudtrail: CloudTrailConfig::default(),
            kubernetes: KubernetesConfig::default(),
            respond: RespondConfig::default(),
        }
    }
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self { segment_bytes: 16 << 20, segment_age: Duration::from_mins(1) }
    }
}

impl Default for PipelineConfig {
    fn default() -> Self {
        Self { settle: Duration::from_millis(100) }
    }
}

impl Default for CloudTrailConfig {
    fn default() -> Self {
        Self { paths: Vec::new(), poll: Duration::from_secs(5) }
    }
}

impl Default for KubernetesConfig {
    fn default() -> Self {
        Self { logs: Vec::new(), poll: Duration::from_secs(1), webhook: None, webhook_token: None }
    }
}

impl Config {
    /// Reads a file of at most 1 MiB.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let error = |cause| ConfigError::Read { path: path.to_owned(), cause };
        if std::fs::metadata(path).map_err(error)?.len() > FILE_BYTES {
            return Err(error(std::io::Error::other("larger than 1 MiB")));
        }
        Self::parse(path, &std::fs::read_to_string(path).map_err(error)?)
    }

    /// Reads the text of a file.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        toml::from_str(text).map_err(|cause| ConfigError::Parse { path: path.to_owned(), cause: Box::new(cause) })
    }
}

/// `"5s"`, `"1m 30s"`, `"2h"`.
fn duration<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(from)?;
    let wrong =
        |why: String| serde::de::Error::custom(format!("{text:?} is no duration such as \"5s\" or \"2h\": {why}"));
    let signed: jiff::SignedDuration = text.parse().map_err(|cause: jiff::Error| wrong(cause.to_string()))?;
    Duration::try_from(signed).map_err(|_| wrong("it is negative".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_named() {
        let told = toml::from_str::<Config>("[store]\nsegment_sice = 1").expect_err("no such key").to_string();
        assert!(told.contains("segment_sice") && told.contains("line 2"), "{told}");
    }

    #[test]
    fn the_configuration_that_we_publish_is_taken() {
        let readme = include_str!("../../README.md");
        let example = readme.split("```toml").find(|block| block.contains("[cloudtrail]")).expect("an example");
        let config: Config = toml::from_str(example.split("```").next().expect("it ends")).expect("it reads");
        assert!(config.kubernetes.webhook.is_some());
    }

    #[test]
    fn a_duration_is_written_for_people() {
        let config: Config = toml::from_str("[cloudtrail]\npoll = \"1m 30s\"").expect("it reads");
        assert_eq!(config.cloudtrail.poll, Duration::from_secs(90));
        assert!(toml::from_str::<Config>("[cloudtrail]\npoll = \"-1s\"").is_err());
    }
}
