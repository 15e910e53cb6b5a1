//! From a playbook's text to one that can be planned with. Takes the YAML shape; gives a [`Playbook`] in which every name resolves, or the
//! first thing that is wrong with its file, line, key and what is allowed. Never plans.

use std::collections::{BTreeMap, BTreeSet};

use serde_saphyr::Spanned;

use super::action::Phase;
use super::plan::OnFailure;
use super::registry::{self, Definition, InputKind, UndoRule};
use super::situation::Protected;
use super::syntax::{self, SyntaxError};
use super::trigger::{self, Condition};
use crate::canonical;

/// Who lets a step run, as the playbook says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Autonomy {
    /// Nobody, from this confidence on; below it a person is asked.
    Auto {
        /// 0 to 100.
        min_confidence: u8,
        /// How long the question stands.
        expires_seconds: u32,
    },
    /// A person.
    Approve {
        /// How long the question stands.
        expires_seconds: u32,
    },
}

/// An input's value: a path into the case, or a length of time.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants are the two things that `with` can hold")]
pub enum Given {
    Reference(String),
    Seconds(u32),
}

/// One step of a playbook.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of `playbook::plan::Step`, before they have a target")]
pub struct Template {
    pub id: String,
    pub phase: Phase,
    pub needs: Vec<String>,
    pub action: &'static Definition,
    pub with: BTreeMap<String, Given>,
    pub autonomy: Autonomy,
    pub timeout_seconds: u32,
    pub ttl_seconds: Option<u32>,
    pub on_failure: OnFailure,
}

/// Which evidence the case must have before anything is touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words of `require_evidence`")]
pub enum Required {
    Event,
    Audit,
    Seal,
}

/// A playbook in which every name resolves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Playbook {
    /// Stable name.
    pub id: String,
    /// `1.0.0`.
    pub version: String,
    /// For people.
    pub title: String,
    /// Who answers for it.
    pub owners: Vec<String>,
    /// sha256, hex, of its text.
    pub sha256: String,
    /// All must hold.
    pub trigger: Vec<Condition>,
    /// More targets than this are refused.
    pub max_targets: u32,
    /// Evidence that must be there.
    pub required: Vec<Required>,
    /// What must not be touched.
    pub protected: Vec<Protected>,
    /// Ordered: a step stands after all that it needs.
    pub steps: Vec<Template>,
}

/// A playbook from its text. `file` is only for messages.
pub fn parse(file: &str, text: &str) -> Result<Playbook, SyntaxError> {
    let document = syntax::read(file, text)?;
    Reader { file }.playbook(document, text)
}

/// The playbooks that come with the program.
pub fn content() -> Vec<Playbook> {
    const FILES: &[(&str, &str)] = &[(
        "container-credential-theft.yaml",
        include_str!("../../../content/playbooks/container-credential-theft.yaml"),
    )];
    FILES.iter().map(|(file, text)| parse(file, text).expect("a test parses every playbook of the program")).collect()
}

pub(super) struct Reader<'a> {
    pub(super) file: &'a str,
}

