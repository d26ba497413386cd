//! The bodies of the fuzz targets: each hands bytes from outside to a decoder, and whatever decodes to the code that
//! judges it. None may panic, whatever the bytes.
//!
//! The same bodies run under cargo-fuzz (`fuzz/fuzz_targets`) and, bounded, in `make test` (`tests/garbage.rs`).
//! Assertions in them are what must hold beyond not panicking: above all, what decodes encodes to the same bytes again.

// A broken assertion is what fuzzing looks for, and fixtures are made by our own code.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod beacon_containers;
pub mod certificate;
pub mod certificate_json;
pub mod chain_log;
pub mod chain_spec;
pub mod config;
pub mod dealing_parts;
pub mod dkg_machine;
pub mod dkg_message;
pub mod evidence;
pub mod gossip;
pub mod http;
pub mod interchange;
pub mod journal;
pub mod keys;
pub mod keystore;
pub mod mutate;
pub mod net;
pub mod registry;
pub mod request;
pub mod siwe;
mod world;

/// One target.
#[derive(Clone, Copy)]
pub struct Target {
    /// The name of the fuzz target.
    pub name: &'static str,
    /// Feeds it.
    pub feed: fn(&[u8]),
    /// Genuine inputs, where mutation starts from.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

macro_rules! targets {
    ($($name:ident),* $(,)?) => {
        /// Every target, in the order of the alphabet.
        pub const TARGETS: &[Target] =
            &[$(Target { name: stringify!($name), feed: $name::target, seeds: $name::seeds }),*];
    };
}

targets!(
    beacon_containers,
    certificate,
    certificate_json,
    chain_log,
    chain_spec,
    config,
    dealing_parts,
    dkg_machine,
    dkg_message,
    evidence,
    gossip,
    http,
    interchange,
    journal,
    keys,
    keystore,
    net,
    registry,
    request,
    siwe,
);
