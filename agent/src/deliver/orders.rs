//! The orders' desk. Takes orders from the collector and results from the responder; passes each order on once, keeps each result
//! on disk, and answers a repeated order with its first result. Never decides whether an order is right: that is the responder's.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use prost::Message;
use proto::limits;
use proto::v1::{Order, OrderResult, OrderStatus};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use crate::health::{Counter, Health};

/// Results kept on disk. An order is valid for hours; after a thousand others nobody asks for it.
const RESULTS: usize = 1024;

/// Results told again when a session begins: there is no receipt for a result, so the newest are told once more.
const TOLD_AGAIN: usize = 64;

/// A result is a few lines of text; a larger file is not ours.
const RESULT_BYTES: usize = 256 << 10;

/// Orders under way and results on disk.
#[derive(Debug)]
pub struct OrderDesk {
    folder: PathBuf,
    /// Ids passed on and not yet answered.
    under_way: BTreeSet<String>,
    to_responder: mpsc::Sender<Order>,
    health: Health,
}

impl OrderDesk {
    /// A desk that keeps results in `folder` and passes orders on through a bounded channel; what happens when that is full is
    /// said at [`OrderDesk::take`].
    pub fn open(folder: PathBuf, to_responder: mpsc::Sender<Order>, health: Health) -> std::io::Result<Self> {
        std::fs::create_dir_all(&folder)?;
        Ok(Self { folder, under_way: BTreeSet::new(), to_responder, health })
    }

    /// Takes an order. Gives a result where there is one at once: the first one of a repeated order, or a refusal where too many
    /// orders wait. A refusal of that kind is not kept, so the collector may order again.
    pub fn take(&mut self, order: Order) -> Option<OrderResult> {
        self.health.count(Counter::Orders);
        if order.id.is_empty() || order.id.len() > limits::NAME_BYTES {
            self.health.count(Counter::OrdersRefused);
            return Some(refused(order.id, "the order's id is empty or too long"));
        }
        if let Some(result) = self.kept(&order.id) {
            return Some(result);
        }
        if self.under_way.contains(&order.id) {
            return None;
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

    /// Keeps a result. It is on disk before it is sent: a repeated order after a crash gets this answer.
    pub fn keep(&mut self, result: &OrderResult) {
        self.under_way.remove(&result.order_id);
        let path = self.path(&result.order_id);
        let beside = path.with_extension("new");
        let written = std::fs::write(&beside, result.encode_to_vec()).and_then(|()| std::fs::rename(&beside, &path));
        if let Err(error) = written {
            tracing::error!(%error, order = %result.order_id, "the result of an order could not be kept");
        }
        self.drop_old();
    }

    /// The newest results, for the begin of a session, oldest first.
    pub fn newest(&self) -> Vec<OrderResult> {
        let files = self.files();
        let skip = files.len().saturating_sub(TOLD_AGAIN);
        files.iter().skip(skip).filter_map(|path| read(path)).collect()
    }

    fn kept(&self, id: &str) -> Option<OrderResult> {
        read(&self.path(id)).filter(|result| result.order_id == id)
    }

    /// The id comes from outside and is no file name; its hash is one.
    fn path(&self, id: &str) -> PathBuf {
        self.folder.join(hex::encode(Sha256::digest(id))).with_extension("result")
    }

    /// Result files, oldest first.
    fn files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut files: Vec<_> = entries
            .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "result"))
            .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
            .collect();
        files.sort();
        files.into_iter().map(|(_, path)| path).collect()
    }

    fn drop_old(&self) {
        let files = self.files();
        for path in files.iter().take(files.len().saturating_sub(RESULTS)) {
            if let Err(error) = std::fs::remove_file(path) {
                tracing::warn!(%error, path = %path.display(), "an old order result stays");
            }
        }
    }
}

fn read(path: &Path) -> Option<OrderResult> {
    let length = std::fs::metadata(path).ok()?.len();
    if length > RESULT_BYTES as u64 {
        return None;
    }
    OrderResult::decode(std::fs::read(path).ok()?.as_slice()).ok()
}

fn refused(order_id: String, detail: &str) -> OrderResult {
    let detail = detail.to_owned();
    OrderResult { order_id, status: i32::from(OrderStatus::Refused), detail, ..OrderResult::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn desk(folder: &Path, room: usize) -> (OrderDesk, mpsc::Receiver<Order>) {
        let (send, receive) = mpsc::channel(room);
        (OrderDesk::open(folder.to_owned(), send, Health::default()).expect("a folder"), receive)
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
        desk_one.keep(&done("a"));
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

    #[test]
    fn an_id_is_never_a_path() {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut desk, _orders) = desk(folder.path(), 4);
        let id = "../../../etc/cron.d/x";
        assert_eq!(desk.take(order(id)), None);
        desk.keep(&done(id));
        assert_eq!(desk.take(order(id)), Some(done(id)));
        assert_eq!(std::fs::read_dir(folder.path()).expect("there").count(), 1);
    }

    #[test]
    fn a_damaged_result_is_no_result() {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut desk, _orders) = desk(folder.path(), 4);
        desk.keep(&done("a"));
        let path = desk.path("a");
        std::fs::write(&path, [0xff; 40]).expect("writable");
        assert_eq!(desk.take(order("a")), None);
        assert!(desk.newest().is_empty());
    }
}
