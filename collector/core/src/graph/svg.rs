//! The drawing. Takes a graph; gives SVG that stands alone: no script, no font, no request. Sign and outline say what colour says, and every
//! name is escaped.

use std::fmt::Write as _;

use super::layout::{self, HEIGHT, Layout, WIDTH};
use super::{Edge, EdgeKind, Graph, Kind, Node};

/// A name longer than this is cut on the node; the whole one stands in its title and in the table.
const MAX_LABEL: usize = 21;

/// Why a write cannot fail.
const WRITES: &str = "a string takes every write";

/// The graph as SVG.
pub fn draw(graph: &Graph) -> String {
    let layout = layout::place(graph);
    let mut drawn = String::new();
    let (width, height) = (layout.width, layout.height);
    write!(
        drawn,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\" \
         aria-label=\"Blast radius: {} things, {} connections; the table below says the same in words\" class=\"graph\" \
         font-family=\"system-ui, sans-serif\" font-size=\"12\">",
        graph.nodes.len(),
        graph.edges.len()
    ).expect(WRITES);
    drawn.push_str(MARKERS);
    for (column, left) in &layout.columns {
        write!(
            drawn,
            "<text x=\"{}\" y=\"22\" text-anchor=\"middle\" fill=\"var(--muted,#5b6472)\" font-size=\"11\" letter-spacing=\"1\">{}</text>",
            left + WIDTH / 2,
            column.heading().to_uppercase()
        ).expect(WRITES);
    }
    let routes: Vec<(&Edge, Vec<Bow>)> = graph
        .edges
        .iter()
        .zip(&layout.lanes)
        .filter_map(|(edge, lanes)| Some((edge, bows(&layout, edge, lanes)?)))
        .collect();
    for (edge, bows) in routes.iter().rev() {
        line(&mut drawn, bows, edge);
    }
    for (node, place) in graph.nodes.iter().zip(&layout.places) {
        draw_node(&mut drawn, node, *place);
    }
    for (edge, bows) in &routes {
        signs(&mut drawn, bows, edge);
    }
    drawn.push_str("</svg>");
    drawn
}

const MARKERS: &str = "<defs>\
    <marker id=\"seen\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"8\" markerHeight=\"8\" orient=\"auto\">\
    <path d=\"M0 0 10 5 0 10z\" fill=\"var(--seen,#c2410c)\"/></marker>\
    <marker id=\"could\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"8\" markerHeight=\"8\" orient=\"auto\">\
    <path d=\"M0 0 10 5 0 10z\" fill=\"var(--muted,#5b6472)\"/></marker></defs>";

/// Start, two handles and end of one bow of an edge.
struct Bow {
    from: (i64, i64),
    bend: [(i64, i64); 2],
    to: (i64, i64),
}

impl Bow {
    /// A bow that leaves and arrives level.
    fn level(from: (i64, i64), to: (i64, i64)) -> Self {
        let half = (to.0 - from.0) / 2;
        Self { from, bend: [(from.0 + half, from.1), (to.0 - half, to.1)], to }
    }

    /// The point at `part` of eighths along it.
    fn point(&self, part: i64) -> (i64, i64) {
        let rest = 8 - part;
        let weigh = |start: i64, one: i64, two: i64, end: i64| {
            let sum = rest * rest * rest * start + 3 * rest * rest * part * one + 3 * rest * part * part * two;
            (sum + part * part * part * end) / 512
        };
        let [one, two] = self.bend;
        (weigh(self.from.0, one.0, two.0, self.to.0), weigh(self.from.1, one.1, two.1, self.to.1))
    }
}

/// The bows of an edge, from its start to its end.
fn bows(layout: &Layout, edge: &Edge, lanes: &[(i64, i64)]) -> Option<Vec<Bow>> {
    let (from, to) = (*layout.places.get(edge.from)?, *layout.places.get(edge.to)?);
    Some(match from.0.cmp(&to.0) {
        std::cmp::Ordering::Less => {
            let mut at = (from.0 + WIDTH, from.1 + HEIGHT / 2);
            let mut bows = Vec::new();
            for (left, middle) in lanes {
                bows.push(Bow::level(at, (*left, *middle)));
                bows.push(Bow::level((*left, *middle), (left + WIDTH, *middle)));
                at = (left + WIDTH, *middle);
            }
            bows.push(Bow::level(at, (to.0, to.1 + HEIGHT / 2)));
            bows
        }
        std::cmp::Ordering::Greater => {
            let (start, end) = ((from.0, from.1 + HEIGHT * 3 / 4), (to.0 + WIDTH, to.1 + HEIGHT * 3 / 4));
            let half = (start.0 - end.0) / 2;
            vec![Bow { from: start, bend: [(start.0 - half, start.1 + 24), (end.0 + half, end.1 + 24)], to: end }]
        }
        std::cmp::Ordering::Equal => {
            let (start, end) = ((from.0 + WIDTH, from.1 + HEIGHT / 2), (to.0 + WIDTH, to.1 + HEIGHT / 2));
            vec![Bow { from: start, bend: [(start.0 + 46, start.1), (end.0 + 46, end.1)], to: end }]
        }
    })
}

