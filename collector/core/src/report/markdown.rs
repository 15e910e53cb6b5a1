//! The report as Markdown. Takes a document; gives text that reads well as it is and renders anywhere. What an attacker chose can become neither
//! markup nor a link.

use std::fmt::Write as _;

use super::document::{Document, Sentence};
use super::narrate::{capital, date_and_time};

/// Why a write cannot fail.
const WRITES: &str = "a string takes every write";

/// The report as Markdown.
pub fn markdown(document: &Document) -> String {
    let mut page = Page { text: String::new() };
    page.first(document);
    page.timeline(document);
    page.analysis(document);
    page.impact(document);
    page.response(document);
    page.lessons(document);
    page.completeness(document);
    page.appendices(document);
    page.text
}

struct Page {
    text: String,
}

impl Page {
    fn line(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }

    /// A heading; on a replay each says so.
    fn heading(&mut self, document: &Document, text: &str) {
        let mark = if document.replay { " (replay)" } else { "" };
        write!(self.text, "\n## {text}{mark}\n\n").expect(WRITES);
    }

    fn sub(&mut self, text: &str) {
        write!(self.text, "\n### {}\n\n", escape(text)).expect(WRITES);
    }

    fn bullets<'a>(&mut self, sentences: impl IntoIterator<Item = &'a Sentence>) {
        for sentence in sentences {
            self.line(&format!("- {}", say(sentence)));
        }
    }

    fn row(&mut self, cells: &[String]) {
        self.line(&format!("| {} |", cells.join(" | ")));
    }

    fn head(&mut self, cells: &[&str]) {
        self.line(&format!("| {} |", cells.join(" | ")));
        self.line(&format!("|{}", " --- |".repeat(cells.len())));
    }

    fn first(&mut self, document: &Document) {
        let summary = &document.summary;
        self.line(&format!("# {}: {}", escape(&document.case_id.0), escape(&document.title)));
        if document.replay {
            self.line("\n> **Replay:** these events come from a recorded run, not from a live kernel.");
        }
        let status = capital(&document.status.to_string());
        let verdict = document.verdict.to_string();
        self.line(&format!(
            "\n**{status}** · severity **{}** · {verdict}, confidence {} % · as of {}",
            document.severity,
            document.confidence,
            date_and_time(document.as_of)
        ));
        self.heading(document, "1 Executive summary");
        self.line(&format!("{}\n", escape(&summary.verdict)));
        let labels: Vec<&str> = summary.tiles.iter().map(|tile| tile.label.as_str()).collect();
        self.head(&labels);
        let values: Vec<String> =
            summary.tiles.iter().map(|tile| format!("**{}**, {}", tile.value, escape(&tile.note))).collect();
        self.row(&values);
        self.sub("What we did");
        for line in &summary.done {
            self.line(&format!("- {}", escape(line)));
        }
        self.sub("How bad it could have been");
        self.line(&escape(&summary.worst));
        self.sub("Decisions needed");
        for line in &summary.decisions {
            self.line(&format!("- {}", escape(line)));
        }
    }

    fn timeline(&mut self, document: &Document) {
        self.heading(document, "2 Timeline (UTC)");
        self.line("≈: the clocks cannot tell whether this came before or after the line above.\n");
        self.head(&["Time", "Where", "Who", "What", "Evidence"]);
        for row in &document.timeline {
            let about = if row.order_unknown { "≈ " } else { "" };
            let finding =
                if row.finding.is_empty() { String::new() } else { format!(" – **{}**", escape(&row.finding)) };
            self.row(&[
                format!("{about}{} {} {}", row.date, row.time, row.uncertainty).trim_end().to_owned(),
                row.plane.clone(),
                escape(&row.who),
                format!("{}{}{finding}", escape(&row.what), quoted(&row.quoted)),
                numbers(&row.evidence),
            ]);
        }
        if document.timeline_omitted > 0 {
            self.line(&format!("\n{} lines on which no finding rests are left out.", document.timeline_omitted));
        }
        self.sub("How fast");
        self.head(&["Measure", "From what to what", "Value"]);
        for row in &document.measures {
            self.row(&[row.name.clone(), row.definition.clone(), format!("{} {}", row.value, numbers(&row.evidence))]);
        }
    }

    fn analysis(&mut self, document: &Document) {
        self.heading(document, "3 Technical analysis");
        self.line("What speaks for the verdict:\n");
        self.bullets(&document.reasons_for);
        self.line("\nWhat speaks against it, or is not known:\n");
        self.bullets(&document.reasons_against);
        for tactic in &document.analysis {
            self.sub(&tactic.name);
            for finding in &tactic.findings {
                let techniques = finding.techniques.join(", ");
                self.line(&format!(
                    "- **{}** ({}, {}, {}) {}",
                    escape(&finding.title.text),
                    finding.time,
                    finding.level,
                    escape(&techniques),
                    numbers(&finding.title.evidence)
                ));
                self.line(&format!("  {}", escape(&finding.why)));
                for line in &finding.observed {
                    self.line(&format!("  Observed:{}", quoted(line)));
                }
                for (name, value) in &finding.matched {
                    self.line(&format!("  - {}:{}", escape(name), quoted(value)));
                }
            }
        }
    }

    fn impact(&mut self, document: &Document) {
        let impact = &document.impact;
        self.heading(document, "4 Impact");
        self.line("Systems touched:\n");
        self.bullets(&impact.systems);
        self.line("\nIdentities involved:\n");
        self.bullets(&impact.identities);
        self.line("\nAudited calls:\n");
        self.bullets(&impact.calls);
        self.sub("Blast radius");
        self.head(&["No.", "Time", "Kind", "From", "To", "Why", "Cut by"]);
        for line in &impact.connections {
            self.row(&[
                line.number.clone(),
                line.time.clone(),
                line.kind.clone(),
                escape(&line.from),
                escape(&line.to),
                say(&line.why),
                line.cut_by.clone(),
            ]);
        }
        self.line("");
        for cut in &impact.graph.cuts {
            self.line(&format!("- A{}: {}", cut.number, escape(&super::cite::visible(&cut.what))));
        }
        self.line("\nNot modelled, and not to be read as safe:\n");
        for plane in &impact.graph.not_modelled {
            self.line(&format!("- {}", escape(plane)));
        }
    }

    fn response(&mut self, document: &Document) {
        self.heading(document, "5 Response actions");
        for plan in &document.response {
            self.sub(&plan.title);
            self.line(&format!("{} Plan digest `{}`.", say(&plan.proposed), plan.digest));
            self.bullets(&plan.approvals);
            for step in &plan.steps {
                self.line(&format!("\n**{}** – {}\n", escape(&step.title), escape(&step.status)));
                self.line(&format!("- {} ({}) on{}", step.action, step.phase, quoted(&step.target)));
                self.line(&format!("- Allowed by: {}", escape(&step.allowed_by)));
                for reason in &step.reasons {
                    self.line(&format!("- Because: {}", say(reason)));
                }
                self.line(&format!("- Reach: {}", escape(&step.reach)));
                if let Some(result) = &step.result {
                    self.line(&format!("- Result: {}", say(result)));
                    self.line(&format!("- Before:{} After:{}", quoted(&step.before), quoted(&step.after)));
                }
                self.line(&format!("- Check: {}", escape(&step.check)));
                self.line(&format!("- Undo: {}", escape(&step.undo)));
            }
        }
    }

    fn lessons(&mut self, document: &Document) {
        self.heading(document, "6 Root cause");
        for cause in &document.causes {
            self.line(&format!(
                "- **{}**: {} Prevented by: {}.",
                cause.category,
                say(&cause.seen),
                escape(&cause.control)
            ));
        }
        self.line("\nWhat is not known:\n");
        for line in &document.causes_unknown {
            self.line(&format!("- {}", escape(line)));
        }
        self.heading(document, "7 Lessons");
        self.head(&["What", "Owner", "Due", "Effort", "Measured by"]);
        for row in &document.lessons {
            let cells = [&row.text, &row.owner, &row.due, &row.effort, &row.metric];
            self.row(&cells.map(|cell| escape(cell)));
        }
    }

    fn completeness(&mut self, document: &Document) {
        self.heading(document, "8 Completeness");
        self.bullets(&document.completeness.nodes);
        for line in &document.completeness.audit_text {
            self.line(&format!("- {}", escape(line)));
        }
        self.bullets(&document.completeness.accounts);
        self.sub("What was lost");
        self.bullets(&document.completeness.losses);
        if document.completeness.losses.is_empty() {
            self.line("- Nothing: every record that was sent was read.");
        }
        self.sub("What we could not see");
        for line in &document.completeness.unseen {
            self.line(&format!("- {}", escape(line)));
        }
    }

    fn appendices(&mut self, document: &Document) {
        self.heading(document, "A Indicators");
        self.head(&["Kind", "Value", "Why it matters"]);
        for row in &document.indicators {
            self.row(&[escape(&row.kind), quoted(&row.value), say(&row.why)]);
        }
        self.heading(document, "B Artifacts and custody");
        self.head(&["Id", "What", "Size", "sha256", "Custody"]);
        for row in &document.artifacts {
            let what = format!("{}{}", escape(&row.kind), quoted(&row.name));
            self.row(&[escape(&row.id), what, row.size.clone(), quoted(&row.sha256), escape(&row.custody)]);
        }
        self.heading(document, "C Audit log entries");
        for row in &document.logs {
            self.line(&format!("{} {}\n", escape(&row.name), numbers(&row.evidence)));
            let fence = "`".repeat(longest_run(&row.original).max(2) + 1);
            self.line(&format!("{fence}json\n{}\n{fence}\n", row.original));
        }
        self.heading(document, "D To find the same");
        for row in &document.queries {
            self.line(&format!("- {}:{}", escape(&row.shows), quoted(&row.command)));
        }
        self.heading(document, "E Evidence");
        self.head(&["No.", "Evidence", "In the bundle"]);
        for row in &document.evidence {
            self.row(&[row.number.to_string(), escape(&row.label), quoted(&row.place)]);
        }
    }
}

