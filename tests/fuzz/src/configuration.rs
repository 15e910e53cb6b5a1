//! Any text as the agent's configuration. Takes random text; the reader gives a configuration within its bounds or names the line,
//! and never panics.
#![no_main]

use std::path::Path;

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Err(error) = agent::config::Config::parse(Path::new("fuzz.toml"), text) {
        assert!(error.to_string().contains("fuzz.toml"), "an error names its file: {error}");
    }
});
