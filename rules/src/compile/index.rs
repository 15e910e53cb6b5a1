//! Which rules an event is worth evaluating with: by log source first, by literals then.
//!
//! Takes all programs with their sources; gives candidates for an event. A rule without a witness is a candidate for
//! every event of its source. It never decides that a rule matches.

use std::collections::BTreeMap;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, AhoCorasickKind, MatchKind};

use super::Program;
use super::prefilter::{Witness, witnesses};
use crate::evaluate::written;
use crate::event::{Event, LogSource, Value};
use crate::fields::{Field, WELL_KNOWN};
use crate::limits;
use crate::rule::{RuleIndex, RuleSource};

/// All rules by log source.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// Merged: one group holds every rule that applies to the source.
    known: Vec<(LogSource<'static>, Group)>,
    /// By what rules ask for; several may apply to one event.
    asked: Vec<(RuleSource, Group)>,
}

/// The rules of one source.
#[derive(Debug, Default)]
struct Group {
    always: Vec<RuleIndex>,
    filtered: Vec<RuleIndex>,
    /// Positions in `filtered` that no automaton could be built for.
    woken: Vec<u16>,
    scans: Vec<Scan>,
}

/// The literals that rules of a group want to see in one field.
#[derive(Debug)]
struct Scan {
    /// `None`: every text of the event.
    field: Option<Field>,
    automaton: AhoCorasick,
    /// By pattern of the automaton, the positions in `Group::filtered`.
    rules: Vec<Vec<u16>>,
}

/// Bytes of literals that automata may still be built for, and of those as full tables.
struct Room {
    literal_bytes: usize,
    table_bytes: usize,
}

/// Candidates of a group, as bits.
type Marks = [u64; limits::RULES / 64];

impl Index {
    /// `table_bytes`: of the literals that become full tables.
    pub(crate) fn new(rules: &[(RuleSource, Program)], table_bytes: usize) -> Self {
        let found: Vec<_> = rules.iter().map(|(_, program)| witnesses(program)).collect();
        let group = |room: &mut Room, applies: &dyn Fn(&RuleSource) -> bool| {
            let mut group = Group::default();
            let mut literals = Literals::default();
            for (position, ((source, _), witnesses)) in rules.iter().zip(&found).enumerate() {
                if applies(source) {
                    group.add(index(position), witnesses.as_deref(), &mut literals);
                }
            }
            group.finish(literals, room);
            group
        };
        let mut room = Room { table_bytes, literal_bytes: limits::LITERAL_BYTES };
        let known =
            (WELL_KNOWN.iter()).map(|source| (*source, group(&mut room, &|asked| asked.applies_to(source)))).collect();
        // Events of other sources are read from files, not from a ring: memory counts for more than speed.
        room.table_bytes = 0;
        let mut asked: Vec<(RuleSource, Group)> = Vec::new();
        for (source, _) in rules {
            if !asked.iter().any(|(other, _)| other == source) {
                asked.push((source.clone(), group(&mut room, &|other| other == source)));
            }
        }
        Self { known, asked }
    }

    /// Shows every candidate for the event.
    pub(crate) fn candidates<E: Event + ?Sized>(&self, event: &E, mut visit: impl FnMut(RuleIndex)) {
        let source = event.log_source();
        if let Some((_, group)) = self.known.iter().find(|(known, _)| *known == source) {
            group.candidates(event, &mut visit);
            return;
        }
        for (_, group) in self.asked.iter().filter(|(asked, _)| asked.applies_to(&source)) {
            group.candidates(event, &mut visit);
        }
    }
}

fn index(position: usize) -> RuleIndex {
    RuleIndex(u32::try_from(position).expect("an engine holds at most 4096 rules"))
}

/// By field, each literal with the rules that it wakes.
type Literals = BTreeMap<Option<Field>, BTreeMap<Vec<u8>, Vec<u16>>>;

