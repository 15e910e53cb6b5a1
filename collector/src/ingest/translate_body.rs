//! The five nouns from wire to model. Takes one decoded body; gives the model's, or nothing where a part that it cannot be without is
//! missing or has an impossible size.

use collector_core::model::event::{Account, Accounting, ContainerSeen, Coverage, Exec, HookCoverage, Raw, Trigger};
use collector_core::model::{Body, ProcessKey};
use proto::v1;
use proto::v1::event::Body as Wire;

use super::translate_file::file;
use super::translate_kernel::kernel;
use super::translate_network::network;
use super::translate_privilege::privilege;

/// Translates one body; `key` completes a process key with its node and boot.
pub(super) fn body(wire: Wire, key: &impl Fn(v1::ProcessKey) -> ProcessKey) -> Option<Body> {
    Some(match wire {
        Wire::Fork(fork) => {
            Body::Fork { child: key(v1::ProcessKey { pid: fork.child_pid, start_ns: fork.child_start_ns }) }
        }
        Wire::Exec(exec) => Body::Exec(Box::new(self::exec(exec))),
        Wire::Exit(exit) => Body::Exit { code: exit.code, signal: exit.signal },
        Wire::FileOpen(_) | Wire::FileUnlink(_) | Wire::FileRename(_) | Wire::FileChmod(_) | Wire::FileChange(_) => {
            file(wire)?
        }
        Wire::Connect(_)
        | Wire::Accept(_)
        | Wire::Close(_)
        | Wire::DatagramFlow(_)
        | Wire::Dns(_)
        | Wire::ClientHello(_)
        | Wire::SocketUse(_) => network(wire)?,
        Wire::CredentialsChanged(_)
        | Wire::ProcessReached(_)
        | Wire::NamespacesChanged(_)
        | Wire::RootChanged(_)
        | Wire::UserfaultMade(_)
        | Wire::KeyUsed(_)
        | Wire::MemoryExecutable(_) => Body::Privilege(Box::new(privilege(wire)?)),
        Wire::ModuleChanged(_)
        | Wire::BpfUsed(_)
        | Wire::PerfEventOpened(_)
        | Wire::KexecLoaded(_)
        | Wire::UringMade(_)
        | Wire::UringRegistered(_)
        | Wire::UringRequested(_)
        | Wire::MountChanged(_)
        | Wire::SysctlWritten(_)
        | Wire::SelfTamper(_) => Body::Kernel(Box::new(kernel(wire)?)),
        Wire::ContainerSeen(seen) => Body::ContainerSeen(Box::new(container(seen))),
        Wire::ContainerGone(gone) => Body::ContainerGone { container_id: gone.container_id },
        Wire::Loss(loss) => self::loss(loss),
        Wire::Trigger(trigger) => Body::Trigger(Box::new(self::trigger(trigger))),
        Wire::CaptureSealed(sealed) => Body::CaptureSealed {
            capture_id: sealed.capture_id,
            manifest_sha256: hex::encode(sealed.manifest_sha256),
            artifacts: sealed.artifacts,
            failed: sealed.failed,
            latency_ns: sealed.latency_ns,
        },
        Wire::Accounting(accounting) => Body::Accounting(Box::new(self::accounting(accounting))),
        Wire::AgentStarted(started) => Body::AgentStarted {
            version: started.version,
            boot_id: started.boot_id,
            kernel_release: started.kernel_release,
            refusals: started.hooks.iter().filter(|hook| !hook.refusals.is_empty()).map(refusals).collect(),
            refused_hooks: started.hooks.into_iter().filter(is_refused).map(refused_hook).collect(),
            replay: started.replay,
        },
        Wire::Coverage(coverage) => Body::Coverage(Box::new(self::coverage(coverage))),
    })
}

fn loss(wire: v1::Loss) -> Body {
    let v1::Loss { class, count, from_ns, to_ns, .. } = wire;
    Body::Loss { reason: loss_reason(wire.reason).to_owned(), class, count, from_ns, to_ns }
}

/// A kernel that cannot do what a hook would see refuses nothing.
fn is_refused(hook: &v1::Hook) -> bool {
    !hook.attached && hook.absent.is_empty()
}

fn coverage(wire: v1::Coverage) -> Coverage {
    let hook = |covered: v1::HookCoverage| {
        let canary = match covered.canary() {
            v1::CanaryOutcome::Untried => "untried",
            v1::CanaryOutcome::Seen => "seen",
            v1::CanaryOutcome::Missed => "missed",
            v1::CanaryOutcome::Refused => "refused",
        };
        let v1::HookCoverage { seen_ns, skipped, missed, canary_why, hook, .. } = covered;
        let hook = hook.unwrap_or_default();
        let tier = if hook.attached { hook.tier } else { String::new() };
        let v1::Hook { name, noun, refusal, absent, .. } = hook;
        HookCoverage {
            name,
            noun,
            tier,
            refusal,
            absent,
            canary: canary.to_owned(),
            canary_why,
            seen_ns,
            skipped,
            missed,
        }
    };
    // The moment stands in the event around it.
    Coverage { hooks: wire.hooks.into_iter().map(hook).collect(), ready: wire.ready, lacks: wire.lacks, boot_ns: 0 }
}

