//! What ails the collector now, in words for the one who runs it. Takes a part's name and its complaint; gives the list. Holds no
//! history: what was lost is in the store.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The complaints of all parts. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Health {
    complaints: Arc<Mutex<BTreeMap<&'static str, String>>>,
}

impl Health {
    /// A part works again.
    pub fn well(&self, part: &'static str) {
        let mut complaints = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
        if complaints.remove(part).is_some() {
            tracing::info!(part, "works again");
        }
    }

    /// A part does not work, and why.
    pub fn ill(&self, part: &'static str, why: &str) {
        let mut complaints = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
        if complaints.insert(part, why.to_owned()).as_deref() != Some(why) {
            tracing::error!(part, why, "does not work");
        }
    }

    /// Every complaint: part and reason.
    pub fn complaints(&self) -> Vec<(String, String)> {
        let complaints = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
        complaints.iter().map(|(part, why)| ((*part).to_owned(), why.clone())).collect()
    }
}
