//! How the collector answers. Takes the `[respond]` table of the configuration; gives one struct. An unknown key is an error that names it.

use std::path::{Path, PathBuf};

use collector_core::playbook::{self, Playbook, Protected, SyntaxError};
use ipnet::IpNet;
use serde::Deserialize;

use crate::connect::aws::client::AwsConfig;

/// `[respond]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RespondConfig {
    /// Whether steps that a playbook calls automatic run without a person. Default yes; no: every plan waits.
    pub automatic: bool,
    /// Folders whose `*.yaml` files add to the built-in playbooks or, with the same `metadata.id`, replace them. Default none. A file that
    /// cannot be used is an error at the start, with its line.
    pub playbooks: Vec<PathBuf>,
    /// Destinations that a quarantined container keeps. Default none: the agent talks to the collector from the node, not from the container.
    pub allow: Vec<IpNet>,
    /// What must not be touched, beside what the playbooks protect.
    pub protected: Vec<Protected>,
    /// A file with what this deployment's nodes share for hashes of access keys, the same as in their `respond.hash_secret`, readable by its
    /// owner alone. Default none: then only keys are compared that were hashed by nodes with a key of their own.
    pub hash_secret: Option<PathBuf>,
    /// How to reach AWS. Default: AWS itself. Credentials come from the environment; without them nothing is done in AWS.
    pub aws: AwsConfig,
}

impl Default for RespondConfig {
    fn default() -> Self {
        Self {
            automatic: true,
            playbooks: Vec::new(),
            allow: Vec::new(),
            protected: Vec::new(),
            hash_secret: None,
            aws: AwsConfig::default(),
        }
    }
}

/// Why there are no playbooks.
#[derive(Debug, thiserror::Error)]
pub enum PlaybookError {
    /// A folder or a file cannot be read.
    #[error("read {path}")]
    Read {
        /// Which one.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: std::io::Error,
    },
    /// A file is not a playbook.
    #[error("understand a playbook")]
    Syntax(#[from] SyntaxError),
    /// A file is larger than any playbook.
    #[error("{path} is larger than {PLAYBOOK_BYTES} bytes")]
    Large {
        /// Which one.
        path: PathBuf,
    },
}

/// A playbook is a page of text.
const PLAYBOOK_BYTES: u64 = 256 << 10;

impl RespondConfig {
    /// The built-in playbooks and those of the folders.
    pub fn all_playbooks(&self) -> Result<Vec<Playbook>, PlaybookError> {
        let mut all = playbook::content();
        for folder in &self.playbooks {
            for playbook in read_folder(folder)? {
                all.retain(|other| other.id != playbook.id);
                all.push(playbook);
            }
        }
        Ok(all)
    }
}

fn read_folder(folder: &Path) -> Result<Vec<Playbook>, PlaybookError> {
    let read = |path: &Path| {
        let path = path.to_owned();
        move |cause| PlaybookError::Read { path, cause }
    };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(read(folder))? {
        paths.push(entry.map_err(read(folder))?.path());
    }
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml"));
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        if std::fs::metadata(&path).map_err(read(&path))?.len() > PLAYBOOK_BYTES {
            return Err(PlaybookError::Large { path });
        }
        let text = std::fs::read_to_string(&path).map_err(read(&path))?;
        found.push(playbook::parse(&path.display().to_string(), &text)?);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_key_is_an_error_that_names_it() {
        let error = toml::from_str::<RespondConfig>("automatc = false").expect_err("there is no such key").to_string();
        assert!(error.contains("automatc") && error.contains("automatic"), "{error}");
    }
}
