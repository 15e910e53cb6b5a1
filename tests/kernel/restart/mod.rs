//! The agent goes and another comes: what happens meanwhile is in the rings, once, and nothing between two programs is lost or told twice.
//! Each test has a BPF filesystem of its own.

mod away;
mod change;
mod sweep;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use agent::decode::{Body, Record, decode};
use agent::kernel::{Budgets, Kernel, KernelConfig, PinConfig, Rate, RingBytes, Rings};
use ebpf_common::loss::Outcome;
use nix::mount::{MntFlags, MsFlags, mount, umount2};

use crate::watch::{allowed, config, folder};

const MIB: u32 = 1 << 20;

/// A BPF filesystem, and another folder for files.
struct Ground {
    _keep: tempfile::TempDir,
    files: PathBuf,
    bpf: PathBuf,
}

impl Ground {
    fn make() -> Option<Self> {
        if !allowed() {
            println!("skipped: needs root and BPF");
            return None;
        }
        let (keep, path) = folder();
        let (files, bpf) = (path.join("files"), path.join("bpf"));
        fs::create_dir(&files).and_then(|()| fs::create_dir(&bpf)).expect("make folders");
        mount(Some("bpf"), &bpf, Some("bpf"), MsFlags::empty(), None::<&str>).expect("mount a BPF filesystem");
        Some(Self { _keep: keep, files, bpf })
    }

    fn pins(&self) -> PathBuf {
        self.bpf.join("mayfly")
    }

    /// Rings that hold what this machine does while nobody reads, and no bound on who may send how much.
    fn config(&self) -> KernelConfig {
        let pins = PinConfig { folder: self.pins(), away: Duration::ZERO, stay: true };
        KernelConfig {
            pins: Some(pins),
            rings: RingBytes { process: 32 * MIB, guard: 4 * MIB, network: 32 * MIB, file: 128 * MIB },
            budgets: Budgets { network: Rate(0), file: Rate(0) },
            ..config()
        }
    }

    fn load(&self) -> (Kernel, Rings) {
        let kernel = Kernel::load(&self.config()).expect("load the kernel programs");
        let rings = kernel.take_rings().expect("nobody took the rings before");
        (kernel, rings)
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        // Lazily: a test that fails holds maps in it.
        umount2(&self.bpf, MntFlags::MNT_DETACH).expect("unmount our own filesystem");
    }
}

fn drain(rings: &mut Rings, all: &mut Vec<Vec<u8>>) {
    while rings.drain(1000, |bytes| all.push(bytes.to_vec())) > 0 {}
}

fn lost(kernel: &Kernel) -> u64 {
    let counted = kernel.counted().expect("read the accounts");
    counted.iter().filter(|(what, _)| Outcome::LOSSES.contains(&what.outcome)).map(|(_, count)| count).sum()
}

/// Numbers that are missing between the first and the last of each CPU and class; none may come twice.
fn holes(all: &[Vec<u8>]) -> u64 {
    let mut numbers: BTreeMap<(u8, u16), BTreeSet<u64>> = BTreeMap::new();
    for bytes in all {
        let header = decode(bytes).expect("the kernel programs emit true records").header;
        let is_new =
            header.sequence == 0 || numbers.entry((header.class, header.cpu)).or_default().insert(header.sequence);
        assert!(is_new, "number {} of class {} on CPU {} came twice", header.sequence, header.class, header.cpu);
    }
    let span = |of: &BTreeSet<u64>| Some(of.last()? - of.first()? + 1 - u64::try_from(of.len()).expect("few"));
    numbers.values().filter_map(span).sum()
}

/// The act that a record tells, if it is one of a test's: its mark, and its number.
fn act(record: &Record<'_>, mark: &str) -> Option<(&'static str, u32)> {
    let numbered = |text: &[u8]| {
        let text = String::from_utf8_lossy(text).into_owned();
        text.split_once(mark)?.1.trim_end_matches('\0').parse::<u32>().ok()
    };
    match &record.body {
        Body::Exec(exec) => numbered(exec.arguments).map(|number| ("exec", number)),
        Body::FileOpen(open) => numbered(open.path).map(|number| ("open", number)),
        Body::Connect(connect) => {
            let [127, a, b, c, ..] = connect.flow.remote else { return None };
            (a >= 128).then(|| ("connect", u32::from_be_bytes([0, a & 0x7f, b, c])))
        }
        _ => None,
    }
}

/// How often each act was told.
fn acts(all: &[Vec<u8>], mark: &str) -> BTreeMap<(&'static str, u32), u32> {
    let mut acts = BTreeMap::new();
    for bytes in all {
        if let Some(found) = act(&decode(bytes).expect("the kernel programs emit true records"), mark) {
            *acts.entry(found).or_default() += 1;
        }
    }
    acts
}

/// No act was told twice, and none is missing; but where this machine did so much else meanwhile that a ring was full, which the kernel
/// then counted.
fn told_once(kernel: &Kernel, all: &[Vec<u8>], mark: &str, made: &BTreeMap<(&'static str, u32), u32>) {
    let (told, lost) = (acts(all, mark), lost(kernel));
    let twice: Vec<_> = told.iter().filter(|(act, times)| made.get(*act) != Some(*times)).take(10).collect();
    assert!(twice.is_empty(), "told otherwise than once: {twice:?}");
    let missing: Vec<_> = made.keys().filter(|act| !told.contains_key(*act)).collect();
    println!(
        "{} of {} acts are missing, {lost} records were lost, {} numbers are missing",
        missing.len(),
        made.len(),
        holes(all)
    );
    assert!(
        missing.len() as u64 <= lost,
        "{} are missing: {:?}",
        missing.len(),
        missing.iter().take(10).collect::<Vec<_>>()
    );
    assert!(holes(all) <= lost, "{} numbers are missing, {lost} records were lost", holes(all));
}

fn run(mark: &str, number: u32) {
    Command::new("/bin/true").arg(format!("{mark}{number}")).status().expect("start a program");
}

fn open(files: &Path, mark: &str, number: u32) {
    fs::write(files.join(format!("{mark}{number}")), b"").expect("write a file of our own");
}
