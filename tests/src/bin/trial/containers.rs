//! Containers of fifty milliseconds, many at a time: each one's start, end, pod and image must be known. Takes how many; prints counts.

use std::time::Duration;

use anyhow::{Result, bail};
use tests::world::agent::Agent;
use tests::world::collector::Collector;
use tests::world::containerd::{self, Containerd};
use tests::world::image::Image;
use tests::world::place::{Place, quoted};
use tests::world::short_lived::{self, Attributed};

/// How often the collector is asked again for what is still on its way: a runtime that did not know is asked again after half a minute.
const LOOKS: usize = 20;

pub(super) fn run(count: usize, at_once: usize) -> Result<bool> {
    if let Some(what) = containerd::missing() {
        bail!("this machine lacks {what}");
    }
    let place = Place::new("cont")?;
    let collector = Collector::start(&place, None)?;
    let mut containerd = Containerd::start(&place)?;
    let image = Image::build(&place, "mayfly.test/shop:2.4.1", &["/bin/sleep", "1000"])?;
    containerd.load(&image)?;
    let _agent = Agent::with(&place, &collector, &format!("[runtimes]\nsockets = [{}]", quoted(&containerd.socket)))?;
    println!("{count} containers of 50 ms, {at_once} at a time …");
    let made = short_lived::run(&mut containerd, &image, count, at_once)?;
    let all = Attributed { execs: count, exits: count, pods: count, images: count };
    let mut had = Attributed::default();
    for _ in 0..LOOKS {
        std::thread::sleep(Duration::from_secs(2));
        had = short_lived::attributed(&collector, &made, &image)?;
        if had == all {
            break;
        }
    }
    for (what, found) in [
        ("the program's start in its container", had.execs),
        ("the program's end in its container", had.exits),
        ("the pod by name and namespace", had.pods),
        ("the image by name and digest", had.images),
    ] {
        println!("{found:>6} of {count}  {what}");
    }
    Ok(had == all)
}
