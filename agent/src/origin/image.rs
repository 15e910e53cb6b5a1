//! What a process runs: the image, shared by the processes that forked from one another.
//!
//! Takes the bytes that the kernel gave; gives an immutable value behind an `Arc`. Never reads anything.

use rules::ExecFlags;

/// Bytes of a command line that are kept for a parent's facts. Rules look at the start of it, the exec event itself
/// carries 16 KiB, and ten thousand processes at 16 KiB would be the agent's whole memory.
pub const COMMAND_LINE_KEPT: usize = 1024;

/// A program image. Bytes stay as they are: an attacker chose them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Image {
    /// Path of the executable; empty where nobody could say.
    pub executable: Vec<u8>,
    /// Arguments joined by a space, at most [`COMMAND_LINE_KEPT`] bytes.
    pub command_line: Vec<u8>,
    /// Working directory when the image started; empty where nobody could say.
    pub directory: Vec<u8>,
    /// User at the time.
    pub uid: u32,
    /// Inode number of the mount namespace when the image started; 0 where nobody could say.
    pub mount_namespace: u32,
    /// Where the executable's bytes came from; `None` for an image that was running before us.
    pub exec: Option<ExecFlags>,
}

impl Image {
    /// An image from NUL-separated arguments.
    pub fn new(executable: &[u8], arguments: &[u8], directory: &[u8], uid: u32) -> Self {
        let mut command_line = Vec::with_capacity(arguments.len().min(COMMAND_LINE_KEPT));
        join_arguments(arguments, COMMAND_LINE_KEPT, &mut command_line);
        Self {
            executable: executable.to_vec(),
            command_line,
            directory: directory.to_vec(),
            uid,
            mount_namespace: 0,
            exec: None,
        }
    }
}

/// Writes NUL-separated arguments as one line to `line`, joined by a space, at most `limit` bytes of it.
pub fn join_arguments(arguments: &[u8], limit: usize, line: &mut Vec<u8>) {
    let trimmed = arguments.strip_suffix(&[0]).unwrap_or(arguments);
    line.extend(trimmed.iter().take(limit).map(|&byte| if byte == 0 { b' ' } else { byte }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_become_one_line() {
        let image = Image::new(b"/bin/sh", b"sh\0-c\0id; ls\0", b"/", 0);
        assert_eq!(image.command_line, b"sh -c id; ls");
    }

    #[test]
    fn a_long_command_line_is_cut() {
        let image = Image::new(b"/bin/x", &[b'a'; 4096], b"", 0);
        assert_eq!(image.command_line.len(), COMMAND_LINE_KEPT);
    }
}
