//! True records are read whole; whatever else is given is refused or read, and never ends the agent.

use ebpf_common::header::{Class, Header, Kind, VERSION};
use ebpf_common::record::{self, Flow};
use proptest::prelude::*;
use zerocopy::{FromZeros, IntoBytes};

use super::{Body, Malformed, decode};

fn bytes(kind: Kind, body: &[u8], tail: &[u8]) -> Vec<u8> {
    let length = size_of::<Header>() + body.len() + tail.len();
    let header = Header {
        length: u32::try_from(length).expect("a small record"),
        kind: kind as u16,
        class: Class::Process as u8,
        version: VERSION,
        body: u16::try_from(body.len()).expect("a small body"),
        sequence: 7,
        pid: 42,
        ..Header::new_zeroed()
    };
    [header.as_bytes(), body, tail].concat()
}

fn exec(path: &[u8], directory: &[u8], script: &[u8], arguments: &[u8]) -> Vec<u8> {
    let lengths = [path, directory, script, arguments].map(|piece| u16::try_from(piece.len()).expect("a short piece"));
    let [path_length, directory_length, script_length, arguments_length] = lengths;
    let mut comm = [0; 16];
    comm[..3].copy_from_slice(b"cat");
    let lengths =
        record::Exec { path_length, directory_length, script_length, arguments_length, ..record::Exec::new_zeroed() };
    let body = record::Exec { comm, ..lengths };
    bytes(Kind::Exec, body.as_bytes(), &[script, path, directory, arguments].concat())
}

fn pieces(kind: Kind, body: &[u8]) -> Vec<u8> {
    bytes(kind, body, b"/x")
}

fn socket_call() -> record::SocketCall {
    record::SocketCall { address_length: 2, ..record::SocketCall::new_zeroed() }
}

fn file_change() -> record::FileChange {
    record::FileChange { path_length: 1, other_length: 1, ..record::FileChange::new_zeroed() }
}

/// Those whose pieces are alike.
fn one_of_each_in_pieces() -> Vec<Vec<u8>> {
    vec![
        pieces(Kind::Dns, record::Payload { payload_length: 2, ..record::Payload::new_zeroed() }.as_bytes()),
        pieces(Kind::ClientHello, record::Payload { payload_length: 2, ..record::Payload::new_zeroed() }.as_bytes()),
        pieces(Kind::SocketBind, socket_call().as_bytes()),
        pieces(Kind::SocketListen, socket_call().as_bytes()),
        pieces(Kind::SocketConnect, socket_call().as_bytes()),
        pieces(Kind::SocketMade, socket_call().as_bytes()),
        pieces(Kind::FileLink, record::FileRename { name_length: 2, ..record::FileRename::new_zeroed() }.as_bytes()),
        pieces(Kind::FileSymlink, record::FileRename { name_length: 2, ..record::FileRename::new_zeroed() }.as_bytes()),
        pieces(Kind::FileMade, file_change().as_bytes()),
        pieces(Kind::FileSize, file_change().as_bytes()),
        pieces(Kind::FileOwner, file_change().as_bytes()),
        pieces(Kind::FileTimes, file_change().as_bytes()),
        pieces(Kind::FileAttribute, file_change().as_bytes()),
        pieces(Kind::FileMapped, file_change().as_bytes()),
        pieces(Kind::FileCopied, file_change().as_bytes()),
        pieces(Kind::FileHandle, file_change().as_bytes()),
    ]
}

