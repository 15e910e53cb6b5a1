//! Which cases a playbook answers. Takes the facts of a case; gives yes or no. Never looks at text that an attacker chose.

use serde_saphyr::Spanned;

use super::compile::Reader;
use super::syntax::{self, Scalar, SyntaxError};
use crate::model::{Case, Entity, Severity, Verdict};

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words of `trigger`; each is described by its name")]
pub enum Condition {
    Verdict(Vec<Verdict>),
    ConfidenceAtLeast(u8),
    SeverityAtLeast(Severity),
    Technique(Vec<String>),
    Entity(Vec<String>),
}

const FACTS: &str = "verdict, confidence, severity, technique, entity";
const VERDICTS: &[(&str, Verdict)] = &[
    ("true_positive", Verdict::TruePositive),
    ("suspicious", Verdict::Suspicious),
    ("benign", Verdict::Benign),
    ("insufficient_data", Verdict::InsufficientData),
];
const SEVERITIES: &[(&str, Severity)] =
    &[("low", Severity::Low), ("medium", Severity::Medium), ("high", Severity::High), ("critical", Severity::Critical)];
const ENTITIES: &[&str] = &[
    "node",
    "pod",
    "container",
    "process",
    "file",
    "content",
    "address",
    "identity",
    "cloud_resource",
    "cluster_object",
];

impl Condition {
    /// Whether the case has it.
    pub fn holds(&self, case: &Case) -> bool {
        match self {
            Self::Verdict(wanted) => wanted.contains(&case.verdict),
            Self::ConfidenceAtLeast(least) => case.confidence >= *least,
            Self::SeverityAtLeast(least) => case.severity >= *least,
            Self::Technique(wanted) => case.techniques.iter().any(|technique| wanted.contains(technique)),
            Self::Entity(wanted) => {
                case.entities.iter().any(|entity| wanted.iter().any(|kind| kind == kind_of(entity)))
            }
        }
    }
}

pub(super) fn compile(reader: &Reader<'_>, given: &Spanned<syntax::Fact>) -> Result<Condition, SyntaxError> {
    let fact = &given.value;
    match (fact.name.value.as_str(), &fact.any_of, &fact.at_least) {
        ("verdict", Some(words), None) => named(reader, words, VERDICTS).map(Condition::Verdict),
        ("technique", Some(words), None) => {
            for word in &words.value {
                if !is_technique(&word.value) {
                    let problem = format!("{:?} is no ATT&CK technique", word.value);
                    return Err(reader.refuse(word, "technique", problem, "T1234 or T1234.001"));
                }
            }
            texts(reader, words).map(Condition::Technique)
        }
        ("entity", Some(words), None) => {
            if let Some(word) = words.value.iter().find(|word| !ENTITIES.contains(&word.value.as_str())) {
                let problem = format!("{:?} is no kind of entity", word.value);
                return Err(reader.refuse(word, "entity", problem, &ENTITIES.join(", ")));
            }
            texts(reader, words).map(Condition::Entity)
        }
        ("confidence", None, Some(least)) => match &least.value {
            Scalar::Number(number) if *number <= 100 => {
                Ok(Condition::ConfidenceAtLeast(u8::try_from(*number).expect("the guard says at most 100")))
            }
            _ => Err(reader.refuse(least, "confidence", "it is no confidence", "0 to 100")),
        },
        ("severity", None, Some(least)) => match &least.value {
            Scalar::Word(word) => named_one(reader, least, word, SEVERITIES).map(Condition::SeverityAtLeast),
            Scalar::Number(_) => Err(reader.refuse(least, "severity", "it is no severity", &names(SEVERITIES))),
        },
        ("verdict" | "technique" | "entity", ..) => {
            Err(reader.refuse(given, "trigger", format!("{} is compared with a list", fact.name.value), "any_of"))
        }
        ("confidence" | "severity", ..) => {
            Err(reader.refuse(given, "trigger", format!("{} is compared with a least", fact.name.value), "at_least"))
        }
        (other, ..) => Err(reader.refuse(&fact.name, "fact", format!("{other:?} is no fact of a case"), FACTS)),
    }
}

fn texts(reader: &Reader<'_>, words: &Spanned<Vec<Spanned<String>>>) -> Result<Vec<String>, SyntaxError> {
    if words.value.is_empty() {
        return Err(reader.refuse(words, "any_of", "the list is empty and would never hold", "one word or more"));
    }
    Ok(words.value.iter().map(|word| word.value.clone()).collect())
}

fn named<T: Copy>(
    reader: &Reader<'_>,
    words: &Spanned<Vec<Spanned<String>>>,
    table: &[(&str, T)],
) -> Result<Vec<T>, SyntaxError> {
    texts(reader, words)?;
    words.value.iter().map(|word| named_one(reader, word, &word.value, table)).collect()
}

fn named_one<T: Copy, S>(
    reader: &Reader<'_>,
    at: &Spanned<S>,
    word: &str,
    table: &[(&str, T)],
) -> Result<T, SyntaxError> {
    let found = table.iter().find(|(name, _)| *name == word).map(|(_, value)| *value);
    found.ok_or_else(|| reader.refuse(at, word, "this word is not known here", &names(table)))
}

fn names<T>(table: &[(&str, T)]) -> String {
    table.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

fn is_technique(text: &str) -> bool {
    let digits = |part: &str, count: usize| part.len() == count && part.bytes().all(|byte| byte.is_ascii_digit());
    let Some(rest) = text.strip_prefix('T') else { return false };
    match rest.split_once('.') {
        None => digits(rest, 4),
        Some((main, sub)) => digits(main, 4) && digits(sub, 3),
    }
}

fn kind_of(entity: &Entity) -> &'static str {
    match entity {
        Entity::Node { .. } => "node",
        Entity::Pod { .. } => "pod",
        Entity::Container { .. } => "container",
        Entity::Process { .. } => "process",
        Entity::File { .. } => "file",
        Entity::Content { .. } => "content",
        Entity::Address { .. } => "address",
        Entity::Identity { .. } => "identity",
        Entity::CloudResource { .. } => "cloud_resource",
        Entity::ClusterObject { .. } => "cluster_object",
    }
}
