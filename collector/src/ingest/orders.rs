//! Orders to nodes and the results that come back. An order waits here until its node is connected and has answered, or until its time is
//! over; a node that comes back gets the waiting ones again. Two sessions of one node: the newer one is the node.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prost::Message;
use proto::v1::{Order, OrderResult};
use tokio::sync::{mpsc, oneshot};

use crate::clock::Clock;
use crate::store::state::{OrderRow, State, StateError};

/// Orders that wait for one node. More than this many at once is a mistake of ours.
pub const WAITING: usize = 256;

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// The node did not answer in time. It may still do it: the order's own `not_after_ns` bounds that.
    #[error("node {node} did not answer order {order} within {seconds} s")]
    Late {
        /// The node.
        node: String,
        /// The order.
        order: String,
        /// How long was waited.
        seconds: u64,
    },
    /// Too many orders wait for this node.
    #[error("{WAITING} orders wait for node {0} already")]
    Full(String),
    /// The order could not be kept, so it was not sent.
    #[error("keep order {order}")]
    State {
        /// The order.
        order: String,
        /// Why not.
        #[source]
        cause: StateError,
    },
}

/// The way to all nodes. Cheap to clone.
#[derive(Clone, Debug)]
pub struct NodeOrders {
    nodes: Arc<Mutex<HashMap<String, Queue>>>,
    is_closed: Arc<AtomicBool>,
    state: State,
    clock: Clock,
}

#[derive(Debug, Default)]
struct Queue {
    /// By the order's id: what waits, and who for.
    waiting: BTreeMap<String, (Order, Vec<oneshot::Sender<OrderResult>>)>,
    session: Option<(u64, mpsc::Sender<Order>)>,
    sessions: u64,
}

/// What a session holds of its node. A newer session closes the older one's `orders`.
#[derive(Debug)]
pub struct Attached {
    /// The node.
    pub node: String,
    /// Which session of the node this is.
    pub number: u64,
    /// Orders to send; closed when a newer session took over.
    pub orders: mpsc::Receiver<Order>,
}

impl NodeOrders {
    /// No node is connected yet.
    pub fn new(state: State, clock: Clock) -> Self {
        Self { nodes: Arc::default(), is_closed: Arc::default(), state, clock }
    }

    /// Sends an order and waits for its result. The order is kept before it is sent; one whose result is known is not sent again.
    pub async fn send(&self, node: &str, order: Order, within: Duration) -> Result<OrderResult, OrderError> {
        let keep = |cause| OrderError::State { order: order.id.clone(), cause };
        let row = OrderRow {
            id: order.id.clone(),
            node: node.to_owned(),
            case_id: order.case_id.clone(),
            sent_ns: self.clock.now_ns(),
            wire: order.encode_to_vec(),
            result: None,
        };
        self.state.put_order(&row).await.map_err(keep)?;
        let known = self.state.order(&order.id).await.map_err(keep)?.and_then(|row| row.result);
        if let Some(result) = known.and_then(|result| OrderResult::decode(&result[..]).ok()) {
            return Ok(result);
        }
        let answer = self.queue(node, &order)?;
        if let Ok(Ok(result)) = tokio::time::timeout(within, answer).await {
            return Ok(result);
        }
        self.forget(node, &order.id);
        Err(OrderError::Late { node: node.to_owned(), order: order.id, seconds: within.as_secs() })
    }

    /// Whether a session of this node is open now.
    pub fn is_connected(&self, node: &str) -> bool {
        let nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        nodes.get(node).is_some_and(|queue| queue.session.is_some())
    }

    /// A session begins: it gets everything that waits, and the one before it ends.
    pub fn attach(&self, node: &str) -> Attached {
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = nodes.entry(node.to_owned()).or_default();
        // Room for everything that can wait, so that `try_send` fails only where the session is gone.
        let (send, orders) = mpsc::channel(WAITING);
        for (order, _) in queue.waiting.values() {
            drop(send.try_send(order.clone()));
        }
        queue.sessions += 1;
        queue.session = (!self.is_closed()).then_some((queue.sessions, send));
        Attached { node: node.to_owned(), number: queue.sessions, orders }
    }

    /// The collector stops: every session ends, and none begins.
    pub fn close(&self) {
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        self.is_closed.store(true, Ordering::Relaxed);
        nodes.values_mut().for_each(|queue| queue.session = None);
    }

    /// Whether the collector stops.
    pub fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Relaxed)
    }

    /// A session ends, if it is still the newest.
    pub fn detach(&self, node: &str, number: u64) {
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(queue) = nodes.get_mut(node)
            && queue.session.as_ref().is_some_and(|(newest, _)| *newest == number)
        {
            queue.session = None;
        }
    }

    /// A result came. It is kept before anybody hears of it. An unknown order's result is nobody's.
    pub async fn finish(&self, node: &str, result: OrderResult) -> Result<(), StateError> {
        let is_its = self.state.order(&result.order_id).await?.is_some_and(|row| row.node == node);
        if !is_its {
            tracing::warn!(node, order = result.order_id, "a result of an order that this node was not given");
            return Ok(());
        }
        self.state.put_order_result(&result.order_id, &result.encode_to_vec()).await?;
        let waiting = {
            let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
            nodes.get_mut(node).and_then(|queue| queue.waiting.remove(&result.order_id))
        };
        for reply in waiting.into_iter().flat_map(|(_, replies)| replies) {
            // Whoever waited may have given up; the result is kept.
            drop(reply.send(result.clone()));
        }
        Ok(())
    }

    fn queue(&self, node: &str, order: &Order) -> Result<oneshot::Receiver<OrderResult>, OrderError> {
        let (reply, answer) = oneshot::channel();
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = nodes.entry(node.to_owned()).or_default();
        if queue.waiting.len() >= WAITING {
            return Err(OrderError::Full(node.to_owned()));
        }
        let (_, replies) = queue.waiting.entry(order.id.clone()).or_insert_with(|| (order.clone(), Vec::new()));
        replies.push(reply);
        if let Some((_, session)) = &queue.session {
            // A session that is gone leaves the order waiting for the next one.
            drop(session.try_send(order.clone()));
        }
        Ok(answer)
    }

    fn forget(&self, node: &str, order: &str) {
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(queue) = nodes.get_mut(node)
            && let Some((_, replies)) = queue.waiting.get_mut(order)
        {
            replies.retain(|reply| !reply.is_closed());
            if replies.is_empty() {
                queue.waiting.remove(order);
            }
        }
    }
}
