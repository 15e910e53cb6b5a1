//! What a deployment shares so that its nodes and its collector hash access key ids alike. Takes the file that the operator wrote; gives
//! the key of the hashes. Never shows it, and does not take a file that others may read.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// Bytes of a secret: below, it could be guessed; above, the file is another one.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 16..=4096;

/// Bits of a mode that let others than the owner read or write.
const OTHERS: u32 = 0o077;

/// A key of hashes: the same on every node of a deployment and in its collector.
#[derive(Clone, PartialEq, Eq)]
pub struct HashSecret([u8; 32]);

/// Why a file is no secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// It cannot be read.
    #[error("read {path}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        cause: io::Error,
    },
    /// Somebody else may read or change it.
    #[error("{path}: mode {mode:03o} lets others than its owner in; 600 and 400 do not")]
    Open {
        /// Which file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It is too short, or too long.
    #[error("{path}: holds {bytes} bytes, not {} to {}", SECRET_BYTES.start(), SECRET_BYTES.end())]
    Size {
        /// Which file.
        path: PathBuf,
        /// How many, without the white space around them.
        bytes: usize,
    },
}

impl HashSecret {
    /// The key that some secret bytes make.
    pub fn of(secret: &[u8]) -> Self {
        Self(Sha256::digest(secret).into())
    }

    /// The key that a file makes. White space around the secret does not count: editors and `echo` end with a line feed.
    pub fn read(path: &Path) -> Result<Self, SecretError> {
        let failed = |cause| SecretError::Read { path: path.to_owned(), cause };
        let file = File::open(path).map_err(failed)?;
        let told = file.metadata().map_err(failed)?;
        if !told.is_file() {
            return Err(failed(io::Error::other("not a file")));
        }
        if told.mode() & OTHERS != 0 {
            return Err(SecretError::Open { path: path.to_owned(), mode: told.mode() & 0o777 });
        }
        let mut bytes = Vec::new();
        file.take(*SECRET_BYTES.end() as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
        let secret = bytes.trim_ascii();
        if bytes.len() > *SECRET_BYTES.end() || !SECRET_BYTES.contains(&secret.len()) {
            return Err(SecretError::Size { path: path.to_owned(), bytes: secret.len() });
        }
        Ok(Self::of(secret))
    }

    /// The key itself.
    pub fn key(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Names a key of hashes without telling it: both sides can say whether they have the same.
pub fn key_id(key: &[u8; 32]) -> String {
    hex::encode(&Sha256::digest([&b"mayfly hash key"[..], key].concat())[..8])
}

/// Not the key: a debug line must not show it.
impl fmt::Debug for HashSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("HashSecret").field(&key_id(&self.0)).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const SECRET: &[u8] = b"0123456789abcdef";

    fn check(content: &[u8], mode: u32) -> Result<HashSecret, String> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("hash.secret");
        fs::write(&path, content).expect("it can be written");
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("it is ours");
        let folder = format!("{}/", folder.path().display());
        HashSecret::read(&path).map_err(|error| error.to_string().replace(&folder, ""))
    }

    #[test]
    fn the_same_secret_is_the_same_key_whatever_ends_the_line() {
        assert_eq!(check(SECRET, 0o600), Ok(HashSecret::of(SECRET)));
        assert_eq!(check(b"0123456789abcdef\r\n", 0o400), Ok(HashSecret::of(SECRET)));
        assert_ne!(check(b"0123456789abcdeF", 0o600), Ok(HashSecret::of(SECRET)));
    }

    #[test]
    fn a_file_that_others_may_read_is_refused_by_name_and_mode() {
        let said = |mode| check(SECRET, mode).expect_err("it is refused");
        assert_eq!(said(0o640), "hash.secret: mode 640 lets others than its owner in; 600 and 400 do not");
        assert!(said(0o602).contains("mode 602"));
    }

    #[test]
    fn a_secret_has_a_size() {
        let said = |content: &[u8]| check(content, 0o600).expect_err("it is refused");
        assert_eq!(said(b"short \n"), "hash.secret: holds 5 bytes, not 16 to 4096");
        assert!(said(&[b'x'; 5000]).contains("not 16 to 4096"));
        assert!(said(&[b' '; 5000]).contains("not 16 to 4096"));
    }

    #[test]
    fn what_is_no_file_is_an_error() {
        for path in ["/nonexistent/hash.secret", "/proc", "/dev/zero"] {
            assert!(matches!(HashSecret::read(Path::new(path)), Err(SecretError::Read { .. })), "{path}");
        }
    }

    #[test]
    fn a_debug_line_does_not_show_it() {
        let secret = HashSecret::of(SECRET);
        let shown = format!("{secret:?}");
        assert!(shown.starts_with("HashSecret(") && !shown.contains(&hex::encode(&secret.key()[..6])), "{shown}");
    }
}
