//! Rules of folders, over the embedded ones. Takes folders; gives names with texts as `rules::Engine` loads them, and what could not be read.
//! Bounded in files, bytes and depth; reads no link that leads out of its folder, and nothing whose name begins with a dot.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use rules::{Engine, LoadError};

/// Files in all folders together. The largest public collection has 4000 rules, which is also what an engine holds.
const FILES: usize = 10_000;
/// Of one file. An engine takes less, and says so with its own words.
const FILE_BYTES: u64 = 1 << 20;
/// Of all files.
const ALL_BYTES: usize = 64 << 20;
/// Folders in folders. Public collections have five.
const DEPTH: usize = 16;

/// What folders hold.
#[derive(Debug, Default)]
pub struct RuleFiles {
    files: Vec<RuleFile>,
    /// What could not be read; all else was.
    pub problems: Vec<Problem>,
    bytes: usize,
}

/// One file.
#[derive(Debug)]
struct RuleFile {
    /// Where it lies.
    name: String,
    /// Its path below the folder that was given: by that it replaces an embedded one.
    below: String,
    text: String,
}

/// Why a file or folder is left out.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {what}")]
pub struct Problem {
    /// Which one.
    pub path: PathBuf,
    /// What is wrong, and what is allowed.
    pub what: String,
}

/// An engine with the texts it was made of.
#[derive(Debug)]
pub struct Loaded {
    /// The rules that can be used.
    pub engine: Engine,
    /// Those that cannot.
    pub errors: Vec<LoadError>,
    /// Name and text of each file.
    pub texts: Vec<(String, String)>,
}

impl RuleFiles {
    /// Reads all `.yml` and `.yaml` files below the folders.
    pub fn read(folders: &[PathBuf]) -> Self {
        let mut found = Self::default();
        for folder in folders {
            found.add(folder);
        }
        found
    }

    /// Reads a folder, or a single file whatever its name.
    pub fn add(&mut self, path: &Path) {
        let looked = fs::canonicalize(path).and_then(|root| Ok((fs::metadata(&root)?.is_dir(), root)));
        match looked {
            Ok((true, root)) => self.folder(&root, path, "", DEPTH),
            Ok((false, _)) => {
                let below = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                self.file(path, below);
            }
            Err(cause) => self.problem(path, cause.to_string()),
        }
    }

    /// How many files were read.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Loads these files alone.
    pub fn load(self) -> Loaded {
        load(self.files.into_iter().map(|file| (file.name, file.text)).collect())
    }

    /// Loads the embedded rules with these over them: a file of the same path below its folder replaces an embedded one.
    pub fn load_over_embedded(self) -> Loaded {
        let replaced: BTreeSet<_> = self.files.iter().map(|file| file.below.as_str()).collect();
        let embedded = rules::content().iter().filter(|(path, _)| !replaced.contains(path));
        let mut texts: Vec<_> = embedded.map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        texts.extend(self.files.into_iter().map(|file| (file.name, file.text)));
        load(texts)
    }

    fn folder(&mut self, root: &Path, folder: &Path, before: &str, depth: usize) {
        let entries = match fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>) {
            Ok(entries) => entries,
            Err(cause) => return self.problem(folder, cause.to_string()),
        };
        let mut paths: Vec<_> = entries.iter().map(fs::DirEntry::path).collect();
        paths.sort();
        for path in paths {
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
                self.problem(&path, "a name that is no text".to_owned());
                continue;
            };
            if name.starts_with('.') {
                continue;
            }
            let below = format!("{before}{name}");
            let kind = match fs::symlink_metadata(&path) {
                Ok(metadata) => metadata.file_type(),
                Err(cause) => return self.problem(&path, cause.to_string()),
            };
            if kind.is_dir() {
                match depth.checked_sub(1) {
                    Some(depth) => self.folder(root, &path, &format!("{below}/"), depth),
                    None => self.problem(&path, format!("folders are deeper than {DEPTH}")),
                }
            } else if is_rule(&path) {
                if kind.is_symlink() && !leads_into(root, &path) {
                    self.problem(&path, "a link that leads out of the folder is not followed".to_owned());
                } else {
                    self.file(&path, below);
                }
            }
        }
    }

    fn file(&mut self, path: &Path, below: String) {
        if self.files.len() >= FILES || self.bytes >= ALL_BYTES {
            return self
                .problem(path, format!("left out: more than {FILES} files or {} MiB of rules", ALL_BYTES >> 20));
        }
        match read(path) {
            Ok(text) => {
                self.bytes += text.len();
                self.files.push(RuleFile { name: path.display().to_string(), below, text });
            }
            Err(what) => self.problem(path, what),
        }
    }

    fn problem(&mut self, path: &Path, what: String) {
        // One is enough to know that there are too many, and a folder may hold millions.
        if self.problems.len() < FILES {
            self.problems.push(Problem { path: path.to_owned(), what });
        }
    }
}

fn load(texts: Vec<(String, String)>) -> Loaded {
    let (engine, errors) = Engine::load(texts.iter().map(|(name, text)| (name.as_str(), text.as_str())));
    Loaded { engine, errors, texts }
}

