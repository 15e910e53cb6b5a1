//! The agent's parts, along the way of one event; `main` puts them together.

pub mod decode;

pub mod origin;
