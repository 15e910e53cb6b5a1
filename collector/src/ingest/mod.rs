//! How a node's log comes in. A session ([`session`]) takes blocks; [`admit`] says what is new in them; the store makes them durable;
//! only then they are acknowledged. [`translate`] gives judgement its words. Orders go out by [`orders`], captures come in by
//! [`captures`].

pub mod admit;
pub mod captures;
pub mod orders;
pub mod server;
pub mod session;
pub mod translate;
mod translate_body;
mod translate_file;
mod translate_kernel;
mod translate_network;
mod translate_privilege;
pub mod wire;
