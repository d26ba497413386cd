//! The signer: what it signs, what it refuses, and what its process survives.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod ceremony;
#[path = "../common/mod.rs"]
mod common;
mod local;
mod remote;
mod split;
mod support;