fn say(sentence: &Sentence) -> String {
    format!("{} {}", escape(&sentence.text), numbers(&sentence.evidence))
}

/// `[1, 4]`, escaped so that it is no link.
fn numbers(evidence: &[usize]) -> String {
    if evidence.is_empty() {
        return String::new();
    }
    let numbers: Vec<String> = evidence.iter().map(usize::to_string).collect();
    format!("\\[{}\\]", numbers.join(", "))
}

/// Somebody else's text as code, with a space before it; nothing where it is empty. The fence is longer than any run of backticks in it, and a
/// bar does not end a table's cell.
fn quoted(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let fence = "`".repeat(longest_run(text) + 1);
    let text = text.replace(['\n', '\r'], " ").replace('|', "\\|");
    format!(" {fence} {text} {fence}")
}

fn longest_run(text: &str) -> usize {
    let mut longest = 0;
    let mut run = 0;
    for letter in text.chars() {
        run = if letter == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

/// Text in which nothing is markup: each letter that could begin any is escaped, addresses included, so that nothing becomes a link.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let is_markup =
            matches!(letter, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '~' | '&' | '#' | '@' | '$');
        let is_link = rest.starts_with("://") || (letter == '.' && escaped.to_ascii_lowercase().ends_with("www"));
        if is_markup || is_link {
            escaped.push('\\');
        }
        escaped.push(if matches!(letter, '\n' | '\r') { ' ' } else { letter });
        rest = rest.get(letter.len_utf8()..).unwrap_or_default();
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_is_markup() {
        let text = "[x](http://evil.example) | `a` <img src=x> *b* www.evil.example _c_ # h\n- d";
        let expected =
            "\\[x\\](http\\://evil.example) \\| \\`a\\` \\<img src=x\\> \\*b\\* www\\.evil.example \\_c\\_ \\# h - d";
        assert_eq!(escape(text), expected);
    }

    #[test]
    fn code_cannot_be_left() {
        assert_eq!(quoted("a `` b | c\nd"), " ``` a `` b \\| c d ```");
    }
}
