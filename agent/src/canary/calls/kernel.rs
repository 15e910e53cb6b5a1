//! Calls to the kernel itself: those that would change something name what is not there; the others make what is gone with its descriptor.

use std::fs;
use std::io;

use aya::maps::{Array, Map, MapData, MapError, PerfEventArray};
use aya_obj::generated::bpf_map_type;
use nix::kmod::{DeleteModuleFlags, delete_module};
use nix::mount::{MntFlags, umount2};
use nix::sys::signal::{Signal, kill};
use nix::unistd::getppid;

use super::super::ground::Ground;
use super::told;

/// No module is called so.
const NO_MODULE: &std::ffi::CStr = c"mayfly-canary-there-is-none";
/// Of the canary's own network.
const SETTING: &str = "/proc/sys/net/ipv4/ip_default_ttl";

pub(super) fn remove_no_module(_: &Ground<'_>) -> io::Result<()> {
    told(delete_module(NO_MODULE, DeleteModuleFlags::O_NONBLOCK).err())
}

pub(super) fn end_no_mount(ground: &Ground<'_>) -> io::Result<()> {
    told(umount2(&ground.file("no-mount"), MntFlags::empty()).err())
}

/// A refused map is told too.
pub(super) fn make_a_map(_: &Ground<'_>) -> io::Result<()> {
    match Array::<MapData, u32>::create(1, 0) {
        Ok(_) | Err(MapError::CreateError { .. }) => Ok(()),
        Err(cause) => Err(io::Error::other(cause)),
    }
}

/// A counter of messages that nobody sends.
pub(super) fn open_an_event(_: &Ground<'_>) -> io::Result<()> {
    let cpus = aya::util::online_cpus().map_err(|(_, cause)| cause)?;
    let cpu = *cpus.first().ok_or_else(|| io::Error::other("no CPU is online"))?;
    let kind = bpf_map_type::BPF_MAP_TYPE_PERF_EVENT_ARRAY as u32;
    let map = aya_obj::Map::new_from_params(kind, 4, 4, cpu + 1, 0);
    let map = MapData::create(map, "mayfly_canary", None).map_err(io::Error::other)?;
    let mut events = PerfEventArray::try_from(Map::PerfEventArray(map)).map_err(io::Error::other)?;
    events.open(cpu, Some(1)).map(drop).map_err(io::Error::other)
}

/// The value that it has.
pub(super) fn write_a_setting(ground: &Ground<'_>) -> io::Result<()> {
    ground.apart()?;
    fs::write(SETTING, fs::read(SETTING)?)
}

/// A signal that nobody hears who did not ask for it: if the agent is gone by now, it is somebody else's.
pub(super) fn signal_the_agent(_: &Ground<'_>) -> io::Result<()> {
    told(kill(getppid(), Signal::SIGURG).err())
}
