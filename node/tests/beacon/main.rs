//! Beacon nodes over HTTP: recorded answers of a real node, and everything that a node can do wrong.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod asking;
mod fake;
mod following;
mod health;
mod telling;
