//! The closed set of things that the response can do. Takes a concrete target; says how far the action reaches, how it is undone and how
//! one sees that it worked. Never does it: that is `collector::respond::execute`.

use std::fmt;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::model::Moment;

/// When in a response an action has its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words of NIST SP 800-61")]
pub enum Phase {
    Preserve,
    Contain,
    Eradicate,
    Recover,
    Notify,
}

impl fmt::Display for Phase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Preserve => "preserve",
            Self::Contain => "contain",
            Self::Eradicate => "eradicate",
            Self::Recover => "recover",
            Self::Notify => "notify",
        })
    }
}

/// One action on one concrete target. Everything that the executor needs stands in it; nothing is looked up by name later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action")]
pub enum Action {
    /// Seal the flight recorder and capture what still exists of a container.
    #[serde(rename = "evidence.seal@1")]
    EvidenceSeal {
        /// The node it runs on.
        node: String,
        /// Full id.
        container_id: String,
        /// How far back the recorder is sealed.
        recorder_seconds: u32,
    },
    /// Cut a container's cgroup from the network.
    #[serde(rename = "node.net.quarantine@1")]
    NetQuarantine {
        /// The node it runs on.
        node: String,
        /// Full id.
        container_id: String,
        /// Its cgroup, so that a new container of the same name is never meant.
        cgroup_id: u64,
        /// Destinations that stay reachable.
        allow: Vec<IpNet>,
        /// The node lifts it by itself after this.
        expires_seconds: u32,
    },
    /// Undo of [`Action::NetQuarantine`].
    #[serde(rename = "node.net.release@1")]
    NetRelease {
        /// The node it runs on.
        node: String,
        /// Full id.
        container_id: String,
        /// Its cgroup.
        cgroup_id: u64,
    },
    /// Set an access key to `Inactive`.
    #[serde(rename = "aws.iam.key_deactivate@1")]
    KeyDeactivate {
        /// `AKIA…`.
        key_id: String,
        /// The user that owns it; where absent, `GetAccessKeyLastUsed` names it.
        user: Option<String>,
    },
    /// Undo of [`Action::KeyDeactivate`].
    #[serde(rename = "aws.iam.key_restore@1")]
    KeyRestore {
        /// `AKIA…`.
        key_id: String,
        /// The user that owns it.
        user: String,
        /// The status before us: `Active` or `Inactive`.
        status: String,
    },
    /// Deny everything to a role's sessions that were issued before a moment (inline policy on the role).
    #[serde(rename = "aws.iam.session_revoke@1")]
    SessionRevoke {
        /// Name of the role.
        role: String,
        /// Account it is in.
        account: String,
        /// Sessions issued before this are denied.
        issued_before: Moment,
        /// Name of the inline policy that says so.
        policy: String,
    },
    /// Undo of [`Action::SessionRevoke`].
    #[serde(rename = "aws.iam.session_allow@1")]
    SessionAllow {
        /// Name of the role.
        role: String,
        /// Account it is in.
        account: String,
        /// Name of the inline policy.
        policy: String,
        /// The policy document that stood under this name before us; absent: there was none, and ours is deleted.
        document: Option<String>,
    },
}

/// How an action is taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "undo")]
pub enum Undo {
    /// By this action, from the state recorded before.
    By {
        /// Its name: `node.net.release@1`.
        action: String,
        /// What it costs or leaves behind, one sentence.
        cost: String,
    },
    /// Not at all.
    Irreversible {
        /// Why not, one sentence.
        reason: String,
    },
}

impl Action {
    /// Its name in the registry, with its version.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::EvidenceSeal { .. } => "evidence.seal@1",
            Self::NetQuarantine { .. } => "node.net.quarantine@1",
            Self::NetRelease { .. } => "node.net.release@1",
            Self::KeyDeactivate { .. } => "aws.iam.key_deactivate@1",
            Self::KeyRestore { .. } => "aws.iam.key_restore@1",
            Self::SessionRevoke { .. } => "aws.iam.session_revoke@1",
            Self::SessionAllow { .. } => "aws.iam.session_allow@1",
        }
    }

    /// What it does, in a few words for people who do not know the names.
    pub const fn title(&self) -> &'static str {
        match self {
            Self::EvidenceSeal { .. } => "Seal the container's volatile evidence",
            Self::NetQuarantine { .. } => "Cut the container from the network",
            Self::NetRelease { .. } => "Give the container its network back",
            Self::KeyDeactivate { .. } => "Deactivate the access key",
            Self::KeyRestore { .. } => "Give the access key its earlier status back",
            Self::SessionRevoke { .. } => "Revoke the role's older sessions",
            Self::SessionAllow { .. } => "Allow the role's older sessions again",
        }
    }

    /// Who and what feels it, one sentence.
    pub fn reach(&self) -> String {
        match self {
            Self::EvidenceSeal { node, container_id, recorder_seconds } => format!(
                "Container {} on {node} keeps running; the node keeps the last {} of its recorder and copies of what the container runs.",
                short(container_id),
                for_people(*recorder_seconds)
            ),
            Self::NetQuarantine { node, container_id, allow, expires_seconds, .. } => {
                let but = match allow.as_slice() {
                    [] => "nothing".to_owned(),
                    some => some.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
                };
                format!(
                    "Container {} on {node} reaches {but} and is reached by nothing else for {}: whoever it serves gets no answer.",
                    short(container_id),
                    for_people(*expires_seconds)
                )
            }
            Self::NetRelease { node, container_id, .. } => {
                format!("Container {} on {node} reaches everything again that its policies allow.", short(container_id))
            }
            Self::KeyDeactivate { key_id, user } => {
                let user = user.as_deref().map_or(String::new(), |user| format!(" of user {user}"));
                format!(
                    "Every call that is signed with {key_id}{user} is refused; sessions made from it before live until they expire."
                )
            }
            Self::KeyRestore { key_id, user, status } => {
                format!("Calls signed with {key_id} of user {user} are answered as its status {status} says.")
            }
            Self::SessionRevoke { role, account, issued_before, .. } => format!(
                "Every session of role {role} in account {account} that was issued before {issued_before} is denied everything, the workload's own included, until it asks for a new one."
            ),
            Self::SessionAllow { role, account, .. } => {
                format!(
                    "Sessions of role {role} in account {account} that have not expired work again, stolen ones included."
                )
            }
        }
    }
}

fn short(container_id: &str) -> &str {
    container_id.get(..12).unwrap_or(container_id)
}

fn for_people(seconds: u32) -> String {
    crate::metrics::duration(u64::from(seconds) * 1_000_000_000)
}
