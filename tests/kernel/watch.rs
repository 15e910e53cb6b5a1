//! One set of kernel programs for all tests of this binary, and a reader that keeps every record. Takes a question; gives the
//! first record that answers it, or fails after a while with what was seen.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use std::{fs, thread};

use agent::decode::{Body, Record, decode};
use agent::kernel::{Kernel, KernelConfig};
use agent::observe::path::resolve;
use ebpf_common::hook::Tier;
use nix::unistd::{SysconfVar, sysconf};

const PATIENCE: Duration = Duration::from_secs(20);

/// The programs, and what they told so far. A test that fails while it asks leaves the records as they were: the lock's poison
/// means nothing here.
pub(crate) struct Watch {
    pub(crate) kernel: Kernel,
    records: Arc<(Mutex<Vec<Vec<u8>>>, Condvar)>,
}

/// The watch of this binary; nothing where the machine allows none, which is then said.
pub(crate) fn watch() -> Option<&'static Watch> {
    static WATCH: OnceLock<Option<Watch>> = OnceLock::new();
    let watch = WATCH.get_or_init(|| if allowed() { Some(Watch::begin()) } else { None }).as_ref();
    if watch.is_none() {
        println!("skipped: needs root and BPF");
    }
    watch
}

/// Whether programs can be loaded here at all.
pub(crate) fn allowed() -> bool {
    nix::unistd::geteuid().is_root() && Path::new("/sys/kernel/btf/vmlinux").exists()
}

/// Settings with which this process sees itself and each of its opens, by ways no better than `MAYFLY_HIGHEST_TIER` says, if it says one.
pub(crate) fn config() -> KernelConfig {
    let named = std::env::var("MAYFLY_HIGHEST_TIER").ok();
    let asked = named.map(|name| Tier::ALL.into_iter().find(|tier| tier.name() == name).expect("the name of a tier"));
    let highest_tier = asked.unwrap_or(Tier::Lsm);
    KernelConfig { exclude_self: false, repeat_window: Duration::ZERO, highest_tier, ..KernelConfig::default() }
}

impl Watch {
    fn begin() -> Self {
        let kernel = Kernel::load(&config()).expect("load the kernel programs");
        for hook in kernel.hooks() {
            hook.refusals.iter().for_each(|refusal| println!("{}: {refusal}", hook.name));
        }
        let mut rings = kernel.take_rings().expect("nobody took the rings before");
        let records = Arc::new((Mutex::new(Vec::new()), Condvar::new()));
        let kept = Arc::clone(&records);
        thread::spawn(move || {
            loop {
                rings.wait().expect("wait for records");
                let mut batch = Vec::new();
                while rings.drain(1000, |bytes| batch.push(bytes.to_vec())) > 0 {}
                kept.0.lock().unwrap_or_else(PoisonError::into_inner).append(&mut batch);
                kept.1.notify_all();
            }
        });
        Self { kernel, records }
    }

    /// The first record for which `question` has an answer.
    pub(crate) fn find<T>(&self, what: &str, question: impl Fn(&Record<'_>) -> Option<T>) -> T {
        let end = Instant::now() + PATIENCE;
        let mut records = self.records.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut asked = 0;
        loop {
            for bytes in &records[asked..] {
                let record = decode(bytes).expect("the kernel programs emit true records");
                if let Some(answer) = question(&record) {
                    return answer;
                }
            }
            asked = records.len();
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "not seen among {asked} records: {what}");
            records = self.records.1.wait_timeout(records, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Whether a hook tells what is done to the kernel's objects, and not the ends of calls: then it does not know a descriptor that the
    /// call gives later.
    pub(crate) fn sees_objects(&self, hook: &str) -> bool {
        self.kernel.hooks().iter().any(|state| state.name == hook && state.tier != Tier::Tracepoint.name())
    }

    /// How many records so far answer a question.
    pub(crate) fn count(&self, question: impl Fn(&Record<'_>) -> bool) -> usize {
        let records = self.records.0.lock().unwrap_or_else(PoisonError::into_inner);
        records.iter().filter(|bytes| decode(bytes).is_ok_and(|record| question(&record))).count()
    }

    /// Numbers of the kinds of records that came so far.
    pub(crate) fn kinds(&self) -> BTreeSet<u16> {
        let records = self.records.0.lock().unwrap_or_else(PoisonError::into_inner);
        records.iter().filter_map(|bytes| Some(decode(bytes).ok()?.header.kind)).collect()
    }

    /// Waits until everything that this process did before is among the records: they come in order, so a last one is made.
    pub(crate) fn settle(&self, folder: &Path) {
        let mark = folder.join("settled");
        fs::write(&mark, b"").expect("write a file of our own");
        self.find("the mark that ends a test", |record| match &record.body {
            Body::FileOpen(open) => (open.path == bytes(&mark)).then_some(()),
            _ => None,
        });
    }

    /// The exec of a process.
    pub(crate) fn exec<T>(&self, pid: u32, question: impl Fn(&Record<'_>, &agent::decode::Exec<'_>) -> Option<T>) -> T {
        self.find(&format!("an exec of process {pid}"), |record| match &record.body {
            Body::Exec(exec) if record.header.pid == pid => question(record, exec),
            _ => None,
        })
    }
}

/// Bytes of a page of this machine: no ring is smaller, and what fills one of 4 KiB does not fill one of 64.
pub(crate) fn page() -> usize {
    let page = sysconf(SysconfVar::PAGE_SIZE).expect("ask for the page size").expect("there is a page size");
    usize::try_from(page).expect("a size is positive")
}

/// A path as records have it.
pub(crate) fn bytes(path: &Path) -> &[u8] {
    std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str())
}

/// A folder of our own, with its real name: records have no links in them.
pub(crate) fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("make a folder");
    let path = folder.path().canonicalize().expect("it is there");
    (folder, path)
}

/// The kernel's own path, else the name that was given, from its folder.
pub(crate) fn whole(path: &[u8], directory: &[u8], name: &[u8]) -> Vec<u8> {
    if path.is_empty() { resolve(directory, name) } else { path.to_vec() }
}
