//! The gates: what hangs at the hooks and is kept over the agent's end. Takes a program that is loaded and the place where it is to be;
//! puts it behind the gate of that place, in one step where a gate stands there already. Knows nothing of what programs do.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use aya::maps::{Map, MapData, MapError, ProgramArray};
use aya::programs::links::{FdLink, LinkError, PinnedLink};
use aya::programs::{
    BtfTracePoint, CgroupSkb, CgroupSkbAttachType, CgroupSockAddr, FEntry, FExit, KProbe, Lsm, Program, ProgramError,
    ProgramFd, ProgramInfo, TracePoint,
};
use aya::{Btf, EbpfLoader};
use ebpf_common::hook::{self, Attach};

use super::hooks::{self, BESIDE_OTHERS};
use super::pins::{self, PinError};

/// Aligned, as the loader wants it.
static OBJECT: &[u8] = aya::include_bytes_aligned!(env!("MAYFLY_GATE_OBJECT"));

const BEHIND: &str = "BEHIND";

/// Why a program stands behind no gate.
#[derive(Debug, thiserror::Error)]
pub(super) enum GateError {
    /// The place is of a kind that cannot be kept.
    #[error("a program here ends with the agent")]
    NotKept,
    /// The folder.
    #[error(transparent)]
    Pins(#[from] PinError),
    /// The gate's object.
    #[error("load the gate")]
    Object(#[from] aya::EbpfError),
    /// The gate's table.
    #[error("put the program behind the gate")]
    Table(#[from] MapError),
    /// The gate's program.
    #[error("hang the gate")]
    Program(#[from] ProgramError),
    /// The gate's link.
    #[error("open the gate's link")]
    Link(#[from] LinkError),
    /// The gate cannot be kept.
    #[error("keep the gate")]
    Keep(#[from] aya::pin::PinError),
}

/// One gate.
struct Gate {
    behind: ProgramArray<MapData>,
    program: ProgramFd,
    /// Open, so that the kernel's number of its program can be read from it.
    _link: PinnedLink,
    is_new: bool,
}

/// All gates.
pub(super) struct Gates {
    /// One for all: each that is made reads the kernel's types first.
    loader: EbpfLoader<'static>,
    folder: PathBuf,
    /// By place; those of this agent.
    standing: BTreeMap<String, Gate>,
}

impl Gates {
    /// `agent`: where the table is pinned that says whether there is an agent.
    pub(super) fn new(mut loader: EbpfLoader<'static>, folder: PathBuf, agent: PathBuf) -> Self {
        loader.map_pin_path("AGENT", agent);
        Self { loader, folder, standing: BTreeMap::new() }
    }

    /// Puts a loaded program behind the gate of its place. From here on it runs.
    pub(super) fn hang(
        &mut self,
        types: &Btf,
        cgroups: &Path,
        hung: &hook::Program,
        fd: &ProgramFd,
    ) -> Result<(), GateError> {
        let place = place(hung);
        let folder = self.folder.join(&place);
        if let Ok(mut gate) = Gate::open(&folder) {
            // A gate at another kind of place refuses the program: it is of an agent that hung it elsewhere.
            if gate.behind.set(0, fd, 0).is_ok() {
                self.standing.insert(place, gate);
                return Ok(());
            }
        }
        if folder.exists() {
            pins::remove(&folder)?;
        }
        pins::make(&folder)?;
        let made = Gate::make(&folder, &mut self.loader, (types, cgroups), hung, fd);
        if made.is_err() {
            // Half a gate would be taken for one.
            pins::remove(&folder)?;
        }
        self.standing.insert(place, made?);
        Ok(())
    }

    /// The program's way is given up. Where it was new nothing of it stays; what hung there before goes on until all is changed.
    pub(super) fn give_up(&mut self, hung: &hook::Program) {
        let place = place(hung);
        if self.standing.remove(&place).is_some_and(|gate| gate.is_new)
            && let Err(error) = pins::remove(&self.folder.join(&place))
        {
            tracing::error!(%error, place, "a gate could not be taken down");
        }
    }

    /// Takes down gates behind which this agent put nothing.
    pub(super) fn take_down_others(&self) {
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let ours = entry.file_name().to_str().is_some_and(|name| self.standing.contains_key(name));
            if !ours && let Err(error) = pins::remove(&entry.path()) {
                tracing::error!(%error, "a gate of an earlier agent could not be taken down");
            }
        }
    }

    /// How often a program's gates ran and how long, with what is behind them: the kernel counts it there.
    pub(super) fn runs(&self, program: &str) -> Result<(u64, Duration), ProgramError> {
        let mut sum = (0, Duration::ZERO);
        for (place, _) in self.of(program) {
            let info = ProgramInfo::from_pin(self.folder.join(place).join("program"))?;
            sum = (sum.0 + info.run_count(), sum.1 + info.run_time());
        }
        Ok(sum)
    }

    /// The kernel's numbers of a program's gates.
    pub(super) fn numbers<'a>(&'a self, program: &'a str) -> impl Iterator<Item = u32> {
        let pinned = self.of(program).map(|(place, _)| self.folder.join(place).join("program"));
        pinned.filter_map(|path| Some(ProgramInfo::from_pin(path).ok()?.id()))
    }

    /// The programs of a program's gates.
    pub(super) fn programs<'a>(&'a self, program: &'a str) -> impl Iterator<Item = &'a ProgramFd> {
        self.of(program).map(|(_, gate)| &gate.program)
    }

    fn of<'a>(&'a self, program: &'a str) -> impl Iterator<Item = (&'a String, &'a Gate)> {
        let is_of = move |place: &str| place.strip_prefix(program).is_some_and(|rest| rest.starts_with(BETWEEN));
        self.standing.iter().filter(move |(place, _)| is_of(place))
    }
}

impl Gate {
    fn open(folder: &Path) -> Result<Self, GateError> {
        let map = Map::from_map_data(MapData::from_pin(folder.join("behind"))?)?;
        let behind = ProgramArray::try_from(map)?;
        let program = ProgramInfo::from_pin(folder.join("program"))?.fd()?;
        let link = PinnedLink::from_pin(folder.join("link"))?;
        Ok(Self { behind, program, _link: link, is_new: false })
    }

    /// The program stands behind the gate before the gate hangs: no event comes between.
    fn make(
        folder: &Path,
        loader: &mut EbpfLoader<'static>,
        (types, cgroups): (&Btf, &Path),
        hung: &hook::Program,
        fd: &ProgramFd,
    ) -> Result<Self, GateError> {
        let name = kind(hung).ok_or(GateError::NotKept)?;
        let mut object = loader.map_pin_path(BEHIND, folder.join("behind")).load(OBJECT)?;
        let program = object.program_mut(name).ok_or(ProgramError::NotLoaded)?;
        hooks::load(program, hung, types)?;
        program.pin(folder.join("program"))?;
        let map = object.take_map(BEHIND).ok_or(ProgramError::NotLoaded)?;
        let mut behind = ProgramArray::try_from(map)?;
        behind.set(0, fd, 0)?;
        let program = object.program_mut(name).ok_or(ProgramError::NotLoaded)?;
        let link = attach(program, hung, cgroups)?;
        let link = link.pin(folder.join("link"))?;
        let program = ProgramInfo::from_pin(folder.join("program"))?.fd()?;
        Ok(Self { behind, program, _link: link, is_new: true })
    }
}

/// Between a program's name and its place's.
const BETWEEN: char = ':';

/// The name of a place: one program may hang at many calls. Without dots, which the filesystem refuses.
fn place(hung: &hook::Program) -> String {
    let at = match hung.attach {
        Attach::Lsm(at)
        | Attach::Fentry(at)
        | Attach::Fexit(at)
        | Attach::Kprobe(at)
        | Attach::Kretprobe(at)
        | Attach::BtfTracepoint(at)
        | Attach::SyscallEnter(at)
        | Attach::SyscallExit(at)
        | Attach::Tracepoint { name: at, .. } => at,
        Attach::RootCgroupSysctl
        | Attach::RootCgroupAddress
        | Attach::RootCgroupEgress
        | Attach::RootCgroupIngress
        | Attach::Quarantine => "root",
    };
    format!("{}{BETWEEN}{at}", hung.name)
}

/// The gate for a kind of place; none where the kernel keeps nothing that the loader can name.
fn kind(hung: &hook::Program) -> Option<&'static str> {
    Some(match hung.attach {
        Attach::Lsm(_) => "gate_lsm",
        Attach::Fentry(_) => "gate_fentry",
        Attach::Fexit(_) => "gate_fexit",
        Attach::Kprobe(_) => "gate_kprobe",
        Attach::Kretprobe(_) => "gate_kretprobe",
        Attach::BtfTracepoint(_) => "gate_typed",
        Attach::Tracepoint { .. } | Attach::SyscallEnter(_) | Attach::SyscallExit(_) => "gate_tracepoint",
        Attach::RootCgroupAddress => match hung.name {
            "connect4" => "gate_connect4",
            "connect6" => "gate_connect6",
            "sendmsg4" => "gate_sendmsg4",
            "sendmsg6" => "gate_sendmsg6",
            _ => return None,
        },
        Attach::RootCgroupEgress => "gate_egress",
        Attach::RootCgroupIngress => "gate_ingress",
        Attach::RootCgroupSysctl | Attach::Quarantine => return None,
    })
}

/// Hangs a gate, by a link that can be kept.
fn attach(gate: &mut Program, hung: &hook::Program, cgroups: &Path) -> Result<FdLink, GateError> {
    macro_rules! linked {
        ($kind:ty, |$program:ident| $attach:expr) => {{
            let $program: &mut $kind = gate.try_into()?;
            let id = $attach?;
            // Performance events have links since 5.15: before that they end with their descriptor.
            FdLink::try_from($program.take_link(id)?).map_err(|_| GateError::NotKept)
        }};
    }
    match hung.attach {
        Attach::Lsm(_) => linked!(Lsm, |program| program.attach()),
        Attach::Fentry(_) => linked!(FEntry, |program| program.attach()),
        Attach::Fexit(_) => linked!(FExit, |program| program.attach()),
        Attach::Kprobe(names) | Attach::Kretprobe(names) => {
            linked!(KProbe, |program| hooks::first(names, |name| program.attach(name, 0)))
        }
        Attach::BtfTracepoint(_) => linked!(BtfTracePoint, |program| program.attach()),
        Attach::Tracepoint { .. } | Attach::SyscallEnter(_) | Attach::SyscallExit(_) => {
            let (category, name) = hooks::tracepoint(hung).ok_or(GateError::NotKept)?;
            linked!(TracePoint, |program| program.attach(category, &name))
        }
        Attach::RootCgroupAddress => {
            linked!(CgroupSockAddr, |program| program.attach(open(cgroups)?, BESIDE_OTHERS))
        }
        Attach::RootCgroupEgress => {
            linked!(CgroupSkb, |program| program.attach(open(cgroups)?, CgroupSkbAttachType::Egress, BESIDE_OTHERS))
        }
        Attach::RootCgroupIngress => {
            linked!(CgroupSkb, |program| program.attach(open(cgroups)?, CgroupSkbAttachType::Ingress, BESIDE_OTHERS))
        }
        Attach::RootCgroupSysctl | Attach::Quarantine => Err(GateError::NotKept),
    }
}

fn open(folder: &Path) -> Result<File, ProgramError> {
    File::open(folder).map_err(ProgramError::from)
}
