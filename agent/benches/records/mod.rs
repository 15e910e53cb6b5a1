//! Records of a busy node, as bytes. Takes a number; gives as many records, each a little different from the one before: pids, times,
//! names and ports go on as they do on a machine, so that compression finds what it would find there and no more.

use ebpf_common::header::{Class, Header, Kind, VERSION, flag};
use ebpf_common::record::network::FAMILY_V4;
use ebpf_common::record::{self, Flow};
use zerocopy::{FromZeros, IntoBytes};

const CONTAINERS: u64 = 40;
const CPUS: u32 = 8;

/// Commands of a build server and its services.
const COMMANDS: [(&str, &str); 12] = [
    ("/bin/sh", "/bin/sh\0-c\0./step.sh --number %\0"),
    ("/usr/bin/gcc", "gcc\0-O2\0-Wall\0-c\0src/module_%.c\0-o\0build/module_%.o\0"),
    ("/usr/lib/gcc/x86_64-linux-gnu/12/cc1", "cc1\0-quiet\0src/module_%.c\0-O2\0-o\0/tmp/cc%.s\0"),
    ("/usr/bin/git", "git\0rev-parse\0--short\0HEAD~%\0"),
    ("/usr/bin/python3.11", "python3\0manage.py\0job\0--id\0%\0"),
    ("/usr/bin/curl", "curl\0-fsS\0http://10.96.0.%/health\0"),
    ("/bin/grep", "grep\0-rn\0pattern-%\0src\0"),
    ("/usr/bin/sed", "sed\0-i\0s/a/%/\0config.ini\0"),
    ("/usr/bin/tar", "tar\0-xzf\0/cache/layer-%.tar.gz\0"),
    ("/usr/local/bin/node", "node\0/app/worker.js\0--shard\0%\0"),
    ("/usr/bin/awk", "awk\0{ print $% }\0/var/log/app.log\0"),
    ("/usr/bin/date", "date\0+%s\0"),
];

/// A node with a state of its own: what it did last decides nothing but the numbers.
pub(crate) struct Node {
    boot_ns: u64,
    random: u64,
    next_pid: u32,
    sequence: [[u64; CPUS as usize]; Class::COUNT],
}

impl Node {
    /// A node whose clock begins at `boot_ns`.
    pub(crate) fn new(boot_ns: u64) -> Self {
        Self { boot_ns, random: 0x9E37_79B9_7F4A_7C15, next_pid: 10_000, sequence: [[0; CPUS as usize]; Class::COUNT] }
    }

    /// The cgroups of the node's containers are made.
    pub(crate) fn containers(&mut self, mut each: impl FnMut(&[u8])) {
        for container in 0..CONTAINERS {
            let path = format!("/kubepods/burstable/pod{:032x}/{:064x}", container * 77, container * 0x00ab_cdef);
            let path_length = u16::try_from(path.len()).expect("short");
            let body = record::Cgroup { id: cgroup(container), level: 4, path_length, reserved: 0 };
            let process = Process { pid: 900, start_ns: 1, parent: 1, container: CONTAINERS };
            each(&self.record(Kind::CgroupMade, Class::Process, 0, process, body.as_bytes(), path.as_bytes()));
        }
    }

    /// At least `count` records, into `out`.
    pub(crate) fn batch(&mut self, count: usize, out: &mut Vec<Vec<u8>>) {
        out.clear();
        while out.len() < count {
            self.life(out);
        }
    }

    /// One process: fork, exec, some files and connections, exit.
    fn life(&mut self, out: &mut Vec<Vec<u8>>) {
        let container = self.random() % CONTAINERS;
        let parent =
            Process { pid: 1_000 + u32::try_from(container).expect("few"), start_ns: 5_000, parent: 900, container };
        let pid = self.next_pid;
        self.next_pid = if pid >= 4_000_000 { 10_000 } else { pid + 1 };
        let child_start_ns = self.boot_ns;
        let fork = record::Fork { child_start_ns, child_pid: pid, child_parent_pid: parent.pid };
        out.push(self.record(Kind::Fork, Class::Process, 0, parent, fork.as_bytes(), b""));
        let process = Process { pid, start_ns: child_start_ns, parent: parent.pid, container };
        out.push(self.exec(process));
        for _ in 0..self.random() % 5 {
            out.push(self.open(process));
        }
        if self.random().is_multiple_of(3) {
            self.connection(process, out);
        }
        if self.random().is_multiple_of(4) {
            out.push(self.unlink(process));
        }
        let exit = record::Exit { code: u32::from(self.random().is_multiple_of(17)), signal: 0 };
        out.push(self.record(Kind::Exit, Class::Process, 0, process, exit.as_bytes(), b""));
    }

