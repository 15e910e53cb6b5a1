//! Stops that end by themselves: who is held, until when, and what happens then.
//!
//! Takes holds and releases; gives those that are over. Kept on disk, so that an agent that begins again goes on holding, and
//! nobody stays stopped because an agent died. Holds of another boot are forgotten: their processes are gone.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use proto::v1::ProcessKey;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// A file of holds is some kilobytes.
const FILE_BYTES: u64 = 4 << 20;
/// Processes that are held at once. Beyond it nobody new is held: it is let go after its capture.
pub(super) const HELD: usize = 1024;

/// What happens to a process when nobody renewed its hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AfterHold {
    /// It goes on.
    Resume,
    /// It is ended.
    Kill,
}

/// A process that is held stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Its pid.
    pub pid: u32,
    /// Its start.
    pub start_ns: u64,
    /// `CLOCK_BOOTTIME` at which the hold is over.
    pub until_ns: u64,
    /// What happens then.
    pub then: AfterHold,
    /// Capture or order for which it is held.
    pub cause: String,
}

impl Lease {
    /// The process.
    pub fn key(&self) -> ProcessKey {
        ProcessKey { pid: self.pid, start_ns: self.start_ns }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    boot_id: String,
    leases: Vec<Lease>,
}

/// All holds.
#[derive(Debug)]
pub struct Leases {
    path: PathBuf,
    kept: Kept,
}

impl Leases {
    /// The holds that a file keeps of this boot; none where there is no file, or where it is of another boot.
    pub fn open(path: PathBuf, boot_id: &str) -> io::Result<Self> {
        let empty = || Kept { boot_id: boot_id.to_owned(), leases: Vec::new() };
        let kept = load(&path)?.filter(|kept: &Kept| kept.boot_id == boot_id).unwrap_or_else(empty);
        Ok(Self { path, kept })
    }

    /// Holds a process, or renews its hold. False: too many are held.
    pub fn hold(&mut self, lease: Lease) -> io::Result<bool> {
        self.kept.leases.retain(|held| held.key() != lease.key());
        if self.kept.leases.len() >= HELD {
            return Ok(false);
        }
        self.kept.leases.push(lease);
        save(&self.path, &self.kept)?;
        Ok(true)
    }

    /// Ends a hold. Gives it, where there was one.
    pub fn release(&mut self, key: ProcessKey) -> io::Result<Option<Lease>> {
        let Some(at) = self.kept.leases.iter().position(|held| held.key() == key) else { return Ok(None) };
        let lease = self.kept.leases.remove(at);
        save(&self.path, &self.kept)?;
        Ok(Some(lease))
    }

    /// The holds that are over. They stay until they are released: an agent that dies in between does it again.
    pub fn over(&self, now_ns: u64) -> Vec<Lease> {
        self.kept.leases.iter().filter(|lease| lease.until_ns <= now_ns).cloned().collect()
    }

    /// Every hold.
    pub fn all(&self) -> &[Lease] {
        &self.kept.leases
    }
}

/// A JSON file; `None` where there is none. One that cannot be read is an error: what it held would be forgotten.
pub(crate) fn load<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    match fs::metadata(path) {
        Ok(told) if told.len() > FILE_BYTES => {
            return Err(io::Error::other(format!("{} is too large", path.display())));
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    }
    serde_json::from_slice(&fs::read(path)?).map(Some).map_err(io::Error::other)
}

/// Writes a JSON file whole: beside, synced, then renamed.
pub(crate) fn save(path: &Path, value: &impl Serialize) -> io::Result<()> {
    use std::io::Write;
    let beside = path.with_extension("new");
    let mut file = fs::File::create(&beside)?;
    file.write_all(&serde_json::to_vec_pretty(value).map_err(io::Error::other)?)?;
    file.sync_all()?;
    fs::rename(&beside, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(pid: u32, until_ns: u64) -> Lease {
        Lease { pid, start_ns: 1, until_ns, then: AfterHold::Resume, cause: "capture".to_owned() }
    }

    #[test]
    fn holds_outlive_the_agent_and_not_the_boot() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("leases.json");
        let mut leases = Leases::open(path.clone(), "boot").expect("there is no file");
        assert!(leases.hold(lease(5, 100)).expect("it can be written"));
        let leases = Leases::open(path.clone(), "boot").expect("it can be read");
        assert_eq!(leases.over(99), []);
        assert_eq!(leases.over(100), [lease(5, 100)]);
        assert!(Leases::open(path, "another boot").expect("it can be read").all().is_empty());
    }

    #[test]
    fn a_renewed_hold_is_one_hold() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut leases = Leases::open(folder.path().join("leases.json"), "boot").expect("there is no file");
        leases.hold(lease(5, 100)).expect("it can be written");
        leases.hold(lease(5, 200)).expect("it can be written");
        assert_eq!(leases.all(), [lease(5, 200)]);
        let key = ProcessKey { pid: 5, start_ns: 1 };
        assert_eq!(leases.release(key).expect("it can be written"), Some(lease(5, 200)));
        assert_eq!(leases.release(key).expect("it can be written"), None);
    }

    #[test]
    fn a_broken_file_is_an_error_and_not_forgotten() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("leases.json");
        fs::write(&path, "{").expect("it can be written");
        assert!(Leases::open(path, "boot").is_err());
    }
}
