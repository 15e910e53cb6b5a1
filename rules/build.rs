//! Finds the rules below `content/` and writes the list by which they are embedded. Takes the folder; gives `content.rs` among what is
//! built: one expression, a list of (path below the folder, text), in order of the paths.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

const FOLDER: &str = "content";

fn main() {
    println!("cargo::rerun-if-changed={FOLDER}");
    let folder =
        PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo tells a build script its crate")).join(FOLDER);
    let mut files = BTreeMap::new();
    find(&folder, &folder, &mut files).expect("the folder of rules is readable");
    let mut list = String::from("&[\n");
    for (name, path) in files {
        // The text and not its path: what is built may outlive the folder that it was built in.
        let text = fs::read_to_string(&path).expect("rules are text");
        writeln!(list, "    ({name:?}, {text:?}),").expect("a string takes all that is written to it");
    }
    list.push_str("]\n");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo tells a build script where to write"));
    fs::write(out.join("content.rs"), list).expect("the list of rules is written");
}

/// All files below a folder, by their path from the first one, with `/` between.
fn find(root: &Path, folder: &Path, found: &mut BTreeMap<String, PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            find(root, &path, found)?;
        } else {
            let below = path.strip_prefix(root).expect("the path is below the root");
            let names: Vec<_> = below.iter().map(|name| name.to_string_lossy()).collect();
            found.insert(names.join("/"), path);
        }
    }
    Ok(())
}
