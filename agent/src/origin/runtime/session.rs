//! The talk with one container runtime, for as long as the agent runs. Takes ids that the container table asks for; gives facts. A
//! runtime that is absent, down or slow is tried again ever later; each call has its time, and nobody waits for it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use proto::cri;
use tokio::sync::{mpsc, watch};
use tonic::{Status, Streaming};

use super::client::{About, CallError, Client};
use super::facts::{Facts, names, runtime};
use super::queue::Asked;
use super::standing::Standings;
use crate::deliver::backoff::Backoff;
use crate::origin::bundle::Names;

/// Waits between two attempts to reach a runtime. A socket that is not there costs a look at its path.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));
/// Containers that are asked for one by one after a connection: what a node runs, several times over.
const LISTED: usize = 4096;
/// Pods whose names are kept, so that each container of one does not ask again. All are forgotten when it is full.
const PODS: usize = 1024;
/// Calls in a row that fail before the connection is given up.
const FAILURES: u32 = 3;

/// One runtime's.
#[derive(Debug)]
pub struct Session {
    ground: Ground,
    asked: Asked,
}

/// What holds over all connections.
#[derive(Debug)]
struct Ground {
    from: usize,
    socket: PathBuf,
    timeout: Duration,
    told: mpsc::Sender<Facts>,
    standings: Standings,
}

/// The runtime's own word on what happens, where it has one.
enum Events {
    Opening(Pin<Box<dyn Future<Output = Result<Streaming<cri::ContainerEventResponse>, Status>> + Send>>),
    Open(Box<Streaming<cri::ContainerEventResponse>>),
    /// The runtime has no such call, or ended it: the kernel's announcements of cgroups are enough to ask by.
    None,
}

/// A connection that stands.
struct Talk<'a> {
    client: Client,
    about: About,
    pods: HashMap<String, cri::PodSandboxMetadata>,
    failures: u32,
    ground: &'a Ground,
}

/// The container table is gone: nobody is left to tell.
struct Unheard;

impl Session {
    pub(super) fn new(
        from: usize,
        (socket, timeout): (PathBuf, Duration),
        asked: Asked,
        told: mpsc::Sender<Facts>,
        standings: Standings,
    ) -> Self {
        Self { ground: Ground { from, socket, timeout, told, standings }, asked }
    }

    /// Talks until it is stopped, or until nobody listens.
    pub async fn run(mut self, mut stopped: watch::Receiver<bool>) {
        let ground = &self.ground;
        let mut backoff = Backoff::new(RETRY.0, RETRY.1, ground.from as u64 + u64::from(std::process::id()));
        while !ground.told.is_closed() {
            let talked = tokio::select! {
                _ = stopped.wait_for(|stop| *stop) => return,
                talked = ground.talk(&mut self.asked, &mut backoff) => talked,
            };
            if let Err(error) = talked {
                ground.standings.state(ground.from, &error.to_string());
            }
            tokio::select! {
                _ = stopped.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(backoff.wait()) => {}
            }
        }
    }
}

impl Ground {
    /// One connection, to its end.
    async fn talk(&self, asked: &mut Asked, backoff: &mut Backoff) -> Result<(), CallError> {
        let mut client = Client::connect(&self.socket, self.timeout).await?;
        let about = client.version().await?;
        let says = format!("{} {}", about.name, about.version);
        self.standings.change(self.from, |standing| standing.runtime = says);
        self.standings.state(self.from, "asked");
        let mut events = Events::Opening(Box::pin(client.events()));
        // What was asked while it was away is in the list, or no longer known.
        asked.clear();
        let mut talk = Talk { client, about, pods: HashMap::new(), failures: 0, ground: self };
        talk.list().await?;
        backoff.reset();
        loop {
            let heard = tokio::select! {
                id = asked.next() => match id {
                    Some(id) => talk.look(&id).await?,
                    None => Err(Unheard),
                },
                event = events.next() => match event {
                    Some(event) => talk.hear(event).await,
                    None => Ok(()),
                },
            };
            if heard.is_err() {
                return Ok(());
            }
        }
    }
}

impl Events {
    /// The next event, `None` where the stream ended just now. Waits for ever where there is no stream.
    async fn next(&mut self) -> Option<cri::ContainerEventResponse> {
        if let Self::Opening(opening) = self {
            *self = match opening.await {
                Ok(stream) => Self::Open(Box::new(stream)),
                Err(_) => Self::None,
            };
        }
        let Self::Open(stream) = self else { return std::future::pending().await };
        let event = stream.message().await.ok().flatten();
        if event.is_none() {
            *self = Self::None;
        }
        event
    }
}

