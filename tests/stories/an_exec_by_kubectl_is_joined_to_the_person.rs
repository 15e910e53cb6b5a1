//! A shell that entered a container from outside is the shell that somebody asked the API server for, and the case says who.

use anyhow::Result;
use serde_json::Value;
use tests::world::clock::now;
use tests::world::incident::Incident;
use tests::world::trail::exec_by_person;

use crate::skip;

#[test]
fn an_exec_by_kubectl_is_joined_to_the_person() -> Result<()> {
    if skip::without_containers() {
        return Ok(());
    }
    let incident = Incident::prepare("kube", 0)?;
    let command = ["sh", "-c", "id; cat /etc/shadow"];
    let asked = exec_by_person(&incident.attack.pod, now(), "mallory@example.org", &command);
    incident.attack.container.exec(&command)?;
    incident.collector.audit_lines(&[asked])?;
    let id = incident.case()?;
    let case = incident.case_when(&id, "the person in the case", |case| {
        let edges = case.pointer("/case/edges").and_then(Value::as_array);
        edges
            .into_iter()
            .flatten()
            .any(|edge| edge["bridge"] == "B5" && edge.to_string().contains("mallory@example.org"))
    })?;
    assert!(case.to_string().contains("/etc/shadow"), "what the person read is not in the case");
    Ok(())
}
