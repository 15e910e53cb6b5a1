//! Powers taken, and used on other processes. Takes what `collector::ingest` made from the wire; never holds a wire type.

use serde::{Deserialize, Serialize};

use super::event::Raw;
use super::fact::{Fact, Named};
use super::file::FileObject;

use Fact::{Flag, Number, Text, Word};

/// What a thread may act as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of `Credentials` in `proto/sensor/v1/privilege.proto`")]
pub struct Credentials {
    pub uid: u32,
    pub effective_uid: u32,
    pub gid: u32,
    pub effective_gid: u32,
    pub effective: u64,
    pub permitted: u64,
}

/// Inode numbers of namespaces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of `NamespaceSet` in `proto/sensor/v1/privilege.proto`")]
pub struct NamespaceSet {
    pub mount: u32,
    pub pid: u32,
    pub network: u32,
    pub user: u32,
    pub cgroup: u32,
    pub uts: u32,
    pub ipc: u32,
    pub time: u32,
}

/// What a process did with power, or to get it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "how")]
#[expect(missing_docs, reason = "the fields are those of `proto/sensor/v1/privilege.proto`, where each is described")]
pub enum Privilege {
    CredentialsChanged { call: String, before: Option<Credentials>, after: Credentials, result: i32 },
    ProcessReached { call: String, request: String, pid: u32, start_ns: u64, address: u64, repeats: u32, result: i32 },
    NamespacesChanged(Box<NamespacesChanged>),
    RootChanged { call: String, path: Raw, old_place: Raw, truncated: bool, result: i32 },
    UserfaultMade { flags: u32, result: i32 },
    KeyUsed { call: String, operation: u32, serial: i32, r#type: Raw, description: Raw, result: i32 },
    MemoryExecutable(Box<MemoryExecutable>),
}

/// A thread is in other namespaces, or its child is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of `NamespacesChanged` in `proto/sensor/v1/privilege.proto`")]
pub struct NamespacesChanged {
    pub call: String,
    pub flags: u32,
    pub before: Option<NamespaceSet>,
    pub after: NamespaceSet,
    pub target_pid: u32,
    pub target_start_ns: u64,
    pub child_cgroup_id: u64,
    pub new_user: bool,
    pub enters_host: bool,
    pub result: i32,
}

/// Memory was made executable.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of `MemoryExecutable` in `proto/sensor/v1/privilege.proto`")]
pub struct MemoryExecutable {
    pub call: String,
    pub memory: String,
    pub path: Raw,
    pub truncated: bool,
    pub object: Option<FileObject>,
    pub address: u64,
    pub size: u64,
    pub writable: bool,
    pub repeats: u32,
    pub result: i32,
}

impl Privilege {
    /// In one word.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::CredentialsChanged { .. } => "credentials_changed",
            Self::ProcessReached { .. } => "process_reached",
            Self::NamespacesChanged(_) => "namespaces_changed",
            Self::RootChanged { .. } => "root_changed",
            Self::UserfaultMade { .. } => "userfault_made",
            Self::KeyUsed { .. } => "key_used",
            Self::MemoryExecutable(_) => "memory_executable",
        }
    }

    /// What the kernel answered.
    pub fn result(&self) -> Option<i32> {
        match self {
            Self::CredentialsChanged { result, .. }
            | Self::ProcessReached { result, .. }
            | Self::RootChanged { result, .. }
            | Self::UserfaultMade { result, .. }
            | Self::KeyUsed { result, .. } => Some(*result),
            Self::NamespacesChanged(changed) => Some(changed.result),
            Self::MemoryExecutable(made) => Some(made.result),
        }
    }

    /// All else, by name. Rules ask by the same names.
    pub fn facts(&self) -> Vec<Named<'_>> {
        match self {
            Self::CredentialsChanged { call, before, after, .. } => {
                let mut facts = vec![("operation", Word(call))];
                if let Some(before) = before {
                    facts.extend([
                        ("uid_before", Number(before.uid.into())),
                        ("effective_uid_before", Number(before.effective_uid.into())),
                        ("gid_before", Number(before.gid.into())),
                        ("effective_gid_before", Number(before.effective_gid.into())),
                        ("cap_gained", Number(after.effective & !before.effective)),
                    ]);
                }
                facts.extend([
                    ("uid", Number(after.uid.into())),
                    ("effective_uid", Number(after.effective_uid.into())),
                    ("gid", Number(after.gid.into())),
                    ("effective_gid", Number(after.effective_gid.into())),
                    ("effective", Number(after.effective)),
                    ("permitted", Number(after.permitted)),
                ]);
                facts
            }
            Self::ProcessReached { call, request, pid, start_ns, address, repeats, .. } => vec![
                ("operation", Word(call)),
                ("request", Word(request)),
                ("target_pid", Number((*pid).into())),
                ("target_start_ns", Number(*start_ns)),
                ("address", Number(*address)),
                ("repeats", Number((*repeats).into())),
            ],
            Self::NamespacesChanged(changed) => changed.facts(),
            Self::RootChanged { call, path, old_place, truncated, .. } => vec![
                ("operation", Word(call)),
                ("path", Text(path)),
                ("old_place", Text(old_place)),
                ("truncated", Flag(*truncated)),
            ],
            Self::UserfaultMade { flags, .. } => {
                vec![("operation", Word("userfaultfd")), ("flags", Number((*flags).into()))]
            }
            Self::KeyUsed { call, operation, serial, r#type, description, .. } => vec![
                ("operation", Word(call)),
                ("key_operation", Number((*operation).into())),
                ("serial", Fact::Signed((*serial).into())),
                ("key_type", Text(r#type)),
                ("name", Text(description)),
            ],
            Self::MemoryExecutable(made) => made.facts(),
        }
    }
}

impl MemoryExecutable {
    fn facts(&self) -> Vec<Named<'_>> {
        let mut facts = vec![
            ("operation", Word(&self.call)),
            ("memory", Word(&self.memory)),
            ("path", Text(&self.path)),
            ("truncated", Flag(self.truncated)),
            ("address", Number(self.address)),
            ("size", Number(self.size)),
            ("writable", Flag(self.writable)),
            ("repeats", Number(self.repeats.into())),
        ];
        if let Some(object) = &self.object {
            facts.extend(object.facts());
        }
        facts
    }
}

impl NamespacesChanged {
    fn facts(&self) -> Vec<Named<'_>> {
        let mut facts = vec![
            ("operation", Word(&self.call)),
            ("flags", Number(self.flags.into())),
            ("target_pid", Number(self.target_pid.into())),
            ("target_start_ns", Number(self.target_start_ns)),
            ("child_cgroup_id", Number(self.child_cgroup_id)),
            ("new_user_namespace", Flag(self.new_user)),
            ("enters_host", Flag(self.enters_host)),
        ];
        let both = self.before.unwrap_or_default();
        let names = [
            ("mount_before", "mount", both.mount, self.after.mount),
            ("pid_before", "pid", both.pid, self.after.pid),
            ("network_before", "network", both.network, self.after.network),
            ("user_before", "user", both.user, self.after.user),
            ("cgroup_before", "cgroup", both.cgroup, self.after.cgroup),
            ("uts_before", "uts", both.uts, self.after.uts),
            ("ipc_before", "ipc", both.ipc, self.after.ipc),
            ("time_before", "time", both.time, self.after.time),
        ];
        for (before, name, was, is) in names {
            if self.before.is_some() && was != is {
                facts.push((before, Number(was.into())));
            }
            facts.push((name, Number(is.into())));
        }
        facts
    }
}
