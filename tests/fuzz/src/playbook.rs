//! Any text as a playbook. Takes random text; the compiler gives a playbook or names file and line, and never panics.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Err(error) = collector_core::playbook::parse("fuzz.yml", text) {
        assert!(error.to_string().contains("fuzz.yml"), "an error names its file: {error}");
    }
});
