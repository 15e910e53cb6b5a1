//! What is worth a record: leaves out the agent's own noise where the configuration asks for it, and devices that swallow
//! what is written; finds names of the sensitive list. What it leaves out, it counts.

use aya_ebpf::helpers::generated::bpf_get_current_pid_tgid;
use aya_ebpf::macros::map;
use aya_ebpf::maps::HashMap;
use ebpf_common::Class;
use ebpf_common::config::{COMPONENT, Component, MAX_SENSITIVE};
use ebpf_common::loss::Outcome;

use crate::{agent, config, emit, offset, read};

/// A [`Component`] in words.
#[derive(Clone, Copy)]
#[repr(C)]
struct Key([u64; COMPONENT / 8]);

const _: () = assert!(size_of::<Key>() == size_of::<Component>());

/// Last component of a path → the patterns of the sensitive list that end so.
#[map]
static SENSITIVE_NAMES: HashMap<Key, u64> = HashMap::with_max_entries(MAX_SENSITIVE as u32, 0);

/// Last folder of a path → the patterns of the sensitive list that take any name in it.
#[map]
static SENSITIVE_FOLDERS: HashMap<Key, u64> = HashMap::with_max_entries(MAX_SENSITIVE as u32, 0);

const TYPE: u16 = 0o170_000;
const PIPE: u16 = 0o010_000;
/// Magic number of the filesystem of pipes that have no name.
const PIPES: u64 = 0x5049_5045;
const CHARACTER_DEVICE: u16 = 0o020_000;
/// Memory devices of which nobody learns anything: null, zero, full, random, urandom.
const MEMORY: u32 = 1;
const SILENT_MEMORY: [u32; 5] = [3, 5, 7, 8, 9];
/// Terminals: consoles, `/dev/tty`, pseudo-terminals.
const TERMINALS: [u32; 2] = [4, 5];
const PSEUDO_TERMINALS: core::ops::RangeInclusive<u32> = 136..=143;

/// The process is the agent, and the agent was told to leave itself out. Counted.
#[inline(always)]
pub fn excluded(class: Class) -> bool {
    let own = config!(own_pid);
    // SAFETY: takes nothing, gives a number.
    if own == 0 || (unsafe { bpf_get_current_pid_tgid() } >> 32) as u32 != own || !agent::is(own) {
        return false;
    }
    emit::count(class, Outcome::Excluded);
    true
}

/// A device that swallows what is written to it, a terminal, or a pipe without a name. Shells open them by the thousand.
#[inline(always)]
pub fn swallows(inode: u64, mode: u16) -> bool {
    if mode & TYPE == PIPE {
        let filesystem = read::pointer(inode, offset!(inode_super));
        return filesystem.and_then(|it| read::field::<u64>(it, offset!(super_magic))) == Some(PIPES);
    }
    if mode & TYPE != CHARACTER_DEVICE {
        return false;
    }
    let device = read::or_zero::<u32>(inode, offset!(inode_device));
    let (major, minor) = (device >> 20, device & 0xf_ffff);
    (major == MEMORY && SILENT_MEMORY.contains(&minor))
        || TERMINALS.contains(&major)
        || PSEUDO_TERMINALS.contains(&major)
}

/// The patterns of the sensitive list that a file may match, by its last component, or by its folder's.
#[inline(always)]
pub fn sensitive(dentry: u64) -> u64 {
    let by_name = component(dentry).map_or(0, |name| found(&SENSITIVE_NAMES, &name));
    if config!(sensitive_folders) == 0 {
        return by_name;
    }
    let folder = read::pointer(dentry, offset!(dentry_parent)).and_then(component);
    by_name | folder.map_or(0, |name| found(&SENSITIVE_FOLDERS, &name))
}

#[inline(always)]
fn found(table: &HashMap<Key, u64>, name: &Key) -> u64 {
    // SAFETY: the value is a number that the agent writes whole; an old or a new one are both right.
    table.get_ptr(name).map_or(0, |bits| unsafe { *bits })
}

/// The name of a dentry as a key; nothing where it is longer than any key.
#[inline(always)]
fn component(dentry: u64) -> Option<Key> {
    let (length, name) = read::fields::<u32, u64>(dentry, offset!(dentry_name_length), offset!(dentry_name))?;
    if length as usize > COMPONENT || name == 0 {
        return None;
    }
    // By whole words: byte by byte it would be a loop, in a call, for every file that is opened.
    let mut key = Key([0; COMPONENT / 8]);
    let length = read::bound(u64::from(length), COMPONENT as u64);
    read::kernel_bytes(key.0.as_mut_ptr().cast(), length, name).then_some(key)
}
