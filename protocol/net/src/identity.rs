//! The registered key of an operator or gateway is its libp2p identity.
//!
//! A libp2p peer id of a secp256k1 key holds the key itself (its protobuf is shorter than 42 bytes, so the multihash
//! is the identity hash). The two conversions are therefore inverse to each other, and a peer id needs no look-up to
//! become a registry entry.

use cluster_crypto::identity::{PublicKey, SecretKey};
use libp2p::identity::{secp256k1, Keypair};
use libp2p::PeerId;

/// Why a key does not convert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// libp2p refuses the key bytes.
    #[error("libp2p refuses the key")]
    Refused,
    /// The peer id does not hold a secp256k1 key.
    #[error("the peer id does not hold a secp256k1 key")]
    NotSecp256k1,
}

/// The libp2p key pair of an identity key.
pub fn keypair(secret: &SecretKey) -> Result<Keypair, IdentityError> {
    let key = secret.to_bytes().expose(|bytes| {
        // libp2p wipes the buffer that it reads from.
        let mut copy = *bytes;
        secp256k1::SecretKey::try_from_bytes(&mut copy)
    });
    key.map(|key| secp256k1::Keypair::from(key).into()).map_err(|_| IdentityError::Refused)
}

/// The peer id of a registered key.
pub fn peer_id(public: &PublicKey) -> Result<PeerId, IdentityError> {
    let key = secp256k1::PublicKey::try_from_bytes(&public.to_bytes()).map_err(|_| IdentityError::Refused)?;
    Ok(libp2p::identity::PublicKey::from(key).to_peer_id())
}

/// The key inside of a peer id.
pub fn public_key(peer: &PeerId) -> Result<PublicKey, IdentityError> {
    const IDENTITY_HASH: u64 = 0;
    let multihash: &libp2p::multihash::Multihash<64> = peer.as_ref();
    if multihash.code() != IDENTITY_HASH {
        return Err(IdentityError::NotSecp256k1);
    }
    let key = libp2p::identity::PublicKey::try_decode_protobuf(multihash.digest())
        .map_err(|_| IdentityError::NotSecp256k1)?;
    let key = key.try_into_secp256k1().map_err(|_| IdentityError::NotSecp256k1)?;
    PublicKey::from_bytes(&key.to_bytes()).map_err(|_| IdentityError::NotSecp256k1)
}
