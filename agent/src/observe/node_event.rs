//! An event as rules see it: fields by their Sigma names, with the facts of the parent and the container beside it.
//!
//! Takes an event, what is known of processes, and the command line as one line; gives values that borrow from them. Copies
//! nothing while rules are evaluated.

use std::net::IpAddr;

use proto::v1::actor::Origin as WireOrigin;
use proto::v1::event::Body;
use proto::v1::{Actor, Entry, Event, Flow};
use rules::{Field, Known, LogSource, Value, fields};

use super::changes::{self, Names};
use super::{file, network, powers};
use crate::origin::Origin;
use crate::origin::container::Container;
use crate::origin::image::{Image, join_arguments};

/// The largest command line that rules read: all that an event carries.
const COMMAND_LINE: usize = proto::limits::ARGUMENT_BYTES;

/// One event, as one log source.
#[derive(Debug)]
pub struct NodeEvent<'a> {
    event: &'a Event,
    source: LogSource<'static>,
    // The arguments of an exec as one line; for other events, of the image that runs.
    line: &'a [u8],
    origin: &'a Origin,
    image: Option<&'a Image>,
    parent: Option<&'a Image>,
    container: Option<&'a Container>,
    names: Names,
}

/// The log sources of an event: a sensitive file that is opened for writing is of two.
pub fn sources(event: &Event) -> [Option<LogSource<'static>>; 2] {
    match &event.body {
        Some(Body::Exec(_)) => [Some(fields::PROCESS_CREATION), None],
        Some(Body::Exit(_)) => [Some(fields::PROCESS_END), None],
        // Rules saw the first.
        Some(Body::FileOpen(open)) if open.repeats.is_some() => [None, None],
        Some(Body::FileOpen(open)) => [
            (!open.sensitive.is_empty() || open.by_handle).then_some(fields::FILE_ACCESS),
            (file::changes(open.flags) && open.result >= 0).then_some(fields::FILE_EVENT),
        ],
        Some(Body::FileUnlink(_)) => [Some(fields::FILE_DELETE), None],
        Some(Body::FileRename(_)) => [Some(fields::FILE_RENAME), None],
        Some(Body::FileChmod(_)) => [Some(fields::FILE_CHANGE), None],
        Some(body) if powers::source(body).is_some() => [powers::source(body), None],
        Some(Body::FileChange(change)) => {
            [Some(fields::FILE_CHANGE), changes::makes_name(change).then_some(fields::FILE_EVENT)]
        }
        Some(Body::Dns(_)) => [Some(fields::DNS_QUERY), None],
        Some(Body::ClientHello(_)) => [Some(fields::TLS_CONNECTION), None],
        Some(Body::SocketUse(_)) => [Some(fields::NETWORK_SOCKET), None],
        Some(Body::Connect(_) | Body::Accept(_) | Body::DatagramFlow(_)) => [Some(fields::NETWORK_CONNECTION), None],
        _ => [None, None],
    }
}

/// Writes the command line of an event to `line`: of an exec its own, else what the process runs.
pub fn command_line(event: &Event, origin: &Origin, line: &mut Vec<u8>) {
    line.clear();
    if let Some(Body::Exec(exec)) = &event.body {
        join_arguments(&exec.arguments, COMMAND_LINE, line);
        if !exec.arguments_end.is_empty() {
            line.extend_from_slice(proto::words::GAP.as_bytes());
            join_arguments(&exec.arguments_end, COMMAND_LINE, line);
        }
    } else if let Some(image) = image(event, origin) {
        line.extend_from_slice(&image.command_line);
    }
}

fn image<'a>(event: &Event, origin: &'a Origin) -> Option<&'a Image> {
    let process = origin.process(event.actor.as_ref()?.process?)?;
    Some(&process.image)
}

impl<'a> NodeEvent<'a> {
    /// An event of one of its [`sources`], with the line that [`command_line`] wrote.
    pub fn new(event: &'a Event, source: LogSource<'static>, origin: &'a Origin, line: &'a [u8]) -> Self {
        let actor = event.actor.as_ref();
        let parent = actor.and_then(|actor| origin.parent_image(actor.process?, actor.parent));
        let container = actor.and_then(|actor| origin.containers().container(actor.cgroup_id));
        Self {
            event,
            source,
            line,
            origin,
            image: image(event, origin),
            parent: parent.map(AsRef::as_ref),
            container: container.map(AsRef::as_ref),
            names: Names::of(event.body.as_ref()),
        }
    }

