//! Indicators from the configured files. Takes paths; gives the set. A file that cannot be read ends the start; an entry that cannot be used
//! is said and left out: such files are written by others.

use std::path::{Path, PathBuf};
use std::{fs, io};

use rules::indicators::{FILE_BYTES, Set};

/// Files of all folders.
const FILES: usize = 1000;

/// A file or a folder cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("read {path}")]
pub struct IndicatorsError {
    path: PathBuf,
    #[source]
    cause: io::Error,
}

/// Reads files, and those of folders that end in `.csv` or `.json`.
pub fn read(configured: &[PathBuf]) -> Result<Set, IndicatorsError> {
    let mut paths = Vec::new();
    for path in configured {
        find(path, &mut paths).map_err(|cause| IndicatorsError { path: path.clone(), cause })?;
    }
    let mut failure = None;
    let files = paths.iter().map_while(|path| match one(path) {
        Ok(bytes) => Some((path.display().to_string(), bytes)),
        Err(cause) => {
            failure = Some(IndicatorsError { path: path.clone(), cause });
            None
        }
    });
    let (set, errors) = Set::load(files);
    for error in errors {
        tracing::warn!(%error, "an indicator is left out");
    }
    if !paths.is_empty() {
        tracing::info!(files = paths.len(), indicators = set.indicators().len(), "indicators are loaded");
    }
    failure.map_or(Ok(set), Err)
}

fn one(path: &Path) -> io::Result<Vec<u8>> {
    if fs::metadata(path)?.len() > FILE_BYTES as u64 {
        return Err(io::Error::other(format!("larger than {FILE_BYTES} bytes")));
    }
    fs::read(path)
}

/// The file, or those of the folder in order of their names.
fn find(path: &Path, paths: &mut Vec<PathBuf>) -> io::Result<()> {
    if !fs::metadata(path)?.is_dir() {
        paths.push(path.to_owned());
        return Ok(());
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(path)? {
        let path = entry?.path();
        let is_ours = path.extension().is_some_and(|extension| extension == "csv" || extension == "json");
        if is_ours && path.is_file() {
            found.push(path);
        }
        if paths.len() + found.len() > FILES {
            return Err(io::Error::other(format!("more than {FILES} files")));
        }
    }
    found.sort();
    paths.append(&mut found);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_folders_are_read_and_a_broken_entry_stops_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("it is ours");
        write("b.csv", "type,value\ndomain,b.example\ndomain,broken\n");
        write("a.json", r#"{"objects": [{"type": "indicator", "pattern": "[domain-name:value = 'a.example']"}]}"#);
        write("notes.txt", "nothing of ours");
        let set = read(&[folder.path().to_owned()]).expect("both are there");
        let names: Vec<String> = set.indicators().iter().map(|one| one.kind.to_string()).collect();
        assert_eq!(names, ["a.example", "b.example"]);
        let error = read(&[folder.path().join("gone.csv")]).expect_err("it is not there").to_string();
        assert!(error.starts_with("read ") && error.ends_with("gone.csv"), "{error}");
    }
}
