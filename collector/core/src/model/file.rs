//! Files: which one, and what was changed of it. Takes what `collector::ingest` made from the wire; never holds a wire type.

use serde::{Deserialize, Serialize};

use super::event::Raw;
use super::fact::{Fact, Named};

/// The same thing, counted and not told each time. The event's own time is that of the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repeats {
    /// How often.
    pub count: u64,
    /// When the first was told, by the node's clock.
    pub since_ns: u64,
}

/// Which file, whatever its names say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of `FileObject` in `proto/sensor/v1/file.proto`")]
pub struct FileObject {
    pub device: u32,
    pub inode: u64,
    pub generation: u32,
    pub mount_id: u32,
    pub mount_unique: u64,
    pub mode: u32,
    pub links: u32,
    pub upper_layer: bool,
    pub whiteout: bool,
}

impl FileObject {
    /// Each by its name.
    pub fn facts(&self) -> [Named<'static>; 9] {
        [
            ("device", Fact::Number(self.device.into())),
            ("inode", Fact::Number(self.inode)),
            ("generation", Fact::Number(self.generation.into())),
            ("mount_id", Fact::Number(self.mount_id.into())),
            ("mount_unique", Fact::Number(self.mount_unique)),
            ("file_mode", Fact::Number(self.mode.into())),
            ("links", Fact::Number(self.links.into())),
            ("upper_layer", Fact::Flag(self.upper_layer)),
            ("whiteout", Fact::Flag(self.whiteout)),
        ]
    }
}

/// What was done to a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "how")]
#[expect(
    missing_docs,
    reason = "the values are those of `FileAct` in `proto/sensor/v1/file.proto`, with what belongs to each"
)]
pub enum FileAct {
    Linked { from: Raw },
    Symlinked { target: Raw },
    Made { mode: u32, device: u32 },
    Sized { size: u64 },
    Owned { uid: u32, gid: u32 },
    Timed { accessed_ns: Option<i64>, modified_ns: Option<i64> },
    AttributeSet { name: Raw, size: u64 },
    AttributeRemoved { name: Raw },
    Mapped { size: u64 },
    Copied { from: Raw },
    HandleTaken,
}

impl FileAct {
    /// In one word: also how rules name it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Linked { .. } => "linked",
            Self::Symlinked { .. } => "symlinked",
            Self::Made { .. } => "made",
            Self::Sized { .. } => "sized",
            Self::Owned { .. } => "owned",
            Self::Timed { .. } => "timed",
            Self::AttributeSet { .. } => "attribute_set",
            Self::AttributeRemoved { .. } => "attribute_removed",
            Self::Mapped { .. } => "mapped",
            Self::Copied { .. } => "copied",
            Self::HandleTaken => "handle_taken",
        }
    }

    /// The other file that it is about.
    pub fn source(&self) -> Option<&Raw> {
        match self {
            Self::Linked { from } | Self::Copied { from } => Some(from),
            Self::Symlinked { target } => Some(target),
            _ => None,
        }
    }

    /// The extended attribute that it is about.
    pub fn attribute(&self) -> Option<&Raw> {
        match self {
            Self::AttributeSet { name, .. } | Self::AttributeRemoved { name } => Some(name),
            _ => None,
        }
    }
}

/// A name was made, or something of a file was changed other than by an open, a rename or a chmod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of `FileChange` in `proto/sensor/v1/file.proto`")]
pub struct FileChange {
    pub act: FileAct,
    pub path: Raw,
    pub truncated: bool,
    pub result: i32,
    #[serde(default)]
    pub object: Option<FileObject>,
    #[serde(default)]
    pub whiteout: bool,
}

impl FileChange {
    /// All but path and result, by name.
    pub fn facts(&self) -> Vec<Named<'_>> {
        let number = |number: u32| Fact::Number(number.into());
        let mut facts = vec![("act", Fact::Word(self.act.word()))];
        match &self.act {
            FileAct::Linked { from } | FileAct::Copied { from } => facts.push(("from", Fact::Text(from))),
            FileAct::Symlinked { target } => facts.push(("target", Fact::Text(target))),
            FileAct::Made { mode, device } => facts.extend([("mode", number(*mode)), ("made_device", number(*device))]),
            FileAct::Sized { size } | FileAct::Mapped { size } => facts.push(("size", Fact::Number(*size))),
            FileAct::Owned { uid, gid } => facts.extend([("owner", number(*uid)), ("group", number(*gid))]),
            FileAct::Timed { accessed_ns, modified_ns } => {
                // A time before 1970 reads as 1970.
                let time = |name, ns: &Option<i64>| ns.map(|ns| (name, Fact::Number(u64::try_from(ns).unwrap_or(0))));
                facts.extend(time("accessed_ns", accessed_ns));
                facts.extend(time("modified_ns", modified_ns));
            }
            FileAct::AttributeSet { name, size } => {
                facts.extend([("attribute", Fact::Text(name)), ("size", Fact::Number(*size))]);
            }
            FileAct::AttributeRemoved { name } => facts.push(("attribute", Fact::Text(name))),
            FileAct::HandleTaken => {}
        }
        facts.extend([("truncated", Fact::Flag(self.truncated)), ("is_whiteout", Fact::Flag(self.whiteout))]);
        if let Some(object) = self.object {
            facts.extend(object.facts());
        }
        facts
    }
}
