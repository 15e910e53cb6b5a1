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
