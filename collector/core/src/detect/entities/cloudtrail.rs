//! Entities of a `CloudTrail` entry: every shape of `userIdentity`, the keys that were used and issued, the role, the resources and
//! the address. Takes AWS's own JSON; unknown shapes give what they name and no more.

use std::net::IpAddr;

use serde_json::Value;

use super::{identity, text};
use crate::model::{AuditEntry, Entity, Identity};

pub(super) fn of_entry(entry: &AuditEntry) -> Vec<Entity> {
    let original = &entry.original;
    let mut entities = Vec::new();
    if let Some(user) = original.get("userIdentity") {
        entities.extend(caller(user).into_iter().map(identity));
    }
    entities.extend(entry.source_address.map(|address| Entity::Address { address }));
    entities.extend(issued_key(original).map(|id| identity(Identity::AccessKey { id: id.to_owned() })));
    if let Some(arn) = text(original, &["requestParameters", "roleArn"]) {
        entities.push(identity(Identity::Role { arn: arn.to_owned() }));
    }
    for resource in original.get("resources").and_then(Value::as_array).into_iter().flatten().take(super::MOST) {
        // The field is `ARN` in CloudTrail's own records and `arn` in what some pipelines make of them.
        if let Some(arn) = text(resource, &["ARN"]).or_else(|| text(resource, &["arn"])) {
            entities.push(Entity::CloudResource { arn: arn.to_owned() });
        }
    }
    if let Some(bucket) = text(original, &["requestParameters", "bucketName"]) {
        entities.push(Entity::CloudResource { arn: format!("arn:aws:s3:::{bucket}") });
    }
    for parameter in ["functionName", "secretId", "trailName", "name", "keyId"] {
        if let Some(arn) = text(original, &["requestParameters", parameter]).filter(|text| text.starts_with("arn:")) {
            entities.push(Entity::CloudResource { arn: arn.to_owned() });
        }
    }
    entities
}

/// Who called, most specific first: the session or user, its key, its role, whoever stands behind it.
pub(crate) fn caller(user: &Value) -> Vec<Identity> {
    let mut identities = Vec::new();
    let arn = text(user, &["arn"]).map(str::to_owned);
    let name = text(user, &["userName"]).or_else(|| text(user, &["principalId"]));
    match text(user, &["type"]).unwrap_or_default() {
        "AssumedRole" => identities.extend(arn.map(|arn| Identity::RoleSession { arn })),
        "Root" | "IAMUser" | "FederatedUser" => identities.extend(arn.map(|arn| Identity::CloudUser { arn })),
        "Role" => identities.extend(arn.map(|arn| Identity::Role { arn })),
        "AWSService" => {
            let name = text(user, &["invokedBy"]).or(name);
            identities.extend(name.map(|name| Identity::Service { name: name.to_owned() }));
        }
        "WebIdentityUser" | "SAMLUser" | "IdentityCenterUser" | "Directory" => {
            identities.extend(name.map(federated));
        }
        _ => {
            let named = arn.map(|arn| Identity::CloudUser { arn });
            identities.extend(named.or_else(|| name.map(|name| Identity::Person { name: name.to_owned() })));
        }
    }
    if let Some(id) = text(user, &["accessKeyId"]) {
        identities.push(Identity::AccessKey { id: id.to_owned() });
    }
    if let Some(arn) = text(user, &["sessionContext", "sessionIssuer", "arn"]) {
        let arn = arn.to_owned();
        identities.push(match text(user, &["sessionContext", "sessionIssuer", "type"]) {
            Some("IAMUser" | "Root") => Identity::CloudUser { arn },
            _ => Identity::Role { arn },
        });
    }
    if let Some(person) = text(user, &["onBehalfOf", "userId"]) {
        identities.push(Identity::Person { name: person.to_owned() });
    }
    identities
}

/// A web identity is a Kubernetes service account when its subject says so, else a person.
fn federated(name: &str) -> Identity {
    match super::service_account(name) {
        Some((namespace, name)) => Identity::ServiceAccount { namespace: namespace.to_owned(), name: name.to_owned() },
        None => Identity::Person { name: name.to_owned() },
    }
}

/// The key that a call gave out, with `AssumeRole*`, `GetSessionToken`, `GetFederationToken` or `CreateAccessKey`.
pub(crate) fn issued_key(original: &Value) -> Option<&str> {
    text(original, &["responseElements", "credentials", "accessKeyId"])
        .or_else(|| text(original, &["responseElements", "accessKey", "accessKeyId"]))
}

/// The instance behind a role session: instance profiles name the session after the instance.
pub(crate) fn instance_of_session(session: &str) -> Option<&str> {
    let name = session.rsplit('/').next()?;
    let digits = name.strip_prefix("i-")?;
    let plausible = (8..=17).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    plausible.then_some(name)
}

/// Whether the address of a call is that of an AWS service, which `CloudTrail` names instead of giving an address.
pub(crate) fn called_by_service(entry: &AuditEntry) -> bool {
    entry.text(&["sourceIPAddress"]).is_some_and(|address| address.parse::<IpAddr>().is_err())
}
