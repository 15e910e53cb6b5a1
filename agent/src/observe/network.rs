//! Connections and datagrams: record → event body.
//!
//! Takes the plain fields of a record; gives the wire's body. An IPv4 peer of an IPv6 socket becomes IPv4, so that the same
//! flow has one form everywhere.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ebpf_common::header::Kind;
use ebpf_common::record::{
    self,
    network::{FAMILY_V4, FAMILY_V6},
};
use proto::v1::event::Body;
use proto::v1::{Accept, ClientHello, Close, Connect, DatagramFlow, Dns, Flow, SocketAct, SocketUse};

use super::dns::{self, Message};
use super::dns_stream::{Piece, Streams};
use super::hello;
use crate::decode;

const TCP: u16 = 6;
const UNIX: u16 = 1;
const VSOCK: u16 = 40;

/// Instance metadata services, and the local agents that hand out a workload's credentials: EC2 and most clouds, ECS tasks,
/// EKS pod identity.
const METADATA_V4: [Ipv4Addr; 3] =
    [Ipv4Addr::new(169, 254, 169, 254), Ipv4Addr::new(169, 254, 170, 2), Ipv4Addr::new(169, 254, 170, 23)];
const METADATA_V6: [Ipv6Addr; 2] =
    [Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)];

pub(crate) fn connect(record: &record::Connect, api_servers: &[(IpAddr, u16)]) -> Body {
    let (flow, metadata_service) = flow(&record.flow);
    let api_server = api_servers.contains(&(end(record.flow.family, record.flow.remote), record.flow.remote_port));
    Body::Connect(Connect { flow: Some(flow), established: record.established == 1, metadata_service, api_server })
}

pub(crate) fn accept(record: &record::Accept) -> Body {
    Body::Accept(Accept { flow: Some(flow(&record.flow).0) })
}

pub(crate) fn close(record: &record::Close, outgoing: bool) -> Body {
    let (flow, _) = flow(&record.flow);
    Body::Close(Close { flow: Some(flow), sent: record.sent, received: record.received, outgoing })
}

pub(crate) fn datagram(record: &record::Datagram) -> Body {
    let (flow, metadata_service) = flow(&record.flow);
    Body::DatagramFlow(DatagramFlow { flow: Some(flow), metadata_service })
}

/// The first bytes of TLS; nothing where they are none.
pub(crate) fn hello(record: &decode::Payload<'_>) -> Option<Body> {
    let hello = hello::parse(record.payload)?;
    Some(Body::ClientHello(ClientHello {
        flow: Some(flow(&record.fixed.flow).0),
        server_name: hello.server_name,
        protocols: hello.protocols,
        truncated: hello.truncated,
    }))
}

/// The DNS messages that a payload holds or completes: none, one or several.
pub(crate) fn dns(record: &decode::Payload<'_>, streams: &mut Streams) -> Vec<Body> {
    let decode::Payload { fixed, payload } = record;
    let (tcp, received) = (fixed.flow.protocol == TCP, fixed.received == 1);
    let mut messages = Vec::new();
    if tcp {
        let (socket, sequence, whole) = (fixed.socket, fixed.sequence, fixed.whole);
        streams.take(Piece { socket, received, sequence, whole, payload }, &mut messages);
    } else {
        let cut = payload.len() < fixed.whole as usize;
        messages.extend(dns::parse(payload).map(|message| Message { truncated: message.truncated | cut, ..message }));
    }
    let flow = flow(&fixed.flow).0;
    let told = messages.into_iter().map(|message| {
        Body::Dns(Dns {
            flow: Some(flow.clone()),
            tcp,
            answer: message.answer,
            id: message.id.into(),
            name: message.name,
            r#type: message.kind.into(),
            code: message.code.into(),
            addresses: message.addresses,
            names: message.names,
            truncated: message.truncated,
        })
    });
    told.collect()
}

/// What was done with a socket.
pub(crate) fn socket(record: &decode::SocketCall<'_>) -> Body {
    let act = match record.kind {
        Kind::SocketBind => SocketAct::Bound,
        Kind::SocketListen => SocketAct::Listened,
        Kind::SocketConnect => SocketAct::Connected,
        _ => SocketAct::Made,
    };
    let fixed = &record.fixed;
    let family = fixed.flow.family;
    let (address, is_abstract) = match family {
        UNIX => unix(record.address),
        VSOCK => (vsock(record.address).unwrap_or_default(), false),
        _ => (Vec::new(), false),
    };
    Body::SocketUse(SocketUse {
        act: act.into(),
        family: family.into(),
        r#type: fixed.kind.into(),
        protocol: fixed.flow.protocol.into(),
        flow: matches!(family, FAMILY_V4 | FAMILY_V6).then(|| flow(&fixed.flow).0),
        address,
        is_abstract,
        result: fixed.result,
    })
}

/// A path ends at its first zero byte; an abstract name begins with one and ends where it ends.
fn unix(address: &[u8]) -> (Vec<u8>, bool) {
    match address.split_first() {
        Some((0, name)) => (name.to_vec(), true),
        _ => (address.split(|byte| *byte == 0).next().unwrap_or_default().to_vec(), false),
    }
}

/// `cid:port` of a `sockaddr_vm` behind its family.
fn vsock(address: &[u8]) -> Option<Vec<u8>> {
    let number = |at: usize| Some(u32::from_ne_bytes(address.get(at..at + 4)?.try_into().ok()?));
    let (port, cid) = (number(2)?, number(6)?);
    Some(format!("{cid}:{port}").into_bytes())
}

/// An address of the wire: 4 or 16 bytes.
pub(crate) fn address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
        _ => None,
    }
}

fn flow(flow: &record::Flow) -> (Flow, bool) {
    let remote = end(flow.family, flow.remote);
    let wire = Flow {
        local_address: bytes(end(flow.family, flow.local)),
        local_port: u32::from(flow.local_port),
        remote_address: bytes(remote),
        remote_port: u32::from(flow.remote_port),
    };
    let metadata_service = match remote {
        IpAddr::V4(address) => METADATA_V4.contains(&address),
        IpAddr::V6(address) => METADATA_V6.contains(&address),
    };
    (wire, metadata_service)
}

fn end(family: u16, [a, b, c, d, rest @ ..]: [u8; 16]) -> IpAddr {
    if family == FAMILY_V4 {
        return IpAddr::from([a, b, c, d]);
    }
    let mut whole = [0; 16];
    whole[..4].copy_from_slice(&[a, b, c, d]);
    whole[4..].copy_from_slice(&rest);
    Ipv6Addr::from(whole).to_canonical()
}

fn bytes(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}
