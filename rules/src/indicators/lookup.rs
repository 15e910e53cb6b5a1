//! An event against a set. Takes an event and the time that it has; gives the values that it meets. Allocates nothing where it meets none:
//! names are made small and URLs put into one form on the stack.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::limits::{DOMAIN_BYTES, HITS, URLS};
use super::set::{Set, Shape};
use super::url::{self, Buffer};
use super::{Key, kinds};
use crate::event::{Event, Value};
use crate::fields::{Field, PROCESS_CREATION};

/// A value of the set that an event meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hit {
    /// The first indicator of that value.
    pub(super) first: u32,
    /// The field of the event that holds it.
    pub field: &'static str,
}

/// How the text of a field is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reads {
    /// An address, with or without a port.
    Address,
    /// A host by name or address.
    Host,
    /// Several of these, with `;` behind each.
    Hosts,
    /// A path.
    Path,
    /// Words among which URLs may be.
    Line,
    /// A digest, with or without its name before a colon.
    Hash,
}

/// One field that is asked for.
#[derive(Debug)]
pub(super) struct Asked {
    field: Field,
    name: &'static str,
    reads: Reads,
    /// The product whose events have it.
    product: &'static str,
    /// Only an exec is asked: other events name what runs as well, and would match once for each thing that it does.
    is_exec: bool,
}

/// All fields that are asked for.
pub(super) type Asks = Vec<Asked>;

const EXECS: [(&str, Reads); 3] = [("Image", Reads::Path), ("CommandLine", Reads::Line), ("ImageDigest", Reads::Hash)];

const FIELDS: [(&str, &str, Reads); 17] = [
    ("linux", "SourceIp", Reads::Address),
    ("linux", "DestinationIp", Reads::Address),
    ("linux", "DestinationHostname", Reads::Host),
    ("linux", "QueryName", Reads::Host),
    ("linux", "QueryResults", Reads::Hosts),
    ("linux", "TargetFilename", Reads::Path),
    ("linux", "SourceFilename", Reads::Path),
    ("aws", "sourceIPAddress", Reads::Host),
    ("kubernetes", "sourceIPs", Reads::Address),
    ("gcp", "protoPayload.requestMetadata.callerIP", Reads::Address),
    ("gcp", "protoPayload.requestMetadata.callerIp", Reads::Address),
    ("azure", "callerIpAddress", Reads::Address),
    ("azure", "ipAddress", Reads::Address),
    ("azure", "properties.ipAddress", Reads::Address),
    ("okta", "client.ipAddress", Reads::Address),
    ("github", "actor_ip", Reads::Address),
    ("m365", "ClientIP", Reads::Address),
];

impl Asked {
    /// Those in which something of the set may be found.
    pub(super) fn all(shape: &Shape) -> Asks {
        let may_hold = |reads| match reads {
            Reads::Address => shape.has_ends(),
            Reads::Host | Reads::Hosts => shape.has_ends() || shape.domains > 0,
            Reads::Path => shape.components > 0 || shape.whole_paths > 0,
            Reads::Line => shape.urls > 0,
            Reads::Hash => shape.hashes > 0,
        };
        let execs = EXECS.into_iter().map(|(name, reads)| ("linux", name, reads, true));
        let others = FIELDS.into_iter().map(|(product, name, reads)| (product, name, reads, false));
        let asked = execs.chain(others).filter(|(_, _, reads, _)| may_hold(*reads));
        let asked = asked.map(|(product, name, reads, is_exec)| Asked {
            field: Field::new(name),
            name,
            reads,
            product,
            is_exec,
        });
        asked.collect()
    }
}

/// What is looked at.
#[derive(Clone, Copy)]
enum Seen<'a> {
    Address(IpAddr),
    Text(&'a [u8]),
}

type Visit<'v> = dyn FnMut(u32, Seen<'_>) + 'v;

impl Set {
    /// Appends the values that an event meets, of which some indicator holds at that time, in seconds since 1970: at most 16, each once.
    pub fn lookup<E: Event + ?Sized>(&self, event: &E, at: i64, hits: &mut Vec<Hit>) {
        self.hits(event, hits, |first| self.same_value(first).any(|indicator| !indicator.is_expired(at)));
    }

    /// The same of values of which none holds any more: what would have matched before.
    pub fn lookup_expired<E: Event + ?Sized>(&self, event: &E, at: i64, hits: &mut Vec<Hit>) {
        self.hits(event, hits, |first| self.same_value(first).all(|indicator| indicator.is_expired(at)));
    }

    fn hits<E: Event + ?Sized>(&self, event: &E, hits: &mut Vec<Hit>, is_meant: impl Fn(u32) -> bool) {
        let start = hits.len();
        self.each(event, &mut |asked, first, _| {
            let found = hits.get(start..).unwrap_or_default();
            if found.len() < HITS && !found.iter().any(|hit| hit.first == first) && is_meant(first) {
                hits.push(Hit { first, field: asked.name });
            }
        });
    }

    /// What the event holds in the field of a hit: of a network the address, of a domain the whole name.
    pub fn value<E: Event + ?Sized>(&self, hit: Hit, event: &E) -> Vec<u8> {
        let mut value = Vec::new();
        self.each(event, &mut |asked, first, seen| {
            if value.is_empty() && first == hit.first && asked.name == hit.field {
                match seen {
                    Seen::Text(text) => value.extend_from_slice(text),
                    Seen::Address(address) => value.extend_from_slice(address.to_string().as_bytes()),
                }
            }
        });
        value
    }

