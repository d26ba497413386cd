//! The chain as the contracts tell it: decoding, facts, and the follower over a chain that changes its mind.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod abi;
mod double;
mod events;
mod facts;
mod follower;
mod reorgs;
mod requests;
