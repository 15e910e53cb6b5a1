//! One flipped byte in one file of a bundle: `mayfly verify` says which file, and where; the untouched bundle passes without a collector.

use anyhow::{Context, Result};
use tests::world::incident::{Incident, PATIENCE};
use tests::world::program::eventually;

use crate::bundle::Bundle;
use crate::skip;

#[test]
fn tampered_evidence_is_refused() -> Result<()> {
    if skip::without_containers() {
        return Ok(());
    }
    let mut incident = Incident::prepare("tamp", 2)?;
    incident.strike();
    let id = incident.case()?;
    let path = incident.place.path("bundle.zip");
    let bundle = eventually("an executable in the bundle", PATIENCE, || {
        incident.collector.show(&["evidence", "export", &id, "--out", &path.display().to_string()])?;
        let bundle = Bundle::read(&path)?;
        let whole = incident.collector.ask(&["verify", &path.display().to_string()]).is_ok();
        Ok((whole && bundle.names().any(|name| name.contains("executable"))).then_some(bundle))
    })?;
    incident.collector.process.take().context("a collector")?.kill()?;
    incident.collector.show(&["verify", &path.display().to_string()])?;

    let name = bundle.names().find(|name| name.contains("executable")).context("an executable")?.clone();
    let mut altered = Bundle { files: bundle.files.clone() };
    let bytes = altered.files.get_mut(&name).context("it is there")?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let other = incident.place.path("altered.zip");
    altered.write(&other)?;
    let refused = incident.collector.command().arg("verify").arg(&other).output()?;
    assert!(!refused.status.success(), "a changed byte was not noticed");
    let said = String::from_utf8_lossy(&refused.stdout).into_owned();
    assert!(said.contains(&name), "it does not name {name}: {said}");
    Ok(())
}
