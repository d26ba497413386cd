//! Curves, polynomials, threshold signatures and sealing of shares.
//!
//! This crate holds every cryptographic operation of the system and nothing else: no protocol, no IO, no
//! clock. Randomness is always an argument. It is the only crate that calls blst.
//!
//! | module | what it is for |
//! | --- | --- |
//! | [`identity`], [`ethereum`] | secp256k1 keys of operators, gateways and wallets |
//! | [`bls`] | validator keys and their signatures (the Ethereum ciphersuite) |
//! | [`polynomial`], [`feldman`], [`proof`] | the arithmetic of distributed key generation, vectorised over K keys |
//! | [`reshare`] | sums of dealings that carry shares over to another committee |
//! | [`threshold`] | partial signatures and their combination |
//! | [`seal`] | encryption of shares, and the evidence when a share does not open |
//! | [`keystore`] | EIP-2335 files |
//! | [`hash`], [`secret`] | domain-separated hashing; the wrapper every secret lives in |
//!
//! Secrets are redacted in `Debug`, overwritten on drop, and have no `Serialize`. Operations on secret
//! scalars take a time that does not depend on them; operations on public points need not.

#![deny(unsafe_code)]

pub mod bls;
mod curve;
pub mod ethereum;
pub mod feldman;
pub mod hash;
mod hex_bytes;
pub mod identity;
pub mod keystore;
mod params;
pub mod polynomial;
#[doc(hidden)]
pub mod primitives;
pub mod proof;
pub mod reshare;
pub mod seal;
pub mod secret;
pub mod share_keys;
pub mod threshold;

pub use params::{ShareIndex, Threshold, ThresholdError};
pub use secret::{Secret, SecretSeed};
