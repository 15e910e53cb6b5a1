//! The signed statement about a capture: what was taken, from whom, how, and what could not be had.
//!
//! Takes the facts of a capture; gives an in-toto statement (v1) in a DSSE envelope, signed by the node's ed25519 key. A
//! reader needs the envelope, the artifacts and the node's public key, and nothing else. Never signs what was not hashed.

use std::io;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::artifact::{Failure, Taken};
use super::secret::{KeyOf, keep_random};
use crate::clock::Moment;

/// What the payload of the envelope is.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
/// What the statement is.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// What the statement's predicate is.
pub const PREDICATE_TYPE: &str = "urn:mayfly:capture:v1";

/// The node's signing key.
#[derive(Debug, Clone)]
pub struct NodeKey {
    key: SigningKey,
}

impl NodeKey {
    /// The key from a file, made with it at the first start, for root alone.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { key: SigningKey::from_bytes(&keep_random(path)?) })
    }

    /// What verifies its signatures: the key that a node says in its `Hello`.
    pub fn public(&self) -> [u8; 32] {
        self.key.verifying_key().to_bytes()
    }

    /// Names the key: the beginning of the hash of the public half.
    pub fn id(&self) -> String {
        key_id(&self.public())
    }

    /// A payload in its signed envelope, as JSON.
    pub fn seal(&self, payload: &[u8]) -> Vec<u8> {
        let signature = self.key.sign(&pre_authentication(PAYLOAD_TYPE, payload));
        let signatures = vec![Signed { keyid: self.id(), sig: STANDARD.encode(signature.to_bytes()) }];
        let envelope =
            Envelope { payload_type: PAYLOAD_TYPE.to_owned(), payload: STANDARD.encode(payload), signatures };
        serde_json::to_vec_pretty(&envelope).expect("strings are JSON")
    }
}

/// Names a public key.
pub fn key_id(public: &[u8]) -> String {
    hex::encode(&Sha256::digest(public)[..8])
}

/// A DSSE envelope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// [`PAYLOAD_TYPE`].
    #[serde(rename = "payloadType")]
    pub payload_type: String,
    /// The statement, base64.
    pub payload: String,
    /// One: the node's.
    pub signatures: Vec<Signed>,
}

/// A signature of an envelope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// Which key.
    pub keyid: String,
    /// The signature, base64.
    pub sig: String,
}

/// An in-toto statement.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Statement<'a> {
    /// [`STATEMENT_TYPE`].
    #[serde(rename = "_type")]
    pub statement_type: &'static str,
    /// The artifacts.
    pub subject: Vec<Subject<'a>>,
    /// [`PREDICATE_TYPE`].
    #[serde(rename = "predicateType")]
    pub predicate_type: &'static str,
    /// All the rest.
    pub predicate: Predicate<'a>,
}

/// One artifact, by its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Subject<'a> {
    /// Its id in the capture.
    pub name: &'a str,
    /// Its hash.
    pub digest: DigestSet<'a>,
}

/// The hash of an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DigestSet<'a> {
    /// Hexadecimal.
    pub sha256: &'a str,
}

/// What is said of a capture beside the hashes.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Predicate<'a> {
    /// Its id.
    pub capture_id: &'a str,
    /// The node's name.
    pub node: &'a str,
    /// Which boot of it.
    pub boot_id: &'a str,
    /// Whether it comes from a recorded run, not from this kernel.
    pub replay: bool,
    /// Why it was taken.
    pub cause: Cause,
    /// Of which processes.
    pub processes: Vec<Whose>,
    /// In which container; absent on the host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<Box<ContainerFacts>>,
    /// When it began.
    pub began: When,
    /// When the last artifact was hashed.
    pub ended: When,
    /// Positions in the node's log that the recording holds; 0: none.
    pub recorder: Recording,
    /// The artifacts in the order in which they were taken: what goes away first was taken first.
    pub artifacts: &'a [Taken],
    /// What could not be had, each with its reason.
    pub failures: &'a [Failure],
    /// What the capture itself changed on the node.
    pub side_effects: &'a [String],
    /// Access key ids that stood in the processes, by keyed hash.
    pub access_keys: &'a [KeyOf],
    /// How those hashes were made.
    pub keyed_hash: KeyedHash,
    /// What took it.
    pub tool: Tool,
}

/// Why a capture was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Cause {
    /// A rule matched on the node.
    #[serde(rename_all = "camelCase")]
    Rule {
        /// Ids of the rules.
        rules: Vec<String>,
        /// Position of the event in the node's log.
        event_position: u64,
        /// When the event happened.
        event: When,
        /// Matches of the same rules by the same process that were counted since the last capture.
        repeats: u64,
    },
    /// The collector ordered it.
    #[serde(rename_all = "camelCase")]
    Order {
        /// Id of the order.
        order_id: String,
        /// Id of its case.
        case_id: String,
        /// Digest of the plan that it carries out.
        plan_digest: String,
    },
}

/// A process that was captured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Whose {
    /// Its pid in the host's namespace.
    pub pid: u32,
    /// When it was forked, `CLOCK_BOOTTIME` in nanoseconds.
    pub start_ns: u64,
    /// What it ran.
    pub executable: String,
}

/// A container, as it was known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerFacts {
    /// Its id.
    pub id: String,
    /// What made it.
    pub runtime: String,
    /// Its cgroup.
    pub cgroup_id: u64,
    /// Uid of its pod.
    pub pod_uid: String,
    /// Name of its pod.
    pub pod_name: String,
    /// Namespace of its pod.
    pub pod_namespace: String,
    /// Its image, as it was asked for.
    pub image: String,
}

