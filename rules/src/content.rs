//! The rules that come with Mayfly, embedded.
//!
//! Takes nothing; gives (file, text) pairs as [`Engine::load`](crate::Engine::load) takes them. It never reads a disk:
//! a directory given at run time is read by whoever has one and laid over by [`overlay`].

/// What the build script found.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/content.rs"));

/// Rules about audit logs, which no node has.
const CLOUD: &str = "cloud/";

/// The embedded files, by path under `content/`, in order of the paths.
pub fn content() -> &'static [(&'static str, &'static str)] {
    FILES
}

/// Those about what a node sees itself: a node that loaded the others would hold them for nothing.
pub fn node_content() -> impl Iterator<Item = (&'static str, &'static str)> {
    FILES.iter().copied().filter(|(path, _)| !path.starts_with(CLOUD))
}

/// Embedded files under the given ones: a file of the same path replaces an embedded one, others are added.
pub fn overlay(
    embedded: impl IntoIterator<Item = (&'static str, &'static str)>,
    files: Vec<(String, String)>,
) -> Vec<(String, String)> {
    let mut all: Vec<_> = (embedded.into_iter())
        .filter(|(path, _)| !files.iter().any(|(other, _)| other == path))
        .map(|(path, text)| (path.to_owned(), text.to_owned()))
        .collect();
    all.extend(files);
    all
}
