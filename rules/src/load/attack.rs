//! What rules say of ATT&CK in their tags, in the words of version 19. Takes tags; gives techniques and tactics.
//!
//! Version 19 made two tactics of Defense Evasion, and gave the techniques of one of them new numbers: a rule that still has
//! the old ones is read as if it had the new. <https://attack.mitre.org/resources/updates/>

/// What was renumbered, in order: before and since version 19.
const RENUMBERED: [(&str, &str); 17] = [
    ("T1070.001", "T1685.005"),
    ("T1070.002", "T1685.006"),
    ("T1562", "T1685"),
    ("T1562.001", "T1685"),
    ("T1562.002", "T1685.001"),
    ("T1562.003", "T1690"),
    ("T1562.004", "T1686"),
    ("T1562.006", "T1685"),
    ("T1562.007", "T1686.001"),
    ("T1562.008", "T1685.002"),
    ("T1562.009", "T1688"),
    ("T1562.010", "T1689"),
    ("T1562.011", "T1685.003"),
    ("T1562.012", "T1685.004"),
    ("T1562.013", "T1686.002"),
    ("T1656", "T1684.001"),
    ("T1672", "T1684.002"),
];

/// The tactic that became two, and those.
const FORMER: &str = "defense-evasion";
const STEALTH: &str = "stealth";
const IMPAIRMENT: &str = "defense-impairment";
/// The techniques of the second.
const IMPAIRING: std::ops::RangeInclusive<&str> = "T1685"..="T1690";

/// Techniques and tactics of `attack.` tags; software and group ids are neither.
pub(super) fn named(tags: &[String]) -> (Vec<String>, Vec<String>) {
    let mut techniques = Vec::new();
    let mut tactics = Vec::new();
    for tag in tags.iter().filter_map(|tag| tag.strip_prefix("attack.")) {
        let numbered = |prefix| {
            let rest = tag.strip_prefix(prefix)?;
            rest.starts_with(|first: char| first.is_ascii_digit()).then_some(rest)
        };
        if let Some(number) = numbered("t").or_else(|| numbered("T")) {
            add(&mut techniques, current(format!("T{number}")));
        } else if ["s", "g", "c", "ta"].iter().all(|prefix| numbered(prefix).is_none()) {
            add(&mut tactics, tag.replace('_', "-"));
        }
    }
    if let Some(former) = tactics.iter().position(|tactic| tactic == FORMER) {
        tactics.remove(former);
        let impairs = |technique: &String| technique.get(..5).is_some_and(|number| IMPAIRING.contains(&number));
        if techniques.iter().any(impairs) {
            add(&mut tactics, IMPAIRMENT.to_owned());
        }
        if techniques.is_empty() || !techniques.iter().all(impairs) {
            add(&mut tactics, STEALTH.to_owned());
        }
    }
    (techniques, tactics)
}

/// Two old numbers may be one new one.
fn add(all: &mut Vec<String>, one: String) {
    if !all.contains(&one) {
        all.push(one);
    }
}

fn current(technique: String) -> String {
    match RENUMBERED.binary_search_by_key(&&*technique, |(before, _)| before) {
        Ok(at) => RENUMBERED.get(at).map_or(technique, |(_, since)| (*since).to_owned()),
        Err(_) => technique,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(tags: &[&str], techniques: &[&str], tactics: &[&str]) {
        let tags: Vec<_> = tags.iter().map(|tag| (*tag).to_owned()).collect();
        let found = named(&tags);
        assert_eq!((&*found.0, &*found.1), (&*words(techniques), &*words(tactics)), "{tags:?}");
    }

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn old_numbers_are_read_as_the_new_ones() {
        check(&["attack.t1562.008", "attack.T1059.004"], &["T1685.002", "T1059.004"], &[]);
        check(&["attack.t1562.001", "attack.t1562.006"], &["T1685"], &[]);
    }

    #[test]
    fn the_tactic_that_became_two_is_the_one_of_its_techniques() {
        check(&["attack.defense-evasion", "attack.t1562.001"], &["T1685"], &[IMPAIRMENT]);
        check(&["attack.defense_evasion", "attack.t1036"], &["T1036"], &[STEALTH]);
        check(&["attack.defense-evasion", "attack.t1036", "attack.t1690"], &["T1036", "T1690"], &[IMPAIRMENT, STEALTH]);
        check(&["attack.defense-evasion"], &[], &[STEALTH]);
    }

    #[test]
    fn software_and_groups_are_neither() {
        check(&["attack.s0001", "attack.g0016", "cve.2021-44228", "attack.impact"], &[], &["impact"]);
    }

    #[test]
    fn the_table_is_in_order() {
        assert!(RENUMBERED.is_sorted());
    }
}
