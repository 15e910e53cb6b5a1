//! One session of one node: a state machine that is asked for the next message to send. Takes the node's messages, orders and what
//! the disk says; gives acknowledgements in the order of the log, each built from [`Durable`]. Spawns nothing: who reads the answers
//! drives it.

use std::collections::VecDeque;

use collector_core::custody::Kind;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesOrdered;
use proto::v1::collector_message::Message as Out;
use proto::v1::node_message::Message as In;
use proto::v1::{Ack, Block, CollectorMessage, Hello, NodeMessage, Refused, Welcome};
use serde_json::json;
use tonic::{Status, Streaming};

use super::admit::{self, Admission, Refusal, Sender};
use super::captures::Captures;
use super::orders::{Attached, NodeOrders};
use crate::clock::Clock;
use crate::store::Store;
use crate::store::events::cursor::{Cursor, LogKey};
use crate::store::events::landing::{AppendError, Durable};

/// Blocks on their way to the disk. When so many wait, the session reads no further, and gRPC's flow control stops the node.
const IN_FLIGHT: usize = 32;

/// Refusals after which a session ends: each costs a synced line of the journal, and a sender that is wrong so often is broken.
const REFUSALS: u32 = 64;

type Landed = Result<Durable, AppendError>;

/// One session.
pub struct Session {
    store: Store,
    clock: Clock,
    nodes: NodeOrders,
    inbound: Streaming<NodeMessage>,
    hello: Hello,
    key: LogKey,
    /// Where the log will stand when everything in flight has landed.
    cursor: Cursor,
    attached: Attached,
    captures: Captures,
    in_flight: FuturesOrdered<BoxFuture<'static, Landed>>,
    outbox: VecDeque<Out>,
    refusals: u32,
    end: Option<Status>,
    is_over: bool,
}

impl Session {
    /// After the node has introduced itself. The first answer is the welcome.
    pub fn new(
        store: Store,
        clock: Clock,
        nodes: NodeOrders,
        inbound: Streaming<NodeMessage>,
        hello: Hello,
        attached: Attached,
    ) -> Self {
        let key = LogKey { node: hello.node.clone(), log_id: hello.log_id.clone() };
        let cursor = store.events.landing().cursors().get(&key);
        let welcome =
            Welcome { resume_after: cursor.next - 1, collector_version: env!("CARGO_PKG_VERSION").to_owned() };
        let captures = Captures::new(store.clone(), clock.clone(), hello.node.clone(), hello.signing_key.clone());
        Self {
            store,
            clock,
            nodes,
            inbound,
            key,
            cursor,
            attached,
            captures,
            hello,
            in_flight: FuturesOrdered::new(),
            outbox: VecDeque::from([Out::Welcome(welcome)]),
            refusals: 0,
            end: None,
            is_over: false,
        }
    }

    /// The next message for the node; `None` when the session is over.
    pub async fn next(&mut self) -> Option<Result<CollectorMessage, Status>> {
        loop {
            if let Some(message) = self.outbox.pop_front() {
                return Some(Ok(CollectorMessage { message: Some(message) }));
            }
            if self.is_over {
                return None;
            }
            if let Some(status) = self.end.take() {
                self.is_over = true;
                return Some(Err(status));
            }
            tokio::select! {
                biased;
                order = self.attached.orders.recv() => match order {
                    Some(order) => self.outbox.push_back(Out::Order(order)),
                    None if self.nodes.is_closed() => self.end = Some(Status::unavailable("the collector stops")),
                    None => self.end = Some(Status::aborted("a newer session of this node took over")),
                },
                Some(landed) = self.in_flight.next() => self.landed(landed),
                message = self.inbound.message(), if self.in_flight.len() < IN_FLIGHT => match message {
                    Ok(Some(NodeMessage { message: Some(message) })) => self.take(message).await,
                    // A kind of message that a newer agent sends and that says nothing to us.
                    Ok(Some(NodeMessage { message: None })) => {}
                    Ok(None) => self.drain().await,
                    Err(status) => self.end = Some(status),
                },
            }
        }
    }

    /// The node has said all: what is on its way still lands and is still acknowledged.
    async fn drain(&mut self) {
        while let Some(landed) = self.in_flight.next().await {
            self.landed(landed);
        }
        self.is_over = true;
    }

