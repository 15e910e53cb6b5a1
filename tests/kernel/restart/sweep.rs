//! What an agent finds that is not its own, and what it leaves when it is uninstalled.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use agent::kernel::{Kernel, Rings, Uninstalled, uninstall};

use super::{Ground, MIB, acts, drain, run};

#[test]
fn uninstalling_leaves_nothing_and_may_be_done_twice() {
    let Some(ground) = Ground::make() else { return };
    let before = programs();
    let (kernel, rings) = ground.load();
    assert!(uninstall(&ground.pins()).is_err(), "an agent has it");
    drop((kernel, rings));
    assert!(programs().difference(&before).count() > 50, "the programs went with the agent");
    let removed = uninstall(&ground.pins()).expect("nobody has it");
    assert!(removed.hooks > 30 && removed.maps > 20 && removed.quarantines == 0, "{removed:?}");
    assert!(!ground.pins().exists());
    assert_eq!(uninstall(&ground.pins()).expect("nothing is there"), Uninstalled::default());
    let end = Instant::now() + Duration::from_secs(20);
    // The kernel frees them when nobody can be in them any more.
    while programs().difference(&before).any(|(_, name)| is_ours(name)) {
        assert!(Instant::now() < end, "they stay: {:?}", programs().difference(&before).collect::<Vec<_>>());
        thread::sleep(Duration::from_millis(50));
    }
}

/// Number and name of every program in the kernel.
fn programs() -> BTreeSet<(u32, String)> {
    let all = aya::programs::loaded_programs().filter_map(Result::ok);
    all.map(|program| (program.id(), program.name_as_str().unwrap_or_default().to_owned())).collect()
}

/// Gates are of pinned agents only; other tests load the same programs without.
fn is_ours(name: &str) -> bool {
    name.starts_with("gate_")
}

#[test]
fn tables_of_another_build_are_drained_and_garbage_is_swept() {
    let Some(ground) = Ground::make() else { return };
    let mut small = ground.config();
    small.rings.process = MIB;
    let kernel = Kernel::load(&small).expect("load the kernel programs");
    assert!(kernel.take_earlier_rings().is_empty());
    drop(kernel);
    run("other-", 1);
    // What an agent of another layout left, a folder, and a table that is none of ours by its name or its kind.
    fs::create_dir_all(ground.pins().join("v0/gates")).expect("make a folder");
    let (kernel, mut rings) = ground.load();
    let [mut earlier] = <[Rings; 1]>::try_from(kernel.take_earlier_rings()).ok().expect("the rings of the first");
    let (mut old, mut new) = (Vec::new(), Vec::new());
    run("other-", 2);
    drain(&mut earlier, &mut old);
    drain(&mut rings, &mut new);
    assert_eq!(acts(&old, "other-"), BTreeMap::from([(("exec", 1), 1)]));
    assert_eq!(acts(&new, "other-"), BTreeMap::from([(("exec", 2), 1)]));
    assert!(!ground.pins().join("v0").exists());
    drop((kernel, rings));
    // A table of another kind under one of our names, and a gate without its parts.
    let tables =
        fs::read_dir(ground.pins().join("v1/maps")).expect("it is there").flatten().next().expect("ours").path();
    fs::remove_file(tables.join("SOCKETS")).expect("it is there");
    let other = aya::maps::MapData::from_pin(tables.join("PAYERS")).expect("it is there");
    other.pin(tables.join("SOCKETS")).expect("pin another there");
    let gate = ground.pins().join("v1/gates/sched_process_exec:sched_process_exec/link");
    fs::remove_file(gate).expect("it is there");
    let (kernel, mut rings) = ground.load();
    run("other-", 3);
    new.clear();
    drain(&mut rings, &mut new);
    assert_eq!(acts(&new, "other-").get(&("exec", 3)), Some(&1));
    drop(kernel);
}
