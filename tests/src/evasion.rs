//! The table of evasions: what is tried, and what this sensor says that becomes of it. Takes `evasion.toml` and the tier that the hook
//! has here; gives the case to the test that holds it, or says that it is not covered, and why. Holds no stimulus itself.

use std::sync::OnceLock;

use serde::Deserialize;

const TABLE: &str = include_str!("../evasion.toml");

/// The lowest tier, where the table's other answer holds.
const TRACEPOINTS: &str = "tracepoint";

/// One row of the table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Its number, from 1 to 34.
    pub number: u8,
    /// What is tried, in one line.
    pub tried: String,
    /// The events that tell it.
    pub told_as: String,
    /// The hook whose tier decides.
    pub hook: String,
    /// What becomes of it with hooks on the kernel's objects.
    pub objects: String,
    /// What becomes of it with tracepoints alone.
    pub tracepoints: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(default)]
    case: Vec<Case>,
}

/// All rows.
///
/// # Panics
///
/// Where the table is not what this file describes.
pub fn cases() -> &'static [Case] {
    static CASES: OnceLock<Vec<Case>> = OnceLock::new();
    CASES.get_or_init(|| toml::from_str::<Table>(TABLE).expect("tests/evasion.toml is a table of cases").case)
}

/// The case with this number, where the sensor claims to see it on the tier that its hook has here; what is not covered is said.
///
/// # Panics
///
/// Where the table has no such case, or the hook has no tier: a hook that is missing is a failure of its own.
pub fn begin(number: u8, tier_of: impl Fn(&str) -> Option<String>) -> Option<&'static Case> {
    let case = cases().iter().find(|case| case.number == number).expect("the case stands in tests/evasion.toml");
    let tier =
        tier_of(&case.hook).unwrap_or_else(|| panic!("the hook {} of case {number} has no tier here", case.hook));
    let claim = if tier == TRACEPOINTS { &case.tracepoints } else { &case.objects };
    if claim == "seen" || claim.starts_with("seen, ") {
        println!("evasion {number}: {claim} ({tier})");
        return Some(case);
    }
    println!("evasion {number}: not covered ({tier}): {claim}");
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_case_has_one_number_and_every_answer() {
        let mut numbers: Vec<u8> = cases().iter().map(|case| case.number).collect();
        let (sorted, all) = (numbers.is_sorted(), numbers.len());
        numbers.dedup();
        assert!(
            sorted && numbers.len() == all && numbers.iter().all(|number| (1..=34).contains(number)),
            "{numbers:?}"
        );
        for case in cases() {
            let texts = [&case.tried, &case.told_as, &case.hook, &case.objects, &case.tracepoints];
            assert!(texts.iter().all(|text| !text.is_empty() && !text.contains(['|', '\n'])), "case {}", case.number);
        }
    }
}
