//! Documents to rules: what must be there, what must agree, what filters take away, what correlations rest on.
//!
//! Takes files one after another and then the word that all are there; gives rules, programs and errors. One broken
//! document never stops another. All files are read before a rule is built, since lists of values, filters and correlations
//! may stand in any of them.

mod attack;
mod correlation;
mod filter;
mod names;
mod response;

use crate::compile::{self, Program, Spent, Surroundings};
use crate::correlate::{Correlation, Target};
use crate::error::{Fault, LoadError};
use crate::limits;
use crate::placeholders::Placeholders;
use crate::rule::{Level, Rule, RuleIndex, RuleSource};
use crate::syntax::detection::Detection;
use crate::syntax::filter::Filter;
use crate::syntax::mayfly::Mayfly;
use crate::syntax::{self, Body, Document, Header};
use names::Names;

/// Reads files, then builds.
#[derive(Debug, Default)]
pub(crate) struct Loader {
    surroundings: Surroundings,
    rules: Vec<Waiting<(Option<Detection>, Option<Mayfly>)>>,
    filters: Vec<Waiting<Filter>>,
    correlations: Vec<Waiting<correlation::Body>>,
    built: Built,
    /// As long as the rules that are built: what each detects, to know a copy by.
    detections: Vec<Detection>,
    names: Names,
    spent: Spent,
}

/// What loading gives.
#[derive(Debug, Default)]
pub(crate) struct Built {
    pub(crate) rules: Vec<Rule>,
    pub(crate) programs: Vec<(RuleSource, Program)>,
    pub(crate) correlations: Vec<Correlation>,
    pub(crate) errors: Vec<LoadError>,
}

/// A document that was read and is not built yet.
#[derive(Debug)]
struct Waiting<T> {
    file: String,
    header: Header,
    body: T,
}

impl Loader {
    pub(crate) fn new(placeholders: Placeholders) -> Self {
        Self { surroundings: Surroundings { placeholders, ..Surroundings::default() }, ..Self::default() }
    }

    pub(crate) fn file(&mut self, file: &str, text: &str) {
        let documents = match syntax::parse(text) {
            Ok(documents) => documents,
            Err(fault) => return self.built.errors.push(fault.in_file(file)),
        };
        for document in documents {
            match document {
                Ok(Document { header, body }) => self.document(file.to_owned(), header, body),
                Err(fault) => self.built.errors.push(fault.in_file(file)),
            }
        }
    }

    fn document(&mut self, file: String, header: Header, body: Body) {
        match body {
            Body::Rule { detection, mayfly } => {
                self.rules.push(Waiting { file, header, body: (detection, mayfly) });
            }
            Body::Correlation(body) => self.correlations.push(Waiting { file, header, body: *body }),
            Body::Filter(filter) => self.filters.push(Waiting { file, header, body: filter }),
            Body::Mapping(source, mapping) => self.surroundings.mappings.add(source, mapping),
            Body::Placeholders(lists) => {
                for (name, values) in lists {
                    self.surroundings.placeholders.add(name, values);
                }
            }
        }
    }

    /// Builds what was read.
    pub(crate) fn finish(mut self) -> Built {
        for waiting in std::mem::take(&mut self.rules) {
            let file = waiting.file.clone();
            if let Err(fault) = self.rule(waiting) {
                self.built.errors.push(fault.in_file(&file));
            }
        }
        for waiting in std::mem::take(&mut self.filters) {
            if let Err(fault) = self.filter(&waiting) {
                self.built.errors.push(fault.in_file(&waiting.file));
            }
        }
        let correlations = std::mem::take(&mut self.correlations);
        self.correlations(correlations);
        self.built
    }

    fn rule(&mut self, waiting: Waiting<(Option<Detection>, Option<Mayfly>)>) -> Result<(), Fault> {
        let Waiting { file, header, body: (detection, mayfly) } = waiting;
        if self.built.rules.len() >= limits::RULES {
            return Err(Fault::new(header.line, "file", format!("more than {} rules", limits::RULES)));
        }
        let missing = |key: &str| Fault::new(header.line, key, "is missing");
        let title = header.title.clone().ok_or_else(|| missing("title"))?;
        let source = header.source.clone().ok_or_else(|| missing("logsource"))?;
        let detection = detection.ok_or_else(|| missing("detection"))?;
        let program = compile::compile(&detection, &source, &self.surroundings, &mut self.spent)?;
        let (line, id) = id(header.id.as_ref(), &title, header.line)?;
        if let Some(Target::Rule(taken)) = self.names.by_id(&id) {
            return self.copy(taken, (line, &id), &header, &source, &detection);
        }
        let mayfly = mayfly.unwrap_or_default();
        let response = response::response(&mayfly, &source, &program)?;
        if mayfly.line > 0 {
            response::known_source(&source, header.line)?;
            response::known_fields(&source, &program, header.line)?;
        }
        let index = RuleIndex(u32::try_from(self.built.rules.len()).unwrap_or(u32::MAX));
        self.names.add(Target::Rule(index), &id, &header);
        let mut rule = described(file, id, title, header);
        (rule.response, rule.why, rule.examples) = (response, mayfly.why, mayfly.examples);
        self.built.rules.push(rule);
        self.built.programs.push((source, program));
        self.detections.push(detection);
        Ok(())
    }

    /// A rule that stands twice, word for word where it detects, is one rule with two names; anything else that takes an
    /// id which is taken is an error.
    fn copy(
        &mut self,
        taken: RuleIndex,
        (line, id): (u32, &str),
        header: &Header,
        source: &RuleSource,
        detection: &Detection,
    ) -> Result<(), Fault> {
        let rule = &self.built.rules[taken.position()];
        if rule.source == *source && self.detections[taken.position()] == *detection {
            self.names.add(Target::Rule(taken), id, header);
            return Ok(());
        }
        Err(Fault::new(line, "id", format!("is already that of `{}` in {}", rule.title, rule.file)))
    }
}

/// A rule as its header describes it; what it answers with and how it proves itself is set by who asks.
fn described(file: String, id: String, title: String, header: Header) -> Rule {
    let (techniques, tactics) = attack::named(&header.tags);
    Rule {
        file,
        line: header.line,
        id,
        name: header.name.map(|(_, name)| name).unwrap_or_default(),
        title,
        description: header.description.trim().to_owned(),
        level: header.level.unwrap_or(Level::Medium),
        techniques,
        tactics,
        tags: header.tags,
        source: header.source.unwrap_or_default(),
        generate: true,
        response: crate::Response::Observe,
        why: String::new(),
        false_positives: header.false_positives,
        references: header.references,
        examples: Vec::new(),
    }
}

/// The id that a document is known by: its UUID, or its title where it has none.
fn id(given: Option<&(u32, String)>, title: &str, line: u32) -> Result<(u32, String), Fault> {
    match given {
        Some((line, id)) if uuid(id) => Ok((*line, id.to_ascii_lowercase())),
        Some((line, _)) => Err(Fault::new(*line, "id", "must be a UUID, as `uuidgen` makes one")),
        None => Ok((line, title.to_owned())),
    }
}

fn uuid(id: &str) -> bool {
    let groups: Vec<_> = id.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
}
