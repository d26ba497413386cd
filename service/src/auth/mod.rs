//! The three ways to prove who calls: login headers of existing apps, EIP-4361 sessions, gateways' signatures.

pub mod gateway;
pub mod legacy;
pub mod session;
pub mod siwe;
