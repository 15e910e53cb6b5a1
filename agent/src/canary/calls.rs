//! The known calls, each with the kinds of record that it makes. Takes folders of its own; leaves them as they were. Touches nothing of
//! anybody else: its sockets are on loopback, its files in the agent's folder, its children end at once.

use std::fs::{self, File, Permissions};
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use ebpf_common::Kind;

use super::SUBCOMMAND;

/// Where the calls may leave something for a moment.
pub(super) struct Ground<'a> {
    /// A folder that is the canary's alone.
    pub(super) folder: &'a Path,
    /// The root of the version 2 cgroup tree.
    pub(super) cgroups: &'a Path,
}

/// One call.
pub(super) struct Call {
    /// What its records are.
    pub(super) kinds: &'static [Kind],
    /// Makes it.
    pub(super) make: fn(&Ground<'_>) -> io::Result<()>,
}

/// All calls, in the order in which they are made.
pub(super) const CALLS: &[Call] = &[
    Call { kinds: &[Kind::Fork, Kind::Exec, Kind::Exit], make: run_a_program },
    Call { kinds: &[Kind::CgroupMade, Kind::CgroupGone], make: make_a_cgroup },
    Call { kinds: &[Kind::FileOpen], make: |ground| File::create(ground.folder.join("made")).map(drop) },
    Call {
        kinds: &[Kind::FileChmod],
        make: |ground| fs::set_permissions(ground.folder.join("made"), Permissions::from_mode(0o600)),
    },
    Call {
        kinds: &[Kind::FileRename],
        make: |ground| fs::rename(ground.folder.join("made"), ground.folder.join("named")),
    },
    Call { kinds: &[Kind::FileUnlink], make: |ground| fs::remove_file(ground.folder.join("named")) },
    Call {
        kinds: &[Kind::SocketBind, Kind::SocketListen, Kind::Connect, Kind::Accept, Kind::Close],
        make: |_| connect(),
    },
    Call { kinds: &[Kind::Datagram], make: |_| send_a_datagram() },
];

/// The agent's own binary, which knows this word and does nothing.
fn run_a_program(_: &Ground<'_>) -> io::Result<()> {
    let mut command = Command::new("/proc/self/exe");
    command.args([SUBCOMMAND, "leaf"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().map(drop)
}

fn make_a_cgroup(ground: &Ground<'_>) -> io::Result<()> {
    let folder = ground.cgroups.join(format!("mayfly-canary-{}", std::process::id()));
    fs::create_dir(&folder)?;
    fs::remove_dir(&folder)
}

fn connect() -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let out = TcpStream::connect(listener.local_addr()?)?;
    let (taken, _) = listener.accept()?;
    drop((out, taken));
    Ok(())
}

/// To another port each time: of a known flow only the first datagram is told.
fn send_a_datagram() -> io::Result<()> {
    let peer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.send_to(b"canary", peer.local_addr()?).map(drop)
}
