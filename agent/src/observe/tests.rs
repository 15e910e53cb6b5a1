//! Tests of events: records in, lines of text out.

use ebpf_common::header::{Class, Kind, VERSION};
use ebpf_common::record;

use super::*;
use crate::decode;
use crate::origin::Settings;

const ID: &str = "3f2c0b6b9ab1f5d8c1f3b6c4f2a9e1d07c5b4a39281706f5e4d3c2b1a0998877";
const HOST: u64 = 1;
const CONTAINER: u64 = 42;
const MOUNTS: u32 = 7;

/// An observer of an empty machine, and a clock that stands at two seconds after 1970.
struct World {
    observer: Observer,
    clock: Clock,
    _folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        Self::beside(1, MOUNTS + 1)
    }

    /// On a host where this process has this mount namespace.
    fn beside(pid: u32, mounts: u32) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = folder.path().to_path_buf();
        let first = root.join(format!("proc/{pid}/ns"));
        std::fs::create_dir_all(&first).expect("a folder of our own");
        std::os::unix::fs::symlink(format!("mnt:[{mounts}]"), first.join("mnt")).expect("a link of our own");
        let cgroups = Some(root.join("cgroup"));
        let settings = Settings { proc: root.join("proc"), cgroups, host: root, ..Settings::default() };
        let observer = Observer::new(Origin::new(settings));
        let clock = Clock::standing(2_000_000_000, 1_000_000_000);
        Self { observer, clock, _folder: folder }
    }

    /// Observes a record and gives its event.
    fn event(&mut self, header: Header, body: Body<'_>) -> Option<Event> {
        let mut out = Vec::new();
        self.observer.observe(&Record { header, body }, &self.clock, &mut out);
        out.pop()
    }

    /// Observes a record and gives a line for each event.
    fn see(&mut self, header: Header, body: Body<'_>) -> String {
        let mut out = Vec::new();
        self.observer.observe(&Record { header, body }, &self.clock, &mut out);
        out.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    fn cgroup(&mut self, id: u64, path: &str) -> String {
        let fixed = record::Cgroup { id, level: 1, path_length: 0, reserved: 0 };
        self.see(header(Kind::CgroupMade, 1, HOST), Body::CgroupMade(decode::Cgroup { fixed, path: path.as_bytes() }))
    }
}

fn header(kind: Kind, pid: u32, cgroup_id: u64) -> Header {
    Header {
        length: 0,
        kind: kind as u16,
        flags: 0,
        cpu: 3,
        class: Class::Process as u8,
        version: VERSION,
        body: 0,
        sequence: 9,
        boot_ns: 1_500_000_000,
        pid,
        tid: pid,
        start_ns: u64::from(pid) * 100,
        parent_pid: pid - 1,
        uid: 1000,
        parent_start_ns: u64::from(pid - 1) * 100,
        cgroup_id,
    }
}

fn exec(path: &'static str, arguments: &'static str) -> decode::Exec<'static> {
    let mut comm = [0; 16];
    comm[..2].copy_from_slice(b"sh");
    let fixed = record::Exec {
        capabilities: 0xff,
        inode: 77,
        device: 8,
        links: 1,
        gid: 1000,
        effective_uid: 0,
        argument_bytes: 9,
        mount_namespace: MOUNTS,
        pid_namespace: 8,
        network_namespace: 9,
        user_namespace: 10,
        cgroup_namespace: 11,
        comm,
        path_length: 0,
        directory_length: 0,
        arguments_length: 0,
        script_length: 0,
        arguments_end_length: 0,
        reserved: [0; 2],
        path_components: 0,
        stopped_for: 0,
        filesystem: 0,
    };
    let (path, arguments) = (path.as_bytes(), arguments.as_bytes());
    decode::Exec { fixed, path, directory: b"/srv", script: b"", arguments, arguments_end: b"" }
}

fn flow(remote: &str, port: u16) -> record::Flow {
    let mut flow = record::Flow { local_port: 4000, remote_port: port, protocol: 6, ..record::Flow::EMPTY };
    match remote.parse().expect("an address") {
        std::net::IpAddr::V4(address) => {
            flow.family = 2;
            flow.remote[..4].copy_from_slice(&address.octets());
        }
        std::net::IpAddr::V6(address) => {
            flow.family = 10;
            flow.remote = address.octets();
        }
    }
    flow
}

