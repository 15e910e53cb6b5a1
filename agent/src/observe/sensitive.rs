//! The list of sensitive paths: files whose mere opening tells something (credentials, tokens, keys).
//!
//! Takes patterns and the paths that the kernel programs let through; gives the class of a path. The kernel compares one
//! component of a pattern ([`Pattern::key`]), the rest is compared here. Never reads a file.

/// Most patterns: a record marks each with a bit.
pub const PATTERNS: usize = 64;
/// The kernel compares components of fewer bytes than this.
const COMPONENT: usize = 32;

/// One line of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// What a path of this form is: `service_account_token`, `shadow`, …
    pub class: String,
    /// The form: absolute; `*` stands for any part of one component, `**` for any number of components.
    pub path: String,
}

/// The component of a pattern by which the kernel finds candidates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key<'a> {
    /// The file's own name.
    Name(&'a str),
    /// The name of the folder that the file is in: the file's own name is any.
    Folder(&'a str),
}

/// Why a list cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// More patterns than bits.
    #[error("{count} sensitive paths, at most {PATTERNS} are allowed")]
    TooMany {
        /// How many there are.
        count: usize,
    },
    /// The form is not absolute.
    #[error("sensitive path {path:?} does not begin with \"/\"")]
    Relative {
        /// The form.
        path: String,
    },
    /// Neither the file's nor its folder's name is fixed and short enough for the kernel to look for.
    #[error("sensitive path {path:?} has no fixed name of fewer than {COMPONENT} bytes in its last two components")]
    NoKey {
        /// The form.
        path: String,
    },
}

impl Pattern {
    /// A pattern.
    pub fn new(class: &str, path: &str) -> Self {
        Self { class: class.to_owned(), path: path.to_owned() }
    }

    /// What the kernel looks for; `None` where neither of the last two components is fixed.
    pub fn key(&self) -> Option<Key<'_>> {
        let fixed = |text: &&str| !text.is_empty() && !text.contains('*') && text.len() < COMPONENT;
        let mut last = self.path.rsplit('/');
        let (name, folder) = (last.next(), last.next());
        name.filter(fixed).map(Key::Name).or_else(|| folder.filter(fixed).map(Key::Folder))
    }

    fn fits(&self, components: &[&[u8]]) -> bool {
        let form: Vec<&[u8]> = self.path.as_bytes().split(|&byte| byte == b'/').skip(1).collect();
        fits(
            &form,
            components,
            |component| component == b"**",
            |form, text| fits(form, text, |&byte| byte == b'*', |form, byte| form == byte),
        )
    }
}

/// Whether `text` has the form, where a part of it for which `many` holds stands for any number of parts. Looks back to the
/// last such part only: the work is at most the product of both lengths.
fn fits<F, T>(form: &[F], text: &[T], many: impl Fn(&F) -> bool, one: impl Fn(&F, &T) -> bool) -> bool {
    let (mut at, mut read) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    loop {
        match (form.get(at), text.get(read)) {
            (None, None) => return true,
            (Some(part), _) if many(part) => {
                back = Some((at + 1, read));
                at += 1;
                continue;
            }
            (Some(part), Some(piece)) if one(part, piece) => {
                at += 1;
                read += 1;
                continue;
            }
            _ => {}
        }
        let Some((after, from)) = back.filter(|(_, from)| *from < text.len()) else { return false };
        back = Some((after, from + 1));
        (at, read) = (after, from + 1);
    }
}

/// The list, ready to compare.
#[derive(Debug, Clone)]
pub struct Sensitive {
    patterns: Vec<Pattern>,
}

impl Default for Sensitive {
    /// What holds credentials on most machines. The kernel resolves links, so a mounted token is below a dated folder, and
    /// `/var/run` is `/run`.
    fn default() -> Self {
        let list = [
            ("service_account_token", "/**/secrets/kubernetes.io/serviceaccount/**/token"),
            ("web_identity_token", "/**/secrets/eks.amazonaws.com/serviceaccount/**/token"),
            ("web_identity_token", "/**/secrets/azure/tokens/**/azure-identity-token"),
            ("web_identity_token", "/**/secrets/pods.eks.amazonaws.com/serviceaccount/**/eks-pod-identity-token"),
            ("shadow", "/**/etc/shadow"),
            ("shadow", "/**/etc/gshadow"),
            ("shadow", "/**/etc/shadow-"),
            ("ssh_key", "/**/.ssh/id_rsa"),
            ("ssh_key", "/**/.ssh/id_ecdsa"),
            ("ssh_key", "/**/.ssh/id_ed25519"),
            ("ssh_key", "/**/etc/ssh/ssh_host_rsa_key"),
            ("ssh_key", "/**/etc/ssh/ssh_host_ecdsa_key"),
            ("ssh_key", "/**/etc/ssh/ssh_host_ed25519_key"),
            ("ssh_authorized_keys", "/**/.ssh/authorized_keys"),
            ("cloud_credential", "/**/.aws/credentials"),
            ("cloud_credential", "/**/gcloud/application_default_credentials.json"),
            ("cloud_credential", "/**/gcloud/credentials.db"),
            ("cloud_credential", "/**/.azure/msal_token_cache.json"),
            ("registry_credential", "/**/.docker/config.json"),
            ("kubeconfig", "/**/.kube/config"),
            ("kubeconfig", "/etc/kubernetes/admin.conf"),
            ("kubeconfig", "/etc/rancher/k3s/k3s.yaml"),
        ];
        let patterns = list.iter().map(|(class, path)| Pattern::new(class, path)).collect();
        Self { patterns }
    }
}

