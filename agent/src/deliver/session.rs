//! One session with the collector, from hello to its end. Takes blocks from the log, captures from the spool and results from the
//! responder; gives them to the collector within the window, and hands its acknowledgements and orders on. Holds no more than one
//! message beside the four that wait in the stream: what is not sent stays on disk.

use std::time::Duration;

use prost::Message as _;
use proto::limits;
use proto::v1::collector_message::Message as From;
use proto::v1::ingest_client::IngestClient;
use proto::v1::node_message::Message as To;
use proto::v1::{CollectorMessage, NodeMessage, OrderResult, Refused, Status, Welcome};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::Channel;

use super::upload::Uploads;
use super::window::Window;
use super::{Delivery, Ends};
use crate::health::{Counter, usage};

/// Messages that wait for the network. HTTP/2 holds back what the collector does not take; then this fills, and then nothing more
/// is read from disk.
const STREAM: usize = 4;

/// Between two reports of counters.
const STATUS: Duration = Duration::from_secs(30);

/// A collector that owes an acknowledgement for so long is not one any more.
const STALL: Duration = Duration::from_mins(1);

/// How a session ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum SessionEnd {
    /// The agent shuts down; all that could be said is said.
    #[error("the agent shuts down")]
    Shutdown,
    /// The stream broke or was closed.
    #[error("the collector ended the session: {0}")]
    Closed(String),
    /// Before the welcome.
    #[error("the collector refused the session: {0}")]
    Refused(String),
    /// No welcome, or no acknowledgement, in time.
    #[error("the collector did not answer in time")]
    Silent,
}

/// An open session.
pub(super) struct Session<'a> {
    delivery: &'a mut Delivery,
    out: mpsc::Sender<NodeMessage>,
    inbound: Streaming<CollectorMessage>,
    window: Window,
    uploads: Uploads,
    results: Vec<OrderResult>,
    /// The log had no further block when it was last asked.
    drained: bool,
    /// Blocks and artifacts take turns.
    block_was_last: bool,
    progress: Instant,
    acknowledged: bool,
    /// The last refusal, so that a repeated one is counted and not said again.
    refusal: Option<Refused>,
}

impl<'a> Session<'a> {
    /// Says hello and waits for the welcome.
    pub(super) async fn open(delivery: &'a mut Delivery, channel: Channel) -> Result<Self, SessionEnd> {
        let wait = delivery.settings.timeout;
        let mut client = IngestClient::new(channel)
            .max_decoding_message_size(limits::MESSAGE_BYTES)
            .max_encoding_message_size(limits::MESSAGE_BYTES);
        let (out, outbound) = mpsc::channel(STREAM);
        let hello = NodeMessage { message: Some(To::Hello(delivery.hello())) };
        out.send(hello).await.map_err(|_| SessionEnd::Silent)?;
        let answer = timeout(wait, client.session(ReceiverStream::new(outbound))).await;
        let answer = answer.map_err(|_| SessionEnd::Silent)?.map_err(|status| refused_by(&status))?;
        let mut inbound = answer.into_inner();
        let first = timeout(wait, inbound.message()).await.map_err(|_| SessionEnd::Silent)?;
        let welcome = match first.map_err(|status| refused_by(&status))?.and_then(|message| message.message) {
            Some(From::Welcome(welcome)) => welcome,
            Some(From::Refused(refused)) => return Err(SessionEnd::Refused(refused.reason)),
            Some(_) => return Err(SessionEnd::Refused(String::from("no welcome, but another message"))),
            None => return Err(SessionEnd::Refused(String::from("closed without a word"))),
        };
        Ok(Self::welcomed(delivery, out, inbound, &welcome))
    }

    fn welcomed(
        delivery: &'a mut Delivery,
        out: mpsc::Sender<NodeMessage>,
        inbound: Streaming<CollectorMessage>,
        welcome: &Welcome,
    ) -> Self {
        let newest = delivery.log.newest();
        if welcome.resume_after > newest {
            tracing::error!(
                newest,
                collector = welcome.resume_after,
                "the collector has more of this log than the disk kept"
            );
            delivery.log.skip_to(welcome.resume_after);
        }
        delivery.log.acknowledge(welcome.resume_after);
        delivery.health.count(Counter::Sessions);
        tracing::info!(resume_after = welcome.resume_after, collector = %welcome.collector_version, "session open");
        Self {
            window: Window::new(delivery.settings.window.0, welcome.resume_after),
            uploads: Uploads::new(delivery.spool.clone(), delivery.health.clone()),
            results: delivery.desk.newest(),
            delivery,
            out,
            inbound,
            drained: false,
            block_was_last: false,
            progress: Instant::now(),
            acknowledged: false,
            refusal: None,
        }
    }

