//! Values as files write them, checked. Takes text; gives a [`Kind`], or why it is not taken: what would match by chance
//! or in one's own house is refused with the reason.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::limits::{DOMAIN_BYTES, PATH_BYTES, URL_BYTES};
use super::url::{self, Buffer};
use super::{Hash, Kind};

/// Networks whose addresses mean another machine in every place, or none.
const OWN: [(IpNet, &str); 14] = [
    (v4([0, 0, 0, 0], 8), "this host"),
    (v4([10, 0, 0, 0], 8), "private"),
    (v4([100, 64, 0, 0], 10), "shared by a provider's customers"),
    (v4([127, 0, 0, 0], 8), "loopback"),
    (v4([169, 254, 0, 0], 16), "link-local"),
    (v4([172, 16, 0, 0], 12), "private"),
    (v4([192, 168, 0, 0], 16), "private"),
    (v4([224, 0, 0, 0], 4), "multicast"),
    (v4([255, 255, 255, 255], 32), "broadcast"),
    (v6(0, 0, 128), "unspecified"),
    (v6(0, 1, 128), "loopback"),
    (v6(0xfc00, 0, 7), "private"),
    (v6(0xfe80, 0, 10), "link-local"),
    (v6(0xff00, 0, 8), "multicast"),
];

/// The widest networks that say anything: a /8 is a 256th of all addresses, of IPv6 a /16 is more than any provider has.
const WIDEST: (u8, u8) = (8, 16);

/// Last labels that never leave a site.
const OWN_NAMES: [&str; 4] = ["localhost", "local", "internal", "arpa"];

const fn v4(octets: [u8; 4], length: u8) -> IpNet {
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(octets[0], octets[1], octets[2], octets[3]), length))
}

/// A network by its first 16 bits and its last.
const fn v6(first: u16, last: u16, length: u8) -> IpNet {
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(first, 0, 0, 0, 0, 0, 0, last), length))
}

/// The words in CSV files.
pub(super) const WORDS: [&str; 8] = ["md5", "sha1", "sha256", "address", "network", "domain", "url", "file_name"];

/// A value of a type that a CSV file names.
pub(super) fn named(word: &str, value: &str) -> Option<Result<Kind, String>> {
    Some(match word {
        "md5" => hash(value, 16),
        "sha1" => hash(value, 20),
        "sha256" => hash(value, 32),
        "address" | "network" => address_or_network(value),
        "domain" => domain(value),
        "url" => url(value),
        "file_name" => file_name(value),
        _ => return None,
    })
}

/// A digest of so many bytes, in hexadecimal.
pub(super) fn hash(text: &str, bytes: usize) -> Result<Kind, String> {
    let wrong = || format!("must be {} hexadecimal digits", 2 * bytes);
    let hash = digest(text.as_bytes()).filter(|hash| hash.bytes().len() == bytes).ok_or_else(wrong)?;
    let is_of_nothing = EMPTY.contains(&text.to_ascii_lowercase().as_str());
    if is_of_nothing || hash.bytes().iter().all(|byte| *byte == 0) {
        return Err("is the digest of an empty file, or none at all".to_owned());
    }
    Ok(Kind::Hash(hash))
}

/// What the digests of no bytes at all are.
const EMPTY: [&str; 3] = [
    "d41d8cd98f00b204e9800998ecf8427e",
    "da39a3ee5e6b4b0d3255bfef95601890afd80709",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
];

/// A digest by its length.
pub(super) fn digest(text: &[u8]) -> Option<Hash> {
    match text.len() {
        32 => hexadecimal(text).map(Hash::Md5),
        40 => hexadecimal(text).map(Hash::Sha1),
        64 => hexadecimal(text).map(Hash::Sha256),
        _ => None,
    }
}

fn hexadecimal<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        let [high, low] = *pair else { return None };
        *byte = digit(high)? << 4 | digit(low)?;
    }
    Some(bytes)
}

/// `198.51.100.7` or `198.51.100.0/24`; a network of one address is that address.
pub(super) fn address_or_network(text: &str) -> Result<Kind, String> {
    let wrong = || "must be an address or a network, as 198.51.100.7, 198.51.100.0/24 or 2001:db8::/32".to_owned();
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length.parse::<u8>().map_err(|_| wrong())?)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().map_err(|_| wrong())?;
    let canonical = address.to_canonical();
    // The prefix of an IPv4 network that is written as one of IPv6 counts the 96 bits before it.
    let length = if canonical == address { length } else { length.map(|length| length.saturating_sub(96)) };
    let whole = if canonical.is_ipv4() { 32 } else { 128 };
    let network = IpNet::new(canonical, length.unwrap_or(whole)).map_err(|_| wrong())?.trunc();
    let widest = if canonical.is_ipv4() { WIDEST.0 } else { WIDEST.1 };
    if network.prefix_len() < widest {
        return Err(format!("is too wide: at least /{widest} is allowed"));
    }
    let overlaps = |own: &IpNet| own.contains(&network) || network.contains(own);
    if let Some((own, what)) = OWN.iter().find(|(own, _)| overlaps(own)) {
        return Err(format!("meets {own}, which is {what}: it means another machine in each place"));
    }
    Ok(if network.prefix_len() == whole { Kind::Address(network.addr()) } else { Kind::Network(network) })
}

