//! What is worth a record: leaves out the agent's own noise where the configuration asks for it, and devices that swallow
//! what is written; finds names of the sensitive list. What it leaves out, it counts.

use aya_ebpf::helpers::generated::bpf_get_current_pid_tgid;
use aya_ebpf::macros::map;
use ebpf_common::Class;
use ebpf_common::loss::Outcome;

use crate::name::{self, Name, Table};
use crate::object::Inode;
use crate::{agent, config, config_at, emit, offset, read};

/// Last component of a path → the patterns of the sensitive list that end so.
#[map]
static SENSITIVE_NAMES: Table = name::table();

/// Last folder of a path → the patterns of the sensitive list that take any name in it.
#[map]
static SENSITIVE_FOLDERS: Table = name::table();

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
pub fn swallows(inode: &Inode) -> bool {
    let mode = inode.mode();
    if mode & TYPE == PIPE {
        return read::or_zero::<u64>(inode.filesystem(), offset!(super_magic)) == PIPES;
    }
    if mode & TYPE != CHARACTER_DEVICE {
        return false;
    }
    let (major, minor) = (inode.device >> 20, inode.device & 0xf_ffff);
    (major == MEMORY && SILENT_MEMORY.contains(&minor))
        || TERMINALS.contains(&major)
        || PSEUDO_TERMINALS.contains(&major)
}

/// The patterns of the sensitive list that a file may match, by its last component, or by its folder's.
#[inline(always)]
pub fn sensitive(dentry: u64) -> u64 {
    let name = Name::of(dentry);
    let by_name = name.find(&SENSITIVE_NAMES, config_at!(sensitive_names));
    by_name | Name::of(name.parent).find(&SENSITIVE_FOLDERS, config_at!(sensitive_folders))
}
