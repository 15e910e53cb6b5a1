//! Opened and changed files: wire to model.

use collector_core::model::Body;
use collector_core::model::event::Raw;
use collector_core::model::file::{FileAct, FileChange, FileObject, Repeats};
use proto::v1;
use proto::v1::event::Body as Wire;

pub(super) fn file(wire: Wire) -> Option<Body> {
    Some(match wire {
        Wire::FileOpen(open) => Body::FileOpen {
            path: Raw(open.path),
            flags: open.flags,
            mode: open.mode,
            sensitive: open.sensitive,
            result: open.result,
            truncated: open.truncated,
            object: open.object.map(object),
            created: open.created,
            by_handle: open.by_handle,
            alias: Raw(open.alias),
            repeats: open.repeats.map(|repeats| Repeats { count: repeats.count, since_ns: repeats.since_ns }),
        },
        Wire::FileUnlink(unlink) => Body::FileUnlink {
            path: Raw(unlink.path),
            result: unlink.result,
            truncated: unlink.truncated,
            object: unlink.object.map(object),
        },
        Wire::FileRename(rename) => Body::FileRename {
            from: Raw(rename.from),
            to: Raw(rename.to),
            result: rename.result,
            truncated: rename.truncated,
            flags: rename.flags,
            object: rename.object.map(object),
            replaced: rename.replaced.map(object),
        },
        Wire::FileChmod(chmod) => Body::FileChmod {
            path: Raw(chmod.path),
            mode: chmod.mode,
            result: chmod.result,
            truncated: chmod.truncated,
            object: chmod.object.map(object),
        },
        Wire::FileChange(change) => Body::FileChange(Box::new(self::change(change)?)),
        _ => return None,
    })
}

fn change(wire: v1::FileChange) -> Option<FileChange> {
    let other = Raw(wire.other);
    let act = match v1::FileAct::try_from(wire.act).ok()? {
        v1::FileAct::Linked => FileAct::Linked { from: other },
        v1::FileAct::Symlinked => FileAct::Symlinked { target: other },
        v1::FileAct::Made => FileAct::Made { mode: wire.mode, device: wire.device },
        v1::FileAct::Sized => FileAct::Sized { size: wire.size },
        v1::FileAct::Owned => FileAct::Owned { uid: wire.uid, gid: wire.gid },
        v1::FileAct::Timed => FileAct::Timed { accessed_ns: wire.accessed_ns, modified_ns: wire.modified_ns },
        v1::FileAct::AttributeSet => FileAct::AttributeSet { name: other, size: wire.size },
        v1::FileAct::AttributeRemoved => FileAct::AttributeRemoved { name: other },
        v1::FileAct::Mapped => FileAct::Mapped { size: wire.size },
        v1::FileAct::Copied => FileAct::Copied { from: other },
        v1::FileAct::HandleTaken => FileAct::HandleTaken,
        v1::FileAct::Unspecified => return None,
    };
    Some(FileChange {
        act,
        path: Raw(wire.path),
        truncated: wire.truncated,
        result: wire.result,
        object: wire.object.map(object),
        whiteout: wire.whiteout,
    })
}

pub(super) fn object(wire: v1::FileObject) -> FileObject {
    FileObject {
        device: wire.device,
        inode: wire.inode,
        generation: wire.generation,
        mount_id: wire.mount_id,
        mount_unique: wire.mount_unique,
        mode: wire.mode,
        links: wire.links,
        upper_layer: wire.upper_layer,
        whiteout: wire.whiteout,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_that_was_counted_says_how_often_and_since_when() {
        let repeats = Some(v1::FileRepeats { count: 3, since_ns: 7 });
        let told = file(Wire::FileOpen(v1::FileOpen { repeats, ..v1::FileOpen::default() }));
        let Some(Body::FileOpen { repeats, .. }) = told else { panic!("an open is an open: {told:?}") };
        assert_eq!(repeats, Some(Repeats { count: 3, since_ns: 7 }));
    }
}
