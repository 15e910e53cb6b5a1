//! Names of sources as files of events and people write them, to log sources as rules ask for them. Takes names and events; gives log
//! sources, or nothing where rules have no word for it. The only place that knows such names.

use std::collections::BTreeSet;

use rules::{LogSource, RuleSource, fields};
use serde_json::Value;

/// By name, the log sources that it may stand for: the first, unless the event says otherwise.
const SOURCES: &[(&str, &[LogSource<'static>])] = &[
    ("aws.cloudtrail", &[fields::CLOUDTRAIL]),
    ("k8s.audit", &[fields::KUBERNETES_AUDIT]),
    ("gcp.audit", &[fields::GCP_AUDIT]),
    ("gcp.k8s_audit", &[fields::GCP_AUDIT]),
    ("azure.activity", &[fields::AZURE_ACTIVITY]),
    ("azure.entra", &[fields::ENTRA_AUDIT, fields::ENTRA_SIGN_IN]),
    ("okta.system", &[fields::OKTA_SYSTEM]),
    ("github.audit", &[fields::GITHUB_AUDIT]),
    ("m365.audit", &[fields::M365_AUDIT]),
    ("onelogin.events", &[LogSource { category: None, product: Some("onelogin"), service: Some("onelogin.events") }]),
];

/// What stands before the category of a node's event.
const NODE: &str = "linux.";

/// The log source of an event whose source has this name.
pub(super) fn named(name: &str, event: &Value) -> Option<LogSource<'static>> {
    if let Some(category) = name.strip_prefix(NODE) {
        let ours = |source: &&LogSource<'_>| source.product == Some("linux") && source.category == Some(category);
        return fields::WELL_KNOWN.iter().find(ours).copied();
    }
    let (_, sources) = SOURCES.iter().find(|(known, _)| *known == name)?;
    let signed_in = event.get("category").and_then(Value::as_str).is_some_and(|category| category.contains("SignIn"));
    match sources {
        [_, sign_in] if signed_in => Some(*sign_in),
        _ => sources.first().copied(),
    }
}

/// The log source of an event by the keys that only its kind has.
pub(super) fn recognised(event: &Value) -> Option<LogSource<'static>> {
    let has = |keys: &[&str]| keys.iter().all(|key| event.pointer(key).is_some());
    let name = if has(&["/eventSource", "/eventName", "/userIdentity"]) {
        "aws.cloudtrail"
    } else if has(&["/auditID", "/verb", "/objectRef"]) || has(&["/auditID", "/requestURI"]) {
        "k8s.audit"
    } else if has(&["/protoPayload/methodName"]) {
        "gcp.audit"
    } else if has(&["/eventType", "/published", "/actor"]) {
        "okta.system"
    } else if has(&["/Operation", "/Workload"]) {
        "m365.audit"
    } else if has(&["/category", "/operationName", "/tenantId"]) || has(&["/category", "/operationName", "/resourceId"])
    {
        let of_directory = |id: &str| id.to_ascii_lowercase().contains("microsoft.aadiam");
        let directory = event.get("resourceId").and_then(Value::as_str).is_some_and(of_directory);
        if directory { "azure.entra" } else { "azure.activity" }
    } else if has(&["/action", "/actor", "/created_at"]) || has(&["/action", "/actor", "/@timestamp"]) {
        "github.audit"
    } else if has(&["/DestinationIp"]) {
        "linux.network_connection"
    } else if has(&["/TargetFilename"]) {
        "linux.file_event"
    } else if has(&["/CommandLine"]) {
        "linux.process_creation"
    } else {
        return None;
    };
    named(name, event)
}

/// All names, for those who wrote another.
pub(super) fn known() -> String {
    let node = fields::WELL_KNOWN.iter().filter(|source| source.product == Some("linux"));
    let node = node.filter_map(|source| source.category).map(|category| format!("{NODE}{category}"));
    SOURCES.iter().map(|(name, _)| (*name).to_owned()).chain(node).collect::<Vec<_>>().join(", ")
}

/// Whether a word is one of a log source's own, or a part of a name for it.
pub(super) fn names(word: &str, source: &RuleSource) -> bool {
    let own = [&source.product, &source.service, &source.category];
    own.into_iter().flatten().any(|own| own.eq_ignore_ascii_case(word))
        || SOURCES.iter().any(|(name, sources)| {
            let named = name.eq_ignore_ascii_case(word) || name.split('.').any(|part| part.eq_ignore_ascii_case(word));
            // A rule for a whole product is about more than what the word names.
            named && source.service.is_some() && sources.iter().any(|known| source.applies_to(known))
        })
}

/// The products, or other words where there is none, that rules are about.
pub(super) fn products<'a>(sources: impl Iterator<Item = &'a RuleSource>) -> Vec<&'a str> {
    let word = |source: &'a RuleSource| source.product.as_deref().or(source.category.as_deref());
    sources.filter_map(word).collect::<BTreeSet<_>>().into_iter().collect()
}

/// `linux/process_creation`.
pub(super) fn words(source: &LogSource<'_>) -> String {
    [source.product, source.service, source.category].into_iter().flatten().collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_sign_in_at_entra_is_of_another_log_than_a_change_to_it() {
        let of = |category: &str| named("azure.entra", &json!({ "category": category }));
        assert_eq!(of("ServicePrincipalSignInLogs"), Some(fields::ENTRA_SIGN_IN));
        assert_eq!(of("AuditLogs"), Some(fields::ENTRA_AUDIT));
    }

    #[test]
    fn a_name_without_rules_has_no_log_source() {
        assert_eq!(named("linux.file_delete", &json!({})), Some(fields::FILE_DELETE));
        assert_eq!(named("linux.unheard_of", &json!({})), None);
        assert_eq!(named("aws.vpcflow", &json!({})), None);
    }

    #[test]
    fn an_event_is_known_by_what_only_its_kind_has() {
        let entry = json!({"eventSource": "s3.amazonaws.com", "eventName": "PutBucketPolicy", "userIdentity": {}});
        assert_eq!(recognised(&entry), Some(fields::CLOUDTRAIL));
        assert_eq!(recognised(&json!({"Image": "/bin/sh", "CommandLine": "sh"})), Some(fields::PROCESS_CREATION));
        assert_eq!(recognised(&json!({"a": 1})), None);
    }
}
