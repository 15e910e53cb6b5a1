//! Wire → model, one of the two translations there are. Takes a frame of the landing log as the node sent it; gives events. Whatever a
//! newer or broken agent sends becomes a loss event that says so: nothing vanishes, nothing panics.

use collector_core::model::event::{Entry, Raw};
use collector_core::model::{Actor, Body, Moment, NodeEvent, Origin, ProcessKey};
use prost::Message;
use proto::v1;
use proto::v1::actor::Origin as WireOrigin;

use super::translate_body::body;
use super::wire;
use crate::store::events::frame::{Kind, Meta};

/// An event whose bytes are no event.
pub const MALFORMED: &str = "malformed";

/// An event of a kind that this collector does not know: its agent is newer. The bytes are kept.
pub const UNKNOWN_KIND: &str = "unknown_kind";

/// Positions that never arrived.
pub const NOT_RECEIVED: &str = "not_received";

/// Where an event stands.
#[derive(Clone, Debug)]
pub struct Place<'a> {
    /// The node.
    pub node: &'a str,
    /// Its log.
    pub log_id: &'a str,
    /// The boot in which the event was made.
    pub boot_id: &'a str,
    /// The position that the event must have.
    pub position: u64,
    /// A time for events that have none: that of the one before.
    pub time_ns: u64,
}

/// The events of one frame, those before `meta.new_from` left out. A frame without node events gives none.
pub fn frame(meta: &Meta, payload: &[u8]) -> Vec<NodeEvent> {
    let mut events =
        Vec::with_capacity(usize::try_from(meta.count).unwrap_or(0).min(proto::limits::BLOCK_EVENTS as usize));
    each(meta, payload, |event, _| {
        events.push(event);
        Ok::<(), std::convert::Infallible>(())
    })
    .unwrap_or_else(|never| match never {});
    events
}

/// The same one by one, each with its bytes as the node sent them; none where the collector itself tells it. Stops at an error of `take`.
pub fn each<E>(meta: &Meta, payload: &[u8], mut take: impl FnMut(NodeEvent, &[u8]) -> Result<(), E>) -> Result<(), E> {
    match meta.kind() {
        Kind::Block => block(meta, payload, take),
        Kind::Gap => take(whole_range_lost(meta, NOT_RECEIVED), &[]),
        Kind::Audit | Kind::Unspecified => Ok(()),
    }
}

fn block<E>(meta: &Meta, payload: &[u8], mut take: impl FnMut(NodeEvent, &[u8]) -> Result<(), E>) -> Result<(), E> {
    let is_bounded = meta.raw_bytes as usize <= proto::limits::BLOCK_RAW_BYTES;
    let Some(raw) = is_bounded.then(|| wire::unpack(payload, meta.raw_bytes).ok()).flatten() else {
        // Admission unpacked it once: the disk changed it below the checksum.
        return take(whole_range_lost(meta, MALFORMED), &[]);
    };
    let mut boot_id = meta.boot_id.clone();
    let mut time_ns = meta.from_ns;
    for (position, bytes) in (meta.first_position..).zip(wire::events(&raw)) {
        let place = Place { node: &meta.node, log_id: &meta.log_id, boot_id: &boot_id, position, time_ns };
        let (event, bytes) = match bytes {
            Ok(bytes) => (self::event(&place, bytes), bytes),
            Err(_) => (lost(&place, MALFORMED), &[][..]),
        };
        time_ns = event.time.ns;
        if let Body::AgentStarted { boot_id: started, .. } = &event.body {
            boot_id.clone_from(started);
        }
        if position >= meta.new_from {
            take(event, bytes)?;
        }
    }
    Ok(())
}

/// One event of a node's log from its bytes.
pub fn event(place: &Place<'_>, bytes: &[u8]) -> NodeEvent {
    match v1::Event::decode(bytes) {
        Ok(wire) => translate(place, wire),
        Err(_) => lost(place, MALFORMED),
    }
}

/// An event that the collector itself told (a gap), from the body that it wrote.
pub fn told_here(place: &Place<'_>, body: &str) -> NodeEvent {
    match serde_json::from_str(body) {
        Ok(body) => NodeEvent { body, ..lost(place, NOT_RECEIVED) },
        Err(_) => lost(place, MALFORMED),
    }
}

