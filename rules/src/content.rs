//! The rules that come with Mayfly, embedded.
//!
//! Takes nothing; gives (file, text) pairs as [`Engine::load`](crate::Engine::load) takes them. It never reads a disk:
//! a directory given at run time is read by whoever has one and laid over by [`overlay`].

/// The embedded files, by path under `content/`.
pub fn content() -> &'static [(&'static str, &'static str)] {
    FILES
}

/// The embedded files under the given ones: a file of the same path replaces an embedded one, others are added.
pub fn overlay(files: Vec<(String, String)>) -> Vec<(String, String)> {
    let mut all: Vec<_> = (content().iter())
        .filter(|(path, _)| !files.iter().any(|(other, _)| other == path))
        .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
        .collect();
    all.extend(files);
    all
}

macro_rules! files {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../content/", $path)))),*]
    };
}

const FILES: &[(&str, &str)] = files![
    "cloud/aws/access_key_created.yml",
    "cloud/aws/admin_policy_given.yml",
    "cloud/aws/instance_role_looks_around.yml",
    "cloud/aws/instance_role_reads_storage.yml",
    "cloud/aws/logging_stopped.yml",
    "cloud/aws/secrets_read.yml",
    "cloud/aws/snapshot_shared.yml",
    "cloud/aws/trust_policy_changed.yml",
    "cloud/kubernetes/cluster_admin_bound.yml",
    "cloud/kubernetes/permissions_asked.yml",
    "cloud/kubernetes/pod_exec.yml",
    "cloud/kubernetes/pod_with_host_access.yml",
    "cloud/kubernetes/secrets_listed.yml",
    "cloud/kubernetes/service_account_by_hand.yml",
    "cloud/kubernetes/service_account_refused.yml",
    "cloud/kubernetes/token_requested.yml",
    "file/cloud_credential_read.yml",
    "file/link_to_the_node.yml",
    "file/opened_by_handle.yml",
    "file/own_program_deleted.yml",
    "file/private_key_read.yml",
    "file/service_account_token_read.yml",
    "file/shadow_read.yml",
    "file/startup_file_written.yml",
    "file/times_chosen.yml",
    "file/traces_deleted.yml",
    "kernel/another_kernel_ready.yml",
    "kernel/bpf_in_container.yml",
    "kernel/disk_mounted_in_container.yml",
    "kernel/helper_program_set.yml",
    "kernel/module_from_odd_place.yml",
    "kernel/module_in_container.yml",
    "kernel/secret_asked_of_a_ring.yml",
    "kernel/sensor_looked_at.yml",
    "kernel/sensor_tampered_with.yml",
    "network/dns_tunnel.yml",
    "network/dropped_program_connects.yml",
    "network/dropped_program_listens.yml",
    "network/metadata_service.yml",
    "network/raw_socket.yml",
    "network/runtime_socket.yml",
    "network/shell_connects.yml",
    "privilege/code_without_file_loaded.yml",
    "privilege/descriptor_taken.yml",
    "privilege/dropped_library_loaded.yml",
    "privilege/host_namespaces_entered.yml",
    "privilege/page_faults_of_the_kernel.yml",
    "privilege/process_memory_written.yml",
    "privilege/process_traced.yml",
    "privilege/set_uid_program_from_writable_layer.yml",
    "privilege/user_namespace_in_container.yml",
    "process/container_escape.yml",
    "process/credential_search.yml",
    "process/download_and_run.yml",
    "process/download_to_temporary.yml",
    "process/entered_without_runtime.yml",
    "process/exec_of_dropped_file.yml",
    "process/exec_without_file.yml",
    "process/history_tampering.yml",
    "process/reverse_shell.yml",
    "process/shell_from_outside.yml",
    "process/shell_from_server.yml",
];