    fn actor(&self) -> Option<&'a Actor> {
        self.event.actor.as_ref()
    }

    /// In a container's cgroup, and not a runtime that is still in the host's mount namespace.
    fn in_container(&self) -> bool {
        let in_its_cgroup = |actor: &Actor| matches!(actor.origin, Some(WireOrigin::ContainerId(_)));
        self.actor().is_some_and(|actor| in_its_cgroup(actor) && !actor.in_host_mounts)
    }

    fn executable(&self) -> Value<'a> {
        match &self.event.body {
            Some(Body::Exec(exec)) => text(&exec.path),
            _ => self.actor().map_or(Value::Missing, |actor| text(&actor.executable)),
        }
    }

    fn process_field(&self, field: Known) -> Value<'a> {
        let actor = self.actor();
        match field {
            Known::Image => self.executable(),
            Known::OriginalFileName => match self.executable() {
                Value::Text(path) => Value::Text(path.rsplit(|&byte| byte == b'/').next().unwrap_or(path)),
                missing => missing,
            },
            Known::CommandLine => text(self.line),
            Known::CurrentDirectory => match &self.event.body {
                Some(Body::Exec(exec)) => text(&exec.directory),
                _ => self.image.map_or(Value::Missing, |image| text(&image.directory)),
            },
            Known::User => {
                let name = actor.and_then(|actor| self.origin.user(actor.uid, self.in_container()));
                Value::text(name.map(str::as_bytes))
            }
            Known::UserId => number(actor.map(|actor| actor.uid)),
            Known::ProcessId => number(actor.and_then(|actor| actor.process).map(|key| key.pid)),
            Known::ParentProcessId => number(actor.and_then(|actor| actor.parent).map(|key| key.pid)),
            Known::ParentImage => self.parent.map_or(Value::Missing, |image| text(&image.executable)),
            Known::ParentCommandLine => self.parent.map_or(Value::Missing, |image| text(&image.command_line)),
            Known::InContainer => Value::Bool(self.in_container()),
            Known::InInitTree if self.in_container() => {
                Value::Bool(actor.is_some_and(|actor| matches!(actor.entry(), Entry::InitTree | Entry::Unknown)))
            }
            Known::Entry => text(actor.map(|actor| entry(actor.entry())).unwrap_or_default().as_bytes()),
            _ => Value::Missing,
        }
    }

    fn container_field(&self, field: Known) -> Value<'a> {
        let Some(container) = self.container else { return Value::Missing };
        let word = match field {
            Known::ContainerId => container.id.as_str(),
            Known::ContainerRuntime => container.runtime.name(),
            Known::PodName => &container.names.pod_name,
            Known::PodNamespace => &container.names.pod_namespace,
            Known::ImageName => &container.names.image,
            Known::ImageDigest => &container.names.image_digest,
            _ => "",
        };
        text(word.as_bytes())
    }

    fn image_field(&self, field: Known) -> Value<'a> {
        if let Some(flags) = self.image.and_then(|image| image.exec) {
            match field {
                Known::ExeMemfd => return Value::Bool(flags.memfd),
                Known::ExeUpperLayer => return Value::Bool(flags.upper_layer),
                Known::ExeDeleted => return Value::Bool(flags.deleted),
                _ => {}
            }
        }
        let Some(Body::Exec(exec)) = &self.event.body else { return Value::Missing };
        match (field, &exec.file) {
            (Known::ExeMemfd, _) => Value::Bool(exec.memfd),
            (Known::ExeUpperLayer, _) => Value::Bool(exec.upper_layer),
            (Known::ExeDeleted, Some(file)) => Value::Bool(file.links == 0),
            (Known::ExeInode, Some(file)) => i64::try_from(file.inode).map_or(Value::Missing, Value::Int),
            (Known::CapEff, _) => i64::try_from(exec.capabilities).map_or(Value::Missing, Value::Int),
            _ => Value::Missing,
        }
    }

    fn file_field(&self, field: Known) -> Value<'a> {
        match (field, &self.event.body) {
            (Known::TargetFilename, Some(Body::FileOpen(open))) => text(&open.path),
            (Known::TargetFilename, Some(Body::FileUnlink(unlink))) => text(&unlink.path),
            (Known::TargetFilename, Some(Body::FileRename(rename))) => text(&rename.to),
            (Known::TargetFilename, Some(Body::FileChmod(chmod))) => text(&chmod.path),
            (Known::SourceFilename, Some(Body::FileRename(rename))) => text(&rename.from),
            (Known::FileSensitive, Some(Body::FileOpen(open))) => text(open.sensitive.as_bytes()),
            (Known::FileFlags, Some(Body::FileOpen(open))) => Value::Int(open.flags.into()),
            (Known::FileMode, Some(Body::FileOpen(open))) => Value::Int(open.mode.into()),
            (Known::FileMode, Some(Body::FileChmod(chmod))) => Value::Int(chmod.mode.into()),
            (Known::FileAct, Some(Body::FileOpen(open))) if open.by_handle => Value::Text(b"opened_by_handle"),
            (field, Some(Body::FileChange(change))) => changes::file(change, field),
            (Known::FileUpperLayer, Some(body)) => changes::upper_layer(body),
            _ => Value::Missing,
        }
    }

    fn network_field(&self, field: Known) -> Value<'_> {
        let (flow, initiated, protocol, metadata) = match &self.event.body {
            Some(Body::Connect(connect)) if field == Known::NetApiServer => return Value::Bool(connect.api_server),
            Some(Body::Dns(dns)) => match self.names.dns(dns, field) {
                Value::Missing => (&dns.flow, true, if dns.tcp { "tcp" } else { "udp" }, false),
                known => return known,
            },
            Some(Body::ClientHello(hello)) if field == Known::DestinationHostname => return text(&hello.server_name),
            Some(Body::ClientHello(hello)) => (&hello.flow, true, "tls", false),
            Some(Body::SocketUse(used)) => match (self.names.socket(used, field), &used.flow) {
                (Value::Missing, Some(_)) => (&used.flow, true, self.names.family(), false),
                (known, _) => return known,
            },
            Some(Body::Connect(connect)) => (&connect.flow, true, "tcp", connect.metadata_service),
            Some(Body::Accept(accept)) => (&accept.flow, false, "tcp", false),
            Some(Body::DatagramFlow(datagram)) => (&datagram.flow, true, "udp", datagram.metadata_service),
            _ => return Value::Missing,
        };
        let Some(flow) = flow else { return Value::Missing };
        let (source, destination) = ends(flow, initiated);
        match field {
            Known::Initiated => Value::Bool(initiated),
            Known::Protocol => Value::Text(protocol.as_bytes()),
            Known::NetImds => Value::Bool(metadata),
            Known::SourceIp => source.0.map_or(Value::Missing, Value::Address),
            Known::SourcePort => Value::Int(source.1.into()),
            Known::DestinationIp => destination.0.map_or(Value::Missing, Value::Address),
            Known::DestinationPort => Value::Int(destination.1.into()),
            _ => Value::Missing,
        }
    }

    fn known(&self, field: Known) -> Value<'_> {
        match field {
            Known::ContainerId
            | Known::ContainerRuntime
            | Known::PodName
            | Known::PodNamespace
            | Known::ImageName
            | Known::ImageDigest => self.container_field(field),
            Known::ExeMemfd | Known::ExeDeleted | Known::ExeUpperLayer | Known::ExeInode | Known::CapEff => {
                self.image_field(field)
            }
            Known::ExitCode | Known::Signal => match (&self.event.body, field) {
                (Some(Body::Exit(exit)), Known::ExitCode) => Value::Int(exit.code.into()),
                (Some(Body::Exit(exit)), _) if exit.signal != 0 => Value::Int(exit.signal.into()),
                _ => Value::Missing,
            },
            Known::TargetFilename
            | Known::SourceFilename
            | Known::FileSensitive
            | Known::FileMode
            | Known::FileFlags
            | Known::FileAct
            | Known::FileAttribute
            | Known::FileModified
            | Known::FileUpperLayer => self.file_field(field),
            Known::Initiated
            | Known::Protocol
            | Known::SourceIp
            | Known::SourcePort
            | Known::DestinationIp
            | Known::DestinationPort
            | Known::DestinationHostname
            | Known::QueryName
            | Known::QueryType
            | Known::QueryStatus
            | Known::QueryResults
            | Known::SocketAct
            | Known::SocketFamily
            | Known::SocketAddress
            | Known::NetApiServer
            | Known::NetImds => self.network_field(field),
            _ => self.process_field(field),
        }
    }

    fn of_powers(&self, field: Known) -> Value<'a> {
        self.event.body.as_ref().map_or(Value::Missing, |body| powers::field(body, field))
    }
}

