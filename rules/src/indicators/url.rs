//! One form for each URL, so that two ways to write the same are one value.
//!
//! Takes bytes, from a file or from an event; gives scheme and host in small letters, without user, usual port, trailing
//! dot and fragment. Path and query stay as they are. Never allocates.

use super::limits::URL_BYTES;

/// Schemes, with their usual ports.
const SCHEMES: [(&[u8], &[u8]); 3] = [(b"http", b"80"), (b"https", b"443"), (b"ftp", b"21")];

/// Room for one URL.
pub(super) struct Buffer {
    bytes: [u8; URL_BYTES],
    length: usize,
}

impl Default for Buffer {
    fn default() -> Self {
        Self { bytes: [0; URL_BYTES], length: 0 }
    }
}

impl Buffer {
    fn push(&mut self, text: &[u8]) -> Option<()> {
        let end = self.length.checked_add(text.len())?;
        self.bytes.get_mut(self.length..end)?.copy_from_slice(text);
        self.length = end;
        Some(())
    }

    fn push_small(&mut self, text: &[u8]) -> Option<()> {
        let start = self.length;
        self.push(text)?;
        self.bytes.get_mut(start..self.length)?.make_ascii_lowercase();
        Some(())
    }
}

/// The one form of a URL; `None` for what is none, has another scheme, or is too long.
pub(super) fn normalise<'b>(text: &[u8], buffer: &'b mut Buffer) -> Option<&'b [u8]> {
    buffer.length = 0;
    let colon = memchr::memmem::find(text, b"://")?;
    let (scheme, rest) = (text.get(..colon)?, text.get(colon + 3..)?);
    let (name, usual_port) = *SCHEMES.iter().find(|(name, _)| scheme.eq_ignore_ascii_case(name))?;
    let rest = before(rest, b"#");
    let authority = before(before(rest, b"/"), b"?");
    let path = rest.get(authority.len()..)?;
    let place = memchr::memrchr(b'@', authority).map_or(Some(authority), |at| authority.get(at + 1..))?;
    let (host, port) = split_port(place);
    let host = host.strip_suffix(b".").unwrap_or(host);
    let is_odd = |byte: &u8| byte.is_ascii_whitespace() || byte.is_ascii_control();
    if host.is_empty() || host.iter().chain(path).any(is_odd) || !port.iter().all(u8::is_ascii_digit) {
        return None;
    }
    buffer.push(name)?;
    buffer.push(b"://")?;
    buffer.push_small(host)?;
    if !port.is_empty() && port != usual_port {
        buffer.push(b":")?;
        buffer.push(port)?;
    }
    if path.first() != Some(&b'/') {
        buffer.push(b"/")?;
    }
    buffer.push(path)?;
    buffer.bytes.get(..buffer.length)
}

/// The host of a normalised URL, without the brackets of an IPv6 address.
pub(super) fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let place = rest.split_once('/').map_or(rest, |(place, _)| place);
    match place.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        Some((address, _)) => address,
        None => place.split_once(':').map_or(place, |(name, _)| name),
    }
}

fn before<'a>(text: &'a [u8], end: &[u8]) -> &'a [u8] {
    memchr::memmem::find(text, end).and_then(|position| text.get(..position)).unwrap_or(text)
}

fn split_port(place: &[u8]) -> (&[u8], &[u8]) {
    let after_brackets = memchr::memrchr(b']', place).unwrap_or(0);
    match memchr::memrchr(b':', place) {
        Some(colon) if colon >= after_brackets => {
            (place.get(..colon).unwrap_or_default(), place.get(colon + 1..).unwrap_or_default())
        }
        _ => (place, b""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        let mut buffer = Buffer::default();
        let found = normalise(text.as_bytes(), &mut buffer).map(|url| String::from_utf8_lossy(url).into_owned());
        assert_eq!(found.as_deref(), expected, "{text}");
    }

    #[test]
    fn two_ways_to_write_a_url_are_one() {
        check("HTTP://Bad.Example", Some("http://bad.example/"));
        check("http://bad.example:80/", Some("http://bad.example/"));
        check("https://user:pass@bad.example.:443/A?b=C#d", Some("https://bad.example/A?b=C"));
        check("https://bad.example:8443?q", Some("https://bad.example:8443/?q"));
        check("http://[2001:DB8::1]:80/x", Some("http://[2001:db8::1]/x"));
    }

    #[test]
    fn what_is_no_url_is_none() {
        for text in
            ["", "bad.example/x", "://", "http://", "hxxp://bad.example/", "http://a b/", "http://x:y/", "file:///etc"]
        {
            check(text, None);
        }
        check(&format!("http://bad.example/{}", "a".repeat(URL_BYTES)), None);
    }

    #[test]
    fn the_host_stands_alone() {
        assert_eq!(host("http://bad.example:8080/x"), "bad.example");
        assert_eq!(host("http://[2001:db8::1]:8080/x"), "2001:db8::1");
    }
}
