//! What is said on the wire: DNS in every form that it comes in, and the first bytes of TLS.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};

use agent::decode::{Body, Payload, Record};
use agent::observe::{dns, dns_stream, hello};
use ebpf_common::header::flag;

use crate::watch::{Watch, folder, watch};

/// A question for the name, of the type A.
fn question(id: u16, name: &str) -> Vec<u8> {
    let mut message = [&id.to_be_bytes()[..], &[1, 0, 0, 1, 0, 0, 0, 0, 0, 0]].concat();
    for label in name.split('.') {
        message.push(u8::try_from(label.len()).expect("a short label"));
        message.extend_from_slice(label.as_bytes());
    }
    message.extend_from_slice(&[0, 0, 1, 0, 1]);
    message
}

/// The question, answered with 192.0.2.7.
fn answer(question: &[u8]) -> Vec<u8> {
    let mut message = question.to_vec();
    message[2..4].copy_from_slice(&[0x81, 0x80]);
    message[7] = 1;
    message.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 192, 0, 2, 7]);
    message
}

fn of_ours<'a>(record: &'a Record<'_>) -> Option<&'a Payload<'a>> {
    match &record.body {
        Body::Dns(payload) if record.header.pid == std::process::id() => Some(payload),
        _ => None,
    }
}

/// Both messages, told as ours by the process that asked.
fn asked_and_answered(watch: &Watch, name: &str) {
    for received in [0, 1] {
        watch.find(&format!("the message about {name}, received {received}"), |record| {
            let payload = of_ours(record).filter(|payload| payload.fixed.received == received)?;
            let message = dns::parse(payload.payload).filter(|message| message.name == name.as_bytes())?;
            assert_eq!((message.answer, payload.fixed.flow.remote_port), (received == 1, 53));
            assert_eq!(message.addresses, vec![vec![192, 0, 2, 7]; received.into()]);
            assert!(!record.has(flag::OWNER_UNKNOWN));
            Some(())
        });
    }
}

/// A name server that answers one question.
fn serve(at: &str) -> Option<(UdpSocket, SocketAddr)> {
    let Ok(server) = UdpSocket::bind(at) else {
        println!("skipped: port 53 of {at} is taken, or there is no such address");
        return None;
    };
    let address = server.local_addr().expect("it has an address");
    Some((server, address))
}

fn reply(server: &UdpSocket) {
    let mut room = [0; 600];
    let (length, from) = server.recv_from(&mut room).expect("receive the question");
    server.send_to(&answer(&room[..length]), from).expect("answer it");
}

fn over_udp(at: &str, name: &str) {
    let Some(watch) = watch() else { return };
    let Some((server, address)) = serve(at) else { return };
    let client = UdpSocket::bind((address.ip(), 0)).expect("a socket");
    client.send_to(&question(1, name), address).expect("ask");
    reply(&server);
    client.recv(&mut [0; 600]).expect("receive the answer");
    asked_and_answered(watch, name);
}

#[test]
fn a_question_over_udp_and_its_answer_are_told_of_who_asked() {
    over_udp("127.0.0.61:53", "udp.test");
}

#[test]
fn a_question_over_ipv6_is_told() {
    over_udp("[::1]:53", "ipv6.test");
}

#[test]
fn a_question_through_a_connected_socket_in_pages_of_a_file_is_told() {
    let Some(watch) = watch() else { return };
    let Some((server, address)) = serve("127.0.0.62:53") else { return };
    let (_keep, folder) = folder();
    let name = format!("{}.pages.test", "x".repeat(60));
    std::fs::write(folder.join("question"), question(2, &name)).expect("write");
    let file = std::fs::File::open(folder.join("question")).expect("open");
    let client = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    client.connect(address).expect("set the peer");
    let length = question(2, &name).len();
    nix::sys::sendfile::sendfile(&client, &file, None, length).expect("send the file's pages");
    reply(&server);
    client.recv(&mut [0; 600]).expect("receive the answer");
    asked_and_answered(watch, &name);
}

