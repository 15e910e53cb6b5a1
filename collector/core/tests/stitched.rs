//! Whole incidents inside everyday noise: how much of an attack is in its case, and how much of the case is the attack. Takes labelled
//! samples where they are (`MAYFLY_DATA`, or the sample data beside the project's folder) and says so where they are not.
#![expect(clippy::disallowed_methods, reason = "a test may read sample data; judgement may not")]

mod sample;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use collector_core::correlate::{Correlator, Group, Related, Site, group};
use collector_core::detect::Detector;
use collector_core::model::{Case, CaseId, CaseStatus, EdgeState, Entity, EvidenceRef, Moment, NodeEvent, Severity};
use collector_core::triage::{Circumstances, judge, worth_opening};
use sample::{Row, Rows};

fn data() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join("data");
    let folder = std::env::var_os("MAYFLY_DATA").map_or(beside, PathBuf::from);
    folder.join("incidents/stitched/EXPECT.json").exists().then_some(folder)
}

fn rule_files(folder: &Path, found: &mut Vec<(String, String)>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            rule_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "yml")
            && let Ok(text) = std::fs::read_to_string(&path)
        {
            found.push((path.display().to_string(), text));
        }
    }
}

/// Our own rules, and where asked for the public ones beside the samples.
fn engine(public: &[PathBuf]) -> Arc<rules::Engine> {
    let mut sources: Vec<(String, String)> =
        rules::content().iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    for folder in public {
        rule_files(folder, &mut sources);
    }
    sources.sort();
    Arc::new(rules::Engine::load(sources).0)
}

struct Judged {
    case: Case,
    /// Rows that the case itself cites.
    rows: BTreeSet<usize>,
    /// Those, and what its processes and containers did besides: what a timeline shows.
    shown: BTreeSet<usize>,
}

/// All groups of one file as cases, with the rows that each rests on.
fn cases(rows: &Rows, engine: &Arc<rules::Engine>, order: impl Fn(&mut Vec<&Row>)) -> Vec<Judged> {
    let mut detector = Detector::new(Arc::clone(engine));
    let mut correlator = Correlator::new(Site::default());
    rows.nodes.iter().cloned().for_each(|facts| correlator.node_facts(facts));
    for event in &rows.background {
        drop(detector.node_event(event));
        correlator.node_event(event);
    }
    let mut in_order: Vec<&Row> = rows.all.iter().collect();
    order(&mut in_order);
    let mut findings = Vec::new();
    for row in in_order {
        match row {
            Row::Event(event) => {
                findings.extend(detector.node_event(event));
                correlator.node_event(event);
            }
            Row::Entry(entry) => {
                findings.extend(detector.audit(entry));
                correlator.audit(entry);
            }
        }
    }
    let edges = correlator.edges_for(&findings, Moment::exact(u64::MAX));
    let judged = |group: &Group| {
        let related = correlator.related(group);
        let detected = Moment::exact(0);
        let circumstances = Circumstances { id: CaseId("MF-1".into()), detected, status: CaseStatus::Ongoing };
        let case = judge(group, &related, circumstances);
        let cited = rows_of(&case, &related, rows);
        Judged { shown: cited.union(&shown(&case, rows)).copied().collect(), rows: cited, case }
    };
    group(&findings, &edges).iter().map(judged).collect()
}

fn rows_of(case: &Case, related: &Related, rows: &Rows) -> BTreeSet<usize> {
    let of_findings = case.findings.iter().flat_map(|finding| finding.evidence.iter());
    let joined = case.edges.iter().filter(|edge| edge.state == EdgeState::Joined);
    let of_edges = joined.flat_map(|edge| edge.evidence.iter());
    let uses = related.uses.iter().map(|call| &call.evidence);
    let all: BTreeSet<&EvidenceRef> = of_findings.chain(of_edges).chain(uses).collect();
    all.into_iter().filter_map(|evidence| rows.number(evidence)).collect()
}

/// What the processes and containers of a case did, cited or not.
fn shown(case: &Case, rows: &Rows) -> BTreeSet<usize> {
    let of_case = |event: &NodeEvent| {
        let process = event.actor.as_ref().map(|actor| &actor.process);
        case.entities.iter().any(|entity| match entity {
            Entity::Process { key, .. } => Some(key) == process,
            Entity::Container { id, .. } => Some(id.as_str()) == event.container(),
            _ => false,
        })
    };
    let events = rows.all.iter().filter_map(|row| match row {
        Row::Event(event) => Some(event),
        Row::Entry(_) => None,
    });
    events.filter(|event| of_case(event)).filter_map(|event| rows.number(&event.evidence())).collect()
}

struct Measured {
    precision: f64,
    recall: f64,
    recall_shown: f64,
    precision_shown: f64,
    severity: Severity,
    title: String,
    confidence: u8,
    false_cases: usize,
}

