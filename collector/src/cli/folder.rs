//! A bundle that was unpacked. Takes a folder; gives its files by their names below it. Follows no link: what one points to was not in
//! the bundle.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use collector_core::custody::Files;

use super::evidence::{BUNDLE_FILES, FILE_BYTES};

/// Folders in folders; a bundle has three.
const DEPTH: usize = 8;

/// A folder as named bytes.
pub(super) struct Folder {
    root: PathBuf,
    names: BTreeSet<String>,
}

impl Folder {
    pub(super) fn open(root: &Path) -> Result<Self> {
        let mut names = BTreeSet::new();
        list(root, "", DEPTH, &mut names)?;
        Ok(Self { root: root.to_owned(), names })
    }
}

fn list(folder: &Path, before: &str, depth: usize, names: &mut BTreeSet<String>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("list {}", folder.display()))?;
        let path = entry.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            bail!("{}: a name that is no text", path.display());
        };
        let name = format!("{before}{name}");
        let kind = entry.file_type().with_context(|| format!("look at {}", path.display()))?;
        if kind.is_dir() {
            if depth == 0 {
                bail!("{}: folders are deeper than in any bundle of ours", path.display());
            }
            list(&path, &format!("{name}/"), depth - 1, names)?;
        } else {
            names.insert(name);
        }
        if names.len() > BUNDLE_FILES {
            bail!("{} has more than {BUNDLE_FILES} files: that is not a bundle of ours", folder.display());
        }
    }
    Ok(())
}

impl Files for Folder {
    fn names(&self) -> Vec<String> {
        self.names.iter().cloned().collect()
    }

    fn read(&self, name: &str) -> Option<Vec<u8>> {
        if !self.names.contains(name) {
            return None;
        }
        let path = self.root.join(name);
        if !fs::symlink_metadata(&path).ok()?.is_file() {
            return None;
        }
        let mut bytes = Vec::new();
        // A file that cannot be read to its end is read as far as it goes: its hash then says that it is not what was sealed.
        File::open(path).ok()?.take(FILE_BYTES).read_to_end(&mut bytes).ok();
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_from_the_root_and_a_link_gives_nothing() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir_all(folder.path().join("captures/c1")).expect("a folder of our own");
        fs::write(folder.path().join("captures/c1/a1"), b"bytes").expect("a file of our own");
        std::os::unix::fs::symlink("/etc/hostname", folder.path().join("link")).expect("a link of our own");
        let files = Folder::open(folder.path()).expect("it is there");
        assert_eq!(files.names(), ["captures/c1/a1", "link"]);
        assert_eq!(files.read("captures/c1/a1").as_deref(), Some(&b"bytes"[..]));
        assert_eq!((files.read("link"), files.read("../x"), files.read("captures/c1/../c1/a1")), (None, None, None));
    }
}
