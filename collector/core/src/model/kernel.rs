//! Changes to the kernel itself, and ways into it beside system calls. Takes what `collector::ingest` made from the wire; never holds a wire
//! type.

use serde::{Deserialize, Serialize};

use super::event::Raw;
use super::fact::{Fact, Named};

use Fact::{Flag, Number, Text, Word};

/// What was done to the kernel, or asked of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "how")]
#[expect(missing_docs, reason = "the fields are those of `proto/sensor/v1/kernel.proto`, where each is described")]
pub enum Change {
    ModuleChanged {
        call: String,
        name: Raw,
        path: Raw,
        parameters: Raw,
        flags: u32,
        size: u32,
        result: i32,
    },
    BpfUsed {
        command: String,
        id: u32,
        program_type: u32,
        attach_type: u32,
        name: Raw,
        instructions: u32,
        place: u32,
        result: i32,
    },
    PerfEventOpened {
        source: u32,
        config: u64,
        period: u64,
        pid: i32,
        cpu: i32,
        flags: u64,
        result: i32,
    },
    KexecLoaded {
        call: String,
        path: Raw,
        flags: u64,
        result: i32,
    },
    UringMade {
        entries: u32,
        flags: u32,
        result: i32,
    },
    UringRegistered {
        opcode: u32,
        request: String,
        count: u32,
        descriptor: i32,
        result: i32,
    },
    UringRequested(Box<UringRequested>),
    MountChanged {
        call: String,
        source: Raw,
        target: Raw,
        r#type: Raw,
        flags: u64,
        truncated: bool,
        result: i32,
    },
    SysctlWritten {
        path: Raw,
        value: Raw,
        truncated: bool,
    },
    SelfTamper {
        kind: String,
        detail: Raw,
        signal: u32,
        result: i32,
    },
}

/// An `io_uring` took a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of `UringRequested` in `proto/sensor/v1/kernel.proto`")]
pub struct UringRequested {
    pub operation: String,
    pub path: Raw,
    pub second_path: Raw,
    pub descriptor: i32,
    pub polled: bool,
    pub repeats: u32,
    pub command: u32,
    pub fixed_file: bool,
    pub incomplete: bool,
}

impl Change {
    /// In one word.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::ModuleChanged { .. } => "module_changed",
            Self::BpfUsed { .. } => "bpf_used",
            Self::PerfEventOpened { .. } => "perf_event_opened",
            Self::KexecLoaded { .. } => "kexec_loaded",
            Self::UringMade { .. } => "uring_made",
            Self::UringRegistered { .. } => "uring_registered",
            Self::UringRequested(_) => "uring_requested",
            Self::MountChanged { .. } => "mount_changed",
            Self::SysctlWritten { .. } => "sysctl_written",
            Self::SelfTamper { .. } => "self_tamper",
        }
    }

    /// What the kernel answered; nothing where that is not known.
    pub fn result(&self) -> Option<i32> {
        match self {
            Self::ModuleChanged { result, .. }
            | Self::BpfUsed { result, .. }
            | Self::PerfEventOpened { result, .. }
            | Self::KexecLoaded { result, .. }
            | Self::UringMade { result, .. }
            | Self::UringRegistered { result, .. }
            | Self::MountChanged { result, .. }
            | Self::SelfTamper { result, .. } => Some(*result),
            Self::UringRequested(_) | Self::SysctlWritten { .. } => None,
        }
    }

    /// All else, by name. Rules ask by the same names.
    pub fn facts(&self) -> Vec<Named<'_>> {
        match self {
            Self::ModuleChanged { call, name, path, parameters, flags, size, .. } => vec![
                ("operation", Word(call)),
                ("name", Text(name)),
                ("path", Text(path)),
                ("parameters", Text(parameters)),
                ("flags", Number((*flags).into())),
                ("size", Number((*size).into())),
            ],
            Self::BpfUsed { command, id, program_type, attach_type, name, instructions, place, .. } => vec![
                ("operation", Word(command)),
                ("name", Text(name)),
                ("id", Number((*id).into())),
                ("program_type", Number((*program_type).into())),
                ("attach_type", Number((*attach_type).into())),
                ("instructions", Number((*instructions).into())),
                ("place", Number((*place).into())),
            ],
            Self::PerfEventOpened { source, config, period, pid, cpu, flags, .. } => vec![
                ("operation", Word("perf_event_open")),
                ("source", Number((*source).into())),
                ("config", Number(*config)),
                ("period", Number(*period)),
                ("target_pid", Fact::Signed((*pid).into())),
                ("cpu", Fact::Signed((*cpu).into())),
                ("flags", Number(*flags)),
            ],
            Self::KexecLoaded { call, path, flags, .. } => {
                vec![("operation", Word(call)), ("path", Text(path)), ("flags", Number(*flags))]
            }
            Self::UringMade { .. } | Self::UringRegistered { .. } => self.facts_of_ring(),
            Self::UringRequested(requested) => requested.facts(),
            Self::MountChanged { call, source, target, r#type, flags, truncated, .. } => vec![
                ("operation", Word(call)),
                ("mount_source", Text(source)),
                ("path", Text(target)),
                ("mount_type", Text(r#type)),
                ("flags", Number(*flags)),
                ("truncated", Flag(*truncated)),
            ],
            Self::SysctlWritten { path, value, truncated } => vec![
                ("operation", Word("sysctl")),
                ("path", Text(path)),
                ("details", Text(value)),
                ("truncated", Flag(*truncated)),
            ],
            Self::SelfTamper { kind, detail, signal, .. } => {
                vec![("operation", Word(kind)), ("details", Text(detail)), ("signal", Number((*signal).into()))]
            }
        }
    }

    fn facts_of_ring(&self) -> Vec<Named<'_>> {
        match self {
            Self::UringMade { entries, flags, .. } => vec![
                ("operation", Word("io_uring_setup")),
                ("entries", Number((*entries).into())),
                ("flags", Number((*flags).into())),
            ],
            Self::UringRegistered { opcode, request, count, descriptor, .. } => vec![
                ("operation", Word("io_uring_register")),
                ("request", Word(request)),
                ("opcode", Number((*opcode).into())),
                ("count", Number((*count).into())),
                ("descriptor", Fact::Signed((*descriptor).into())),
            ],
            _ => Vec::new(),
        }
    }
}

impl UringRequested {
    fn facts(&self) -> Vec<Named<'_>> {
        vec![
            ("operation", Word(&self.operation)),
            ("path", Text(&self.path)),
            ("second_path", Text(&self.second_path)),
            ("descriptor", Fact::Signed(self.descriptor.into())),
            ("polled", Flag(self.polled)),
            ("repeats", Number(self.repeats.into())),
            ("command", Number(self.command.into())),
            ("fixed_file", Flag(self.fixed_file)),
            ("incomplete", Flag(self.incomplete)),
        ]
    }
}
