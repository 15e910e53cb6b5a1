//! The first bytes of a TLS client: bytes to the server's name and the protocols that it offers (RFC 8446, RFC 6066, RFC 7301). Takes what a
//! record holds; gives a [`Hello`], marked where bytes are missing, or nothing where they are no begin of TLS. Never panics.

use super::cursor::Cursor;

const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const RANDOM: usize = 32;
const SERVER_NAME: u16 = 0;
const PROTOCOLS: u16 = 16;
const HOST_NAME: u8 = 0;
/// Names of servers are names of DNS.
const NAME: usize = 255;
/// Protocols that are told.
const OFFERED: usize = 16;

/// What a client says before anything is secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hello {
    /// The server that it wants; empty where it names none.
    pub server_name: Vec<u8>,
    /// The protocols that it offers.
    pub protocols: Vec<Vec<u8>>,
    /// There was more, which is not here.
    pub truncated: bool,
}

/// Reads the begin of a connection.
pub fn parse(bytes: &[u8]) -> Option<Hello> {
    let handshake = fragments(bytes)?;
    let mut cursor = Cursor::new(&handshake);
    if cursor.u8()? != CLIENT_HELLO {
        return None;
    }
    // Its length says nothing that the pieces do not say.
    cursor.skip(3)?;
    let mut hello = Hello::default();
    hello.truncated = body(&mut cursor, &mut hello).is_none();
    Some(hello)
}

/// A message may be cut into several of TLS's records.
fn fragments(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut handshake = Vec::with_capacity(bytes.len());
    let mut cursor = Cursor::new(bytes);
    while let Some(HANDSHAKE) = cursor.u8() {
        cursor.skip(2)?;
        let Some(length) = cursor.u16() else { break };
        let left = bytes.len().saturating_sub(cursor.position());
        handshake.extend_from_slice(cursor.take(left.min(usize::from(length)))?);
    }
    (!handshake.is_empty()).then_some(handshake)
}

fn body(cursor: &mut Cursor<'_>, hello: &mut Hello) -> Option<()> {
    cursor.skip(2 + RANDOM)?;
    let session = cursor.u8()?;
    cursor.skip(session.into())?;
    let ciphers = cursor.u16()?;
    cursor.skip(ciphers.into())?;
    let compressions = cursor.u8()?;
    cursor.skip(compressions.into())?;
    // The oldest clients end here.
    let Some(length) = cursor.u16() else { return Some(()) };
    let end = cursor.position() + usize::from(length);
    while cursor.position() < end {
        let (kind, length) = (cursor.u16()?, cursor.u16()?);
        let mut inner = Cursor::new(cursor.take(length.into())?);
        match kind {
            SERVER_NAME => {
                inner.skip(2)?;
                if inner.u8()? == HOST_NAME {
                    let length = usize::from(inner.u16()?);
                    hello.server_name = inner.take(length)?.get(..length.min(NAME))?.to_vec();
                }
            }
            PROTOCOLS => {
                inner.skip(2)?;
                while let (Some(length), true) = (inner.u8(), hello.protocols.len() < OFFERED) {
                    hello.protocols.push(inner.take(length.into())?.to_vec());
                }
            }
            _ => {}
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hello of one server name and one protocol, its records of at most so many bytes.
    fn hello(name: &str, record: usize) -> Vec<u8> {
        let long = |length: usize| u16::try_from(length).expect("short").to_be_bytes();
        let name = [&[0][..], &long(name.len()), name.as_bytes()].concat();
        let name = [&[0, 0][..], &long(name.len() + 2), &long(name.len()), &name].concat();
        let offer = [&[0, 16, 0, 5, 0, 3, 2][..], b"h2"].concat();
        let extensions = [name, offer].concat();
        let body = [&[3, 3][..], &[7; 32], &[0, 0, 2, 0x13, 1, 1, 0], &long(extensions.len()), &extensions].concat();
        let message = [&[1, 0][..], &long(body.len()), &body].concat();
        message.chunks(record).flat_map(|part| [&[22, 3, 1][..], &long(part.len()), part].concat()).collect()
    }

    #[test]
    fn the_server_that_a_client_names_is_read_whatever_records_it_comes_in() {
        for record in [1, 7, 50, 9999] {
            let found = parse(&hello("example.org", record)).expect("a hello");
            assert_eq!((found.server_name.as_slice(), found.truncated), (&b"example.org"[..], false), "{record}");
            assert_eq!(found.protocols, [b"h2"]);
        }
    }

    #[test]
    fn a_hello_that_is_cut_says_so_and_other_bytes_are_none() {
        let whole = hello("example.org", 9999);
        let cut = parse(&whole[..60]).expect("the begin of a hello");
        assert!(cut.truncated && cut.server_name.is_empty());
        assert_eq!(parse(b"GET / HTTP/1.1\r\n"), None);
        assert_eq!(parse(&[22, 3, 1, 0, 4, 2, 0, 0, 0]), None);
        assert_eq!(parse(&[]), None);
    }
}
