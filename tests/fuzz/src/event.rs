//! Any bytes as an event on the wire. Takes random bytes; the translation gives an event at the position that was asked for, a loss
//! event where the bytes are none, and never panics.
#![no_main]

use collector::ingest::translate::{Place, event};

libfuzzer_sys::fuzz_target!(|input: (u64, u64, &[u8])| {
    let (position, time_ns, bytes) = input;
    let place = Place { node: "node", log_id: "log", boot_id: "boot", position, time_ns };
    assert_eq!(event(&place, bytes).position, position, "an event moved in its log");
});