fn one_of_each() -> Vec<Vec<u8>> {
    let flow = Flow { remote_port: 443, ..Flow::EMPTY };
    let mut all = vec![
        bytes(Kind::Fork, record::Fork { child_start_ns: 1, child_pid: 2, child_parent_pid: 3 }.as_bytes(), b""),
        exec(b"/bin/cat", b"/root", b"./list", b"cat\0/etc/shadow\0"),
        bytes(Kind::Exit, record::Exit { code: 3, signal: 0 }.as_bytes(), b""),
        bytes(Kind::Connect, record::Connect { flow, ..record::Connect::new_zeroed() }.as_bytes(), b""),
        bytes(Kind::Accept, record::Accept { flow, socket: 1 }.as_bytes(), b""),
        bytes(Kind::Close, record::Close { flow, ..record::Close::new_zeroed() }.as_bytes(), b""),
        bytes(Kind::Datagram, record::Datagram { flow, repeats: 0, connected: 1 }.as_bytes(), b""),
        bytes(
            Kind::FileOpen,
            record::FileOpen { path_length: 4, name_length: 1, directory_length: 2, ..record::FileOpen::new_zeroed() }
                .as_bytes(),
            b"/a/bx/y",
        ),
        bytes(
            Kind::FileUnlink,
            record::FileUnlink {
                path_length: 2,
                name_length: 1,
                directory_length: 2,
                ..record::FileUnlink::new_zeroed()
            }
            .as_bytes(),
            b"/zx/y",
        ),
        bytes(
            Kind::FileRename,
            record::FileRename {
                name_length: 1,
                directory_length: 2,
                new_name_length: 3,
                new_directory_length: 4,
                ..record::FileRename::new_zeroed()
            }
            .as_bytes(),
            b"x/yzzz/abc",
        ),
        bytes(
            Kind::FileChmod,
            record::FileChmod { name_length: 2, ..record::FileChmod::new_zeroed() }.as_bytes(),
            b"/x",
        ),
        bytes(Kind::CgroupMade, record::Cgroup { path_length: 2, ..record::Cgroup::new_zeroed() }.as_bytes(), b"/x"),
        bytes(Kind::CgroupGone, record::Cgroup { path_length: 2, ..record::Cgroup::new_zeroed() }.as_bytes(), b"/x"),
    ];
    all.extend(one_of_each_in_pieces());
    all.extend(of_privilege_and_kernel());
    all
}

fn of_privilege_and_kernel() -> Vec<Vec<u8>> {
    let texts = [1, 2, 3, 4];
    vec![
        bytes(Kind::Credentials, record::CredentialsChanged::new_zeroed().as_bytes(), b""),
        bytes(Kind::Reach, record::Reach::new_zeroed().as_bytes(), b""),
        bytes(Kind::Namespaces, record::NamespacesChanged::new_zeroed().as_bytes(), b""),
        bytes(Kind::Root, record::Root { texts, ..record::Root::new_zeroed() }.as_bytes(), b"abbcccdddd"),
        bytes(Kind::Userfault, record::Userfault { flags: 1, result: 3 }.as_bytes(), b""),
        bytes(Kind::Key, record::Key { texts, ..record::Key::new_zeroed() }.as_bytes(), b"abbcccdddd"),
        bytes(
            Kind::Executable,
            record::Executable { texts, ..record::Executable::new_zeroed() }.as_bytes(),
            b"abbcccdddd",
        ),
        bytes(Kind::Module, record::Module { texts, ..record::Module::new_zeroed() }.as_bytes(), b"abbcccdddd"),
        bytes(Kind::Bpf, record::Bpf::new_zeroed().as_bytes(), b""),
        bytes(Kind::PerfEvent, record::PerfEvent::new_zeroed().as_bytes(), b""),
        bytes(Kind::Kexec, record::Kexec { texts, ..record::Kexec::new_zeroed() }.as_bytes(), b"abbcccdddd"),
        bytes(Kind::UringSetup, record::UringSetup::new_zeroed().as_bytes(), b""),
        bytes(Kind::UringRegister, record::UringRegister::new_zeroed().as_bytes(), b""),
        bytes(
            Kind::UringRequest,
            record::UringRequest { texts, ..record::UringRequest::new_zeroed() }.as_bytes(),
            b"abbcccdddd",
        ),
        bytes(Kind::Mount, record::Mount { texts, ..record::Mount::new_zeroed() }.as_bytes(), b"abbcccdddd"),
        bytes(Kind::Sysctl, record::Sysctl { texts, ..record::Sysctl::new_zeroed() }.as_bytes(), b"abbcccdddd"),
        bytes(Kind::Tamper, record::Tamper::new_zeroed().as_bytes(), b""),
    ]
}