#[test]
fn a_question_over_tcp_is_told_whatever_pieces_it_comes_in() {
    let Some(watch) = watch() else { return };
    let Ok(listener) = TcpListener::bind("127.0.0.63:53") else {
        println!("skipped: port 53 is taken");
        return;
    };
    let mut client = TcpStream::connect(listener.local_addr().expect("it has an address")).expect("connect");
    client.set_nodelay(true).expect("each piece by itself");
    let (mut server, _) = listener.accept().expect("accept");
    let message = question(3, "one.label.a.packet.test");
    let framed = [&u16::try_from(message.len()).expect("short").to_be_bytes()[..], &message].concat();
    for piece in framed.chunks(4) {
        client.write_all(piece).expect("send");
    }
    server.read_exact(&mut vec![0; framed.len()]).expect("receive");
    let answer = answer(&message);
    server.write_all(&u16::try_from(answer.len()).expect("short").to_be_bytes()).expect("answer");
    server.write_all(&answer).expect("answer");
    client.read_exact(&mut vec![0; answer.len() + 2]).expect("receive");
    let port = client.local_addr().expect("it has an address").port();
    let told = std::cell::RefCell::new((dns_stream::Streams::default(), Vec::new()));
    watch.find("both messages", |record| {
        let payload = of_ours(record).filter(|payload| payload.fixed.flow.local_port == port)?;
        let (streams, messages) = &mut *told.borrow_mut();
        let record::Payload { socket, received, sequence, whole, .. } = payload.fixed;
        let piece = dns_stream::Piece { socket, received: received == 1, sequence, whole, payload: payload.payload };
        streams.take(piece, messages);
        (messages.len() == 2).then_some(())
    });
    let (_, messages) = told.into_inner();
    let said: Vec<_> = messages.iter().map(|message| (message.answer, message.name.as_slice())).collect();
    assert_eq!(said, [(false, &b"one.label.a.packet.test"[..]), (true, b"one.label.a.packet.test")]);
}

use ebpf_common::record;

/// A hello of TLS 1.2 that names a server, larger than the room of one segment.
fn client_hello(name: &str) -> Vec<u8> {
    let long = |length: usize| u16::try_from(length).expect("short").to_be_bytes();
    let name = [&[0][..], &long(name.len()), name.as_bytes()].concat();
    let name = [&[0, 0][..], &long(name.len() + 2), &long(name.len()), &name].concat();
    let padding = [&[0, 21][..], &long(1600), &[0; 1600]].concat();
    let extensions = [padding, name].concat();
    let body = [&[3, 3][..], &[7; 32], &[0, 0, 2, 0x13, 1, 1, 0], &long(extensions.len()), &extensions].concat();
    let message = [&[1, 0][..], &long(body.len()), &body].concat();
    [&[22, 3, 1][..], &long(message.len()), &message].concat()
}

#[test]
fn the_server_that_a_client_names_is_told_once_and_what_follows_is_not() {
    let Some(watch) = watch() else { return };
    let (_keep, folder) = folder();
    let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
    let mut client = TcpStream::connect(listener.local_addr().expect("it has an address")).expect("connect");
    let (mut server, _) = listener.accept().expect("accept");
    let port = client.local_addr().expect("it has an address").port();
    let bytes = client_hello("evil.example");
    for _ in 0..2 {
        client.write_all(&bytes).expect("send");
        server.read_exact(&mut vec![0; bytes.len()]).expect("receive");
    }
    let of = |record: &Record<'_>| match &record.body {
        Body::ClientHello(payload) if payload.fixed.flow.local_port == port => hello::parse(payload.payload),
        _ => None,
    };
    let found =
        watch.find("the hello", |record| of(record).inspect(|_| assert_eq!(record.header.pid, std::process::id())));
    assert_eq!((found.server_name, found.truncated), (b"evil.example".to_vec(), false));
    watch.settle(&folder);
    assert_eq!(watch.count(|record| of(record).is_some()), 1);
}
