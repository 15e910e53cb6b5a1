//! The rules that come with Mayfly, embedded.
//!
//! Takes nothing; gives (file, text) pairs as [`Engine::load`](crate::Engine::load) takes them. It never reads a disk:
//! a directory given at run time is read by whoever has one and laid over by [`overlay`].

/// The embedded files, by path under `content/`.
pub fn content() -> &'static [(&'static str, &'static str)] {
    FILES
}

/// The embedded files under the given ones: a file of the same path replaces an embedded one, others are added.
pub fn overlay(files: Vec<(String, String)>) -> Vec<(String, String)> {
    let mut all: Vec<_> = (content().iter())
        .filter(|(path, _)| !files.iter().any(|(other, _)| other == path))
        .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
        .collect();
    all.extend(files);
    all
}

macro_rules! files {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../content/", $path)))),*]
    };
}

const FILES: &[(&str, &str)] = files![];
