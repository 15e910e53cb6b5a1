//! `mayfly-agent ready`: whether the agent on this node works, for a readiness probe. Takes the picture that the running agent keeps in
//! its folder; gives what is missing. Asks nobody, so that a busy agent still answers.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use crate::clock::Clock;
use crate::config::Config;
use crate::health::Picture;

/// The picture is made anew every five seconds.
const FRESH: Duration = Duration::from_secs(20);

/// A picture is a page of JSON.
const PICTURE_BYTES: u64 = 1 << 20;

/// Why the node is not ready.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    /// No agent has written a picture.
    #[error("read {path}: is an agent running?")]
    Picture {
        /// Where it should be.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: io::Error,
    },
    /// The agent that wrote it is gone, or hangs.
    #[error("{path} is {seconds} s old: the agent does not run, or hangs")]
    Old {
        /// The picture.
        path: PathBuf,
        /// Its age.
        seconds: u64,
    },
    /// Something is missing.
    #[error("{}", .0.join("\n"))]
    Lacks(Vec<String>),
}

/// Looks at the picture.
pub fn ready(config: &Config) -> Result<(), NotReady> {
    let path = config.data.join("health.json");
    let failed = |cause| NotReady::Picture { path: path.clone(), cause };
    let facts = fs::metadata(&path).map_err(failed)?;
    let written = facts.modified().map_err(failed)?.duration_since(UNIX_EPOCH).unwrap_or_default();
    let age = Duration::from_nanos(Clock::system().now().wall_ns).saturating_sub(written);
    if age > FRESH {
        return Err(NotReady::Old { path, seconds: age.as_secs() });
    }
    if facts.len() > PICTURE_BYTES {
        return Err(failed(io::Error::other("larger than any picture")));
    }
    let bytes = fs::read(&path).map_err(failed)?;
    let picture: Picture = serde_json::from_slice(&bytes).map_err(|error| failed(error.into()))?;
    if picture.ready { Ok(()) } else { Err(NotReady::Lacks(picture.lacks)) }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::SystemTime;

    use super::*;
    use crate::health::Health;

    fn check(folder: &tempfile::TempDir) -> String {
        let config = Config { data: folder.path().to_owned(), ..Config::default() };
        ready(&config).err().map_or_else(String::new, |error| error.to_string())
    }

    #[test]
    fn a_node_is_ready_when_its_agent_says_so_and_lives() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("health.json");
        assert!(check(&folder).ends_with("is an agent running?"));
        let health = Health::default();
        health.show(&path).expect("writable");
        assert_eq!(check(&folder), "the first round of the canary is not over");
        health.set_lacks(vec!["a".to_owned(), "b".to_owned()]);
        health.show(&path).expect("writable");
        assert_eq!(check(&folder), "a\nb");
        health.set_lacks(Vec::new());
        health.show(&path).expect("writable");
        assert_eq!(check(&folder), "");
        let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        File::options().write(true).open(&path).and_then(|file| file.set_modified(long_ago)).expect("its own file");
        assert!(check(&folder).ends_with("the agent does not run, or hangs"));
    }
}
