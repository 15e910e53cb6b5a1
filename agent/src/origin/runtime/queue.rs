//! Containers that wait to be asked for. Takes ids from the table, which asks again and again until it has an answer; gives each once, the
//! first that was asked for first. Bounded.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;

/// Ids that may wait for one runtime.
const ASKED: usize = 512;

/// Those that wait.
type Waiting = Arc<Mutex<HashSet<String>>>;

/// The table's end.
#[derive(Debug)]
pub(super) struct Asks {
    send: mpsc::Sender<String>,
    waiting: Waiting,
}

/// The runtime's end.
#[derive(Debug)]
pub(super) struct Asked {
    received: mpsc::Receiver<String>,
    waiting: Waiting,
}

/// No more fit, or nobody is there to ask.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Dropped;

pub(super) fn open() -> (Asks, Asked) {
    let (send, received) = mpsc::channel(ASKED);
    let waiting = Waiting::default();
    (Asks { send, waiting: Arc::clone(&waiting) }, Asked { received, waiting })
}

impl Asks {
    /// One that waits already waits on. Never waits itself.
    pub(super) fn push(&self, id: &str) -> Result<(), Dropped> {
        let mut waiting = lock(&self.waiting);
        if waiting.contains(id) {
            return Ok(());
        }
        self.send.try_send(id.to_owned()).map_err(|_| Dropped)?;
        waiting.insert(id.to_owned());
        Ok(())
    }
}

impl Asked {
    /// The next one, when it is there; nothing where nobody asks any more.
    pub(super) async fn next(&mut self) -> Option<String> {
        let id = self.received.recv().await?;
        lock(&self.waiting).remove(&id);
        Some(id)
    }

    /// Forgets all that wait.
    pub(super) fn clear(&mut self) {
        while let Ok(id) = self.received.try_recv() {
            lock(&self.waiting).remove(&id);
        }
    }
}

fn lock(waiting: &Waiting) -> MutexGuard<'_, HashSet<String>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::{ASKED, Dropped, open};

    #[tokio::test]
    async fn whoever_is_asked_for_twice_waits_once_and_may_be_asked_for_again() {
        let (asks, mut asked) = open();
        for id in ["a", "b", "a", "a"] {
            asks.push(id).expect("there is room");
        }
        assert_eq!((asked.next().await.as_deref(), asked.next().await.as_deref()), (Some("a"), Some("b")));
        asks.push("a").expect("there is room");
        assert_eq!(asked.next().await.as_deref(), Some("a"));
        drop(asks);
        assert_eq!(asked.next().await, None);
    }

    #[tokio::test]
    async fn a_full_queue_drops_and_one_that_was_forgotten_has_room() {
        let (asks, mut asked) = open();
        for number in 0..ASKED {
            asks.push(&number.to_string()).expect("there is room");
        }
        assert_eq!((asks.push("more"), asks.push("0")), (Err(Dropped), Ok(())));
        asked.clear();
        asks.push("0").expect("there is room");
        assert_eq!(asked.next().await.as_deref(), Some("0"));
    }
}