fn line(drawn: &mut String, bows: &[Bow], edge: &Edge) {
    let Some(first) = bows.first() else { return };
    let mut path = format!("M{} {}", first.from.0, first.from.1);
    for bow in bows {
        let [one, two] = bow.bend;
        write!(path, "C{} {} {} {} {} {}", one.0, one.1, two.0, two.1, bow.to.0, bow.to.1).expect(WRITES);
    }
    let style = match edge.kind {
        EdgeKind::Observed => "stroke=\"var(--seen,#c2410c)\" stroke-width=\"2\" marker-end=\"url(#seen)\"",
        EdgeKind::Reachable => {
            "stroke=\"var(--muted,#5b6472)\" stroke-width=\"1.5\" stroke-dasharray=\"6 5\" marker-end=\"url(#could)\""
        }
    };
    let reason = escape(&edge.reason);
    write!(drawn, "<path d=\"{path}\" fill=\"none\" {style}><title>{reason}</title></path>").expect(WRITES);
}

/// The number of an observed edge, and the mark of what cut it.
fn signs(drawn: &mut String, bows: &[Bow], edge: &Edge) {
    let (Some(first), Some(last)) = (bows.first(), bows.last()) else { return };
    if edge.number > 0 {
        let (x, y) = first.point(3);
        write!(
            drawn,
            "<circle cx=\"{x}\" cy=\"{y}\" r=\"10\" fill=\"var(--seen,#c2410c)\"/><text x=\"{x}\" y=\"{}\" text-anchor=\"middle\" \
             fill=\"var(--paper,#fff)\" font-weight=\"600\">{}</text>",
            y + 4,
            edge.number
        ).expect(WRITES);
    }
    if !edge.cut_by.is_empty() {
        let (x, y) = last.point(if bows.len() > 1 { 4 } else { 6 });
        write!(
            drawn,
            "<g stroke=\"var(--paper,#fff)\" stroke-width=\"8\" stroke-linecap=\"round\"><path d=\"M{} {}l10 -18\"/></g>\
             <g stroke=\"var(--cut,#0369a1)\" stroke-width=\"3\" stroke-linecap=\"round\"><path d=\"M{} {}l10 -18M{} {}l10 -18\"/></g>",
            x - 5,
            y + 9,
            x - 9,
            y + 9,
            x - 2,
            y + 9
        ).expect(WRITES);
    }
}

fn draw_node(drawn: &mut String, node: &Node, (x, y): (i64, i64)) {
    write!(drawn, "<g><title>{}</title>", escape(&node.full)).expect(WRITES);
    let round = match node.kind {
        Kind::Address => HEIGHT / 2,
        Kind::Identity | Kind::Key => 14,
        Kind::Container | Kind::Machine => 3,
        Kind::Resource => 8,
    };
    if !node.cut_by.is_empty() {
        write!(
            drawn,
            "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"{}\" fill=\"none\" stroke=\"var(--cut,#0369a1)\" stroke-width=\"2\" \
             stroke-dasharray=\"2 3\"/>",
            x - 6,
            y - 6,
            WIDTH + 12,
            HEIGHT + 12,
            round + 5
        ).expect(WRITES);
    }
    if node.count > 1 {
        write!(
            drawn,
            "<rect x=\"{}\" y=\"{}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" rx=\"{round}\" fill=\"var(--card,#f6f7f9)\" stroke=\"var(--line,#9aa3af)\"/>",
            x + 4,
            y + 4
        ).expect(WRITES);
    }
    write!(
        drawn,
        "<rect x=\"{x}\" y=\"{y}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" rx=\"{round}\" fill=\"var(--card,#f6f7f9)\" stroke=\"var(--line,#9aa3af)\"/>\
         <text x=\"{0}\" y=\"{1}\" text-anchor=\"middle\" fill=\"var(--muted,#5b6472)\" font-size=\"10.5\">{2}</text>\
         <text x=\"{0}\" y=\"{3}\" text-anchor=\"middle\" fill=\"var(--ink,#111827)\" font-weight=\"600\" font-size=\"{5}\">{4}</text>",
        x + WIDTH / 2,
        y + 21,
        node.kind.word(),
        y + 39,
        escape(&shorten(&node.label)),
        if node.label.chars().count() > 17 { "10.5" } else { "12" }
    ).expect(WRITES);
    if !node.cut_by.is_empty() {
        let numbers: Vec<String> = node.cut_by.iter().map(|number| format!("A{number}")).collect();
        let text = numbers.join(" ");
        let wide = i64::try_from(text.len()).unwrap_or(2) * 8 + 10;
        let left = x + WIDTH - wide + 4;
        write!(
            drawn,
            "<rect x=\"{left}\" y=\"{}\" width=\"{wide}\" height=\"18\" rx=\"9\" fill=\"var(--cut,#0369a1)\"/>\
             <text x=\"{}\" y=\"{}\" text-anchor=\"middle\" fill=\"var(--paper,#fff)\" font-size=\"11\" font-weight=\"600\">{text}</text>",
            y - 14,
            left + wide / 2,
            y - 1
        ).expect(WRITES);
    }
    drawn.push_str("</g>");
}

fn shorten(label: &str) -> String {
    if label.chars().count() <= MAX_LABEL {
        return label.to_owned();
    }
    label.chars().take(MAX_LABEL - 1).chain(['…']).collect()
}

/// Text as SVG text.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in crate::model::event::Raw(text.as_bytes().to_vec()).escape().chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}
