//! How far the attacker came, could have come, and where they were cut off. Takes a case, its events, what was done and what could be
//! reached; gives a graph of at most [`MAX_NODES`] nodes with three kinds of edges, and its drawing. The same input gives the same bytes.

mod build;
mod collapse;
mod layout;
mod svg;

use serde::Serialize;

use crate::model::{EvidenceRef, Moment};

pub use build::build;
pub use svg::draw;

/// More than this nobody reads on one page: what is alike is drawn as one.
pub const MAX_NODES: usize = 25;

/// The column of a node: how far along an attack it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the columns' headings are their description")]
pub enum Column {
    Outside,
    Workload,
    Session,
    Key,
    Target,
}

impl Column {
    /// All, from left to right.
    pub const ALL: [Self; 5] = [Self::Outside, Self::Workload, Self::Session, Self::Key, Self::Target];

    /// What stands above it.
    pub const fn heading(self) -> &'static str {
        match self {
            Self::Outside => "Entry",
            Self::Workload => "Execution",
            Self::Session => "Stolen identity",
            Self::Key => "Persistence",
            Self::Target => "Reached",
        }
    }
}

/// What a node of the graph is; each has its own outline, so that colour is never the only sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words are drawn")]
pub enum Kind {
    Address,
    Container,
    Machine,
    Identity,
    Key,
    Resource,
}

impl Kind {
    /// As it is written on the node.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Container => "container",
            Self::Machine => "machine",
            Self::Identity => "identity",
            Self::Key => "access key",
            Self::Resource => "resource",
        }
    }
}

/// One node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Node {
    /// Its column.
    pub column: Column,
    /// What it is.
    pub kind: Kind,
    /// Name for people, short.
    pub label: String,
    /// Its whole name.
    pub full: String,
    /// Numbers of the actions that cut it off.
    pub cut_by: Vec<usize>,
    /// More than one: alike nodes drawn as one.
    pub count: usize,
}

/// What an edge is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EdgeKind {
    /// It happened: solid, numbered by time.
    Observed,
    /// It could have happened: dashed.
    Reachable,
}

/// One edge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Edge {
    /// Index of the node that it leaves.
    pub from: usize,
    /// Index of the node that it enters.
    pub to: usize,
    /// What it is.
    pub kind: EdgeKind,
    /// Its number in the drawing, from 1; 0 for reachable ones.
    pub number: usize,
    /// When it was first seen.
    pub time: Option<Moment>,
    /// Why it is drawn, one sentence.
    pub reason: String,
    /// What shows it.
    pub evidence: Vec<EvidenceRef>,
    /// Numbers of the actions that cut it.
    pub cut_by: Vec<usize>,
}

/// An action that cut something off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cut {
    /// Its number in the drawing, from 1.
    pub number: usize,
    /// What was done.
    pub what: String,
    /// When it was seen to work.
    pub time: Moment,
    /// Where it is recorded.
    pub evidence: EvidenceRef,
}

/// The blast radius.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Graph {
    /// Sorted by column.
    pub nodes: Vec<Node>,
    /// Observed ones first, by number.
    pub edges: Vec<Edge>,
    /// What cut it off.
    pub cuts: Vec<Cut>,
    /// What nobody modelled: an unmodelled plane must not read as a safe one.
    pub not_modelled: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;
    use crate::model::Entity;

    fn example() -> Graph {
        let input = example::input();
        build(&input.case, &input.events, &input.outcomes, &input.reachable)
    }

    #[test]
    fn the_example_is_drawn_like_this() {
        insta::assert_snapshot!(draw(&example()));
    }

    #[test]
    fn the_same_case_draws_the_same_bytes() {
        assert_eq!(draw(&example()), draw(&example()));
    }

    #[test]
    fn many_alike_nodes_are_drawn_as_one() {
        let mut input = example::input();
        for number in 0..60_u8 {
            let mut finding = input.case.findings[0].clone();
            let address = format!("203.0.113.{number}").parse().expect("an address");
            finding.entities.push(Entity::Address { address });
            input.case.findings.push(finding);
        }
        let graph = build(&input.case, &input.events, &input.outcomes, &input.reachable);
        assert!(graph.nodes.len() <= MAX_NODES, "{} nodes", graph.nodes.len());
        assert!(graph.nodes.iter().any(|node| node.count > 30));
    }

    #[test]
    fn a_name_that_is_markup_stays_text() {
        let mut input = example::input();
        let name = "<script>alert(1)</script>\"'&".to_owned();
        input.reachable[0].to = Entity::ClusterObject { name };
        let drawn = draw(&build(&input.case, &input.events, &input.outcomes, &input.reachable));
        assert!(!drawn.contains("<script"));
        assert!(drawn.contains("&lt;script&gt;"));
    }
}
