//! Tests of the responder: orders and matches in, results, events and manifests out. The processes are children of this one;
//! the barrier, the probe and the recorder are stand-ins, since the real ones need a kernel that lets them in.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};

use ebpf_common::config::Packets;
use ipnet::IpNet;
use proto::v1::event::Body;
use proto::v1::order::Action;
use proto::v1::{
    Capture, KillProcess, LiftQuarantine, OrderStatus, ProcessKey, ProcessTarget, Quarantine, ResumeProcess,
    StopProcess,
};

use super::artifact::{Hashing, Taken};
use super::held::{Held, State};
use super::manifest::{Recording, verify};
use super::outside::{ProbeOutcome, Sealed, Seen};
use super::trigger::{Fired, Matched, Stop};
use super::*;
use crate::origin::seed;

const CONTAINER: &str = "3f2c0b6b9ab1f5d8c1f3b6c4f2a9e1d07c5b4a39281706f5e4d3c2b1a0998877";
const BOOT: &str = "11111111-2222-3333-4444-555555555555";

struct NoRecorder;

impl Recorder for NoRecorder {
    fn seal(&self, _: Duration) -> io::Result<Box<dyn Sealed>> {
        Ok(Box::new(NoRecorder))
    }
}

impl Sealed for NoRecorder {
    fn recording(&self) -> Recording {
        Recording::default()
    }

    fn write_to(&self, _: &mut Hashing) -> io::Result<()> {
        Ok(())
    }
}

struct Folder(PathBuf);

impl Shelf for Folder {
    fn begin(&self, capture_id: &str) -> io::Result<PathBuf> {
        let folder = self.0.join(capture_id);
        std::fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    fn commit(&self, capture_id: &str, manifest: &[u8], _: &[Taken]) -> io::Result<()> {
        std::fs::write(self.0.join(capture_id).join("manifest"), manifest)
    }
}

/// What is allowed, and what was dropped.
type Cut = (Vec<IpNet>, u64);

/// A barrier and a probe that share what is cut off. `leaks`: the barrier is up and holds nothing.
#[derive(Clone, Default)]
struct Air {
    cut: Arc<Mutex<BTreeMap<u64, Cut>>>,
    leaks: bool,
}

impl Network for Air {
    fn cut(&mut self, cgroup_id: u64, _: &Path, allow: &[IpNet], _: u64) -> io::Result<()> {
        self.cut.lock().expect("one thread").insert(cgroup_id, (allow.to_vec(), 0));
        Ok(())
    }

    fn lift(&mut self, cgroup_id: u64) -> io::Result<bool> {
        Ok(self.cut.lock().expect("one thread").remove(&cgroup_id).is_some())
    }

    fn packets(&self, cgroup_id: u64) -> Option<Packets> {
        let dropped_out = self.cut.lock().expect("one thread").get(&cgroup_id)?.1;
        Some(Packets { dropped_out, ..Packets::default() })
    }
}

impl Probe for Air {
    fn send(&self, _: &Path, _: Option<u32>, to: &[SocketAddr]) -> io::Result<Vec<Seen>> {
        let mut cut = self.cut.lock().expect("one thread");
        let mut outcome = |to: &SocketAddr| match cut.values_mut().next() {
            Some((allow, dropped)) if !self.leaks && !allow.iter().any(|network| network.contains(&to.ip())) => {
                *dropped += 1;
                ProbeOutcome::Refused
            }
            _ => ProbeOutcome::Sent,
        };
        Ok(to.iter().map(|&to| Seen { to, outcome: outcome(&to) }).collect())
    }
}

struct World {
    responder: Responder,
    clock: Clock,
    air: Air,
    folder: tempfile::TempDir,
    cgroup_id: u64,
}

impl World {
    fn new(leaks: bool) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let cgroup = folder.path().join("cgroup/docker").join(CONTAINER);
        std::fs::create_dir_all(&cgroup).expect("it can be made");
        let cgroup_id = CgroupTree::id_of_folder(&cgroup).expect("it was made");
        let clock = Clock::standing(1_000_000_000_000, 500_000_000_000);
        let air = Air { leaks, ..Air::default() };
        Self { responder: responder(folder.path(), &clock, &air), clock, air, folder, cgroup_id }
    }

