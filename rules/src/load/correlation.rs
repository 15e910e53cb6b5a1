//! Correlations: the rules that they name looked up, circles refused, each built once all that it rests on is.
//!
//! Takes correlations as written, when all rules are built; gives those that can be used. One that cannot takes those upon
//! it with it, each with an error of its own.

use std::collections::BTreeMap;

use super::{Loader, Waiting, described, id};
use crate::correlate::{Absent, Bound, Condition, Correlation, CorrelationIndex, Derive, Key, Target};
use crate::error::Fault;
use crate::example::{Step, Timeline};
use crate::fields::Field;
use crate::limits;
use crate::rule::RuleIndex;
use crate::syntax::correlation::extension::Extension;
use crate::syntax::correlation::{self, Reference};

/// What a document with a `correlation` holds.
pub(super) type Body = (correlation::Correlation, Extension);

impl Loader {
    /// Builds all correlations.
    pub(super) fn correlations(&mut self, waiting: Vec<Waiting<Body>>) {
        let mut drafts = Vec::new();
        for draft in waiting {
            match self.call(&draft, drafts.len()) {
                Ok(()) => drafts.push(draft),
                Err(fault) => self.built.errors.push(fault.in_file(&draft.file)),
            }
        }
        let mut resolved: Vec<Option<Correlation>> = Vec::new();
        for draft in &drafts {
            let built = self.resolve(draft);
            resolved.push(self.keep(&draft.file, built));
        }
        for (position, fault) in circles(&resolved) {
            let (Some(draft), Some(slot)) = (drafts.get(position), resolved.get_mut(position)) else { continue };
            *slot = None;
            let fault = Fault::new(draft.body.0.line, "correlation.rules", fault);
            self.built.errors.push(fault.in_file(&draft.file));
        }
        while let Some((position, message)) = orphan(&resolved) {
            let (Some(draft), Some(slot)) = (drafts.get(position), resolved.get_mut(position)) else { return };
            *slot = None;
            let fault = Fault::new(draft.body.0.line, "correlation.rules", message);
            self.built.errors.push(fault.in_file(&draft.file));
        }
        self.silence(&mut resolved, &drafts);
        self.built.correlations = renumbered(resolved);
    }

    fn keep<T>(&mut self, file: &str, built: Result<T, Fault>) -> Option<T> {
        built.map_err(|fault| self.built.errors.push(fault.in_file(file))).ok()
    }

    /// Makes a correlation known by its names.
    fn call(&mut self, draft: &Waiting<Body>, position: usize) -> Result<(), Fault> {
        let header = &draft.header;
        if position >= limits::CORRELATIONS {
            let message = format!("more than {} correlations", limits::CORRELATIONS);
            return Err(Fault::new(header.line, "file", message));
        }
        let title = header.title.as_ref().ok_or_else(|| Fault::new(header.line, "title", "is missing"))?;
        let (line, id) = id(header.id.as_ref(), title, header.line)?;
        if self.names.by_id(&id).is_some() {
            return Err(Fault::new(line, "id", "is already that of another rule or correlation"));
        }
        self.names.add(Target::Correlation(index(position)), &id, header);
        Ok(())
    }

    fn resolve(&self, draft: &Waiting<Body>) -> Result<Correlation, Fault> {
        let Waiting { file, header, body: (written, extension) } = draft;
        let title = header.title.clone().unwrap_or_default();
        let (_, id) = id(header.id.as_ref(), &title, header.line)?;
        let members = self.targets(&written.rules, "correlation.rules")?;
        let absent = match &extension.absent {
            Some(absent) => {
                Some(Absent { rules: self.targets(&absent.rules, "mayfly.absent.rules")?, when: absent.when })
            }
            None => None,
        };
        let mut rule = described(file.clone(), id, title, header.clone());
        rule.why.clone_from(&extension.why);
        let correlation = Correlation {
            rule,
            kind: written.kind,
            condition: condition(written, members.len())?,
            span: written.span,
            timelines: self.timelines(extension)?,
            keys: self.keys(written, &written.group_by, &members, absent.as_ref())?,
            values: self.keys(written, &written.fields, &members, None)?,
            derive: self.derive(written, extension)?,
            members,
            absent,
        };
        Ok(correlation)
    }

    fn target(&self, reference: &Reference, key: &str) -> Result<Target, Fault> {
        self.names.find(&reference.word).map_err(|message| Fault::new(reference.line, key, message))
    }

