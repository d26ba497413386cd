//! The contracts read from a real EVM (anvil), over real sockets. In `contracts.rs` they are the real ones. Elsewhere they are
//! doubles that emit whatever they are told to, and that includes logs that no contract should emit.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod actions;
mod anvil;
#[path = "../common/mod.rs"]
mod common;
mod contracts;
mod emit;
mod endpoints;
mod malformed;
mod proxy;
mod reorgs;
mod reshare;
mod status;
mod warm;
