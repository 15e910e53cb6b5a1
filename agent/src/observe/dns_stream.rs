//! DNS over TCP: pieces of a connection's bytes to whole messages, each behind its length. Takes payloads in the order in which the kernel
//! told them; gives messages. Bounded in connections and bytes: where it gives up on a connection, its messages are not told.

use std::collections::HashMap;

use super::dns::{Message, parse};

/// Connections that are read at the same time; one more and the one that was silent longest goes.
const STREAMS: usize = 256;
/// Bytes of one message that are kept: answers of name servers are shorter, zones that are handed over whole are not read.
const MESSAGE: usize = 4096;
const LENGTH: usize = 2;

/// A piece of one direction of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Piece<'a> {
    /// The socket, as records name it.
    pub socket: u64,
    /// Whether it was received.
    pub received: bool,
    /// Where it stands in the connection's bytes.
    pub sequence: u32,
    /// How long it was.
    pub whole: u32,
    /// Its bytes, as far as they were taken.
    pub payload: &'a [u8],
}

#[derive(Debug, Default)]
struct Stream {
    /// Where the next piece stands.
    next: u32,
    /// Begin of a message that is not whole yet, its length included.
    bytes: Vec<u8>,
    /// Bytes to come of a message that was told already.
    skip: usize,
    /// The begin of the next message cannot be found any more.
    lost: bool,
    used: u64,
}

/// All connections.
#[derive(Debug, Default)]
pub struct Streams {
    open: HashMap<(u64, bool), Stream>,
    turn: u64,
}

impl Streams {
    /// Takes a piece; appends the messages that it completes.
    pub fn take(&mut self, piece: Piece<'_>, out: &mut Vec<Message>) {
        self.turn += 1;
        let key = (piece.socket, piece.received);
        if !self.open.contains_key(&key) && self.open.len() >= STREAMS {
            let oldest = self.open.iter().min_by_key(|(_, stream)| stream.used).map(|(key, _)| *key);
            oldest.and_then(|key| self.open.remove(&key));
        }
        let fresh = Stream { next: piece.sequence, ..Stream::default() };
        let stream = self.open.entry(key).or_insert(fresh);
        stream.used = self.turn;
        // What is sent again was read before; what comes too early makes a hole.
        let ahead = piece.sequence.wrapping_sub(stream.next).cast_signed();
        if ahead < 0 {
            return;
        }
        if ahead > 0 {
            *stream = Stream { used: self.turn, ..Stream::default() };
        }
        stream.next = piece.sequence.wrapping_add(piece.whole);
        stream.take(piece, out);
    }
}

impl Stream {
    fn take(&mut self, piece: Piece<'_>, out: &mut Vec<Message>) {
        let skipped = self.skip.min(piece.payload.len());
        self.skip -= skipped;
        self.bytes.extend_from_slice(piece.payload.get(skipped..).unwrap_or_default());
        let mut hidden = (piece.whole as usize).saturating_sub(piece.payload.len());
        let unseen = self.skip.min(hidden);
        self.skip -= unseen;
        hidden -= unseen;
        while !self.lost && self.skip == 0 {
            let Some(length) =
                self.bytes.first_chunk::<LENGTH>().map(|length| usize::from(u16::from_be_bytes(*length)))
            else {
                break;
            };
            let end = LENGTH + length;
            if self.bytes.len() >= end {
                out.extend(self.bytes.get(LENGTH..end).and_then(parse));
                self.bytes.drain(..end);
            } else if hidden > 0 || self.bytes.len() > MESSAGE {
                let message = self.bytes.get(LENGTH..).and_then(parse);
                out.extend(message.map(|message| Message { truncated: true, ..message }));
                let missing = end - self.bytes.len();
                self.skip = missing.saturating_sub(hidden);
                // Behind it another one began that nobody saw.
                self.lost = hidden > missing;
                hidden = hidden.saturating_sub(missing);
                self.bytes.clear();
            } else {
                break;
            }
        }
        if self.lost || hidden > 0 {
            self.lost = true;
            self.bytes = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A question for the name, which is one label of three bytes, and what a resolver adds to it: 34 bytes.
    fn question(name: &str) -> Vec<u8> {
        let mut message = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, u8::try_from(name.len()).expect("a short label")];
        message.extend_from_slice(name.as_bytes());
        message.extend_from_slice(&[0, 0, 1, 0, 1, 0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]);
        let mut framed = u16::try_from(message.len()).expect("short").to_be_bytes().to_vec();
        framed.append(&mut message);
        framed
    }

    /// Sends pieces of these lengths, each twice, of which at most so many bytes are taken; gives the names that were told. The numbers of
    /// the bytes pass their end on the way.
    fn check(bytes: &[u8], lengths: &[usize], taken: usize) -> Vec<String> {
        let (mut streams, mut out, mut at) = (Streams::default(), Vec::new(), 0);
        for &length in lengths {
            let payload = &bytes[at..at + length.min(taken)];
            let sequence = (u32::MAX - 3).wrapping_add(u32::try_from(at).expect("short"));
            let whole = u32::try_from(length).expect("short");
            for _ in 0..2 {
                streams.take(Piece { socket: 1, received: false, sequence, whole, payload }, &mut out);
            }
            at += length;
        }
        let mark = |message: &Message| if message.truncated { "…" } else { "" };
        out.iter().map(|message| format!("{}{}", String::from_utf8_lossy(&message.name), mark(message))).collect()
    }

    #[test]
    fn a_message_is_read_whatever_pieces_it_comes_in() {
        let bytes = [question("one"), question("two")].concat();
        let each = vec![1; bytes.len()];
        assert_eq!(check(&bytes, &[bytes.len()], 9999), ["one", "two"]);
        assert_eq!(check(&bytes[..35], &[1, 33, 1], 9999), ["one"]);
        assert_eq!(check(&bytes, &each, 9999), ["one", "two"]);
    }

    #[test]
    fn a_message_whose_end_was_not_taken_is_marked_and_the_next_is_not_guessed() {
        let bytes = [question("one"), question("two")].concat();
        let half = bytes.len() / 2;
        assert_eq!(check(&bytes[..half], &[half], 25), ["one…"]);
        assert_eq!(check(&bytes, &[half, half], 25), ["one…", "two…"]);
        assert_eq!(check(&bytes, &[half + 5, half - 5], 25), ["one…"]);
    }

    #[test]
    fn a_thousand_connections_are_not_a_thousand_buffers() {
        let mut streams = Streams::default();
        for socket in 0..1000 {
            let piece = Piece { socket, received: false, sequence: 0, whole: 1, payload: &[1] };
            streams.take(piece, &mut Vec::new());
        }
        assert_eq!(streams.open.len(), STREAMS);
    }
}