impl Group {
    fn add(&mut self, rule: RuleIndex, witnesses: Option<&[Witness]>, literals: &mut Literals) {
        let Some(witnesses) = witnesses else {
            self.always.push(rule);
            return;
        };
        let position = u16::try_from(self.filtered.len()).expect("an engine holds at most 4096 rules");
        self.filtered.push(rule);
        for witness in witnesses {
            let by_literal = literals.entry(witness.field.clone()).or_default();
            let rules = by_literal.entry(witness.literal.clone()).or_default();
            if rules.last() != Some(&position) {
                rules.push(position);
            }
        }
    }

    /// Builds the automata, as full tables while there is room for these.
    fn finish(&mut self, literals: Literals, room: &mut Room) {
        for (field, by_literal) in literals {
            let bytes: usize = by_literal.keys().map(Vec::len).sum();
            let Some(left) = room.literal_bytes.checked_sub(bytes) else {
                self.woken.extend(by_literal.into_values().flatten());
                continue;
            };
            room.literal_bytes = left;
            let kind = match room.table_bytes.checked_sub(bytes) {
                Some(left) => {
                    room.table_bytes = left;
                    AhoCorasickKind::DFA
                }
                None => AhoCorasickKind::ContiguousNFA,
            };
            let built = AhoCorasickBuilder::new()
                .ascii_case_insensitive(true)
                .match_kind(MatchKind::Standard)
                .kind(Some(kind))
                .build(by_literal.keys());
            let rules: Vec<_> = by_literal.into_values().collect();
            match built {
                Ok(automaton) => self.scans.push(Scan { field, automaton, rules }),
                // Too many literals for an automaton: those rules are evaluated on every event instead.
                Err(_) => self.woken.extend(rules.into_iter().flatten()),
            }
        }
    }

    fn candidates<E: Event + ?Sized>(&self, event: &E, visit: &mut impl FnMut(RuleIndex)) {
        for rule in &self.always {
            visit(*rule);
        }
        if self.filtered.is_empty() {
            return;
        }
        let mut marks: Marks = [0; limits::RULES / 64];
        for position in &self.woken {
            mark(&mut marks, *position);
        }
        for scan in &self.scans {
            match &scan.field {
                Some(field) => scan.mark(event.field(field), &mut marks),
                None => {
                    event.each_text(&mut |text| {
                        scan.mark_text(text, &mut marks);
                        false
                    });
                }
            }
        }
        for (word, mut bits) in marks.iter().copied().enumerate().take(self.filtered.len().div_ceil(64)) {
            while bits != 0 {
                let position = word * 64 + bits.trailing_zeros() as usize;
                bits &= bits - 1;
                visit(self.filtered[position]);
            }
        }
    }
}

impl Scan {
    fn mark(&self, value: Value<'_>, marks: &mut Marks) {
        match value {
            Value::Text(text) => self.mark_text(text, marks),
            Value::Many(spread) => {
                spread.each(&mut |value| {
                    self.mark(value, marks);
                    false
                });
            }
            Value::Int(_) | Value::Float(_) | Value::Address(_) => self.mark_text(written(value).as_bytes(), marks),
            Value::Bool(yes) => self.mark_text(if yes { b"true" } else { b"false" }, marks),
            Value::Missing | Value::Null | Value::Object => {}
        }
    }

    fn mark_text(&self, text: &[u8], marks: &mut Marks) {
        let mut found = 0;
        if text.len() <= limits::TEXT_BYTES {
            for literal in self.automaton.find_overlapping_iter(text).take(limits::LITERALS_FOUND) {
                found += 1;
                for rule in &self.rules[literal.pattern().as_usize()] {
                    mark(marks, *rule);
                }
            }
        }
        // A text that is longer than what is looked through, or made of literals, wakes every rule of the field.
        if text.len() > limits::TEXT_BYTES || found == limits::LITERALS_FOUND {
            for rule in self.rules.iter().flatten() {
                mark(marks, *rule);
            }
        }
    }
}

fn mark(marks: &mut Marks, position: u16) {
    let position = usize::from(position);
    marks[position / 64] |= 1 << (position % 64);
}
