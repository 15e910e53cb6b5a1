//! A match in words: the same on the node and in the collector, so that both name the same finding. Takes a hit and the time of the event;
//! gives what a rule would have said. Decides nothing about guilt.

use std::fmt::Write as _;

use super::lookup::Hit;
use super::set::Set;
use super::{Indicator, Kind, time};
use crate::rule::Level;

/// Bytes of a value in names and titles; the whole stands in the file, and in the event.
const SHOWN: usize = 160;

/// What is said of a match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// A name for all indicators of that value, as a rule has an id.
    pub id: String,
    /// One line for people: what matched.
    pub title: String,
    /// Who says so, why, how sure, and until when; one sentence for each source.
    pub why: String,
    /// The gravest of them.
    pub level: Level,
}

impl Set {
    /// The words for a hit. Those that hold at that time are named; where none does, those that did, and when they ended.
    pub fn words(&self, hit: Hit, at: i64) -> Words {
        let holds = self.same_value(hit.first).any(|indicator| !indicator.is_expired(at));
        let mut meant = self.same_value(hit.first).filter(|indicator| indicator.is_expired(at) != holds).peekable();
        let Some(first) = meant.peek() else {
            let (id, title, why) = Default::default();
            return Words { id, title, why, level: Level::Informational };
        };
        let (word, value) = (first.kind.word(), shown(&first.kind));
        let (id, title) = (format!("indicator:{word}:{value}"), format!("Indicator: {word} {value}"));
        let (mut why, mut level) = (String::new(), Level::Informational);
        for indicator in meant {
            level = level.max(indicator.level);
            if !why.is_empty() {
                why.push(' ');
            }
            sentence(indicator, at, &mut why);
        }
        Words { id, title, why, level }
    }
}

fn sentence(indicator: &Indicator, at: i64, why: &mut String) {
    let Indicator { source, confidence, expires, .. } = indicator;
    let reason = if indicator.why.is_empty() { "without a reason" } else { &indicator.why };
    let mut add = || {
        write!(why, "{source} lists it: {}", reason.trim_end_matches('.'))?;
        if let Some(confidence) = confidence {
            write!(why, ", {confidence} of 100 sure")?;
        }
        match expires {
            Some(moment) if *moment <= at => write!(why, "; it expired on {}", time::write(*moment))?,
            Some(moment) => write!(why, "; until {}", time::write(*moment))?,
            None => {}
        }
        why.write_char('.')
    };
    add().expect("a string takes all that is written to it");
}

/// The value in visible letters. A long one ends in a hash of all of it: two values never have one name.
fn shown(kind: &Kind) -> String {
    let value = kind.to_string();
    let plain = super::reading::plain(&value, SHOWN);
    if plain == value {
        return plain;
    }
    // FNV-1a.
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    format!("{plain} ({:016x})", value.bytes().fold(0xcbf2_9ce4_8422_2325, mix))
}
