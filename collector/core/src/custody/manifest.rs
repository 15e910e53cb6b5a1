//! A node's signed statement about a capture: a DSSE envelope (`github.com/secure-systems-lab/dsse`) over an in-toto Statement v1. Takes the
//! envelope's bytes and the node's public key; gives the statement once its signature is good. Never signs, and never trusts a key that stands
//! in the envelope.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use ed25519_dalek::{Signature, VerifyingKey};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An envelope longer than this is refused before it is parsed: a capture has at most some hundred artifacts.
pub const MAX_ENVELOPE_BYTES: usize = 1 << 20;
/// What the payload has to be.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
/// What the statement has to be.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";

/// Why an envelope is not believed.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Longer than any capture's.
    #[error("the envelope has {bytes} bytes, at most {MAX_ENVELOPE_BYTES} are read")]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// Not the JSON of an envelope or statement.
    #[error("the {part} is not readable")]
    Unreadable {
        /// `envelope` or `statement`.
        part: &'static str,
        /// Where.
        #[source]
        cause: serde_json::Error,
    },
    /// Another kind of payload.
    #[error("the {part} is of type {found:?}")]
    WrongType {
        /// `payload` or `statement`.
        part: &'static str,
        /// What it says.
        found: String,
    },
    /// Not base64.
    #[error("the payload is not base64")]
    Encoding(#[source] base64::DecodeError),
    /// Not a key.
    #[error("the node's key is no ed25519 public key")]
    Key,
    /// No signature by this key.
    #[error("no signature of the envelope was made by the node's key over this payload")]
    Signature,
}

/// The envelope as it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// [`PAYLOAD_TYPE`].
    #[serde(rename = "payloadType")]
    pub payload_type: String,
    /// The statement, base64.
    pub payload: String,
    /// At least one.
    pub signatures: Vec<SignatureEntry>,
}

/// One signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignatureEntry {
    /// A hint, never trusted.
    #[serde(default)]
    pub keyid: String,
    /// base64.
    pub sig: String,
}

/// What the node says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// [`STATEMENT_TYPE`].
    #[serde(rename = "_type")]
    pub statement_type: String,
    /// The artifacts.
    pub subject: Vec<Subject>,
    /// What the predicate is.
    #[serde(rename = "predicateType")]
    pub predicate_type: String,
    /// How, when and from what they were taken.
    #[serde(default)]
    pub predicate: Value,
}

/// One artifact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// Its name in the capture.
    pub name: String,
    /// Its hashes.
    pub digest: DigestSet,
}

/// Hashes by algorithm; we read the one that we compute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestSet {
    /// Hex.
    pub sha256: String,
}

/// The bytes that are signed: type and payload, each with its length, so that nothing can move from one into the other.
pub fn pre_authentication_encoding(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

/// The statement, once a signature by `key` over exactly these bytes was found.
pub fn verify_manifest(envelope: &[u8], key: &[u8]) -> Result<Statement, ManifestError> {
    if envelope.len() > MAX_ENVELOPE_BYTES {
        return Err(ManifestError::TooLong { bytes: envelope.len() });
    }
    let key = <[u8; 32]>::try_from(key).map_err(|_| ManifestError::Key)?;
    let key = VerifyingKey::from_bytes(&key).map_err(|_| ManifestError::Key)?;
    let envelope: Envelope =
        serde_json::from_slice(envelope).map_err(|cause| ManifestError::Unreadable { part: "envelope", cause })?;
    if envelope.payload_type != PAYLOAD_TYPE {
        return Err(ManifestError::WrongType { part: "payload", found: envelope.payload_type });
    }
    let payload = decode(&envelope.payload).map_err(ManifestError::Encoding)?;
    let signed = pre_authentication_encoding(&envelope.payload_type, &payload);
    let is_good = |entry: &SignatureEntry| {
        let bytes = decode(&entry.sig).ok();
        let signature = bytes.and_then(|bytes| Signature::from_slice(&bytes).ok());
        signature.is_some_and(|signature| key.verify_strict(&signed, &signature).is_ok())
    };
    if !envelope.signatures.iter().take(16).any(is_good) {
        return Err(ManifestError::Signature);
    }
    let statement: Statement =
        serde_json::from_slice(&payload).map_err(|cause| ManifestError::Unreadable { part: "statement", cause })?;
    if statement.statement_type != STATEMENT_TYPE {
        return Err(ManifestError::WrongType { part: "statement", found: statement.statement_type });
    }
    Ok(statement)
}

/// The standard lets a writer choose between the two alphabets.
fn decode(text: &str) -> Result<Vec<u8>, base64::DecodeError> {
    STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text))
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer as _, SigningKey};
    use proptest::prelude::*;

    use super::*;

    const PAYLOAD: &str = r#"{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"a1","digest":{"sha256":"ab"}}],"predicateType":"https://mayfly.example/capture/v1","predicate":{}}"#;

    fn node() -> SigningKey {
        SigningKey::from_bytes(&[7; 32])
    }

    fn envelope(payload: &str, by: &SigningKey) -> Vec<u8> {
        let sig = by.sign(&pre_authentication_encoding(PAYLOAD_TYPE, payload.as_bytes())).to_bytes();
        let envelope = Envelope {
            payload_type: PAYLOAD_TYPE.to_owned(),
            payload: STANDARD.encode(payload),
            signatures: vec![SignatureEntry { keyid: String::new(), sig: STANDARD.encode(sig) }],
        };
        serde_json::to_vec(&envelope).expect("an envelope is JSON")
    }

    #[test]
    fn the_encoding_is_the_one_of_the_standard() {
        let bytes = pre_authentication_encoding("http://example.com/HelloWorld", b"hello world");
        assert_eq!(bytes, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    }

    #[test]
    fn a_signed_manifest_names_its_artifacts() {
        let statement =
            verify_manifest(&envelope(PAYLOAD, &node()), node().verifying_key().as_bytes()).expect("it is good");
        assert_eq!(statement.subject[0].name, "a1");
    }

    #[test]
    fn another_nodes_signature_is_not_believed() {
        let other = SigningKey::from_bytes(&[8; 32]);
        let refused = verify_manifest(&envelope(PAYLOAD, &other), node().verifying_key().as_bytes());
        assert!(matches!(refused, Err(ManifestError::Signature)));
    }

    #[test]
    fn a_changed_payload_is_not_believed() {
        let text = String::from_utf8(envelope(PAYLOAD, &node())).expect("JSON is text");
        let changed = text.replace(&STANDARD.encode(PAYLOAD), &STANDARD.encode(PAYLOAD.replace("a1", "a2")));
        let refused = verify_manifest(changed.as_bytes(), node().verifying_key().as_bytes());
        assert!(matches!(refused, Err(ManifestError::Signature)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(verify_manifest(&bytes, node().verifying_key().as_bytes()).is_err());
        }
    }
}
