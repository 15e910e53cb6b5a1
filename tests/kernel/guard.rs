//! Privilege and the kernel have a ring of their own: what fills the others does not cost them a record.

use std::fs::File;

use agent::decode::{Body, Change, Privilege, decode};
use agent::kernel::{Kernel, RingBytes};
use ebpf_common::Class;
use ebpf_common::loss::Outcome;

use crate::stimulus::stimulus;
use crate::watch::{allowed, config, folder, page};

#[test]
fn privilege_and_kernel_arrive_though_the_ring_of_files_is_full() {
    if !allowed() {
        println!("skipped: needs root and BPF");
        return;
    }
    let (_keep, folder) = folder();
    let mut config = config();
    config.rings = RingBytes { file: 4096, ..RingBytes::default() };
    let kernel = Kernel::load(&config).expect("load the kernel programs");
    let mut rings = kernel.take_rings().expect("nobody took the rings before");
    // Nobody reads meanwhile: a page of 4 KiB is full after some tens of files.
    for _ in 0..200 * page() / 4096 {
        File::create(folder.join("flood")).expect("make a file");
    }
    let fault = stimulus(&["userfault"]);
    let ring = stimulus(&["uring_setup", "0"]);
    let (mut faults, mut made) = (Vec::new(), Vec::new());
    while rings.drain(1000, |bytes| {
        let record = decode(bytes).expect("the kernel programs emit true records");
        match record.body {
            Body::Privilege(Privilege::Userfault(body)) if record.header.pid == fault.pid => faults.push(body.result),
            Body::Kernel(Change::UringSetup(body)) if record.header.pid == ring.pid => made.push(body.result),
            _ => {}
        }
    }) > 0
    {}
    assert_eq!((faults, made), (vec![fault.result], vec![ring.result]));
    let counted = kernel.counted().expect("read the counters");
    let lost = |class| {
        let of = |what: &&agent::kernel::Counted| what.class == class && Outcome::LOSSES.contains(&what.outcome);
        counted.iter().filter(|(what, _)| of(what)).map(|(_, count)| count).sum::<u64>()
    };
    assert!(lost(Class::File) > 0, "the ring of files was not full");
    assert_eq!((lost(Class::Privilege), lost(Class::Kernel)), (0, 0));
}
