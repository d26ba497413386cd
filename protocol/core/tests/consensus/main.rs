//! The consensus machine, input by input: tables of steps, one test per misbehaviour, certificates, wire bytes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod misbehaviour;
mod records;
mod steps;
mod support;
