//! Any text as the agent's or the collector's configuration. Takes random text; the reader gives a configuration within its bounds or
//! names the file, and never panics.
#![no_main]

use std::path::Path;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let path = Path::new("fuzz.toml");
    let agent = agent::config::Config::parse(path, text).map(drop).map_err(|error| error.to_string());
    let collector = collector::config::Config::parse(path, text).map(drop).map_err(|error| error.to_string());
    for error in [agent, collector].into_iter().filter_map(Result::err) {
        assert!(error.contains("fuzz.toml"), "an error names its file: {error}");
    }
});
