//! Any bytes as an indicator file: CSV, STIX or MISP, as they look. Takes random bytes; the readers give indicators or name what is wrong, and
//! never panic. What was taken is found again by an event that holds it.
#![no_main]

use rules::indicators::{Kind, Set};
use rules::{JsonEvent, fields};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let (set, _) = Set::load([("fuzz", bytes)]);
    for indicator in set.indicators() {
        let value = indicator.kind.to_string();
        let (source, field) = match indicator.kind {
            Kind::Hash(_) => (fields::PROCESS_CREATION, "ImageDigest"),
            Kind::Address(_) => (fields::NETWORK_CONNECTION, "DestinationIp"),
            Kind::Domain(_) => (fields::DNS_QUERY, "QueryName"),
            Kind::FileName(_) => (fields::FILE_EVENT, "TargetFilename"),
            // An address of the network, and what a shell leaves of the URL, would have to be made first.
            Kind::Network(_) | Kind::Url(_) => continue,
        };
        let event = serde_json::json!({ field: value });
        let mut hits = Vec::new();
        set.lookup(&JsonEvent::new(&event, source), i64::MIN, &mut hits);
        assert!(!hits.is_empty(), "{value}");
    }
});
