//! The names of fields: those of node events, known at compile time, and any other.
//!
//! Takes a name from a rule; gives a [`Field`] that a typed event answers by a `match` on [`Known`] and a JSON event by
//! the name. It never compares strings while events are evaluated.

use crate::event::LogSource;

/// A field that a rule asks for, interned when the rule is compiled.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Field {
    name: Box<str>,
    known: Option<Known>,
    paths: Box<[Box<str>]>,
}

impl Field {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.into(), known: Known::from_name(name), paths: Box::default() }
    }

    pub(crate) fn mapped(name: &str, paths: &[String]) -> Self {
        Self { paths: paths.iter().map(|path| path.as_str().into()).collect(), ..Self::new(name) }
    }

    /// Where an event that has no field of that name may have it instead.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.paths.iter().map(|path| &**path)
    }

    /// The name as the rule writes it, dots included.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Which field of node events this is, if it is one.
    pub fn known(&self) -> Option<Known> {
        self.known
    }
}

macro_rules! known {
    ($($(#[$doc:meta])* $variant:ident = $name:literal),* $(,)?) => {
        /// A field of the node's own events (`product: linux`). What a field's type is stands at each; a rule may
        /// compare any of them with text. What says something about a process is answered for every event, by the
        /// process that acted: rules on files and connections ask for its image and flags.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Known { $($(#[$doc])* $variant),* }

        impl Known {
            /// All of them, in order of declaration.
            pub const ALL: &[Known] = &[$(Known::$variant),*];

            /// The name in rules.
            pub fn name(self) -> &'static str {
                match self { $(Known::$variant => $name),* }
            }

            /// The field of that name; names are compared exactly, as Sigma does.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Known::$variant),)* _ => None }
            }
        }
    };
}

