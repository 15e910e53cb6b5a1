//! Which log this is. Takes the log's folder; gives an id that is made once with the log, and says whether the agent before
//! ended as it should. Positions are of one log: a log with a new id begins again at 1.

use std::io;
use std::path::Path;

use super::recover;

/// The log's id, as text, with a newline.
const ID_FILE: &str = "identity";

/// Present while an agent writes the log.
const OPEN_FILE: &str = "open";

/// The log and the boot that it is written in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Random, made with the log.
    pub log_id: [u8; 16],
    /// The kernel's boot id.
    pub boot_id: [u8; 16],
}

impl Identity {
    /// Finds or makes the log's id and marks the log as open. The second value says that it was open already: an agent was killed.
    pub(super) fn take(folder: &Path, boot_id: [u8; 16]) -> io::Result<(Self, bool)> {
        let file = folder.join(ID_FILE);
        let kept = std::fs::read_to_string(&file).ok().and_then(|text| parse_id(text.trim()));
        let log_id = match kept {
            Some(id) => id,
            None => match recover::log_id_of_segments(folder)? {
                Some(id) => id,
                None => random_id()?,
            },
        };
        if kept.is_none() {
            let beside = folder.join("identity.new");
            std::fs::write(&beside, format!("{}\n", hex::encode(log_id)))?;
            std::fs::rename(beside, file)?;
        }
        let open = folder.join(OPEN_FILE);
        let unclean = open.exists();
        std::fs::write(open, b"")?;
        Ok((Self { log_id, boot_id }, unclean))
    }

    pub(super) fn mark_finished(folder: &Path) -> io::Result<()> {
        std::fs::remove_file(folder.join(OPEN_FILE))
    }

    /// The log's id as it goes over the wire: 32 hexadecimal digits.
    pub fn log_id_text(&self) -> String {
        hex::encode(self.log_id)
    }
}

/// Reads a UUID or 32 hexadecimal digits.
pub fn parse_id(text: &str) -> Option<[u8; 16]> {
    let digits: String = text.chars().filter(|digit| *digit != '-').collect();
    let mut id = [0; 16];
    hex::decode_to_slice(digits, &mut id).ok()?;
    Some(id)
}

/// The kernel hands out random UUIDs; nothing else is needed for a name.
fn random_id() -> io::Result<[u8; 16]> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/uuid")?;
    parse_id(text.trim()).ok_or_else(|| io::Error::other("the kernel's random UUID is not one"))
}