fn measure(expected: &BTreeSet<usize>, cases: &[Judged]) -> Measured {
    let opened: Vec<&Judged> = cases.iter().filter(|judged| worth_opening(&judged.case)).collect();
    let hits = |judged: &Judged| judged.rows.intersection(expected).count();
    let best = opened.iter().max_by_key(|judged| hits(judged));
    let false_cases = opened.iter().filter(|judged| hits(judged) == 0).count();
    let Some(best) = best else {
        return Measured {
            precision: 0.0,
            recall: 0.0,
            recall_shown: 0.0,
            precision_shown: 0.0,
            severity: Severity::Low,
            title: "no case".into(),
            confidence: 0,
            false_cases,
        };
    };
    let shown = best.shown.intersection(expected).count() as f64;
    Measured {
        precision_shown: shown / best.shown.len().max(1) as f64,
        recall_shown: shown / expected.len().max(1) as f64,
        precision: hits(best) as f64 / best.rows.len().max(1) as f64,
        recall: hits(best) as f64 / expected.len().max(1) as f64,
        severity: best.case.severity,
        title: best.case.title.clone(),
        confidence: best.case.confidence,
        false_cases,
    }
}

#[test]
fn an_attack_in_noise_becomes_one_case() {
    let Some(data) = data() else {
        println!("skipped: no labelled incidents here (MAYFLY_DATA names no folder that holds incidents/stitched)");
        return;
    };
    let folder = data.join("incidents/stitched");
    println!("own rules");
    for (incident, measured) in measured(&folder, &engine(&[])) {
        if incident.expected.is_empty() {
            assert_eq!((measured.title.as_str(), measured.false_cases), ("no case", 0), "{}", incident.name);
            continue;
        }
        assert!(measured.precision >= 0.95, "{}", incident.name);
        assert!(measured.recall_shown >= 0.8, "{}", incident.name);
        assert!(measured.severity >= Severity::High, "{}", incident.name);
        assert_eq!(measured.false_cases, 0, "{}", incident.name);
    }
    // With public rules more matches, of less meaning: nothing may be lost by that, and noise stays noise.
    let sigma = data.join("sigma/rules");
    println!("with SigmaHQ's rules");
    for (incident, measured) in measured(&folder, &engine(std::slice::from_ref(&sigma))) {
        assert_eq!(measured.false_cases, 0, "{}", incident.name);
        assert!(incident.expected.is_empty() || measured.precision >= 0.95, "{}", incident.name);
    }
    println!("with SigmaHQ's and Suzaku's rules (for comparison)");
    measured(&folder, &engine(&[sigma, data.join("sigma_suzaku")]));
}

fn measured(folder: &Path, engine: &Arc<rules::Engine>) -> Vec<(sample::Incident, Measured)> {
    let one = |incident: sample::Incident| {
        let judged = cases(&incident.rows, engine, |_| {});
        let measured = measure(&incident.expected, &judged);
        println!(
            "  {:<26} precision {:.2} recall {:.2}, with what its processes did {:.2} {:.2}; {} {}; other cases {}: {}",
            incident.name,
            measured.precision,
            measured.recall,
            measured.precision_shown,
            measured.recall_shown,
            measured.severity,
            measured.confidence,
            measured.false_cases,
            measured.title
        );
        if std::env::var_os("MAYFLY_EXPLAIN").is_some() {
            explain(&incident.expected, &judged);
        }
        (incident, measured)
    };
    sample::incidents(folder).into_iter().map(one).collect()
}

/// Every group, for a person who tunes weights.
fn explain(expected: &BTreeSet<usize>, judged: &[Judged]) {
    for one in judged {
        let case = &one.case;
        let hits = one.rows.intersection(expected).count();
        println!(
            "    [{} {} {} {}] hits {hits}/{} {}",
            case.verdict,
            case.confidence,
            case.severity,
            case.findings.len(),
            one.rows.len(),
            case.title
        );
        if worth_opening(case) || hits > 0 {
            println!(
                "        missing {:?} extra {:?}",
                expected.difference(&one.rows).collect::<Vec<_>>(),
                one.rows.difference(expected).collect::<Vec<_>>()
            );
            case.reasons_for.iter().for_each(|claim| println!("        + {}", claim.text));
            case.reasons_against.iter().for_each(|claim| println!("        - {}", claim.text));
        }
    }
}

#[test]
fn the_order_of_arrival_changes_no_case() {
    let Some(data) = data() else {
        println!("skipped: no labelled incidents here (MAYFLY_DATA names no folder that holds incidents/stitched)");
        return;
    };
    let engine = engine(&[]);
    for incident in sample::incidents(&data.join("incidents/stitched")) {
        let told = |judged: Vec<Judged>| judged.into_iter().map(|one| format!("{:?}", one.case)).collect::<Vec<_>>();
        let straight = told(cases(&incident.rows, &engine, |_| {}));
        let late_logs = told(cases(&incident.rows, &engine, |rows| {
            rows.sort_by_key(|row| matches!(row, Row::Entry(_)));
        }));
        let early_logs = told(cases(&incident.rows, &engine, |rows| {
            rows.sort_by_key(|row| matches!(row, Row::Event(_)));
        }));
        // A node's log has an order of its own; entries of audit logs may come in any.
        let backward = told(cases(&incident.rows, &engine, |rows| {
            rows.sort_by_key(|row| matches!(row, Row::Event(_)));
            let entries = rows.iter().filter(|row| matches!(row, Row::Entry(_))).count();
            rows[..entries].reverse();
        }));
        assert_eq!(straight, late_logs, "{}", incident.name);
        assert_eq!(straight, early_logs, "{}", incident.name);
        assert_eq!(straight, backward, "{}", incident.name);
    }
}