known! {
    /// Text: path of the executable as the process' own root shows it.
    Image = "Image",
    /// Text: the executable's last path component. For a memfd, the name given to it.
    OriginalFileName = "OriginalFileName",
    /// Text: the arguments joined by single spaces.
    CommandLine = "CommandLine",
    /// Text: working directory at the time of the event.
    CurrentDirectory = "CurrentDirectory",
    /// Text: name of the user in the node's (or the container's) passwd; missing when it has none.
    User = "User",
    /// Int: uid in the initial user namespace.
    UserId = "UserId",
    /// Int: pid in the initial pid namespace.
    ProcessId = "ProcessId",
    /// Int: the parent's pid in the initial pid namespace.
    ParentProcessId = "ParentProcessId",
    /// Text: path of the parent's executable.
    ParentImage = "ParentImage",
    /// Text: the parent's arguments joined by single spaces.
    ParentCommandLine = "ParentCommandLine",
    /// Text: full id of the container; missing on the host.
    ContainerId = "ContainerId",
    /// Text: `docker`, `containerd`, `crio`, `podman` or `runc`.
    ContainerRuntime = "ContainerRuntime",
    /// Text: name of the pod.
    PodName = "PodName",
    /// Text: namespace of the pod.
    PodNamespace = "PodNamespace",
    /// Text: name of the container's image.
    ImageName = "ImageName",
    /// Text: digest or id of the container's image, `sha256:…`; missing until a runtime told it.
    ImageDigest = "ImageDigest",
    /// Bool: the executable lives in a memfd, not in a file system.
    ExeMemfd = "Exe.Memfd",
    /// Bool: the executable had no link left when it was executed.
    ExeDeleted = "Exe.Deleted",
    /// Bool: the executable comes from the container's writable layer, so it is not part of the image.
    ExeUpperLayer = "Exe.UpperLayer",
    /// Int: inode of the executable.
    ExeInode = "Exe.Inode",
    /// Bool: the process runs in a container: its cgroup is a container's and its mount namespace is not the host's.
    /// Container runtimes execute themselves from a memfd inside the container's cgroup; by the second half they are
    /// outside.
    InContainer = "InContainer",
    /// Bool: the process descends from the container's first process. False for one that came in from outside, as
    /// `kubectl exec` and `docker exec` do; missing on the host.
    InInitTree = "InInitTree",
    /// Text: how the process came into a container: `init_tree`, `runtime_exec`, `cri_exec` (kubectl exec and exec probes), `namespace`
    /// (nsenter, setns: no runtime brought it in), `unknown`; missing for a process of the host that is in none.
    Entry = "Entry",
    /// Int: effective capabilities, as a bit mask.
    CapEff = "CapEff",
    /// Text: name of the controlling terminal; missing when there is none or it is not known.
    Tty = "TTY",
    /// Int: exit code.
    ExitCode = "ExitCode",
    /// Int: the signal that ended the process; missing when it exited by itself.
    Signal = "Signal",
    /// Text: path of the file acted on; for a rename, the new path; for a mount, where; of a setting, below `/proc/sys`.
    TargetFilename = "TargetFilename",
    /// Text: path before a rename; what is mounted.
    SourceFilename = "SourceFilename",
    /// Text: class of a sensitive file: `service_account_token`, `web_identity_token`, `shadow`, `ssh_key`,
    /// `ssh_authorized_keys`, `cloud_credential`, `registry_credential`, `kubeconfig`, or another of the node's
    /// configuration.
    FileSensitive = "File.Sensitive",
    /// Int: permission bits, with set-uid and set-gid.
    FileMode = "File.Mode",
    /// Int: flags of the open, as in `open(2)`.
    FileFlags = "File.Flags",
    /// Text: what was done to a file: `linked`, `symlinked`, `made`, `sized`, `owned`, `timed`, `attribute_set`, `attribute_removed`,
    /// `mapped`, `copied`, `handle_taken`, `opened_by_handle`; missing for opens by name, removals, renames and modes.
    FileAct = "File.Act",
    /// Text: name of an extended attribute.
    FileAttribute = "File.Attribute",
    /// Int: modification time that somebody chose, nanoseconds since 1970.
    FileModified = "File.Modified",
    /// Bool: the file is in the writable layer of an overlay; missing where the file itself is not known.
    FileUpperLayer = "File.UpperLayer",
    /// Bool: the node opened the connection; false when it accepted it.
    Initiated = "Initiated",
    /// Text: `tcp` or `udp`.
    Protocol = "Protocol",
    /// Address: the source.
    SourceIp = "SourceIp",
    /// Int: the source port.
    SourcePort = "SourcePort",
    /// Address: the destination.
    DestinationIp = "DestinationIp",
    /// Int: the destination port.
    DestinationPort = "DestinationPort",
    /// Text: name of the destination where it is known: a client says it when it begins TLS.
    DestinationHostname = "DestinationHostname",
    /// Bool: the destination is an instance metadata service.
    NetImds = "Net.Imds",
    /// Text: what was done, of events of privilege and the kernel: the system call (`ptrace`, `setns`, `mount`, `memory_file`, …), the
    /// command of bpf, the operation of an `io_uring`; of the sensor itself: `signal`, `freeze`, `reach`, `bpf`, `file`.
    Operation = "Operation",
    /// Text: the request of a ptrace: `attach`, `seize`, `write_memory`, `write_registers`, `trace_me`; what of an `io_uring` was registered:
    /// `restrictions`, `enable_rings`, `files`, …
    Request = "Request",
    /// Int: what the kernel answered: a negative errno where it refused.
    Result = "Result",
    /// Int: flags of the call, as given.
    Flags = "Flags",
    /// Int: pid of the process that was reached into, in the initial pid namespace.
    TargetProcessId = "TargetProcessId",
    /// Int: effective user after the event.
    EffectiveUserId = "EffectiveUserId",
    /// Int: effective capabilities gained by the event, as a bit mask.
    CapGained = "CapGained",
    /// Bool: a process of a container is in the host's mount or pid namespace after the event.
    EntersHost = "EntersHost",
    /// Bool: the event made or joined another user namespace.
    NewUserNamespace = "NewUserNamespace",
    /// Text: what memory is of that was made executable: `anonymous` (no file), `memfd`, `deleted`, `writable_layer`, `memory_filesystem`,
    /// `file` (any other), `unknown`.
    Memory = "Memory",
    /// Bool: that memory can be written as well.
    Writable = "Writable",
    /// Text: name of a module, of a program or map of bpf, of a key.
    Name = "Name",
    /// Int: `BPF_PROG_TYPE_*`.
    ProgramType = "ProgramType",
    /// Text: type of a filesystem that is mounted.
    MountType = "MountType",
    /// Text: the value written to a setting; what of the sensor was reached.
    Details = "Details",
    /// Bool: the destination is the Kubernetes API server.
    NetApiServer = "Net.ApiServer",
    /// Text: the name that a name server was asked for.
    QueryName = "QueryName",
    /// Text: the type that it was asked for: `A`, `AAAA`, `TXT`, …
    QueryType = "QueryType",
    /// Int: of an answer, its code; 0 is success, 3 no such name. Missing in a question.
    QueryStatus = "QueryStatus",
    /// Text: of an answer, names and addresses, with `;` behind each.
    QueryResults = "QueryResults",
    /// Text: `made`, `bound`, `listened` or `connected`.
    SocketAct = "Socket.Act",
    /// Text: `unix`, `ipv4`, `ipv6`, `packet`, `vsock`, …
    SocketFamily = "Socket.Family",
    /// Text: path or name of a Unix socket, `cid:port` of a vsock.
    SocketAddress = "Socket.Address",
}

