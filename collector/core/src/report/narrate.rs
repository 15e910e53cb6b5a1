//! From the input to the document. Takes everything about a case; gives the sections, and the first page last, from their numbers. Every factual
//! sentence is made from a claim.

use std::collections::BTreeMap;

use super::analysis;
use super::appendix;
use super::cite::{Evidence, visible};
use super::document::{Connection, Document, Impact, MeasureRow, Sentence, TimelineRow};
use super::input::Input;
use super::{cause, response, summary};
use crate::graph::{self, EdgeKind, Graph};
use crate::metrics;
use crate::model::{Entity, EvidenceRef, Identity, Moment, NonEmpty};
use crate::timeline;

/// The report of a case.
pub fn narrate(input: &Input) -> Document {
    let mut evidence = Evidence::default();
    let milestones = metrics::milestones(&input.plans, &input.outcomes, &input.journal);
    let measures = measures(input, &milestones, &mut evidence);
    let (timeline, timeline_omitted) = timeline_rows(input, &mut evidence);
    let reasons_for = input.case.reasons_for.iter().map(|claim| evidence.cite(claim)).collect();
    let reasons_against = input.case.reasons_against.iter().map(|claim| evidence.cite(claim)).collect();
    let analysis = analysis::tactics(input, &mut evidence);
    let impact = impact(input, &mut evidence);
    let response = response::plans(input, &mut evidence);
    let (causes, causes_unknown) = cause::causes(input, &mut evidence);
    let lessons = cause::lessons(input, &causes);
    let completeness = appendix::completeness(input, &mut evidence);
    let indicators = appendix::indicators(input, &mut evidence);
    let artifacts = appendix::artifacts(input, &mut evidence);
    let logs = appendix::logs(input, &mut evidence);
    let queries = appendix::queries(input);
    let summary = summary::write(input, &milestones, &impact, &response, &lessons);
    Document {
        case_id: input.case.id.clone(),
        title: visible(&input.case.title),
        status: input.case.status,
        severity: input.case.severity,
        verdict: input.case.verdict,
        confidence: input.case.confidence,
        as_of: input.now,
        replay: input.case.replay || input.nodes.iter().any(|node| node.replay),
        summary,
        measures,
        timeline,
        timeline_omitted,
        analysis,
        reasons_for,
        reasons_against,
        impact,
        response,
        causes,
        causes_unknown,
        lessons,
        logs,
        indicators,
        artifacts,
        completeness,
        queries,
        evidence: evidence.rows(),
    }
}

fn measures(input: &Input, milestones: &metrics::Milestones, evidence: &mut Evidence) -> Vec<MeasureRow> {
    let row = |measure: metrics::Measure| MeasureRow {
        name: measure.name.to_owned(),
        definition: measure.definition.to_owned(),
        value: measure.nanoseconds().map_or_else(|| measure.unknown.clone(), metrics::duration),
        evidence: evidence.numbers(measure.evidence.iter()),
    };
    metrics::measure(&input.case, milestones).into_iter().map(row).collect()
}

/// `18:10:21.118`.
pub(super) fn clock(moment: Moment) -> String {
    moment.to_string().chars().skip(11).take(12).collect()
}

/// `2026-11-21`.
pub(super) fn date(moment: Moment) -> String {
    moment.to_string().chars().take(10).collect()
}

/// `2026-11-21 18:10:21 UTC`.
pub(super) fn date_and_time(moment: Moment) -> String {
    let clock: String = clock(moment).chars().take(8).collect();
    format!("{} {clock} UTC", date(moment))
}

fn uncertainty(moment: Moment) -> String {
    match moment.uncertainty_us {
        0 => String::new(),
        small @ 1..1_000 => format!("± {small} µs"),
        middle @ 1_000..100_000 => format!("± {} ms", middle / 1_000),
        large => format!("± {}.{} s", large / 1_000_000, large % 1_000_000 / 100_000),
    }
}

fn timeline_rows(input: &Input, evidence: &mut Evidence) -> (Vec<TimelineRow>, u64) {
    let timeline = timeline::build(&input.case, &input.events, &input.entries, &input.journal);
    let row = |line: timeline::Line| TimelineRow {
        date: date(line.time),
        time: clock(line.time),
        uncertainty: uncertainty(line.time),
        plane: line.plane.to_string(),
        who: visible(&line.who),
        what: visible(&line.what),
        quoted: visible(&line.quoted),
        finding: visible(&line.finding),
        order_unknown: line.order_unknown,
        evidence: evidence.numbers(std::iter::once(&line.evidence)),
    };
    (timeline.lines.into_iter().map(row).collect(), timeline.omitted)
}

fn impact(input: &Input, evidence: &mut Evidence) -> Impact {
    let graph = graph::build(&input.case, &input.events, &input.outcomes, &input.reachable);
    let drawing = graph::draw(&graph);
    let connections = connections(&graph, evidence);
    let is_system =
        |entity: &Entity| matches!(entity, Entity::Node { .. } | Entity::Container { .. } | Entity::Pod { .. });
    let is_identity = |entity: &Entity| matches!(entity, Entity::Identity { .. });
    let systems = named(input, evidence, is_system);
    let identities = named(input, evidence, is_identity);
    let calls = calls(input, evidence);
    Impact { systems, identities, calls, graph, drawing, connections }
}

