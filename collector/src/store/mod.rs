//! All that outlives the process, behind three seams: [`events`] (landing log and lake), [`state`] (`SQLite`), [`evidence`]
//! (content-addressed objects), and the [`journal`] beside them. Takes a data directory; gives them opened and recovered.

pub mod events;
pub mod evidence;
pub mod journal;
pub mod state;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;

use crate::clock::Clock;
use crate::config::StoreConfig;
use crate::health::Health;
use events::Events;
use events::landing::Writer;
use evidence::Evidence;
use journal::{Journal, JournalError};
use state::{State, StateError};

/// Why the store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A folder cannot be made.
    #[error("make folder {path}")]
    Folder {
        /// Which one.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: io::Error,
    },
    /// Another collector uses the directory.
    #[error("{path} is in use by another collector")]
    InUse {
        /// The lock file.
        path: PathBuf,
    },
    /// The object store refuses.
    #[error("open the object store")]
    Objects(#[from] object_store::Error),
    /// The database refuses.
    #[error("open the state")]
    State(#[from] StateError),
    /// The landing log is damaged.
    #[error("open the landing log")]
    Landing(#[from] events::recover::RecoverError),
    /// The journal is damaged.
    #[error("open the journal")]
    Journal(#[from] JournalError),
}

/// Everything that is kept. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    /// What nodes and clouds told.
    pub events: Events,
    /// What is known and was done.
    pub state: State,
    /// Bytes that can be proven.
    pub evidence: Evidence,
    /// Who did what to which case.
    pub journal: Journal,
    /// The data directory.
    pub directory: PathBuf,
    // Held for as long as the store is: the kernel gives it back when the process ends, however it ends.
    _lock: Arc<std::fs::File>,
}

impl Store {
    /// Opens the data directory. The writer has to be run for anything to be written to the landing log.
    pub async fn open(
        directory: &Path,
        config: &StoreConfig,
        clock: &Clock,
        health: &Health,
    ) -> Result<(Self, Writer), OpenError> {
        for folder in ["landing", "objects", "incoming"] {
            let path = directory.join(folder);
            std::fs::create_dir_all(&path).map_err(|cause| OpenError::Folder { path, cause })?;
        }
        let lock = lock(&directory.join("lock"))?;
        let state = State::open(&directory.join("state.sqlite")).await?;
        let lake = LocalFileSystem::new_with_prefix(directory.join("objects"))?.with_fsync(true);
        let objects: Arc<dyn ObjectStore> = Arc::new(lake);
        let journal = Journal::open(&directory.join("journal.jsonl"), clock.clone())?;
        let evidence = Evidence::new(objects.clone(), state.clone(), clock.clone());
        let (events, writer) =
            Events::open(&directory.join("landing"), objects, state.clone(), config, health.clone()).await?;
        let store = Self { events, state, evidence, journal, directory: directory.to_owned(), _lock: Arc::new(lock) };
        Ok((store, writer))
    }
}

fn lock(path: &Path) -> Result<std::fs::File, OpenError> {
    let made = |cause| OpenError::Folder { path: path.to_owned(), cause };
    let file = std::fs::OpenOptions::new().write(true).create(true).truncate(false).open(path).map_err(made)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(OpenError::InUse { path: path.to_owned() }),
        Err(std::fs::TryLockError::Error(cause)) => Err(made(cause)),
    }
}