    /// Runs the session to its end.
    pub(super) async fn run(&mut self, ends: &mut Ends) -> SessionEnd {
        let mut synced = self.delivery.log.watch();
        let mut status = tokio::time::interval(STATUS);
        let mut last_words: Option<Instant> = None;
        loop {
            if last_words.is_some_and(|_| self.is_done()) {
                return SessionEnd::Shutdown;
            }
            let wake = self.wake_at(last_words);
            let has_more = self.has_more();
            let spool = self.delivery.spool.clone();
            tokio::select! {
                message = self.inbound.message() => match message {
                    Ok(Some(message)) => self.take(message),
                    Ok(None) => return SessionEnd::Closed(String::from("end of stream")),
                    Err(status) => return SessionEnd::Closed(status.message().to_owned()),
                },
                permit = self.out.clone().reserve_owned(), if has_more => match permit {
                    Ok(permit) => if let Some(message) = self.next() {
                        permit.send(NodeMessage { message: Some(message) });
                    },
                    Err(_) => return SessionEnd::Closed(String::from("the stream is closed")),
                },
                changed = synced.changed() => {
                    self.drained = false;
                    if changed.is_err() { return SessionEnd::Shutdown; }
                }
                Some(result) = ends.results.recv() => {
                    self.delivery.desk.answered(&result);
                    self.results.push(result);
                }
                () = spool.committed() => self.uploads.look(),
                _ = status.tick() => self.results_first(),
                () = sleep_until(wake) => {
                    if last_words.is_some_and(|until| Instant::now() >= until) { return SessionEnd::Shutdown; }
                    if self.is_stalled() { return SessionEnd::Silent; }
                }
                () = shut_down(&mut ends.shutdown), if last_words.is_none() => {
                    self.drained = false;
                    last_words = Some(Instant::now() + self.delivery.settings.timeout);
                }
            }
        }
    }

    /// Whether the collector acknowledged anything that this session sent.
    pub(super) fn made_progress(&self) -> bool {
        self.acknowledged
    }

    fn take(&mut self, message: CollectorMessage) {
        match message.message {
            Some(From::Ack(ack)) => {
                if self.window.acknowledge(ack.position) {
                    self.progress = Instant::now();
                    self.acknowledged = true;
                    self.delivery.log.acknowledge(self.window.acknowledged);
                }
            }
            Some(From::ArtifactAck(ack)) => self.uploads.acknowledged(&ack),
            Some(From::Order(order)) => self.results.extend(self.delivery.desk.take(order)),
            Some(From::Refused(refused)) => {
                self.delivery.health.count(Counter::Refused);
                if self.refusal.as_ref() != Some(&refused) {
                    tracing::error!(position = refused.position, reason = %refused.reason, "the collector refused a message");
                }
                self.refusal = Some(refused);
            }
            // A message of a later collector, or a second welcome: nothing to do.
            Some(From::Welcome(_)) | None => {}
        }
    }

    fn has_more(&self) -> bool {
        !self.results.is_empty() || (!self.drained && self.window.is_open()) || self.uploads.is_ready()
    }

    fn next(&mut self) -> Option<To> {
        if !self.results.is_empty() {
            return Some(To::OrderResult(self.results.remove(0)));
        }
        let block_first = !self.block_was_last || !self.uploads.is_ready();
        if block_first && let Some(block) = self.next_block() {
            self.block_was_last = true;
            return Some(block);
        }
        self.block_was_last = false;
        if self.uploads.is_ready() { self.uploads.next() } else { None }
    }

    /// The next block, from the page cache as a rule: the sender is seldom far behind the writer, and a read from the platter blocks
    /// this task alone.
    fn next_block(&mut self) -> Option<To> {
        if self.drained || !self.window.is_open() {
            return None;
        }
        match self.delivery.log.block_after(self.window.position) {
            Ok(Some(block)) => {
                let last = block.first_position + u64::from(block.count) - 1;
                if !self.window.is_waiting() {
                    self.progress = Instant::now();
                }
                self.window.sent(last, block.payload.len() as u64);
                self.delivery.health.count(Counter::BlocksSent);
                Some(To::Block(block))
            }
            Ok(None) => {
                self.drained = true;
                None
            }
            Err(error) => {
                tracing::error!(%error, "the log cannot be read");
                self.drained = true;
                None
            }
        }
    }

    /// Counters, for people: sent with the results, which go before everything else.
    fn results_first(&mut self) {
        let (resident_bytes, cpu_ns) = usage();
        let log = &self.delivery.log;
        let status = Status { newest_position: log.newest(), resident_bytes, log_bytes: log.bytes(), cpu_ns };
        let message = NodeMessage { message: Some(To::Status(status)) };
        if self.out.try_send(message).is_err() {
            tracing::debug!(bytes = status.encoded_len(), "the stream is full: no status this time");
        }
    }

    fn is_done(&self) -> bool {
        self.results.is_empty() && self.drained && !self.window.is_waiting() && self.uploads.is_done()
    }

    fn is_stalled(&self) -> bool {
        self.window.is_waiting() && self.progress.elapsed() >= STALL
    }

    fn wake_at(&self, last_words: Option<Instant>) -> Instant {
        let stall = self.progress + STALL;
        let stall = if stall <= Instant::now() { Instant::now() + STALL } else { stall };
        [last_words, self.uploads.deadline()].into_iter().flatten().fold(stall, Instant::min)
    }
}

/// Resolves when the agent shuts down, also when whoever would say so is gone.
pub(super) async fn shut_down(shutdown: &mut watch::Receiver<bool>) {
    if shutdown.wait_for(|down| *down).await.is_err() {
        tracing::debug!("nobody is left to say when to stop");
    }
}

fn refused_by(status: &tonic::Status) -> SessionEnd {
    SessionEnd::Refused(format!("{:?}: {}", status.code(), status.message()))
}
