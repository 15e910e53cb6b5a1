//! Where each node stands and which way each edge goes. Takes the graph; gives places: the column from the node's kind, the row from its
//! neighbours; an edge over more than one column gets a row of its own in those between, so that it never runs behind a node. Whole numbers
//! only, so that every machine draws the same.

use super::{Column, Graph};

/// Width of a node.
pub(super) const WIDTH: i64 = 172;
/// Height of a node.
pub(super) const HEIGHT: i64 = 54;
/// Height of the row of an edge that passes by.
const LANE: i64 = 20;
const GAP_X: i64 = 78;
const GAP_Y: i64 = 34;
const MARGIN: i64 = 16;
const HEADING: i64 = 44;

/// Where everything stands.
pub(super) struct Layout {
    /// Left upper corner of each node.
    pub(super) places: Vec<(i64, i64)>,
    /// For each edge the heights at which it passes the columns between its ends: left of the column and height, from left to right.
    pub(super) lanes: Vec<Vec<(i64, i64)>>,
    /// The columns in use, each with the left of its nodes.
    pub(super) columns: Vec<(Column, i64)>,
    pub(super) width: i64,
    pub(super) height: i64,
}

/// What has a row in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Item {
    Node(usize),
    Lane(usize),
}

impl Item {
    const fn height(self) -> i64 {
        match self {
            Self::Node(_) => HEIGHT,
            Self::Lane(_) => LANE,
        }
    }
}

pub(super) fn place(graph: &Graph) -> Layout {
    let column_of = |index: usize| graph.nodes.get(index).map_or(Column::Outside, |node| node.column);
    let used: Vec<Column> =
        Column::ALL.into_iter().filter(|column| graph.nodes.iter().any(|node| node.column == *column)).collect();
    let columns: Vec<(Column, i64)> =
        used.iter().copied().zip((0..).map(|index| MARGIN + index * (WIDTH + GAP_X))).collect();
    let mut middles: Vec<i64> = vec![0; graph.nodes.len()];
    let mut layout = Layout {
        places: vec![(MARGIN, HEADING); graph.nodes.len()],
        lanes: vec![Vec::new(); graph.edges.len()],
        columns,
        width: 0,
        height: 0,
    };
    let items: Vec<Vec<Item>> = used.iter().map(|column| items(graph, *column, &column_of)).collect();
    let tall = |items: &[Item]| items.iter().map(|item| item.height() + GAP_Y).sum::<i64>();
    let tallest = items.iter().map(|items| tall(items)).max().unwrap_or(0);
    for (mut items, (_, left)) in items.into_iter().zip(layout.columns.clone()) {
        items.sort_by_key(|item| (wanted(graph, &layout, &middles, *item, &column_of), *item));
        let mut top = HEADING + GAP_Y / 2 + (tallest - tall(&items)) / 2;
        for item in items {
            let middle = top + item.height() / 2;
            match item {
                Item::Node(index) => {
                    *layout.places.get_mut(index).expect("an item is an index of a node") = (left, top);
                    *middles.get_mut(index).expect("an item is an index of a node") = middle;
                }
                Item::Lane(edge) => {
                    layout.lanes.get_mut(edge).expect("an item is an index of an edge").push((left, middle));
                }
            }
            top += item.height() + GAP_Y;
        }
    }
    let count = i64::try_from(used.len()).unwrap_or(1);
    layout.width = (2 * MARGIN + count * WIDTH + (count - 1).max(0) * GAP_X).max(320);
    layout.height = HEADING + tallest + MARGIN;
    layout
}

fn items(graph: &Graph, column: Column, column_of: &impl Fn(usize) -> Column) -> Vec<Item> {
    let nodes = (0..graph.nodes.len()).filter(|index| column_of(*index) == column).map(Item::Node);
    let passes = |edge: &super::Edge| column_of(edge.from) < column && column < column_of(edge.to);
    let lanes = graph.edges.iter().enumerate().filter(|(_, edge)| passes(edge)).map(|(index, _)| Item::Lane(index));
    nodes.chain(lanes).collect()
}

/// The height at which an item would best stand: the mean of where its edges come from.
fn wanted(graph: &Graph, layout: &Layout, middles: &[i64], item: Item, column_of: &impl Fn(usize) -> Column) -> i64 {
    let comes_from = |index: usize| {
        let edge = graph.edges.get(index)?;
        let lane = layout.lanes.get(index)?.last().map(|(_, middle)| *middle);
        lane.or_else(|| middles.get(edge.from).copied())
    };
    match item {
        Item::Lane(edge) => comes_from(edge).unwrap_or(0),
        Item::Node(node) => {
            let enters = |edge: &super::Edge| edge.to == node && column_of(edge.from) < column_of(node);
            let all: Vec<i64> = graph
                .edges
                .iter()
                .enumerate()
                .filter(|(_, edge)| enters(edge))
                .filter_map(|(index, _)| comes_from(index))
                .collect();
            let count = i64::try_from(all.len()).unwrap_or(1);
            if count == 0 { i64::MAX / 2 } else { all.iter().sum::<i64>() / count }
        }
    }
}
