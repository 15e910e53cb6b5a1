//! The memory of a process, looked through for access key ids: a key that was fetched and never written anywhere.
//!
//! Takes the folder of a process; gives the hashes of the ids, and how much was looked at. Keeps no memory.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::facts;
use super::secret::{AccessKey, HashKey, access_key, key_ids};

/// Read at once. The last bytes of a piece are read again with the next, for an id across the border.
const PIECE: usize = 256 << 10;
const OVERLAP: usize = 21;
/// Ids that one process is believed to hold.
const FOUND: usize = 64;

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// The ids.
    pub keys: Vec<AccessKey>,
    /// Bytes that were looked at.
    pub looked: u64,
    /// Bytes of writable memory that were not, for the bound.
    pub left: u64,
}

/// Looks through the writable, private memory of a process: heap and stack first, at most `limit` bytes.
pub fn look(folder: &Path, limit: u64, key: &HashKey) -> io::Result<Found> {
    let maps = facts::read(&folder.join("maps"))?;
    let mut regions: Vec<Region> = String::from_utf8_lossy(&maps).lines().filter_map(region).collect();
    regions.sort_by_key(|region| (!region.named, region.end - region.start));
    let memory = File::open(folder.join("mem"))?;
    let (mut found, mut ids) = (Found::default(), BTreeSet::new());
    let mut buffer = vec![0; PIECE];
    for region in regions {
        let mut at = region.start;
        while at < region.end {
            let size = usize::try_from(region.end - at).unwrap_or(PIECE).min(PIECE);
            if found.looked + size as u64 > limit {
                found.left += region.end - at;
                break;
            }
            // A page may be gone or forbidden: the rest of the region is passed over.
            let Ok(read) = memory.read_at(&mut buffer[..size], at) else { break };
            if read == 0 {
                break;
            }
            ids.extend(key_ids(&buffer[..read]).take(FOUND).map(|id| access_key(id, "memory", key)));
            found.looked += read as u64;
            at += if read == PIECE { (read - OVERLAP) as u64 } else { read as u64 };
        }
    }
    found.keys = ids.into_iter().take(FOUND).collect();
    Ok(found)
}

struct Region {
    start: u64,
    end: u64,
    named: bool,
}

/// A line of `maps`: writable, private, and backed by no file.
fn region(line: &str) -> Option<Region> {
    let mut fields = line.split_ascii_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let rights = fields.next()?;
    let name = fields.nth(3).unwrap_or_default();
    let named = matches!(name, "[heap]" | "[stack]");
    if !rights.starts_with("rw") || !rights.ends_with('p') || !(named || name.is_empty() || name.starts_with("[anon")) {
        return None;
    }
    let number = |text| u64::from_str_radix(text, 16).ok();
    Some(Region { start: number(start)?, end: number(end)?, named }).filter(|region| region.start < region.end)
}

#[cfg(test)]
mod tests {
    use proto::hash_secret::HashSecret;

    use super::*;

    #[test]
    fn a_key_in_memory_is_found_by_its_hash() {
        let key = HashKey::shared(&HashSecret::of(b"a deployment"));
        // Put together at run time, so that it stands in the heap and in no file.
        let id: String = ["ASIA", "7MEMORY7", "TEST0001"].concat();
        let kept = format!("{{\"AccessKeyId\":\"{id}\"}}");
        let found = look(Path::new("/proc/self"), 32 << 20, &key).expect("it is this process");
        assert!(found.keys.iter().any(|found| found.hash == key.hash(id.as_bytes())), "{} bytes", found.looked);
        assert!(kept.contains(&id));
    }

    #[test]
    fn the_bound_holds_and_what_is_left_is_said() {
        let found = look(Path::new("/proc/self"), 1 << 20, &HashKey::shared(&HashSecret::of(b"x")))
            .expect("it is this process");
        assert!(found.looked <= 1 << 20 && found.left > 0);
    }
}
