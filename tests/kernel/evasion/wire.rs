//! Names and peers that are asked for in unusual forms. Each form has a test of its own in `network_payload` and `network_socket`; here they
//! are tried together by one process, as somebody who wants to be missed would.

use std::net::UdpSocket;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};

use agent::decode::Body;
use agent::observe::dns;
use ebpf_common::Kind;

use super::begin;
use crate::stimulus::stimulus;

#[test]
fn names_and_peers_are_told_whatever_way_they_are_asked_for() {
    let Some((watch, _)) = begin(32) else { return };
    let own = std::process::id();
    // Nobody has to answer: the question is told when it leaves.
    let client = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let message = b"\0\x09\x01\0\0\x01\0\0\0\0\0\0\x07evasion\x04wire\0\0\x10\0\x01";
    client.send_to(message, "127.0.0.64:53").expect("ask");
    let kind = watch.find("the question", |record| match &record.body {
        Body::Dns(payload) if record.header.pid == own => {
            dns::parse(payload.payload).filter(|message| message.name == b"evasion.wire").map(|message| message.kind)
        }
        _ => None,
    });
    assert_eq!(kind, 16, "TXT");

    let address = SocketAddr::from_abstract_name(format!("evasion-{own}")).expect("a name");
    let _listener = UnixListener::bind_addr(&address).expect("listen");
    UnixStream::connect_addr(&address).expect("connect");
    let vsock = stimulus(&["vsock", "2", "99"]);
    for (pid, family) in [(own, 1), (vsock.pid, 40)] {
        watch.find(&format!("the connect of family {family}"), |record| match &record.body {
            Body::Socket(call) if call.kind == Kind::SocketConnect && record.header.pid == pid => {
                (call.fixed.flow.family == family).then_some(())
            }
            _ => None,
        });
    }
}
