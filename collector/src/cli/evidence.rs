//! `mayfly evidence` and `mayfly verify`. `verify` reads only the file that it is given.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail};
use collector_core::custody::{Files, Verification, verify_bundle};
use serde_json::json;
use zip::ZipArchive;

use super::client::{Client, quote};
use super::folder::Folder;
use super::say::{self, list as items, number, text};

/// Of a file of a bundle no more than this is read: no agent sends a larger one.
pub(super) const FILE_BYTES: u64 = 2 << 30;
/// A bundle with more files than this is not one of ours.
pub(super) const BUNDLE_FILES: usize = 100_000;

/// What was captured.
pub(crate) async fn list(client: &Client, id: &str, json: bool) -> Result<()> {
    let answer = client.get(&format!("/cases/{}/evidence", quote(id))).await?;
    if json {
        return say::json(&answer);
    }
    let mut table = say::table(&["capture", "kind", "name", "bytes", "sha256", "state"]);
    for artifact in items(&answer, "/artifacts") {
        let state = match (text(artifact, "/failure"), artifact["received"].is_null()) {
            ("", false) => "here, hash checked",
            ("", true) => "on its way",
            (failure, _) => failure,
        };
        table.add_row([
            text(artifact, "/capture_id").chars().take(12).collect::<String>(),
            text(artifact, "/kind").to_owned(),
            text(artifact, "/name").to_owned(),
            number(artifact, "/size").to_string(),
            text(artifact, "/sha256").chars().take(16).collect(),
            state.to_owned(),
        ]);
    }
    say::line(&table.to_string())
}

/// Everything, as one file.
pub(crate) async fn export(client: &Client, id: &str, out: &Path, json: bool) -> Result<()> {
    let bytes = client.bytes(&format!("/cases/{}/bundle", quote(id))).await?;
    std::fs::write(out, &bytes).with_context(|| format!("write {}", out.display()))?;
    if json {
        return say::json(&json!({"bundle": out, "bytes": bytes.len()}));
    }
    say::line(&format!("{} ({} bytes). Check it anywhere: mayfly verify {0}", out.display(), bytes.len()))
}

/// Checks a bundle, a zip file or the folder that it was unpacked to; an error where anything does not fit or is not there.
pub(crate) fn verify(bundle: &Path, json: bool) -> Result<()> {
    let files: Box<dyn Files> =
        if bundle.is_dir() { Box::new(Folder::open(bundle)?) } else { Box::new(Archive::open(bundle)?) };
    let done = verify_bundle(files.as_ref());
    if json {
        say::json(&serde_json::to_value(&done)?)?;
    } else {
        show(bundle, &done)?;
    }
    if !done.is_whole() {
        bail!("{} of this bundle cannot be trusted", count(done.problems.len(), "part"));
    }
    if !done.absent.is_empty() {
        bail!("{} that nodes sealed cannot be found in this bundle", count(done.absent.len(), "file"));
    }
    Ok(())
}

fn show(bundle: &Path, done: &Verification) -> Result<()> {
    for problem in &done.problems {
        say::line(&format!("BROKEN  {}: {}", problem.artifact, problem.what))?;
    }
    for absent in &done.absent {
        say::line(&format!("ABSENT  {}: {}", absent.artifact, absent.what))?;
    }
    say::line(&format!(
        "{}: {} checked, {} in the custody chain, {}, {} of node logs. Index sha256 {}",
        bundle.display(),
        count_u64(done.files, "file"),
        count_u64(done.records, "record"),
        count_u64(done.manifests, "signed manifest"),
        count_u64(done.blocks, "block"),
        done.index_sha256
    ))?;
    match (done.is_whole(), done.absent.len()) {
        (false, _) => Ok(()),
        (true, 0) => say::line("Everything is as it was sealed."),
        (true, absent) => say::line(&format!(
            "What is here is as it was sealed; {} had not arrived: export again when the nodes have sent the rest.",
            count(absent, "file")
        )),
    }
}

fn count(number: usize, what: &str) -> String {
    count_u64(number as u64, what)
}

fn count_u64(number: u64, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// A zip file as named bytes.
struct Archive {
    // A reader moves while it reads; the trait reads through a shared reference.
    zip: RefCell<ZipArchive<File>>,
    names: Vec<String>,
}

impl Archive {
    fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).with_context(|| format!("open {}", path.display()))?;
        let zip =
            ZipArchive::new(file).with_context(|| format!("{} is not a zip file, or is damaged", path.display()))?;
        if zip.len() > BUNDLE_FILES {
            bail!("{} has {} files: that is not a bundle of ours", path.display(), zip.len());
        }
        let names: Result<Vec<String>, _> = zip.file_names().map(|name| name.map(Cow::into_owned)).collect();
        let names = names.with_context(|| format!("{}: a name that is no text", path.display()))?;
        Ok(Self { zip: RefCell::new(zip), names })
    }
}

impl Files for Archive {
    fn names(&self) -> Vec<String> {
        self.names.clone()
    }

    fn read(&self, name: &str) -> Option<Vec<u8>> {
        let mut zip = self.zip.borrow_mut();
        let file = zip.by_name(name).ok()?;
        let mut bytes = Vec::new();
        // A file that ends early or is damaged is read as far as it goes: its hash then says that it is not what was sealed.
        file.take(FILE_BYTES).read_to_end(&mut bytes).ok();
        Some(bytes)
    }
}
