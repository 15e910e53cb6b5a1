//! The three things the log asks of a disk. Takes paths, bytes and offsets; gives what the kernel said. Exists so that a test can
//! fill a disk without one. Never retries and never hides an error.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

/// Where segments are written.
pub trait Disk: Send + Sync + std::fmt::Debug {
    /// Makes a segment's file, or empties one that a crash left without a block.
    fn create(&self, path: &Path) -> io::Result<File>;
    /// Writes all of `bytes` at `offset`. After an error the bytes from `offset` on are undefined, and the next write goes there
    /// again.
    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Brings what was written to the platter.
    fn sync(&self, file: &File) -> io::Result<()>;
}

/// The node's own disk.
#[derive(Debug, Clone, Copy, Default)]
pub struct NodeDisk;

impl Disk for NodeDisk {
    fn create(&self, path: &Path) -> io::Result<File> {
        // What processes do on a node is for root alone.
        File::options().read(true).write(true).create(true).truncate(true).mode(0o600).open(path)
    }

    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        file.write_all_at(bytes, offset)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }
}
