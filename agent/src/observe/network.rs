//! Connections and datagrams: record → event body.
//!
//! Takes the plain fields of a record; gives the wire's body. An IPv4 peer of an IPv6 socket becomes IPv4, so that the same
//! flow has one form everywhere.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ebpf_common::record::{self, network::FAMILY_V4};
use proto::v1::event::Body;
use proto::v1::{Accept, Close, Connect, DatagramFlow, Flow};

/// Instance metadata services, and the local agents that hand out a workload's credentials: EC2 and most clouds, ECS tasks,
/// EKS pod identity.
const METADATA_V4: [Ipv4Addr; 3] =
    [Ipv4Addr::new(169, 254, 169, 254), Ipv4Addr::new(169, 254, 170, 2), Ipv4Addr::new(169, 254, 170, 23)];
const METADATA_V6: [Ipv6Addr; 2] =
    [Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)];

pub(crate) fn connect(record: &record::Connect) -> Body {
    let (flow, metadata_service) = flow(&record.flow);
    Body::Connect(Connect { flow: Some(flow), established: record.established == 1, metadata_service })
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
