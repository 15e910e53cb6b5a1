//! Container runtimes, asked for the names of containers over the Kubernetes Container Runtime Interface.
//!
//! Takes the sockets of the configuration; gives a [`Link`] for the container table and a [`Session`] for each socket. The two speak
//! through bounded channels: the table asks and goes on, an answer comes when it comes. Only calls that read are made. A runtime names
//! containers that the kernel has told of; it never makes one, ends one, or says which cgroup is whose.

mod client;
pub mod facts;
mod queue;
mod session;
pub mod standing;

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::mpsc;

pub use facts::Facts;
use queue::Asks;
pub use session::Session;
use standing::{Standing, Standings};

/// Answers that may wait for the table, which looks every few milliseconds; when it is full the session waits.
const TOLD: usize = 512;

/// The table's end: asks every runtime, takes what any of them said.
#[derive(Debug)]
pub struct Link {
    asks: Vec<Asks>,
    told: mpsc::Receiver<Facts>,
    standings: Standings,
}

impl Link {
    /// Asks for a container. Never waits: where too many wait it is dropped and counted, the table asks again, and a runtime that comes
    /// back lists what it has.
    pub fn ask(&self, id: &str) {
        for (runtime, ask) in self.asks.iter().enumerate() {
            if ask.push(id).is_err() {
                self.standings.change(runtime, |standing| standing.dropped += 1);
            }
        }
    }

    /// The next answer, if one is there.
    pub fn answer(&mut self) -> Option<Facts> {
        self.told.try_recv().ok()
    }

    /// Says that an answer was refused because it contradicts what the kernel says.
    pub fn refuse(&self, facts: &Facts, why: String) {
        self.standings.refuse(facts.from, why);
    }
}

/// One session for each socket, and the table's link to all of them; no link where there is no socket to ask.
pub fn open(sockets: &[PathBuf], timeout: Duration, standings: &Standings) -> (Option<Link>, Vec<Session>) {
    standings.set(sockets.iter().map(|socket| Standing::new(socket)).collect());
    let (tell, told) = mpsc::channel(TOLD);
    let mut asks = Vec::new();
    let sessions = sockets.iter().enumerate().map(|(from, socket)| {
        let (ask, asked) = queue::open();
        asks.push(ask);
        Session::new(from, (socket.clone(), timeout), asked, tell.clone(), standings.clone())
    });
    let sessions: Vec<Session> = sessions.collect();
    let link = (!sockets.is_empty()).then(|| Link { asks, told, standings: standings.clone() });
    (link, sessions)
}

/// Asks who answers at a socket: for a person who looks whether the configuration is right.
pub async fn who(socket: &Path, timeout: Duration) -> Result<String, String> {
    let words = |error: client::CallError| error.to_string();
    let mut client = client::Client::connect(socket, timeout).await.map_err(words)?;
    let about = client.version().await.map_err(words)?;
    Ok(format!("{} {}", about.name, about.version))
}

#[cfg(test)]
mod tests;
