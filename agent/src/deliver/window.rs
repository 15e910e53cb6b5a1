//! What was sent and is not yet acknowledged. Takes blocks as they are sent and acknowledgements; says whether more may be sent.
//! Keeps positions and sizes only: the bytes stay on disk until they are wanted again.

use std::collections::VecDeque;

/// The sender's place in one session.
#[derive(Debug)]
pub(super) struct Window {
    limit: u64,
    bytes: u64,
    sent: VecDeque<(u64, u64)>,
    /// Last position that was sent in this session, or where it resumed.
    pub(super) position: u64,
    /// Last position that was acknowledged.
    pub(super) acknowledged: u64,
}

impl Window {
    pub(super) fn new(limit: u64, resume_after: u64) -> Self {
        Self { limit, bytes: 0, sent: VecDeque::new(), position: resume_after, acknowledged: resume_after }
    }

    /// Whether there is room. One block is always let through, also where it is larger than the window.
    pub(super) fn is_open(&self) -> bool {
        self.bytes < self.limit
    }

    /// Whether something waits for its acknowledgement.
    pub(super) fn is_waiting(&self) -> bool {
        !self.sent.is_empty()
    }

    pub(super) fn sent(&mut self, last_position: u64, bytes: u64) {
        self.position = self.position.max(last_position);
        self.sent.push_back((last_position, bytes));
        self.bytes += bytes;
    }

    /// Takes an acknowledgement; says whether it is news. One of a position that was never sent counts up to the last one sent.
    pub(super) fn acknowledge(&mut self, position: u64) -> bool {
        let position = position.min(self.position);
        while let Some((last, bytes)) = self.sent.front()
            && *last <= position
        {
            self.bytes -= bytes;
            self.sent.pop_front();
        }
        let news = position > self.acknowledged;
        self.acknowledged = self.acknowledged.max(position);
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_window_opens_with_an_acknowledgement() {
        let mut window = Window::new(100, 0);
        window.sent(10, 60);
        assert!(window.is_open());
        window.sent(20, 60);
        assert!(!window.is_open());
        window.acknowledge(9);
        assert!(!window.is_open(), "no whole block is acknowledged yet");
        assert!(window.acknowledge(10));
        assert!(window.is_open());
    }

    #[test]
    fn an_acknowledgement_of_what_was_never_sent_is_cut() {
        let mut window = Window::new(100, 5);
        window.sent(10, 10);
        assert!(window.acknowledge(u64::MAX));
        assert_eq!((window.acknowledged, window.is_waiting()), (10, false));
        assert!(!window.acknowledge(7), "an old one is no news");
    }
}
