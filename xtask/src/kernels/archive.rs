//! A `cpio` archive of the form `newc`, which a kernel unpacks as its first root. Takes files, folders, links and the console;
//! gives bytes. <https://www.kernel.org/doc/html/latest/driver-api/early-userspace/buffer-format.html>

use std::collections::BTreeSet;
use std::path::Path;

const FILE: u32 = 0o100_000;
const FOLDER: u32 = 0o040_000;
const LINK: u32 = 0o120_000;
const CHARACTER_DEVICE: u32 = 0o020_000;
const EXECUTABLE: u32 = 0o755;

/// An archive that is being written.
#[derive(Default)]
pub(super) struct Archive {
    bytes: Vec<u8>,
    /// Folders that are in it.
    folders: BTreeSet<String>,
    number: u32,
}

impl Archive {
    /// A file that anybody may run.
    pub(super) fn file(&mut self, path: &str, content: &[u8]) {
        self.parents(path);
        self.entry(path, FILE | EXECUTABLE, (0, 0), content);
    }

    /// A folder, and those above it.
    pub(super) fn folder(&mut self, path: &str) {
        self.parents(path);
        if self.folders.insert(path.to_owned()) {
            self.entry(path, FOLDER | EXECUTABLE, (0, 0), b"");
        }
    }

    pub(super) fn link(&mut self, path: &str, to: &str) {
        self.parents(path);
        self.entry(path, LINK | 0o777, (0, 0), to.as_bytes());
    }

    /// Without it the first program has nowhere to write to.
    pub(super) fn console(&mut self) {
        self.parents("dev/console");
        self.entry("dev/console", CHARACTER_DEVICE | 0o600, (5, 1), b"");
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, (0, 0), b"");
        self.bytes
    }

    fn parents(&mut self, path: &str) {
        if let Some(above) = Path::new(path).parent().and_then(Path::to_str).filter(|above| !above.is_empty()) {
            self.folder(above);
        }
    }

    fn entry(&mut self, name: &str, mode: u32, device: (u32, u32), content: &[u8]) {
        self.number += 1;
        let length = u32::try_from(content.len()).expect("no file of a test is 4 GiB long");
        let name_length = u32::try_from(name.len() + 1).expect("no path is 4 GiB long");
        let fields = [self.number, mode, 0, 0, 1, 0, length, 0, 0, device.0, device.1, name_length, 0]
            .map(|field| format!("{field:08x}"));
        self.bytes.extend(b"070701");
        self.bytes.extend(fields.concat().into_bytes());
        self.bytes.extend(name.as_bytes());
        self.bytes.push(0);
        self.align();
        self.bytes.extend(content);
        self.align();
    }

    fn align(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::Archive;

    #[test]
    fn an_entry_has_its_folders_before_it_and_begins_at_a_multiple_of_four() {
        let mut archive = Archive::default();
        archive.file("a/bc", b"12345");
        archive.link("a/l", "bc");
        let bytes = archive.finish();
        let text = String::from_utf8(bytes.clone()).expect("all of it is ASCII");
        let starts: Vec<usize> = text.match_indices("070701").map(|(at, _)| at).collect();
        assert!(starts.iter().all(|start| start % 4 == 0), "{starts:?}");
        let names: Vec<&str> =
            starts.iter().map(|start| text[start + 110..].split('\0').next().unwrap_or_default()).collect();
        assert_eq!(names, ["a", "a/bc", "a/l", "TRAILER!!!"]);
        assert_eq!(&text[starts[1] + 14..][..8], "000081ed", "a file that anybody may run");
        assert_eq!(&text[starts[1] + 54..][..8], "00000005", "its length");
    }
}