#[test]
fn an_exec_borrows_its_four_pieces() {
    let bytes = exec(b"/bin/cat", b"/root", b"./list", b"cat\0/etc/shadow\0");
    let record = decode(&bytes).expect("a true record");
    assert_eq!((record.header.pid, record.header.sequence), (42, 7));
    let Body::Exec(exec) = record.body else { panic!("not an exec: {record:?}") };
    assert_eq!(exec.path, b"/bin/cat");
    assert_eq!((exec.directory, exec.script), (&b"/root"[..], &b"./list"[..]));
    assert_eq!(exec.arguments, b"cat\0/etc/shadow\0");
    assert_eq!(exec.comm(), b"cat");
}

#[test]
fn every_kind_is_read_and_says_its_name() {
    let kinds: Vec<u16> = one_of_each().iter().map(|bytes| decode(bytes).expect("a true record").header.kind).collect();
    let mut sorted = kinds.clone();
    sorted.sort_unstable();
    let mut all = Kind::ALL.map(|kind| kind as u16);
    all.sort_unstable();
    assert_eq!(sorted, all);
}

#[test]
fn alignment_does_not_matter() {
    for bytes in one_of_each() {
        let shifted = [&[0][..], &bytes].concat();
        assert_eq!(decode(&shifted[1..]), decode(&bytes));
    }
}

#[test]
fn a_record_cut_anywhere_is_malformed() {
    for bytes in one_of_each() {
        for end in 0..bytes.len() {
            assert!(decode(&bytes[..end]).is_err(), "{end} of {} bytes", bytes.len());
            let mut honest = bytes[..end].to_vec();
            if let Some(length) = honest.get_mut(..4) {
                length.copy_from_slice(&u32::try_from(end).expect("a small record").to_ne_bytes());
            }
            assert!(decode(&honest).is_err(), "{end} of {} bytes, and saying so", bytes.len());
        }
    }
}

#[test]
fn a_record_longer_than_its_length_is_malformed() {
    for mut bytes in one_of_each() {
        bytes.push(0);
        let length = bytes.len();
        assert!(matches!(decode(&bytes), Err(Malformed::Length { .. })));
        bytes[..4].copy_from_slice(&u32::try_from(length).expect("a small record").to_ne_bytes());
        assert!(matches!(decode(&bytes), Err(Malformed::Tail { .. })));
    }
}

#[test]
fn other_versions_kinds_and_classes_are_refused_by_name() {
    let good = bytes(Kind::Exit, record::Exit { code: 0, signal: 0 }.as_bytes(), b"");
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        decode(&bytes).map(|_| ()).expect_err("not a record")
    };
    assert_eq!(with(8, 99), Malformed::Kind { kind: 99 });
    assert_eq!(with(12, 9), Malformed::Class { class: 9 });
    assert_eq!(with(13, VERSION + 1), Malformed::Version { found: VERSION + 1 });
    assert_eq!(with(14, 9), Malformed::Body { kind: Kind::Exit, found: 9 });
}

proptest! {
    #[test]
    fn any_bytes_are_a_record_or_malformed(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _answer = decode(&bytes);
    }

    #[test]
    fn any_body_behind_a_true_header_is_a_record_or_malformed(
        kind in 0_usize..Kind::ALL.len(),
        body in proptest::collection::vec(any::<u8>(), 0..300),
        split in 0_usize..300,
    ) {
        let (body, tail) = body.split_at(split.min(body.len()));
        let _answer = decode(&bytes(Kind::ALL[kind], body, tail));
    }

    #[test]
    fn a_true_record_with_changed_bytes_is_a_record_or_malformed(
        which in 0_usize..Kind::ALL.len(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = one_of_each().swap_remove(which);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _answer = decode(&bytes);
    }
}
