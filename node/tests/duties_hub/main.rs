//! Hubs of a committee of four: over a mesh in memory with virtual time, and over real sockets on one machine.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod agree;
mod bounds;
mod sign;
mod sockets;
mod world;
