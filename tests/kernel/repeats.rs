//! Opens that a process makes again and again: the first is told, the others are counted, and nothing is missing from the sum.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use agent::clock::Clock;
use agent::decode::{Body, decode};
use agent::kernel::{Kernel, KernelConfig, Over, Repeat, Rings};
use ebpf_common::Class;
use ebpf_common::loss::Outcome;

use crate::watch::{allowed, bytes, config, folder};

const THREADS: u64 = 8;
const EACH: u64 = 2_000;
/// Longer than any test, so that none meets its end by chance.
const LONG: Duration = Duration::from_hours(1);

/// An open that was told.
struct Opened {
    pid: u32,
    flags: u32,
    counted_ns: u64,
}

/// Programs of its own, which count.
struct Counting {
    kernel: Kernel,
    rings: Mutex<Rings>,
}

impl Counting {
    fn begin(window: Duration) -> Option<Self> {
        if !allowed() {
            println!("skipped: needs root and BPF");
            return None;
        }
        let config = KernelConfig { repeat_window: window, ..config() };
        let kernel = Kernel::load(&config).expect("load the kernel programs");
        let rings = Mutex::new(kernel.take_rings().expect("nobody took the rings before"));
        Some(Self { kernel, rings })
    }

    /// Opens of this file that are in the rings.
    fn told(&self, path: &Path) -> Vec<Opened> {
        let mut told = Vec::new();
        let mut rings = self.rings.lock().expect("no test fails while it reads");
        while rings.drain(1000, |record| {
            let record = decode(record).expect("the kernel programs emit true records");
            if let Body::FileOpen(open) = &record.body
                && open.path == bytes(path)
            {
                let (flags, counted_ns) = (open.fixed.flags, open.fixed.counted_ns);
                told.push(Opened { pid: record.header.pid, flags, counted_ns });
            }
        }) > 0
        {}
        told
    }

    fn aggregated(&self) -> u64 {
        let counted = self.kernel.counted().expect("read the counters");
        let of = |(what, _): &(&agent::kernel::Counted, &u64)| {
            what.class == Class::File && what.outcome == Outcome::Aggregated
        };
        counted.iter().filter(of).map(|(_, count)| count).sum()
    }
}

fn own(over: &Over) -> Vec<&Repeat> {
    over.repeats.iter().filter(|repeat| repeat.of.pid == std::process::id()).collect()
}

fn append(path: &Path) {
    drop(File::options().append(true).open(path).expect("open a file of our own"));
}

#[test]
fn opens_of_one_file_by_many_threads_are_told_once_and_counted_exactly() {
    let Some(counting) = Counting::begin(LONG) else { return };
    let (_keep, folder) = folder();
    let path = folder.join("log");
    File::create(&path).expect("make a file");
    append(&path);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| (0..EACH).for_each(|_| append(&path)));
        }
    });
    let told = counting.told(&path);
    assert_eq!(told.len(), 2, "the open that made it, and the first of the others");
    assert_eq!(told[0].counted_ns, 0, "what the open made is another file each time");
    let mut all = counting.kernel.repeats_so_far().expect("read the table").repeats;
    let own = all.iter().find(|repeat| repeat.of.pid == std::process::id()).expect("it was done again");
    assert_eq!(own.repeats.count, THREADS * EACH);
    assert_eq!((own.repeats.counted_ns, own.of.flags), (told[1].counted_ns, told[1].flags));
    // Others on this machine open files meanwhile.
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        let before = counting.aggregated();
        all.extend(counting.kernel.repeats_so_far().expect("read the table").repeats);
        let sum: u64 = all.iter().map(|repeat| repeat.repeats.count).sum();
        if sum == before {
            break;
        }
        assert!(Instant::now() < end, "the books say {before}, the table said {sum}");
    }
}

#[test]
fn another_name_another_way_and_another_image_are_told() {
    let Some(counting) = Counting::begin(LONG) else { return };
    let (_keep, folder) = folder();
    let (path, link) = (folder.join("log"), folder.join("link"));
    File::create(&path).expect("make a file");
    fs::hard_link(&path, &link).expect("give it one more name");
    counting.told(&path);
    for _ in 0..3 {
        append(&path);
        append(&link);
        drop(File::options().read(true).append(true).open(&path).expect("open a file of our own"));
        drop(File::create(&path).expect("open a file of our own"));
    }
    let script = "echo >> log; echo >> log; exec sh -c 'echo >> log; echo >> log'";
    let mut shell = Command::new("sh").args(["-c", script]).current_dir(&folder).spawn().expect("start a shell");
    let pid = shell.id();
    assert!(shell.wait().expect("it is ours").success());
    let mut told = counting.told(&path);
    let of_shell = told.extract_if(.., |open| open.pid == pid).count();
    assert_eq!(of_shell, 2, "one of each image");
    assert_eq!(told.len(), 3, "to append, to read and append, to cut");
    let over = counting.kernel.repeats_so_far().expect("read the table");
    let mut counts: Vec<u64> = own(&over).iter().map(|repeat| repeat.repeats.count).collect();
    counts.sort_unstable();
    assert_eq!(counts, [2, 2, 2, 2], "of each name and way the second and the third");
}

#[test]
fn what_was_counted_is_taken_when_its_window_is_over_and_the_next_open_is_told() {
    let Some(counting) = Counting::begin(Duration::from_secs(1)) else { return };
    let (_keep, folder) = folder();
    let path = folder.join("log");
    File::create(&path).expect("make a file");
    counting.told(&path);
    // In one window or in two: each begins with one that is told.
    (0..10).for_each(|_| append(&path));
    let first = counting.told(&path).len();
    let now_ns = Clock::system().now().boot_ns;
    assert_eq!(own(&counting.kernel.repeats_over(now_ns).expect("read the table")), [] as [&Repeat; 0]);
    let over = counting.kernel.repeats_over(now_ns + 4_000_000_000).expect("read the table");
    let counted: u64 = own(&over).iter().map(|repeat| repeat.repeats.count).sum();
    assert_eq!(first as u64 + counted, 10);
    assert!(counted >= 8, "{counted} of ten were counted");
    append(&path);
    assert_eq!(counting.told(&path).len(), 1);
}
