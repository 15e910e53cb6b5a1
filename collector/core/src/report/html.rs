//! The report as one HTML file. Takes a document; gives a page that needs no script, no font and no request, prints to A4, and follows the
//! reader's light or dark setting. Every value goes through the template's escaping; only our own drawing is put in as it is.

use askama::Template;

use super::document::{Document, Mark};
use super::narrate::{capital, date_and_time};
use crate::model::{CaseStatus, Severity};

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    document: &'a Document,
    as_of: String,
    verdict: String,
    severity: String,
    status: String,
}

/// The report as HTML.
pub fn html(document: &Document) -> String {
    let page = Page {
        document,
        as_of: date_and_time(document.as_of),
        verdict: capital(&document.verdict.to_string()),
        severity: capital(&document.severity.to_string()),
        status: capital(&document.status.to_string()),
    };
    page.render().expect("the template writes to memory")
}

impl Page<'_> {
    /// The style of the status chip. The word beside it says the same.
    fn status_class(&self) -> &'static str {
        match self.document.status {
            CaseStatus::Ongoing => "bad",
            CaseStatus::Contained => "waiting",
            CaseStatus::Resolved => "good",
        }
    }

    fn severity_class(&self) -> &'static str {
        match self.document.severity {
            Severity::Critical | Severity::High => "bad",
            Severity::Medium => "waiting",
            Severity::Low => "good",
        }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the template passes references")]
    fn mark_class(mark: &Mark) -> &'static str {
        match mark {
            Mark::Good => "good",
            Mark::Waiting => "waiting",
            Mark::Bad => "bad",
        }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the template passes references")]
    fn mark_sign(mark: &Mark) -> &'static str {
        match mark {
            Mark::Good => "✓",
            Mark::Waiting => "◷",
            Mark::Bad => "✕",
        }
    }

    /// The date of the timeline's first line: shown once, above the times.
    fn first_date(&self) -> &str {
        self.document.timeline.first().map_or("", |row| row.date.as_str())
    }
}
