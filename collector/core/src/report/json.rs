//! The report for programs. Takes a document; gives JSON in which every sentence has the numbers of its evidence, and the table of evidence has
//! the whole references.

use serde::Serialize;

use super::document::Document;

/// What the file says that it is.
const FORMAT: &str = "mayfly-report/1";

#[derive(Serialize)]
struct Report<'a> {
    format: &'static str,
    #[serde(flatten)]
    document: &'a Document,
}

/// The report as JSON.
pub fn json(document: &Document) -> String {
    let report = Report { format: FORMAT, document };
    serde_json::to_string_pretty(&report).expect("a document is text, numbers and lists")
}
