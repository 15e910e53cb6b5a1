//! Which hooks of a node can have told an event, and by which way into the kernel. Takes an event's body and what the node covered; gives names
//! and tiers. The names are those of the agent's table of hooks, as coverage has them.

use super::completeness::Coverage;
use super::event::Body;
use super::file::FileAct;
use super::kernel::Change;
use super::network::SocketAct;
use super::privilege::Privilege;

/// The hooks; none for what the agent itself tells.
pub fn hooks(body: &Body) -> &'static [&'static str] {
    match body {
        Body::Fork { .. } => &["fork"],
        Body::Exec(_) => &["exec"],
        Body::Exit { .. } => &["exit"],
        Body::FileOpen { by_handle: true, .. } => &["open_by_handle"],
        Body::FileOpen { .. } => &["open"],
        Body::FileUnlink { .. } => &["unlink"],
        Body::FileRename { .. } => &["rename"],
        Body::FileChmod { .. } => &["chmod"],
        Body::FileChange(change) => file(&change.act),
        Body::Connect { .. } | Body::Close { .. } => &["tcp"],
        Body::Accept { .. } => &["accept"],
        Body::DatagramFlow { .. } => &["datagram"],
        Body::Dns(_) | Body::ClientHello(_) => &["payload"],
        Body::Socket(used) => match used.act {
            SocketAct::Made => &["socket"],
            SocketAct::Bound => &["bind"],
            // A listener of TCP is told by its change of state.
            SocketAct::Listened if used.flow.is_some() => &["tcp", "listen"],
            SocketAct::Listened => &["listen"],
            SocketAct::Connected => &["connect"],
        },
        Body::Privilege(privilege) => self::privilege(privilege),
        Body::Kernel(change) => kernel(change),
        Body::ContainerSeen(_)
        | Body::ContainerGone { .. }
        | Body::Loss { .. }
        | Body::Trigger(_)
        | Body::CaptureSealed { .. }
        | Body::AgentStarted { .. }
        | Body::Accounting(_)
        | Body::Coverage(_) => &[],
    }
}

fn file(act: &FileAct) -> &'static [&'static str] {
    match act {
        FileAct::Linked { .. } | FileAct::Symlinked { .. } => &["link"],
        FileAct::Made { .. } => &["make"],
        FileAct::Sized { .. } => &["truncate"],
        FileAct::Owned { .. } => &["owner"],
        FileAct::Timed { .. } => &["times"],
        FileAct::AttributeSet { .. } | FileAct::AttributeRemoved { .. } => &["attribute"],
        FileAct::Mapped { .. } => &["map"],
        FileAct::Copied { .. } => &["copy"],
        FileAct::HandleTaken => &["handle"],
    }
}

fn privilege(privilege: &Privilege) -> &'static [&'static str] {
    match privilege {
        Privilege::CredentialsChanged { .. } => &["credentials"],
        // A process's memory may be opened as a file.
        Privilege::ProcessReached { .. } => &["reach", "open"],
        // A child may begin in others.
        Privilege::NamespacesChanged(_) => &["namespaces", "fork"],
        Privilege::RootChanged { .. } => &["root"],
        Privilege::UserfaultMade { .. } => &["userfault"],
        Privilege::KeyUsed { .. } => &["key"],
        Privilege::MemoryExecutable(_) => &["executable"],
    }
}

fn kernel(change: &Change) -> &'static [&'static str] {
    match change {
        Change::ModuleChanged { .. } => &["module"],
        Change::BpfUsed { .. } => &["bpf"],
        Change::PerfEventOpened { .. } => &["perf_event"],
        Change::KexecLoaded { .. } => &["kexec"],
        Change::UringMade { .. } | Change::UringRegistered { .. } => &["uring_setup"],
        Change::UringRequested(_) => &["uring_request"],
        Change::MountChanged { .. } => &["mount"],
        Change::SysctlWritten { .. } => &["sysctl"],
        // Whatever takes hold of the agent: signals, its memory, its programs, its cgroup.
        Change::SelfTamper { .. } => &["tamper"],
    }
}

impl Coverage {
    /// By which way an event of this time came in; empty where that is not known. Two hooks that can have told it, by ways of their own, are
    /// both said.
    pub fn tier(&self, body: &Body) -> String {
        let mut tiers: Vec<&str> = Vec::new();
        for name in hooks(body) {
            let hook = self.hooks.iter().find(|hook| hook.name == *name && !hook.tier.is_empty());
            tiers.extend(hook.map(|hook| hook.tier.as_str()).filter(|tier| !tiers.contains(tier)));
        }
        tiers.join(" or ")
    }
}

#[cfg(test)]
mod tests {
    use super::super::completeness::HookCoverage;
    use super::super::event::{Flow, Raw};
    use super::super::network::SocketUse;
    use super::*;

    fn check(body: &Body) -> String {
        let hook =
            |(name, tier): (&str, &str)| HookCoverage { name: name.into(), tier: tier.into(), ..Default::default() };
        let hooks = [
            ("open", "fentry"),
            ("reach", "tracepoint"),
            ("tcp", "tracepoint"),
            ("listen", "tracepoint"),
            ("kexec", ""),
        ];
        Coverage { hooks: hooks.into_iter().map(hook).collect(), ..Coverage::default() }.tier(body)
    }

    #[test]
    fn an_event_came_in_by_the_way_of_its_hook() {
        let flow = Flow { local: [127, 0, 0, 1].into(), local_port: 1, remote: [127, 0, 0, 1].into(), remote_port: 2 };
        let open = |by_handle| Body::FileOpen {
            path: Raw(Vec::new()),
            flags: 0,
            mode: 0,
            sensitive: String::new(),
            result: 0,
            truncated: false,
            object: None,
            created: false,
            by_handle,
            alias: Raw::default(),
            repeats: None,
        };
        assert_eq!(check(&open(false)), "fentry");
        assert_eq!(check(&open(true)), "", "a hook that is not attached told nothing");
        assert_eq!(
            check(&Body::Connect { flow, established: true, metadata_service: false, api_server: false }),
            "tracepoint"
        );
        assert_eq!(check(&Body::ContainerGone { container_id: String::new() }), "");
    }

    #[test]
    fn where_two_hooks_can_have_told_it_both_ways_are_said_once_each() {
        let reached = Privilege::ProcessReached {
            call: "ptrace".into(),
            request: String::new(),
            pid: 1,
            start_ns: 1,
            address: 0,
            repeats: 0,
            result: 0,
        };
        assert_eq!(check(&Body::Privilege(Box::new(reached))), "tracepoint or fentry");
        let flow = Flow { local: [127, 0, 0, 1].into(), local_port: 1, remote: [0, 0, 0, 0].into(), remote_port: 0 };
        let listened = SocketUse {
            act: SocketAct::Listened,
            family: "ipv4".into(),
            socket_type: 1,
            protocol: 6,
            flow: Some(flow),
            address: Raw(Vec::new()),
            is_abstract: false,
            result: 0,
        };
        assert_eq!(check(&Body::Socket(Box::new(listened))), "tracepoint");
    }
}
