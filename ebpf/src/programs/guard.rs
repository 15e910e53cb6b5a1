//! What the programs about privilege and the kernel have in common: they are rare, and their records wake the agent where they
//! are of a container.

use ebpf_common::loss::Outcome;
use ebpf_common::{Class, Kind};

use super::enforce;
use crate::emit::{self, About, Wake};
use crate::identity::Identity;

/// Sends a record without a tail.
#[inline(always)]
pub fn plain<T: Copy>(class: Class, kind: Kind, flags: u32, body: T) {
    let Some(identity) = Identity::current() else {
        emit::lose(class, Outcome::ReadFault);
        return;
    };
    emit::plain(class, about(kind, flags, &identity), &identity, body);
}

#[inline(always)]
fn about(kind: Kind, flags: u32, identity: &Identity) -> About {
    let flags = flags | enforce::container(identity.cgroup_id);
    About::new(kind, flags, Wake::of_container(flags))
}