    /// The agent ends and begins again: the kernel takes the barrier down with it.
    fn again(&mut self) {
        self.air.cut.lock().expect("one thread").clear();
        self.responder = responder(self.folder.path(), &self.clock, &self.air);
    }

    fn order(&mut self, id: &str, action: Action) -> String {
        let order = Order { id: id.to_owned(), action: Some(action), ..Order::default() };
        line(&self.asked(&order))
    }

    fn asked(&mut self, order: &Order) -> OrderResult {
        let mut said = Vec::new();
        self.responder.order(order, &mut said);
        match said.pop() {
            Some(Said::Result(result)) => *result,
            other => panic!("an order has a result: {other:?}"),
        }
    }

    fn quarantine(&mut self, id: &str, allow: &[&str]) -> String {
        let allow = allow.iter().map(|&text| text.to_owned()).collect();
        let (container_id, cgroup_id) = (CONTAINER.to_owned(), self.cgroup_id);
        self.order(id, Action::Quarantine(Quarantine { container_id, cgroup_id, allow, expires_seconds: 60 }))
    }

    fn is_cut(&self) -> bool {
        self.air.cut.lock().expect("one thread").contains_key(&self.cgroup_id)
    }
}

fn responder(folder: &Path, clock: &Clock, air: &Air) -> Responder {
    let guard = Guard::new(Path::new("/proc"), &[]);
    let settings = Settings::new(folder.join("data"), "node-1".to_owned(), BOOT.to_owned(), guard);
    let outside = Outside {
        recorder: Box::new(NoRecorder),
        shelf: Box::new(Folder(folder.join("captures"))),
        network: Ok(Box::new(air.clone())),
        probe: Box::new(air.clone()),
        tree: CgroupTree::new(folder.join("cgroup"), PathBuf::from("/proc")),
        clock: clock.clone(),
    };
    Responder::new(settings, outside).expect("its folder can be made")
}

fn line(result: &OrderResult) -> String {
    let status = result.status().as_str_name().trim_start_matches("ORDER_STATUS_");
    format!("{status} {} | {} | {}", result.detail, result.verified, result.prior)
}

fn child() -> (Child, ProcessTarget) {
    let child = Command::new("sleep").arg("60").spawn().expect("sleep is on every machine");
    let key = seed::one(Path::new("/proc"), child.id()).expect("the child runs").key;
    (child, ProcessTarget { process: Some(key) })
}

fn state(target: &ProcessTarget) -> State {
    let key = target.process.expect("it was given one");
    Held::take(Path::new("/proc"), key).map_or(State::Gone, |held| held.state())
}

fn end(mut child: Child) {
    child.kill().expect("it is ours");
    child.wait().expect("it was ours");
}

#[test]
fn a_process_is_stopped_resumed_and_killed_by_order() {
    let mut world = World::new(false);
    let (mut child, target) = child();
    let some = || Some(target);
    let stop = world.order("1", Action::Stop(StopProcess { target: some() }));
    assert!(stop.starts_with("DONE stopped | process ") && stop.ends_with(" is stopped | running"), "{stop}");
    assert!(world.order("2", Action::Stop(StopProcess { target: some() })).starts_with("ALREADY "));
    assert!(world.order("3", Action::Resume(ResumeProcess { target: some() })).starts_with("DONE it goes on"));
    assert_eq!(state(&target), State::Running);
    assert!(world.order("4", Action::Kill(KillProcess { target: some() })).starts_with("DONE ended with SIGKILL"));
    child.wait().expect("it was ours");
    assert!(world.order("5", Action::Kill(KillProcess { target: some() })).starts_with("ALREADY "));
    assert!(world.order("6", Action::Stop(StopProcess { target: some() })).starts_with("REFUSED "));
}

#[test]
fn a_repeated_order_is_answered_and_not_done_again_also_by_a_new_agent() {
    let mut world = World::new(false);
    let (child, target) = child();
    let first = world.order("1", Action::Stop(StopProcess { target: Some(target) }));
    world.order("2", Action::Resume(ResumeProcess { target: Some(target) }));
    world.again();
    assert_eq!(world.order("1", Action::Stop(StopProcess { target: Some(target) })), first);
    assert_eq!(state(&target), State::Running);
    end(child);
}

