//! Keys and signatures: secp256k1 and BLS, bytes and text.

use cluster_crypto::{
    bls,
    ethereum::{recover, recover_public_key, Address, RecoverableSignature},
    identity,
};

use crate::world::{contribution, world};

/// Reads the bytes, and the text, as every kind of key and signature.
pub fn target(data: &[u8]) {
    let same = |encoded: &[u8]| assert_eq!(encoded, data);
    if let Ok(key) = bls::PublicKey::from_bytes(data) {
        same(&key.to_bytes());
        let message = bls::HashedMessage::new(b"message");
        let signature = contribution().transcript.validators[0].deposit_signature;
        assert!(!bls::verify(&key, &message, &signature));
    }
    let _ = bls::Signature::from_bytes(data).map(|signature| same(&signature.to_bytes()));
    let signature = identity::Signature::from_bytes(data);
    let _ = signature.map(|signature| same(&signature.to_bytes()));
    if let Ok(key) = identity::PublicKey::from_bytes(data) {
        same(&key.to_bytes());
        let peer = cluster_net::identity::peer_id(&key).expect("every key is a peer");
        assert_eq!(cluster_net::identity::public_key(&peer), Ok(key));
    }
    if let Ok(peer) = libp2p::PeerId::from_bytes(data) {
        let _ = cluster_net::identity::public_key(&peer);
    }
    if let Ok(signature) = RecoverableSignature::from_bytes(data) {
        let _ = (recover(&[1; 32], &signature), recover_public_key(&[2; 32], &signature));
    }
    if let Ok(bytes) = <[u8; 32]>::try_from(data) {
        let _ = identity::SecretKey::from_bytes(&bytes).map(|secret| secret.public_key());
        let _ = bls::SecretKey::from_bytes(&bytes).map(|secret| secret.public_key());
    }
    if let Ok(text) = std::str::from_utf8(data) {
        read_text(text);
    }
}

fn read_text(text: &str) {
    if let Ok(address) = text.parse::<Address>() {
        assert!(address.to_string().eq_ignore_ascii_case(text));
    }
    if let Ok(key) = text.parse::<identity::PublicKey>() {
        assert!(key.to_string().trim_start_matches("0x").eq_ignore_ascii_case(text.trim_start_matches("0x")));
    }
    let quoted = serde_json::to_string(text).expect("a text");
    let _ = serde_json::from_str::<bls::PublicKey>(&quoted);
    let _ = serde_json::from_str::<bls::Signature>(&quoted);
    let _ = serde_json::from_str::<identity::Signature>(&quoted);
    let _ = serde_json::from_str::<RecoverableSignature>(&quoted);
    let _ = cluster_service::hex::parse_address(text);
    let _ = cluster_service::hex::normalized::<48>(text);
}

/// One of each.
pub fn seeds() -> Vec<Vec<u8>> {
    let key = world().identities[&world().me].public_key();
    let (request, validator) = (world().request.signed(), contribution().transcript.validators[0].clone());
    vec![
        key.to_bytes().to_vec(),
        key.to_string().into_bytes(),
        cluster_net::identity::peer_id(&key).expect("a peer").to_bytes(),
        world().identities[&world().me].sign(&[3; 32]).to_bytes().to_vec(),
        validator.pubkey.to_bytes().to_vec(),
        format!("0x{}", hex::encode(validator.pubkey.to_bytes())).into_bytes(),
        validator.deposit_signature.to_bytes().to_vec(),
        request.origin.signature().expect("signed").to_bytes().to_vec(),
        request.request.owner.to_string().into_bytes(),
        vec![8; 32],
        // Once taken for the key 02ff..: another encoding of it.
        [&[5; 1], &[0xff; 10][..], &[0x30, 0x58], &[0xff; 20]].concat(),
    ]
}
