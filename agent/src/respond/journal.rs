//! What became of each order: a repeated one gets its first result, also after the agent began again. The responder writes it, the sender
//! reads it.
//!
//! Takes order ids and results; gives the result that is known. An order is noted before it is carried out: one that was begun
//! and has no result is looked at again by its state, not done blindly twice. Bounded: the oldest are forgotten.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use prost::Message;
use proto::v1::OrderResult;
use sha2::{Digest, Sha256};

/// A result is a few lines of text; a larger file is not ours.
const RESULT_BYTES: u64 = 256 << 10;

/// Where an order stands.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing {
    /// Never seen.
    New,
    /// It was begun, and the agent ended before its result was known.
    Begun,
    /// This came of it.
    Done(Box<OrderResult>),
}

/// The orders of this node. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Journal {
    folder: PathBuf,
    limit: usize,
}

impl Journal {
    /// The journal in a folder, of at most `limit` orders.
    pub fn open(folder: PathBuf, limit: usize) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        Ok(Self { folder, limit })
    }

    /// Where an order stands; a new one is noted as begun.
    pub fn begin(&self, order_id: &str) -> io::Result<Standing> {
        let path = self.path(order_id);
        if !path.try_exists()? {
            self.forget_oldest()?;
            fs::File::create(&path)?.sync_all()?;
            return Ok(Standing::New);
        }
        Ok(self.result(order_id)?.map_or(Standing::Begun, |result| Standing::Done(Box::new(result))))
    }

    /// The result of an order, where it has one that can be read.
    pub fn result(&self, order_id: &str) -> io::Result<Option<OrderResult>> {
        Ok(read(&self.path(order_id))?.filter(|result| result.order_id == order_id))
    }

    /// The newest results, at most so many, oldest first.
    pub fn newest(&self, most: usize) -> io::Result<Vec<OrderResult>> {
        let mut newest = Vec::new();
        for path in self.files()?.iter().rev() {
            if newest.len() == most {
                break;
            }
            newest.extend(read(path)?);
        }
        newest.reverse();
        Ok(newest)
    }

    /// Keeps a result: on disk before it is sent.
    pub fn finish(&self, result: &OrderResult) -> io::Result<()> {
        let path = self.path(&result.order_id);
        let beside = path.with_extension("new");
        fs::write(&beside, result.encode_to_vec())?;
        fs::File::open(&beside)?.sync_all()?;
        fs::rename(&beside, &path)
    }

    /// Names come from outside: the file's name is their hash.
    fn path(&self, order_id: &str) -> PathBuf {
        self.folder.join(hex::encode(&Sha256::digest(order_id)[..16]))
    }

    /// Oldest first.
    fn files(&self) -> io::Result<Vec<PathBuf>> {
        let entries = fs::read_dir(&self.folder)?.flatten();
        let aged = entries.filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())));
        let mut files: Vec<(_, PathBuf)> = aged.collect();
        files.sort();
        Ok(files.into_iter().map(|(_, path)| path).collect())
    }

    fn forget_oldest(&self) -> io::Result<()> {
        let files = self.files()?;
        let over = (files.len() + 1).saturating_sub(self.limit);
        files.iter().take(over).try_for_each(|path| remove(path))
    }
}

/// Nothing: it is not there, too large, or no result (yet).
fn read(path: &Path) -> io::Result<Option<OrderResult>> {
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
        Ok(told) if told.len() == 0 || told.len() > RESULT_BYTES => return Ok(None),
        Ok(_) => {}
    }
    Ok(OrderResult::decode(fs::read(path)?.as_slice()).ok())
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_order_gets_its_first_result_also_from_a_new_agent() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let journal = Journal::open(folder.path().to_path_buf(), 8).expect("it can be made");
        assert_eq!(journal.begin("a/../b").expect("it can be written"), Standing::New);
        assert_eq!(journal.begin("a/../b").expect("it can be read"), Standing::Begun);
        let result = OrderResult { order_id: "a/../b".to_owned(), detail: "done".to_owned(), ..OrderResult::default() };
        journal.finish(&result).expect("it can be written");
        let again = Journal::open(folder.path().to_path_buf(), 8).expect("it is there");
        assert_eq!(again.begin("a/../b").expect("it can be read"), Standing::Done(Box::new(result.clone())));
        assert_eq!(again.newest(4).expect("it can be read"), [result]);
    }

    #[test]
    fn a_damaged_result_is_no_result() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let journal = Journal::open(folder.path().to_path_buf(), 8).expect("it can be made");
        fs::write(journal.path("a"), [0xff; 40]).expect("it can be written");
        assert_eq!(journal.begin("a").expect("it can be read"), Standing::Begun);
        assert!(journal.newest(4).expect("it can be read").is_empty());
    }

    #[test]
    fn the_journal_is_bounded() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let journal = Journal::open(folder.path().to_path_buf(), 8).expect("it can be made");
        for number in 0..12 {
            journal.begin(&number.to_string()).expect("it can be written");
        }
        assert_eq!(fs::read_dir(folder.path()).expect("it is there").count(), 8);
    }
}
