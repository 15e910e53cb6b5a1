//! What a node saw, in the words of judgement. Takes what `collector::ingest::translate` made from the wire; never holds a wire type.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

pub use super::completeness::{Account, Accounting, Coverage, HookCoverage};
pub use super::container::ContainerSeen;
use super::entity::ProcessKey;
use super::evidence::EvidenceRef;
use super::file::{FileChange, FileObject, Repeats};
use super::kernel::Change;
use super::network::{ClientHello, Dns, SocketUse};
use super::privilege::Privilege;
pub use super::process::Exec;
use super::time::Moment;

/// Bytes that an attacker chose. They stay bytes until somebody reads them; `Display` escapes them. In JSON: a string where they are
/// UTF-8, else `{"hex": "…"}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "RawJson", into = "RawJson")]
pub struct Raw(pub Vec<u8>);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum RawJson {
    Text(String),
    Bytes {
        #[serde(with = "hex")]
        hex: Vec<u8>,
    },
}

impl From<RawJson> for Raw {
    fn from(json: RawJson) -> Self {
        Self(match json {
            RawJson::Text(text) => text.into_bytes(),
            RawJson::Bytes { hex } => hex,
        })
    }
}

impl From<Raw> for RawJson {
    fn from(raw: Raw) -> Self {
        String::from_utf8(raw.0).map_or_else(|other| Self::Bytes { hex: other.into_bytes() }, Self::Text)
    }
}

impl Raw {
    /// The text for people: printable UTF-8 as it is, all else escaped (`\xff`, `\u{202e}`).
    pub fn escape(&self) -> String {
        let mut text = String::with_capacity(self.0.len());
        for chunk in self.0.utf8_chunks() {
            for letter in chunk.valid().chars() {
                if letter.is_control() || is_invisible(letter) {
                    text.extend(letter.escape_unicode());
                } else {
                    text.push(letter);
                }
            }
            for byte in chunk.invalid() {
                text.extend(std::ascii::escape_default(*byte).map(char::from));
            }
        }
        text
    }
}

impl std::fmt::Display for Raw {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.escape())
    }
}

/// Letters that change how the text around them is read (bidirectional marks, zero-width) are shown, not obeyed.
fn is_invisible(letter: char) -> bool {
    matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Where a process ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Origin {
    /// In a container.
    Container {
        /// Full id.
        id: String,
    },
    /// On the host itself.
    Host,
    /// Nobody can say, and why.
    Unknown {
        /// The reason in words.
        why: String,
    },
}

/// How a process came into the container that it is in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// It is in none.
    #[default]
    None,
    /// The container's first process or a descendant of it.
    InitTree,
    /// A runtime brought it in: `docker exec`, `ctr task exec`, `runc exec`.
    RuntimeExec,
    /// A runtime that was asked over the Container Runtime Interface: `kubectl exec`, an exec probe.
    CriExec,
    /// No runtime did: `nsenter`, `setns`.
    Namespace,
    /// Its way in was not seen.
    Unknown,
}

impl Entry {
    /// The word in JSON, in the lake and in rules.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::InitTree => "init_tree",
            Self::RuntimeExec => "runtime_exec",
            Self::CriExec => "cri_exec",
            Self::Namespace => "namespace",
            Self::Unknown => "unknown",
        }
    }

    /// A runtime brought it in from outside.
    pub fn is_exec(self) -> bool {
        matches!(self, Self::RuntimeExec | Self::CriExec)
    }
}

/// Who did it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The process.
    pub process: ProcessKey,
    /// Its parent, where known.
    pub parent: Option<ProcessKey>,
    /// Executable at the time of the event.
    pub executable: Raw,
    /// Real user id, as the host counts.
    pub uid: u32,
    /// Where it ran.
    pub origin: Origin,
    /// How it came into a container.
    #[serde(default)]
    pub entry: Entry,
    /// The container whose mount namespace it runs in, where its cgroup is not that container's.
    #[serde(default)]
    pub entered: Option<String>,
    /// In the container's cgroup and still in the host's mount namespace: a runtime that prepares or enters the container.
    #[serde(default)]
    pub in_host_mounts: bool,
}

/// The two ends of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow {
    /// Our end.
    pub local: IpAddr,
    /// Our port.
    pub local_port: u16,
    /// The other end.
    pub remote: IpAddr,
    /// The other port.
    pub remote_port: u16,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "what")]
