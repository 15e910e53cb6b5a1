//! A bundle as a reader without us has it: named bytes of a zip file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// Its files.
pub(crate) struct Bundle {
    pub(crate) files: BTreeMap<String, Vec<u8>>,
}

impl Bundle {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let mut archive = zip::ZipArchive::new(File::open(path)?)?;
        let mut files = BTreeMap::new();
        for index in 0..archive.len() {
            let mut file = archive.by_index(index)?;
            let name = file.name().map(|name| name.to_string())?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            files.insert(name, bytes);
        }
        Ok(Self { files })
    }

    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let mut archive = zip::ZipWriter::new(File::create(path)?);
        for (name, bytes) in &self.files {
            archive.start_file(name.as_str(), zip::write::SimpleFileOptions::default())?;
            archive.write_all(bytes)?;
        }
        archive.finish()?;
        Ok(())
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &String> {
        self.files.keys()
    }

    /// What the nodes signed.
    pub(crate) fn statements(&self) -> Result<Vec<Value>> {
        let envelopes = self.files.iter().filter(|(name, _)| name.ends_with("/manifest.dsse.json"));
        envelopes
            .map(|(_, bytes)| {
                let envelope: Value = serde_json::from_slice(bytes)?;
                let payload = envelope["payload"].as_str().context("an envelope has a payload")?;
                Ok(serde_json::from_slice(&STANDARD.decode(payload)?)?)
            })
            .collect()
    }
}
