//! A small world for tests of correlations: three rules, `a`, `b` and `c`, each for events whose field `e` names it.
//!
//! Takes correlation documents and events with their seconds; gives what fired, as text.

#![allow(dead_code, reason = "each test binary compiles this module and uses what it needs")]

use rules::correlate::Loss;
use rules::{Correlator, Engine, Firing, JsonEvent, LogSource};
use serde_json::{Value, json};

pub(crate) const SECOND: i64 = 1_000_000_000;

const SOURCE: LogSource<'static> = LogSource { category: Some("test"), product: None, service: None };

/// The rules, each in a file of its own.
pub(crate) fn rules() -> Vec<(String, String)> {
    let rule = |name: &str| {
        let text = format!(
            "title: {name}\nname: {name}\nlogsource: {{category: test}}\n\
             detection: {{s: {{e|contains: {name}}}, condition: s}}\n"
        );
        (format!("{name}.yml"), text)
    };
    ["a", "b", "c"].map(rule).to_vec()
}

/// One correlation document.
pub(crate) fn correlation(name: &str, body: &str, more: &str) -> String {
    format!("title: {name}\nname: {name}\ncorrelation: {{{body}}}\n{more}")
}

/// An engine and its correlator.
pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) correlator: Correlator<usize>,
    next: usize,
}

impl World {
    pub(crate) fn new(documents: &[String]) -> Self {
        let mut files = rules();
        files.extend(documents.iter().enumerate().map(|(number, text)| (format!("{number}.yml"), text.clone())));
        let (engine, errors) = Engine::load(files);
        assert!(errors.is_empty(), "{errors:?}");
        let correlator = Correlator::new(&engine);
        Self { engine, correlator, next: 0 }
    }

    /// An event of one correlation alone.
    pub(crate) fn of(body: &str, more: &str) -> Self {
        Self::new(&[correlation("x", body, more)])
    }

    /// One event, at that many seconds. Its id is its number, from 0.
    pub(crate) fn event(&mut self, seconds: i64, event: &Value) -> Vec<Firing<usize>> {
        let event = JsonEvent::new(event, SOURCE);
        let mut matches = Vec::new();
        self.engine.evaluate(&event, &mut matches);
        let id = self.next;
        self.next += 1;
        self.correlator.observe(&event, &matches, &id, seconds * SECOND)
    }

    /// One event of user `u`, whose field `e` is this.
    pub(crate) fn at(&mut self, seconds: i64, e: &str) -> Vec<String> {
        let firings = self.event(seconds, &json!({"e": e, "user": "u"}));
        self.told(&firings)
    }

    pub(crate) fn advance(&mut self, seconds: i64) -> Vec<String> {
        let firings = self.correlator.advance(seconds * SECOND);
        self.told(&firings)
    }

    /// Firings as `title value [group] events`.
    pub(crate) fn told(&self, firings: &[Firing<usize>]) -> Vec<String> {
        let group = |firing: &Firing<usize>| {
            let value = |value: &Option<Vec<u8>>| {
                value.as_deref().map_or("-".into(), |value| String::from_utf8_lossy(value).into_owned())
            };
            firing.group.iter().map(|(_, part)| value(part)).collect::<Vec<_>>().join(",")
        };
        let ids = |firing: &Firing<usize>| {
            firing.events.iter().map(|event| event.id.to_string()).collect::<Vec<_>>().join(" ")
        };
        let told = |firing: &Firing<usize>| {
            let title = &self.engine.correlation(firing.correlation).rule.title;
            format!("{title} {} [{}] {}", firing.value, group(firing), ids(firing))
        };
        firings.iter().map(told).collect()
    }

    pub(crate) fn loss(&self) -> Loss {
        self.correlator.loss()
    }
}

/// The only error that these documents give, beside the rules.
pub(crate) fn error(documents: &[String]) -> String {
    let found = errors(documents);
    assert_eq!(found.len(), 1, "{found:?}");
    found.into_iter().next().unwrap_or_default()
}

/// All errors.
pub(crate) fn errors(documents: &[String]) -> Vec<String> {
    let mut files = rules();
    files.extend(documents.iter().enumerate().map(|(number, text)| (format!("{number}.yml"), text.clone())));
    Engine::load(files).1.iter().map(ToString::to_string).collect()
}
