//! Paths that are worth a record when they are only read. Takes patterns; gives the kernel one component of each to look for,
//! and decides here whether the whole path matches.
//!
//! A pattern is a path from the root: `*` stands for any bytes of one component, `**` for any number of components. Its last
//! component is plain, or the one before it is: that one is what the kernel looks for.

use std::collections::BTreeMap;

use ebpf_common::config::{COMPONENT, Component, MAX_SENSITIVE, Sieve};

/// Every `**` may be tried at every component.
const MAX_DEEP: usize = 3;

/// One pattern, and the class of what it finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SensitivePath {
    /// As it stands in events and rules: `shadow`, `ssh_key`, …
    pub class: String,
    /// For example `**/.ssh/id_*`.
    pub pattern: String,
}

impl SensitivePath {
    /// What credentials and identities are usually kept in.
    pub fn usual() -> Vec<Self> {
        USUAL
            .iter()
            .map(|(class, pattern)| Self { class: (*class).to_owned(), pattern: (*pattern).to_owned() })
            .collect()
    }
}

const USUAL: &[(&str, &str)] = &[
    ("shadow", "/etc/shadow"),
    ("shadow", "/etc/shadow-"),
    ("shadow", "/etc/gshadow"),
    ("sudoers", "/etc/sudoers"),
    ("sudoers", "/etc/sudoers.d/*"),
    ("service_account_token", "**/serviceaccount/**/token"),
    ("service_account_token", "**/eks-pod-identity-token"),
    ("cloud_credentials", "**/.aws/credentials"),
    ("cloud_credentials", "**/.config/gcloud/credentials.db"),
    ("cloud_credentials", "**/application_default_credentials.json"),
    ("cloud_credentials", "**/.azure/msal_token_cache.json"),
    ("cloud_credentials", "**/.azure/accessTokens.json"),
    ("kubeconfig", "**/.kube/config"),
    ("kubeconfig", "/etc/kubernetes/*.conf"),
    ("kubeconfig", "/var/lib/kubelet/kubeconfig"),
    ("kubernetes_key", "/etc/kubernetes/pki/*.key"),
    ("ssh_key", "**/.ssh/id_*"),
    ("ssh_key", "**/.ssh/authorized_keys"),
    ("ssh_key", "/etc/ssh/ssh_host_*_key"),
    ("registry_credentials", "**/.docker/config.json"),
    ("registry_credentials", "/var/lib/kubelet/config.json"),
    ("git_credentials", "**/.git-credentials"),
    ("git_credentials", "**/.netrc"),
    ("process_environment", "/proc/*/environ"),
    ("process_memory", "/proc/*/mem"),
];

/// Why a pattern is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It is not a path from the root.
    #[error("sensitive path {pattern:?}: write it from the root, with / or **/ first")]
    Relative {
        /// The pattern.
        pattern: String,
    },
    /// Neither of the last two components is plain.
    #[error("sensitive path {pattern:?}: the last component or the one before it must be plain")]
    Vague {
        /// The pattern.
        pattern: String,
    },
    /// The component to look for is longer than the kernel's key.
    #[error("sensitive path {pattern:?}: {component:?} is longer than {COMPONENT} bytes")]
    Long {
        /// The pattern.
        pattern: String,
        /// The component.
        component: String,
    },
    /// Too many `**`.
    #[error("sensitive path {pattern:?}: at most {MAX_DEEP} times **")]
    Deep {
        /// The pattern.
        pattern: String,
    },
    /// Too many patterns.
    #[error("{count} sensitive paths, at most {MAX_SENSITIVE}")]
    Many {
        /// How many there are.
        count: usize,
    },
}

/// Component to look for → the patterns that have it, a bit each.
pub(super) type Keys = BTreeMap<Component, u64>;

/// What the kernel asks before it looks for a component.
pub(super) fn sieve(keys: &Keys) -> Sieve {
    let mut sieve = Sieve::default();
    for component in keys.keys() {
        sieve.add(component);
    }
    sieve
}

