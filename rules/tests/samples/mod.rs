//! Where the sample data lies that no test may require: `MAYFLY_DATA`, or `../shared/data` beside the repository.
//!
//! Takes the name of a file or folder there; gives its path, or says on the test's output that the check was skipped.

use std::path::{Path, PathBuf};

/// The path of a sample, or `None` after printing `skipped: …`.
pub(crate) fn sample(name: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let folder = std::env::var_os("MAYFLY_DATA").map_or(beside, PathBuf::from);
    let path = folder.join(name);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: {name} is not there (set MAYFLY_DATA to the folder of sample data)");
    None
}

/// The lines of a sample as JSON.
pub(crate) fn lines(name: &str) -> Vec<serde_json::Value> {
    let Some(path) = sample(name) else { return Vec::new() };
    let text = std::fs::read_to_string(path).expect("a sample is readable");
    text.lines().map(|line| serde_json::from_str(line).expect("a sample has one JSON value a line")).collect()
}

/// Every `.yml` under a folder of samples: (path inside it, text).
pub(crate) fn rule_files(name: &str) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut folders: Vec<_> = sample(name).into_iter().collect();
    let root = folders.first().cloned().unwrap_or_default();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a sample folder is readable") {
            let path = entry.expect("a sample folder is readable").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "yml") {
                let text = std::fs::read_to_string(&path).expect("a sample is readable");
                let name = path.strip_prefix(&root).expect("the path is under the folder").display().to_string();
                files.push((name, text));
            }
        }
    }
    files.sort();
    files
}
