//! A finished ceremony of four operators for one validator: the source of all genuine inputs.

use std::sync::{Arc, OnceLock};

use cluster_core::{
    certificate::Contribution,
    dkg::{Body, Dealing, Message, Signed},
    recording::Recording,
    simulation::START,
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

/// Bytes of a dkg message at most, as on the wire.
pub const MESSAGE_LIMIT: usize = cluster_net::limits::DKG_REQUEST_BYTES;

/// Unix seconds at which the request is valid.
pub const NOW_S: u64 = START.seconds();

pub fn world() -> &'static Recording {
    static WORLD: OnceLock<Recording> = OnceLock::new();
    WORLD.get_or_init(|| Recording::new(4, 1, 1).expect("four operators make one key"))
}

pub fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(0)
}

/// All statements that the operator received, each signed by its author.
pub fn statements() -> Vec<Arc<Signed>> {
    let messages = world().received.iter().filter_map(|(_, bytes)| Message::decode(bytes, MESSAGE_LIMIT).ok());
    let signed = messages.filter_map(|message| match message {
        Message::Deliver(signed) => Some(signed),
        _ => None,
    });
    signed.collect()
}

/// A dealing that one of the other operators made.
pub fn dealing() -> Arc<Dealing> {
    let dealing = statements().iter().find_map(|signed| match &signed.body {
        Body::Deal(dealing) => Some(Arc::clone(dealing)),
        _ => None,
    });
    dealing.expect("every operator deals")
}

/// What one operator hands to a gateway.
pub fn contribution() -> Contribution {
    let certificate = &world().certificate;
    Contribution { transcript: certificate.transcript.clone(), attestation: certificate.attestations[0].clone() }
}

/// What decodes is the only encoding of its value, but for the recovery id of a wallet's signature: 0 and 1, as some
/// wallets write, are read as 27 and 28.
pub fn assert_same(encoded: &[u8], data: &[u8]) {
    let same = |(encoded, data): (&u8, &u8)| encoded == data || (*data <= 1 && *encoded == data + 27);
    assert_eq!(encoded.len(), data.len());
    assert!(encoded.iter().zip(data).all(same), "{} was read as {}", hex::encode(data), hex::encode(encoded));
}
