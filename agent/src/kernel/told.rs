//! What was told of the kernel programs' books, kept beside them: the next agent tells the rest, and nothing twice. Takes what each report
//! changed; gives all of it once, at the start. A table of the agent's own, that no kernel program reads.

use std::collections::BTreeMap;
use std::path::Path;

use aya::maps::{HashMap, Map, MapData, MapError};
use ebpf_common::Class;
use ebpf_common::account::{self, Account, MAX_ACCOUNTS};
use ebpf_common::loss::Outcome;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::absent_is_well;
use super::accounts::Counted;

/// An account as it was told last, and what was read of its records, those of which an event was made before those of which none was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Told {
    /// As the kernel had it.
    pub account: Account,
    /// What was told as read, by class.
    pub told: [[u64; 2]; Class::COUNT],
    /// What was read, by class.
    pub read: [[u64; 2]; Class::COUNT],
    /// What was on its way, by class.
    pub under_way: [u64; Class::COUNT],
}

impl Told {
    /// Nothing was told.
    pub const NOTHING: Self = Self {
        account: account::EMPTY,
        told: [[0; 2]; Class::COUNT],
        read: [[0; 2]; Class::COUNT],
        under_way: [0; Class::COUNT],
    };
}

/// Sums, by class and outcome.
pub(super) type Sums = BTreeMap<Counted, u64>;

/// Keys beside those of cgroups: losses that were told, and what closed accounts said. [`account::SHARED`] is a cgroup's.
const REPORTED: u64 = u64::MAX - 1;
const CLOSED: u64 = u64::MAX - 2;

pub(super) const NAME: &str = "TOLD";
/// An entry for each account, and the sums.
pub(super) const ENTRIES: u32 = MAX_ACCOUNTS + 3;
pub(super) const BYTES: usize = size_of::<Told>();

type Bytes = [u8; BYTES];

/// The table.
pub(super) struct Keeper {
    table: HashMap<MapData, u64, Bytes>,
}

impl Keeper {
    /// The table in this folder, made if it is missing.
    pub(super) fn open(folder: &Path) -> Result<Self, MapError> {
        const NO_PREALLOCATION: u32 = 1;
        let path = folder.join(NAME);
        if !path.exists() {
            let table = HashMap::<_, u64, Bytes>::create(ENTRIES, NO_PREALLOCATION)?;
            table.pin(&path).map_err(|error| MapError::PinError { name: Some(NAME.to_owned()), error })?;
        }
        Ok(Self { table: HashMap::try_from(Map::from_map_data(MapData::from_pin(path)?)?)? })
    }

    /// All accounts.
    pub(super) fn all(&self) -> Result<Vec<(u64, Told)>, MapError> {
        let rows = self.table.iter().map(|row| row.map(|(id, bytes)| (id, read(&bytes))));
        rows.filter(|row| !row.as_ref().is_ok_and(|(id, _)| [REPORTED, CLOSED].contains(id))).collect()
    }

    /// Keeps what changed; `None`: the account is closed.
    pub(super) fn keep(&mut self, changes: &[(u64, Option<Told>)]) -> Result<(), MapError> {
        for (id, told) in changes {
            match told {
                Some(told) => self.put(*id, told)?,
                None => absent_is_well(self.table.remove(id))?,
            }
        }
        Ok(())
    }

    /// What was told as lost, and what closed accounts said.
    pub(super) fn sums(&self) -> Result<(Sums, Sums), MapError> {
        Ok((self.sum(REPORTED)?, self.sum(CLOSED)?))
    }

    /// Keeps both.
    pub(super) fn keep_sums(&mut self, reported: &Sums, closed: &Sums) -> Result<(), MapError> {
        for (key, sums) in [(REPORTED, reported), (CLOSED, closed)] {
            let mut row = Told::NOTHING;
            for (Counted { class, outcome }, count) in sums {
                row.account.ended[*class as usize][*outcome as usize] = *count;
            }
            self.put(key, &row)?;
        }
        Ok(())
    }

    fn sum(&self, key: u64) -> Result<Sums, MapError> {
        let row = match self.table.get(&key, 0) {
            Ok(bytes) => read(&bytes),
            Err(MapError::KeyNotFound) => Told::NOTHING,
            Err(error) => return Err(error),
        };
        let of = |class: Class, outcome: Outcome| row.account.ended[class as usize][outcome as usize];
        let pairs = Class::ALL.into_iter().flat_map(|class| Outcome::ALL.map(|outcome| Counted { class, outcome }));
        Ok(pairs.map(|what| (what, of(what.class, what.outcome))).filter(|(_, count)| *count > 0).collect())
    }

    fn put(&mut self, key: u64, row: &Told) -> Result<(), MapError> {
        let mut bytes = [0; BYTES];
        bytes.copy_from_slice(row.as_bytes());
        self.table.insert(key, bytes, 0)
    }
}

fn read(bytes: &Bytes) -> Told {
    Told::read_from_bytes(bytes).expect("an entry is as large as its type")
}