/// A name with all below it; `*.` in front says no more.
pub(super) fn domain(text: &str) -> Result<Kind, String> {
    let name = text.strip_prefix("*.").unwrap_or(text);
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    if name.is_empty() {
        return Err("is empty".to_owned());
    }
    if name.parse::<IpAddr>().is_ok() {
        return Err("is an address, not a name".to_owned());
    }
    let label = |label: &str| {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        (1..=63).contains(&label.len()) && label.bytes().all(known)
    };
    if name.len() > DOMAIN_BYTES || !name.split('.').all(label) {
        return Err("must be labels of letters, digits, - and _ with dots between (others as xn--…)".to_owned());
    }
    let Some((_, last)) = name.rsplit_once('.') else {
        return Err("is one label alone: all names below it would match".to_owned());
    };
    if OWN_NAMES.contains(&last) {
        return Err(format!("ends in `{last}`, which means another machine in each place"));
    }
    Ok(Kind::Domain(name.into()))
}

/// A URL of http, https or ftp.
pub(super) fn url(text: &str) -> Result<Kind, String> {
    let mut buffer = Buffer::default();
    let url = url::normalise(text.as_bytes(), &mut buffer).and_then(|url| std::str::from_utf8(url).ok());
    let wrong = || format!("must be http://, https:// or ftp:// with a host, of at most {URL_BYTES} bytes");
    let url = url.ok_or_else(wrong)?;
    let host = url::host(url);
    let checked = if host.parse::<IpAddr>().is_ok() { address_or_network(host) } else { domain(host) };
    checked.map_err(|why| format!("its host {why}"))?;
    Ok(Kind::Url(url.into()))
}

/// A name, the end of a path, or, with `/` in front, a whole path.
pub(super) fn file_name(text: &str) -> Result<Kind, String> {
    if text.len() > PATH_BYTES {
        return Err(format!("is longer than {PATH_BYTES} bytes"));
    }
    let components = text.strip_prefix('/').unwrap_or(text);
    let is_empty = components.split('/').any(|component| matches!(component, "" | "." | ".."));
    if is_empty || text.chars().any(char::is_control) {
        return Err("must be a name or a path, without empty components, `.`, `..` and control characters".to_owned());
    }
    Ok(Kind::FileName(text.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(word: &str, value: &str, expected: &str) {
        let told = match named(word, value).expect("a known type") {
            Ok(kind) => format!("{} {kind}", kind.word()),
            Err(why) => format!("no: {why}"),
        };
        assert!(told.starts_with(expected), "{word} {value}: {told}");
    }

    #[test]
    fn each_value_has_one_form() {
        check("md5", "0123456789ABCDEF0123456789abcdef", "md5 0123456789abcdef0123456789abcdef");
        check("address", "198.51.100.7/32", "address 198.51.100.7");
        check("network", "198.51.100.77/24", "network 198.51.100.0/24");
        check("address", "::ffff:198.51.100.7", "address 198.51.100.7");
        check("network", "::ffff:198.51.100.0/120", "network 198.51.100.0/24");
        check("address", "2001:DB8::1", "address 2001:db8::1");
        check("domain", "*.Bad.Example.", "domain bad.example");
        check("url", "HTTP://bad.example", "url http://bad.example/");
        check("file_name", "x/kworker.bin", "file_name x/kworker.bin");
        check("file_name", "/tmp/.x", "file_name /tmp/.x");
    }

    #[test]
    fn what_would_match_in_ones_own_house_is_refused() {
        check("address", "127.0.0.1", "no: meets 127.0.0.0/8, which is loopback");
        check("address", "169.254.169.254", "no: meets 169.254.0.0/16, which is link-local");
        check("address", "::1", "no: meets ::1/128, which is loopback");
        check("network", "10.1.0.0/16", "no: meets 10.0.0.0/8, which is private");
        check("network", "172.0.0.0/8", "no: meets 172.16.0.0/12, which is private");
        check("network", "128.0.0.0/1", "no: is too wide: at least /8");
        check("network", "2000::/3", "no: is too wide: at least /16");
        check("network", "fd00::/16", "no: meets fc00::/7");
        check("domain", "example", "no: is one label alone");
        check("domain", "svc.cluster.local", "no: ends in `local`");
        check("url", "http://localhost/x", "no: its host is one label alone");
        check("url", "http://192.168.1.1/x", "no: its host meets 192.168.0.0/16");
    }

    #[test]
    fn what_says_nothing_is_refused() {
        for word in WORDS {
            check(word, "", "no: ");
        }
        check("md5", "0123", "no: must be 32 hexadecimal digits");
        check(
            "sha256",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "no: is the digest of an empty",
        );
        check("sha1", &"g".repeat(40), "no: must be 40 hexadecimal digits");
        check("address", "198.51.100.0/33", "no: must be an address");
        check("domain", "bad[.]example", "no: must be labels");
        check("domain", "198.51.100.7", "no: is an address");
        check("domain", "a..b", "no: must be labels");
        check("file_name", "/", "no: must be a name");
        check("file_name", "a/../b", "no: must be a name");
    }
}
