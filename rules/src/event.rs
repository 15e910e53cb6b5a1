//! What a rule may ask of an event: its log source, the value of a field, and all its text.
//!
//! Takes nothing; gives the trait [`Event`] with the types in its signatures. Values borrow from the event: asking
//! costs no allocation. They are never assumed to be UTF-8, since an attacker chose them.

use std::net::IpAddr;

use crate::fields::Field;
use crate::json::Spread;

/// Where an event comes from, in Sigma's three words. A rule applies to an event when each word that the rule gives
/// is the event's, so an event gives every word that it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogSource<'a> {
    /// The kind of event, as `process_creation`.
    pub category: Option<&'a str>,
    /// What wrote it, as `linux` or `aws`.
    pub product: Option<&'a str>,
    /// The log of that product, as `cloudtrail`.
    pub service: Option<&'a str>,
}

/// The value of one field of one event.
#[derive(Debug, Clone, Copy)]
pub enum Value<'a> {
    /// The event has no such field, or it is not known.
    Missing,
    /// The field is there and holds nothing.
    Null,
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// Bytes, as the kernel or the log gave them.
    Text(&'a [u8]),
    /// An address: `cidr` compares it as it is, text comparisons see it written out.
    Address(IpAddr),
    /// An object: it is there, and no text compares with it.
    Object,
    /// Several values (an array, or a path through one): a rule matches when one of them does.
    Many(Spread<'a>),
}

impl<'a> Value<'a> {
    /// Text, or `Missing` when there is none.
    pub fn text(text: Option<&'a [u8]>) -> Self {
        text.map_or(Value::Missing, Value::Text)
    }
}

/// One event, as a rule sees it.
pub trait Event {
    /// The log source with every word the event has.
    fn log_source(&self) -> LogSource<'_>;

    /// The value of a field. Typed events answer by a `match` on [`Field::known`].
    fn field<'a>(&'a self, field: &'a Field) -> Value<'a>;

    /// Shows every text of the event to `visit` until it answers true; gives whether it did. Serves keyword rules.
    fn each_text(&self, visit: &mut dyn FnMut(&[u8]) -> bool) -> bool;
}
