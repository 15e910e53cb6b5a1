//! A real containerd, asked over the Container Runtime Interface, names pods and images; a container that lived for fifty milliseconds is
//! no exception, and neither are sixty-four of them, sixteen at a time.

use anyhow::{Context, Result};
use serde_json::Value;
use tests::evasion;
use tests::world::agent::{Agent, tiers};
use tests::world::collector::Collector;
use tests::world::container::Pod;
use tests::world::containerd::Containerd;
use tests::world::image::Image;
use tests::world::incident::PATIENCE;
use tests::world::place::{Place, quoted};
use tests::world::program::{eventually, run};
use tests::world::short_lived::{self, Attributed};

use crate::skip;

const IMAGE: &str = "mayfly.test/shop:2.4.1";

/// What a story with pods starts.
struct World {
    _agent: Agent,
    containerd: Containerd,
    collector: Collector,
    image: Image,
    pod: Pod,
    place: Place,
}

impl World {
    fn start(purpose: &str) -> Result<Self> {
        let place = Place::new(purpose)?;
        let collector = Collector::start(&place, None)?;
        let containerd = Containerd::start(&place)?;
        let image = Image::build(&place, IMAGE, &["/bin/sleep", "1000"])?;
        containerd.load(&image)?;
        let sockets = format!("[runtimes]\nsockets = [{}]", quoted(&containerd.socket));
        let agent = Agent::with(&place, &collector, &sockets)?;
        Ok(Self { _agent: agent, containerd, collector, image, pod: Pod::shop(), place })
    }

    /// Whether the table of evasions says that this case is seen here.
    fn begin(&self, number: u8) -> Result<bool> {
        let tiers = tiers(&self.place)?;
        Ok(evasion::begin(number, |hook| tiers.get(hook).cloned()).is_some())
    }

    /// The first start of a program with this word among its arguments, whoever ran it.
    fn exec_of(&self, word: &str) -> Result<Value> {
        eventually(&format!("the start of a program with {word}"), PATIENCE, || {
            let answer = self.collector.ask(&["events", "--limit", "20000"])?;
            let mut events = answer["events"].as_array().into_iter().flatten();
            let ran = |event: &&Value| {
                event.pointer("/body/arguments").and_then(Value::as_array).is_some_and(|words| {
                    words.len() < 3 && words.iter().any(|argument| argument.as_str() == Some(word))
                })
            };
            Ok(events.find(ran).cloned())
        })
    }
}

#[test]
fn a_pod_of_containerd_is_named_over_its_own_interface() -> Result<()> {
    if skip::without_containerd() {
        return Ok(());
    }
    let mut world = World::start("cris")?;
    if !world.begin(26)? {
        return Ok(());
    }
    let containers = short_lived::run(&mut world.containerd, &world.image, 64, 16)?;
    let all = Attributed { execs: 64, exits: 64, pods: 64, images: 64 };
    let mut had = Attributed::default();
    let found = eventually("every container to be attributed", PATIENCE, || {
        had = short_lived::attributed(&world.collector, &containers, &world.image)?;
        Ok((had == all).then_some(()))
    });
    found.with_context(|| format!("{had:?} of 64"))
}

#[test]
fn who_enters_a_container_is_told_by_the_way_in() -> Result<()> {
    if skip::without_containerd() {
        return Ok(());
    }
    let mut world = World::start("entr")?;
    if !world.begin(28)? {
        return Ok(());
    }
    let sandbox = world.containerd.pod(&world.pod)?;
    let cri = world.containerd.cri()?;
    let id = cri.start((&sandbox, &world.pod), "shop", IMAGE, &["/bin/sleep", "4321"])?;
    let own = world.exec_of("4321")?;
    cri.exec(&id, &["/bin/sleep", "0.0511"])?;
    run(world.containerd.ctr("k8s.io").args(["task", "exec", "--exec-id", "by-hand", &id, "/bin/sleep", "0.0512"]))?;
    let pid = own.pointer("/actor/process/pid").context("the container's first process")?.to_string();
    run(std::process::Command::new("nsenter").args(["-t", &pid, "-m", "/bin/sleep", "0.0513"]))?;
    let entry = |event: &Value| event.pointer("/actor/entry").and_then(Value::as_str).map(str::to_owned);
    assert_eq!(entry(&own).as_deref(), Some("init_tree"));
    assert_eq!(entry(&world.exec_of("0.0511")?).as_deref(), Some("cri_exec"));
    assert_eq!(entry(&world.exec_of("0.0512")?).as_deref(), Some("runtime_exec"));
    let entered = world.exec_of("0.0513")?;
    assert_eq!(entry(&entered).as_deref(), Some("namespace"));
    assert_eq!(entered.pointer("/actor/entered").and_then(Value::as_str), Some(id.as_str()));
    Ok(())
}
