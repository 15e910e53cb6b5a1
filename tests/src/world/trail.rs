//! Audit logs of the attack, in the provider's own format: what a cloud and a cluster would have written. Takes who, when and from where;
//! gives JSON. The times, ids and addresses are those of the run.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::cloud::{ACCOUNT, ROLE, USER};
use super::container::Pod;

/// Who calls, and from where.
pub struct Caller<'a> {
    /// `userIdentity`, as the provider writes it.
    pub identity: Value,
    /// Where the calls come from.
    pub address: &'a str,
}

impl<'a> Caller<'a> {
    /// A role's session. `name` is the instance's id where an instance has the role.
    pub fn session(role: &str, name: &str, key: &str, issued: Timestamp, address: &'a str) -> Self {
        let id = format!("AROAEXAMPLE{}", role.replace('-', "").to_uppercase());
        let mut context = json!({
            "sessionIssuer": {
                "type": "Role",
                "principalId": id,
                "arn": format!("arn:aws:iam::{ACCOUNT}:role/{role}"),
                "accountId": ACCOUNT,
                "userName": role
            },
            "attributes": {"creationDate": seconds(issued), "mfaAuthenticated": "false"}
        });
        if name.starts_with("i-") {
            context["ec2RoleDelivery"] = json!("2.0");
        }
        let identity = json!({
            "type": "AssumedRole",
            "principalId": format!("{id}:{name}"),
            "arn": format!("arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{name}"),
            "accountId": ACCOUNT,
            "accessKeyId": key,
            "sessionContext": context
        });
        Self { identity, address }
    }

    /// A user with a key that has no end.
    pub fn user(name: &str, key: &str, address: &'a str) -> Self {
        let identity = json!({
            "type": "IAMUser",
            "principalId": format!("AIDAEXAMPLE{}", name.to_uppercase()),
            "arn": format!("arn:aws:iam::{ACCOUNT}:user/{name}"),
            "accountId": ACCOUNT,
            "accessKeyId": key,
            "userName": name
        });
        Self { identity, address }
    }

    /// One call. `number` tells the calls of one key apart.
    pub fn call(
        &self,
        number: usize,
        at: Timestamp,
        (source, name): (&str, &str),
        request: &Value,
        response: &Value,
    ) -> Value {
        let key = self.identity["accessKeyId"].as_str().unwrap_or_default();
        json!({
            "eventVersion": "1.11",
            "userIdentity": self.identity,
            "eventTime": seconds(at),
            "eventSource": source,
            "eventName": name,
            "awsRegion": "eu-central-1",
            "sourceIPAddress": self.address,
            "userAgent": "aws-cli/2.31.2",
            "requestParameters": request,
            "responseElements": response,
            "requestID": identifier(key, number, "request"),
            "eventID": identifier(key, number, "event"),
            "readOnly": name.starts_with("Get") || name.starts_with("List"),
            "eventType": "AwsApiCall",
            "managementEvent": true,
            "recipientAccountId": ACCOUNT,
            "eventCategory": "Management"
        })
    }
}

/// The attacker's session with the node role's stolen keys.
pub struct Session<'a> {
    /// Instance that the role's session is named after.
    pub instance: &'a str,
    /// `ASIA…`.
    pub key: &'a str,
    /// Where the calls come from.
    pub address: &'a str,
    /// When the metadata service gave the keys.
    pub issued: Timestamp,
}

impl Session<'_> {
    /// Who calls.
    pub fn caller(&self) -> Caller<'_> {
        Caller::session(ROLE, self.instance, self.key, self.issued, self.address)
    }

    /// What the attacker does: looks who it is, looks around, reads a secret, makes itself a key that stays.
    pub fn records(&self, made_key: &str) -> Vec<Value> {
        let user = json!({"userName": USER});
        let made = json!({"accessKey": {
            "accessKeyId": made_key, "status": "Active", "userName": USER,
            "createDate": self.issued.strftime("%b %d, %Y %I:%M:%S %p").to_string()
        }});
        let secret = json!({"secretId": "store/database"});
        [
            (("sts.amazonaws.com", "GetCallerIdentity"), Value::Null, Value::Null),
            (("s3.amazonaws.com", "ListBuckets"), json!({"Host": "s3.eu-central-1.amazonaws.com"}), Value::Null),
            (("iam.amazonaws.com", "ListUsers"), Value::Null, Value::Null),
            (("secretsmanager.amazonaws.com", "GetSecretValue"), secret, Value::Null),
            (("iam.amazonaws.com", "CreateAccessKey"), user, made),
        ]
        .into_iter()
        .enumerate()
        .map(|(number, (event, request, response))| {
            let after = SignedDuration::from_secs(4 + i64::try_from(number).unwrap_or(0) * 3);
            self.caller().call(number, self.issued + after, event, &request, &response)
        })
        .collect()
    }
}

