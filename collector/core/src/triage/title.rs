//! A case in a few words, as a responder would write them on a board. Takes a group and what it reaches; names what was done, where, and
//! by whom, as far as that is known. Text that an attacker may have chosen is escaped.

use super::{joined, worst};
use crate::correlate::{Group, Related};
use crate::model::event::Raw;
use crate::model::{Bridge, Edge, Entity, Identity, Strength};

/// Letters of a title: it must fit into a line of a list.
const LETTERS: usize = 160;

pub(super) fn of(group: &Group, related: &Related) -> String {
    let strong = |bridge: Bridge| {
        let mut edges: Vec<&Edge> =
            joined(group).filter(|edge| edge.bridge == bridge && edge.strength >= Strength::Strong).collect();
        edges.sort_by_key(|edge| std::cmp::Reverse(edge.strength));
        edges.first().copied()
    };
    let place = place(group);
    let text = if let (Some(left), Some(_)) = (related.left.first(), strong(Bridge::B1).or(strong(Bridge::B6))) {
        format!(
            "Credential theft{}, used from {}",
            place.map_or_else(String::new, |place| format!(" from {place}")),
            left.address
        )
    } else if let Some(edge) = strong(Bridge::B6).or(strong(Bridge::B1)) {
        let from = place.map_or_else(String::new, |place| format!(" of {place}"));
        format!("Cloud credential{from} used: {}", edge.to)
    } else if let Some(edge) = strong(Bridge::B5) {
        let place = pod(group).or(place).unwrap_or_else(|| "a container".to_owned());
        format!("{} entered {place}: {}", edge.to, leading(group))
    } else if let Some(edge) = strong(Bridge::B4) {
        let place = place.unwrap_or_else(|| "a container".to_owned());
        format!("{} taken in {place} and used: {}", capital(&edge.to.to_string()), leading(group))
    } else if let Some(place) = place {
        // The rule already says that it was in some container; here stands which.
        let what = leading(group);
        format!("{} in {place}", what.strip_suffix(" in a container").unwrap_or(&what))
    } else {
        format!("{}{}", leading(group), caller(group).map_or_else(String::new, |caller| format!(" by {caller}")))
    };
    shortened(&Raw(text.into_bytes()).escape())
}

/// The title of the gravest finding, the earliest of them.
fn leading(group: &Group) -> String {
    let worst = worst(group);
    let leading = group.findings.iter().find(|finding| finding.level == worst);
    leading.map_or_else(|| "Findings".to_owned(), |finding| finding.title.trim_end_matches('.').to_owned())
}

/// Where it happened on a node: the container, else the node itself.
fn place(group: &Group) -> Option<String> {
    let all =
        || group.findings.iter().flat_map(|finding| &finding.entities).chain(group.edges.iter().map(|edge| &edge.from));
    let container = all().find_map(|entity| match entity {
        Entity::Container { id, node } => Some(format!("container {} on {node}", id.get(..12).unwrap_or(id))),
        _ => None,
    });
    container.or_else(|| {
        all().find_map(|entity| match entity {
            Entity::Process { key, .. } => Some(format!("node {}", key.node)),
            _ => None,
        })
    })
}

fn pod(group: &Group) -> Option<String> {
    group.findings.iter().flat_map(|finding| &finding.entities).find_map(|entity| match entity {
        Entity::Pod { name, .. } => Some(format!("pod {name}")),
        _ => None,
    })
}

/// Who did it in a log, and from where.
fn caller(group: &Group) -> Option<String> {
    let worst = worst(group);
    let finding = group.findings.iter().find(|finding| finding.level == worst)?;
    let who = match finding.entities.first()? {
        // The last part of an ARN is what people call it.
        Entity::Identity {
            identity: Identity::RoleSession { arn } | Identity::CloudUser { arn } | Identity::Role { arn },
        } => arn.split_once('/').map_or(arn.as_str(), |(_, name)| name).to_owned(),
        entity => entity.to_string(),
    };
    let address = finding.entities.iter().find_map(|entity| match entity {
        Entity::Address { address } => Some(format!(" from {address}")),
        _ => None,
    });
    Some(who + &address.unwrap_or_default())
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= LETTERS {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(LETTERS - 1).collect();
    short.push('…');
    short
}