const fn node(category: &'static str) -> LogSource<'static> {
    LogSource { category: Some(category), product: Some("linux"), service: None }
}

/// A process was started: every exec.
pub const PROCESS_CREATION: LogSource<'static> = node("process_creation");
/// A process ended.
pub const PROCESS_END: LogSource<'static> = node("process_end");
/// A file was created or opened for writing, or a link, folder or device was made.
pub const FILE_EVENT: LogSource<'static> = node("file_event");
/// A sensitive file was opened, or any file by its handle.
pub const FILE_ACCESS: LogSource<'static> = node("file_access");
/// A file was unlinked.
pub const FILE_DELETE: LogSource<'static> = node("file_delete");
/// A file was renamed.
pub const FILE_RENAME: LogSource<'static> = node("file_rename");
/// A file's mode, owner, times, attributes or size was changed, it was linked, mapped or copied to, or its handle taken.
pub const FILE_CHANGE: LogSource<'static> = node("file_change");
/// A connection was opened or accepted, or a first datagram sent.
pub const NETWORK_CONNECTION: LogSource<'static> = node("network_connection");
/// A name server was asked, or answered.
pub const DNS_QUERY: LogSource<'static> = node("dns_query");
/// A client began TLS and named its server.
pub const TLS_CONNECTION: LogSource<'static> = node("tls_connection");
/// A socket was bound, set to listen, or used beside TCP and UDP.
pub const NETWORK_SOCKET: LogSource<'static> = node("network_socket");
/// Powers taken, and used on other processes.
pub const PRIVILEGE: LogSource<'static> = node("privilege");
/// A change to the kernel itself, or a way into it beside system calls.
pub const KERNEL: LogSource<'static> = node("kernel");
/// Somebody reached for the sensor itself.
pub const SENSOR_TAMPERING: LogSource<'static> = node("sensor_tampering");
/// An entry of AWS `CloudTrail`.
pub const CLOUDTRAIL: LogSource<'static> =
    LogSource { category: None, product: Some("aws"), service: Some("cloudtrail") };
/// An entry of the Kubernetes API server's audit log. Public rules name this source with and without the category.
pub const KUBERNETES_AUDIT: LogSource<'static> =
    LogSource { category: Some("application"), product: Some("kubernetes"), service: Some("audit") };

const fn cloud(product: &'static str, service: &'static str) -> LogSource<'static> {
    LogSource { category: None, product: Some(product), service: Some(service) }
}

/// An entry of Google Cloud's audit logs, those of its Kubernetes clusters included.
pub const GCP_AUDIT: LogSource<'static> = cloud("gcp", "gcp.audit");
/// An entry of Azure's Activity log, or of a resource's own log.
pub const AZURE_ACTIVITY: LogSource<'static> = cloud("azure", "activitylogs");
/// A change to the directory of Entra ID.
pub const ENTRA_AUDIT: LogSource<'static> = cloud("azure", "auditlogs");
/// A sign-in at Entra ID, of a person or of a workload.
pub const ENTRA_SIGN_IN: LogSource<'static> = cloud("azure", "signinlogs");
/// An entry of Okta's System Log.
pub const OKTA_SYSTEM: LogSource<'static> = cloud("okta", "okta");
/// An entry of the audit log of a GitHub organization or enterprise.
pub const GITHUB_AUDIT: LogSource<'static> = cloud("github", "audit");
/// An entry of Microsoft 365's unified audit log.
pub const M365_AUDIT: LogSource<'static> = cloud("m365", "audit");

/// The sources for which the engine keeps one merged index of all rules that apply.
pub const WELL_KNOWN: &[LogSource<'static>] = &[
    PROCESS_CREATION,
    FILE_EVENT,
    FILE_ACCESS,
    NETWORK_CONNECTION,
    PROCESS_END,
    FILE_DELETE,
    FILE_RENAME,
    FILE_CHANGE,
    DNS_QUERY,
    TLS_CONNECTION,
    NETWORK_SOCKET,
    PRIVILEGE,
    KERNEL,
    SENSOR_TAMPERING,
    CLOUDTRAIL,
    KUBERNETES_AUDIT,
    GCP_AUDIT,
    AZURE_ACTIVITY,
    ENTRA_AUDIT,
    ENTRA_SIGN_IN,
    OKTA_SYSTEM,
    GITHUB_AUDIT,
    M365_AUDIT,
];
