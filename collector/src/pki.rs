//! Who may connect. Takes the `pki` folder of the data directory; makes there, once, a certificate authority and the collector's own
//! certificate, and issues certificates to nodes. Private keys are readable by their owner only and never leave the folder,
//! except those that are made for a node.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};

use crate::clock::Clock;

/// The name by which agents know the collector, whatever its address is.
pub const SERVER_NAME: &str = "mayfly-collector";

/// How long the authority and the collector's own certificate hold.
pub const AUTHORITY_VALIDITY: Duration = Duration::from_hours(10 * 365 * 24);

/// How long a node's certificate holds: renewed yearly, with a month of grace.
pub const NODE_VALIDITY: Duration = Duration::from_hours(397 * 24);

/// Why certificates cannot be read or made.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// The disk says no.
    #[error("certificate file {path}")]
    File {
        /// Which one.
        path: PathBuf,
        /// What it said.
        #[source]
        cause: io::Error,
    },
    /// A certificate or key is damaged, or cannot be made.
    #[error("{what}")]
    Certificate {
        /// What was tried.
        what: &'static str,
        /// Why not.
        #[source]
        cause: rcgen::Error,
    },
    /// The name cannot stand in a certificate.
    #[error("a node's name is 1 to 64 letters, digits, dots, dashes and underscores, not {0:?}")]
    Name(String),
}

/// A certificate with its key and the authority's certificate, all PEM.
#[derive(Clone)]
pub struct Credentials {
    /// The authority's certificate.
    pub authority: String,
    /// The certificate.
    pub certificate: String,
    /// Its private key.
    pub key: String,
}

/// The collector's authority.
#[derive(Clone, Debug)]
pub struct Pki {
    folder: PathBuf,
    clock: Clock,
}

impl Pki {
    /// Opens the folder; makes the authority where there is none.
    pub fn open(folder: &Path, clock: Clock) -> Result<Self, PkiError> {
        fs::create_dir_all(folder).map_err(|cause| PkiError::File { path: folder.to_owned(), cause })?;
        let pki = Self { folder: folder.to_owned(), clock };
        if !pki.path("ca.pem").exists() {
            let key = KeyPair::generate().map_err(made("make the authority's key"))?;
            let mut params = pki.params("Mayfly collector authority", Vec::new(), AUTHORITY_VALIDITY)?;
            params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
            let certificate = params.self_signed(&key).map_err(made("sign the authority's certificate"))?;
            // The key first: a crash in between leaves no certificate, and the next start begins again.
            pki.write("ca.key", &key.serialize_pem())?;
            pki.write("ca.pem", &certificate.pem())?;
        }
        Ok(pki)
    }

    /// The collector's own certificate for these names and addresses; made anew where there is none for them.
    pub fn server(&self, names: &[String]) -> Result<Credentials, PkiError> {
        let mut all = vec![SERVER_NAME.to_owned(), "localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
        all.extend(names.iter().filter(|name| !all.contains(name)).cloned().collect::<Vec<_>>());
        let wanted = all.join("\n");
        let known = fs::read_to_string(self.path("server.names")).unwrap_or_default();
        if known != wanted || !self.path("server.pem").exists() {
            let made = self.sign(SERVER_NAME, all, AUTHORITY_VALIDITY, ExtendedKeyUsagePurpose::ServerAuth)?;
            self.write("server.key", &made.key)?;
            self.write("server.pem", &made.certificate)?;
            self.write("server.names", &wanted)?;
        }
        let (certificate, key) = (self.read("server.pem")?, self.read("server.key")?);
        Ok(Credentials { authority: self.read("ca.pem")?, certificate, key })
    }

    /// A certificate for a node. Its key is in the answer and nowhere else.
    pub fn issue(&self, node: &str) -> Result<Credentials, PkiError> {
        self.issue_for(node, NODE_VALIDITY)
    }

    /// The same with another validity.
    pub fn issue_for(&self, node: &str, validity: Duration) -> Result<Credentials, PkiError> {
        let is_name = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_');
        if node.is_empty() || node.len() > 64 || !node.chars().all(is_name) {
            return Err(PkiError::Name(node.to_owned()));
        }
        self.sign(node, Vec::new(), validity, ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn sign(
        &self,
        name: &str,
        names: Vec<String>,
        validity: Duration,
        usage: ExtendedKeyUsagePurpose,
    ) -> Result<Credentials, PkiError> {
        let authority = self.read("ca.pem")?;
        let authority_key = KeyPair::from_pem(&self.read("ca.key")?).map_err(made("read the authority's key"))?;
        let issuer =
            Issuer::from_ca_cert_pem(&authority, authority_key).map_err(made("read the authority's certificate"))?;
        let key = KeyPair::generate().map_err(made("make a key"))?;
        let mut params = self.params(name, names, validity)?;
        params.extended_key_usages = vec![usage];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &issuer).map_err(made("sign a certificate"))?;
        Ok(Credentials { authority, certificate: certificate.pem(), key: key.serialize_pem() })
    }

    /// Valid from an hour ago, so that a node whose clock is a little behind is not refused.
    fn params(&self, name: &str, names: Vec<String>, validity: Duration) -> Result<CertificateParams, PkiError> {
        let mut params = CertificateParams::new(names).map_err(made("name a certificate"))?;
        params.distinguished_name.remove(DnType::CommonName);
        params.distinguished_name.push(DnType::CommonName, name);
        let epoch = rcgen::date_time_ymd(1970, 1, 1);
        let now = Duration::from_nanos(self.clock.now_ns());
        params.not_before = epoch + now.saturating_sub(Duration::from_hours(1));
        params.not_after = epoch + now + validity;
        Ok(params)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn read(&self, name: &str) -> Result<String, PkiError> {
        fs::read_to_string(self.path(name)).map_err(|cause| PkiError::File { path: self.path(name), cause })
    }

    /// Whole or not at all, and for the owner only.
    fn write(&self, name: &str, text: &str) -> Result<(), PkiError> {
        let new = self.path(&format!("{name}.new"));
        let write = || {
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&new, self.path(name))
        };
        write().map_err(|cause| PkiError::File { path: self.path(name), cause })
    }
}

impl Credentials {
    /// Writes `ca.pem`, `node.pem` and `node.key` (0600) into a folder.
    pub fn write_to(&self, folder: &Path) -> Result<(), PkiError> {
        fs::create_dir_all(folder).map_err(|cause| PkiError::File { path: folder.to_owned(), cause })?;
        let pki = Pki { folder: folder.to_owned(), clock: Clock::system() };
        pki.write("ca.pem", &self.authority)?;
        pki.write("node.pem", &self.certificate)?;
        pki.write("node.key", &self.key)
    }
}

impl std::fmt::Debug for Credentials {
    /// Without the key: it must not end in a log.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Credentials").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

fn made(what: &'static str) -> impl Fn(rcgen::Error) -> PkiError {
    move |cause| PkiError::Certificate { what, cause }
}

/// The common name of a client's certificate, DER. `None`: it has none, or it is no text.
pub fn common_name(certificate: &[u8]) -> Option<String> {
    let (_, certificate) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let name = certificate.subject().iter_common_name().next()?.as_str().ok()?;
    Some(name.to_owned())
}
