//! What the attacker did, by ATT&CK tactic. Takes findings and facts; gives each finding with what was seen of it, in the order of an attack.

use super::cite::{Evidence, visible};
use super::document::{Analysed, Tactic};
use super::input::Input;
use super::narrate::{capital, clock};
use crate::model::{EvidenceRef, Finding};
use crate::timeline;

/// ATT&CK's tactics in the order of its matrix.
const TACTICS: &[&str] = &[
    "reconnaissance",
    "resource-development",
    "initial-access",
    "execution",
    "persistence",
    "privilege-escalation",
    "defense-evasion",
    "stealth",
    "defense-impairment",
    "credential-access",
    "discovery",
    "lateral-movement",
    "collection",
    "command-and-control",
    "exfiltration",
    "impact",
];

/// The findings by tactic; a finding of several tactics stands under the first.
pub(super) fn tactics(input: &Input, evidence: &mut Evidence) -> Vec<Tactic> {
    let rank = |finding: &Finding| {
        let tactic = finding.tactics.first().map_or("", String::as_str).replace('_', "-").to_lowercase();
        let place = TACTICS.iter().position(|known| *known == tactic).unwrap_or(TACTICS.len());
        (place, tactic)
    };
    let mut ordered: Vec<&Finding> = input.case.findings.iter().collect();
    ordered.sort_by_key(|finding| (rank(finding), finding.time.ns, finding.id.clone()));
    let lines = timeline::build(&input.case, &input.events, &input.entries, &[]).lines;
    let mut tactics: Vec<Tactic> = Vec::new();
    for finding in ordered {
        let (_, tactic) = rank(finding);
        let name =
            if tactic.is_empty() { "Not assigned".to_owned() } else { capital(&visible(&tactic.replace('-', " "))) };
        let analysed = analysed(finding, &lines, evidence);
        match tactics.last_mut().filter(|last| last.name == name) {
            Some(last) => last.findings.push(analysed),
            None => tactics.push(Tactic { name, findings: vec![analysed] }),
        }
    }
    tactics
}

fn analysed(finding: &Finding, lines: &[timeline::Line], evidence: &mut Evidence) -> Analysed {
    let seen = |reference: &EvidenceRef| lines.iter().find(|line| line.evidence == *reference);
    let observed = finding.evidence.iter().filter_map(seen).filter(|line| !line.quoted.is_empty());
    let mut observed: Vec<String> = observed.map(|line| visible(&line.quoted)).collect();
    observed.dedup();
    Analysed {
        title: evidence.say(finding.title.clone(), &finding.evidence),
        time: clock(finding.time),
        level: finding.level.to_string(),
        techniques: finding.techniques.clone(),
        why: visible(&finding.why),
        matched: finding.matched.iter().map(|(name, value)| (visible(name), visible(value))).collect(),
        observed,
    }
}
