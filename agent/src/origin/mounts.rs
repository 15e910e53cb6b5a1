//! Where a process is by its mounts: still in the host's, in its container's, or in those of a container whose cgroup it never joined.
//!
//! Takes mount namespaces as programs begin in them; gives what an actor's cgroup alone does not tell. A namespace is a container's while
//! that lives: its number is used again afterwards.

use proto::v1::actor::Origin as WireOrigin;
use proto::v1::{Actor, Entry, ProcessKey};

use super::Origin;
use super::process::Process;

impl Origin {
    /// Says by its mount namespace where a process is: to be called once the image that it runs now is known.
    pub fn place(&self, actor: &mut Actor) {
        let Some(process) = actor.process.and_then(|key| self.process(key)) else { return };
        let mounts = process.image.mount_namespace;
        self.doubt(actor, mounts);
        let in_container = matches!(actor.origin, Some(WireOrigin::ContainerId(_)));
        actor.in_host_mounts = in_container && mounts != 0 && Some(mounts) == self.host_mount_namespace;
        let own = self.containers.container(actor.cgroup_id);
        if let Some(entered) = self.containers.of_mounts(mounts)
            && own.is_none_or(|own| own.cgroup_id != entered.cgroup_id)
        {
            actor.entered_container_id.clone_from(&entered.id);
            actor.set_entry(Entry::Namespace);
        }
    }

    /// The mount namespace of a container is the one that its own processes run in.
    pub(super) fn learn_mounts(&mut self, process: ProcessKey, mounts: u32) {
        let Some(&Process { entry, cgroup_id, .. }) = self.processes.get(process) else { return };
        if entry == Entry::InitTree && mounts != 0 && Some(mounts) != self.host_mount_namespace {
            self.containers.set_mounts(cgroup_id, mounts);
        }
    }
}