    /// What each word means; two words that mean the same are an error.
    fn targets(&self, references: &[Reference], key: &str) -> Result<Vec<Target>, Fault> {
        let mut targets = Vec::new();
        for reference in references {
            let target = self.target(reference, key)?;
            if targets.contains(&target) {
                return Err(Fault::new(reference.line, key, format!("`{}` stands there already", reference.word)));
            }
            targets.push(target);
        }
        Ok(targets)
    }

    fn rule_target(&self, reference: &Reference, key: &str) -> Result<RuleIndex, Fault> {
        match self.target(reference, key)? {
            Target::Rule(rule) => Ok(rule),
            Target::Correlation(_) => {
                let message = format!("`{}` is a correlation: allowed are rules with a detection", reference.word);
                Err(Fault::new(reference.line, key, message))
            }
        }
    }

    /// A field of events that match a rule.
    fn field(&self, name: &str, target: Target) -> Field {
        match target {
            Target::Rule(rule) => self.surroundings.mappings.field(name, &self.built.rules[rule.position()].source),
            Target::Correlation(_) => Field::new(name),
        }
    }

    /// Fields, with what rules call them.
    fn keys(
        &self,
        written: &correlation::Correlation,
        names: &[String],
        members: &[Target],
        absent: Option<&Absent>,
    ) -> Result<Vec<Key>, Fault> {
        let key = |name: &String| {
            let mut aliases = Vec::new();
            for (reference, field) in written.aliases.iter().filter(|alias| alias.name == *name).flat_map(|a| &a.fields)
            {
                let target = self.target(reference, "correlation.aliases")?;
                aliases.push((target, self.field(field, target)));
            }
            for target in members.iter().chain(absent.iter().flat_map(|absent| &absent.rules)) {
                let field = self.field(name, *target);
                if field.paths().next().is_some() && aliases.iter().all(|(other, _)| other != target) {
                    aliases.push((*target, field));
                }
            }
            Ok(Key { name: name.clone(), field: Field::new(name), aliases })
        };
        names.iter().map(key).collect()
    }

    fn derive(&self, written: &correlation::Correlation, extension: &Extension) -> Result<Option<Derive>, Fault> {
        let Some(derive) = &extension.derive else { return Ok(None) };
        if written.group_by.len() != 1 {
            let message = "needs exactly one field in `group-by`: whose identity it is";
            return Err(Fault::new(derive.line, "mayfly.derive", message));
        }
        let mut from = Vec::new();
        for (reference, field) in &derive.from {
            let rule = self.rule_target(reference, "mayfly.derive.from")?;
            from.push((rule, self.field(field, Target::Rule(rule))));
        }
        Ok(Some(Derive { from, lasts: derive.lasts.unwrap_or(written.span) }))
    }

    fn timelines(&self, extension: &Extension) -> Result<Vec<Timeline>, Fault> {
        let mut timelines = Vec::new();
        for written in &extension.timelines {
            let key = if written.matches { "mayfly.match" } else { "mayfly.near_miss" };
            let mut events = Vec::new();
            for step in &written.events {
                let rule = self.rule_target(&step.rule, key)?;
                events.push(Step { at: step.at, rule, event: step.event.clone() });
            }
            let (name, line, matches) = (written.name.clone(), written.line, written.matches);
            timelines.push(Timeline { name, line, events, matches });
        }
        Ok(timelines)
    }

    /// What stands in a file beside a correlation that rests on it is a part of it, and no finding of its own, unless the
    /// correlation says `generate`. No file silences what stands in another.
    fn silence(&mut self, resolved: &mut [Option<Correlation>], drafts: &[Waiting<Body>]) {
        let mut silent: BTreeMap<Target, bool> = BTreeMap::new();
        for (correlation, draft) in resolved.iter().zip(drafts) {
            for target in correlation.iter().flat_map(|correlation| &correlation.members) {
                let file = match target {
                    Target::Rule(rule) => self.built.rules.get(rule.position()).map(|rule| &rule.file),
                    Target::Correlation(other) => drafts.get(other.position()).map(|draft| &draft.file),
                };
                if file == Some(&draft.file) {
                    *silent.entry(*target).or_insert(true) &= !draft.body.0.generate;
                }
            }
        }
        for target in silent.into_iter().filter_map(|(target, silent)| silent.then_some(target)) {
            let rule = match target {
                Target::Rule(rule) => self.built.rules.get_mut(rule.position()),
                Target::Correlation(other) => {
                    resolved.get_mut(other.position()).and_then(Option::as_mut).map(|correlation| &mut correlation.rule)
                }
            };
            if let Some(rule) = rule {
                rule.generate = false;
            }
        }
    }
}

