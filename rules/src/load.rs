//! Documents to rules: what must be there, what must agree, and whether the kernel can do what is asked.
//!
//! Takes files one after another; collects rules, programs and errors. One broken document never stops another.

use crate::compile::{self, Expression, Program, Test, value::Pattern};
use crate::error::{Fault, LoadError, allowed};
use crate::evaluate;
use crate::event::{Event, LogSource, Value};
use crate::fields::{Field, Known, PROCESS_CREATION};
use crate::limits;
use crate::rule::{ExecFlags, Level, Response, Rule, RuleSource};
use crate::syntax::mayfly::{Asked, Mayfly};
use crate::syntax::{self, Document};

#[derive(Debug, Default)]
pub(crate) struct Loader {
    pub(crate) rules: Vec<Rule>,
    pub(crate) programs: Vec<(RuleSource, Program)>,
    pub(crate) errors: Vec<LoadError>,
}

impl Loader {
    pub(crate) fn file(&mut self, file: &str, text: &str) {
        let documents = match syntax::parse(text) {
            Ok(documents) => documents,
            Err(fault) => return self.errors.push(fault.in_file(file)),
        };
        for document in documents {
            if let Err(fault) = document.and_then(|document| self.document(file, document)) {
                self.errors.push(fault.in_file(file));
            }
        }
    }

    fn document(&mut self, file: &str, document: Document) -> Result<(), Fault> {
        if self.rules.len() >= limits::RULES {
            return Err(Fault::new(document.line, "file", format!("more than {} rules", limits::RULES)));
        }
        let missing = |key: &str| Fault::new(document.line, key, "is missing");
        let title = document.title.ok_or_else(|| missing("title"))?;
        let source = document.source.ok_or_else(|| missing("logsource"))?;
        let program = compile::compile(document.detection.ok_or_else(|| missing("detection"))?)?;
        let id = self.id(document.id, &title, document.line)?;
        let mayfly = document.mayfly.unwrap_or_default();
        let response = response(&mayfly, &source, &program)?;
        let (techniques, tactics) = attack(&document.tags);
        if mayfly.line > 0 {
            known_fields(&source, &program, document.line)?;
        }
        self.rules.push(Rule {
            file: file.to_owned(),
            line: document.line,
            id,
            title,
            description: document.description.trim().to_owned(),
            level: document.level.unwrap_or(Level::Medium),
            techniques,
            tactics,
            tags: document.tags,
            source: source.clone(),
            response,
            why: mayfly.why,
            false_positives: document.false_positives,
            references: document.references,
            examples: mayfly.examples,
        });
        self.programs.push((source, program));
        Ok(())
    }

    fn id(&self, id: Option<(u32, String)>, title: &str, line: u32) -> Result<String, Fault> {
        let (line, id) = match id {
            Some((line, id)) if uuid(&id) => (line, id.to_ascii_lowercase()),
            Some((line, _)) => return Err(Fault::new(line, "id", "must be a UUID, as `uuidgen` makes one")),
            None => (line, title.to_owned()),
        };
        match self.rules.iter().find(|rule| rule.id == id) {
            Some(rule) => Err(Fault::new(line, "id", format!("is already that of `{}` in {}", rule.title, rule.file))),
            None => Ok(id),
        }
    }
}

