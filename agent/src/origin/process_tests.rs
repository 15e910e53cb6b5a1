//! Tests of the process table: forks, execs and exits as lines of text in, what the table says out.

use super::*;

const SECOND: u64 = 1_000_000_000;

fn key(pid: u32, start_ns: u64) -> ProcessKey {
    ProcessKey { pid, start_ns }
}

fn image(path: &str) -> Arc<Image> {
    Arc::new(Image::new(path.as_bytes(), b"", b"/", 0))
}

fn born(pid: u32, start_ns: u64) -> Process {
    Process::forked(key(pid, start_ns), None, image("/bin/parent"), 1)
}

fn runs(table: &ProcessTable, pid: u32, start_ns: u64) -> String {
    table
        .get(key(pid, start_ns))
        .map_or("nobody".to_owned(), |process| String::from_utf8_lossy(&process.image.executable).into_owned())
}

#[test]
fn a_reused_pid_is_another_process() {
    let mut table = ProcessTable::new(16, 2 * SECOND);
    table.insert(born(7, 100), 100);
    table.execute(key(7, 100), image("/bin/first"));
    table.exit(key(7, 100), 200);
    table.insert(born(7, 300), 300);
    table.execute(key(7, 300), image("/bin/second"));
    assert_eq!(runs(&table, 7, 100), "/bin/first");
    assert_eq!(runs(&table, 7, 300), "/bin/second");
    assert_eq!(runs(&table, 7, 200), "nobody");
}

#[test]
fn an_exit_may_overtake_the_exec() {
    let mut table = ProcessTable::new(16, 2 * SECOND);
    table.insert(born(7, 100), 100);
    table.exit(key(7, 100), 200);
    table.forget_dead(SECOND);
    table.execute(key(7, 100), image("/bin/late"));
    assert_eq!(runs(&table, 7, 100), "/bin/late");
    table.forget_dead(3 * SECOND);
    assert_eq!(runs(&table, 7, 100), "nobody");
}

#[test]
fn an_exec_may_overtake_the_fork() {
    let mut table = ProcessTable::new(16, SECOND);
    table.insert(Process::forked(key(7, 100), None, image("/bin/new"), 1), 100);
    table.execute(key(7, 100), image("/bin/new"));
    table.insert(Process::forked(key(7, 100), Some(key(1, 1)), image("/bin/old"), 1), 110);
    assert_eq!(runs(&table, 7, 100), "/bin/new");
    assert_eq!(table.get(key(7, 100)).and_then(|process| process.parent), Some(key(1, 1)));
}

#[test]
fn a_start_from_proc_becomes_exact_when_the_kernel_speaks() {
    let mut table = ProcessTable::new(16, SECOND);
    table.insert(Process::seeded(key(7, 5 * TICK_NS), None, image("/bin/old"), 1), 100);
    assert!(table.get_mut(key(7, 5 * TICK_NS + 123_456)).is_some());
    assert_eq!(table.get(key(7, 5 * TICK_NS + 123_456)).map(|process| process.key.start_ns), Some(50_123_456));
    assert!(table.get(key(7, 5 * TICK_NS + 9)).is_none(), "exact from now on");
    assert!(table.get(key(7, 6 * TICK_NS)).is_none(), "the next tick is another process");
}

#[test]
fn a_full_table_refuses_newcomers_and_counts_them() {
    let mut table = ProcessTable::new(2, SECOND);
    assert!(table.insert(born(1, 1), 1));
    assert!(table.insert(born(2, 2), 2));
    assert!(!table.insert(born(3, 3), 3));
    assert_eq!((table.len(), table.refused()), (2, 1));
    table.exit(key(2, 2), 4);
    assert!(table.insert(born(3, 3), 2 * SECOND), "the dead make room when their time is over");
}

#[test]
fn a_full_table_forgets_its_oldest_dead_before_it_refuses_the_living() {
    let mut table = ProcessTable::new(2, SECOND);
    table.insert(born(1, 1), 1);
    table.insert(born(2, 2), 2);
    table.exit(key(1, 1), 3);
    table.exit(key(2, 2), 4);
    assert!(table.insert(born(3, 3), 5), "within the time that the dead are kept");
    assert_eq!((table.refused(), table.get(key(1, 1)).is_none(), table.get(key(2, 2)).is_some()), (0, true, true));
}

#[test]
fn a_process_whose_exit_was_lost_is_swept() {
    let mut table = ProcessTable::new(4, SECOND);
    table.insert(born(1, 1), 1);
    table.insert(born(2, 2), 2);
    table.sweep(|pid| pid == 1);
    assert_eq!(table.living().map(|process| process.key.pid).collect::<Vec<_>>(), [1]);
}

#[test]
fn a_pid_reused_without_an_exit_forgets_the_first_in_time() {
    let mut table = ProcessTable::new(4, SECOND);
    table.insert(born(7, 100), 100);
    table.insert(born(7, 300), 300);
    assert_eq!(table.len(), 2);
    table.forget_dead(300 + SECOND);
    assert_eq!(runs(&table, 7, 300), "/bin/parent");
    assert_eq!(table.len(), 1);
}
