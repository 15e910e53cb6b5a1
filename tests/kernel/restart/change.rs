//! Programs are changed while the machine works: each act is told by those before or by those after, never by both, never by none.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use agent::decode::decode;
use agent::kernel::Kernel;
use ebpf_common::Class;
use ebpf_common::loss::Outcome;

use super::{Ground, drain, open, run, told_once};

/// Acts by the thousand, each with a number of its own.
struct Load {
    files: PathBuf,
    listener: TcpListener,
    stop: AtomicBool,
    acts: [(&'static str, AtomicU32); 3],
}

impl Load {
    fn on(ground: &Ground) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("listen");
        let acts = ["exec", "open", "connect"].map(|act| (act, AtomicU32::new(0)));
        Self { files: ground.files.clone(), listener, stop: AtomicBool::new(false), acts }
    }

    fn act(&self, which: usize) {
        while !self.stop.load(Ordering::Relaxed) {
            let (act, counter) = &self.acts[which];
            let number = counter.fetch_add(1, Ordering::Relaxed);
            match *act {
                "exec" => run("swap-", number),
                "open" => open(&self.files, "swap-", number),
                _ => {
                    let [_, a, b, c] = number.to_be_bytes();
                    let port = self.listener.local_addr().expect("it has an address").port();
                    drop(TcpStream::connect((Ipv4Addr::new(127, a | 0x80, b, c), port)).expect("connect to ourselves"));
                    drop(self.listener.accept().expect("accept ourselves"));
                }
            }
            // What nobody reads for the seconds of a load has to fit into the rings.
            thread::sleep(Duration::from_micros(500));
        }
    }

    /// Every act that was done, told once.
    fn made(&self) -> BTreeMap<(&'static str, u32), u32> {
        let made = self.acts.iter().map(|(act, counter)| (*act, counter.load(Ordering::Relaxed)));
        made.flat_map(|(act, count)| (0..count).map(move |number| ((act, number), 1))).collect()
    }
}

#[test]
fn programs_are_changed_under_load_and_each_act_is_told_once() {
    let Some(ground) = Ground::make() else { return };
    // Each is a load of all programs by the verifier, which takes seconds.
    let times = std::env::var("MAYFLY_CHANGES").map_or(3, |times| times.parse().expect("a number"));
    let load = Load::on(&ground);
    let mut all = Vec::new();
    let (mut kernel, mut rings) = ground.load();
    drain(&mut rings, &mut all);
    let (kernel, mut rings) = thread::scope(|scope| {
        let threads = [0, 1, 2].map(|which| {
            scope.spawn({
                let load = &load;
                move || load.act(which)
            })
        });
        for _ in 0..times {
            drain(&mut rings, &mut all);
            drop((kernel, rings));
            (kernel, rings) = ground.load();
        }
        load.stop.store(true, Ordering::Relaxed);
        for thread in threads {
            thread.join().expect("it ends");
        }
        (kernel, rings)
    });
    drain(&mut rings, &mut all);
    let made = load.made();
    println!("{} acts and {} records over {times} changes", made.len(), all.len());
    assert!(load.acts.iter().all(|(_, count)| count.load(Ordering::Relaxed) > 100), "there was no load");
    told_once(&kernel, &all, "swap-", &made);
    adds_up(&kernel, &all);
}

/// Whatever began has ended, and what was sent was read.
fn adds_up(kernel: &Kernel, all: &[Vec<u8>]) {
    let mut read = BTreeMap::new();
    for bytes in all {
        *read.entry(decode(bytes).expect("the kernel programs emit true records").header.class).or_insert(0) += 1;
    }
    // What this machine does meanwhile goes on: the accounts are ahead of what was read, and never behind.
    for standing in kernel.accounts(0).expect("read the accounts") {
        for class in Class::ALL {
            let ended: u64 = standing.account.ended[class as usize].iter().sum::<u64>()
                - standing.account.ended[class as usize][Outcome::Unowned as usize];
            let begun = standing.account.begun[class as usize];
            assert!(begun.abs_diff(ended) < 16, "{begun} of {} began, {ended} ended", class.name());
        }
    }
    for (what, sent) in kernel.counted().expect("read the accounts") {
        let read = read.get(&(what.class as u8)).copied().unwrap_or(0);
        assert!(what.outcome != Outcome::Sent || sent >= read, "{sent} sent, {read} read of {}", what.class.name());
    }
}
