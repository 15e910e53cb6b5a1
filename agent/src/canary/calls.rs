//! The known calls, each with the records that it makes, and the hooks that these speak for. Takes ground of its own; leaves it as it was.
//! Touches nothing of anybody else: its network and its files are its own, its children end at once, and what would change the machine is
//! asked for in a way that cannot succeed.

mod file;
mod kernel;
mod network;
mod privilege;

use std::fs;
use std::io;
use std::process::{Command, Stdio};

use ebpf_common::Kind;
use nix::errno::Errno;

use super::SUBCOMMAND;
use super::ground::Ground;
use super::sight::Sight;

/// One call.
pub(super) struct Call {
    /// What its records are.
    pub(super) sights: &'static [Sight],
    /// Makes it. An error is that of a call that makes no record: one that is told although it is refused is none.
    pub(super) make: fn(&Ground<'_>) -> io::Result<()>,
}

/// All calls, in the order in which they are made.
pub(super) const CALLS: &[Call] = &[
    Call { sights: &[Sight::of("fork", Kind::Fork), Sight::of("exec", Kind::Exec)], make: begin_a_program },
    Call { sights: &[Sight::of("reach", Kind::Reach)], make: privilege::reach_into_the_program },
    Call { sights: &[Sight::of("exit", Kind::Exit)], make: await_the_program },
    Call {
        sights: &[Sight::of("cgroup_made", Kind::CgroupMade), Sight::of("cgroup_gone", Kind::CgroupGone)],
        make: make_a_cgroup,
    },
    Call { sights: &[Sight::of("open", Kind::FileOpen)], make: file::open },
    Call { sights: &[Sight::of("chmod", Kind::FileChmod)], make: file::change_mode },
    Call { sights: &[Sight::of("owner", Kind::FileOwner)], make: file::give_to_oneself },
    Call { sights: &[Sight::of("times", Kind::FileTimes)], make: file::set_times },
    Call { sights: &[Sight::of("truncate", Kind::FileSize)], make: file::cut },
    Call { sights: &[Sight::of("attribute", Kind::FileAttribute)], make: file::set_an_attribute },
    Call { sights: &[Sight::of("copy", Kind::FileCopied)], make: file::copy },
    Call { sights: &[Sight::of("link", Kind::FileLink), Sight::of("link", Kind::FileSymlink)], make: file::link },
    Call { sights: &[Sight::of("make", Kind::FileMade)], make: file::make_a_folder },
    Call { sights: &[Sight::of("rename", Kind::FileRename)], make: file::rename },
    Call { sights: &[Sight::of("unlink", Kind::FileUnlink)], make: file::unlink },
    Call {
        sights: &[
            Sight::of("tcp", Kind::SocketListen),
            Sight::of("tcp", Kind::Connect),
            Sight::of("tcp", Kind::Close),
            Sight::of("accept", Kind::Accept),
            Sight::of("payload", Kind::ClientHello),
        ],
        make: network::connect,
    },
    Call { sights: &[Sight::of("datagram", Kind::Datagram)], make: network::send_a_datagram },
    Call { sights: &[Sight::of("payload", Kind::Dns)], make: network::ask_for_a_name },
    Call {
        sights: &[
            Sight::unix("bind", Kind::SocketBind),
            Sight::unix("listen", Kind::SocketListen),
            Sight::unix("connect", Kind::SocketConnect),
        ],
        make: network::connect_within,
    },
    Call { sights: &[Sight::of("socket", Kind::SocketMade)], make: network::make_a_raw_socket },
    Call { sights: &[Sight::of("credentials", Kind::Credentials)], make: privilege::be_another_group },
    Call { sights: &[Sight::of("namespaces", Kind::Namespaces)], make: privilege::leave_a_namespace },
    Call { sights: &[Sight::of("root", Kind::Root)], make: privilege::keep_the_root },
    Call { sights: &[Sight::of("module", Kind::Module)], make: kernel::remove_no_module },
    Call { sights: &[Sight::of("mount", Kind::Mount)], make: kernel::end_no_mount },
    Call { sights: &[Sight::of("bpf", Kind::Bpf)], make: kernel::make_a_map },
    Call { sights: &[Sight::of("perf_event", Kind::PerfEvent)], make: kernel::open_an_event },
    Call { sights: &[Sight::of("sysctl", Kind::Sysctl)], make: kernel::write_a_setting },
    Call { sights: &[Sight::of("tamper", Kind::Tamper)], make: kernel::signal_the_agent },
];

/// The agent's own binary, which knows this word and does nothing.
fn begin_a_program(ground: &Ground<'_>) -> io::Result<()> {
    let mut command = Command::new("/proc/self/exe");
    command.args([SUBCOMMAND, "leaf"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    ground.child.replace(Some(command.spawn()?));
    Ok(())
}

fn await_the_program(ground: &Ground<'_>) -> io::Result<()> {
    let mut child = ground.child.take().ok_or_else(|| io::Error::other("no program was started"))?;
    child.wait().map(drop)
}

fn make_a_cgroup(ground: &Ground<'_>) -> io::Result<()> {
    let folder = ground.cgroups.join(format!("mayfly-canary-{}", std::process::id()));
    fs::create_dir(&folder)?;
    fs::remove_dir(&folder)
}

/// A call that the kernel looked at and refused was told all the same. One that it does not know, or has no room for, was not.
fn told(refusal: Option<Errno>) -> io::Result<()> {
    match refusal {
        Some(cause @ (Errno::ENOSYS | Errno::ENOMEM | Errno::EMFILE | Errno::ENFILE)) => Err(cause.into()),
        _ => Ok(()),
    }
}
