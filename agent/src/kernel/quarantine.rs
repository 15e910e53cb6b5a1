//! Cutting a cgroup off the network, but for allowed addresses. Takes the cgroup's folder and the networks that stay allowed;
//! gives a [`Quarantine`] that counts what it dropped. Its caller owns the expiry, and the kernel knows it. Where barriers are kept it
//! stands until it is lifted, also over the agent's end; else it ends when it is dropped, or with the agent's process.

use std::fs::{self, File};
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aya::Ebpf;
use aya::maps::lpm_trie::Key;
use aya::maps::{HashMap, LpmTrie, MapData, MapError, PerCpuHashMap, PerCpuValues};
use aya::programs::cgroup_skb::CgroupSkbLink;
use aya::programs::links::FdLink;
use aya::programs::{CgroupSkb, CgroupSkbAttachType, ProgramError};
use ebpf_common::config::{ALLOWED_CGROUP_BITS, Allowed, Packets};
use ipnet::IpNet;
use zerocopy::{FromBytes, IntoBytes};

use super::hooks::BESIDE_OTHERS;
use super::pins;

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
    /// It could not be kept over the agent's end.
    #[error("keep the quarantine of {path}")]
    Keep {
        /// The cgroup's folder.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: io::Error,
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
    ends: Mutex<HashMap<MapData, u64, u64>>,
    cpus: usize,
    /// Where what hangs is kept, a folder for each cgroup; `None`: nowhere.
    kept: Option<PathBuf>,
}

impl Barrier {
    pub(super) fn new(
        quarantined: PerCpuHashMap<MapData, u64, Counts>,
        allowed: LpmTrie<MapData, Address, u8>,
        ends: HashMap<MapData, u64, u64>,
        cpus: usize,
        kept: Option<PathBuf>,
    ) -> Self {
        Self { quarantined: Mutex::new(quarantined), allowed: Mutex::new(allowed), ends: Mutex::new(ends), cpus, kept }
    }

    /// Lifts whatever stands of a cgroup, and says whether anything did.
    pub(super) fn lift(&self, cgroup_id: u64) -> bool {
        let kept = self.folder(cgroup_id).is_some_and(|folder| folder.exists() && pins::remove(&folder).is_ok());
        let mut allowed = lock(&self.allowed);
        let stale: Vec<Key<Address>> = allowed.keys().flatten().filter(|key| is_of(key, cgroup_id)).collect();
        for key in &stale {
            // Not there: somebody was faster.
            let _absent = allowed.remove(key);
        }
        let _absent = lock(&self.ends).remove(&cgroup_id);
        lock(&self.quarantined).remove(&cgroup_id).is_ok() || kept
    }

    /// Cgroups of which a barrier is kept.
    pub(super) fn kept(&self) -> Vec<u64> {
        let entries = self.kept.as_ref().and_then(|folder| fs::read_dir(folder).ok());
        entries.into_iter().flatten().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
    }

    /// When the kernel lets the cgroup's packets pass again, whoever is there to lift it; 0: never.
    pub(super) fn end(&self, cgroup_id: u64, until_ns: u64) -> Result<(), MapError> {
        lock(&self.ends).insert(cgroup_id, until_ns, 0)
    }

    fn folder(&self, cgroup_id: u64) -> Option<PathBuf> {
        self.kept.as_ref().map(|folder| folder.join(cgroup_id.to_string()))
    }
}

/// A cgroup that is cut off. Dropped: no longer, but where it is kept.
pub struct Quarantine {
    barrier: Arc<Barrier>,
    /// Outgoing before incoming; both detach when they are dropped.
    links: Vec<CgroupSkbLink>,
    cgroup_id: u64,
    is_kept: bool,
}

