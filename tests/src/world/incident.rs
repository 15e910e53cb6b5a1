//! A whole incident, ready to be looked at: cloud, collector, agent and attack in one place, and the moments in it that stories and the demo
//! wait for. Takes a place; gives what the responder's commands say.

use std::time::Duration;

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde_json::Value;

use super::agent::{Agent, INSTANCE, NODE};
use super::attack::Attack;
use super::clock::now;
use super::cloud::Cloud;
use super::collector::Collector;
use super::network::ELSEWHERE;
use super::place::Place;
use super::program::eventually;
use super::trail::{Session, deliver, service_account_call};

/// How long a story waits for anything.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// More lines of the two sides' `[respond]`.
#[derive(Default)]
pub struct Respond {
    /// The collector's.
    pub collector: String,
    /// The agent's.
    pub agent: String,
}

/// Everything at once. Fields are dropped in this order: the attack first, the place last.
pub struct Incident {
    /// The victim and everything outside it.
    pub attack: Attack,
    /// The node's agent.
    pub agent: Agent,
    /// The collector.
    pub collector: Collector,
    /// The stand-in cloud.
    pub cloud: Option<Cloud>,
    /// When it began.
    pub begun: Timestamp,
    /// The folder of all this.
    pub place: Place,
}

impl Incident {
    /// Starts all parts; the attack waits. The container lives `lifetime_seconds` after it is broken into; 0: until the end.
    pub fn prepare(purpose: &str, lifetime_seconds: u64) -> Result<Self> {
        Self::with(purpose, lifetime_seconds, |_| Ok(Respond::default()))
    }

    /// The same; `respond` writes what it needs into the place and gives more configuration.
    pub fn with(purpose: &str, lifetime_seconds: u64, respond: impl FnOnce(&Place) -> Result<Respond>) -> Result<Self> {
        let place = Place::new(purpose)?;
        let respond = respond(&place)?;
        let cloud = super::cloud::moto().map(|_| Cloud::start(&place)).transpose()?;
        let collector = Collector::with(&place, cloud.as_ref(), &respond.collector)?;
        let agent = Agent::with(&place, &collector, &format!("[respond]\n{}", respond.agent))?;
        let attack = Attack::prepare(&place, lifetime_seconds)?;
        Ok(Self { attack, agent, collector, cloud, begun: now(), place })
    }

    /// The attack, to its end. What the attacker's shell says does not matter: the container may end under it.
    pub fn strike(&self) {
        self.attack.strike().ok();
    }

    /// The name of the first case about this container.
    pub fn case(&self) -> Result<String> {
        eventually("a case about the container", PATIENCE, || self.find_case()).with_context(|| self.told())
    }

    /// What the collector has of the container, for a story that fails.
    fn told(&self) -> String {
        let words = ["events", "--container", &self.attack.container.id, "--limit", "200"];
        let events = self.collector.show(&words).unwrap_or_default();
        format!("the container's events:\n{events}\nthe agent said:\n{}", self.agent.printed())
    }

    fn find_case(&self) -> Result<Option<String>> {
        let cases = self.collector.ask(&["cases"])?;
        let all = cases.get("cases").and_then(Value::as_array).context("`cases` gives a list of cases")?;
        for case in all {
            let id = case.get("id").and_then(Value::as_str).context("a case has an id")?;
            let whole = self.collector.ask(&["case", id])?;
            if whole.to_string().contains(&self.attack.container.id) {
                return Ok(Some(id.to_owned()));
            }
        }
        Ok(None)
    }

    /// The case, once `wanted` says so.
    pub fn case_when(&self, id: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        eventually(what, PATIENCE, || {
            let case = self.collector.ask(&["case", id])?;
            Ok(wanted(&case).then_some(case))
        })
        .with_context(|| format!("the case: {:#}", self.collector.ask(&["case", id]).unwrap_or_default()))
    }

    /// The newest plan, once `wanted` says so. A case that has just begun has none yet.
    pub fn plan_when(&self, id: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        eventually(what, PATIENCE, || {
            let Ok(plan) = self.collector.ask(&["plan", id]) else { return Ok(None) };
            Ok(wanted(&plan).then_some(plan))
        })
        .with_context(|| format!("the plan: {:#}", self.collector.ask(&["plan", id]).unwrap_or_default()))
    }

    /// The attacker's session with the keys of the node's role.
    pub fn session(&self) -> Session<'_> {
        Session { instance: INSTANCE, key: &self.attack.role_key, address: ELSEWHERE, issued: self.begun }
    }

    /// The stolen keys are used from elsewhere, and the cloud writes it down. Gives the id of the key that the attacker made.
    pub fn use_stolen_keys(&self) -> Result<String> {
        let cloud = self.cloud.as_ref().context("a stand-in cloud")?;
        let made = cloud.create_key()?;
        deliver(&self.collector.trail, self.begun, 1, &self.session().records(&made))?;
        let call = service_account_call(&self.attack.pod, now(), ELSEWHERE, "list", "secrets");
        self.collector.audit_lines(&[call])?;
        Ok(made)
    }

    /// All events of the container that the collector has.
    pub fn events(&self) -> Result<Vec<Value>> {
        let answer = self.collector.ask(&["events", "--container", &self.attack.container.id, "--limit", "10000"])?;
        Ok(answer.get("events").and_then(Value::as_array).cloned().unwrap_or_default())
    }

    /// Ends everything but the collector, keeps its files, and waits for it.
    pub fn stay(self) -> Result<()> {
        let Self { attack, agent, mut collector, cloud, place, .. } = self;
        drop((attack, agent));
        place.keep();
        if let Some(process) = &mut collector.process {
            process.wait()?;
        }
        drop(cloud);
        Ok(())
    }

    /// Name of the node.
    pub fn node(&self) -> &'static str {
        NODE
    }
}

/// Steps of a plan whose action begins with `action` and whose mode is `mode`.
pub fn steps<'a>(plan: &'a Value, action: &str, mode: &str) -> Vec<&'a Value> {
    let all = plan.get("steps").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let text = |step: &'a Value, path: &str| step.pointer(path).and_then(Value::as_str).unwrap_or_default();
    all.iter()
        .filter(|step| text(step, "/action/action").starts_with(action) && text(step, "/mode/mode") == mode)
        .collect()
}

/// Edges of a case that joined by this bridge.
pub fn joined<'a>(case: &'a Value, bridge: &str) -> Vec<&'a Value> {
    let edges = case.pointer("/case/edges").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let state = |edge: &'a Value| edge.pointer("/state/state").and_then(Value::as_str);
    edges.iter().filter(|edge| edge["bridge"] == *bridge && state(edge) == Some("joined")).collect()
}
