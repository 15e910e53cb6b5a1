//! Cutting a cgroup off the network, but for allowed addresses. Takes the cgroup's folder and the networks that stay allowed;
//! gives a [`Quarantine`] that counts what it dropped and ends when it is dropped. Its caller owns the expiry. It lives with
//! the agent's process: if that dies, the kernel lifts it.

use std::fs::File;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aya::Ebpf;
use aya::maps::lpm_trie::Key;
use aya::maps::{LpmTrie, MapData, MapError, PerCpuHashMap, PerCpuValues};
use aya::programs::cgroup_skb::CgroupSkbLink;
use aya::programs::{CgroupSkb, CgroupSkbAttachType, ProgramError};
use ebpf_common::config::{ALLOWED_CGROUP_BITS, Allowed, Packets};
use ipnet::IpNet;
use zerocopy::IntoBytes;

use super::hooks::BESIDE_OTHERS;

type Address = [u8; size_of::<Allowed>()];
type Counts = [u64; size_of::<Packets>() / 8];

/// Bits of an IPv6 address before the IPv4 address that stands in it.
const MAPPED_BITS: u32 = 96;

/// Why a cgroup is not cut off.
#[derive(Debug, thiserror::Error)]
pub enum QuarantineError {
    /// The kernel lets no such program in.
    #[error("the kernel refused the quarantine's programs: {refusal}")]
    Refused {
        /// In its words.
        refusal: String,
    },
    /// There is no such cgroup.
    #[error("open cgroup {path}")]
    Open {
        /// Its folder.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: io::Error,
    },
    /// It is cut off already.
    #[error("cgroup {path} is quarantined already")]
    Already {
        /// Its folder.
        path: PathBuf,
    },
    /// The tables did not take it: too many allowed networks, or too many quarantines.
    #[error("write down the quarantine of {path}")]
    Table {
        /// The cgroup's folder.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: MapError,
    },
    /// The programs could not be attached.
    #[error("attach the quarantine to {path}")]
    Attach {
        /// The cgroup's folder.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: ProgramError,
    },
}

/// Tables of all quarantines.
pub(super) struct Barrier {
    quarantined: Mutex<PerCpuHashMap<MapData, u64, Counts>>,
    allowed: Mutex<LpmTrie<MapData, Address, u8>>,
    cpus: usize,
}

impl Barrier {
    pub(super) fn new(
        quarantined: PerCpuHashMap<MapData, u64, Counts>,
        allowed: LpmTrie<MapData, Address, u8>,
        cpus: usize,
    ) -> Self {
        Self { quarantined: Mutex::new(quarantined), allowed: Mutex::new(allowed), cpus }
    }
}

/// A cgroup that is cut off. Dropped: no longer.
pub struct Quarantine {
    barrier: Arc<Barrier>,
    /// Outgoing before incoming; both detach when they are dropped.
    links: Vec<CgroupSkbLink>,
    keys: Vec<Key<Address>>,
    cgroup_id: u64,
}

impl Quarantine {
    pub(super) fn begin(
        programs: &Mutex<Ebpf>,
        barrier: Arc<Barrier>,
        cgroup: &Path,
        allow: &[IpNet],
    ) -> Result<Self, QuarantineError> {
        let open = |cause| QuarantineError::Open { path: cgroup.into(), cause };
        let folder = File::open(cgroup).map_err(open)?;
        let cgroup_id = super::cgroup_id(cgroup).map_err(open)?;
        if lock(&barrier.quarantined).get(&cgroup_id, 0).is_ok() {
            return Err(QuarantineError::Already { path: cgroup.into() });
        }
        let keys = allow.iter().map(|network| key(cgroup_id, *network)).collect();
        // From here on whatever fails is undone by dropping it.
        let mut begun = Self { barrier, links: Vec::new(), keys, cgroup_id };
        begun.write_down().map_err(|cause| QuarantineError::Table { path: cgroup.into(), cause })?;
        begun.attach(programs, &folder).map_err(|cause| QuarantineError::Attach { path: cgroup.into(), cause })?;
        Ok(begun)
    }

    /// The tables come before the programs, so that an allowed connection lives through the moment between.
    fn write_down(&self) -> Result<(), MapError> {
        let zero = PerCpuValues::try_from(vec![Counts::default(); self.barrier.cpus])?;
        lock(&self.barrier.quarantined).insert(self.cgroup_id, zero, 0)?;
        let mut allowed = lock(&self.barrier.allowed);
        self.keys.iter().try_for_each(|key| allowed.insert(key, 1, 0))
    }

    fn attach(&mut self, programs: &Mutex<Ebpf>, folder: &File) -> Result<(), ProgramError> {
        let mut programs = lock(programs);
        for (name, direction) in DIRECTIONS {
            let program = program(&mut programs, name)?;
            let link = program.attach(folder, direction, BESIDE_OTHERS)?;
            self.links.push(program.take_link(link)?);
        }
        Ok(())
    }

    /// What was dropped and let through so far.
    pub fn counters(&self) -> Result<Packets, MapError> {
        let counts = lock(&self.barrier.quarantined).get(&self.cgroup_id, 0)?;
        Ok(counts.iter().fold(Packets::default(), |sum, [dropped_out, dropped_in, passed_out, passed_in]| Packets {
            dropped_out: sum.dropped_out + dropped_out,
            dropped_in: sum.dropped_in + dropped_in,
            passed_out: sum.passed_out + passed_out,
            passed_in: sum.passed_in + passed_in,
        }))
    }

    /// The cgroup that is cut off.
    pub fn cgroup_id(&self) -> u64 {
        self.cgroup_id
    }

    /// Ends it, and says what it had dropped. Dropping does the same silently.
    pub fn release(self) -> Result<Packets, MapError> {
        self.counters()
    }
}

impl Drop for Quarantine {
    fn drop(&mut self) {
        self.links.clear();
        let mut allowed = lock(&self.barrier.allowed);
        for key in &self.keys {
            // Not there: it was never written down, or two networks were the same.
            let _absent = allowed.remove(key);
        }
        let _absent = lock(&self.barrier.quarantined).remove(&self.cgroup_id);
    }
}

const DIRECTIONS: [(&str, CgroupSkbAttachType); 2] =
    [("quarantine_egress", CgroupSkbAttachType::Egress), ("quarantine_ingress", CgroupSkbAttachType::Ingress)];

fn program<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut CgroupSkb, ProgramError> {
    ebpf.program_mut(name).ok_or(ProgramError::NotLoaded)?.try_into()
}

/// An entry of the longest-prefix table: the cgroup, then the network, IPv4 as `::ffff:a.b.c.d`.
fn key(cgroup_id: u64, network: IpNet) -> Key<Address> {
    let (address, bits) = match network.network() {
        IpAddr::V4(address) => (address.to_ipv6_mapped().octets(), MAPPED_BITS + u32::from(network.prefix_len())),
        IpAddr::V6(address) => (address.octets(), u32::from(network.prefix_len())),
    };
    let mut bytes = Address::default();
    let allowed = Allowed { cgroup_id, address };
    bytes.copy_from_slice(allowed.as_bytes());
    Key::new(ALLOWED_CGROUP_BITS + bits, bytes)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
