//! Durations and sizes as people write them: `200ms`, `60m`, `2GiB`. Takes text; gives a [`Duration`] or a number of bytes, or says
//! what is allowed. Never takes a number without its unit: `max_age = 60` is a question, not a duration.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de::Error};

const DURATIONS: [(&str, u64); 6] = [
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
    ("us", 1_000),
];

const SIZES: [(&str, u64); 4] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("B", 1)];

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        parse(&text, &SIZES)
            .map(Self)
            .ok_or_else(|| D::Error::custom(format!("{text:?} is not a size: a whole number and B, KiB, MiB or GiB")))
    }
}

/// For `#[serde(deserialize_with)]`: a duration.
pub(super) fn duration<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(from)?;
    parse_duration(&text)
        .ok_or_else(|| D::Error::custom(format!("{text:?} is not a duration: a whole number and us, ms, s, m, h or d")))
}

/// Reads a duration such as `200ms` or `60m`.
pub fn parse_duration(text: &str) -> Option<Duration> {
    parse(text, &DURATIONS).map(Duration::from_nanos)
}

fn parse(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim())?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_a_number_and_a_unit() {
        assert_eq!(parse_duration("200ms"), Some(Duration::from_millis(200)));
        assert_eq!(parse_duration("60m"), Some(Duration::from_hours(1)));
        assert_eq!(parse_duration("2 h"), Some(Duration::from_hours(2)));
        for wrong in
            ["", "60", "m", "-1s", "1.5s", "1 fortnight", "99999999999999999999s", "9999999999999d", "1sé", "é"]
        {
            assert_eq!(parse_duration(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_size_has_a_number_and_a_unit() {
        assert_eq!(parse("2GiB", &SIZES), Some(2 << 30));
        assert_eq!(parse("17 B", &SIZES), Some(17));
        assert_eq!(parse("2GB", &SIZES), None);
    }
}
