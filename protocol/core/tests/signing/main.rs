//! The signing machine: honest committees over networks that fail, liars, and messages that no honest operator sends.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod committee;
mod honest;
mod liars;
mod messages;
mod random;
