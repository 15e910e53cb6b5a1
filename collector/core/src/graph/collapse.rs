//! Too many nodes on one page: what is alike becomes one. Takes a graph; gives one with at most [`MAX_NODES`] nodes, and says what it left out.

use std::collections::BTreeMap;

use super::{Edge, EdgeKind, Graph, MAX_NODES, Node};

/// Numbers the observed edges in their order.
pub(super) fn number(edges: &mut [Edge]) {
    for (index, edge) in edges.iter_mut().filter(|edge| edge.kind == EdgeKind::Observed).enumerate() {
        edge.number = index + 1;
    }
}

/// Draws nodes of the same column, kind and neighbours as one until there are few enough.
pub(super) fn collapse(mut graph: Graph) -> Graph {
    while graph.nodes.len() > MAX_NODES {
        let key = |index: usize, node: &Node| {
            let mut ends: Vec<(bool, usize)> = Vec::new();
            for edge in &graph.edges {
                ends.extend((edge.from == index).then_some((true, edge.to)));
                ends.extend((edge.to == index).then_some((false, edge.from)));
            }
            ends.sort_unstable();
            ends.dedup();
            (node.column, node.kind.word(), ends)
        };
        let mut groups: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for (index, node) in graph.nodes.iter().enumerate() {
            groups.entry(key(index, node)).or_default().push(index);
        }
        let alike = groups.into_values().max_by_key(|group| (group.len(), std::cmp::Reverse(group.first().copied())));
        match alike.filter(|group| group.len() > 1) {
            Some(group) => merge(&mut graph, &group),
            None => drop_last(&mut graph),
        }
    }
    graph
}

fn merge(graph: &mut Graph, group: &[usize]) {
    let Some((&first, rest)) = group.split_first() else { return };
    let count: usize = group.iter().filter_map(|index| graph.nodes.get(*index)).map(|node| node.count).sum();
    if let Some(node) = graph.nodes.get_mut(first) {
        node.count = count;
        node.label = format!("{count} × {}", node.kind.word());
        node.full = node.label.clone();
    }
    for edge in &mut graph.edges {
        edge.from = if rest.contains(&edge.from) { first } else { edge.from };
        edge.to = if rest.contains(&edge.to) { first } else { edge.to };
    }
    let mut kept: Vec<Edge> = Vec::new();
    for edge in std::mem::take(&mut graph.edges) {
        let same = |other: &&mut Edge| other.from == edge.from && other.to == edge.to && other.kind == edge.kind;
        match kept.iter_mut().find(same) {
            Some(other) => other.evidence.extend(edge.evidence),
            None => kept.push(edge),
        }
    }
    number(&mut kept);
    graph.edges = kept;
    remove(graph, rest);
}

/// Nothing is alike: the last node of the last column goes, and the list of what is not drawn says so.
fn drop_last(graph: &mut Graph) {
    let last = graph.nodes.len() - 1;
    if let Some(node) = graph.nodes.get(last) {
        graph.not_modelled.push(format!("{} {} (left out of the drawing for space)", node.kind.word(), node.full));
    }
    graph.edges.retain(|edge| edge.from != last && edge.to != last);
    number(&mut graph.edges);
    remove(graph, &[last]);
}

fn remove(graph: &mut Graph, indexes: &[usize]) {
    let shift = |index: usize| index - indexes.iter().filter(|removed| **removed < index).count();
    for edge in &mut graph.edges {
        (edge.from, edge.to) = (shift(edge.from), shift(edge.to));
    }
    let mut index = 0;
    graph.nodes.retain(|_| {
        index += 1;
        !indexes.contains(&(index - 1))
    });
}
