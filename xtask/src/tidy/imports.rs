//! Which crate may import which. Takes `Cargo.toml` files; gives every dependency that the architecture does not draw.

use toml::{Table, Value};

use super::Violation;

/// A crate of ours, what it may import of ours, and the starts of names that would break its reason to exist.
struct Rule {
    name: &'static str,
    may: &'static [&'static str],
    never: &'static [&'static str],
}

const OURS: &[&str] =
    &["agent", "collector", "collector-core", "ebpf", "ebpf-common", "proto", "rules", "tests", "xtask"];

/// The agent is privileged on every node, so its tree is small.
const NOT_ON_A_NODE: &[&str] =
    &["aws-", "arrow", "askama", "axum", "datafusion", "kube", "object_store", "parquet", "reqwest", "sqlx"];

/// Judgement is reproducible: no clock, disk, network, chance or asynchrony.
const NOT_IN_THE_CORE: &[&str] = &[
    "async-",
    "aws-",
    "futures",
    "getrandom",
    "hyper",
    "nix",
    "object_store",
    "prost",
    "rand",
    "reqwest",
    "sqlx",
    "tempfile",
    "tokio",
    "tonic",
    "tracing",
];

const RULES: &[Rule] = &[
    Rule { name: "ebpf-common", may: &[], never: &["aya", "std"] },
    Rule { name: "ebpf", may: &["ebpf-common"], never: &[] },
    Rule { name: "rules", may: &[], never: NOT_IN_THE_CORE },
    Rule { name: "proto", may: &[], never: &[] },
    Rule { name: "agent", may: &["ebpf-common", "proto", "rules"], never: NOT_ON_A_NODE },
    Rule { name: "collector-core", may: &["rules"], never: NOT_IN_THE_CORE },
    Rule { name: "collector", may: &["proto", "rules", "collector-core"], never: &["aya"] },
    Rule { name: "tests", may: OURS, never: &[] },
    Rule { name: "fuzz", may: OURS, never: &[] },
    Rule { name: "xtask", may: &[], never: &[] },
];

/// Checks one manifest; one without a package (a workspace alone) imports nothing.
pub(super) fn check(path: &str, text: &str) -> Vec<Violation> {
    let manifest: Table = match text.parse() {
        Ok(manifest) => manifest,
        Err(error) => return vec![Violation::new(path, 1, format!("not TOML: {error}"))],
    };
    let Some(name) = manifest.get("package").and_then(|package| package.get("name")).and_then(Value::as_str) else {
        return Vec::new();
    };
    let Some(rule) = RULES.iter().find(|rule| rule.name == name) else {
        let what = format!(
            "the crate `{name}` is not in the architecture: add it there and to tidy, or put its code where it belongs"
        );
        return vec![Violation::new(path, 1, what)];
    };
    let mut found = Vec::new();
    for (kind, dependency) in dependencies(&manifest) {
        let ours = OURS.contains(&dependency.as_str());
        let what = if ours && !rule.may.contains(&dependency.as_str()) {
            format!("`{name}` may not import `{dependency}`: the arrow is not in the architecture")
        } else if kind != "dev-dependencies" && rule.never.iter().any(|start| dependency.starts_with(start)) {
            format!("`{name}` may not import `{dependency}`: it breaks the reason why this crate stands alone")
        } else {
            continue;
        };
        found.push(Violation::new(path, line_of(text, &dependency), what));
    }
    found
}

/// The tables of dependencies, those of a target included, with the package that each key stands for.
fn dependencies(manifest: &Table) -> Vec<(&'static str, String)> {
    const KINDS: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];
    let targets = manifest.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values);
    let tables = std::iter::once(manifest).chain(targets.filter_map(Value::as_table));
    let mut found = Vec::new();
    for table in tables {
        for kind in KINDS {
            for (key, value) in table.get(kind).and_then(Value::as_table).into_iter().flatten() {
                let package = value.get("package").and_then(Value::as_str).unwrap_or(key);
                found.push((kind, package.to_owned()));
            }
        }
    }
    found
}

fn line_of(text: &str, dependency: &str) -> usize {
    let names = |line: &str| line.trim_start().starts_with(dependency) || line.contains(&format!("\"{dependency}\""));
    text.lines().position(names).map_or(1, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::check;

    fn said(name: &str, rest: &str) -> Vec<String> {
        let text = format!("[package]\nname = \"{name}\"\n{rest}");
        check("x/Cargo.toml", &text).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_arrow_that_is_drawn_is_allowed() {
        assert!(said("agent", "[dependencies]\nebpf-common.workspace = true\ntokio = \"1\"\n").is_empty());
    }

    #[test]
    fn an_arrow_that_is_not_drawn_is_refused() {
        assert_eq!(
            said("collector-core", "[dependencies]\nproto.workspace = true\n"),
            ["x/Cargo.toml:4: `collector-core` may not import `proto`: the arrow is not in the architecture"]
        );
    }

    #[test]
    fn a_renamed_dependency_is_seen() {
        assert_eq!(said("rules", "[dev-dependencies]\nx = { path = \"../agent\", package = \"agent\" }\n").len(), 1);
        assert_eq!(said("proto", "[target.'cfg(unix)'.dependencies]\nrules = { path = \"..\" }\n").len(), 1);
    }

    #[test]
    fn the_agent_takes_no_cloud_and_the_core_no_clockwork() {
        assert_eq!(said("agent", "[dependencies]\naws-sdk-iam = \"1\"\n").len(), 1);
        assert_eq!(said("collector-core", "[dependencies]\ntokio = \"1\"\n").len(), 1);
        assert!(said("collector-core", "[dev-dependencies]\ntempfile = \"3\"\n").is_empty());
    }

    #[test]
    fn an_unknown_crate_is_refused() {
        assert_eq!(said("helpers", "").len(), 1);
    }
}
