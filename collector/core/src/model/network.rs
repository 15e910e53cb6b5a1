//! Names that were asked for, and sockets that no connection tells of. Takes what `collector::ingest` made from the wire; never holds a wire
//! type.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::event::{Flow, Raw};
use super::fact::{Fact, Named};

/// A question to a name server, or its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of `Dns` in `proto/sensor/v1/network.proto`")]
pub struct Dns {
    pub flow: Flow,
    pub tcp: bool,
    pub answer: bool,
    pub id: u32,
    pub name: Raw,
    /// `A`, `TXT`, …, or `TYPE65280`.
    pub record_type: String,
    pub code: u32,
    pub addresses: Vec<IpAddr>,
    pub names: Vec<Raw>,
    /// Names and addresses of the answer, with `;` behind each, as Sigma's rules write them; empty in a question.
    pub results: Raw,
    pub truncated: bool,
}

impl Dns {
    /// Names and addresses as [`Dns::results`] has them.
    pub fn results(names: &[Raw], addresses: &[IpAddr]) -> Raw {
        let mut text = Vec::new();
        let addresses = addresses.iter().map(|address| address.to_string().into_bytes());
        for piece in names.iter().map(|name| name.0.clone()).chain(addresses) {
            text.extend_from_slice(&piece);
            text.push(b';');
        }
        Raw(text)
    }

    /// All but the flow, by name.
    pub fn facts(&self) -> Vec<Named<'_>> {
        vec![
            ("answer", Fact::Flag(self.answer)),
            ("name", Fact::Text(&self.name)),
            ("type", Fact::Word(&self.record_type)),
            ("code", Fact::Number(self.code.into())),
            ("results", Fact::Text(&self.results)),
            ("id", Fact::Number(self.id.into())),
            ("tcp", Fact::Flag(self.tcp)),
            ("truncated", Fact::Flag(self.truncated)),
        ]
    }
}

/// A client began TLS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of `ClientHello` in `proto/sensor/v1/network.proto`")]
pub struct ClientHello {
    pub flow: Flow,
    pub server_name: Raw,
    /// With commas between.
    pub protocols: Raw,
    pub truncated: bool,
}

impl ClientHello {
    /// All but the flow, by name.
    pub fn facts(&self) -> Vec<Named<'_>> {
        vec![
            ("server_name", Fact::Text(&self.server_name)),
            ("protocols", Fact::Text(&self.protocols)),
            ("truncated", Fact::Flag(self.truncated)),
        ]
    }
}

/// What was done with a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the values are those of `SocketAct` in `proto/sensor/v1/network.proto`")]
pub enum SocketAct {
    Made,
    Bound,
    Listened,
    Connected,
}

impl SocketAct {
    /// As rules name it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Made => "made",
            Self::Bound => "bound",
            Self::Listened => "listened",
            Self::Connected => "connected",
        }
    }
}

/// A socket was used in a way that no other event tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of `SocketUse` in `proto/sensor/v1/network.proto`")]
pub struct SocketUse {
    pub act: SocketAct,
    /// `unix`, `ipv4`, …, or `family 31`.
    pub family: String,
    /// `SOCK_*`.
    pub socket_type: u32,
    pub protocol: u32,
    pub flow: Option<Flow>,
    pub address: Raw,
    pub is_abstract: bool,
    pub result: i32,
}

impl SocketUse {
    /// All but flow and result, by name.
    pub fn facts(&self) -> Vec<Named<'_>> {
        vec![
            ("act", Fact::Word(self.act.word())),
            ("family", Fact::Word(&self.family)),
            ("type", Fact::Number(self.socket_type.into())),
            ("protocol", Fact::Number(self.protocol.into())),
            ("address", Fact::Text(&self.address)),
            ("abstract", Fact::Flag(self.is_abstract)),
        ]
    }
}
