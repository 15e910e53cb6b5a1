//! A capture's manifest: a DSSE envelope over an in-toto statement, signed by its node. Takes the envelope's bytes and the node's key; gives
//! the hashes that the node vouches for. Pure.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, VerifyingKey};
use serde::Deserialize;

/// Why a manifest is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Larger than any agent makes.
    #[error("it is larger than any agent makes")]
    Oversized,
    /// Not an envelope, or the statement in it is none.
    #[error("it is no signed statement: {0}")]
    Form(String),
    /// The node's key is no ed25519 key.
    #[error("the node's key is no ed25519 key")]
    Key,
    /// No signature of the node's key is good.
    #[error("it is not signed by its node")]
    Signature,
    /// The capture has another manifest already.
    #[error("the capture has another manifest already")]
    Another,
}

#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "payloadType")]
    payload_type: String,
    payload: String,
    signatures: Vec<Signed>,
}

#[derive(Deserialize)]
struct Signed {
    sig: String,
}

#[derive(Deserialize)]
struct Statement {
    subject: Vec<Subject>,
}

#[derive(Deserialize)]
struct Subject {
    digest: Digest,
}

#[derive(Deserialize)]
struct Digest {
    sha256: String,
}

/// Whether the envelope is signed by this key, over a statement that can be read.
pub fn verify(envelope: &[u8], key: &[u8]) -> Result<(), ManifestError> {
    let key = <[u8; 32]>::try_from(key).ok().and_then(|key| VerifyingKey::from_bytes(&key).ok());
    let key = key.ok_or(ManifestError::Key)?;
    let parsed = parse(envelope)?;
    let payload = decode(&parsed.payload)?;
    let message = pre_authentication(&parsed.payload_type, &payload);
    let is_good = |signed: &Signed| {
        let signature = decode(&signed.sig).ok().and_then(|bytes| Signature::from_slice(&bytes).ok());
        signature.is_some_and(|signature| key.verify_strict(&message, &signature).is_ok())
    };
    if !parsed.signatures.iter().any(is_good) {
        return Err(ManifestError::Signature);
    }
    hashes(envelope).map(drop)
}

/// The sha256, hex, of everything that the statement is about.
pub fn hashes(envelope: &[u8]) -> Result<BTreeSet<String>, ManifestError> {
    let payload = decode(&parse(envelope)?.payload)?;
    let statement: Statement =
        serde_json::from_slice(&payload).map_err(|cause| ManifestError::Form(cause.to_string()))?;
    Ok(statement.subject.into_iter().map(|subject| subject.digest.sha256.to_ascii_lowercase()).collect())
}

fn parse(envelope: &[u8]) -> Result<Envelope, ManifestError> {
    serde_json::from_slice(envelope).map_err(|cause| ManifestError::Form(cause.to_string()))
}

fn decode(text: &str) -> Result<Vec<u8>, ManifestError> {
    STANDARD.decode(text).map_err(|cause| ManifestError::Form(cause.to_string()))
}

/// What DSSE signs: `DSSEv1 len(type) type len(body) body`.
fn pre_authentication(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut message = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    message.extend_from_slice(payload);
    message
}
