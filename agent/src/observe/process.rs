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

pub(crate) fn exec(record: &Record<'_>, exec: &decode::Exec<'_>) -> Body {
    let fixed = &exec.fixed;
    Body::Exec(Exec {
        path: exec.path.to_vec(),
        path_truncated: record.has(flag::PATH_TRUNCATED),
        arguments: exec.arguments.strip_suffix(&[0]).unwrap_or(exec.arguments).to_vec(),
        argument_bytes: fixed.argument_bytes,
        arguments_truncated: record.has(flag::ARGUMENTS_TRUNCATED),
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
