//! A node as the collector sees it: makes blocks as an agent makes them and speaks the session protocol over mutual TLS. Takes what a
//! test decides; never waits for anything but the collector.

pub mod collector;

use std::path::Path;
use std::time::Duration;

use ::collector::clock::Clock;
use ::collector::pki::{Credentials, Pki, SERVER_NAME};
use prost::Message;
use proto::link::{GENESIS, Link, link};
use proto::v1::collector_message::Message as Out;
use proto::v1::event::Body;
use proto::v1::ingest_client::IngestClient;
use proto::v1::node_message::Message as In;
use proto::v1::{
    Actor, Block, CollectorMessage, Event, Exec, FileKey, FileOpen, Hello, NodeMessage, ProcessKey, actor::Origin,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Status, Streaming};

/// The log that a test's node writes.
pub struct Log {
    next: u64,
    previous: Link,
}

impl Log {
    /// A log without a block.
    pub fn new() -> Self {
        Self { next: 1, previous: GENESIS }
    }

    /// The next block, of so many events.
    pub fn block(&mut self, count: u32) -> Block {
        let mut raw = Vec::new();
        for position in self.next..self.next + u64::from(count) {
            raw.extend(event(position).encode_length_delimited_to_vec());
        }
        self.block_of(count, &raw)
    }

    /// The next block, of these bytes.
    pub fn block_of(&mut self, count: u32, raw: &[u8]) -> Block {
        let payload = zstd::bulk::compress(raw, 3).expect("memory");
        let raw_bytes = u32::try_from(raw.len()).expect("small");
        let own = link(&self.previous, self.next, count, raw_bytes, &payload);
        let block = Block {
            first_position: self.next,
            count,
            payload: payload.into(),
            raw_bytes,
            previous: self.previous.to_vec(),
            link: own.to_vec(),
        };
        self.next += u64::from(count);
        self.previous = own;
        block
    }
}

/// What a busy container does: executions and opened files, with paths and arguments that differ a little.
pub fn event(position: u64) -> Event {
    let pid = u32::try_from(1000 + position % 5_000).expect("small");
    let process = ProcessKey { pid, start_ns: 9_000_000_000 + position * 1_000 };
    let container = format!("{:064x}", position % 7 + 1);
    let executable = format!("/usr/bin/tool-{}", position % 40).into_bytes();
    let body = if position.is_multiple_of(4) {
        Body::Exec(Exec {
            path: executable.clone(),
            arguments: format!("tool\0--job\0{}\0/var/lib/app/{}", position * 7919 % 10_000, position % 300)
                .into_bytes(),
            directory: b"/srv/app".to_vec(),
            file: Some(FileKey { device: 0x10_0001, inode: 1_000 + position % 40, links: 1 }),
            ..Exec::default()
        })
    } else {
        let path = format!("/var/lib/app/shard-{}/item-{}.json", position % 64, position * 104_729 % 100_000);
        Body::FileOpen(FileOpen {
            path: path.into_bytes(),
            flags: 0o1101,
            mode: 0o644,
            result: 5,
            ..FileOpen::default()
        })
    };
    Event {
        position,
        time_ns: 1_795_284_000_000_000_000 + position * 37_000,
        boot_ns: 9_000_000_000 + position * 37_000,
        uncertainty_us: 20,
        cpu: u32::try_from(position % 4).expect("small"),
        cpu_sequence: position,
        attempt: false,
        actor: Some(Actor {
            process: Some(process),
            tid: pid,
            parent: Some(ProcessKey { pid: 900, start_ns: 8_000_000_000 }),
            executable,
            uid: 1000,
            cgroup_id: 4_200 + position % 7,
            origin: Some(Origin::ContainerId(container)),
            entry: proto::v1::Entry::InitTree.into(),
            entered_container_id: String::new(),
            in_host_mounts: false,
        }),
        body: Some(body),
    }
}

/// What a node says first.
pub fn hello(node: &str) -> Hello {
    Hello {
        node: node.to_owned(),
        boot_id: "boot-1".to_owned(),
        agent_version: "test".to_owned(),
        log_id: "log-1".to_owned(),
        signing_key: vec![7; 32],
        oldest_position: 1,
        ..Hello::default()
    }
}

/// A certificate of the collector that keeps its things here.
pub fn credentials(data: &Path, node: &str) -> Credentials {
    Pki::open(&data.join("pki"), Clock::system()).expect("an authority").issue(node).expect("a certificate")
}

/// A way to the collector; with a certificate, or with none.
pub fn channel(port: u16, credentials: &Credentials, with_certificate: bool) -> Channel {
    let mut tls =
        ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&credentials.authority)).domain_name(SERVER_NAME);
    if with_certificate {
        tls = tls.identity(Identity::from_pem(&credentials.certificate, &credentials.key));
    }
    let endpoint = Endpoint::from_shared(format!("https://127.0.0.1:{port}")).expect("an address");
    endpoint.connect_timeout(Duration::from_secs(5)).tls_config(tls).expect("certificates").connect_lazy()
}

/// The sending half of a session.
pub struct Sender {
    send: mpsc::Sender<NodeMessage>,
}

impl Sender {
    /// Sends; an error of the session shows at the next answer.
    pub async fn send(&self, message: In) {
        drop(self.send.send(NodeMessage { message: Some(message) }).await);
    }
}

/// A session.
pub struct Node {
    send: mpsc::Sender<NodeMessage>,
    answers: Streaming<CollectorMessage>,
    /// Last position that the collector has, as it welcomed us.
    pub resume_after: u64,
}

impl Node {
    /// Says hello; an error where the collector refuses.
    pub async fn connect(channel: Channel, hello: Hello) -> Result<Self, Status> {
        let (send, receive) = mpsc::channel(64);
        send.send(NodeMessage { message: Some(In::Hello(hello)) }).await.expect("room");
        let mut client = IngestClient::new(channel).max_encoding_message_size(64 << 20);
        let answers = client.session(ReceiverStream::new(receive)).await?.into_inner();
        let mut node = Self { send, answers, resume_after: 0 };
        match node.next().await? {
            Out::Welcome(welcome) => node.resume_after = welcome.resume_after,
            other => panic!("not a welcome: {other:?}"),
        }
        Ok(node)
    }

    /// A way to send beside the answers.
    pub fn sender(&self) -> Sender {
        Sender { send: self.send.clone() }
    }

    /// Sends; an error of the session shows at the next answer.
    pub async fn send(&self, message: In) {
        self.sender().send(message).await;
    }

    /// The next answer.
    pub async fn next(&mut self) -> Result<Out, Status> {
        let message = tokio::time::timeout(Duration::from_secs(20), self.answers.message()).await;
        let message = message.map_err(|_| Status::deadline_exceeded("no answer in twenty seconds"))??;
        message.and_then(|message| message.message).ok_or_else(|| Status::cancelled("the session ended"))
    }

    /// Sends a block and gives the answer in one word.
    pub async fn offer(&mut self, block: Block) -> String {
        self.send(In::Block(block)).await;
        match self.next().await {
            Ok(Out::Ack(ack)) => format!("ack {}", ack.position),
            Ok(Out::Refused(refused)) => format!("refused: {}", refused.reason),
            Ok(other) => format!("{other:?}"),
            Err(status) => format!("ended: {}", status.message()),
        }
    }

    /// Waits until everything up to this position is acknowledged.
    pub async fn acknowledged(&mut self, position: u64) -> Result<(), Status> {
        loop {
            if let Out::Ack(ack) = self.next().await?
                && ack.position >= position
            {
                return Ok(());
            }
        }
    }
}
