//! The part of a journal that goes with one case. Takes the whole journal and a case; gives lines in which other cases' records are only their
//! hashes, so that the chain verifies from the first record to the last and nothing of another case is shown.

use serde::{Deserialize, Serialize};

use super::chain::{Broken, Chain, GENESIS};
use super::record::Record;
use crate::model::CaseId;

/// One line of `custody.jsonl`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "line")]
pub enum Line {
    /// A record of the case, or of none.
    Record(Box<Record>),
    /// A record of another case.
    Sealed(Sealed),
}

/// A record of which only its place in the chain is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// Its number.
    pub sequence: u64,
    /// sha256, hex, of what it says.
    pub content: String,
    /// Its hash.
    pub hash: String,
}

/// The lines for one case.
pub fn slice(journal: &[Record], case_id: &CaseId) -> Vec<Line> {
    let line = |record: &Record| match &record.case_id {
        Some(other) if other != case_id => Line::Sealed(Sealed {
            sequence: record.sequence,
            content: Chain::content(record),
            hash: record.hash.clone(),
        }),
        _ => Line::Record(Box::new(record.clone())),
    };
    journal.iter().map(line).collect()
}

/// Whether the lines are a whole chain from the first record on; gives the number and the hash of the last.
pub fn verify(lines: &[Line]) -> Result<(u64, String), Broken> {
    let (mut sequence, mut hash) = (0_u64, GENESIS.to_owned());
    for line in lines {
        match line {
            Line::Record(record) => Chain::verify_after(&hash, sequence, std::slice::from_ref(record.as_ref()))?,
            Line::Sealed(sealed) => {
                let broken = |why: &str| Broken { sequence: sealed.sequence, why: why.to_owned() };
                if Some(sealed.sequence) != sequence.checked_add(1) {
                    return Err(broken("it does not follow on the line before"));
                }
                if Chain::link(&hash, &sealed.content) != sealed.hash {
                    return Err(broken("its hash does not follow from the record before and its content"));
                }
            }
        }
        (sequence, hash) = match line {
            Line::Record(record) => (record.sequence, record.hash.clone()),
            Line::Sealed(sealed) => (sealed.sequence, sealed.hash.clone()),
        };
    }
    Ok((sequence, hash))
}
