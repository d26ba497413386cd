//! What the app checks before an owner pays anything: the same code as the operators', the gateway's, the service's and
//! `cluster-node verify`, compiled to WebAssembly, so that a service that lies is found out in the owner's browser.
//!
//! `check` holds the checks, in an order in which a person would make them; this file only carries text in and out.

mod check;
mod reshare;

pub use check::{Check, Expected, Outcome, Verifier};
pub use reshare::{ReshareVerifier, Takeover};

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::JsError;

/// A verification that goes on step by step, so that a page can show how far it is.
#[wasm_bindgen(js_name = Verification)]
#[derive(Debug)]
pub struct Verification {
    verifier: Verifier,
}

#[wasm_bindgen(js_class = Verification)]
impl Verification {
    /// Takes what the service gave out and what the owner expects.
    ///
    /// `certificate` is `certificate.json`, `deposit_data` the launchpad's array, `expected` the JSON of [`Expected`]. Errors name
    /// the field that cannot be read.
    #[wasm_bindgen(constructor)]
    pub fn new(certificate: &str, deposit_data: &str, expected: &str) -> Result<Verification, JsError> {
        let verifier = Verifier::new(certificate, deposit_data, expected).map_err(|problem| JsError::new(&problem))?;
        Ok(Verification { verifier })
    }

    /// Number of deposits, for [`Verification::deposits`].
    #[wasm_bindgen(getter)]
    pub fn deposit_count(&self) -> usize {
        self.verifier.deposit_count()
    }

    /// Compares with what the owner asked for: JSON of a list of [`Outcome`].
    pub fn request(&self) -> String {
        json(&self.verifier.request())
    }

    /// Verifies the certificate in full: JSON of a list of [`Outcome`]. `seed` has 32 fresh random bytes; they draw the coefficients of
    /// the batch checks, which whoever made the certificate must not foresee.
    pub fn certificate(&self, seed: &[u8]) -> Result<String, JsError> {
        Ok(json(&self.verifier.certificate(&mut rng(seed)?)))
    }

    /// Verifies `count` deposits from position `first` on: JSON of the first [`Outcome`] that is wrong, or of one that is right.
    pub fn deposits(&self, first: usize, count: usize) -> String {
        json(&self.verifier.deposits(first, count))
    }

    /// The verified keys in order, 0x hex: JSON of a list.
    pub fn pubkeys(&self) -> String {
        json(&self.verifier.pubkeys())
    }
}

/// The address of Lido's withdrawal vault on the chain with this id; nothing on a chain that the software does not know.
#[wasm_bindgen]
pub fn lido_withdrawal_vault(chain_id: u64) -> Option<String> {
    let network = cluster_core::network::Network::from_chain_id(chain_id)?;
    Some(network.lido_withdrawal_vault().to_string())
}

/// The ceremony that a signed request starts: 0x hex. `request` is the JSON of an owner's request.
#[wasm_bindgen]
pub fn ceremony_id(request: &str) -> Result<String, JsError> {
    let request: cluster_core::request::Request =
        serde_json::from_str(request).map_err(|error| JsError::new(&error.to_string()))?;
    Ok(request.ceremony_id_when_signed().to_string())
}

/// What a reshare of a ceremony takes over: JSON of a [`Takeover`], after its certificate was verified in full. `seed` has 32 fresh
/// random bytes.
#[wasm_bindgen]
pub fn takeover(
    certificate: &str,
    chain_id: u64,
    owner: &str,
    ceremony_id: &str,
    seed: &[u8],
) -> Result<String, JsError> {
    let takeover = Takeover::of(certificate, chain_id, owner, ceremony_id, &mut rng(seed)?);
    takeover.map(|takeover| json(&takeover)).map_err(|problem| JsError::new(&problem))
}

/// Verifies the certificate of a reshare against that of the ceremony before and what the owner expects: JSON of a list of
/// [`Outcome`]. `seed` has 32 fresh random bytes.
#[wasm_bindgen]
pub fn verify_reshare(certificate: &str, previous: &str, expected: &str, seed: &[u8]) -> Result<String, JsError> {
    let mut rng = rng(seed)?;
    let verifier = ReshareVerifier::new(certificate, previous, expected).map_err(|problem| JsError::new(&problem))?;
    Ok(json(&verifier.outcomes(&mut rng)))
}

fn rng(seed: &[u8]) -> Result<ChaCha20Rng, JsError> {
    let seed = <[u8; 32]>::try_from(seed).map_err(|_| JsError::new("the seed must have 32 bytes"))?;
    Ok(ChaCha20Rng::from_seed(seed))
}

fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
