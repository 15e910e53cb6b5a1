//! The pages of this machine: 4 KiB on x86-64; 4, 16 or 64 KiB on arm64, as its kernel was built. Takes a wanted size; gives one that a
//! ring can have.

use nix::unistd::{SysconfVar, sysconf};

/// Bytes of a page.
pub(super) fn size() -> u32 {
    /// A multiple of every other page size.
    const LARGE_PAGE: u32 = 65_536;
    let page = sysconf(SysconfVar::PAGE_SIZE).ok().flatten().and_then(|size| u32::try_from(size).ok());
    page.unwrap_or(LARGE_PAGE)
}

/// A ring is a power of two of whole pages.
pub(super) fn ring_size(wanted: u32) -> u32 {
    whole(wanted, size())
}

fn whole(wanted: u32, page: u32) -> u32 {
    const LARGEST: u32 = 1 << 30;
    wanted.clamp(page, LARGEST).next_power_of_two()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_is_a_power_of_two_of_whole_pages_of_any_size() {
        for page in [4096, 16_384, 65_536] {
            for wanted in [0, 1, 4096, 5000, 65_537, 8 << 20, u32::MAX] {
                let size = whole(wanted, page);
                assert!(
                    size.is_power_of_two() && size.is_multiple_of(page),
                    "{wanted} bytes of pages of {page}: {size}"
                );
                assert!(size >= wanted.min(1 << 30), "{wanted} bytes of pages of {page}: {size}");
            }
        }
    }
}
