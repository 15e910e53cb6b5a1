//! Keys that the metadata service gave to a process in a pod are used from elsewhere: the call in CloudTrail is joined to that process, that
//! pod, and to the key that the thief made with it.

use anyhow::Result;
use tests::world::incident::{Incident, joined};
use tests::world::network::ELSEWHERE;

use crate::skip;

#[test]
fn a_stolen_role_is_joined_to_its_pod() -> Result<()> {
    if skip::without_cloud() {
        return Ok(());
    }
    let incident = Incident::prepare("role", 2)?;
    incident.strike();
    let id = incident.case()?;
    let made = incident.use_stolen_keys()?;
    let case = incident.case_when(&id, "B1, B4 and the made key in the case", |case| {
        ["B1", "B4"].iter().all(|bridge| !joined(case, bridge).is_empty()) && case.to_string().contains(&made)
    })?;
    let whole = case.to_string();
    assert!(whole.contains(&incident.attack.pod.uid), "the pod is not in the case");
    assert!(whole.contains(ELSEWHERE), "the address is not in the case");
    Ok(())
}
