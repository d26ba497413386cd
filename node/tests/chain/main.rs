//! The contracts read from a real EVM (anvil), over real sockets. The contracts are doubles that emit whatever they are told
//! to: what matters here is the way from a log to a fact, and that includes logs that no contract should emit.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod anvil;
mod emit;
mod endpoints;
mod malformed;
mod proxy;
mod reorgs;
mod warm;
