//! How the collector answers. Takes the `[respond]` table of the configuration; gives one struct. An unknown key is an error that names it.

use ipnet::IpNet;
use serde::Deserialize;

use crate::connect::aws::client::AwsConfig;
use collector_core::playbook::Protected;

/// `[respond]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RespondConfig {
    /// Whether steps that a playbook calls automatic run without a person. Default yes; no: every plan waits.
    pub automatic: bool,
    /// Destinations that a quarantined container keeps. Default none: the agent talks to the collector from the node, not from the container.
    pub allow: Vec<IpNet>,
    /// What must not be touched, beside what the playbooks protect.
    pub protected: Vec<Protected>,
    /// How to reach AWS. Default: AWS itself. Credentials come from the environment; without them nothing is done in AWS.
    pub aws: AwsConfig,
}

impl Default for RespondConfig {
    fn default() -> Self {
        Self { automatic: true, allow: Vec::new(), protected: Vec::new(), aws: AwsConfig::default() }
    }
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
