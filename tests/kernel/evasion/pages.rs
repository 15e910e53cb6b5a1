//! Pages of other sizes than 4 KiB: a ring is whole pages, and the kernel refuses any other.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use agent::decode::{Body, decode};
use agent::kernel::{Kernel, RingBytes};

use super::begin;
use crate::watch::{config, page};

/// `BPF_MAP_TYPE_RINGBUF`.
const RING: u64 = 27;

/// The rings that this process has in the kernel: their bytes by their number.
fn rings_here() -> BTreeMap<u64, u64> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir("/proc/self/fdinfo").expect("list our descriptors").flatten() {
        // One may be closed meanwhile, the list's own among them.
        let text = fs::read_to_string(entry.path()).unwrap_or_default();
        let number = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.and_then(|number| number.trim().parse::<u64>().ok())
        };
        if number("map_type") == Some(RING)
            && let (Some(id), Some(bytes)) = (number("map_id"), number("max_entries"))
        {
            found.insert(id, bytes);
        }
    }
    found
}

#[test]
fn rings_of_whatever_size_is_asked_for_are_whole_pages_and_carry_records() {
    if begin(33).is_none() {
        return;
    }
    let page = u32::try_from(page()).expect("a page is no 4 GiB");
    let before = rings_here();
    let mut config = config();
    config.rings = RingBytes { process: 4096, guard: 1, network: 5000, file: page + 1 };
    let kernel = Kernel::load(&config).expect("the kernel takes the rings");
    let mut made = rings_here();
    made.retain(|id, _| !before.contains_key(id));
    let mut bytes: Vec<u64> = made.into_values().collect();
    bytes.sort_unstable();
    let network = page.max(8192);
    let mut wanted = [page, page, network, 2 * page].map(u64::from);
    wanted.sort_unstable();
    assert_eq!(bytes, wanted, "with pages of {page} bytes");

    let mut rings = kernel.take_rings().expect("nobody took the rings before");
    // Others' processes may fill so small a ring: then the next one is told.
    let told = (0..100).any(|_| {
        let mut child = Command::new("/bin/true").spawn().expect("start a program");
        child.wait().expect("it ends");
        let mut told = false;
        while rings.drain(1000, |bytes| {
            let record = decode(bytes).expect("the kernel programs emit true records");
            told |= record.header.pid == child.id() && matches!(record.body, Body::Exec(_));
        }) > 0
        {}
        told
    });
    assert!(told, "no exec came through a ring of one page");
}