fn is_rule(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "yml" || extension == "yaml")
}

fn leads_into(root: &Path, path: &Path) -> bool {
    fs::canonicalize(path).is_ok_and(|path| path.starts_with(root))
}

fn read(path: &Path) -> Result<String, String> {
    // A pipe would wait for ever, a device may have no end.
    if !fs::metadata(path).map_err(|cause| cause.to_string())?.is_file() {
        return Err("not a file".to_owned());
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|cause| cause.to_string())?;
    file.take(FILE_BYTES + 1).read_to_end(&mut bytes).map_err(|cause| cause.to_string())?;
    if bytes.len() as u64 > FILE_BYTES {
        return Err(format!("larger than {} KiB, which no rule is", FILE_BYTES >> 10));
    }
    String::from_utf8(bytes).map_err(|cause| format!("not UTF-8 at byte {}", cause.utf8_error().valid_up_to()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: &str = "title: T\nlogsource: {product: linux}\ndetection: {s: {Image: /x}, condition: s}\n";

    fn names(found: &RuleFiles, root: &Path) -> Vec<String> {
        let prefix = format!("{}/", root.display());
        found.files.iter().map(|file| file.name.replace(&prefix, "")).collect()
    }

    fn write(root: &Path, name: &str, text: impl AsRef<[u8]>) {
        let path = root.join(name);
        fs::create_dir_all(path.parent().expect("it is below the root")).expect("a folder of our own");
        fs::write(path, text).expect("a file of our own");
    }

    #[test]
    fn rules_of_all_folders_below_are_read_in_order_and_what_is_hidden_is_not() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in ["b.yml", "a/x/1.yaml", "a/note.md", ".git/2.yml"] {
            write(folder.path(), name, RULE);
        }
        let found = RuleFiles::read(&[folder.path().to_owned()]);
        assert_eq!(names(&found, folder.path()), ["a/x/1.yaml", "b.yml"]);
        assert!(found.problems.is_empty(), "{:?}", found.problems);
    }

    #[test]
    fn a_link_is_followed_within_the_folder_only() {
        let outside = tempfile::tempdir().expect("a temporary folder");
        let folder = tempfile::tempdir().expect("a temporary folder");
        write(outside.path(), "o.yml", RULE);
        write(folder.path(), ".data/in.yml", RULE);
        let link = |to: &Path, name: &str| std::os::unix::fs::symlink(to, folder.path().join(name)).expect("a link");
        link(&folder.path().join(".data/in.yml"), "in.yml");
        link(&outside.path().join("o.yml"), "out.yml");
        link(outside.path(), "folder");
        let found = RuleFiles::read(&[folder.path().to_owned()]);
        assert_eq!(names(&found, folder.path()), ["in.yml"]);
        let said: Vec<_> = found.problems.iter().map(ToString::to_string).collect();
        assert!(
            matches!(&said[..], [one] if one.ends_with("out.yml: a link that leads out of the folder is not followed")),
            "{said:?}"
        );
    }

    #[test]
    fn what_is_too_large_or_no_text_or_no_file_is_said_and_the_others_are_read() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        write(folder.path(), "good.yml", RULE);
        write(folder.path(), "large.yml", vec![b'#'; (1 << 20) + 1]);
        write(folder.path(), "latin.yml", b"title: \xff");
        let pipe = folder.path().join("pipe.yml");
        let listener = std::os::unix::net::UnixListener::bind(pipe).expect("a socket of our own");
        let mut found = RuleFiles::read(&[folder.path().to_owned(), folder.path().join("absent")]);
        drop(listener);
        let said: Vec<_> = found.problems.drain(..).map(|problem| problem.what).collect();
        assert_eq!(said[..3], ["larger than 1024 KiB, which no rule is", "not UTF-8 at byte 7", "not a file"]);
        assert_eq!((found.len(), said.len()), (1, 4));
    }

    #[test]
    fn folders_have_a_bound_of_depth() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        write(folder.path(), &format!("{}r.yml", "d/".repeat(DEPTH)), RULE);
        write(folder.path(), &format!("e/{}r.yml", "d/".repeat(DEPTH)), RULE);
        let found = RuleFiles::read(&[folder.path().to_owned()]);
        assert_eq!((found.len(), found.problems.len()), (1, 1));
    }

    #[test]
    fn a_file_of_the_same_path_replaces_an_embedded_one_and_a_broken_one_stops_no_other() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (path, _) = rules::content().first().expect("there is content");
        write(folder.path(), path, RULE);
        write(folder.path(), "broken.yml", "title: B\nlogsoruce: {}\n");
        let count = Engine::load(rules::content().iter().copied()).0.rules().len();
        let loaded = RuleFiles::read(&[folder.path().to_owned()]).load_over_embedded();
        assert_eq!(loaded.engine.rules().len(), count);
        assert!(loaded.engine.find("T").is_some());
        assert!(
            matches!(&loaded.errors[..], [error] if error.key == "logsoruce" && error.line == 2),
            "{:?}",
            loaded.errors
        );
    }
}
