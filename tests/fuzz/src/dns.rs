//! Any bytes as DNS, which any name server and any program may send. Takes random bytes; the reader gives messages of bounded names, whole or
//! in pieces of a connection, and never panics.
#![no_main]

use agent::observe::dns::parse;
use agent::observe::dns_stream::{Piece, Streams};

/// A segment: how much of the stream was left out before it, how much of it was not copied, and what was.
type Segment<'a> = (u32, u16, &'a [u8]);

libfuzzer_sys::fuzz_target!(|input: (u32, Vec<Segment<'_>>)| {
    let (mut sequence, pieces) = input;
    let (mut streams, mut out) = (Streams::default(), Vec::new());
    for (skipped, hidden, payload) in pieces {
        let message = parse(payload);
        assert!(message.is_none_or(|message| message.name.len() <= 510), "a name longer than the protocol's");
        sequence = sequence.wrapping_add(skipped % 3);
        let whole = u32::try_from(payload.len()).unwrap_or(0) + u32::from(hidden);
        streams.take(Piece { socket: 1, received: false, sequence, whole, payload }, &mut out);
        sequence = sequence.wrapping_add(whole);
    }
});