impl Talk<'_> {
    /// Everything that the runtime still knows, those that ended included.
    async fn list(&mut self) -> Result<(), CallError> {
        for sandbox in self.client.sandboxes(PODS).await? {
            if let Some(pod) = sandbox.metadata {
                self.pods.insert(sandbox.id, pod);
            }
        }
        let pods: Vec<String> = self.pods.keys().cloned().collect();
        for id in pods {
            let names = names(None, self.pods.get(&id));
            if self.tell(id, names).await.is_err() {
                return Ok(());
            }
        }
        for container in self.client.containers(LISTED).await? {
            let pod = self.pods.get(&container.pod_sandbox_id).cloned();
            let Some(status) = self.checked(&container.id).await? else { continue };
            if self.tell(container.id, names(Some(&status), pod.as_ref())).await.is_err() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// One container, or the sandbox of a pod, by its id.
    async fn look(&mut self, id: &str) -> Result<Result<(), Unheard>, CallError> {
        if let Some(status) = self.checked(id).await? {
            let pod = self.pod_of(id).await?;
            return Ok(self.tell(id.to_owned(), names(Some(&status), pod.as_ref())).await);
        }
        if let Some(pod) = self.pod(id).await? {
            return Ok(self.tell(id.to_owned(), names(None, Some(&pod))).await);
        }
        self.ground.standings.change(self.ground.from, |standing| standing.unknown += 1);
        Ok(Ok(()))
    }

    /// What an event brings with it: the statuses are of the pod's containers, whichever of them it is about.
    async fn hear(&mut self, event: cri::ContainerEventResponse) -> Result<(), Unheard> {
        let pod = event.pod_sandbox_status.and_then(|status| status.metadata);
        for status in event.containers_statuses.iter().filter(|status| status.id == event.container_id) {
            self.tell(status.id.clone(), names(Some(status), pod.as_ref())).await?;
        }
        Ok(())
    }

    /// The status of a container, if the runtime knows it. One that is of another container is refused.
    async fn checked(&mut self, id: &str) -> Result<Option<cri::ContainerStatus>, CallError> {
        let answer = self.client.container(id).await;
        let Some(status) = self.weigh(answer)? else { return Ok(None) };
        if status.id == id {
            return Ok(Some(status));
        }
        self.other(id, &status.id);
        Ok(None)
    }

    /// The pod of a container.
    async fn pod_of(&mut self, id: &str) -> Result<Option<cri::PodSandboxMetadata>, CallError> {
        let answer = self.client.sandbox_of(id).await;
        match self.weigh(answer)? {
            Some(sandbox) => self.pod(&sandbox).await,
            None => Ok(None),
        }
    }

    async fn pod(&mut self, sandbox: &str) -> Result<Option<cri::PodSandboxMetadata>, CallError> {
        if let Some(known) = self.pods.get(sandbox) {
            return Ok(Some(known.clone()));
        }
        let answer = self.client.sandbox(sandbox).await;
        let Some(status) = self.weigh(answer)? else { return Ok(None) };
        if status.id != sandbox {
            self.other(sandbox, &status.id);
            return Ok(None);
        }
        if self.pods.len() >= PODS {
            self.pods.clear();
        }
        if let Some(pod) = &status.metadata {
            self.pods.insert(sandbox.to_owned(), pod.clone());
        }
        Ok(status.metadata)
    }

    /// An answer, nothing where the runtime does not know or fails now and then, an error where it goes on failing.
    fn weigh<T>(&mut self, answer: Result<T, CallError>) -> Result<Option<T>, CallError> {
        match answer {
            Ok(answer) => {
                self.failures = 0;
                Ok(Some(answer))
            }
            Err(CallError::Unknown { .. }) => Ok(None),
            Err(error) => {
                self.failures += 1;
                self.ground.standings.change(self.ground.from, |standing| standing.failed += 1);
                if self.failures < FAILURES { Ok(None) } else { Err(error) }
            }
        }
    }

    fn other(&self, asked: &str, told: &str) {
        let (asked, told) = (crate::origin::bundle::bounded(asked), crate::origin::bundle::bounded(told));
        self.ground.standings.refuse(self.ground.from, format!("asked for {asked}, it told of {told}"));
    }

    async fn tell(&self, id: String, names: Names) -> Result<(), Unheard> {
        let from = self.ground.from;
        self.ground.standings.change(from, |standing| standing.named += 1);
        let facts = Facts { id, from, runtime: runtime(&self.about.name), names };
        self.ground.told.send(facts).await.map_err(|_| Unheard)
    }
}
