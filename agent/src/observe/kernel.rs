//! Changes to the kernel itself: record → event body.

use ebpf_common::header::flag;
use ebpf_common::record::kernel::tamper;
use ebpf_common::record::{self, Mount, UringRequest};
use proto::v1::event::Body;
use proto::v1::{
    BpfUsed, KexecLoaded, ModuleChanged, MountChanged, PerfEventOpened, SelfTamper, SysctlWritten, UringMade,
    UringRegistered, UringRequested,
};

use super::call;
use super::path::resolve;
use crate::decode::{Change, Record, Worded};

/// Marks that say that some piece of a text is missing.
const CUT: u32 = flag::PATH_TRUNCATED | flag::DIRECTORY_TRUNCATED | flag::SECOND_TRUNCATED | flag::FIELD_MISSING;
const SETTINGS: &[u8] = b"/proc/sys/";

pub(crate) fn body(record: &Record<'_>, change: &Change<'_>) -> Body {
    let attempt = record.has(flag::ATTEMPT);
    match change {
        Change::Module(module) => {
            let [name, path, parameters, _] = module.texts.map(<[u8]>::to_vec);
            let module = &module.fixed;
            let (call, flags, size) = (call::name(module.call), module.flags, module.size);
            Body::ModuleChanged(ModuleChanged {
                call,
                name,
                path,
                parameters,
                flags,
                size,
                result: module.result,
                attempt,
            })
        }
        Change::Bpf(bpf) => Body::BpfUsed(self::bpf(bpf, attempt)),
        Change::PerfEvent(event) => Body::PerfEventOpened(PerfEventOpened {
            source: event.source,
            config: event.config,
            period: event.period,
            pid: event.pid,
            cpu: event.cpu,
            flags: event.flags,
            result: event.result,
            attempt,
        }),
        Change::Kexec(kexec) => Body::KexecLoaded(KexecLoaded {
            call: call::name(kexec.fixed.call),
            path: kexec.texts[0].to_vec(),
            flags: kexec.fixed.flags,
            result: kexec.fixed.result,
            attempt,
        }),
        Change::UringSetup(made) => {
            Body::UringMade(UringMade { entries: made.entries, flags: made.flags, result: made.result })
        }
        Change::UringRegister(registered) => Body::UringRegistered(UringRegistered {
            opcode: registered.opcode,
            request: call::uring_registration(registered.opcode).into_owned(),
            count: registered.count,
            descriptor: registered.descriptor,
            result: registered.result,
        }),
        Change::UringRequest(request) => Body::UringRequested(requested(record, request)),
        Change::Mount(mount) => Body::MountChanged(mounted(record, mount, attempt)),
        Change::Sysctl(setting) => Body::SysctlWritten(SysctlWritten {
            path: [SETTINGS, setting.texts[0]].concat(),
            value: setting.texts[1].trim_ascii_end().to_vec(),
            truncated: record.has(CUT),
        }),
        Change::Tamper(done) => {
            let what = if done.what == tamper::FREEZE { "freeze" } else { "signal" };
            let (signal, result) = (done.signal, done.result);
            Body::SelfTamper(SelfTamper { what: what.to_owned(), detail: Vec::new(), signal, result })
        }
    }
}

fn bpf(bpf: &record::Bpf, attempt: bool) -> BpfUsed {
    let end = bpf.name.iter().position(|byte| *byte == 0).unwrap_or(bpf.name.len());
    BpfUsed {
        command: call::bpf_command(bpf.command).into_owned(),
        id: bpf.id,
        program_type: bpf.program_type,
        attach_type: bpf.attach_type,
        name: bpf.name.get(..end).unwrap_or_default().to_vec(),
        instructions: bpf.instructions,
        place: bpf.place,
        result: bpf.result,
        attempt,
    }
}

fn requested(record: &Record<'_>, request: &Worded<'_, UringRequest>) -> UringRequested {
    let [path, second_path, ..] = request.texts;
    let request = &request.fixed;
    UringRequested {
        operation: call::uring_operation(request.opcode).into_owned(),
        opcode: request.opcode,
        path: path.to_vec(),
        second_path: second_path.to_vec(),
        descriptor: request.descriptor,
        polled: request.polled != 0,
        repeats: request.repeats,
        command: request.command,
        fixed_file: request.fixed_file != 0,
        incomplete: record.has(CUT),
    }
}

fn mounted(record: &Record<'_>, mount: &Worded<'_, Mount>, attempt: bool) -> MountChanged {
    let [source, target, directory, kind] = mount.texts;
    MountChanged {
        call: call::name(mount.fixed.call),
        source: source.to_vec(),
        target: if target.is_empty() { Vec::new() } else { resolve(directory, target) },
        r#type: kind.to_vec(),
        flags: mount.fixed.flags,
        truncated: record.has(CUT),
        result: mount.fixed.result,
        attempt,
    }
}
