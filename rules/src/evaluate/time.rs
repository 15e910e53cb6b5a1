//! Parts of a written moment: `2026-01-02T23:10:00Z` is day 2, hour 23.
//!
//! Takes text; gives the number, or nothing when the text is not a moment. It never converts between time zones: the
//! specification says that the log's own clock is meant.

use crate::compile::modifiers::TimePart;

pub(super) fn part(text: &[u8], part: TimePart) -> Option<i64> {
    let (year, month, day) = (number(text, 0, 4)?, number(text, 5, 2)?, number(text, 8, 2)?);
    if text.get(4) != Some(&b'-') || text.get(7) != Some(&b'-') || !(1..=12).contains(&month) || day > 31 {
        return None;
    }
    Some(match part {
        TimePart::Year => year,
        TimePart::Month => month,
        TimePart::Day => day,
        TimePart::Week => week(year, month, day),
        TimePart::Hour => number(text, 11, 2)?,
        TimePart::Minute => number(text, 14, 2)?,
    })
}

fn number(text: &[u8], start: usize, length: usize) -> Option<i64> {
    text.get(start..start + length)?
        .iter()
        .try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0')))
}

fn leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Days before the month in a year that is not a leap year.
const BEFORE: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];

/// The week of ISO 8601: the one that holds the year's first Thursday is 1.
fn week(year: i64, month: i64, day: i64) -> i64 {
    let before = usize::try_from(month - 1).ok().and_then(|month| BEFORE.get(month)).copied().unwrap_or_default();
    let ordinal = before + day + i64::from(leap(year) && month > 2);
    let first_weekday = weekday_of_january_first(year);
    let weekday = (first_weekday + ordinal - 1) % 7;
    let week = (ordinal - 1 - weekday + 10) / 7;
    if week < 1 {
        weeks(year - 1)
    } else if week > weeks(year) {
        1
    } else {
        week
    }
}

/// Monday is 0.
fn weekday_of_january_first(year: i64) -> i64 {
    let years = year - 1;
    (years + years / 4 - years / 100 + years / 400).rem_euclid(7)
}

fn weeks(year: i64) -> i64 {
    let first = weekday_of_january_first(year);
    if first == 3 || (first == 2 && leap(year)) { 53 } else { 52 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, what: TimePart, expected: Option<i64>) {
        assert_eq!(part(text.as_bytes(), what), expected, "{what:?} of {text}");
    }

    #[test]
    fn a_moment_has_parts() {
        check("2026-01-02T23:10:00Z", TimePart::Year, Some(2026));
        check("2026-01-02T23:10:00Z", TimePart::Month, Some(1));
        check("2026-01-02T23:10:00Z", TimePart::Day, Some(2));
        check("2026-01-02 23:10:00", TimePart::Hour, Some(23));
        check("2026-01-02T23:10:00Z", TimePart::Minute, Some(10));
    }

    #[test]
    fn weeks_follow_iso_8601() {
        check("2026-01-01", TimePart::Week, Some(1));
        check("2023-01-01", TimePart::Week, Some(52));
        check("2021-01-03", TimePart::Week, Some(53));
        check("2024-12-30", TimePart::Week, Some(1));
        check("2026-06-15", TimePart::Week, Some(25));
    }

    #[test]
    fn what_is_no_moment_has_no_parts() {
        check("", TimePart::Year, None);
        check("yesterday", TimePart::Year, None);
        check("2026-13-01T00:00:00Z", TimePart::Month, None);
        check("2026-01-02", TimePart::Hour, None);
        check("2026/01/02T23:10", TimePart::Hour, None);
    }
}