impl Quarantine {
    pub(super) fn begin(
        programs: &Mutex<Ebpf>,
        barrier: Arc<Barrier>,
        cgroup: &Path,
        allow: &[IpNet],
        until_ns: u64,
    ) -> Result<Self, QuarantineError> {
        let open = |cause| QuarantineError::Open { path: cgroup.into(), cause };
        let folder = File::open(cgroup).map_err(open)?;
        let cgroup_id = super::cgroup_id(cgroup).map_err(open)?;
        let stands = barrier.folder(cgroup_id).is_some_and(|folder| folder.exists());
        if !stands && lock(&barrier.quarantined).get(&cgroup_id, 0).is_ok() {
            return Err(QuarantineError::Already { path: cgroup.into() });
        }
        let keys: Vec<_> = allow.iter().map(|network| key(cgroup_id, *network)).collect();
        // From here on whatever fails is undone by dropping it; what an earlier agent began still stands then.
        let mut begun = Self { barrier, links: Vec::new(), cgroup_id, is_kept: stands };
        let table = |cause| QuarantineError::Table { path: cgroup.into(), cause };
        begun.write_down(&keys, until_ns).map_err(table)?;
        begun.attach(programs, &folder).map_err(|cause| QuarantineError::Attach { path: cgroup.into(), cause })?;
        begun.keep().map_err(|cause| QuarantineError::Keep { path: cgroup.into(), cause })?;
        Ok(begun)
    }

    /// The tables come before the programs, so that an allowed connection lives through the moment between. What an earlier agent allowed
    /// and this one does not goes last.
    fn write_down(&self, keys: &[Key<Address>], until_ns: u64) -> Result<(), MapError> {
        let zero = PerCpuValues::try_from(vec![Counts::default(); self.barrier.cpus])?;
        {
            let mut quarantined = lock(&self.barrier.quarantined);
            if quarantined.get(&self.cgroup_id, 0).is_err() {
                quarantined.insert(self.cgroup_id, zero, 0)?;
            }
        }
        self.barrier.end(self.cgroup_id, until_ns)?;
        let mut allowed = lock(&self.barrier.allowed);
        keys.iter().try_for_each(|key| allowed.insert(key, 1, 0))?;
        let same = |one: &Key<Address>, other: &Key<Address>| {
            (one.prefix_len(), one.data()) == (other.prefix_len(), other.data())
        };
        let is_stale = |key: &Key<Address>| is_of(key, self.cgroup_id) && !keys.iter().any(|wanted| same(wanted, key));
        let stale: Vec<Key<Address>> = allowed.keys().flatten().filter(is_stale).collect();
        stale.iter().try_for_each(|key| allowed.remove(key))
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

    /// Keeps what hangs now, then takes down what an earlier agent hung: the packets meet one of them at least.
    fn keep(&mut self) -> io::Result<()> {
        let Some(folder) = self.barrier.folder(self.cgroup_id) else { return Ok(()) };
        pins::make(&folder).map_err(io::Error::other)?;
        let earlier: Vec<PathBuf> = fs::read_dir(&folder)?.flatten().map(|entry| entry.path()).collect();
        let free = (0_u32..).map(|number| folder.join(number.to_string())).filter(|path| !earlier.contains(path));
        for (link, path) in self.links.drain(..).zip(free) {
            // Before 5.7 a program of a cgroup has no link: it ends with the agent.
            FdLink::try_from(link).map_err(io::Error::other)?.pin(path).map_err(io::Error::other)?;
        }
        earlier.iter().try_for_each(|path| pins::remove(path)).map_err(io::Error::other)?;
        self.is_kept = true;
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

    /// Ends it, and says what it had dropped.
    pub fn release(mut self) -> Result<Packets, MapError> {
        self.is_kept = false;
        self.counters()
    }
}

impl Drop for Quarantine {
    fn drop(&mut self) {
        self.links.clear();
        if !self.is_kept {
            self.barrier.lift(self.cgroup_id);
        }
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

fn is_of(key: &Key<Address>, cgroup_id: u64) -> bool {
    Allowed::ref_from_bytes(&key.data()).is_ok_and(|allowed| allowed.cgroup_id == cgroup_id)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