#[test]
fn an_expired_order_a_reused_pid_and_the_protected_are_refused() {
    let mut world = World::new(false);
    let (child, target) = child();
    let action = Some(Action::Stop(StopProcess { target: Some(target) }));
    let expired = Order { id: "1".to_owned(), not_after_ns: 5, action, ..Order::default() };
    assert!(line(&world.asked(&expired)).starts_with("REFUSED the order has expired"));
    let key = target.process.expect("it was given one");
    let other = ProcessTarget { process: Some(ProcessKey { start_ns: key.start_ns + 1_000_000_000, ..key }) };
    assert!(world.order("2", Action::Stop(StopProcess { target: Some(other) })).contains("is another process now"));
    let init = ProcessTarget { process: Some(ProcessKey { pid: 1, start_ns: 0 }) };
    assert!(world.order("3", Action::Kill(KillProcess { target: Some(init) })).contains("is protected"));
    assert_eq!(state(&target), State::Running);
    end(child);
}

#[test]
fn a_hold_ends_by_itself_also_under_a_new_agent() {
    let mut world = World::new(false);
    let (child, target) = child();
    world.order("1", Action::Stop(StopProcess { target: Some(target) }));
    world.again();
    world.clock.advance(Duration::from_secs(599));
    world.responder.tick();
    assert_eq!(state(&target), State::Stopped);
    world.clock.advance(Duration::from_secs(1));
    world.responder.tick();
    assert_eq!(state(&target), State::Running);
    end(child);
}

/// Holds as many as can be held.
fn crowd(world: &mut World) {
    for pid in (10_000_000..).take(super::lease::HELD) {
        assert!(world.responder.hold(ProcessKey { pid, start_ns: 1 }, "test", world.clock.now()));
    }
}

#[test]
fn nobody_stays_stopped_whose_hold_nothing_would_end() {
    let mut world = World::new(false);
    crowd(&mut world);
    let (child, target) = child();
    let told = world.order("1", Action::Stop(StopProcess { target: Some(target) }));
    assert!(told.starts_with("FAILED as many processes are held as can be"), "{told}");
    assert_eq!(state(&target), State::Running);

    let process = Held::take(Path::new("/proc"), target.process.expect("it has one")).expect("it runs");
    process.stop().expect("it is ours");
    let rule = Matched { rule_id: "r".to_owned(), title: "R".to_owned(), level: "high", techniques: Vec::new() };
    let fired = Fired {
        rules: vec![rule],
        event: Event::default(),
        capture: false,
        stop: Stop::InKernel,
        process: Some(process),
        executable: String::new(),
        container: None,
        matched: world.clock.now(),
        repeats: 0,
    };
    world.responder.fired(fired, &mut Vec::new());
    assert_eq!(state(&target), State::Running);
    end(child);
}

#[test]
fn a_quarantine_is_tested_from_inside_renewed_and_lifted() {
    let mut world = World::new(false);
    let begun = world.quarantine("1", &["10.0.0.7"]);
    assert!(begun.starts_with("DONE cut off: quarantined until boot time 560 s, allowed: 10.0.0.7/32 | "), "{begun}");
    assert!(
        begun.contains("192.0.2.1:9 refused, 10.0.0.7:9 sent, 127.0.0.1:9 refused; the barrier dropped 2"),
        "{begun}"
    );
    assert!(begun.ends_with(" | not quarantined"), "{begun}");
    world.clock.advance(Duration::from_secs(30));
    assert!(world.quarantine("2", &["10.0.0.7"]).starts_with("ALREADY renewed: quarantined until boot time 590 s"));
    let lift = LiftQuarantine { container_id: CONTAINER.to_owned(), cgroup_id: world.cgroup_id };
    let lifted = world.order("3", Action::LiftQuarantine(lift.clone()));
    assert!(
        lifted.starts_with("DONE lifted; it had dropped 4 packets | sent from inside the cgroup: 192.0.2.1:9 sent")
    );
    assert!(!world.is_cut());
    assert!(world.order("4", Action::LiftQuarantine(lift)).starts_with("ALREADY it is not quarantined"));
}

#[test]
fn a_quarantine_that_does_not_hold_is_lifted_again() {
    let mut world = World::new(true);
    let failed = world.quarantine("1", &[]);
    assert!(failed.starts_with("FAILED the self-test failed, so it was lifted: a datagram to 192.0.2.1:9 got out"));
    assert!(!world.is_cut());
}