    fn exec(&mut self, process: Process) -> Vec<u8> {
        let (path, form) = COMMANDS[usize::try_from(self.random() % 12).expect("few")];
        let number = (self.random() % 5_000).to_string();
        let arguments = form.replace('%', &number);
        let directory = "/workspace/project";
        let mut comm = [0; 16];
        for (to, from) in comm.iter_mut().zip(path.rsplit('/').next().unwrap_or_default().bytes().take(15)) {
            *to = from;
        }
        let namespace = 4_026_532_000 + u32::try_from(process.container).expect("few") * 8;
        let body = record::Exec {
            inode: 500_000 + path.len() as u64 * 131,
            device: 45,
            links: 1,
            argument_bytes: u32::try_from(arguments.len()).expect("short"),
            mount_namespace: namespace,
            pid_namespace: namespace + 1,
            network_namespace: namespace + 2,
            user_namespace: 4_026_531_837,
            cgroup_namespace: namespace + 3,
            capabilities: 0xa804_25fb,
            comm,
            path_length: u16::try_from(path.len()).expect("short"),
            directory_length: u16::try_from(directory.len()).expect("short"),
            arguments_length: u16::try_from(arguments.len()).expect("short"),
            path_components: 3,
            ..record::Exec::new_zeroed()
        };
        let tail = [path, directory, &arguments].concat();
        self.record(Kind::Exec, Class::Process, flag::CONTAINER, process, body.as_bytes(), tail.as_bytes())
    }

    fn open(&mut self, process: Process) -> Vec<u8> {
        let path = format!("/workspace/project/build/module_{}.o", self.random() % 5_000);
        let body = record::FileOpen {
            object: record::Object {
                inode: 700_000 + self.random() % 100_000,
                device: 45,
                mount_id: 612,
                mode: 0o100_644,
                links: 1,
                ..record::Object::UNKNOWN
            },
            flags: 0o1101,
            mode: 0o644,
            result: 3,
            created: 1,
            path_length: u16::try_from(path.len()).expect("short"),
            path_components: 5,
            ..record::FileOpen::new_zeroed()
        };
        self.record(Kind::FileOpen, Class::File, 0, process, body.as_bytes(), path.as_bytes())
    }

    fn unlink(&mut self, process: Process) -> Vec<u8> {
        let name = format!("/tmp/cc{:06}.s", self.random() % 1_000_000);
        let name_length = u16::try_from(name.len()).expect("short");
        let body = record::FileUnlink { name_length, ..record::FileUnlink::new_zeroed() };
        self.record(Kind::FileUnlink, Class::File, 0, process, body.as_bytes(), name.as_bytes())
    }

    fn connection(&mut self, process: Process, out: &mut Vec<Vec<u8>>) {
        let mut flow = Flow { family: FAMILY_V4, protocol: 6, remote_port: 443, ..Flow::EMPTY };
        flow.local[..4].copy_from_slice(&[10, 244, 1, u8::try_from(process.container).expect("few")]);
        flow.remote[..4].copy_from_slice(&[10, 96, 0, u8::try_from(self.random() % 30).expect("few")]);
        flow.local_port = u16::try_from(32_768 + self.random() % 28_000).expect("a port");
        let (begun_ns, socket) = (self.boot_ns, self.random());
        let connect = record::Connect { flow, begun_ns, socket, established: 1, error: 0 };
        out.push(self.record(Kind::Connect, Class::Network, flag::OUTGOING, process, connect.as_bytes(), b""));
        let (sent, received) = (self.random() % 2_000, self.random() % 60_000);
        let close = record::Close { flow, sent, received, begun_ns, socket };
        out.push(self.record(Kind::Close, Class::Network, flag::OUTGOING, process, close.as_bytes(), b""));
    }

    fn record(&mut self, kind: Kind, class: Class, flags: u32, process: Process, body: &[u8], tail: &[u8]) -> Vec<u8> {
        self.boot_ns += 2_000 + self.random() % 3_000;
        let cpu = process.pid % CPUS;
        let sequence = &mut self.sequence[class as usize][cpu as usize];
        *sequence += 1;
        let header = Header {
            length: u32::try_from(size_of::<Header>() + body.len() + tail.len()).expect("small"),
            kind: kind as u16,
            flags,
            cpu: u16::try_from(cpu).expect("small"),
            class: class as u8,
            version: VERSION,
            body: u16::try_from(body.len()).expect("small"),
            sequence: *sequence,
            boot_ns: self.boot_ns,
            pid: process.pid,
            tid: process.pid,
            start_ns: process.start_ns,
            parent_pid: process.parent,
            uid: 1000,
            parent_start_ns: 5_000,
            cgroup_id: cgroup(process.container),
        };
        [header.as_bytes(), body, tail].concat()
    }

    /// `SplitMix64`.
    fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.random ^ (self.random >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

#[derive(Clone, Copy)]
struct Process {
    pid: u32,
    start_ns: u64,
    parent: u32,
    container: u64,
}

/// The last one is the host's own.
fn cgroup(container: u64) -> u64 {
    if container >= CONTAINERS { 1 } else { 10_000 + container * 13 }
}
