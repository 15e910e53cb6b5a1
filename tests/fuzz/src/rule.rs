//! Any text as a rule file. Takes random bytes; the rule engine loads them or names what is wrong, and never panics.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    let (engine, errors) = rules::Engine::load([("fuzz.yml", text)]);
    assert!(engine.rules().len() == 0 || errors.is_empty(), "the one rule of a file is loaded or refused, never both");
});
