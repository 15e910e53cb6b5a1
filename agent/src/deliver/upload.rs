//! Captures on their way. Takes what the spool holds and the collector's acknowledgements; gives the next message to send: the
//! manifest, then each artifact from the byte that the collector asks for. One artifact at a time, read in chunks, so a capture
//! of any size costs one chunk of memory.

use std::collections::{BTreeSet, VecDeque};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use proto::limits;
use proto::v1::node_message::Message;
use proto::v1::{ArtifactAck, ArtifactBegin, ArtifactChunk, Manifest};
use tokio::time::Instant;

use super::spool::{Artifact, Capture, Spool};
use crate::health::{Counter, Health};

/// How long the collector may take to say where to go on. A collector that says nothing gets the artifact from its first byte.
const ANSWER: Duration = Duration::from_secs(2);

/// How long a verdict may take after the last sign of it: a gigabyte is hashed and stored meanwhile.
const VERDICT: Duration = Duration::from_mins(1);

/// The sender's side of all captures.
#[derive(Debug)]
pub(super) struct Uploads {
    spool: Spool,
    health: Health,
    queue: VecDeque<Capture>,
    current: Option<Upload>,
    /// Captures that cannot be sent in this session.
    given_up: BTreeSet<String>,
}

#[derive(Debug)]
struct Upload {
    capture: Capture,
    artifact: usize,
    step: Step,
}

#[derive(Debug)]
enum Step {
    Manifest,
    Begin,
    /// Begun: the collector says from which byte on.
    Answer {
        until: Instant,
    },
    Chunks {
        file: File,
        offset: u64,
    },
    /// All bytes are sent: the collector says whether they are what the manifest says.
    Verdict {
        until: Instant,
    },
}

impl Uploads {
    /// All waiting captures, from the begin: what the collector has of them it says itself.
    pub(super) fn new(spool: Spool, health: Health) -> Self {
        let mut uploads = Self { spool, health, queue: VecDeque::new(), current: None, given_up: BTreeSet::new() };
        uploads.look();
        uploads
    }

    /// Looks for captures that were committed since.
    pub(super) fn look(&mut self) {
        let current = self.current.as_ref().map(|upload| upload.capture.id.clone());
        self.queue = self.spool.waiting().into();
        self.queue.retain(|capture| Some(&capture.id) != current.as_ref() && !self.given_up.contains(&capture.id));
    }

    /// Whether [`Uploads::next`] has a message now.
    pub(super) fn is_ready(&self) -> bool {
        match self.current.as_ref().map(|upload| &upload.step) {
            None => !self.queue.is_empty(),
            Some(Step::Answer { until } | Step::Verdict { until }) => Instant::now() >= *until,
            Some(_) => true,
        }
    }

    /// When to ask again although nobody answered.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.current.as_ref()?.step {
            Step::Answer { until } | Step::Verdict { until } => Some(until),
            _ => None,
        }
    }

    /// Whether nothing is left to send and nothing waits for a verdict.
    pub(super) fn is_done(&self) -> bool {
        self.current.is_none() && self.queue.is_empty()
    }

    /// The next message.
    pub(super) fn next(&mut self) -> Option<Message> {
        if self.current.is_none() {
            let capture = self.queue.pop_front()?;
            self.current = Some(Upload { capture, artifact: 0, step: Step::Manifest });
        }
        let upload = self.current.as_mut().expect("set above");
        match upload.next() {
            Ok(Some(message)) => Some(message),
            Ok(None) => {
                self.finish();
                None
            }
            Err(error) => {
                tracing::warn!(%error, capture = %upload.capture.id, "an artifact cannot be sent in this session");
                self.give_up();
                None
            }
        }
    }

    /// Takes the collector's word on an artifact. One on another artifact is old, and means nothing.
    pub(super) fn acknowledged(&mut self, ack: &ArtifactAck) {
        let Some(upload) = &mut self.current else { return };
        let Some(artifact) = upload.capture.artifacts.get(upload.artifact) else { return };
        if ack.capture_id != upload.capture.id || ack.artifact_id != artifact.artifact_id {
            return;
        }
        if ack.complete {
            upload.artifact += 1;
            upload.step = Step::Begin;
            if upload.artifact == upload.capture.artifacts.len() {
                self.finish();
            }
            return;
        }
        let from = ack.received.min(artifact.size);
        let resumed = match &mut upload.step {
            Step::Answer { .. } => upload.resume(from),
            // A word on the way: so many bytes are stored.
            Step::Verdict { until } => {
                *until = Instant::now() + VERDICT;
                Ok(())
            }
            Step::Manifest | Step::Begin | Step::Chunks { .. } => Ok(()),
        };
        if let Err(error) = resumed {
            tracing::warn!(%error, capture = %ack.capture_id, artifact = %ack.artifact_id, "an artifact is not taken");
            self.give_up();
        }
    }

    fn finish(&mut self) {
        if let Some(upload) = self.current.take() {
            match self.spool.delivered(&upload.capture.id) {
                Ok(()) => self.health.count(Counter::CapturesDelivered),
                Err(error) => {
                    tracing::warn!(%error, "a delivered capture could not be marked and will be offered again");
                    self.given_up.insert(upload.capture.id);
                }
            }
        }
    }

    fn give_up(&mut self) {
        if let Some(upload) = self.current.take() {
            self.given_up.insert(upload.capture.id);
        }
    }
}

