//! Indicators from the configured files. Takes a [`Config`]; gives the set. A file that is not there ends the start, as a rule's would; an
//! entry that cannot be used does not: such files are written by others, and nobody here can mend them.

use std::path::{Path, PathBuf};
use std::{fs, io};

use rules::indicators::{FILE_BYTES, Set};

use super::RunError;
use crate::config::Config;

/// Files of all folders: what a feed writes, not an archive.
const FILES: usize = 1000;

/// Entries that are named in the log; the rest is counted.
const NAMED: usize = 20;

/// Reads all files.
pub(super) fn read(config: &Config) -> Result<Set, RunError> {
    let mut paths = Vec::new();
    for path in &config.rules.indicators {
        find(path, &mut paths)?;
    }
    let mut failure = None;
    let files = paths.iter().map_while(|path| match one(path) {
        Ok(bytes) => Some((path.display().to_string(), bytes)),
        Err(cause) => {
            failure = Some(failed(path, cause));
            None
        }
    });
    let (set, errors) = Set::load(files);
    if let Some(failure) = failure {
        return Err(failure);
    }
    for error in errors.iter().take(NAMED) {
        tracing::warn!(%error, "an indicator is left out");
    }
    if errors.len() > NAMED {
        tracing::warn!(more = errors.len() - NAMED, "further indicators are left out");
    }
    if !paths.is_empty() {
        tracing::info!(files = paths.len(), indicators = set.indicators().len(), "indicators are loaded");
    }
    Ok(set)
}

fn failed(path: &Path, cause: io::Error) -> RunError {
    RunError::File { doing: "read indicators", path: path.to_owned(), cause }
}

fn one(path: &Path) -> io::Result<Vec<u8>> {
    if fs::metadata(path)?.len() > FILE_BYTES as u64 {
        return Err(io::Error::other(format!("larger than {FILE_BYTES} bytes")));
    }
    fs::read(path)
}

/// The file, or those of the folder in order of their names.
fn find(path: &Path, paths: &mut Vec<PathBuf>) -> Result<(), RunError> {
    let failed = |cause| failed(path, cause);
    if !fs::metadata(path).map_err(failed)?.is_dir() {
        paths.push(path.to_owned());
        return Ok(());
    }
    let start = paths.len();
    for entry in fs::read_dir(path).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "csv" || extension == "json") && path.is_file() {
            paths.push(path);
        }
        if paths.len() > FILES {
            return Err(failed(io::Error::other(format!("more than {FILES} files"))));
        }
    }
    paths[start..].sort();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(paths: &[PathBuf]) -> String {
        let mut config = Config::default();
        config.rules.indicators = paths.to_vec();
        match read(&config) {
            Ok(set) => set.indicators().iter().map(|one| one.kind.to_string()).collect::<Vec<_>>().join(" "),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn files_and_folders_are_read_and_a_broken_entry_stops_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("it is ours");
        write("b.csv", "type,value\ndomain,b.example\ndomain,broken\n");
        write("a.csv", "type,value\ndomain,a.example\n");
        write("notes.txt", "nothing of ours");
        write("c.json", r#"{"objects": [{"type": "indicator", "pattern": "[url:value = 'http://c.example/']"}]}"#);
        assert_eq!(check(&[folder.path().to_owned()]), "a.example b.example http://c.example/");
        assert_eq!(check(&[folder.path().join("b.csv")]), "b.example");
        let gone = check(&[folder.path().join("gone.csv")]);
        assert!(gone.starts_with("read indicators ") && gone.ends_with("gone.csv"), "{gone}");
        assert_eq!(check(&[]), "");
    }
}
