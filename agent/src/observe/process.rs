//! The life of processes: record → event body.
//!
//! Takes a decoded record; gives the wire's body, and for an exec the image that the process table keeps.

use std::sync::Arc;

use ebpf_common::header::flag;
use ebpf_common::record;
use proto::v1::event::Body;
use proto::v1::{Exec, Exit, FileKey, Fork, Namespaces};
use rules::ExecFlags;

use super::path::resolve;
use crate::decode::{self, Record};
use crate::origin::image::Image;

pub(crate) fn fork(fork: &record::Fork) -> Body {
    Body::Fork(Fork { child_pid: fork.child_pid, child_start_ns: fork.child_start_ns })
}

/// `hash`: of all arguments, where they were cut and can be had from elsewhere.
pub(crate) fn exec(record: &Record<'_>, exec: &decode::Exec<'_>, hash: Option<[u8; 32]>) -> Body {
    let fixed = &exec.fixed;
    let (arguments, end) = arguments(exec);
    Body::Exec(Exec {
        path: exec.path.to_vec(),
        path_truncated: record.has(flag::PATH_TRUNCATED),
        arguments,
        argument_bytes: fixed.argument_bytes,
        arguments_truncated: record.has(flag::ARGUMENTS_TRUNCATED) && !is_whole(exec),
        arguments_end: end,
        arguments_sha256: hash.map(|hash| hash.to_vec()).unwrap_or_default(),
        directory: exec.directory.to_vec(),
        directory_truncated: record.has(flag::DIRECTORY_TRUNCATED),
        file: Some(FileKey { device: fixed.device, inode: fixed.inode, links: fixed.links }),
        memfd: record.has(flag::MEMFD),
        upper_layer: record.has(flag::UPPER_LAYER),
        uid: record.header.uid,
        gid: fixed.gid,
        effective_uid: fixed.effective_uid,
        capabilities: fixed.capabilities,
        namespaces: Some(Namespaces {
            mount: fixed.mount_namespace,
            pid: fixed.pid_namespace,
            network: fixed.network_namespace,
            user: fixed.user_namespace,
            cgroup: fixed.cgroup_namespace,
        }),
        stopped_in_kernel: record.stopped_in_kernel(),
        script: if exec.script.is_empty() { Vec::new() } else { resolve(exec.directory, exec.script) },
        from_proc: record.has(flag::FROM_PROC),
        comm: exec.comm().to_vec(),
    })
}

/// The record has every byte of the arguments, in two pieces.
fn is_whole(exec: &decode::Exec<'_>) -> bool {
    u32::try_from(exec.arguments.len() + exec.arguments_end.len()) == Ok(exec.fixed.argument_bytes)
}

/// The arguments without the zero byte that ends the last one, and the end of them where some are missing in between.
fn arguments(exec: &decode::Exec<'_>) -> (Vec<u8>, Vec<u8>) {
    let ended = |bytes: &[u8]| bytes.strip_suffix(&[0]).unwrap_or(bytes).to_vec();
    if exec.arguments_end.is_empty() {
        return (ended(exec.arguments), Vec::new());
    }
    if is_whole(exec) {
        return (ended(&[exec.arguments, exec.arguments_end].concat()), Vec::new());
    }
    (exec.arguments.to_vec(), ended(exec.arguments_end))
}

pub(crate) fn image(record: &Record<'_>, exec: &decode::Exec<'_>) -> Arc<Image> {
    let mut image = Image::new(exec.path, exec.arguments, exec.directory, record.header.uid);
    image.mount_namespace = exec.fixed.mount_namespace;
    image.exec = Some(ExecFlags {
        memfd: record.has(flag::MEMFD),
        upper_layer: record.has(flag::UPPER_LAYER),
        deleted: exec.fixed.links == 0,
    });
    Arc::new(image)
}

pub(crate) fn exit(exit: record::Exit) -> Body {
    Body::Exit(Exit { code: exit.code, signal: exit.signal })
}
