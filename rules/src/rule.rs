//! What a rule says beside its detection: who it is, what it means, what is to be done.
//!
//! Takes nothing; gives the type [`Rule`] that findings and reports read. It never changes after loading.

use crate::event::LogSource;
use crate::example::Example;

/// A loaded rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// The file it came from.
    pub file: String,
    /// The line of the file where the document starts.
    pub line: u32,
    /// Its UUID; the title where it has none.
    pub id: String,
    /// The name that correlations and filters may call it by; empty when the file gives none.
    pub name: String,
    /// One line for people.
    pub title: String,
    /// What the rule looks for; empty when the file says nothing.
    pub description: String,
    /// How grave a match is.
    pub level: Level,
    /// ATT&CK techniques as `T1552.005`, in the order of the tags and the numbers of version 19.
    pub techniques: Vec<String>,
    /// ATT&CK tactics as `credential-access`, in the order of the tags.
    pub tactics: Vec<String>,
    /// All tags as written.
    pub tags: Vec<String>,
    /// Which events it applies to.
    pub source: RuleSource,
    /// Whether a match is a finding of its own; false for what only serves a correlation in the same file.
    pub generate: bool,
    /// What the node does on a match.
    pub response: Response,
    /// Why a match is bad, as it stands in a report; empty when the file says nothing.
    pub why: String,
    /// What else could explain a match.
    pub false_positives: Vec<String>,
    /// Where to read more.
    pub references: Vec<String>,
    /// Events that must match and events that must not.
    pub examples: Vec<Example>,
}

/// The position of a rule in its engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleIndex(pub(crate) u32);

impl RuleIndex {
    /// The position, from 0, in [`Engine::rules`](crate::Engine::rules).
    pub fn position(self) -> usize {
        self.0 as usize
    }
}

/// How grave a match is, in Sigma's words. A rule without a level is `Medium`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// For enrichment.
    Informational,
    /// Notable, rarely an incident.
    Low,
    /// Worth a look each day.
    Medium,
    /// Worth an alert.
    High,
    /// An incident.
    Critical,
}

impl Level {
    /// All levels, least first.
    pub const ALL: [Level; 5] = [Level::Informational, Level::Low, Level::Medium, Level::High, Level::Critical];

    /// The word in rule files.
    pub fn name(self) -> &'static str {
        match self {
            Level::Informational => "informational",
            Level::Low => "low",
            Level::Medium => "medium",
            Level::High => "high",
            Level::Critical => "critical",
        }
    }

    /// The level of that word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }
}

/// The log source a rule asks for: each word given must be the event's.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct RuleSource {
    /// The kind of event.
    pub category: Option<String>,
    /// What wrote it.
    pub product: Option<String>,
    /// The log of that product.
    pub service: Option<String>,
}

impl RuleSource {
    /// Whether a rule of this source applies to events of that one.
    pub fn applies_to(&self, event: &LogSource<'_>) -> bool {
        let fits = |asked: &Option<String>, given: Option<&str>| asked.is_none() || asked.as_deref() == given;
        fits(&self.category, event.category) && fits(&self.product, event.product) && fits(&self.service, event.service)
    }

    /// The same words, borrowed: the source of an event that has no others.
    pub fn as_log_source(&self) -> LogSource<'_> {
        LogSource {
            category: self.category.as_deref(),
            product: self.product.as_deref(),
            service: self.service.as_deref(),
        }
    }
}

/// What the node does when a rule matches one of its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Response {
    /// Only the finding.
    #[default]
    Observe,
    /// Seal the recorder and capture artifacts; the process goes on.
    Capture,
    /// Stop the process, seal the recorder, capture artifacts.
    Stop {
        /// Flags of an exec that the kernel can decide on before the first instruction runs; `None` when the rule
        /// needs user space to decide.
        kernel: Option<ExecFlags>,
    },
}

/// The flags of an exec, inside a container, on any of which the kernel stops the process. The rule that carries them
/// matches exactly the execs in containers that have one of them: the loader has checked it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct ExecFlags {
    /// The executable lives in a memfd.
    pub memfd: bool,
    /// The executable comes from the container's writable layer.
    pub upper_layer: bool,
    /// The executable has no link left.
    pub deleted: bool,
}
