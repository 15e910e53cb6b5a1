//! A node event as rules see it. Takes the event, what is known of its process and its container; gives Sigma's fields by borrowing.
//! Never allocates, and answers `Missing` where a fact is not known.

use rules::fields::{self, Known as FieldName};
use rules::{Event, Field, LogSource, Value};

use super::changes;
use super::powers;
use super::processes::{Known, Program};
use crate::model::event::{ContainerSeen, Entry, Flow};
use crate::model::{Body, NodeEvent, Origin};

/// `open(2)` flags that make an open a write: `O_WRONLY`, `O_RDWR`, `O_CREAT`.
const WRITING: u32 = 0o1 | 0o2 | 0o100;

/// The sources under which rules see an event: none for most bodies of the agent itself, two for a sensitive file that is written.
/// The same as on the node, so that a trigger and our own match are one finding.
pub(crate) fn sources(body: &Body) -> [Option<LogSource<'static>>; 2] {
    match body {
        Body::Exec(_) => [Some(fields::PROCESS_CREATION), None],
        Body::Exit { .. } => [Some(fields::PROCESS_END), None],
        Body::FileOpen { flags, sensitive, result, by_handle, repeats, .. } => {
            // Of those that were counted, rules saw the first.
            let is_told = repeats.is_none();
            let access = is_told && (!sensitive.is_empty() || *by_handle);
            let write = is_told && flags & WRITING != 0 && *result >= 0;
            [access.then_some(fields::FILE_ACCESS), write.then_some(fields::FILE_EVENT)]
        }
        Body::FileUnlink { .. } => [Some(fields::FILE_DELETE), None],
        Body::FileRename { .. } => [Some(fields::FILE_RENAME), None],
        Body::FileChmod { .. } => [Some(fields::FILE_CHANGE), None],
        Body::Connect { .. } | Body::Accept { .. } | Body::DatagramFlow { .. } => {
            [Some(fields::NETWORK_CONNECTION), None]
        }
        Body::Privilege(_) | Body::Kernel(_) => [powers::source(body), None],
        Body::FileChange(change) => {
            let made = change.result >= 0 && changes::makes_name(&change.act);
            [Some(fields::FILE_CHANGE), made.then_some(fields::FILE_EVENT)]
        }
        Body::Dns(_) => [Some(fields::DNS_QUERY), None],
        Body::ClientHello(_) => [Some(fields::TLS_CONNECTION), None],
        Body::Socket(_) => [Some(fields::NETWORK_SOCKET), None],
        Body::Fork { .. }
        | Body::Close { .. }
        | Body::ContainerSeen(_)
        | Body::ContainerGone { .. }
        | Body::Loss { .. }
        | Body::Trigger(_)
        | Body::CaptureSealed { .. }
        | Body::Accounting(_)
        | Body::AgentStarted { .. }
        | Body::Coverage(_) => [None, None],
    }
}

/// One event of one node.
pub(crate) struct NodeView<'a> {
    pub(crate) event: &'a NodeEvent,
    pub(crate) source: LogSource<'static>,
    pub(crate) process: Option<&'a Known>,
    pub(crate) container: Option<&'a ContainerSeen>,
}

