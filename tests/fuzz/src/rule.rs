//! Any text as a rule file. Takes random bytes; the rule engine loads them or names what is wrong, and never panics.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    let (_, errors) = rules::Engine::load([("fuzz.yml", text)]);
    assert!(errors.iter().all(|error| error.file == "fuzz.yml" && !error.message.is_empty()), "{errors:?}");
});