    fn landed(&mut self, landed: Landed) {
        match landed {
            Ok(durable) => match self.outbox.back_mut() {
                // One answer for many: only the last position counts.
                Some(Out::Ack(ack)) => ack.position = durable.position(),
                _ => self.outbox.push_back(Out::Ack(Ack { position: durable.position() })),
            },
            // The node comes back and sends on from what is durable.
            Err(cause) => self.end = Some(Status::unavailable(cause.to_string())),
        }
    }

    async fn take(&mut self, message: In) {
        match message {
            In::Hello(_) => self.end = Some(Status::failed_precondition("a session says hello once")),
            In::Block(block) => self.block(block).await,
            In::Manifest(manifest) => {
                let outcome = self.captures.manifest(manifest).await.map(|()| None);
                self.captured(outcome);
            }
            In::ArtifactBegin(begin) => {
                let outcome = self.captures.begin(begin).await.map(Some);
                self.captured(outcome);
            }
            In::ArtifactChunk(chunk) => {
                let outcome = self.captures.chunk(chunk).await;
                self.captured(outcome);
            }
            In::OrderResult(result) => {
                if let Err(cause) = self.nodes.finish(&self.key.node, result).await {
                    self.end = Some(Status::unavailable(crate::say(&cause)));
                }
            }
            In::Status(status) => {
                tracing::debug!(
                    node = self.key.node,
                    newest = status.newest_position,
                    resident = status.resident_bytes,
                    "status"
                );
            }
        }
    }

    fn captured(&mut self, outcome: Result<Option<proto::v1::ArtifactAck>, super::captures::CaptureError>) {
        match outcome {
            Ok(ack) => self.outbox.extend(ack.map(Out::ArtifactAck)),
            Err(cause) if cause.is_refusal() => self.refuse(0, &crate::say(&cause)),
            Err(cause) => self.end = Some(Status::unavailable(crate::say(&cause))),
        }
    }

    async fn block(&mut self, block: Block) {
        let position = block.first_position;
        // Unpacking and hashing a full block takes milliseconds: not on a thread that serves other sessions.
        let checked = tokio::task::spawn_blocking(move || admit::check(block)).await;
        let checked = checked.expect("checking a block does not panic, whatever is in it");
        let sender = Sender {
            key: &self.key,
            boot_id: &self.hello.boot_id,
            replay: self.hello.replay,
            received_ns: self.clock.now_ns(),
        };
        match checked.and_then(|checked| admit::place(&self.cursor, &sender, checked)) {
            Ok(Admission::New { gap, block }) => {
                if let Some(gap) = gap {
                    self.append(*gap, bytes::Bytes::new()).await;
                }
                let (meta, payload) = *block;
                self.append(meta, payload).await;
            }
            Ok(Admission::Duplicate { position }) => {
                // Said in its turn: what is in flight before it may be what makes it a duplicate.
                let durable = self.store.events.landing().cursors().get(&self.key).next - 1;
                if self.in_flight.is_empty() {
                    self.outbox.push_back(Out::Ack(Ack { position: position.min(durable) }));
                }
            }
            Err(refusal) => self.refuse_block(position, &refusal),
        }
    }

    async fn append(&mut self, meta: crate::store::events::frame::Meta, payload: bytes::Bytes) {
        self.cursor.advance(&meta);
        match self.store.events.landing().append(meta, payload).await {
            Ok(durable) => {
                let landed = async move { durable.await.unwrap_or(Err(AppendError::Closed)) };
                self.in_flight.push_back(Box::pin(landed));
            }
            Err(cause) => self.end = Some(Status::unavailable(cause.to_string())),
        }
    }

    fn refuse_block(&mut self, position: u64, refusal: &Refusal) {
        self.refuse(position, &format!("block at position {position}: {refusal}"));
    }

    /// Journalled first: a refusal is a fact of the case's completeness.
    fn refuse(&mut self, position: u64, reason: &str) {
        let body = json!({"node": self.key.node, "log_id": self.key.log_id, "position": position, "reason": reason});
        match self.store.journal.note("collector", Kind::Refused, None, body) {
            Ok(_) => self.outbox.push_back(Out::Refused(Refused { position, reason: reason.to_owned() })),
            Err(cause) => self.end = Some(Status::unavailable(crate::say(&cause))),
        }
        self.refusals += 1;
        if self.refusals == REFUSALS {
            self.end = Some(Status::resource_exhausted("too much of this session was refused"));
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.nodes.detach(&self.attached.node, self.attached.number);
    }
}
