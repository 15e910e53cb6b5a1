//! Accounts, what arrived, and what is said of both.

use super::*;

const SHOP: &str = "5f5a2c0e8d1b4f6a9c3e7d0b2a4c6e8f5f5a2c0e8d1b4f6a9c3e7d0b2a4c6e8f";

fn account(class: &str, change: impl FnOnce(&mut Account)) -> Account {
    let mut account =
        Account { cgroup_id: 7, container_id: SHOP.to_owned(), class: class.to_owned(), ..Account::default() };
    change(&mut account);
    account
}

fn accounting(second: u64, accounts: Vec<Account>) -> NodeEvent {
    let (from_ns, to_ns) = (second * 1_000_000_000, (second + 1) * 1_000_000_000);
    let told = Accounting { from_ns, to_ns, after_position: second * 100, accounts };
    NodeEvent {
        node: "node-1".to_owned(),
        log_id: "log".to_owned(),
        position: (second + 1) * 100,
        time: Moment::exact(to_ns),
        actor: None,
        attempt: false,
        body: Body::Accounting(Box::new(told)),
    }
}

fn check(accountings: Vec<NodeEvent>, received: &[(&str, u64)], missing: u64) -> Statement {
    state(Facts {
        subject: Subject::Container { id: SHOP.to_owned() },
        from: Moment::exact(0),
        to: Moment::exact(60_000_000_000),
        accountings,
        received: received.iter().map(|(class, count)| ((*class).to_owned(), *count)).collect(),
        missing,
        watches: vec![Watch {
            node: "node-1".to_owned(),
            refused_hooks: vec!["fchmodat2".to_owned()],
            silent_hooks: Vec::new(),
        }],
    })
}

fn flood() -> Vec<NodeEvent> {
    let process = account("process", |it| (it.seen, it.emitted, it.told) = (40, 40, 40));
    let file = account("file", |it| {
        (it.seen, it.emitted, it.told, it.silent) = (250_000, 20_100, 20_000, 90);
        (it.throttled, it.under_way) = (229_900, 10);
    });
    let rest = account("file", |it| (it.seen, it.emitted, it.told, it.excluded) = (3, 2, 12, 1));
    let other = Account { container_id: "other".to_owned(), ..account("file", |it| (it.seen, it.told) = (9, 9)) };
    vec![accounting(1, vec![process, file, other]), accounting(2, vec![rest])]
}

#[test]
fn a_flood_is_stated() {
    let statement = check(flood(), &[("process", 40), ("file", 20_012)], 0);
    insta::assert_snapshot!(statement.to_string());
    assert!(statement.holds);
}

#[test]
fn a_statement_of_a_flood_for_machines() {
    let statement = check(flood(), &[("process", 40), ("file", 20_012)], 0);
    insta::assert_snapshot!(serde_json::to_string_pretty(&statement).expect("it is JSON"));
}

#[test]
fn an_event_that_did_not_arrive_is_missed() {
    let statement = check(flood(), &[("process", 39), ("file", 20_012)], 3);
    assert!(!statement.holds);
    let expected = ["3 positions of the nodes' logs never arrived", "process: 40 events were told and 39 arrived"];
    assert_eq!(statement.doubts(), expected);
}

#[test]
fn what_is_under_way_for_too_long_is_lost_without_a_reason() {
    let stuck = account("kernel", |it| (it.seen, it.emitted, it.under_way) = (2, 2, 2));
    let late = account("process", |it| (it.seen, it.emitted, it.told) = (1, 1, 1));
    let statement = check(vec![accounting(1, vec![stuck]), accounting(9, vec![late])], &[("process", 1)], 0);
    assert_eq!(statement.doubts(), ["kernel: 2 records were begun and never read"]);
}

#[test]
fn accounts_that_do_not_follow_on_each_other_are_said() {
    let first = account("file", |it| (it.seen, it.emitted, it.under_way) = (5, 5, 5));
    let second = account("file", |it| it.told = 3);
    let statement = check(vec![accounting(1, vec![first]), accounting(2, vec![second])], &[("file", 3)], 0);
    assert_eq!(statement.doubts(), ["file: the accounts differ by 2"]);
}

#[test]
fn where_nobody_accounted_nothing_is_complete() {
    let statement = check(Vec::new(), &[], 0);
    assert!(!statement.holds);
    assert_eq!(statement.verdict(), "It does not add up: no node accounted for this time.");
}

#[test]
fn an_agent_that_began_again_counts_from_zero() {
    let first = account("file", |it| (it.seen, it.emitted, it.told, it.under_way) = (5, 5, 4, 1));
    let second = account("file", |it| (it.seen, it.emitted, it.told) = (2, 2, 2));
    let mut again = accounting(2, vec![second]);
    if let Body::Accounting(told) = &mut again.body {
        told.after_position = 0;
    }
    assert!(check(vec![accounting(1, vec![first]), again], &[("file", 6)], 0).holds);
}