impl Sensitive {
    /// A list.
    pub fn new(patterns: Vec<Pattern>) -> Result<Self, Unusable> {
        if patterns.len() > PATTERNS {
            return Err(Unusable::TooMany { count: patterns.len() });
        }
        if let Some(pattern) = patterns.iter().find(|pattern| !pattern.path.starts_with('/')) {
            return Err(Unusable::Relative { path: pattern.path.clone() });
        }
        if let Some(pattern) = patterns.iter().find(|pattern| pattern.key().is_none()) {
            return Err(Unusable::NoKey { path: pattern.path.clone() });
        }
        Ok(Self { patterns })
    }

    /// The patterns: the position of each is its bit.
    pub fn patterns(&self) -> &[Pattern] {
        &self.patterns
    }

    /// The class of a path, among the patterns whose bits are set. A path that lost its beginning is compared by its end.
    pub fn class(&self, candidates: u64, path: &[u8]) -> Option<&str> {
        if candidates == 0 {
            return None;
        }
        let components: Vec<&[u8]> = path.split(|&byte| byte == b'/').filter(|part| !part.is_empty()).collect();
        let marked = self.patterns.iter().enumerate().filter(|(bit, _)| candidates >> bit & 1 == 1);
        marked
            .map(|(_, pattern)| pattern)
            .find(|pattern| pattern.fits(&components))
            .map(|pattern| pattern.class.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str) -> String {
        Sensitive::default().class(u64::MAX, path.as_bytes()).unwrap_or("-").to_owned()
    }

    #[test]
    fn paths_of_credentials_have_their_class() {
        let table = [
            ("/run/secrets/kubernetes.io/serviceaccount/..2026_11_21/token", "service_account_token"),
            ("/var/run/secrets/kubernetes.io/serviceaccount/token", "service_account_token"),
            ("/run/secrets/eks.amazonaws.com/serviceaccount/..2026/token", "web_identity_token"),
            ("/etc/shadow", "shadow"),
            ("/rootfs/etc/shadow", "shadow"),
            ("/home/a/.ssh/id_ed25519", "ssh_key"),
            ("/root/.aws/credentials", "cloud_credential"),
            ("/root/.kube/config", "kubeconfig"),
            ("/home/a/token", "-"),
            ("/home/a/config", "-"),
            ("/etc/shadow/x", "-"),
            ("", "-"),
        ];
        for (path, class) in table {
            assert_eq!(check(path), class, "{path}");
        }
    }

    #[test]
    fn only_patterns_whose_bit_the_kernel_set_are_compared() {
        assert_eq!(Sensitive::default().class(1, b"/etc/shadow"), None);
        assert_eq!(Sensitive::default().class(1 << 4, b"/etc/shadow"), Some("shadow"));
    }

    #[test]
    fn a_star_stays_in_its_component() {
        let list = Sensitive::new(vec![Pattern::new("key", "/a/*/keys/id_*")]).expect("the list is right");
        assert_eq!(list.patterns()[0].key(), Some(Key::Folder("keys")));
        assert_eq!(list.class(1, b"/a/b/keys/id_rsa"), Some("key"));
        assert_eq!(list.class(1, b"/a/b/c/keys/id_rsa"), None);
        assert_eq!(list.class(1, b"/a/b/keys/x_id_rsa"), None);
    }

    #[test]
    fn a_list_that_the_kernel_cannot_look_for_is_refused() {
        let one =
            |path: &str| Sensitive::new(vec![Pattern::new("x", path)]).map(|_| ()).expect_err("refused").to_string();
        assert_eq!(one("etc/x"), r#"sensitive path "etc/x" does not begin with "/""#);
        assert!(one("/a/*/*").contains("no fixed name"));
        assert!(Sensitive::new(vec![Pattern::new("x", "/a"); 65]).is_err());
        assert_eq!(Sensitive::new(Sensitive::default().patterns).map(|_| ()), Ok(()));
    }

    proptest::proptest! {
        #[test]
        fn any_path_is_compared_without_a_panic(path in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..512)) {
            Sensitive::default().class(u64::MAX, &path);
        }
    }
}