    fn each<E: Event + ?Sized>(&self, event: &E, visit: &mut dyn FnMut(&Asked, u32, Seen<'_>)) {
        let source = event.log_source();
        let is_exec = source.category == PROCESS_CREATION.category;
        let Some(product) = source.product else { return };
        for asked in self.asks.iter().filter(|asked| asked.product == product && (is_exec || !asked.is_exec)) {
            let visit = &mut |first, seen: Seen<'_>| visit(asked, first, seen);
            match event.field(&asked.field) {
                Value::Many(spread) => {
                    spread.each(&mut |value| {
                        self.one(asked.reads, value, visit);
                        false
                    });
                }
                value => self.one(asked.reads, value, visit),
            }
        }
    }

    fn one(&self, reads: Reads, value: Value<'_>, visit: &mut Visit<'_>) {
        let text = match value {
            Value::Text(text) => text,
            Value::Address(address) => return self.address(address, visit),
            _ => return,
        };
        match reads {
            Reads::Address => {
                if let Some(address) = address(text) {
                    self.address(address, visit);
                }
            }
            Reads::Host => self.host(text, visit),
            Reads::Hosts => {
                text.split(|byte| *byte == b';').for_each(|host| self.host(host, visit));
            }
            Reads::Path => self.path(text, visit),
            Reads::Line => self.line(text, visit),
            Reads::Hash => self.hash(text, visit),
        }
    }

    fn address(&self, address: IpAddr, visit: &mut Visit<'_>) {
        let address = address.to_canonical();
        if self.shape.addresses > 0
            && let Some(first) = self.find(&Key::Address(address))
        {
            visit(first, Seen::Address(address));
        }
        let prefixes = if address.is_ipv4() { &self.shape.prefixes_v4 } else { &self.shape.prefixes_v6 };
        for length in prefixes {
            if let Some(first) = self.find(&Key::Network(masked(address, *length), *length)) {
                visit(first, Seen::Address(address));
            }
        }
    }

    fn host(&self, text: &[u8], visit: &mut Visit<'_>) {
        let is_name = |byte: &u8| byte.is_ascii_alphabetic() && *byte > b'f';
        if self.shape.has_ends()
            && !text.iter().any(is_name)
            && let Some(address) = address(text)
        {
            return self.address(address, visit);
        }
        if self.shape.domains > 0 {
            self.domain(text, visit);
        }
    }

    /// The name and each above it, but for the last label alone.
    fn domain(&self, text: &[u8], visit: &mut Visit<'_>) {
        let name = text.strip_suffix(b".").unwrap_or(text);
        let mut small = [0; DOMAIN_BYTES];
        let Some(small) = small.get_mut(..name.len()) else { return };
        small.copy_from_slice(name);
        small.make_ascii_lowercase();
        let mut rest: &[u8] = small;
        while let Some(dot) = memchr::memchr(b'.', rest) {
            if let Some(first) = self.find(&Key::Domain(rest)) {
                visit(first, Seen::Text(text));
            }
            rest = rest.get(dot + 1..).unwrap_or_default();
        }
    }

    /// The ends of a path, as long as there are indicators, and the whole.
    fn path(&self, path: &[u8], visit: &mut Visit<'_>) {
        let mut start = path.len();
        for _ in 0..self.shape.components {
            let slash = path.get(..start).and_then(|before| memchr::memrchr(b'/', before));
            let end = path.get(slash.map_or(0, |slash| slash + 1)..).unwrap_or_default();
            if let Some(first) = self.find(&Key::FileName(end)) {
                visit(first, Seen::Text(path));
            }
            match slash {
                Some(slash) => start = slash,
                None => break,
            }
        }
        if self.shape.whole_paths > 0
            && path.first() == Some(&b'/')
            && let Some(first) = self.find(&Key::FileName(path))
        {
            visit(first, Seen::Text(path));
        }
    }

    /// URLs in a command line, each up to what no URL holds, and up to what ends a command in a shell.
    fn line(&self, line: &[u8], visit: &mut Visit<'_>) {
        for colon in memchr::memmem::find_iter(line, b"://").take(URLS) {
            let is_scheme = |byte: &u8| byte.is_ascii_alphabetic();
            let before = line.get(..colon).unwrap_or_default();
            let start = colon - before.iter().rev().take(8).take_while(|byte| is_scheme(byte)).count();
            let text = line.get(start..).unwrap_or_default();
            let is_end = |byte: &u8| *byte <= b' ' || *byte == 0x7f || br#""'`<>|\^{}"#.contains(byte);
            let url = text.get(..text.iter().position(is_end).unwrap_or(text.len())).unwrap_or_default();
            self.url(url, visit);
            if let Some(end) = url.iter().position(|byte| b";&),".contains(byte)) {
                self.url(url.get(..end).unwrap_or_default(), visit);
            }
        }
    }

    fn url(&self, text: &[u8], visit: &mut Visit<'_>) {
        let mut buffer = Buffer::default();
        if let Some(url) = url::normalise(text, &mut buffer)
            && let Some(first) = self.find(&Key::Url(url))
        {
            visit(first, Seen::Text(text));
        }
    }

    fn hash(&self, text: &[u8], visit: &mut Visit<'_>) {
        let digits = memchr::memrchr(b':', text).and_then(|colon| text.get(colon + 1..)).unwrap_or(text);
        if let Some(hash) = kinds::digest(digits)
            && let Some(first) = self.find(&Key::Hash(hash.bytes()))
        {
            visit(first, Seen::Text(text));
        }
    }
}

/// An address as logs write it: alone, or with a port.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text.get(..text.len().min(64))?).ok()?;
    text.parse().or_else(|_| text.parse().map(|address: SocketAddr| address.ip())).ok()
}

/// The address of the network of that length.
fn masked(address: IpAddr, length: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(length.into())).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & mask))
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(length.into())).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
        }
    }
}