#[expect(missing_docs, reason = "the fields are those of `proto/sensor/v1/*.proto`, where each is described")]
pub enum Body {
    Fork {
        child: ProcessKey,
    },
    Exec(Box<Exec>),
    Exit {
        code: u32,
        signal: u32,
    },
    FileOpen {
        path: Raw,
        flags: u32,
        mode: u32,
        sensitive: String,
        result: i32,
        truncated: bool,
        #[serde(default)]
        object: Option<FileObject>,
        #[serde(default)]
        created: bool,
        #[serde(default)]
        by_handle: bool,
        #[serde(default)]
        alias: Raw,
        /// Present: not one open, but those that were counted after the first was told.
        #[serde(default)]
        repeats: Option<Repeats>,
    },
    FileUnlink {
        path: Raw,
        result: i32,
        truncated: bool,
        #[serde(default)]
        object: Option<FileObject>,
    },
    FileRename {
        from: Raw,
        to: Raw,
        result: i32,
        truncated: bool,
        #[serde(default)]
        flags: u32,
        #[serde(default)]
        object: Option<FileObject>,
        #[serde(default)]
        replaced: Option<FileObject>,
    },
    FileChmod {
        path: Raw,
        mode: u32,
        result: i32,
        truncated: bool,
        #[serde(default)]
        object: Option<FileObject>,
    },
    FileChange(Box<FileChange>),
    Connect {
        flow: Flow,
        established: bool,
        metadata_service: bool,
        #[serde(default)]
        api_server: bool,
    },
    Accept {
        flow: Flow,
    },
    Close {
        flow: Flow,
        sent: u64,
        received: u64,
        outgoing: bool,
    },
    DatagramFlow {
        flow: Flow,
        metadata_service: bool,
    },
    Dns(Box<Dns>),
    ClientHello(Box<ClientHello>),
    Socket(Box<SocketUse>),
    Privilege(Box<Privilege>),
    Kernel(Box<Change>),
    ContainerSeen(Box<ContainerSeen>),
    ContainerGone {
        container_id: String,
    },
    Loss {
        class: String,
        reason: String,
        count: u64,
        from_ns: u64,
        to_ns: u64,
    },
    Trigger(Box<Trigger>),
    CaptureSealed {
        capture_id: String,
        manifest_sha256: String,
        artifacts: u32,
        failed: u32,
        latency_ns: u64,
    },
    AgentStarted {
        version: String,
        boot_id: String,
        kernel_release: String,
        refused_hooks: Vec<String>,
        /// By hook: better ways, or parts of the one taken, that the kernel does not grant.
        #[serde(default)]
        refusals: BTreeMap<String, Vec<String>>,
        replay: bool,
    },
    Accounting(Box<Accounting>),
    Coverage(Box<Coverage>),
}

impl Body {
    /// The class under which a node's kernel programs count it; nothing for what they do not tell.
    pub fn class(&self) -> Option<&'static str> {
        match self {
            Self::Fork { .. }
            | Self::Exec(_)
            | Self::Exit { .. }
            | Self::ContainerSeen(_)
            | Self::ContainerGone { .. } => Some("process"),
            Self::FileOpen { .. }
            | Self::FileUnlink { .. }
            | Self::FileRename { .. }
            | Self::FileChmod { .. }
            | Self::FileChange(_) => Some("file"),
            Self::Connect { .. }
            | Self::Accept { .. }
            | Self::Close { .. }
            | Self::DatagramFlow { .. }
            | Self::Dns(_)
            | Self::ClientHello(_)
            | Self::Socket(_) => Some("network"),
            Self::Privilege(_) => Some("privilege"),
            Self::Kernel(_) => Some("kernel"),
            Self::Loss { .. }
            | Self::Trigger(_)
            | Self::CaptureSealed { .. }
            | Self::Accounting(_)
            | Self::AgentStarted { .. }
            | Self::Coverage(_) => None,
        }
    }
}

/// A rule matched on the node, and what was done at once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of `Trigger` in `proto/sensor/v1/event.proto`")]
pub struct Trigger {
    pub rule_id: String,
    pub rule_title: String,
    pub level: String,
    pub event_position: u64,
    /// `observed`, `stopped_in_kernel`, `stopped`, `captured`, `gone`.
    pub action: String,
    pub capture_id: String,
    pub stop_latency_ns: u64,
    pub techniques: Vec<String>,
}

/// One event of one node's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeEvent {
    /// Name of the node.
    pub node: String,
    /// The log it stands in.
    pub log_id: String,
    /// Its position there: with `node` and `log_id` this is its identity.
    pub position: u64,
    /// When, by the node's clock.
    pub time: Moment,
    /// Absent on events of the agent itself.
    pub actor: Option<Actor>,
    /// The kernel had not answered yet: it may have refused it, or failed. A result then says nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub attempt: bool,
    /// What.
    pub body: Body,
}

impl NodeEvent {
    /// The reference by which a claim points here.
    pub fn evidence(&self) -> EvidenceRef {
        EvidenceRef::Event { node: self.node.clone(), log_id: self.log_id.clone(), position: self.position }
    }

    /// The container it happened in.
    pub fn container(&self) -> Option<&str> {
        let Some(actor) = &self.actor else {
            return match &self.body {
                Body::ContainerSeen(seen) => Some(&seen.container_id),
                Body::ContainerGone { container_id } => Some(container_id),
                _ => None,
            };
        };
        match &actor.origin {
            Origin::Container { id } => Some(id),
            Origin::Host | Origin::Unknown { .. } => actor.entered.as_deref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_from_json_as_they_were() {
        for bytes in [b"/tmp/x".as_slice(), b"\xff\xfe", b"{\"hex\": 1}", b""] {
            let json = serde_json::to_string(&Raw(bytes.to_vec())).expect("it is JSON");
            assert_eq!(serde_json::from_str::<Raw>(&json).expect(&json).0, bytes);
        }
        assert_eq!(serde_json::to_string(&Raw(b"/tmp/x".to_vec())).expect("it is JSON"), "\"/tmp/x\"");
    }
}