fn uuid(id: &str) -> bool {
    let groups: Vec<_> = id.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Techniques and tactics of `attack.` tags; software and group ids are neither.
fn attack(tags: &[String]) -> (Vec<String>, Vec<String>) {
    let mut techniques = Vec::new();
    let mut tactics = Vec::new();
    for tag in tags.iter().filter_map(|tag| tag.strip_prefix("attack.")) {
        let numbered = |prefix| {
            let rest = tag.strip_prefix(prefix)?;
            rest.starts_with(|first: char| first.is_ascii_digit()).then_some(rest)
        };
        if let Some(number) = numbered("t").or_else(|| numbered("T")) {
            techniques.push(format!("T{number}"));
        } else if ["s", "g", "c", "ta"].iter().all(|prefix| numbered(prefix).is_none()) {
            tactics.push(tag.replace('_', "-"));
        }
    }
    (techniques, tactics)
}

fn response(mayfly: &Mayfly, source: &RuleSource, program: &Program) -> Result<Response, Fault> {
    match (mayfly.response, mayfly.in_kernel) {
        (Asked::Observe, None) => Ok(Response::Observe),
        (Asked::Capture, None) => Ok(Response::Capture),
        (Asked::Stop, None) => Ok(Response::Stop { kernel: None }),
        (Asked::Stop, Some(line)) => match exec_flags(source, program) {
            Some(flags) => Ok(Response::Stop { kernel: Some(flags) }),
            None => Err(Fault::new(
                line,
                "mayfly.stop_in_kernel",
                "allowed for process_creation on linux only, where the detection is `InContainer: true` and any of \
                 `Exe.Memfd: true`, `Exe.UpperLayer: true`, `Exe.Deleted: true`, and nothing else",
            )),
        },
        (_, Some(line)) => Err(Fault::new(line, "mayfly.stop_in_kernel", "needs `response: stop`")),
    }
}

/// An exec of which nothing is known but its flags.
struct Flags {
    in_container: bool,
    exec: ExecFlags,
}

impl Event for Flags {
    fn log_source(&self) -> LogSource<'_> {
        PROCESS_CREATION
    }

    fn field<'a>(&'a self, field: &'a Field) -> Value<'a> {
        match field.known() {
            Some(Known::InContainer) => Value::Bool(self.in_container),
            Some(Known::ExeMemfd) => Value::Bool(self.exec.memfd),
            Some(Known::ExeUpperLayer) => Value::Bool(self.exec.upper_layer),
            Some(Known::ExeDeleted) => Value::Bool(self.exec.deleted),
            _ => Value::Missing,
        }
    }

    fn each_text(&self, _: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        false
    }
}

/// The flags on which the rule matches, when it asks for nothing else: decided by its whole truth table.
fn exec_flags(source: &RuleSource, program: &Program) -> Option<ExecFlags> {
    let process = source.category.as_deref() == PROCESS_CREATION.category && source.applies_to(&PROCESS_CREATION);
    if !process || !program.parts.iter().all(asks_flags_only) {
        return None;
    }
    let matches = |in_container, bits: u8| {
        let exec = ExecFlags { memfd: bits & 1 != 0, upper_layer: bits & 2 != 0, deleted: bits & 4 != 0 };
        evaluate::matches(program, &Flags { in_container, exec })
    };
    let alone = [1_u8, 2, 4].into_iter().filter(|bit| matches(true, *bit)).fold(0, |all, bit| all | bit);
    let agrees = (0..8).all(|bits| !matches(false, bits) && matches(true, bits) == (bits & alone != 0));
    (agrees && alone != 0).then_some(ExecFlags {
        memfd: alone & 1 != 0,
        upper_layer: alone & 2 != 0,
        deleted: alone & 4 != 0,
    })
}

/// Whether all that is asked is that flags be true or false.
fn asks_flags_only(expression: &Expression) -> bool {
    const FLAGS: [Known; 4] = [Known::InContainer, Known::ExeMemfd, Known::ExeUpperLayer, Known::ExeDeleted];
    let bools = |patterns: &[Pattern]| patterns.iter().all(|pattern| matches!(pattern, Pattern::Bool(_)));
    match expression {
        Expression::All(all) | Expression::Any(all) => all.iter().all(asks_flags_only),
        Expression::Item(item) => {
            let flag = item.field.as_ref().and_then(Field::known).is_some_and(|field| FLAGS.contains(&field));
            flag && match &item.test {
                Test::Exists(_) => false,
                Test::Any(patterns) => bools(patterns),
                Test::All(groups) => groups.iter().all(|group| bools(group)),
            }
        }
    }
}

/// A rule written for the node names only fields that the node has: a misspelt one would silently never match.
fn known_fields(source: &RuleSource, program: &Program, line: u32) -> Result<(), Fault> {
    if source.product.as_deref() != PROCESS_CREATION.product || source.service.is_some() {
        return Ok(());
    }
    match program.parts.iter().find_map(unknown_field) {
        Some(field) => {
            let known = allowed(Known::ALL.iter().map(|field| field.name()));
            Err(Fault::new(line, "detection", format!("node events have no field `{field}`; allowed are {known}")))
        }
        None => Ok(()),
    }
}

fn unknown_field(expression: &Expression) -> Option<&str> {
    match expression {
        Expression::All(all) | Expression::Any(all) => all.iter().find_map(unknown_field),
        Expression::Item(item) => {
            let field = item.field.as_ref()?;
            field.known().is_none().then(|| field.name())
        }
    }
}
