//! What a rule asks the node to do, and whether the kernel can do it; whether the node has the fields that it names.
//!
//! Takes a compiled rule; gives its response, or what is wrong with it.

use crate::compile::{Expression, Program, Test, value::Pattern};
use crate::error::{Fault, allowed};
use crate::evaluate;
use crate::event::{Event, LogSource, Value};
use crate::fields::{Field, Known, PROCESS_CREATION, WELL_KNOWN};
use crate::rule::{ExecFlags, Response, RuleSource};
use crate::syntax::mayfly::{Asked, Mayfly};

pub(super) fn response(mayfly: &Mayfly, source: &RuleSource, program: &Program) -> Result<Response, Fault> {
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

/// A rule written for the node asks for events that the node has: a misspelt source would silently never match.
pub(super) fn known_source(source: &RuleSource, line: u32) -> Result<(), Fault> {
    if source.product.as_deref() != PROCESS_CREATION.product || source.service.is_some() {
        return Ok(());
    }
    let node = || WELL_KNOWN.iter().filter(|known| known.product == PROCESS_CREATION.product);
    if node().any(|known| source.applies_to(known)) {
        return Ok(());
    }
    let known = allowed(node().filter_map(|known| known.category));
    Err(Fault::new(line, "logsource.category", format!("is none of the node's; allowed are {known}")))
}

/// A rule written for the node names only fields that the node has: a misspelt one would silently never match.
pub(super) fn known_fields(source: &RuleSource, program: &Program, line: u32) -> Result<(), Fault> {
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
