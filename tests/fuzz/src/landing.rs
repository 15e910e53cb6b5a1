//! Any bytes as the collector's landing log, as a power cut or a bad disk leaves it. Takes random bytes, alone and behind a frame that is
//! whole; the reader gives whole frames within the bytes that there are, and never panics.
#![no_main]

use collector::store::events::frame::{self, Kind, Meta};

libfuzzer_sys::fuzz_target!(|input: (u32, &[u8])| {
    let (sequence, bytes) = input;
    let meta = Meta { kind: Kind::Block.into(), sequence: u64::from(sequence), ..Meta::default() };
    let mut behind = frame::head(&meta, bytes);
    behind.extend_from_slice(bytes);
    let (whole, taken) = frame::read(&behind.clone().into()).expect("a frame as it was written");
    assert_eq!((&whole.payload[..], taken), (bytes, behind.len()));
    for torn in [bytes.to_vec(), behind[..behind.len() - 1].to_vec()] {
        if let Ok((frame, taken)) = frame::read(&torn.clone().into()) {
            assert!(taken <= torn.len() && frame.payload.len() < taken, "more was read than there is");
        }
    }
});
