//! From what was drawn to cases that are kept. Takes groups; gives each its case's name once and for good, journals what changed before it
//! is stored, and says which cases changed.

use collector_core::correlate::{Group, Related};
use collector_core::custody::Kind;
use collector_core::model::{Case, CaseId, CaseStatus, Finding, Moment};
use collector_core::triage::{self, Circumstances};
use serde_json::json;

use super::PipelineError;
use super::fold::Drawn;
use crate::clock::Clock;
use crate::store::Store;
use crate::store::state::StoredCase;

/// Keeps findings; new ones are journalled first.
pub(super) async fn keep_findings(store: &Store, findings: &[Finding]) -> Result<(), PipelineError> {
    for finding in store.state.new_findings(findings).await? {
        let body = serde_json::to_value(&finding).expect("a finding holds only JSON");
        store.journal.note("collector", Kind::Finding, None, body)?;
    }
    Ok(store.state.put_findings(findings).await?)
}

/// Keeps cases; the names of those that changed.
pub(super) async fn keep(store: &Store, clock: &Clock, drawn: &Drawn) -> Result<Vec<CaseId>, PipelineError> {
    let mut changed = Vec::new();
    let mut known = store.state.cases().await?;
    for (group, related, detected) in &drawn.groups {
        changed.extend(keep_one(store, clock, &mut known, (group, related, *detected)).await?);
    }
    Ok(changed)
}

async fn keep_one(
    store: &Store,
    clock: &Clock,
    known: &mut Vec<StoredCase>,
    (group, related, detected): (&Group, &Related, Moment),
) -> Result<Option<CaseId>, PipelineError> {
    let held = |stored: &&StoredCase| group.findings.iter().any(|finding| finding.id.0 == stored.key);
    let mut cases: Vec<StoredCase> = known.iter().filter(held).cloned().collect();
    if cases.is_empty() {
        let case = triage::judge(
            group,
            related,
            Circumstances { id: CaseId(String::new()), detected, status: CaseStatus::Ongoing },
        );
        if !triage::worth_opening(&case) {
            return Ok(None);
        }
        let id = store.state.next_case_name(year(detected)).await?;
        let case = Case { id: id.clone(), ..case };
        note(store, Kind::CaseOpened, &case)?;
        store.state.put_case(&group.key.0, &case, clock.now_ns()).await?;
        let now = clock.now_ns();
        known.push(StoredCase { case, key: group.key.0.clone(), opened_ns: now, changed_ns: now });
        return Ok(Some(id));
    }
    // The oldest case is the case; others that turn out to be the same are closed with a word where they went.
    let first = cases.remove(0);
    for other in cases.into_iter().filter(|other| other.case.status != CaseStatus::Resolved) {
        let body = json!({"merged_into": first.case.id});
        store.journal.note("collector", Kind::CaseClosed, Some(other.case.id.clone()), body)?;
        let case = Case { status: CaseStatus::Resolved, ..other.case };
        store.state.put_case(&other.key, &case, clock.now_ns()).await?;
    }
    let id = first.case.id.clone();
    let circumstances = Circumstances { id: id.clone(), detected, status: first.case.status };
    let case = triage::judge(group, related, circumstances);
    if case == first.case {
        return Ok(None);
    }
    if weight(&case) != weight(&first.case) {
        note(store, Kind::CaseChanged, &case)?;
    }
    store.state.put_case(&first.key, &case, clock.now_ns()).await?;
    Ok(Some(id))
}

/// What a person would call a change; the rest (the last activity, one more call) is kept without a line in the journal.
fn weight(case: &Case) -> (usize, usize, u8, &Vec<String>, String) {
    let judged = format!("{} {} {}", case.severity, case.verdict, case.status);
    (case.findings.len(), case.edges.len(), case.confidence, &case.techniques, judged)
}

fn note(store: &Store, kind: Kind, case: &Case) -> Result<(), PipelineError> {
    let is_noted = || store.journal.of_case(&case.id).iter().any(|record| record.kind == kind);
    if kind == Kind::CaseOpened && is_noted() {
        // A crash came between the journal and the state.
        return Ok(());
    }
    let body = json!({
        "title": case.title, "severity": case.severity, "verdict": case.verdict, "confidence": case.confidence,
        "findings": case.findings.iter().map(|finding| &finding.id).collect::<Vec<_>>(),
        "digest": collector_core::canonical::digest(case),
    });
    store.journal.note("collector", kind, Some(case.id.clone()), body)?;
    Ok(())
}

/// The year of a case's name: that of its detection, UTC.
fn year(detected: Moment) -> i16 {
    jiff::Timestamp::from_nanosecond(i128::from(detected.ns))
        .map_or(1970, |moment| moment.to_zoned(jiff::tz::TimeZone::UTC).year())
}