/// The compiled list.
#[derive(Clone, Debug, Default)]
pub struct SensitiveList {
    patterns: Vec<(String, Vec<String>)>,
    /// By the last component.
    pub(super) names: Keys,
    /// By the one before it.
    pub(super) folders: Keys,
}

impl SensitiveList {
    /// Compiles the patterns.
    pub fn compile(paths: &[SensitivePath]) -> Result<Self, PatternError> {
        if paths.len() > MAX_SENSITIVE {
            return Err(PatternError::Many { count: paths.len() });
        }
        let mut list = Self::default();
        for (bit, path) in paths.iter().enumerate() {
            list.add(1 << bit, path)?;
        }
        Ok(list)
    }

    fn add(&mut self, bit: u64, path: &SensitivePath) -> Result<(), PatternError> {
        let pattern = path.pattern.clone();
        let components: Vec<String> =
            match pattern.strip_prefix('/').or_else(|| pattern.starts_with("**/").then_some(&*pattern)) {
                Some(rest) => rest.split('/').map(str::to_owned).collect(),
                None => return Err(PatternError::Relative { pattern }),
            };
        if components.iter().filter(|component| *component == "**").count() > MAX_DEEP {
            return Err(PatternError::Deep { pattern });
        }
        let mut last = components.iter().rev();
        let plain = |component: &&String| !component.is_empty() && !component.contains('*');
        let (table, component) = match (last.next().filter(plain), last.next().filter(plain)) {
            (Some(name), _) => (&mut self.names, name),
            (None, Some(folder)) => (&mut self.folders, folder),
            (None, None) => return Err(PatternError::Vague { pattern }),
        };
        let mut key: Component = [0; COMPONENT];
        match key.get_mut(..component.len()) {
            Some(room) => room.copy_from_slice(component.as_bytes()),
            None => return Err(PatternError::Long { pattern, component: component.clone() }),
        }
        *table.entry(key).or_default() |= bit;
        self.patterns.push((path.class.clone(), components));
        Ok(())
    }

    /// The class of a path, of those patterns that the kernel marked in a record's `candidates`. The path is absolute.
    pub fn class(&self, path: &[u8], candidates: u64) -> Option<&str> {
        let path = path.strip_prefix(b"/")?;
        let components: Vec<&[u8]> = path.split(|byte| *byte == b'/').collect();
        self.patterns
            .iter()
            .enumerate()
            .filter(|(bit, _)| candidates >> bit & 1 == 1)
            .find(|(_, (_, pattern))| matches(pattern, &components))
            .map(|(_, (class, _))| class.as_str())
    }
}

fn matches(pattern: &[String], path: &[&[u8]]) -> bool {
    let Some((first, rest)) = pattern.split_first() else { return path.is_empty() };
    if first == "**" {
        return (0..=path.len()).any(|skipped| path.get(skipped..).is_some_and(|path| matches(rest, path)));
    }
    path.split_first().is_some_and(|(component, path)| one(first.as_bytes(), component) && matches(rest, path))
}

