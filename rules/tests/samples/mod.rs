//! Where the sample data lies that no test may require: `MAYFLY_DATA`, or the folder of samples beside the repository.
//!
//! Takes the name of a file or folder there; gives its path, or says on the test's output that the check was skipped.

use std::path::{Path, PathBuf};

/// The path of a sample, or `None` after printing `skipped: …`.
pub(crate) fn sample(name: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared").join("data");
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

/// The lines of every `.jsonl` under a folder of samples.
#[allow(dead_code, reason = "each test binary compiles this module and uses what it needs")]
pub(crate) fn every_line(name: &str) -> Vec<serde_json::Value> {
    let mut folders: Vec<_> = sample(name).into_iter().collect();
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a sample folder is readable") {
            let path = entry.expect("a sample folder is readable").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "jsonl") {
                files.push(path);
            }
        }
    }
    files.sort();
    let texts = files.into_iter().map(|file| std::fs::read_to_string(file).expect("a sample is readable"));
    texts
        .flat_map(|text| text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect::<Vec<_>>())
        .collect()
}