impl Reader<'_> {
    pub(super) fn refuse<T>(
        &self,
        at: &Spanned<T>,
        key: &str,
        problem: impl Into<String>,
        allowed: &str,
    ) -> SyntaxError {
        SyntaxError {
            file: self.file.to_owned(),
            line: at.referenced.line(),
            key: key.to_owned(),
            problem: problem.into(),
            allowed: allowed.to_owned(),
        }
    }

    fn playbook(&self, document: syntax::Document, text: &str) -> Result<Playbook, SyntaxError> {
        self.word(&document.api_version, "apiVersion", &["mayfly/v1"])?;
        self.word(&document.kind, "kind", &["Playbook"])?;
        let metadata = document.metadata;
        self.slug(&metadata.id, "metadata.id")?;
        self.version(&metadata.version)?;
        if metadata.owners.value.is_empty() {
            return Err(self.refuse(&metadata.owners, "metadata.owners", "nobody answers for it", "one name or more"));
        }
        let trigger =
            document.trigger.iter().map(|fact| trigger::compile(self, fact)).collect::<Result<Vec<_>, _>>()?;
        let required =
            document.guards.require_evidence.iter().map(|word| self.required(word)).collect::<Result<_, _>>()?;
        let protected = document
            .guards
            .protected
            .into_iter()
            .map(|guarded| Protected { pattern: guarded.target, reason: guarded.reason })
            .collect();
        Ok(Playbook {
            id: metadata.id.value,
            version: metadata.version.value,
            title: metadata.title,
            owners: metadata.owners.value,
            sha256: canonical::sha256(text.as_bytes()),
            trigger,
            max_targets: document.guards.max_targets.unwrap_or(10),
            required,
            protected,
            steps: self.steps(document.steps)?,
        })
    }

    fn word(&self, given: &Spanned<String>, key: &str, allowed: &[&str]) -> Result<(), SyntaxError> {
        if allowed.contains(&given.value.as_str()) {
            return Ok(());
        }
        Err(self.refuse(given, key, format!("{:?} is not known here", given.value), &allowed.join(", ")))
    }

    fn slug(&self, given: &Spanned<String>, key: &str) -> Result<(), SyntaxError> {
        let fits = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
        if (1..=64).contains(&given.value.len()) && given.value.chars().all(fits) {
            return Ok(());
        }
        let problem = format!("{:?} is no name", given.value);
        Err(self.refuse(given, key, problem, "1 to 64 of a-z, 0-9 and -"))
    }

    fn version(&self, given: &Spanned<String>) -> Result<(), SyntaxError> {
        let parts: Vec<&str> = given.value.split('.').collect();
        if parts.len() == 3 && parts.iter().all(|part| part.parse::<u32>().is_ok()) {
            return Ok(());
        }
        let problem = format!("{:?} is no version", given.value);
        Err(self.refuse(given, "metadata.version", problem, "three numbers, as in 1.0.0"))
    }

    fn required(&self, word: &Spanned<String>) -> Result<Required, SyntaxError> {
        self.word(word, "guards.require_evidence", &["event", "audit", "seal"])?;
        Ok(match word.value.as_str() {
            "event" => Required::Event,
            "audit" => Required::Audit,
            _ => Required::Seal,
        })
    }

    fn steps(&self, given: Vec<Spanned<syntax::Step>>) -> Result<Vec<Template>, SyntaxError> {
        if let Some(beyond) = given.get(syntax::MAX_STEPS) {
            return Err(self.refuse(beyond, "steps", "there are too many", &format!("at most {}", syntax::MAX_STEPS)));
        }
        let ids: BTreeSet<String> = given.iter().map(|step| step.value.id.value.clone()).collect();
        let known = ids.iter().cloned().collect::<Vec<_>>().join(", ");
        let mut seen = BTreeSet::new();
        let mut waiting = Vec::new();
        for step in given {
            if !seen.insert(step.value.id.value.clone()) {
                return Err(self.refuse(
                    &step.value.id,
                    "id",
                    format!("{:?} is there twice", step.value.id.value),
                    "unique ids",
                ));
            }
            if let Some(need) = step.value.needs.iter().find(|need| !ids.contains(&need.value)) {
                return Err(self.refuse(need, "needs", format!("there is no step {:?}", need.value), &known));
            }
            waiting.push((self.step(&step)?, step));
        }
        self.ordered(waiting)
    }

    /// Each step after all that it needs; among those that could come next, in the order of the text.
    fn ordered(&self, mut waiting: Vec<(Template, Spanned<syntax::Step>)>) -> Result<Vec<Template>, SyntaxError> {
        let mut ordered: Vec<Template> = Vec::with_capacity(waiting.len());
        while !waiting.is_empty() {
            let is_done = |need: &String| ordered.iter().any(|done| done.id == *need);
            let Some(next) = waiting.iter().position(|(step, _)| step.needs.iter().all(is_done)) else {
                let names: Vec<&str> = waiting.iter().map(|(step, _)| step.id.as_str()).collect();
                let (_, first) = waiting.first().expect("the loop runs while steps wait");
                let problem = format!("these steps wait for each other: {}", names.join(", "));
                return Err(self.refuse(first, "needs", problem, "steps that need only steps that do not need them"));
            };
            ordered.push(waiting.remove(next).0);
        }
        Ok(ordered)
    }

    fn step(&self, step: &Spanned<syntax::Step>) -> Result<Template, SyntaxError> {
        let given = &step.value;
        self.slug(&given.id, "id")?;
        self.word(&given.action, "action", &registry::playbook_names())?;
        let action = registry::definition(&given.action.value).expect("the name was just found among the registry's");
        if given.phase.value != action.phase {
            let problem = format!("{} is no action of the phase {}", action.name, given.phase.value);
            return Err(self.refuse(&given.phase, "phase", problem, &action.phase.to_string()));
        }
        self.undo(step, action)?;
        match &given.verify {
            Some(check) => self.word(check, "verify", &[action.check])?,
            None => return Err(self.refuse(step, "verify", "this key is missing", action.check)),
        }
        let autonomy = match &given.mode {
            syntax::Mode::Auto(auto) => {
                if auto.min_confidence.value > 100 {
                    return Err(self.refuse(&auto.min_confidence, "min_confidence", "it is too large", "0 to 100"));
                }
                let expires_seconds = self.seconds(&auto.expires_after, "expires_after")?;
                Autonomy::Auto { min_confidence: auto.min_confidence.value, expires_seconds }
            }
            syntax::Mode::Approve(approve) => {
                Autonomy::Approve { expires_seconds: self.seconds(&approve.expires_after, "expires_after")? }
            }
        };
        Ok(Template {
            id: given.id.value.clone(),
            phase: given.phase.value,
            needs: given.needs.iter().map(|need| need.value.clone()).collect(),
            action,
            with: self.with(step, action)?,
            autonomy,
            timeout_seconds: self.seconds(&given.timeout, "timeout")?,
            ttl_seconds: self.ttl(step, action)?,
            on_failure: given.on_failure,
        })
    }

    fn undo(&self, step: &Spanned<syntax::Step>, action: &Definition) -> Result<(), SyntaxError> {
        match (&action.undo, &step.value.undo, &step.value.irreversible) {
            (UndoRule::By { .. }, Some(undo), None) => self.word(undo, "undo", &["inverse"]),
            (UndoRule::By { .. }, _, Some(claim)) => {
                Err(self.refuse(claim, "irreversible", format!("{} can be undone", action.name), "undo: inverse"))
            }
            (UndoRule::By { .. }, None, None) => Err(self.refuse(step, "undo", "this key is missing", "undo: inverse")),
            (UndoRule::Irreversible { .. }, None, Some(reason)) if !reason.value.trim().is_empty() => Ok(()),
            (UndoRule::Irreversible { .. }, Some(undo), _) => {
                let problem = format!("{} cannot be undone", action.name);
                Err(self.refuse(undo, "undo", problem, "irreversible: and a reason"))
            }
            (UndoRule::Irreversible { .. }, None, _) => {
                Err(self.refuse(step, "irreversible", "this key is missing or empty", "a reason"))
            }
        }
    }

    fn ttl(&self, step: &Spanned<syntax::Step>, action: &Definition) -> Result<Option<u32>, SyntaxError> {
        match (&step.value.ttl, action.lease) {
            (Some(ttl), true) => self.seconds(ttl, "ttl").map(Some),
            (None, false) => Ok(None),
            (None, true) => Err(self.refuse(step, "ttl", "this key is missing", "a length of time, as in 4h")),
            (Some(ttl), false) => {
                Err(self.refuse(ttl, "ttl", format!("{} does not end by itself", action.name), "no ttl"))
            }
        }
    }

    fn with(&self, step: &Spanned<syntax::Step>, action: &Definition) -> Result<BTreeMap<String, Given>, SyntaxError> {
        let names: Vec<&str> = action.inputs.iter().map(|input| input.name).collect();
        if let Some((key, value)) = step.value.with.iter().find(|(key, _)| !names.contains(&key.as_str())) {
            return Err(self.refuse(value, key, format!("{} takes no such input", action.name), &names.join(", ")));
        }
        let mut with = BTreeMap::new();
        for input in action.inputs {
            let Some(value) = step.value.with.get(input.name) else {
                return Err(self.refuse(step, input.name, "this input is missing", &shape(input.kind)));
            };
            let given = match (input.kind, &value.value.reference, &value.value.duration) {
                (InputKind::Reference(paths), Some(path), None) if paths.contains(&path.as_str()) => {
                    Given::Reference(path.clone())
                }
                (InputKind::Duration, None, Some(text)) => {
                    let spanned = Spanned::new(text.clone(), value.referenced, value.defined);
                    Given::Seconds(self.seconds(&spanned, input.name)?)
                }
                _ => return Err(self.refuse(value, input.name, "it is not what the action takes", &shape(input.kind))),
            };
            with.insert(input.name.to_owned(), given);
        }
        Ok(with)
    }

    fn seconds(&self, given: &Spanned<String>, key: &str) -> Result<u32, SyntaxError> {
        duration(&given.value).ok_or_else(|| {
            let problem = format!("{:?} is no length of time", given.value);
            self.refuse(given, key, problem, "a whole number from 1 with s, m or h, at most 24h")
        })
    }
}

fn shape(kind: InputKind) -> String {
    match kind {
        InputKind::Reference(paths) => {
            paths.iter().map(|path| format!("{{ref: {path}}}")).collect::<Vec<_>>().join(", ")
        }
        InputKind::Duration => "{duration: 10m}".to_owned(),
    }
}

/// `30s`, `15m`, `4h`; at most a day: what stands longer is a change, not a response.
fn duration(text: &str) -> Option<u32> {
    let unit = match text.chars().last()? {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        _ => return None,
    };
    let number: u32 = text.get(..text.len() - 1)?.parse().ok()?;
    let seconds = number.checked_mul(unit)?;
    (1..=86_400).contains(&seconds).then_some(seconds)
}
