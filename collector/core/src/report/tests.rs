//! The report of the example, and what nobody may do to it.

use proptest::prelude::*;

use super::*;
use crate::example;
use crate::model::event::Raw;
use crate::model::{Body, Entity};

/// Text that tries to leave every format.
const HOSTILE: &str = "</code><script>alert(1)</script>\"'><img src=x onerror=alert(1)>|`]` [x](http://evil.example)\n# h\u{202e}\u{7}{{ 7*7 }}";

fn hostile() -> Input {
    let mut input = example::input();
    for event in &mut input.events {
        if let Body::Exec(exec) = &mut event.body {
            exec.arguments.push(Raw(HOSTILE.as_bytes().to_vec()));
            exec.arguments.push(Raw(vec![0xff, 0xfe, b'<']));
        }
        if let Some(actor) = &mut event.actor {
            actor.executable = Raw(HOSTILE.as_bytes().to_vec());
        }
    }
    for finding in &mut input.case.findings {
        finding.title = format!("Title {HOSTILE}");
        finding.matched.push((HOSTILE.to_owned(), HOSTILE.to_owned()));
        finding.entities.push(Entity::File { place: "x".to_owned(), path: HOSTILE.to_owned() });
    }
    for artifact in &mut input.artifacts {
        artifact.name = HOSTILE.to_owned();
    }
    for entry in &mut input.entries {
        entry.action = HOSTILE.to_owned();
        entry.original = serde_json::json!({ "userAgent": HOSTILE });
    }
    input.reachable[0].to = Entity::ClusterObject { name: HOSTILE.to_owned() };
    input.case.title = HOSTILE.to_owned();
    input
}

#[test]
fn the_report_of_the_example_in_markdown() {
    insta::assert_snapshot!(markdown(&narrate(&example::input())));
}

#[test]
fn the_report_of_the_example_in_html() {
    insta::assert_snapshot!(html(&narrate(&example::input())));
}

#[test]
fn the_report_of_the_example_passes_its_lint() {
    assert_eq!(lint(&narrate(&example::input())), Vec::new());
}

#[test]
fn the_same_case_prints_the_same_report() {
    let (one, mut other) = (example::input(), example::input());
    other.events.reverse();
    other.entries.reverse();
    let (one, other) = (narrate(&one), narrate(&other));
    assert_eq!(one.timeline, other.timeline);
    assert_eq!(html(&narrate(&example::input())), html(&one));
    assert_eq!(json(&narrate(&example::input())), json(&one));
}

#[test]
fn nothing_that_an_attacker_chose_becomes_markup() {
    let document = narrate(&hostile());
    let page = html(&document);
    assert!(
        !page.contains("<script") && !page.contains("<img") && !page.contains('\u{202e}') && !page.contains('\u{7}')
    );
    assert!(page.contains("&#60;script&#62;"), "it is shown, escaped");
    let text = markdown(&document);
    for line in text.lines() {
        assert!(!line.starts_with("# h"), "{line}");
    }
    assert!(!text.contains('\u{202e}') && !text.contains('\u{7}'));
    let read: serde_json::Value = serde_json::from_str(&json(&document)).expect("it is JSON");
    assert_eq!(read["format"], "mayfly-report/1");
}

#[test]
fn nothing_is_asked_of_the_network_and_no_script_runs() {
    let page = html(&narrate(&example::input()));
    for outside in ["<script", "src=", "url(http", "@import", "<link", "javascript:", "onload="] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn a_replay_says_so_in_every_format() {
    let mut input = example::input();
    input.case.replay = true;
    let document = narrate(&input);
    assert!(html(&document).contains("<title>[replay]") && html(&document).contains("class=\"replay\""));
    let text = markdown(&document);
    assert!(text.lines().filter(|line| line.starts_with("## ")).all(|line| line.ends_with("(replay)")));
    assert!(json(&document).contains("\"replay\": true"));
}

#[test]
fn a_loss_is_in_the_report() {
    let page = markdown(&narrate(&example::input()));
    assert!(page.contains("node-1 lost 212 records of class file between 18:10:21.400 and 18:10:21.520: ring full."));
}

#[test]
fn a_first_page_that_disagrees_with_the_body_does_not_leave() {
    let mut document = narrate(&example::input());
    document.summary.tiles[0].value += 1;
    document.summary.done.push("The address 198.51.100.23 used T1190.".to_owned());
    document.summary.worst = "word ".repeat(400);
    document.reasons_for[0].evidence = vec![9_999];
    let problems: Vec<String> = lint(&document).iter().map(ToString::to_string).collect();
    assert_eq!(problems.len(), 5, "{problems:?}");
    assert!(problems[0].starts_with("a sentence rests on nothing"));
    assert!(problems[1].starts_with("the first page says 3 systems touched, the body has 2"));
}

#[test]
fn an_empty_case_still_makes_a_report() {
    let mut input = example::input();
    input.events.clear();
    input.entries.clear();
    input.case.findings.clear();
    input.case.edges.clear();
    input.case.reasons_for.clear();
    input.case.reasons_against.clear();
    input.plans.clear();
    input.outcomes.clear();
    input.approvals.clear();
    input.artifacts.clear();
    input.journal.clear();
    let document = narrate(&input);
    assert_eq!(lint(&document), Vec::new());
    assert!(html(&document).contains("Nothing was captured"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_bytes_in_a_command_leave_the_page_well_formed(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let plain = html(&narrate(&example::input()));
        let mut input = example::input();
        for event in &mut input.events {
            if let Body::Exec(exec) = &mut event.body {
                exec.arguments = vec![Raw(bytes.clone())];
            }
        }
        let page = html(&narrate(&input));
        prop_assert_eq!(page.matches("<tr").count(), plain.matches("<tr").count());
        prop_assert_eq!(page.matches("</table>").count(), plain.matches("</table>").count());
    }
}