fn open(path: &'static str, candidates: u64, flags: u32) -> decode::FileOpen<'static> {
    let fixed = record::FileOpen {
        candidates,
        counted_ns: 0,
        object: record::Object { inode: 5, device: 8, mode: 0o100_644, ..record::Object::UNKNOWN },
        flags,
        mode: 0o644,
        result: 3,
        created: 0,
        by_handle: 0,
        path_length: 0,
        name_length: 0,
        directory_length: 0,
        path_components: 0,
    };
    decode::FileOpen { fixed, path: path.as_bytes(), name: b"", directory: b"" }
}

/// An event on a line: time, who, what.
fn line(event: &Event) -> String {
    let who = event.actor.as_ref().map_or("-".to_owned(), |actor| {
        let origin = match &actor.origin {
            Some(WireOrigin::ContainerId(id)) => id.replace(ID, "ID"),
            Some(WireOrigin::Host(_)) => "host".to_owned(),
            Some(WireOrigin::Unknown(why)) => format!("unknown {why}"),
            None => "nobody".to_owned(),
        };
        let pid = actor.process.map_or(0, |key| key.pid);
        let tree = if actor.entry() == proto::v1::Entry::InitTree { " init" } else { "" };
        let mounts = if actor.in_host_mounts { " but for its mounts" } else { "" };
        format!("{pid} {} in {origin}{tree}{mounts}", String::from_utf8_lossy(&actor.executable))
    });
    let what = match event.body.as_ref().expect("an event has a body") {
        Wire::ContainerSeen(seen) => crate::origin::container::describe(seen).replace(ID, "ID"),
        Wire::Connect(Connect { flow: Some(flow), metadata_service, .. }) => {
            let remote = network::address(&flow.remote_address).expect("an address");
            format!("connect {remote}:{}{}", flow.remote_port, if *metadata_service { " metadata" } else { "" })
        }
        Wire::Exec(exec) => format!("exec {}", String::from_utf8_lossy(&exec.arguments).replace('\0', "|")),
        Wire::FileOpen(open) => format!("open {} {}", String::from_utf8_lossy(&open.path), open.sensitive),
        Wire::FileRename(rename) => {
            format!("rename {} {}", String::from_utf8_lossy(&rename.from), String::from_utf8_lossy(&rename.to))
        }
        other => format!("{other:?}"),
    };
    format!("{} {who}: {what}", event.time_ns).trim_end().to_owned()
}

use proto::v1::Connect;

#[test]
fn a_runtime_that_enters_a_container_is_in_its_cgroup_and_not_in_its_mounts() {
    let runc = || Body::Exec(exec("/memfd:runc_cloned:/proc/self/exe", "runc\0init\0"));
    // The host's first process says it, or, where that may not be looked at, the agent itself.
    for pid in [1, std::process::id()] {
        let mut world = World::beside(pid, MOUNTS);
        world.cgroup(CONTAINER, &format!("/docker/{ID}"));
        let told = "2500000000 12 /memfd:runc_cloned:/proc/self/exe in ID init but for its mounts";
        assert_eq!(world.see(header(Kind::Exec, 12, CONTAINER), runc()), format!("{told}: exec runc|init"));
        let body = Body::FileOpen(open("/etc/x", 0, 0o1));
        assert_eq!(world.see(header(Kind::FileOpen, 12, CONTAINER), body), format!("{told}: open /etc/x"));
        assert!(!world.see(header(Kind::Exec, 13, HOST), runc()).contains("mounts"), "on the host it is at home");
    }

    let mut elsewhere = World::new();
    elsewhere.cgroup(CONTAINER, &format!("/docker/{ID}"));
    assert!(!elsewhere.see(header(Kind::Exec, 12, CONTAINER), runc()).contains("mounts"));
}

#[test]
fn a_container_is_said_before_its_first_exec() {
    let mut world = World::new();
    world.cgroup(HOST, "/");
    assert_eq!(world.cgroup(CONTAINER, &format!("/docker/{ID}")), "2500000000 -: docker ID");
    assert_eq!(
        world.see(header(Kind::Exec, 12, CONTAINER), Body::Exec(exec("/bin/sh", "sh\0-c\0id\0"))),
        "2500000000 12 /bin/sh in ID init: exec sh|-c|id"
    );
}

#[test]
fn a_child_carries_the_image_of_its_parent_until_it_has_its_own() {
    let mut world = World::new();
    world.cgroup(HOST, "/");
    world.see(header(Kind::Exec, 12, HOST), Body::Exec(exec("/bin/sh", "sh\0")));
    let fork = record::Fork { child_start_ns: 1300, child_pid: 13, child_parent_pid: 12 };
    world.see(header(Kind::Fork, 12, HOST), Body::Fork(fork));
    let body = Body::FileOpen(open("/tmp/x", 0, 0o101));
    assert_eq!(world.see(header(Kind::FileOpen, 13, HOST), body), "2500000000 13 /bin/sh in host: open /tmp/x");
    world.see(header(Kind::Exec, 13, HOST), Body::Exec(exec("/bin/id", "id\0")));
    let line = world.see(header(Kind::FileOpen, 13, HOST), body);
    assert_eq!(line, "2500000000 13 /bin/id in host: open /tmp/x");
}

#[test]
fn connections_to_metadata_services_are_marked() {
    let mut world = World::new();
    world.cgroup(HOST, "/");
    let mut to = |remote: &str| {
        let connect = record::Connect { flow: flow(remote, 80), begun_ns: 0, socket: 1, established: 1, error: 0 };
        world.see(header(Kind::Connect, 12, HOST), Body::Connect(connect)).split("connect ").nth(1).map(str::to_owned)
    };
    assert_eq!(to("169.254.169.254").as_deref(), Some("169.254.169.254:80 metadata"));
    assert_eq!(to("::ffff:169.254.170.23").as_deref(), Some("169.254.170.23:80 metadata"));
    assert_eq!(to("fd00:ec2::254").as_deref(), Some("fd00:ec2::254:80 metadata"));
    assert_eq!(to("169.254.169.253").as_deref(), Some("169.254.169.253:80"));
    assert_eq!(to("2001:db8::1").as_deref(), Some("2001:db8::1:80"));
}

#[test]
fn a_relative_rename_is_made_whole() {
    let mut world = World::new();
    world.cgroup(HOST, "/");
    let fixed = record::FileRename {
        object: record::Object::UNKNOWN,
        replaced: record::Object::UNKNOWN,
        result: 0,
        flags: 0,
        name_length: 0,
        directory_length: 0,
        new_name_length: 0,
        new_directory_length: 0,
    };
    let rename =
        decode::FileRename { fixed, name: b"a", directory: b"/tmp", new_name: b"../usr/bin/a", new_directory: b"/tmp" };
    let line = world.see(header(Kind::FileRename, 12, HOST), Body::FileRename(rename));
    assert_eq!(line, "2500000000 12  in host: rename /tmp/a /usr/bin/a");
}

#[test]
fn a_sensitive_open_has_its_class_and_a_chance_hit_is_no_event() {
    let mut world = World::new();
    world.cgroup(HOST, "/");
    let sensitive = Body::FileOpen(open("/etc/shadow", 1 << 4, 0));
    let line = world.see(header(Kind::FileOpen, 12, HOST), sensitive);
    assert_eq!(line, "2500000000 12  in host: open /etc/shadow shadow");
    let chance = Body::FileOpen(open("/home/a/shadow", 1 << 4, 0));
    assert_eq!(world.see(header(Kind::FileOpen, 12, HOST), chance), "");
    assert_eq!(world.observer.silent(), 2, "the root cgroup and the chance hit");
}

#[test]
fn a_sensitive_file_that_is_opened_by_another_name_has_its_class_and_both_names() {
    let mut world = World::new();
    world.cgroup(HOST, "/");
    let mut seen = |path: &'static str, name: &'static [u8]| {
        let opened = decode::FileOpen { name, ..open(path, 1 << 4, 0) };
        let event = world.event(header(Kind::FileOpen, 12, HOST), Body::FileOpen(opened))?;
        let Some(Wire::FileOpen(open)) = event.body else { panic!("an open is told as something else: {event:?}") };
        Some((open.sensitive, String::from_utf8(open.alias).expect("it was text")))
    };
    let shadow = |alias: &str| Some(("shadow".to_owned(), alias.to_owned()));
    assert_eq!(seen("/tmp/hard", b"/etc/shadow"), shadow("/etc/shadow"));
    // Read past the root of the filesystem, whose name is a slash.
    assert_eq!(seen("/mnt/x", b"///etc/shadow"), shadow("/etc/shadow"));
    assert_eq!(seen("/etc/shadow", b"//part/of/it/shadow"), shadow(""), "its own path says it");
    assert_eq!(seen("/tmp/hard", b"/home/a/shadow"), None);
}

#[test]
fn a_socket_whose_owner_was_not_seen_is_of_an_unknown_origin() {
    let mut world = World::new();
    let mut header = header(Kind::Accept, 1, 0);
    header.flags = flag::OWNER_UNKNOWN;
    let accept = record::Accept { flow: flow("10.0.0.1", 5), socket: 1 };
    let line = world.see(header, Body::Accept(accept));
    assert!(line.starts_with("2500000000 0  in unknown 1: Accept"), "{line}");
}

#[test]
fn rules_read_the_parent_the_container_and_the_file_by_their_names() {
    let rule = r"
title: A shell of a web server in a container
logsource: {product: linux, category: process_creation}
detection:
    selection:
        Image|endswith: /sh
        ParentImage|endswith: /nginx
        CommandLine|contains: '-c id'
        InContainer: true
        InInitTree: true
        ContainerRuntime: docker
        CurrentDirectory: /srv
        UserId: 1000
    condition: selection
";
    let (engine, errors) = rules::Engine::load([("shell.yml", rule)]);
    assert!(errors.is_empty(), "{errors:?}");
    let mut world = World::new();
    world.cgroup(CONTAINER, &format!("/docker/{ID}"));
    world.see(header(Kind::Exec, 11, CONTAINER), Body::Exec(exec("/usr/sbin/nginx", "nginx\0")));
    let mut out = Vec::new();
    let record =
        Record { header: header(Kind::Exec, 12, CONTAINER), body: Body::Exec(exec("/bin/sh", "sh\0-c\0id\0")) };
    world.observer.observe(&record, &world.clock, &mut out);
    let (event, origin) = (&out[0], world.observer.origin());
    let mut line = Vec::new();
    node_event::command_line(event, origin, &mut line);
    let [Some(source), None] = node_event::sources(event) else { panic!("an exec is of one source") };
    let mut matches = Vec::new();
    engine.evaluate(&node_event::NodeEvent::new(event, source, origin, &line), &mut matches);
    assert_eq!(matches.len(), 1);
}

#[test]
fn rules_on_connections_ask_where_the_program_came_from() {
    let rule = r"
title: A dropped program connects
logsource: {product: linux, category: network_connection}
detection:
    selection:
        InContainer: true
        Exe.UpperLayer: true
        Exe.Memfd: false
        DestinationIp|cidr: 198.51.100.0/24
    condition: selection
";
    let (engine, errors) = rules::Engine::load([("dropped.yml", rule)]);
    assert!(errors.is_empty(), "{errors:?}");
    let check = |flags| {
        let mut world = World::new();
        world.cgroup(CONTAINER, &format!("/docker/{ID}"));
        let mut header_of_exec = header(Kind::Exec, 11, CONTAINER);
        header_of_exec.flags = flags;
        world.see(header_of_exec, Body::Exec(exec("/tmp/x", "x\0")));
        let mut out = Vec::new();
        let body = Body::Connect(record::Connect {
            flow: flow("198.51.100.7", 443),
            begun_ns: 0,
            socket: 1,
            established: 1,
            error: 0,
        });
        world.observer.observe(&Record { header: header(Kind::Connect, 11, CONTAINER), body }, &world.clock, &mut out);
        let [Some(source), None] = node_event::sources(&out[0]) else { panic!("a connection is of one source") };
        let mut matches = Vec::new();
        let event = node_event::NodeEvent::new(&out[0], source, world.observer.origin(), &[]);
        engine.evaluate(&event, &mut matches);
        matches.len()
    };
    assert_eq!(check(flag::UPPER_LAYER), 1);
    assert_eq!(check(0), 0);
}