impl NodeView<'_> {
    fn program(&self) -> Option<&Program> {
        self.process?.program.as_deref()
    }

    fn parent(&self) -> Option<&Program> {
        self.process?.parent.as_deref()
    }

    fn image(&self) -> Option<&[u8]> {
        match &self.event.body {
            Body::Exec(exec) if !exec.path.0.is_empty() => Some(&exec.path.0),
            _ => {
                let executable = &self.event.actor.as_ref()?.executable.0;
                if executable.is_empty() { Some(&self.program()?.image) } else { Some(executable) }
            }
        }
    }

    fn of_process(&self, name: FieldName) -> Value<'_> {
        let actor = self.event.actor.as_ref();
        let number = |number: Option<u32>| number.map_or(Value::Missing, |number| Value::Int(i64::from(number)));
        match name {
            FieldName::Image => Value::text(self.image()),
            FieldName::OriginalFileName => {
                Value::text(self.image().and_then(|path| path.rsplit(|byte| *byte == b'/').next()))
            }
            FieldName::CommandLine => filled(self.program().map(|program| &program.command_line)),
            FieldName::CurrentDirectory => filled(self.program().map(|program| &program.directory)),
            FieldName::UserId => number(actor.map(|actor| actor.uid)),
            FieldName::ProcessId => number(actor.map(|actor| actor.process.pid)),
            FieldName::ParentProcessId => number(actor.and_then(|actor| Some(actor.parent.as_ref()?.pid))),
            FieldName::ParentImage => filled(self.parent().map(|program| &program.image)),
            FieldName::ParentCommandLine => filled(self.parent().map(|program| &program.command_line)),
            FieldName::ExeMemfd => self.program().map_or(Value::Missing, |program| Value::Bool(program.memfd)),
            FieldName::ExeDeleted => self.program().map_or(Value::Missing, |program| Value::Bool(program.deleted)),
            FieldName::ExeUpperLayer => {
                self.program().map_or(Value::Missing, |program| Value::Bool(program.upper_layer))
            }
            FieldName::ExeInode => whole(self.program().map(|program| program.inode)),
            FieldName::CapEff => whole(self.program().map(|program| program.capabilities)),
            _ => Value::Missing,
        }
    }

    fn of_container(&self, name: FieldName) -> Value<'_> {
        let actor = self.event.actor.as_ref();
        let seen = self.container;
        match name {
            FieldName::ContainerId => Value::text(self.event.container().map(str::as_bytes)),
            FieldName::ContainerRuntime => word(seen.map(|seen| &seen.runtime)),
            FieldName::PodName => word(seen.map(|seen| &seen.pod_name)),
            FieldName::PodNamespace => word(seen.map(|seen| &seen.pod_namespace)),
            FieldName::ImageName => word(seen.map(|seen| &seen.image)),
            FieldName::ImageDigest => word(seen.map(|seen| &seen.image_digest)),
            FieldName::InContainer => match actor.map(|actor| &actor.origin) {
                Some(Origin::Container { .. }) => Value::Bool(!actor.is_some_and(|actor| actor.in_host_mounts)),
                Some(Origin::Host) => Value::Bool(false),
                Some(Origin::Unknown { .. }) | None => Value::Missing,
            },
            FieldName::InInitTree => match actor {
                Some(actor) if matches!(actor.origin, Origin::Container { .. }) && !actor.in_host_mounts => {
                    Value::Bool(matches!(actor.entry, Entry::InitTree | Entry::Unknown))
                }
                _ => Value::Missing,
            },
            FieldName::Entry => match actor.map(|actor| actor.entry) {
                Some(Entry::None) | None => Value::Missing,
                Some(entry) => Value::text(Some(entry.name().as_bytes())),
            },
            _ => Value::Missing,
        }
    }

    fn of_file(&self, name: FieldName) -> Value<'_> {
        match (&self.event.body, name) {
            (
                Body::FileOpen { path, .. }
                | Body::FileUnlink { path, .. }
                | Body::FileChmod { path, .. }
                | Body::FileRename { to: path, .. },
                FieldName::TargetFilename,
            )
            | (Body::FileRename { from: path, .. }, FieldName::SourceFilename) => filled(Some(&path.0)),
            (Body::FileOpen { sensitive, .. }, FieldName::FileSensitive) => word(Some(sensitive)),
            (Body::FileOpen { mode, .. } | Body::FileChmod { mode, .. }, FieldName::FileMode) => {
                Value::Int(i64::from(*mode))
            }
            (Body::FileOpen { flags, .. }, FieldName::FileFlags) => Value::Int(i64::from(*flags)),
            (Body::FileOpen { by_handle: true, .. }, FieldName::FileAct) => Value::Text(b"opened_by_handle"),
            (Body::FileChange(change), name) => changes::file(change, name),
            (body, FieldName::FileUpperLayer) => {
                changes::object(body).map_or(Value::Missing, |object| Value::Bool(object.upper_layer))
            }
            _ => Value::Missing,
        }
    }

    fn of_network(&self, name: FieldName) -> Value<'_> {
        let (flow, outgoing, protocol, metadata) = match &self.event.body {
            Body::Connect { api_server, .. } if name == FieldName::NetApiServer => return Value::Bool(*api_server),
            Body::Connect { flow, metadata_service, .. } => (flow, true, "tcp", *metadata_service),
            Body::Dns(dns) => match changes::dns(dns, name) {
                Value::Missing => (&dns.flow, true, if dns.tcp { "tcp" } else { "udp" }, false),
                known => return known,
            },
            Body::ClientHello(hello) if name == FieldName::DestinationHostname => {
                return filled(Some(&hello.server_name.0));
            }
            Body::ClientHello(hello) => (&hello.flow, true, "tls", false),
            Body::Socket(used) => match (changes::socket(used, name), &used.flow) {
                (Value::Missing, Some(flow)) => (flow, true, used.family.as_str(), false),
                (known, _) => return known,
            },
            Body::DatagramFlow { flow, metadata_service } => (flow, true, "udp", *metadata_service),
            Body::Accept { flow } => (flow, false, "tcp", false),
            _ => return Value::Missing,
        };
        let Flow { local, local_port, remote, remote_port } = *flow;
        let (from, to) = if outgoing {
            ((local, local_port), (remote, remote_port))
        } else {
            ((remote, remote_port), (local, local_port))
        };
        match name {
            FieldName::Initiated => Value::Bool(outgoing),
            FieldName::Protocol => Value::Text(protocol.as_bytes()),
            FieldName::SourceIp => Value::Address(from.0),
            FieldName::SourcePort => Value::Int(i64::from(from.1)),
            FieldName::DestinationIp => Value::Address(to.0),
            FieldName::DestinationPort => Value::Int(i64::from(to.1)),
            FieldName::NetImds => Value::Bool(metadata),
            _ => Value::Missing,
        }
    }

    fn of_end(&self, name: FieldName) -> Value<'_> {
        match (&self.event.body, name) {
            (Body::Exit { code, .. }, FieldName::ExitCode) => Value::Int(i64::from(*code)),
            (Body::Exit { signal, .. }, FieldName::Signal) if *signal != 0 => Value::Int(i64::from(*signal)),
            _ => Value::Missing,
        }
    }
}

