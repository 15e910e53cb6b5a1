//! The node agent, one more provider: what it is ordered to do and what it says came of it.

pub mod contain;