fn translate(place: &Place<'_>, wire: v1::Event) -> NodeEvent {
    let place = &Place { time_ns: wire.time_ns, ..place.clone() };
    let Some(wire_body) = wire.body else {
        return lost(place, UNKNOWN_KIND);
    };
    let key = |wire: v1::ProcessKey| ProcessKey {
        node: place.node.to_owned(),
        boot_id: place.boot_id.to_owned(),
        pid: wire.pid,
        start_ns: wire.start_ns,
    };
    let Some(mut body) = body(wire_body, &key) else {
        return lost(place, MALFORMED);
    };
    if let Body::Coverage(coverage) = &mut body {
        coverage.boot_ns = wire.boot_ns;
    }
    NodeEvent {
        node: place.node.to_owned(),
        log_id: place.log_id.to_owned(),
        position: place.position,
        time: Moment { ns: wire.time_ns, uncertainty_us: wire.uncertainty_us },
        actor: wire.actor.and_then(|wire| actor(wire, &key)),
        attempt: wire.attempt,
        body,
    }
}

fn entry(wire: i32) -> Entry {
    match v1::Entry::try_from(wire) {
        Ok(v1::Entry::Unspecified) => Entry::None,
        Ok(v1::Entry::InitTree) => Entry::InitTree,
        Ok(v1::Entry::RuntimeExec) => Entry::RuntimeExec,
        Ok(v1::Entry::CriExec) => Entry::CriExec,
        Ok(v1::Entry::Namespace) => Entry::Namespace,
        Ok(v1::Entry::Unknown) | Err(_) => Entry::Unknown,
    }
}

/// An actor without a process is none: the wire lets it be absent, an agent never does.
fn actor(wire: v1::Actor, key: &impl Fn(v1::ProcessKey) -> ProcessKey) -> Option<Actor> {
    Some(Actor {
        process: key(wire.process?),
        parent: wire.parent.map(key),
        executable: Raw(wire.executable),
        uid: wire.uid,
        origin: origin(wire.origin),
        entry: entry(wire.entry),
        entered: (!wire.entered_container_id.is_empty()).then_some(wire.entered_container_id),
        in_host_mounts: wire.in_host_mounts,
    })
}

fn origin(wire: Option<WireOrigin>) -> Origin {
    let unknown = |why: &str| Origin::Unknown { why: why.to_owned() };
    match wire {
        Some(WireOrigin::ContainerId(id)) => Origin::Container { id },
        Some(WireOrigin::Host(_)) => Origin::Host,
        Some(WireOrigin::Unknown(why)) => match v1::UnknownOrigin::try_from(why) {
            Ok(v1::UnknownOrigin::StartedBeforeUs) => unknown("it started before the agent and was gone from /proc"),
            Ok(v1::UnknownOrigin::CgroupGone) => unknown("its cgroup was removed before its path was read"),
            Ok(v1::UnknownOrigin::CgroupUnrecognised) => unknown("its cgroup is of no known runtime"),
            Ok(v1::UnknownOrigin::CgroupVersion1) => {
                unknown("only cgroup version 1 is mounted on the node, and it had ended before /proc was read")
            }
            Ok(v1::UnknownOrigin::Unspecified) | Err(_) => unknown("for a reason that this collector does not know"),
        },
        None => unknown("the agent did not say"),
    }
}

/// One event that cannot be told, at its place.
fn lost(place: &Place<'_>, reason: &str) -> NodeEvent {
    loss(place, reason, 1, place.time_ns)
}

/// All positions of a frame, told like any other loss. It stands at the first of them.
fn whole_range_lost(meta: &Meta, reason: &str) -> NodeEvent {
    let place = Place {
        node: &meta.node,
        log_id: &meta.log_id,
        boot_id: &meta.boot_id,
        position: meta.first_position,
        time_ns: meta.to_ns,
    };
    loss(&place, reason, meta.count, meta.from_ns)
}

fn loss(place: &Place<'_>, reason: &str, count: u64, from_ns: u64) -> NodeEvent {
    let body = Body::Loss { class: "all".to_owned(), reason: reason.to_owned(), count, from_ns, to_ns: place.time_ns };
    NodeEvent {
        node: place.node.to_owned(),
        log_id: place.log_id.to_owned(),
        position: place.position,
        time: Moment::exact(place.time_ns),
        actor: None,
        attempt: false,
        body,
    }
}
