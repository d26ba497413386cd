//! Requests, registries, deposits and certificates: what people and other programs hand to us, and what we hand to
//! them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod certificate;
mod dealer;
mod decoders;
mod deposit;
mod directory;
mod exit;
mod registry;
mod request;
mod tamper;
mod vectors;
mod wire;