impl rules::Event for NodeEvent<'_> {
    fn log_source(&self) -> LogSource<'_> {
        self.source
    }

    fn field<'a>(&'a self, field: &'a Field) -> Value<'a> {
        match field.known().map(|known| (known, self.of_powers(known))) {
            Some((known, Value::Missing)) => self.known(known),
            Some((_, value)) => value,
            None => Value::Missing,
        }
    }

    fn each_text(&self, visit: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        Known::ALL.iter().any(|&field| match self.known(field) {
            Value::Text(text) => visit(text),
            _ => false,
        })
    }
}

/// The word that rules have for a way into a container.
fn entry(entry: Entry) -> &'static str {
    match entry {
        Entry::Unspecified => "",
        Entry::InitTree => "init_tree",
        Entry::RuntimeExec => "runtime_exec",
        Entry::CriExec => "cri_exec",
        Entry::Namespace => "namespace",
        Entry::Unknown => "unknown",
    }
}

pub(super) fn text(bytes: &[u8]) -> Value<'_> {
    if bytes.is_empty() { Value::Missing } else { Value::Text(bytes) }
}

fn number(number: Option<u32>) -> Value<'static> {
    number.map_or(Value::Missing, |number| Value::Int(number.into()))
}

type End = (Option<IpAddr>, u32);

/// Source and destination: the source is who began.
fn ends(flow: &Flow, initiated: bool) -> (End, End) {
    let local = (network::address(&flow.local_address), flow.local_port);
    let remote = (network::address(&flow.remote_address), flow.remote_port);
    if initiated { (local, remote) } else { (remote, local) }
}
