//! Accounts as the kernel has them, records as they are read, and what is told of both.

use std::fmt::Write;

use ebpf_common::header::{Kind, VERSION};
use zerocopy::FromZeros;

use super::*;

const CONTAINER: u64 = 7;
const BELOW: u64 = 8;

fn header(cgroup_id: u64) -> Header {
    Header {
        kind: Kind::FileOpen as u16,
        class: Class::File as u8,
        version: VERSION,
        cgroup_id,
        sequence: 1,
        ..Header::new_zeroed()
    }
}

fn standing(cgroup_id: u64, begun: u64, ended: &[(Outcome, u64)]) -> Standing {
    let mut account = account::EMPTY;
    account.begun[Class::File as usize] = begun;
    for (outcome, count) in ended {
        account.ended[Class::File as usize][*outcome as usize] = *count;
    }
    Standing { cgroup_id, account, closed: false }
}

/// Reports over these accounts; gives a line for each row, with what is not zero, and holds that it adds up.
fn check(accounting: &mut Accounting, before: &mut BTreeMap<u64, u64>, accounts: &[Standing]) -> String {
    let payer = |id: u64| (id == BELOW).then_some(CONTAINER);
    let name = |id: u64| (id == CONTAINER).then_some("shop");
    let clock = Clock::standing(1_000, 10);
    let mut text = String::new();
    for event in accounting.report(Books { accounts, payer: &payer }, &clock, name) {
        let Some(Body::Accounting(told)) = event.body else { panic!("an accounting") };
        for row in told.accounts {
            let lost = row.ring_full + row.scratch_busy + row.oversize + row.read_fault;
            let others = row.aggregated + row.throttled + row.excluded + lost;
            let waited = before.insert(row.cgroup_id, row.under_way).unwrap_or(0);
            assert_eq!(row.seen + waited, row.told + row.silent + others + row.under_way, "{row:?}");
            write!(text, "{}{}", if text.is_empty() { "" } else { "; " }, row.container_id).expect("text grows");
            let all = [
                ("seen", row.seen),
                ("emitted", row.emitted),
                ("throttled", row.throttled),
                ("excluded", row.excluded),
                ("lost", lost),
                ("told", row.told),
                ("silent", row.silent),
                ("under way", row.under_way),
            ];
            for (word, count) in all.into_iter().filter(|(_, count)| *count > 0) {
                write!(text, " {count} {word}").expect("text grows");
            }
        }
    }
    text
}

fn new() -> (Accounting, BTreeMap<u64, u64>) {
    (Accounting::new(&Clock::standing(0, 0)), BTreeMap::new())
}

#[test]
fn what_is_told_adds_up_to_what_was_seen() {
    let (mut accounting, mut before) = new();
    accounting.read(&header(CONTAINER), true);
    accounting.read(&header(CONTAINER), false);
    let accounts = [standing(CONTAINER, 9, &[(Outcome::Sent, 2), (Outcome::Throttled, 6), (Outcome::RingFull, 1)])];
    let text = check(&mut accounting, &mut before, &accounts);
    assert_eq!(text, "shop 9 seen 2 emitted 6 throttled 1 lost 1 told 1 silent");
    assert_eq!(check(&mut accounting, &mut before, &accounts), "", "nothing happened since");
}

#[test]
fn what_lies_in_the_ring_is_under_way_until_it_is_read() {
    let (mut accounting, mut before) = new();
    let accounts = [standing(CONTAINER, 3, &[(Outcome::Sent, 3)])];
    assert_eq!(check(&mut accounting, &mut before, &accounts), "shop 3 seen 3 emitted 3 under way");
    accounting.read(&header(CONTAINER), true);
    assert_eq!(check(&mut accounting, &mut before, &accounts), "shop 1 told 2 under way");
}

#[test]
fn a_cgroup_below_a_container_is_on_its_account() {
    let (mut accounting, mut before) = new();
    accounting.read(&header(BELOW), true);
    let accounts = [standing(CONTAINER, 1, &[(Outcome::Sent, 1)])];
    assert_eq!(check(&mut accounting, &mut before, &accounts), "shop 1 seen 1 emitted 1 told");
}

#[test]
fn those_without_an_account_share_one() {
    let (mut accounting, mut before) = new();
    accounting.read(&header(99), true);
    let accounts = [standing(CONTAINER, 0, &[]), standing(SHARED, 1, &[(Outcome::Sent, 1)])];
    assert_eq!(check(&mut accounting, &mut before, &accounts), " 1 seen 1 emitted 1 told");
}

#[test]
fn what_is_only_left_out_waits_for_something_else() {
    let (mut accounting, mut before) = new();
    let mut accounts = [standing(CONTAINER, 5, &[(Outcome::Excluded, 5)])];
    assert_eq!(check(&mut accounting, &mut before, &accounts), "");
    accounts[0] = standing(CONTAINER, 6, &[(Outcome::Excluded, 5), (Outcome::Throttled, 1)]);
    assert_eq!(check(&mut accounting, &mut before, &accounts), "shop 6 seen 1 throttled 5 excluded");
}

#[test]
fn an_account_that_was_closed_begins_again_at_zero() {
    let (mut accounting, mut before) = new();
    let closed = Standing { closed: true, ..standing(CONTAINER, 5, &[(Outcome::Throttled, 5)]) };
    assert_eq!(check(&mut accounting, &mut before, &[closed]), "shop 5 seen 5 throttled");
    let accounts = [standing(CONTAINER, 2, &[(Outcome::Throttled, 2)])];
    assert_eq!(check(&mut accounting, &mut before, &accounts), "shop 2 seen 2 throttled");
}

#[test]
fn the_next_agent_tells_the_rest_and_nothing_twice() {
    let (mut accounting, mut before) = new();
    accounting.read(&header(BELOW), true);
    accounting.read(&header(CONTAINER), false);
    let sent = |count| standing(CONTAINER, count + 2, &[(Outcome::Sent, count), (Outcome::Throttled, 2)]);
    let told = check(&mut accounting, &mut before, &[sent(3)]);
    assert_eq!(told, "shop 5 seen 3 emitted 2 throttled 1 told 1 silent 1 under way");
    let kept: Vec<_> =
        accounting.take_changed().into_iter().map(|(id, told)| (id, told.expect("it is open"))).collect();
    assert!(accounting.take_changed().is_empty());

    let (mut next, _) = new();
    next.resume(kept);
    next.read(&header(CONTAINER), true);
    assert_eq!(check(&mut next, &mut before, &[sent(4)]), "shop 1 seen 1 emitted 1 told 1 under way");
    let closed = Standing { closed: true, ..sent(4) };
    next.read(&header(CONTAINER), true);
    assert_eq!(check(&mut next, &mut before, &[closed]), "shop 1 told");
    assert_eq!(next.take_changed(), [(CONTAINER, None)]);
}

#[test]
fn no_event_is_longer_than_its_bound() {
    let (mut accounting, _) = new();
    let all: Vec<Standing> =
        (1..=1000).map(|id| standing(id, u64::MAX / 2, &[(Outcome::Throttled, u64::MAX / 2)])).collect();
    let long = "f".repeat(64);
    let books = Books { accounts: &all, payer: &|_| None };
    let events = accounting.report(books, &Clock::standing(1, 1), |_| Some(long.as_str()));
    assert_eq!(events.len(), 8);
    let longest = events.iter().map(prost::Message::encoded_len).max();
    assert!(longest.is_some_and(|longest| longest < proto::limits::EVENT_BYTES), "{longest:?}");
}
