//! A statement in words: a table for people, one sentence a class for a report. Takes the statement; adds nothing to it.

use std::fmt::{self, Display};

use super::{Line, Statement, Subject};

/// Digits of a container's id that people read.
const SHORT: usize = 12;

impl Display for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Container { id } => write!(formatter, "container {}", id.get(..SHORT).unwrap_or(id)),
            Self::Node { name } => write!(formatter, "node {name}"),
        }
    }
}

impl Display for Line {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} of class {} were seen: {} told", self.seen, self.class, self.told)?;
        let parts = [
            (self.silent, "of nothing that an event is made of"),
            (self.aggregated, "counted into others"),
            (self.throttled, "over its budget, counted and not told"),
            (self.excluded, "left out by the configuration"),
            (self.under_way, "under way at the end"),
        ];
        for (count, what) in parts.into_iter().filter(|(count, _)| *count > 0) {
            write!(formatter, ", {count} {what}")?;
        }
        for (reason, count) in &self.lost {
            write!(formatter, ", {count} lost ({})", reason.replace('_', " "))?;
        }
        write!(formatter, "; {} arrived", self.received)
    }
}

impl Statement {
    /// Why it does not hold; empty where it does.
    pub fn doubts(&self) -> Vec<String> {
        let mut doubts = Vec::new();
        if self.accounted.is_none() {
            doubts.push("no node accounted for this time".to_owned());
        }
        if self.missing > 0 {
            doubts.push(format!("{} positions of the nodes' logs never arrived", self.missing));
        }
        for line in &self.lines {
            if line.told != line.received {
                doubts.push(format!("{}: {} events were told and {} arrived", line.class, line.told, line.received));
            }
            if line.unaccounted > 0 {
                doubts.push(format!("{}: {} records were begun and never read", line.class, line.unaccounted));
            }
            if line.off > 0 {
                doubts.push(format!("{}: the accounts differ by {}", line.class, line.off));
            }
        }
        doubts
    }

    /// One sentence, whether it holds.
    pub fn verdict(&self) -> String {
        let doubts = self.doubts();
        if doubts.is_empty() {
            let bulk: u64 = self.lines.iter().map(|line| line.throttled + line.lost()).sum();
            let rest =
                if bulk == 0 { "nothing is missing".to_owned() } else { format!("{bulk} are missing, counted above") };
            return format!("It adds up: all that was told arrived, and {rest}.");
        }
        format!("It does not add up: {}.", doubts.join("; "))
    }
}

impl Display for Statement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "Completeness of {}, asked from {} to {}", self.subject, self.from, self.to)?;
        if let Some((first, last)) = self.accounted {
            writeln!(formatter, "accounted for from {first} to {last}")?;
        }
        let head =
            ["class", "seen", "told", "arrived", "silent", "aggregated", "throttled", "excluded", "lost", "under way"];
        writeln!(formatter, "{}", cells(&head.map(str::to_owned)))?;
        for line in &self.lines {
            let Line { class, seen, told, received, silent, aggregated, throttled, excluded, under_way, .. } = line;
            let counts = [seen, told, received, silent, aggregated, throttled, excluded, &line.lost(), under_way];
            let mut row = vec![class.clone()];
            row.extend(counts.map(u64::to_string));
            writeln!(formatter, "{}", cells(&row))?;
        }
        for watch in self.watches.iter().filter(|watch| !watch.refused_hooks.is_empty()) {
            writeln!(formatter, "{} watched without {}", watch.node, watch.refused_hooks.join(", "))?;
        }
        for watch in self.watches.iter().filter(|watch| !watch.silent_hooks.is_empty()) {
            writeln!(
                formatter,
                "{} had hooks that told nothing of a known call: {}",
                watch.node,
                watch.silent_hooks.join(", ")
            )?;
        }
        formatter.write_str(&self.verdict())
    }
}

fn cells(row: &[String]) -> String {
    let cell = |(place, text): (usize, &String)| if place == 0 { format!("{text:<10}") } else { format!("{text:>11}") };
    row.iter().enumerate().map(cell).collect()
}
