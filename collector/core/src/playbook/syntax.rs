//! What a playbook looks like as YAML. Takes text; gives the typed shape with the line of each value. Decides nothing about meaning: that is
//! `compile`.

use serde::Deserialize;
use serde_saphyr::Spanned;

use super::action::Phase;
use super::plan::OnFailure;

/// A playbook longer than this is refused before it is parsed: the longest real ones are a tenth of it.
pub const MAX_BYTES: usize = 64 * 1024;
/// More steps than a person can judge in one plan.
pub const MAX_STEPS: usize = 64;

/// Why a playbook was refused: where, and what would be allowed there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {key}: {problem}{}", if allowed.is_empty() { String::new() } else { format!("; allowed: {allowed}") })]
pub struct SyntaxError {
    /// The file, as the caller named it.
    pub file: String,
    /// Line, from 1; 0 where there is no text to point at.
    pub line: u64,
    /// The key.
    pub key: String,
    /// What is wrong.
    pub problem: String,
    /// What may stand there; empty where that is no list.
    pub allowed: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    #[serde(rename = "apiVersion")]
    pub(super) api_version: Spanned<String>,
    pub(super) kind: Spanned<String>,
    pub(super) metadata: Metadata,
    pub(super) trigger: Vec<Spanned<Fact>>,
    #[serde(default)]
    pub(super) guards: Guards,
    pub(super) steps: Vec<Spanned<Step>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Metadata {
    pub(super) id: Spanned<String>,
    pub(super) version: Spanned<String>,
    pub(super) title: String,
    pub(super) owners: Spanned<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fact {
    #[serde(rename = "fact")]
    pub(super) name: Spanned<String>,
    pub(super) any_of: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) at_least: Option<Spanned<Scalar>>,
}

/// A word or a whole number.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Scalar {
    Number(u64),
    Word(String),
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Guards {
    pub(super) max_targets: Option<u32>,
    #[serde(default)]
    pub(super) require_evidence: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) protected: Vec<Guarded>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Guarded {
    pub(super) target: String,
    pub(super) reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Step {
    pub(super) id: Spanned<String>,
    pub(super) phase: Spanned<Phase>,
    #[serde(default)]
    pub(super) needs: Vec<Spanned<String>>,
    pub(super) action: Spanned<String>,
    #[serde(default)]
    pub(super) with: std::collections::BTreeMap<String, Spanned<Value>>,
    pub(super) mode: Mode,
    pub(super) timeout: Spanned<String>,
    pub(super) ttl: Option<Spanned<String>>,
    pub(super) verify: Option<Spanned<String>>,
    pub(super) undo: Option<Spanned<String>>,
    pub(super) irreversible: Option<Spanned<String>>,
    #[serde(default = "abort")]
    pub(super) on_failure: OnFailure,
}

fn abort() -> OnFailure {
    OnFailure::Abort
}

/// A typed value: there is no text that something is put into.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Value {
    #[serde(rename = "ref")]
    pub(super) reference: Option<String>,
    pub(super) duration: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Mode {
    Auto(Auto),
    Approve(Approve),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Auto {
    pub(super) min_confidence: Spanned<u8>,
    pub(super) expires_after: Spanned<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Approve {
    pub(super) expires_after: Spanned<String>,
}

/// The typed shape of `text`, or where it is wrong.
pub(super) fn read(file: &str, text: &str) -> Result<Document, SyntaxError> {
    let refuse = |line, key: &str, problem: String, allowed: String| SyntaxError {
        file: file.to_owned(),
        line,
        key: key.to_owned(),
        problem,
        allowed,
    };
    if text.len() > MAX_BYTES {
        let problem = format!("the file has {} bytes", text.len());
        return Err(refuse(0, "file", problem, format!("at most {MAX_BYTES}")));
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: 20_000,
            max_aliases: 0,
            max_anchors: 0,
            max_depth: 16,
            max_documents: 1,
        },
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let line = error.location().map_or(0, |location| location.line());
        match error.without_snippet() {
            serde_saphyr::Error::SerdeUnknownField { field, expected, .. } => {
                refuse(line, field, "this key is not known here".to_owned(), expected.join(", "))
            }
            serde_saphyr::Error::SerdeUnknownVariant { variant, expected, .. } => {
                refuse(line, variant, "this word is not known here".to_owned(), expected.join(", "))
            }
            serde_saphyr::Error::SerdeMissingField { field, .. } => {
                refuse(line, field, "this key is missing".to_owned(), String::new())
            }
            other => refuse(line, "yaml", one_line(&other.to_string()), String::new()),
        }
    })
}

/// The first line of a message, without the place that it repeats.
fn one_line(message: &str) -> String {
    message.lines().next().unwrap_or_default().chars().take(300).collect()
}
