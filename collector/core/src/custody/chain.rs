//! The rule by which records hang together. Takes the record before and a draft; gives the next record, and says where a given chain is
//! broken. Never repairs.

use super::record::{Draft, Record};
use crate::canonical;

/// What the first record hangs on: nothing came before it.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Where a chain is broken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("journal record {sequence}: {why}")]
pub struct Broken {
    /// Number of the record that does not fit, as it says itself.
    pub sequence: u64,
    /// In which way.
    pub why: String,
}

/// One append-only journal per collector: a record holds the hash of the one before, so nothing can be changed, left out or put between
/// without every later hash being wrong.
#[derive(Clone, Copy, Debug)]
pub struct Chain;

impl Chain {
    /// The next record. Pure: the store keeps it, and only then is it the one before.
    pub fn append(previous: Option<&Record>, draft: Draft) -> Record {
        let Draft { time, actor, kind, case_id, body } = draft;
        let (sequence, before) =
            previous.map_or((1, GENESIS.to_owned()), |last| (last.sequence + 1, last.hash.clone()));
        let mut record = Record { sequence, time, actor, kind, case_id, body, previous: before, hash: String::new() };
        record.hash = Self::hash(&record);
        record
    }

    /// The hash of what a record says, without its place in the chain.
    pub fn content(record: &Record) -> String {
        let Record { sequence, time, actor, kind, case_id, body, previous: _, hash: _ } = record;
        canonical::digest(&serde_json::json!({
            "sequence": sequence, "time": time, "actor": actor, "kind": kind, "case_id": case_id, "body": body,
        }))
    }

    /// The hash that a record has, whatever `hash` says.
    pub fn hash(record: &Record) -> String {
        Self::link(&record.previous, &Self::content(record))
    }

    /// A record's place: what came before it, and what it says.
    pub fn link(previous: &str, content: &str) -> String {
        canonical::sha256(format!("{previous}{content}").as_bytes())
    }

    /// Whether `records` are a whole chain from the first record on.
    pub fn verify(records: &[Record]) -> Result<(), Broken> {
        Self::verify_after(GENESIS, 0, records)
    }

    /// Whether `records` follow on the record number `sequence` with this `hash`.
    pub fn verify_after(hash: &str, sequence: u64, records: &[Record]) -> Result<(), Broken> {
        let (mut hash, mut sequence) = (hash, sequence);
        for record in records {
            let broken = |why: String| Broken { sequence: record.sequence, why };
            if Some(record.sequence) != sequence.checked_add(1) {
                return Err(broken(format!("it stands after record {sequence}")));
            }
            if record.previous != hash {
                return Err(broken(
                    "it does not hang on the record before: one was changed, left out or put between".to_owned(),
                ));
            }
            let computed = Self::hash(record);
            if computed != record.hash {
                return Err(broken(format!(
                    "its content was changed: it says {}, its content has {computed}",
                    record.hash
                )));
            }
            (hash, sequence) = (&record.hash, record.sequence);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::custody::record::Kind;
    use crate::model::Moment;

    fn three() -> Vec<Record> {
        let mut records: Vec<Record> = Vec::new();
        for number in 1..=3 {
            let body = json!({ "number": number });
            let draft = Draft {
                time: Moment::exact(number),
                actor: "collector".to_owned(),
                kind: Kind::Finding,
                case_id: None,
                body,
            };
            records.push(Chain::append(records.last(), draft));
        }
        records
    }

    #[test]
    fn a_whole_chain_verifies() {
        assert_eq!(Chain::verify(&three()), Ok(()));
    }

    #[test]
    fn a_changed_record_is_named() {
        let mut records = three();
        records[1].body = json!({ "number": 7 });
        assert_eq!(Chain::verify(&records).map_err(|broken| broken.sequence), Err(2));
    }

    #[test]
    fn a_record_that_was_rehashed_after_a_change_breaks_the_next() {
        let mut records = three();
        records[1].actor = "nobody".to_owned();
        records[1].hash = Chain::hash(&records[1]);
        assert_eq!(Chain::verify(&records).map_err(|broken| broken.sequence), Err(3));
    }

    #[test]
    fn a_record_left_out_is_seen() {
        let mut records = three();
        records.remove(1);
        assert_eq!(Chain::verify(&records).map_err(|broken| broken.sequence), Err(3));
    }
}
