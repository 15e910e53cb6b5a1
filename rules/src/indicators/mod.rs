//! Indicators: single values that somebody has found to be bad, with who says so, why, and until when.
//!
//! Takes files (CSV, STIX 2.1 bundles, MISP events) as (name, bytes) pairs, and events through the trait
//! [`Event`](crate::Event); gives the indicators that an event matches. Knows no clock: the caller says what time the
//! event has. It allocates nothing for an event that matches none.
//!
//! A CSV file begins with a line that names its columns, in any order; `type` and `value` must be there:
//!
//! ```
//! let feed = "type,value,source,why,expires,level,confidence
//! ##comment
//! domain,files.bad.example,Our CERT,delivers the second stage,2027-01-31,high,90
//! network,203.0.113.0/28,Our CERT,control servers,,,
//! ";
//! let feed = feed.replace("##", "# ");
//! let (set, errors) = rules::indicators::Set::load([("cert.csv", feed)]);
//! assert!(errors.is_empty(), "{errors:?}");
//!
//! let event = serde_json::json!({"QueryName": "a.files.bad.example"});
//! let event = rules::JsonEvent::new(&event, rules::fields::DNS_QUERY);
//! let mut hits = Vec::new();
//! set.lookup(&event, 1_767_225_600, &mut hits);
//! assert_eq!(set.words(hits[0], 1_767_225_600).title, "Indicator: domain files.bad.example");
//! ```

mod csv;
mod error;
mod json;
mod kinds;
mod limits;
mod lookup;
mod misp;
mod pattern;
mod reading;
mod set;
mod stix;
mod table;
mod time;
mod url;
mod words;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::rule::Level;

pub use error::Error;
pub use limits::{FILE_BYTES, INDICATORS};
pub use lookup::Hit;
pub use set::Set;
pub use words::Words;

/// A digest of a file's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hash {
    /// MD5.
    Md5([u8; 16]),
    /// SHA-1.
    Sha1([u8; 20]),
    /// SHA-256.
    Sha256([u8; 32]),
}

impl Hash {
    fn bytes(&self) -> &[u8] {
        match self {
            Hash::Md5(bytes) => bytes,
            Hash::Sha1(bytes) => bytes,
            Hash::Sha256(bytes) => bytes,
        }
    }
}

/// What is bad, in one form for each value: names in small letters, networks without host bits.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A file with this digest.
    Hash(Hash),
    /// Whoever has this address.
    Address(IpAddr),
    /// Whoever has an address in it.
    Network(IpNet),
    /// This name and all names below it.
    Domain(Box<str>),
    /// Exactly this address of a resource; scheme and host in small letters, without the usual port, user and fragment.
    Url(Box<str>),
    /// A file: with `/` in front its whole path, else the end of its path, at least the last component.
    FileName(Box<str>),
}

impl Kind {
    /// The word in CSV files and in what is said of a match.
    pub fn word(&self) -> &'static str {
        match self {
            Kind::Hash(Hash::Md5(_)) => "md5",
            Kind::Hash(Hash::Sha1(_)) => "sha1",
            Kind::Hash(Hash::Sha256(_)) => "sha256",
            Kind::Address(_) => "address",
            Kind::Network(_) => "network",
            Kind::Domain(_) => "domain",
            Kind::Url(_) => "url",
            Kind::FileName(_) => "file_name",
        }
    }

    /// By what it is found.
    fn key(&self) -> Key<'_> {
        match self {
            Kind::Hash(hash) => Key::Hash(hash.bytes()),
            Kind::Address(address) => Key::Address(*address),
            Kind::Network(network) => Key::Network(network.addr(), network.prefix_len()),
            Kind::Domain(name) => Key::Domain(name.as_bytes()),
            Kind::Url(url) => Key::Url(url.as_bytes()),
            Kind::FileName(name) => Key::FileName(name.as_bytes()),
        }
    }
}

/// The value.
impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Hash(hash) => hash.bytes().iter().try_for_each(|byte| write!(formatter, "{byte:02x}")),
            Kind::Address(address) => address.fmt(formatter),
            Kind::Network(network) => network.fmt(formatter),
            Kind::Domain(text) | Kind::Url(text) | Kind::FileName(text) => formatter.write_str(text),
        }
    }
}

/// What an event or an indicator is looked up by. The three digests differ in length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key<'a> {
    Hash(&'a [u8]),
    Address(IpAddr),
    Network(IpAddr, u8),
    Domain(&'a [u8]),
    Url(&'a [u8]),
    FileName(&'a [u8]),
}

/// One value, as one source gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Indicator {
    /// The value.
    pub kind: Kind,
    /// Who says so.
    pub source: Arc<str>,
    /// Why it matters; empty where the source says nothing.
    pub why: Arc<str>,
    /// From when on it does not hold any more, in seconds since 1970; `None`: it holds until it is taken out.
    pub expires: Option<i64>,
    /// How grave a match is.
    pub level: Level,
    /// How sure the source is, of 100.
    pub confidence: Option<u8>,
    /// The file that it stands in.
    pub file: Arc<str>,
}

impl Indicator {
    /// Whether it does not hold any more at that time, in seconds since 1970.
    pub fn is_expired(&self, at: i64) -> bool {
        self.expires.is_some_and(|expires| at >= expires)
    }
}
