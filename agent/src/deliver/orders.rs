//! The orders' desk. Takes orders from the collector; passes each on to the responder once, and answers a repeated one with its first
//! result, which the responder's journal has. Never decides whether an order is right: that is the responder's.

use std::collections::BTreeSet;

use proto::limits;
use proto::v1::{Order, OrderResult, OrderStatus};
use tokio::sync::mpsc;

use crate::health::{Counter, Health};
use crate::respond::journal::Journal;

/// Results told again when a session begins: there is no receipt for a result, so the newest are told once more.
const TOLD_AGAIN: usize = 64;

/// Orders under way.
#[derive(Debug)]
pub struct OrderDesk {
    journal: Journal,
    /// Ids passed on and not yet answered.
    under_way: BTreeSet<String>,
    to_responder: mpsc::Sender<Order>,
    health: Health,
}

impl OrderDesk {
    /// A desk that passes orders on through a bounded channel; what happens when that is full is said at [`OrderDesk::take`].
    pub fn new(journal: Journal, to_responder: mpsc::Sender<Order>, health: Health) -> Self {
        Self { journal, under_way: BTreeSet::new(), to_responder, health }
    }

    /// Takes an order. Gives a result where there is one at once: the first one of a repeated order, or a refusal where too many
    /// orders wait. A refusal of that kind is not kept, so the collector may order again.
    pub fn take(&mut self, order: Order) -> Option<OrderResult> {
        self.health.count(Counter::Orders);
        if order.id.is_empty() || order.id.len() > limits::NAME_BYTES {
            self.health.count(Counter::OrdersRefused);
            return Some(refused(order.id, "the order's id is empty or too long"));
        }
        if self.under_way.contains(&order.id) {
            return None;
        }
        // A journal that cannot be read now is read again by the responder, which says so.
        if let Ok(Some(result)) = self.journal.result(&order.id) {
            return Some(result);
        }
        let id = order.id.clone();
        match self.to_responder.try_send(order) {
            Ok(()) => {
                self.under_way.insert(id);
                None
            }
            Err(mpsc::error::TrySendError::Full(_)) => {
                self.health.count(Counter::OrdersRefused);
                Some(refused(id, "too many orders wait on this node"))
            }
            Err(mpsc::error::TrySendError::Closed(_)) => Some(refused(id, "the agent is shutting down")),
        }
    }

    /// The responder has answered; its journal has the result.
    pub fn answered(&mut self, result: &OrderResult) {
        self.under_way.remove(&result.order_id);
    }

    /// The newest results, for the begin of a session, oldest first.
    pub fn newest(&self) -> Vec<OrderResult> {
        self.journal.newest(TOLD_AGAIN).unwrap_or_else(|error| {
            tracing::error!(%error, "results of orders cannot be read");
            Vec::new()
        })
    }
}

fn refused(order_id: String, detail: &str) -> OrderResult {
    let detail = detail.to_owned();
    OrderResult { order_id, status: i32::from(OrderStatus::Refused), detail, ..OrderResult::default() }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn desk(folder: &Path, room: usize) -> (OrderDesk, mpsc::Receiver<Order>) {
        let (send, receive) = mpsc::channel(room);
        let journal = Journal::open(folder.to_owned(), 8).expect("a folder");
        (OrderDesk::new(journal, send, Health::default()), receive)
    }

    fn order(id: &str) -> Order {
        Order { id: id.to_owned(), ..Order::default() }
    }

    fn done(id: &str) -> OrderResult {
        let status = i32::from(OrderStatus::Done);
        OrderResult { order_id: id.to_owned(), status, verified: String::from("it is"), ..OrderResult::default() }
    }

    #[test]
    fn a_repeated_order_gets_its_first_result_also_after_a_restart() {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut desk_one, mut orders) = desk(folder.path(), 4);
        assert_eq!(desk_one.take(order("a")), None);
        assert_eq!(desk_one.take(order("a")), None, "under way");
        assert_eq!(orders.try_recv().expect("passed on").id, "a");
        assert!(orders.try_recv().is_err(), "passed on once");
        desk_one.journal.finish(&done("a")).expect("writable");
        desk_one.answered(&done("a"));
        assert_eq!(desk_one.take(order("a")), Some(done("a")));
        let (mut desk_two, _orders) = desk(folder.path(), 4);
        assert_eq!(desk_two.take(order("a")), Some(done("a")));
        assert_eq!(desk_two.newest(), [done("a")]);
    }

    #[test]
    fn one_order_too_many_is_refused_and_may_be_given_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut desk, mut orders) = desk(folder.path(), 1);
        assert_eq!(desk.take(order("a")), None);
        assert_eq!(desk.take(order("b")).expect("refused").status(), OrderStatus::Refused);
        orders.try_recv().expect("a is taken");
        assert_eq!(desk.take(order("b")), None, "now it is passed on");
    }
}
