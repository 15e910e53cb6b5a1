//! What must hold before a report leaves. Takes a document; gives what is wrong with it. Never repairs: a report with a problem is not written.

use super::document::{Document, Sentence};
use super::summary::{MAX_WORDS, count, texts};

/// Something that must not be in a report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A sentence names evidence that is not in the table.
    #[error("a sentence rests on nothing in the table of evidence: {text}")]
    NoEvidence {
        /// The sentence.
        text: String,
    },
    /// A number of the first page is not the body's.
    #[error("the first page says {said} {what}, the body has {counted}")]
    Number {
        /// What is counted.
        what: String,
        /// On the first page.
        said: u64,
        /// In the body.
        counted: u64,
    },
    /// The first page is too long.
    #[error("the first page has {words} words, at most {MAX_WORDS} are read")]
    TooLong {
        /// How many it has.
        words: usize,
    },
    /// The first page has something that only specialists read.
    #[error("the first page says {word:?}")]
    Jargon {
        /// What.
        word: String,
    },
}

/// Everything that is wrong; empty where the report may leave.
pub fn lint(document: &Document) -> Vec<Problem> {
    let mut problems = Vec::new();
    for sentence in sentences(document) {
        let known = |number: &usize| document.evidence.iter().any(|row| row.number == *number);
        if sentence.evidence.is_empty() || !sentence.evidence.iter().all(known) {
            problems.push(Problem::NoEvidence { text: sentence.text.clone() });
        }
    }
    for tile in &document.summary.tiles {
        let counted = count(tile.counts, &document.impact, &document.response);
        if counted != tile.value {
            problems.push(Problem::Number { what: tile.label.clone(), said: tile.value, counted });
        }
    }
    let texts = texts(document);
    let words: usize = texts.iter().map(|text| text.split_whitespace().count()).sum();
    if words > MAX_WORDS {
        problems.push(Problem::TooLong { words });
    }
    let words = texts.iter().flat_map(|text| text.split_whitespace());
    problems.extend(words.filter(|word| is_jargon(word)).map(|word| Problem::Jargon { word: word.to_owned() }));
    problems
}

/// An address, a hash, a key id or a technique number.
fn is_jargon(word: &str) -> bool {
    let word = word.trim_matches(|letter: char| !letter.is_ascii_alphanumeric() && letter != ':');
    let is_address = word.parse::<std::net::IpAddr>().is_ok()
        || (word.matches('.').count() == 3 && word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'));
    let is_hash = word.len() >= 12 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_key = word.starts_with("AKIA") || word.starts_with("ASIA") || word.starts_with("arn:");
    let mut rest = word.bytes();
    let is_technique = rest.next() == Some(b'T') && word.len() >= 5 && rest.take(4).all(|byte| byte.is_ascii_digit());
    is_address || is_hash || is_key || is_technique
}

/// Every factual sentence of the body.
fn sentences(document: &Document) -> Vec<&Sentence> {
    let impact = &document.impact;
    let mut all: Vec<&Sentence> = Vec::new();
    all.extend(document.reasons_for.iter().chain(&document.reasons_against));
    all.extend(document.analysis.iter().flat_map(|tactic| &tactic.findings).map(|finding| &finding.title));
    all.extend(impact.systems.iter().chain(&impact.identities).chain(&impact.calls));
    all.extend(impact.connections.iter().map(|connection| &connection.why));
    for plan in &document.response {
        all.push(&plan.proposed);
        all.extend(&plan.approvals);
        all.extend(plan.steps.iter().flat_map(|step| step.reasons.iter().chain(&step.result)));
    }
    all.extend(document.causes.iter().map(|cause| &cause.seen));
    all.extend(document.indicators.iter().map(|indicator| &indicator.why));
    let completeness = &document.completeness;
    all.extend(completeness.nodes.iter().chain(&completeness.accounts).chain(&completeness.losses));
    all
}