fn index(position: usize) -> CorrelationIndex {
    CorrelationIndex(u32::try_from(position).unwrap_or(u32::MAX))
}

/// When it is fulfilled: where rules are counted and nothing is said, all of them.
fn condition(written: &correlation::Correlation, rules: usize) -> Result<Condition, Fault> {
    let Some(condition) = &written.condition else {
        return Ok(Condition { bounds: vec![(Bound::GreaterOrEqual, rules as f64)], ..Condition::default() });
    };
    let counts = !written.kind.reads_field() || written.kind == crate::correlate::Kind::ValueCount;
    let most = if written.kind.counts_rules() { rules } else { written.kind.events() } as f64;
    let beyond = |(bound, limit): &(Bound, f64)| match bound {
        Bound::Greater => *limit >= most,
        Bound::GreaterOrEqual | Bound::Equal => *limit > most,
        Bound::Less | Bound::LessOrEqual | Bound::NotEqual => false,
    };
    if counts && condition.bounds.iter().any(beyond) {
        let message = format!("can never be reached: at most {most} are counted");
        return Err(Fault::new(written.line, "correlation.condition", message));
    }
    Ok(condition.clone())
}

/// The correlations that a correlation rests on.
fn below(correlation: &Correlation) -> impl Iterator<Item = usize> + '_ {
    let absent = correlation.absent.iter().flat_map(|absent| &absent.rules);
    correlation.members.iter().chain(absent).filter_map(|target| match target {
        Target::Correlation(other) => Some(other.position()),
        Target::Rule(_) => None,
    })
}

/// Those that rest on themselves, or on too many upon each other.
fn circles(resolved: &[Option<Correlation>]) -> Vec<(usize, String)> {
    // How many lie below each, as far as it is known; those of a circle never are.
    let mut depth: Vec<Option<usize>> = vec![None; resolved.len()];
    loop {
        let mut known = false;
        for (position, correlation) in resolved.iter().enumerate() {
            let Some(correlation) = correlation else { continue };
            let lower = below(correlation).filter(|other| resolved.get(*other).is_some_and(Option::is_some));
            let lower = lower.map(|other| depth.get(other).copied().flatten()).collect::<Option<Vec<_>>>();
            if let (Some(slot @ None), Some(lower)) = (depth.get_mut(position), lower) {
                *slot = Some(lower.into_iter().max().map_or(0, |deepest| deepest + 1));
                known = true;
            }
        }
        if !known {
            break;
        }
    }
    let fault = |(position, depth): (usize, &Option<usize>)| match depth {
        None if resolved.get(position).is_some_and(Option::is_some) => {
            Some((position, "rests on itself, through the correlations that it names".to_owned()))
        }
        Some(depth) if *depth >= limits::CHAIN => {
            Some((position, format!("rests on more than {} correlations upon each other", limits::CHAIN)))
        }
        _ => None,
    };
    depth.iter().enumerate().filter_map(fault).collect()
}

/// One that rests on a correlation which was refused.
fn orphan(resolved: &[Option<Correlation>]) -> Option<(usize, String)> {
    resolved.iter().enumerate().find_map(|(position, correlation)| {
        let refused = |other: &usize| resolved.get(*other).is_some_and(Option::is_none);
        let refused = below(correlation.as_ref()?).any(|other| refused(&other));
        refused.then(|| (position, "names a correlation that was refused".to_owned()))
    })
}

/// Those that are left, with positions without gaps.
fn renumbered(resolved: Vec<Option<Correlation>>) -> Vec<Correlation> {
    let mut positions = Vec::new();
    let mut next = 0;
    for correlation in &resolved {
        positions.push(index(next));
        next += usize::from(correlation.is_some());
    }
    let moved = |target: &mut Target| {
        if let Target::Correlation(other) = target
            && let Some(new) = positions.get(other.position())
        {
            *other = *new;
        }
    };
    let mut left: Vec<_> = resolved.into_iter().flatten().collect();
    for correlation in &mut left {
        correlation.members.iter_mut().for_each(moved);
        correlation.absent.iter_mut().flat_map(|absent| &mut absent.rules).for_each(moved);
        let keys = correlation.keys.iter_mut().chain(&mut correlation.values);
        keys.flat_map(|key| &mut key.aliases).for_each(|(target, _)| moved(target));
    }
    left
}