impl Upload {
    /// The next message; `None` where the capture has no artifacts left.
    fn next(&mut self) -> std::io::Result<Option<Message>> {
        let Some(artifact) = self.capture.artifacts.get(self.artifact).cloned() else {
            return match self.step {
                Step::Manifest => {
                    self.step = Step::Begin;
                    Ok(Some(self.manifest()))
                }
                _ => Ok(None),
            };
        };
        match &mut self.step {
            Step::Manifest => {
                self.step = Step::Begin;
                Ok(Some(self.manifest()))
            }
            Step::Begin => {
                self.step = Step::Answer { until: Instant::now() + ANSWER };
                Ok(Some(Message::ArtifactBegin(begin(&self.capture.id, &artifact))))
            }
            Step::Answer { .. } => {
                self.resume(0)?;
                self.chunk(&artifact).map(Some)
            }
            Step::Verdict { .. } => Err(std::io::Error::other("the collector said nothing of it")),
            Step::Chunks { .. } => self.chunk(&artifact).map(Some),
        }
    }

    fn manifest(&self) -> Message {
        Message::Manifest(Manifest { capture_id: self.capture.id.clone(), envelope: self.capture.manifest.clone() })
    }

    fn resume(&mut self, offset: u64) -> std::io::Result<()> {
        let Some(artifact) = self.capture.artifacts.get(self.artifact) else { return Ok(()) };
        let file = File::open(self.capture.folder.join(&artifact.artifact_id))?;
        self.step = Step::Chunks { file, offset };
        Ok(())
    }

    /// The next chunk; an empty artifact is one empty chunk.
    fn chunk(&mut self, artifact: &Artifact) -> std::io::Result<Message> {
        let Step::Chunks { file, offset } = &mut self.step else {
            return Err(std::io::Error::other("no artifact is open"));
        };
        let left = artifact.size.saturating_sub(*offset);
        let mut data = vec![0; usize::try_from(left).unwrap_or(usize::MAX).min(limits::CHUNK_BYTES)];
        file.read_exact_at(&mut data, *offset)?;
        let capture_id = self.capture.id.clone();
        let chunk = ArtifactChunk { capture_id, artifact_id: artifact.artifact_id.clone(), offset: *offset, data };
        *offset += chunk.data.len() as u64;
        if *offset >= artifact.size {
            self.step = Step::Verdict { until: Instant::now() + VERDICT };
        }
        Ok(Message::ArtifactChunk(chunk))
    }
}

fn begin(capture_id: &str, artifact: &Artifact) -> ArtifactBegin {
    ArtifactBegin {
        capture_id: capture_id.to_owned(),
        artifact_id: artifact.artifact_id.clone(),
        kind: artifact.kind.clone(),
        name: artifact.name.clone(),
        media_type: artifact.media_type.clone(),
        size: artifact.size,
        sha256: hex::decode(&artifact.sha256).unwrap_or_default(),
    }
}
