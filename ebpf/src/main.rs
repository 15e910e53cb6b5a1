//! The kernel programs. They take what a hook gives and put records into rings; they never decide but where the agent told
//! them to stop an exec or drop a packet, and never wait.
//!
//! To be read in this order: `programs` (what hangs where), `identity` (who), `path` and `object` (which file), `emit` (the only way
//! out), `account` (the books), `agent` (whether there is one), `read` (the only reader of kernel and user memory).
#![no_std]
#![no_main]
// The barrier that keeps a bound where the verifier looks for it; see `read::bound`.
#![feature(asm_experimental_arch)]
// Adding in one instruction; see `number`.
#![feature(core_intrinsics)]
#![allow(internal_features, reason = "the compiler offers this target no other way to add and read at once")]

mod account;
mod agent;
mod emit;
mod filter;
mod frame;
mod identity;
mod name;
mod number;
mod object;
mod path;
mod programs;
mod read;
mod repeats;
mod scratch;
mod settings;
