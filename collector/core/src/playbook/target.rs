//! What a step acts on. Takes the case's entities, findings and edges; gives concrete targets, each with the claims that name it. A target that
//! no finding and no edge speaks of is none: nobody could say why it was touched.

use std::collections::BTreeMap;

use super::situation::{Container, Situation};
use crate::model::{Case, Claim, Edge, EdgeState, Entity, Finding, Identity, NonEmpty};

/// A thing to act on, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target<T> {
    pub(super) what: T,
    pub(super) entity: Entity,
    pub(super) reasons: NonEmpty<Claim>,
}

/// A container of the case: `known` is absent where no node told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ContainerTarget {
    pub(super) id: String,
    pub(super) node: String,
    pub(super) known: Option<Container>,
}

/// An `AKIA…` key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyTarget {
    pub(super) id: String,
    pub(super) user: Option<String>,
}

/// A role with at least one session in the case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RoleTarget {
    pub(super) account: String,
    pub(super) name: String,
}

pub(super) fn containers(case: &Case, situation: &Situation) -> Vec<Target<ContainerTarget>> {
    collect(case, |entity| match entity {
        Entity::Container { id, node } => {
            let known = situation.containers.iter().find(|known| known.id == *id && known.node == *node).cloned();
            Some((entity.clone(), ContainerTarget { id: id.clone(), node: node.clone(), known }))
        }
        _ => None,
    })
}

/// Keys that do not expire by themselves. Temporary ones (`ASIA…`) cannot be deactivated: their role's sessions are revoked.
pub(super) fn long_term_keys(case: &Case, situation: &Situation) -> Vec<Target<KeyTarget>> {
    collect(case, |entity| match entity {
        Entity::Identity { identity: Identity::AccessKey { id } } if id.starts_with("AKIA") => {
            let known = situation.keys.iter().find(|key| key.id == *id).map(|key| key.user.clone());
            let user = known.or_else(|| owner(case, entity));
            Some((entity.clone(), KeyTarget { id: id.clone(), user }))
        }
        _ => None,
    })
}

pub(super) fn session_roles(case: &Case) -> Vec<Target<RoleTarget>> {
    collect(case, |entity| match entity {
        Entity::Identity { identity: Identity::RoleSession { arn } } => {
            let (partition, account, name) = role_of(arn)?;
            let arn = format!("arn:{partition}:iam::{account}:role/{name}");
            let role = Entity::Identity { identity: Identity::Role { arn } };
            Some((role, RoleTarget { account, name }))
        }
        _ => None,
    })
}

/// `arn:PARTITION:sts::ACCOUNT:assumed-role/ROLE/SESSION`.
fn role_of(arn: &str) -> Option<(String, String, String)> {
    let mut parts = arn.splitn(6, ':');
    let (_, partition, service) = (parts.next()?, parts.next()?, parts.next()?);
    let (_, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
    let role = resource.strip_prefix("assumed-role/")?.split('/').next()?;
    (service == "sts" && !role.is_empty()).then(|| (partition.to_owned(), account.to_owned(), role.to_owned()))
}

/// The one user that stands beside the key in a finding; two would be a guess.
fn owner(case: &Case, key: &Entity) -> Option<String> {
    let beside = case.findings.iter().filter(|finding| finding.entities.contains(key));
    let mut users: Vec<&str> = beside
        .flat_map(|finding| &finding.entities)
        .filter_map(|entity| match entity {
            Entity::Identity { identity: Identity::CloudUser { arn } } => arn.rsplit('/').next(),
            _ => None,
        })
        .collect();
    users.sort_unstable();
    users.dedup();
    match users.as_slice() {
        [user] => Some((*user).to_owned()),
        _ => None,
    }
}

/// Every entity of the case that `pick` takes, each target once, in order, with what findings and edges say of it.
fn collect<T>(case: &Case, pick: impl Fn(&Entity) -> Option<(Entity, T)>) -> Vec<Target<T>> {
    let named = case.findings.iter().flat_map(|finding| &finding.entities);
    let joined = case.edges.iter().flat_map(|edge| [&edge.from, &edge.to]);
    let mut targets: BTreeMap<Entity, (T, Vec<Claim>)> = BTreeMap::new();
    for entity in case.entities.iter().chain(named).chain(joined) {
        let Some((target, what)) = pick(entity) else { continue };
        let claims = claims_about(case, entity);
        let (_, known) = targets.entry(target).or_insert_with(|| (what, Vec::new()));
        for claim in claims {
            if !known.contains(&claim) {
                known.push(claim);
            }
        }
    }
    let targets = targets.into_iter();
    targets
        .filter_map(|(entity, (what, claims))| Some(Target { what, entity, reasons: NonEmpty::from_vec(claims)? }))
        .collect()
}

fn claims_about(case: &Case, entity: &Entity) -> Vec<Claim> {
    let joins = |edge: &&Edge| edge.state == EdgeState::Joined && (edge.from == *entity || edge.to == *entity);
    let speaks = |finding: &&Finding| finding.entities.contains(entity);
    let edges = case.edges.iter().filter(joins).map(|edge| Claim::new(edge.reason.clone(), edge.evidence.clone()));
    let findings = case.findings.iter().filter(speaks);
    let findings = findings.map(|finding| Claim::new(format!("{}.", finding.title), finding.evidence.clone()));
    edges.chain(findings).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_names_its_role() {
        let role = role_of("arn:aws:sts::123456789012:assumed-role/shop-backend/i-0abc");
        assert_eq!(role, Some(("aws".to_owned(), "123456789012".to_owned(), "shop-backend".to_owned())));
        assert_eq!(role_of("arn:aws:iam::123456789012:user/alice"), None);
        assert_eq!(role_of("arn:aws:sts"), None);
    }
}