/// Each entity of a kind, once, with what names it. What nothing names is not said.
fn named(input: &Input, evidence: &mut Evidence, wanted: impl Fn(&Entity) -> bool) -> Vec<Sentence> {
    let mut found: BTreeMap<&Entity, Vec<EvidenceRef>> = BTreeMap::new();
    // Without a name it is told only where the case knows it by no other.
    let nameless = |entity: &Entity| matches!(entity, Entity::Pod { name, .. } if name.is_empty());
    let wanted = |entity: &Entity| wanted(entity) && (!nameless(entity) || input.case.entities.contains(entity));
    for finding in &input.case.findings {
        for entity in finding.entities.iter().filter(|entity| wanted(entity)) {
            found.entry(entity).or_default().extend(finding.evidence.iter().cloned());
        }
    }
    for edge in &input.case.edges {
        for entity in [&edge.from, &edge.to].into_iter().filter(|entity| wanted(entity)) {
            found.entry(entity).or_default().extend(edge.evidence.iter().cloned());
        }
    }
    for (node, entity) in input.case.entities.iter().filter(|entity| wanted(entity)).filter_map(|entity| match entity {
        Entity::Node { name } => Some((name, entity)),
        _ => None,
    }) {
        let of_node = input
            .case
            .findings
            .iter()
            .flat_map(|finding| finding.evidence.iter())
            .filter(|reference| matches!(reference, EvidenceRef::Event { node: other, .. } if other == node));
        found.entry(entity).or_default().extend(of_node.take(1).cloned());
    }
    let found = found.into_iter().filter_map(|(entity, refs)| Some((entity, NonEmpty::from_vec(refs)?)));
    found.map(|(entity, refs)| evidence.say(sentence_of(input, entity), &refs)).collect()
}

fn sentence_of(input: &Input, entity: &Entity) -> String {
    // What was said last knows most: names come late.
    let seen = input.events.iter().rev().find_map(|event| match (&event.body, entity) {
        (crate::model::Body::ContainerSeen(seen), Entity::Container { id, .. }) if seen.container_id == *id => {
            Some(seen)
        }
        _ => None,
    });
    match (entity, seen) {
        (Entity::Container { node, .. }, Some(seen)) => {
            let pod = if seen.pod_name.is_empty() {
                String::new()
            } else {
                format!(", pod {}/{}", seen.pod_namespace, seen.pod_name)
            };
            let digest = if seen.image_digest.is_empty() { String::new() } else { format!(" ({})", seen.image_digest) };
            let image = if seen.image.is_empty() { String::new() } else { format!(", image {}{digest}", seen.image) };
            format!("Container {} on {node}{pod}{image}.", short(&seen.container_id))
        }
        (Entity::Container { id, node }, None) => format!("Container {} on {node}.", short(id)),
        (Entity::Node { name }, _) => format!("Machine {name}, on which it ran."),
        (Entity::Identity { identity: Identity::RoleSession { arn } }, _) => format!("Role session {arn}."),
        (Entity::Identity { identity: Identity::CloudUser { arn } }, _) => format!("Cloud user {arn}."),
        (other, _) => capital(&format!("{other}.")),
    }
}

fn calls(input: &Input, evidence: &mut Evidence) -> Vec<Sentence> {
    let mut entries: Vec<_> = input.entries.iter().collect();
    entries.sort_by_key(|entry| (entry.time.ns, &entry.id));
    let say = |entry: &&crate::model::AuditEntry| {
        let from = entry.source_address.map(|address| format!(" from {address}")).unwrap_or_default();
        let how = if entry.denied { "was refused" } else { "was answered" };
        evidence.say_one(format!("{} {how}{from} at {}.", entry.action, clock(entry.time)), &entry.evidence())
    };
    entries.iter().map(say).collect()
}

fn connections(graph: &Graph, evidence: &mut Evidence) -> Vec<Connection> {
    let name = |index: usize| graph.nodes.get(index).map(|node| visible(&node.full)).unwrap_or_default();
    let say = |edge: &graph::Edge| {
        let refs = NonEmpty::from_vec(edge.evidence.clone())?;
        let cuts: Vec<String> = edge.cut_by.iter().map(|number| format!("A{number}")).collect();
        Some(Connection {
            number: if edge.number == 0 { "–".to_owned() } else { edge.number.to_string() },
            kind: if edge.kind == EdgeKind::Observed { "observed" } else { "reachable" }.to_owned(),
            from: name(edge.from),
            to: name(edge.to),
            time: edge.time.map(clock).unwrap_or_default(),
            cut_by: cuts.join(", "),
            why: evidence.say(edge.reason.clone(), &refs),
        })
    };
    graph.edges.iter().filter_map(say).collect()
}

/// The first twelve letters of a hash or id.
pub(super) fn short(id: &str) -> String {
    id.chars().take(12).collect()
}

/// With a capital first letter.
pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
