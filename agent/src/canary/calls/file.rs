//! Files of the canary's own folder: made, opened, changed, named, and removed in the end.

use std::fs::{self, File, FileTimes, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::time::Duration;

use rustix::fs::{XattrFlags, copy_file_range, setxattr};

use super::super::ground::Ground;

const MADE: &str = "made";
const NAMED: &str = "named";

pub(super) fn open(ground: &Ground<'_>) -> io::Result<()> {
    File::create(ground.file(MADE))?.write_all(b"canary")
}

pub(super) fn change_mode(ground: &Ground<'_>) -> io::Result<()> {
    fs::set_permissions(ground.file(MADE), Permissions::from_mode(0o600))
}

pub(super) fn give_to_oneself(ground: &Ground<'_>) -> io::Result<()> {
    let owner = fs::metadata(ground.file(MADE))?;
    chown(ground.file(MADE), Some(owner.uid()), Some(owner.gid()))
}

pub(super) fn set_times(ground: &Ground<'_>) -> io::Result<()> {
    let known = std::time::UNIX_EPOCH + Duration::from_secs(1);
    File::open(ground.file(MADE))?.set_times(FileTimes::new().set_modified(known))
}

pub(super) fn cut(ground: &Ground<'_>) -> io::Result<()> {
    File::options().write(true).open(ground.file(MADE))?.set_len(3)
}

/// Filesystems without attributes of users refuse it, and then it is not told.
pub(super) fn set_an_attribute(ground: &Ground<'_>) -> io::Result<()> {
    Ok(setxattr(ground.file(MADE), "user.canary", b"1", XattrFlags::empty())?)
}

/// Into a new file each time: the same one is told once.
pub(super) fn copy(ground: &Ground<'_>) -> io::Result<()> {
    let (from, to) = (File::open(ground.file(MADE))?, File::create(ground.file("copied"))?);
    let copied = copy_file_range(from, None, to, None, 3)?;
    fs::remove_file(ground.file("copied"))?;
    if copied == 0 { Err(io::ErrorKind::WriteZero.into()) } else { Ok(()) }
}

pub(super) fn link(ground: &Ground<'_>) -> io::Result<()> {
    fs::hard_link(ground.file(MADE), ground.file("linked"))?;
    symlink(MADE, ground.file("pointing"))
}

pub(super) fn make_a_folder(ground: &Ground<'_>) -> io::Result<()> {
    fs::create_dir(ground.file("folder"))
}

pub(super) fn rename(ground: &Ground<'_>) -> io::Result<()> {
    fs::rename(ground.file(MADE), ground.file(NAMED))
}

pub(super) fn unlink(ground: &Ground<'_>) -> io::Result<()> {
    fs::remove_file(ground.file(NAMED))
}