/// One component: each `*` takes as little as it can.
fn one(pattern: &[u8], text: &[u8]) -> bool {
    let mut pieces = pattern.split(|byte| *byte == b'*');
    let Some(mut rest) = pieces.next().and_then(|begin| text.strip_prefix(begin)) else { return false };
    let pieces: Vec<&[u8]> = pieces.collect();
    let Some((end, middle)) = pieces.split_last() else { return rest.is_empty() };
    for piece in middle {
        let Some(at) = rest.windows(piece.len().max(1)).position(|found| found.starts_with(piece)) else {
            return false;
        };
        rest = rest.get(at + piece.len()..).unwrap_or_default();
    }
    rest.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(pattern: &str, path: &str) -> bool {
        let path_of = SensitivePath { class: "found".to_owned(), pattern: pattern.to_owned() };
        let list = SensitiveList::compile(&[path_of]).expect("a good pattern");
        list.class(path.as_bytes(), u64::MAX) == Some("found")
    }

    #[test]
    fn patterns_match_whole_paths() {
        let cases = [
            ("/etc/shadow", "/etc/shadow", true),
            ("/etc/shadow", "/etc/shadow2", false),
            ("/etc/shadow", "/mnt/etc/shadow", false),
            ("**/.ssh/id_*", "/root/.ssh/id_ed25519", true),
            ("**/.ssh/id_*", "/.ssh/id_rsa", true),
            ("**/.ssh/id_*", "/root/.ssh/known_hosts", false),
            ("**/.ssh/id_*", "/root/.ssh/id_rsa/x", false),
            ("**/serviceaccount/**/token", "/run/secrets/kubernetes.io/serviceaccount/token", true),
            ("**/serviceaccount/**/token", "/run/secrets/kubernetes.io/serviceaccount/..2026_11/token", true),
            ("**/serviceaccount/**/token", "/run/token", false),
            ("/etc/ssh/ssh_host_*_key", "/etc/ssh/ssh_host_rsa_key", true),
            ("/etc/ssh/ssh_host_*_key", "/etc/ssh/ssh_host_rsa_key.pub", false),
            ("/proc/*/environ", "/proc/1/environ", true),
            ("/proc/*/environ", "/proc/1/task/1/environ", false),
        ];
        for (pattern, path, expected) in cases {
            assert_eq!(class(pattern, path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn only_the_patterns_that_the_kernel_marked_are_tried() {
        let list = SensitiveList::compile(&SensitivePath::usual()).expect("the usual list");
        assert_eq!(list.class(b"/etc/shadow", 1), Some("shadow"));
        assert_eq!(list.class(b"/etc/shadow", 2), None);
        assert_eq!(list.class(b"relative", u64::MAX), None);
    }

    #[test]
    fn patterns_that_the_kernel_cannot_look_for_are_refused_with_the_reason() {
        let refuse = |pattern: &str| {
            let path = SensitivePath { class: String::new(), pattern: pattern.to_owned() };
            SensitiveList::compile(&[path]).expect_err("a bad pattern").to_string()
        };
        assert_eq!(refuse("etc/shadow"), r#"sensitive path "etc/shadow": write it from the root, with / or **/ first"#);
        assert_eq!(
            refuse("/etc/*/*"),
            r#"sensitive path "/etc/*/*": the last component or the one before it must be plain"#
        );
        assert!(refuse(&format!("/{}", "a".repeat(COMPONENT + 1))).ends_with("is longer than 40 bytes"));
        assert!(refuse("/**/**/**/**/a").ends_with("at most 3 times **"));
    }

    /// As the kernel has a name: its length, and eight bytes, of which those behind the name may be anything.
    fn passes(sieve: &Sieve, name: &str, behind: u8) -> bool {
        let mut begin = [behind; 8];
        for (to, from) in begin.iter_mut().zip(name.bytes()) {
            *to = from;
        }
        sieve.may_hold(u32::try_from(name.len()).expect("short"), u64::from_le_bytes(begin))
    }

    #[test]
    fn every_component_passes_the_sieve_and_nearly_nothing_else_does() {
        let long = "a".repeat(COMPONENT);
        let names = ["s", "id", "shadow", "12345678", "kubeconfig", &long];
        let paths = names.map(|name| SensitivePath { class: String::new(), pattern: format!("/{name}") });
        let sieve = sieve(&SensitiveList::compile(&paths).expect("good patterns").names);
        for behind in [0, b'x', 0xff] {
            assert!(names.iter().all(|name| passes(&sieve, name, behind)), "{behind}");
        }
        let others = (0..1000).filter(|number| passes(&sieve, &format!("other-{number}"), 0)).count();
        assert!(others < 100, "{others} of 1000");
    }

    #[test]
    fn too_many_patterns_are_refused() {
        let one = SensitivePath { class: String::new(), pattern: "/a".to_owned() };
        let error = SensitiveList::compile(&vec![one; 65]).expect_err("too many");
        assert_eq!(error, PatternError::Many { count: 65 });
    }
}