/// Writes records as AWS delivers them: `AWSLogs/ACCOUNT/CloudTrail/REGION/YYYY/MM/DD/…json.gz`.
pub fn deliver(folder: &Path, at: Timestamp, number: u32, records: &[Value]) -> Result<PathBuf> {
    let day = at.strftime("%Y/%m/%d").to_string();
    let folder = folder.join(format!("AWSLogs/{ACCOUNT}/CloudTrail/eu-central-1/{day}"));
    std::fs::create_dir_all(&folder)?;
    let stamp = at.strftime("%Y%m%dT%H%MZ").to_string();
    let path = folder.join(format!("{ACCOUNT}_CloudTrail_eu-central-1_{stamp}_stage{number:012}.json.gz"));
    let waiting = path.with_extension("part");
    let mut file = GzEncoder::new(std::fs::File::create(&waiting)?, Compression::default());
    file.write_all(json!({"Records": records}).to_string().as_bytes())?;
    file.finish()?.sync_all()?;
    std::fs::rename(waiting, &path)?;
    Ok(path)
}

/// A request to the API server by the pod's service account, with the claims of its bound token.
pub fn service_account_call(pod: &Pod, at: Timestamp, address: &str, verb: &str, resource: &str) -> Value {
    let user = format!("system:serviceaccount:{}:{}", pod.namespace, pod.service_account);
    kubernetes(
        at,
        verb,
        &format!("/api/v1/namespaces/{}/{resource}", pod.namespace),
        address,
        200,
        &json!({
            "username": user,
            "groups": ["system:serviceaccounts", "system:authenticated"],
            "extra": {
                "authentication.kubernetes.io/pod-name": [pod.name],
                "authentication.kubernetes.io/pod-uid": [pod.uid]
            }
        }),
        &json!({"resource": resource, "namespace": pod.namespace, "apiVersion": "v1"}),
    )
}

/// A person's `kubectl exec` into the pod.
pub fn exec_by_person(pod: &Pod, at: Timestamp, person: &str, command: &[&str]) -> Value {
    let words =
        command.iter().map(|word| format!("command={}", word.replace('/', "%2F"))).collect::<Vec<_>>().join("&");
    let uri = format!("/api/v1/namespaces/{}/pods/{}/exec?{words}&container=shop&stdout=true", pod.namespace, pod.name);
    let user = json!({"username": person, "groups": ["oncall", "system:authenticated"]});
    let object = json!({"resource": "pods", "namespace": pod.namespace, "name": pod.name, "apiVersion": "v1", "subresource": "exec"});
    kubernetes(at, "get", &uri, "192.0.2.44", 101, &user, &object)
}

fn kubernetes(at: Timestamp, verb: &str, uri: &str, address: &str, code: u16, user: &Value, object: &Value) -> Value {
    json!({
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "auditID": identifier(uri, usize::try_from(at.as_microsecond()).unwrap_or(0), "audit"),
        "stage": "ResponseComplete",
        "requestURI": uri,
        "verb": verb,
        "user": user,
        "sourceIPs": [address],
        "userAgent": "kubectl/v1.34.1 (linux/amd64)",
        "objectRef": object,
        "responseStatus": {"metadata": {}, "code": code},
        "requestReceivedTimestamp": micros(at),
        "stageTimestamp": micros(at)
    })
}

fn seconds(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn micros(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

/// An id of a UUID's shape that is the same for the same words.
fn identifier(seed: &str, number: usize, purpose: &str) -> String {
    use sha2::{Digest, Sha256};
    let digest = hex::encode(Sha256::digest(format!("{seed}/{number}/{purpose}")));
    format!("{}-{}-4{}-8{}-{}", &digest[..8], &digest[8..12], &digest[13..16], &digest[17..20], &digest[20..32])
}
