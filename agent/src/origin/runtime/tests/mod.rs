//! Talks with a runtime that is told what to answer: names in, facts and standing out.

mod fake;

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::watch;

use super::standing::{Standing, Standings};
use super::{Link, open};
use crate::origin::cgroup_tree::CgroupTree;
use crate::origin::container::{ContainerTable, describe};
use fake::{Fake, ID, UID, container, pod};

/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

struct World {
    _folder: tempfile::TempDir,
    socket: PathBuf,
    standings: Standings,
    link: Option<Link>,
    table: ContainerTable,
    said: Vec<String>,
    stop: watch::Sender<bool>,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let socket = folder.path().join("cri.sock");
        let standings = Standings::default();
        let (link, sessions) = open(std::slice::from_ref(&socket), Duration::from_millis(200), &standings);
        let (stop, stopped) = watch::channel(false);
        for session in sessions {
            drop(tokio::spawn(session.run(stopped.clone())));
        }
        let nowhere = folder.path().join("nothing");
        let table = ContainerTable::new(nowhere.clone(), CgroupTree::new(nowhere.clone(), nowhere), 64, u64::MAX);
        Self { _folder: folder, socket, standings, link, table, said: Vec::new(), stop }
    }

    /// A container begins; what is said of it is kept.
    fn begins(&mut self, cgroup_id: u64, path: &str) {
        if let Some(link) = self.link.take() {
            self.table.ask(link);
        }
        let seen = self.table.made(cgroup_id, path.as_bytes(), 1);
        self.said.extend(seen.as_ref().map(describe));
    }

    fn standing(&self) -> Standing {
        self.standings.picture().remove(0)
    }

    /// Waits until the standing is as wanted, taking what the runtime says meanwhile.
    async fn until(&mut self, what: &str, wanted: impl Fn(&Self) -> bool) {
        let waiting = async {
            while !wanted(self) {
                let mut said = Vec::new();
                self.table.take_told(&mut said);
                self.said.extend(said.iter().map(describe));
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let came = tokio::time::timeout(PATIENCE, waiting).await.is_ok();
        assert!(came, "{what}: {:?}, said {:?}", self.standing(), self.said);
    }

    fn line(&self) -> String {
        self.said.last().cloned().unwrap_or_default().replace(ID, "ID").replace(UID, "UID")
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

fn path() -> String {
    format!("/kubepods/burstable/pod{UID}/{ID}")
}

const NAMED: &str =
    "cri-o ID pod=shop-7d9 namespace=store uid=UID image=registry/shop:2.4.1 digest=sha256:ID name=shop";

#[tokio::test]
async fn a_runtime_that_is_there_names_what_it_knows_and_what_it_is_asked_for() {
    let mut world = World::new();
    let fake = Fake::new().with(container(ID), pod(UID));
    let _server = fake.serve(&world.socket);
    world.until("it is asked", |world| world.standing().state == "asked").await;
    world.begins(7, &path());
    world.until("it is named", |world| world.said.len() > 1 || world.line() == NAMED).await;
    assert_eq!(world.line(), NAMED);
    assert_eq!(world.standing().runtime, "cri-o 1.30.0");
}

#[tokio::test]
async fn a_container_that_the_runtime_told_of_first_has_its_names_when_its_cgroup_is_made() {
    let mut world = World::new();
    let fake = Fake::new();
    let _server = fake.serve(&world.socket);
    world.until("it is asked", |world| world.standing().state == "asked").await;
    world.begins(1, "/system.slice/other.service");
    fake.created(container(ID), pod(UID));
    world.until("it was told", |world| world.standing().named > 0).await;
    world.table.take_told(&mut Vec::new());
    world.begins(7, &path());
    assert_eq!(world.said.iter().map(|line| line.replace(ID, "ID").replace(UID, "UID")).collect::<Vec<_>>(), [NAMED]);
}

#[tokio::test]
async fn a_runtime_that_comes_later_names_what_began_before() {
    let mut world = World::new();
    world.begins(7, &path());
    world.until("its absence is told", |world| world.standing().state.starts_with("there is no socket")).await;
    let _server = Fake::new().with(container(ID), pod(UID)).serve(&world.socket);
    world.until("it is named", |world| world.line() == NAMED).await;
}

#[tokio::test]
async fn a_runtime_that_does_not_answer_is_told_and_holds_nobody() {
    let mut world = World::new();
    let fake = Fake { silent: true, ..Fake::new() };
    let _server = fake.serve(&world.socket);
    world.begins(7, &path());
    assert_eq!(world.line(), "containerd ID uid=UID", "what the kernel says is there at once");
    world.until("its silence is told", |world| world.standing().state == "no answer to Version within 200ms").await;
}

#[tokio::test]
async fn an_answer_about_another_container_is_refused_and_told() {
    let mut world = World::new();
    let other = "b".repeat(64);
    let fake = Fake { answers_with: Some(container(&other)), ..Fake::new().with(container(ID), pod(UID)) };
    let _server = fake.serve(&world.socket);
    world.begins(7, &path());
    world.until("the lie is told", |world| world.standing().refused > 0).await;
    assert_eq!(world.standing().last_refused, format!("asked for {ID}, it told of {other}"));
    assert_eq!(world.line(), "containerd ID uid=UID");
}

#[tokio::test]
async fn an_answer_that_moves_a_container_to_another_pod_is_refused_and_told() {
    let mut world = World::new();
    let _server = Fake::new().with(container(ID), pod("00000000-0000-0000-0000-000000000000")).serve(&world.socket);
    world.begins(7, &path());
    world.until("the lie is told", |world| world.standing().refused > 0).await;
    let why = world.standing().last_refused;
    assert!(why.contains(&format!("is in the cgroup of pod {UID}")), "{why}");
    assert_eq!(world.line(), "containerd ID uid=UID");
}

#[tokio::test]
async fn an_answer_without_end_is_refused() {
    let mut world = World::new();
    let endless = proto::cri::PodSandboxMetadata { name: "x".repeat(8 << 20), ..pod(UID) };
    let _server = Fake::new().with(container(ID), endless).serve(&world.socket);
    world.begins(7, &path());
    world.until("it failed", |world| world.standing().state.contains("ListPodSandbox")).await;
    assert_eq!(world.line(), "containerd ID uid=UID");
}

#[test]
fn without_a_socket_nobody_is_asked() {
    let (link, sessions) = open(&[], Duration::from_secs(1), &Standings::default());
    assert!(link.is_none() && sessions.is_empty());
}