#[test]
fn a_quarantine_ends_by_itself_and_is_put_back_by_a_new_agent() {
    let mut world = World::new(false);
    world.quarantine("1", &[]);
    world.again();
    assert!(world.is_cut());
    world.clock.advance(Duration::from_mins(1));
    world.responder.tick();
    assert!(!world.is_cut());
    world.again();
    assert!(!world.is_cut());
}

#[test]
fn a_quarantine_of_a_gone_or_another_container_cuts_nobody() {
    let mut world = World::new(false);
    let other = CONTAINER.replace("3f2c", "0000");
    let asked = |container_id: &str, cgroup_id, expires_seconds| {
        let container_id = container_id.to_owned();
        Action::Quarantine(Quarantine { container_id, cgroup_id, allow: Vec::new(), expires_seconds })
    };
    let cgroup_id = world.cgroup_id;
    assert!(world.order("1", asked(&other, cgroup_id, 60)).contains("is not of container"));
    assert!(world.order("2", asked(CONTAINER, 1, 60)).starts_with("ALREADY the container's cgroup is gone"));
    assert!(world.order("3", asked(CONTAINER, cgroup_id, 0)).starts_with("REFUSED a quarantine lasts"));
    assert!(world.quarantine("4", &["10.0.0.0/33"]).contains("is neither an address nor a network"));
    assert!(!world.is_cut());
}

#[test]
fn a_capture_by_order_is_signed_and_names_the_order() {
    let mut world = World::new(false);
    let (child, target) = child();
    let capture = Capture { target: Some(target), container_id: String::new(), recorder_seconds: 30 };
    let order = Order {
        id: "1".to_owned(),
        case_id: "case-7".to_owned(),
        action: Some(Action::Capture(capture)),
        ..Order::default()
    };
    let result = world.asked(&order);
    assert_eq!(result.status(), OrderStatus::Done, "{}", result.detail);
    let manifest = std::fs::read(world.folder.path().join("captures").join(&result.capture_id).join("manifest"));
    let payload = verify(&manifest.expect("it was committed"), &world.responder.signing_key()).expect("it is signed");
    let statement: serde_json::Value = serde_json::from_slice(&payload).expect("it is JSON");
    assert_eq!(statement["predicate"]["cause"]["caseId"], "case-7");
    assert_eq!(statement["predicate"]["processes"][0]["pid"], child.id());
    assert_eq!(statement["predicate"]["failures"][0]["reason"], "the log holds no event of that time");
    let artifacts = statement["predicate"]["artifacts"].as_array().expect("a list");
    let subjects = statement["subject"].as_array().expect("a list");
    assert_eq!(artifacts.len(), subjects.len());
    assert!(artifacts.iter().zip(subjects).all(|(one, other)| one["sha256"] == other["digest"]["sha256"]));
    end(child);
}

#[test]
fn a_match_is_told_then_captured_then_held() {
    let mut world = World::new(false);
    let (child, target) = child();
    let key = target.process.expect("it was given one");
    let held = Held::take(Path::new("/proc"), key).expect("it runs");
    held.stop().expect("it is ours");
    let rule = trigger::Matched {
        rule_id: "rule-1".to_owned(),
        title: "A rule".to_owned(),
        level: "high",
        techniques: vec!["T1059".to_owned()],
    };
    let fired = Fired {
        rules: vec![rule],
        event: Event { position: 9, ..Event::default() },
        capture: true,
        stop: trigger::Stop::Stopped { latency_ns: 77 },
        process: Some(held),
        executable: "/bin/sleep".to_owned(),
        container: None,
        matched: world.clock.now(),
        repeats: 0,
    };
    let mut said = Vec::new();
    world.responder.fired(fired, &mut said);
    let [Said::Event(first), Said::Event(second)] = said.as_slice() else { panic!("two events: {said:?}") };
    let Some(Body::Trigger(trigger)) = &first.body else { panic!("the trigger comes first") };
    let Some(Body::CaptureSealed(sealed)) = &second.body else { panic!("the capture comes second") };
    assert_eq!((trigger.event_position, trigger.stop_latency_ns), (9, 77));
    assert_eq!(trigger.capture_id, sealed.capture_id);
    assert!(sealed.artifacts >= 5 && sealed.manifest_sha256.len() == 32);
    assert_eq!(world.responder.leases.all().len(), 1);
    assert_eq!(state(&target), State::Stopped);
    end(child);
}
