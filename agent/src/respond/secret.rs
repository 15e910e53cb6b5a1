//! Secrets that stand in a process: hidden before anything is stored, and made comparable by a keyed hash.
//!
//! Takes environments and memory; gives names with hidden values, and the hashes of access key ids. A hash can be compared by
//! whoever has the key and the id, and says nothing to anybody else. Never writes a secret.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use hmac::{Hmac, KeyInit, Mac};
use proto::hash_secret::{HashSecret, key_id};
use serde::Serialize;
use sha2::Sha256;

/// Names of variables whose values are hidden, by a part of the name.
const SECRET_NAMES: [&str; 17] = [
    "KEY",
    "TOKEN",
    "SECRET",
    "PASS",
    "PWD",
    "CREDENTIAL",
    "AUTH",
    "COOKIE",
    "SESSION",
    "PRIVATE",
    "DSN",
    "CONNECTION",
    "DATABASE_URL",
    "SIGNATURE",
    "SALT",
    "CERT",
    "WEBHOOK",
];
/// Names that only look like one of those.
const PLAIN_NAMES: [&str; 5] = ["PWD", "OLDPWD", "SESSION_MANAGER", "SSH_AUTH_SOCK", "XAUTHORITY"];
/// Beginnings of values that are secrets whatever their variable is called.
const SECRET_VALUES: [&str; 12] =
    ["AKIA", "ASIA", "eyJ", "-----BEGIN", "ghp_", "gho_", "ghs_", "github_pat_", "glpat-", "xox", "sk-", "AIza"];
/// An access key id of AWS: four letters that say what it is, sixteen that say which.
const KEY_ID: usize = 20;

/// Of a user, and of a session.
const KEY_ID_KINDS: [&[u8]; 2] = [b"AKIA", b"ASIA"];

/// The key of the hashes.
#[derive(Clone)]
pub struct HashKey {
    key: [u8; 32],
    // Made by this node: then the hashes carry it, or nobody else could compare them.
    own: bool,
}

/// Not the key: a debug line must not show it.
impl std::fmt::Debug for HashKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("HashKey").field("id", &self.id()).finish_non_exhaustive()
    }
}

impl HashKey {
    /// The key that all nodes of a deployment share: collectors have it, and evidence does not carry it.
    pub fn shared(secret: &HashSecret) -> Self {
        Self { key: *secret.key(), own: false }
    }

    /// The node's own key from a file, made with it at the first start.
    pub fn own(path: &Path) -> io::Result<Self> {
        Ok(Self { key: keep_random(path)?, own: true })
    }

    /// Names the key without telling it.
    pub fn id(&self) -> String {
        key_id(&self.key)
    }

    /// The key itself where evidence has to carry it.
    pub fn carried(&self) -> Option<String> {
        self.own.then(|| hex::encode(self.key))
    }

    /// HMAC-SHA256, hexadecimal.
    pub fn hash(&self, bytes: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes a key of any length");
        mac.update(bytes);
        hex::encode(mac.finalize().into_bytes())
    }
}

/// Thirty-two random bytes that a file keeps, for root alone: hexadecimal, on one line.
pub(crate) fn keep_random(path: &Path) -> io::Result<[u8; 32]> {
    if let Ok(text) = fs::read_to_string(path) {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text.trim(), &mut bytes)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        return Ok(bytes);
    }
    let mut bytes = [0; 32];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
    // Beside, then renamed: an agent that is killed in between leaves no half key.
    let beside = path.with_extension("new");
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    writeln!(file, "{}", hex::encode(bytes))?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    Ok(bytes)
}

/// One variable of an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value, where it is no secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The keyed hash of a hidden value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hidden: Option<String>,
    /// Length of the value.
    pub bytes: usize,
}

/// An access key id that was found, by its hash.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct AccessKey {
    /// Its keyed hash.
    pub hash: String,
    /// What it is: `AKIA` is of a user, `ASIA` of a session.
    pub kind: String,
    /// Where it stood: `environ NAME`, `memory`.
    pub place: String,
}

/// An access key id, and the process that it stood in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct KeyOf {
    /// The process's pid in the host's namespace.
    pub pid: u32,
    /// The key.
    #[serde(flatten)]
    pub key: AccessKey,
}

/// A process's environment, its secrets hidden.
pub fn environment(environ: &[u8], key: &HashKey) -> Vec<Variable> {
    let variables = environ.split(|&byte| byte == 0).filter(|variable| !variable.is_empty());
    variables.map(|variable| hide(variable, key)).collect()
}

fn hide(variable: &[u8], key: &HashKey) -> Variable {
    let (name, value) = split(variable);
    let text = String::from_utf8_lossy(value);
    let name = String::from_utf8_lossy(name).into_owned();
    let bytes = value.len();
    if is_secret(&name, &text) {
        return Variable { name, value: None, hidden: Some(key.hash(value)), bytes };
    }
    Variable { name, value: Some(text.into_owned()), hidden: None, bytes }
}

fn split(variable: &[u8]) -> (&[u8], &[u8]) {
    match variable.iter().position(|&byte| byte == b'=') {
        Some(at) if key_ids(&variable[..at]).next().is_none() => (&variable[..at], &variable[at + 1..]),
        // Not a variable at all, or a key in the place of a name: nobody knows what it is, so all of it counts as the value.
        _ => (b"", variable),
    }
}

