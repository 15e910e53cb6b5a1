//! Connections, names that were asked for, sockets: wire to model. Nothing where an address has an impossible size.

use std::net::IpAddr;

use collector_core::model::Body;
use collector_core::model::event::{Flow, Raw};
use collector_core::model::network::{ClientHello, Dns, SocketAct, SocketUse};
use proto::v1;
use proto::v1::event::Body as Wire;

pub(super) fn network(wire: Wire) -> Option<Body> {
    Some(match wire {
        Wire::Connect(connect) => Body::Connect {
            flow: flow(&connect.flow?)?,
            established: connect.established,
            metadata_service: connect.metadata_service,
            api_server: connect.api_server,
        },
        Wire::Accept(accept) => Body::Accept { flow: flow(&accept.flow?)? },
        Wire::Close(close) => Body::Close {
            flow: flow(&close.flow?)?,
            sent: close.sent,
            received: close.received,
            outgoing: close.outgoing,
        },
        Wire::DatagramFlow(datagram) => {
            Body::DatagramFlow { flow: flow(&datagram.flow?)?, metadata_service: datagram.metadata_service }
        }
        Wire::Dns(dns) => Body::Dns(Box::new(self::dns(dns)?)),
        Wire::ClientHello(hello) => Body::ClientHello(Box::new(ClientHello {
            flow: flow(&hello.flow?)?,
            server_name: Raw(hello.server_name),
            protocols: Raw(hello.protocols.join(&b',')),
            truncated: hello.truncated,
        })),
        Wire::SocketUse(used) => Body::Socket(Box::new(socket(used)?)),
        _ => return None,
    })
}

fn dns(wire: v1::Dns) -> Option<Dns> {
    let names: Vec<Raw> = wire.names.into_iter().map(Raw).collect();
    let addresses = wire.addresses.iter().map(|bytes| address(bytes)).collect::<Option<Vec<_>>>()?;
    Some(Dns {
        flow: flow(&wire.flow?)?,
        tcp: wire.tcp,
        answer: wire.answer,
        id: wire.id,
        name: Raw(wire.name),
        record_type: proto::words::dns_type(wire.r#type).into_owned(),
        code: wire.code,
        results: Dns::results(&names, &addresses),
        addresses,
        names,
        truncated: wire.truncated,
    })
}

fn socket(wire: v1::SocketUse) -> Option<SocketUse> {
    let act = match v1::SocketAct::try_from(wire.act).ok()? {
        v1::SocketAct::Made => SocketAct::Made,
        v1::SocketAct::Bound => SocketAct::Bound,
        v1::SocketAct::Listened => SocketAct::Listened,
        v1::SocketAct::Connected => SocketAct::Connected,
        v1::SocketAct::Unspecified => return None,
    };
    Some(SocketUse {
        act,
        family: proto::words::socket_family(wire.family).into_owned(),
        socket_type: wire.r#type,
        protocol: wire.protocol,
        flow: wire.flow.as_ref().and_then(flow),
        address: Raw(wire.address),
        is_abstract: wire.is_abstract,
        result: wire.result,
    })
}

fn flow(wire: &v1::Flow) -> Option<Flow> {
    Some(Flow {
        local: address(&wire.local_address)?,
        local_port: u16::try_from(wire.local_port).ok()?,
        remote: address(&wire.remote_address)?,
        remote_port: u16::try_from(wire.remote_port).ok()?,
    })
}

/// An IPv4 address that the kernel wrote as IPv6 (`::ffff:a.b.c.d`) is that IPv4 address.
fn address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => Some(IpAddr::from(<[u8; 4]>::try_from(bytes).ok()?)),
        16 => Some(IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?).to_canonical()),
        _ => None,
    }
}