fn exec(wire: v1::Exec) -> Exec {
    let file = wire.file.unwrap_or_default();
    Exec {
        path: Raw(wire.path),
        arguments: arguments(&wire.arguments),
        arguments_truncated: wire.arguments_truncated,
        argument_bytes: wire.argument_bytes,
        arguments_end: Raw(wire.arguments_end),
        arguments_sha256: hex::encode(wire.arguments_sha256),
        script: Raw(wire.script),
        directory: Raw(wire.directory),
        device: file.device,
        inode: file.inode,
        links: file.links,
        memfd: wire.memfd,
        upper_layer: wire.upper_layer,
        uid: wire.uid,
        effective_uid: wire.effective_uid,
        capabilities: wire.capabilities,
        stopped_in_kernel: wire.stopped_in_kernel,
        from_proc: wire.from_proc,
    }
}

/// NUL ends each argument; the last one has no NUL where the kernel's bytes were cut.
fn arguments(bytes: &[u8]) -> Vec<Raw> {
    if bytes.is_empty() {
        return Vec::new();
    }
    bytes.strip_suffix(b"\0").unwrap_or(bytes).split(|byte| *byte == 0).map(|argument| Raw(argument.to_vec())).collect()
}

fn container(wire: v1::ContainerSeen) -> ContainerSeen {
    ContainerSeen {
        container_id: wire.container_id,
        runtime: wire.runtime,
        cgroup_id: wire.cgroup_id,
        pod_uid: wire.pod_uid,
        pod_name: wire.pod_name,
        pod_namespace: wire.pod_namespace,
        image: wire.image,
        image_digest: wire.image_digest,
        name: wire.name,
        service_account: wire.service_account,
    }
}

fn accounting(wire: v1::Accounting) -> Accounting {
    Accounting {
        from_ns: wire.from_ns,
        to_ns: wire.to_ns,
        after_position: wire.after_position,
        accounts: wire.accounts.into_iter().map(account).collect(),
    }
}

fn account(wire: v1::Account) -> Account {
    let lost = [
        (v1::LossReason::RingFull, wire.ring_full),
        (v1::LossReason::ScratchBusy, wire.scratch_busy),
        (v1::LossReason::Oversize, wire.oversize),
        (v1::LossReason::ReadFault, wire.read_fault),
    ];
    let lost = lost.into_iter().filter(|(_, count)| *count > 0);
    Account {
        cgroup_id: wire.cgroup_id,
        container_id: wire.container_id,
        class: wire.class,
        shared: wire.shared,
        seen: wire.seen,
        emitted: wire.emitted,
        aggregated: wire.aggregated,
        throttled: wire.throttled,
        excluded: wire.excluded,
        lost: lost.map(|(reason, count)| (loss_reason(reason.into()).to_owned(), count)).collect(),
        told: wire.told,
        silent: wire.silent,
        under_way: wire.under_way,
    }
}

fn trigger(wire: v1::Trigger) -> Trigger {
    let action = match v1::TriggerAction::try_from(wire.action) {
        Ok(v1::TriggerAction::Observed) => "observed",
        Ok(v1::TriggerAction::StoppedInKernel) => "stopped_in_kernel",
        Ok(v1::TriggerAction::Stopped) => "stopped",
        Ok(v1::TriggerAction::Captured) => "captured",
        Ok(v1::TriggerAction::Gone) => "gone",
        Ok(v1::TriggerAction::Unspecified) | Err(_) => "unknown",
    };
    Trigger {
        rule_id: wire.rule_id,
        rule_title: wire.rule_title,
        level: wire.level,
        event_position: wire.event_position,
        action: action.to_owned(),
        capture_id: wire.capture_id,
        stop_latency_ns: wire.stop_latency_ns,
        techniques: wire.techniques,
    }
}

fn loss_reason(wire: i32) -> &'static str {
    match v1::LossReason::try_from(wire) {
        Ok(v1::LossReason::RingFull) => "ring_full",
        Ok(v1::LossReason::ScratchBusy) => "scratch_busy",
        Ok(v1::LossReason::Oversize) => "oversize",
        Ok(v1::LossReason::ReadFault) => "read_fault",
        Ok(v1::LossReason::Malformed) => super::translate::MALFORMED,
        Ok(v1::LossReason::LogFull) => "log_full",
        Ok(v1::LossReason::SequenceGap) => "sequence_gap",
        Ok(v1::LossReason::TornWrite) => "torn_write",
        Ok(v1::LossReason::LogWrite) => "log_write",
        Ok(v1::LossReason::AgentAway) => "agent_away",
        Ok(v1::LossReason::NotReceived) => super::translate::NOT_RECEIVED,
        Ok(v1::LossReason::Unspecified) | Err(_) => "unknown",
    }
}

fn refusals(hook: &v1::Hook) -> (String, Vec<String>) {
    let words = |refusal: &v1::HookRefusal| match refusal.program.as_str() {
        "" => format!("not by {}: {}", refusal.tier, refusal.why),
        program => format!("not by {} {program}: {}", refusal.tier, refusal.why),
    };
    (hook.name.clone(), hook.refusals.iter().map(words).collect())
}

fn refused_hook(hook: v1::Hook) -> String {
    if hook.refusal.is_empty() { hook.name } else { format!("{}: {}", hook.name, hook.refusal) }
}
