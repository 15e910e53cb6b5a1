//! What of the kernel programs is kept over the agent's end, for whoever loads them. Takes the configuration; gives the paths of the maps
//! that are taken over, and the rings of agents that built theirs otherwise. Where nothing can be kept it says why, and the agent works
//! without.

use std::path::{Path, PathBuf};

use aya::EbpfLoader;
use aya::maps::{Map, MapData, MapError, RingBuf};

use super::gate::Gates;
use super::load::RINGS;
use super::pins::{self, KEPT, PinConfig, PinError, Pins};
use super::ring::{Ring, Rings};
use super::told::Keeper;

/// What is kept.
pub(super) struct Kept {
    pins: Pins,
    tables: PathBuf,
}

/// Nothing where nothing is asked for, or the machine allows none; then with the reason. Another agent that runs is an error: two would
/// tell all twice.
pub(super) fn open(config: Option<&PinConfig>, sizes: &[(&str, u32)]) -> Result<(Option<Kept>, Vec<String>), PinError> {
    let Some(config) = config else { return Ok((None, vec!["anything: nothing is asked to be kept".to_owned()])) };
    let opened = Pins::open(config).and_then(|pins| Ok(Kept { tables: pins.tables(sizes)?, pins }));
    match opened {
        Ok(kept) => Ok((Some(kept), Vec::new())),
        Err(error @ PinError::Held { .. }) => Err(error),
        Err(error) => {
            let why = crate::deliver::chain(&error);
            tracing::warn!(why, "nothing is recorded while the agent restarts");
            Ok((None, vec![format!("anything: {why}")]))
        }
    }
}

impl Kept {
    /// Each map that is kept, and where.
    pub(super) fn maps(&self) -> impl Iterator<Item = (&'static str, PathBuf)> {
        let tables = KEPT.into_iter().map(|name| (name, self.tables.join(name)));
        tables.chain([("AGENT", self.pins.agent())])
    }

    /// The gates; none is looked at yet.
    pub(super) fn gates(&self, loader: EbpfLoader<'static>) -> Gates {
        Gates::new(loader, self.pins.gates(), self.pins.agent())
    }

    /// What was told of the books.
    pub(super) fn keeper(&self) -> Result<Keeper, MapError> {
        Keeper::open(&self.tables)
    }

    /// The quarantines that stand.
    pub(super) fn barriers(&self) -> PathBuf {
        self.pins.barriers()
    }

    /// Everything hangs: takes down what only earlier agents had. Gives their rings, in which their last records wait.
    pub(super) fn change_over(&self, gates: Option<&Gates>) -> Result<Vec<Rings>, PinError> {
        if let Some(gates) = gates {
            gates.take_down_others();
        }
        let mut rings = Vec::new();
        for tables in self.pins.other_tables(&self.tables)? {
            match rings_of(&tables) {
                Ok(found) => rings.push(found),
                Err(error) => {
                    tracing::error!(%error, path = %tables.display(), "rings of an earlier agent cannot be read");
                }
            }
            pins::remove(&tables)?;
        }
        Ok(rings)
    }

    /// The folder, which the agent holds while it lives.
    pub(super) fn into_pins(self) -> Pins {
        self.pins
    }
}

fn rings_of(tables: &Path) -> Result<Rings, MapError> {
    let open = |(name, classes)| {
        let ring = RingBuf::try_from(Map::from_map_data(MapData::from_pin(tables.join(name))?)?)?;
        Ok::<_, MapError>(Ring::new(classes, ring))
    };
    let [process, guard, network, file] = RINGS.map(open);
    Rings::new([process?, guard?, network?, file?], None).map_err(MapError::IoError)
}