/// A moment on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct When {
    /// UTC, nanoseconds since 1970.
    pub time_ns: u64,
    /// `CLOCK_BOOTTIME`, nanoseconds.
    pub boot_ns: u64,
    /// How far the two may be apart.
    pub uncertainty_us: u32,
}

impl From<Moment> for When {
    fn from(moment: Moment) -> Self {
        Self { time_ns: moment.wall_ns, boot_ns: moment.boot_ns, uncertainty_us: moment.uncertainty_us }
    }
}

/// The part of the log that was sealed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Recording {
    /// First position.
    pub first_position: u64,
    /// Last position.
    pub last_position: u64,
    /// Time of the first event.
    pub from_ns: u64,
    /// Time of the last event.
    pub to_ns: u64,
}

/// How hashes of secrets were made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyedHash {
    /// `HMAC-SHA256`.
    pub algorithm: &'static str,
    /// Names the key.
    pub key_id: String,
    /// The key, hexadecimal, where it is this node's own; absent where the deployment shares one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// What took a capture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tool {
    /// Its name.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// Hash of its own binary, hexadecimal; empty where it could not be read.
    pub sha256: String,
}

impl Tool {
    /// This program.
    pub fn own() -> Self {
        let sha256 = std::fs::File::open("/proc/self/exe").and_then(hash_of);
        Self { name: "mayfly-agent", version: env!("CARGO_PKG_VERSION"), sha256: sha256.unwrap_or_default() }
    }
}

fn hash_of(mut file: std::fs::File) -> io::Result<String> {
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        match io::Read::read(&mut file, &mut buffer)? {
            0 => return Ok(hex::encode(hash.finalize())),
            read => hash.update(&buffer[..read]),
        }
    }
}

/// The statement about a capture, signed.
pub fn sign(predicate: Predicate<'_>, key: &NodeKey) -> Vec<u8> {
    let subject = predicate
        .artifacts
        .iter()
        .map(|taken| Subject { name: &taken.artifact_id, digest: DigestSet { sha256: &taken.sha256 } })
        .collect();
    let statement = Statement { statement_type: STATEMENT_TYPE, subject, predicate_type: PREDICATE_TYPE, predicate };
    key.seal(&serde_json::to_vec(&statement).expect("numbers and strings are JSON"))
}

/// Why an envelope is not believed.
#[derive(Debug, thiserror::Error)]
pub enum Unbelieved {
    /// No envelope.
    #[error("read the envelope")]
    Envelope(#[source] serde_json::Error),
    /// Not base64.
    #[error("read the base64 of the envelope")]
    Base64(#[source] base64::DecodeError),
    /// Nobody signed it with this key.
    #[error("no signature by key {0}")]
    Signature(String),
}

/// The payload of an envelope that this public key signed.
pub fn verify(envelope: &[u8], public: &[u8; 32]) -> Result<Vec<u8>, Unbelieved> {
    let envelope: Envelope = serde_json::from_slice(envelope).map_err(Unbelieved::Envelope)?;
    let payload = STANDARD.decode(&envelope.payload).map_err(Unbelieved::Base64)?;
    let refused = || Unbelieved::Signature(key_id(public));
    let key = VerifyingKey::from_bytes(public).map_err(|_| refused())?;
    let signed = pre_authentication(&envelope.payload_type, &payload);
    for signature in &envelope.signatures {
        let bytes = STANDARD.decode(&signature.sig).map_err(Unbelieved::Base64)?;
        if Signature::from_slice(&bytes).is_ok_and(|signature| key.verify_strict(&signed, &signature).is_ok()) {
            return Ok(payload);
        }
    }
    Err(refused())
}

/// What DSSE signs: the type and the payload, each behind its length.
fn pre_authentication(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> (NodeKey, tempfile::TempDir) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        (NodeKey::open(&folder.path().join("node.key")).expect("it can be written"), folder)
    }

    #[test]
    fn an_envelope_verifies_with_its_key_and_with_no_other() {
        let (node, _one) = key();
        let (other, _two) = key();
        let envelope = node.seal(br#"{"a": 1}"#);
        assert_eq!(verify(&envelope, &node.public()).expect("it is signed"), br#"{"a": 1}"#);
        assert!(matches!(verify(&envelope, &other.public()), Err(Unbelieved::Signature(_))));
    }

    #[test]
    fn a_flipped_byte_anywhere_does_not_verify() {
        let (node, _folder) = key();
        let payload = br#"{"subject": [{"name": "executable"}]}"#;
        let envelope: Envelope = serde_json::from_slice(&node.seal(payload)).expect("it is JSON");
        for at in 0..payload.len() {
            let mut flipped = payload.to_vec();
            flipped[at] ^= 1;
            let altered = Envelope { payload: STANDARD.encode(&flipped), ..envelope.clone() };
            let altered = serde_json::to_vec(&altered).expect("it is JSON");
            assert!(verify(&altered, &node.public()).is_err(), "byte {at}");
        }
        let altered = Envelope { payload_type: "text/plain".to_owned(), ..envelope };
        assert!(verify(&serde_json::to_vec(&altered).expect("it is JSON"), &node.public()).is_err());
    }

    #[test]
    fn the_form_is_the_one_of_the_dsse_specification() {
        assert_eq!(
            pre_authentication("http://example.com/HelloWorld", b"hello world"),
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
    }

    #[test]
    fn a_key_is_kept_and_a_broken_one_is_an_error() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("node.key");
        let first = NodeKey::open(&path).expect("it can be written").public();
        assert_eq!(NodeKey::open(&path).expect("it can be read").public(), first);
        std::fs::write(&path, "not a key").expect("it can be written");
        assert!(NodeKey::open(&path).is_err());
    }
}