impl Event for NodeView<'_> {
    fn log_source(&self) -> LogSource<'_> {
        self.source
    }

    fn field<'a>(&'a self, field: &'a Field) -> Value<'a> {
        let Some(name) = field.known() else { return Value::Missing };
        let of_powers = powers::field(&self.event.body, name);
        if !matches!(of_powers, Value::Missing) {
            return of_powers;
        }
        match name {
            FieldName::ContainerId
            | FieldName::ContainerRuntime
            | FieldName::PodName
            | FieldName::PodNamespace
            | FieldName::ImageName
            | FieldName::InContainer
            | FieldName::InInitTree => self.of_container(name),
            FieldName::TargetFilename
            | FieldName::SourceFilename
            | FieldName::FileSensitive
            | FieldName::FileMode
            | FieldName::FileFlags
            | FieldName::FileAct
            | FieldName::FileAttribute
            | FieldName::FileModified
            | FieldName::FileUpperLayer => self.of_file(name),
            FieldName::Initiated
            | FieldName::Protocol
            | FieldName::SourceIp
            | FieldName::SourcePort
            | FieldName::DestinationIp
            | FieldName::DestinationPort
            | FieldName::DestinationHostname
            | FieldName::QueryName
            | FieldName::QueryType
            | FieldName::QueryStatus
            | FieldName::QueryResults
            | FieldName::SocketAct
            | FieldName::SocketFamily
            | FieldName::SocketAddress
            | FieldName::NetApiServer
            | FieldName::NetImds => self.of_network(name),
            FieldName::ExitCode | FieldName::Signal => self.of_end(name),
            _ => self.of_process(name),
        }
    }

    fn each_text(&self, visit: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        let program = self.program();
        let file = match &self.event.body {
            Body::FileOpen { path, .. } | Body::FileUnlink { path, .. } | Body::FileChmod { path, .. } => Some(&path.0),
            Body::FileRename { to, .. } => Some(&to.0),
            Body::FileChange(change) => Some(&change.path.0),
            Body::Dns(dns) => Some(&dns.name.0),
            Body::ClientHello(hello) => Some(&hello.server_name.0),
            Body::Socket(used) => Some(&used.address.0),
            _ => None,
        };
        [
            self.image(),
            program.map(|program| program.command_line.as_slice()),
            program.map(|program| program.directory.as_slice()),
            self.parent().map(|program| program.image.as_slice()),
            self.parent().map(|program| program.command_line.as_slice()),
            file.map(Vec::as_slice),
        ]
        .into_iter()
        .flatten()
        .any(visit)
    }
}

/// An empty text is one that nobody could read.
pub(super) fn filled(text: Option<&Vec<u8>>) -> Value<'_> {
    Value::text(text.map(Vec::as_slice).filter(|text| !text.is_empty()))
}

fn word(text: Option<&String>) -> Value<'_> {
    Value::text(text.map(String::as_bytes).filter(|text| !text.is_empty()))
}

fn whole(number: Option<u64>) -> Value<'static> {
    // Bit 63 of a capability mask is never set; an inode beyond i64 reads as missing rather than as another inode.
    number.and_then(|number| i64::try_from(number).ok()).map_or(Value::Missing, Value::Int)
}
