//! The sender's place in the log: the last position that the collector has made durable. Takes positions; keeps the highest
//! one in a small file that is replaced as a whole. Never goes back, and never stops the agent: a cursor that is gone or
//! unreadable is zero, and the collector says in its welcome what it already has.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A cursor file is one short line; a longer one is not ours.
const FILE_BYTES: usize = 128;

/// The last acknowledged position, and the file that remembers it.
#[derive(Debug)]
pub struct Cursor {
    path: PathBuf,
    /// Private: only rises.
    position: u64,
}

impl Cursor {
    /// Reads the cursor of this log. One of another log (its id is in the file) counts as none.
    pub fn open(path: PathBuf, log_id: &str) -> Self {
        let position = read(&path, log_id).unwrap_or(0);
        Self { path, position }
    }

    /// The last acknowledged position; 0 where there is none.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Moves on to `position`, and says whether it did: a lower one is an old acknowledgement.
    ///
    /// The file is replaced by rename, so a reader sees the old or the new one and nothing between. It is not synced: after a power
    /// cut the cursor may be old, which costs sending some blocks again, and nothing else.
    pub fn advance(&mut self, position: u64, log_id: &str) -> io::Result<bool> {
        if position <= self.position {
            return Ok(false);
        }
        self.position = position;
        let beside = self.path.with_extension("new");
        let mut file = std::fs::File::create(&beside)?;
        writeln!(file, "{log_id} {position}")?;
        drop(file);
        std::fs::rename(&beside, &self.path)?;
        Ok(true)
    }
}

fn read(path: &Path, log_id: &str) -> Option<u64> {
    let bytes = std::fs::read(path).ok()?;
    let text = std::str::from_utf8(bytes.get(..bytes.len().min(FILE_BYTES))?).ok()?;
    // A line without its end was cut off: "12" may have been "123".
    let (id, position) = text.strip_suffix('\n')?.split_once(' ')?;
    if id == log_id { position.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(file: Option<&[u8]>) -> u64 {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("cursor");
        if let Some(bytes) = file {
            std::fs::write(&path, bytes).expect("the folder is writable");
        }
        Cursor::open(path, "ab").position()
    }

    #[test]
    fn a_cursor_survives_the_agent() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("cursor");
        assert!(Cursor::open(path.clone(), "ab").advance(7, "ab").expect("writable"));
        assert_eq!(Cursor::open(path, "ab").position(), 7);
    }

    #[test]
    fn a_cursor_never_goes_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut cursor = Cursor::open(folder.path().join("cursor"), "ab");
        assert!(cursor.advance(7, "ab").expect("writable"));
        assert!(!cursor.advance(6, "ab").expect("writable"));
        assert_eq!(cursor.position(), 7);
    }

    #[test]
    fn a_cursor_cut_off_at_any_byte_is_none_and_never_a_lower_number() {
        let whole = b"ab 1234\n";
        for length in 0..whole.len() {
            assert_eq!(check(Some(&whole[..length])), 0, "cut at {length}");
        }
        assert_eq!(check(Some(whole)), 1234);
    }

    #[test]
    fn the_cursor_of_another_log_is_none() {
        assert_eq!(check(Some(b"cd 99\n")), 0);
        assert_eq!(check(None), 0);
    }

    #[test]
    fn a_replacement_that_never_happened_leaves_the_old_cursor() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("cursor");
        Cursor::open(path.clone(), "ab").advance(7, "ab").expect("writable");
        // A crash between writing the file beside and renaming it.
        std::fs::write(path.with_extension("new"), b"ab 9").expect("writable");
        assert_eq!(Cursor::open(path, "ab").position(), 7);
    }
}