fn is_secret(name: &str, value: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    let named = !PLAIN_NAMES.contains(&upper.as_str()) && SECRET_NAMES.iter().any(|part| upper.contains(part));
    let formed = SECRET_VALUES.iter().any(|beginning| value.contains(beginning));
    // `scheme://user:password@host`
    let with_password = value.split_once("://").is_some_and(|(_, rest)| {
        rest.split('/').next().unwrap_or_default().split_once('@').is_some_and(|(user, _)| user.contains(':'))
    });
    name.is_empty() || named || formed || with_password
}

/// The access key ids in an environment.
pub fn keys_of_environment(environ: &[u8], key: &HashKey) -> Vec<AccessKey> {
    let mut found = Vec::new();
    for variable in environ.split(|&byte| byte == 0) {
        let (name, value) = split(variable);
        let place = format!("environ {}", String::from_utf8_lossy(name));
        found.extend(key_ids(value).map(|id| access_key(id, &place, key)));
    }
    found.sort();
    found.dedup();
    found
}

/// An access key id, by its hash.
pub fn access_key(id: &[u8], place: &str, key: &HashKey) -> AccessKey {
    let kind = String::from_utf8_lossy(&id[..id.len().min(4)]).into_owned();
    AccessKey { hash: key.hash(id), kind, place: place.to_owned() }
}

/// Every access key id in some bytes: `AKIA` or `ASIA` with sixteen capitals or digits behind, and nothing alike around.
pub fn key_ids(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let part = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    let word = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let places = KEY_ID_KINDS.into_iter().flat_map(move |kind| memchr::memmem::find_iter(bytes, kind));
    places.filter_map(move |at| {
        let id = bytes.get(at..at + KEY_ID)?;
        let alone = !word(bytes.get(at.wrapping_sub(1))) && !word(bytes.get(at + KEY_ID));
        (alone && id.iter().all(part)).then_some(id)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> HashKey {
        HashKey::shared(&HashSecret::of(b"a deployment"))
    }

    fn check(variable: &str) -> String {
        let shown = environment(variable.as_bytes(), &key());
        let lines: Vec<_> =
            shown.iter().map(|one| format!("{}={}", one.name, one.value.as_deref().unwrap_or("hidden"))).collect();
        lines.join("\n")
    }

    #[test]
    fn values_of_secrets_are_hidden_and_their_names_are_kept() {
        let table = [
            ("PATH=/bin:/usr/bin", "PATH=/bin:/usr/bin"),
            ("PWD=/srv", "PWD=/srv"),
            ("AWS_SECRET_ACCESS_KEY=abc", "AWS_SECRET_ACCESS_KEY=hidden"),
            ("db_password=abc", "db_password=hidden"),
            ("URL=postgres://shop:abc@db/shop", "URL=hidden"),
            ("URL=https://example.org/a@b:c", "URL=https://example.org/a@b:c"),
            ("X=eyJhbGciOi", "X=hidden"),
            ("X=-----BEGIN PRIVATE KEY-----", "X=hidden"),
            ("PWD=/srv/AKIA1234567890ABCDEF", "PWD=hidden"),
            ("AKIA1234567890ABCDEF=1", "=hidden"),
            ("what is this", "=hidden"),
        ];
        for (variable, shown) in table {
            assert_eq!(check(variable), shown);
        }
    }

    #[test]
    fn nothing_hidden_is_in_what_is_stored() {
        let environ = b"AWS_ACCESS_KEY_ID=ASIA1234567890ABCDEF\0AWS_SESSION_TOKEN=FwoGZXIvYXdzEJr\0API_KEY=hunter2\0";
        let stored = serde_json::to_string(&environment(environ, &key())).expect("it is JSON");
        let keys = serde_json::to_string(&keys_of_environment(environ, &key())).expect("it is JSON");
        for secret in ["ASIA1234567890ABCDEF", "FwoGZXIvYXdzEJr", "hunter2"] {
            assert!(!stored.contains(secret) && !keys.contains(secret), "{secret}");
        }
        assert!(keys.contains("environ AWS_ACCESS_KEY_ID") && keys.contains("ASIA"));
    }

    #[test]
    fn an_access_key_id_is_found_where_it_stands_alone() {
        let found = |text: &str| key_ids(text.as_bytes()).count();
        assert_eq!(found(r#"{"AccessKeyId":"ASIA1234567890ABCDEF","#), 1);
        assert_eq!(found("AKIA1234567890ABCDEF ASIA1234567890ABCDEF"), 2);
        assert_eq!(found("xAKIA1234567890ABCDEF"), 0);
        assert_eq!(found("AKIA1234567890ABCDEF0"), 0);
        assert_eq!(found("AKIA1234567890abcdef"), 0);
        assert_eq!(found("AKIA"), 0);
    }

    #[test]
    fn the_same_id_has_the_same_hash_under_the_same_key_only() {
        let id = b"ASIA1234567890ABCDEF";
        assert_eq!(key().hash(id), HashKey::shared(&HashSecret::of(b"a deployment")).hash(id));
        assert_ne!(key().hash(id), HashKey::shared(&HashSecret::of(b"another")).hash(id));
        assert_eq!(key().carried(), None);
    }

    #[test]
    fn a_nodes_own_key_is_kept_for_root_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("hash.key");
        let first = HashKey::own(&path).expect("it can be written");
        assert_eq!(first.hash(b"x"), HashKey::own(&path).expect("it can be read").hash(b"x"));
        assert_eq!(fs::metadata(&path).expect("it is there").permissions().mode() & 0o777, 0o600);
        assert!(first.carried().is_some());
    }

    proptest::proptest! {
        #[test]
        fn any_environment_is_read_without_a_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..512)) {
            environment(&bytes, &key());
            keys_of_environment(&bytes, &key());
        }
    }
}
