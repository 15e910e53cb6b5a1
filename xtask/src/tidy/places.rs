//! Things that may stand in one place only: `unsafe`, the way out of the kernel, the reading of kernel memory, the time of
//! day, channels without a bound. Takes Rust sources; gives what stands elsewhere.

use super::lexer::{line_of, words};
use super::{Source, Violation};

/// The one module of the agent that may be unsafe.
const UNSAFE_MODULE: &str = "agent/src/memory.rs";

/// How far above its code a safety comment may begin.
const SAFETY_WITHIN: usize = 10;

/// A text in code, the files that may hold it, and what to do about it elsewhere.
struct Only {
    texts: &'static [&'static str],
    /// The files that the rule is about; all, when empty.
    among: &'static str,
    allowed: fn(&str) -> bool,
    instead: &'static str,
}

const ONLY: &[Only] = &[
    Only {
        texts: &[
            "bpf_ringbuf_output",
            "bpf_ringbuf_reserve",
            "bpf_ringbuf_submit",
            "bpf_perf_event_output",
            ".output(",
            ".output::<",
            ".reserve(",
            ".reserve::<",
            ".reserve_bytes(",
        ],
        among: "ebpf/src/",
        allowed: |path| path == "ebpf/src/emit.rs",
        instead: "records leave the kernel through `emit` only: call it",
    },
    Only {
        texts: &["bpf_probe_read"],
        among: "ebpf/src/",
        allowed: |path| path == "ebpf/src/read.rs",
        instead: "kernel memory is read in `read` only: add a function there",
    },
    Only {
        texts: &["SystemTime::now", "Timestamp::now", "Zoned::now", "Utc::now", "Local::now"],
        among: "",
        allowed: |path| path.ends_with("/clock.rs") || path.contains("/clock/"),
        instead: "a moment comes from a `clock` module: take it as a value",
    },
    Only {
        texts: &["unbounded_channel", "unbounded("],
        among: "",
        allowed: |_| false,
        instead: "a channel without a bound: give it one, and say beside it what happens when it is full",
    },
    Only {
        texts: &["std::process::exit"],
        among: "",
        allowed: |_| false,
        instead: "it skips destructors: return an `ExitCode` from `main`",
    },
];

/// Checks one Rust file.
pub(super) fn check(source: &Source<'_>) -> Vec<Violation> {
    let mut found = unsafe_code(source);
    for only in ONLY {
        if !source.path.starts_with(only.among) || (only.allowed)(source.path) {
            continue;
        }
        for text in only.texts {
            for (position, _) in source.parted.code.match_indices(text) {
                let what = format!("`{}`: {}", text.trim_end_matches(['(', '<', ':']), only.instead);
                found.push(source.violation(line_of(&source.parted.code, position), what));
            }
        }
    }
    found.extend(lint_of_root(source));
    found
}

fn unsafe_code(source: &Source<'_>) -> Vec<Violation> {
    let code = &source.parted.code;
    let allowed = source.path.starts_with("ebpf/") || source.path == UNSAFE_MODULE;
    let comments: Vec<&str> = source.parted.comments.lines().collect();
    let mut found = Vec::new();
    for position in words(code, "unsafe") {
        // `#[unsafe(no_mangle)]` names a symbol; there is no block whose demands could be met.
        if code[position..].starts_with("unsafe(") {
            continue;
        }
        let line = line_of(code, position);
        let above = &comments[line.saturating_sub(SAFETY_WITHIN + 1)..line.min(comments.len())];
        if !allowed {
            let what = format!("`unsafe` stands in `ebpf` and in {UNSAFE_MODULE} only: call a function of that module");
            found.push(source.violation(line, what));
        } else if !above.iter().any(|comment| comment.contains("SAFETY:") || comment.contains("# Safety")) {
            let what = "`unsafe` without `// SAFETY:` above it: say each thing that is demanded, and why it holds here";
            found.push(source.violation(line, what.to_owned()));
        }
    }
    found
}

/// The root of each crate refuses unsafe code, so that the compiler holds what tidy can only search for.
fn lint_of_root(source: &Source<'_>) -> Option<Violation> {
    let path = source.path;
    let program =
        path.rsplit_once("/src/bin/").is_some_and(|(_, name)| !name.contains('/') || name.ends_with("/main.rs"));
    let root = path.ends_with("src/lib.rs") || path.ends_with("src/main.rs") || program;
    if !root || path.starts_with("ebpf/") || path.starts_with("tests/fuzz/") {
        return None;
    }
    let lint = if path == "agent/src/lib.rs" { "deny(unsafe_code)" } else { "forbid(unsafe_code)" };
    let stands =
        source.parted.code.contains(&format!("#![{lint}]")) || source.parted.code.contains("#![forbid(unsafe_code)]");
    (!stands).then(|| source.violation(1, format!("the crate's root lacks `#![{lint}]`: add it")))
}

#[cfg(test)]
mod tests {
    use super::super::Source;
    use super::check;

    fn said(path: &str, text: &str) -> Vec<String> {
        check(&Source::new(path, text)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn unsafe_stands_in_its_places_only() {
        let text = "//! X.\n// SAFETY: the pointer is ours.\nunsafe { a() }\n";
        assert!(said("ebpf/src/read.rs", text).is_empty());
        assert!(said("agent/src/memory.rs", text).is_empty());
        assert_eq!(
            said("agent/src/kernel/ring.rs", text),
            [
                "agent/src/kernel/ring.rs:3: `unsafe` stands in `ebpf` and in agent/src/memory.rs only: call a function of that module"
            ]
        );
    }

    #[test]
    fn unsafe_says_why_it_is_sound() {
        assert_eq!(said("ebpf/src/read.rs", "unsafe { a() }\n").len(), 1);
        assert!(said("ebpf/src/main.rs", "#[unsafe(no_mangle)]\nstatic A: u8 = 0;\n").is_empty());
    }

    #[test]
    fn the_word_in_a_comment_or_a_name_is_no_unsafe_code() {
        assert!(said("rules/src/syntax.rs", "// unsafe\nlet unsafe_word = \"unsafe\";\n").is_empty());
    }

    #[test]
    fn records_leave_through_emit_and_memory_is_read_in_read() {
        assert_eq!(said("ebpf/src/path.rs", "EVENTS.output(&a, 0);\n").len(), 1);
        assert!(said("ebpf/src/emit.rs", "EVENTS.output(&a, 0);\n").is_empty());
        assert_eq!(said("ebpf/src/path.rs", "bpf_probe_read_kernel(a);\n").len(), 1);
        assert!(said("agent/src/kernel/ring.rs", "Command::new(a).output();\nv.reserve(1);\n").is_empty());
    }

    #[test]
    fn the_time_of_day_is_asked_in_a_clock_only() {
        assert_eq!(said("collector/src/store/events.rs", "let t = SystemTime::now();\n").len(), 1);
        assert!(said("collector/src/clock.rs", "let t = SystemTime::now();\n").is_empty());
    }

    #[test]
    fn a_root_forbids_unsafe_code() {
        assert_eq!(said("rules/src/lib.rs", "//! X.\n").len(), 1);
        assert!(said("rules/src/lib.rs", "//! X.\n#![forbid(unsafe_code)]\n").is_empty());
        assert!(said("agent/src/lib.rs", "//! X.\n#![deny(unsafe_code)]\n").is_empty());
        assert_eq!(said("tests/src/bin/stage/main.rs", "//! X.\n").len(), 1);
        assert!(said("tests/src/bin/stage/http.rs", "//! X.\n").is_empty());
    }
}
