//! Identities, wallets, addresses, tagged hashes, secrets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use cluster_crypto::ethereum::{
    keccak256, personal_message_digest, recover, recover_public_key, Address, EthereumError, RecoverableSignature,
    WalletKey,
};
use cluster_crypto::hash::TaggedHash;
use cluster_crypto::identity::{IdentityError, PublicKey, SecretKey, Signature};
use cluster_crypto::Secret;
use common::rng;
use sha2::{Digest, Sha256};

/// s of the other half: n - s, big-endian.
fn high_s(s: &[u8]) -> [u8; 32] {
    let order = hex::decode("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141").unwrap();
    let (mut high, mut borrow) = ([0u8; 32], 0i16);
    for i in (0..32).rev() {
        let digit = i16::from(order[i]) - i16::from(s[i]) - borrow;
        borrow = i16::from(digit < 0);
        high[i] = digit.rem_euclid(256) as u8;
    }
    high
}

#[test]
fn signatures_follow_rfc_6979() {
    let mut one = [0u8; 32];
    one[31] = 1;
    let key = SecretKey::from_bytes(&one).unwrap();
    let digest: [u8; 32] = Sha256::digest(b"Satoshi Nakamoto").into();
    let expected = "934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8\
                    2442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5";
    assert_eq!(hex::encode(key.sign(&digest).to_bytes()), expected);
    let generator = "0x0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
    assert_eq!(key.public_key().to_string(), generator);
    assert_eq!(generator.parse::<PublicKey>().unwrap(), key.public_key());
}

#[test]
fn signatures_verify_for_their_key_and_digest_alone_and_in_one_form_alone() {
    let (key, other) = (SecretKey::generate(&mut rng(1)), SecretKey::generate(&mut rng(2)));
    let digest = [7; 32];
    let signature = key.sign(&digest);
    assert_eq!(key.public_key().verify(&digest, &signature), Ok(()));
    assert_eq!(key.public_key().verify(&[8; 32], &signature), Err(IdentityError::Signature));
    assert_eq!(other.public_key().verify(&digest, &signature), Err(IdentityError::Signature));
    let mut malleated = signature.to_bytes();
    let high = high_s(&malleated[32..]);
    malleated[32..].copy_from_slice(&high);
    let malleated = Signature::from_bytes(&malleated).unwrap();
    assert_eq!(key.public_key().verify(&digest, &malleated), Err(IdentityError::Signature));
    let zero = Signature::from_bytes(&[0; 64]).unwrap();
    assert_eq!(key.public_key().verify(&digest, &zero), Err(IdentityError::Signature));
}

#[test]
fn keys_have_one_encoding() {
    for seed in 0..8 {
        let mut compact = SecretKey::generate(&mut rng(seed)).public_key().to_bytes();
        compact[0] = 5;
        assert_eq!(PublicKey::from_bytes(&compact), Err(IdentityError::PublicKey), "the x-only form of SEC 1");
    }
    let key = SecretKey::generate(&mut rng(3));
    let bytes = key.public_key().to_bytes();
    assert_eq!(PublicKey::from_bytes(&bytes).unwrap(), key.public_key());
    let uncompressed = WalletKey::from_bytes(&key.to_bytes().expose(|bytes| *bytes)).unwrap().public_key_uncompressed();
    assert_eq!(uncompressed[1..33], bytes[1..]);
    for refused in [&uncompressed[..], &bytes[..32], &[0; 33], &[0], &[]] {
        assert_eq!(PublicKey::from_bytes(refused).unwrap_err(), IdentityError::PublicKey);
    }
    for refused in [[0; 32], [0xff; 32]] {
        assert_eq!(SecretKey::from_bytes(&refused).unwrap_err(), IdentityError::SecretKey);
    }
    let text = serde_json::to_string(&key.public_key()).unwrap();
    assert_eq!(text, format!("\"{}\"", key.public_key()));
    assert_eq!(serde_json::from_str::<PublicKey>(&text).unwrap(), key.public_key());
    assert!(serde_json::from_str::<PublicKey>(&text.replace("0x", "")).is_err());
}

#[test]
fn addresses_carry_their_checksum() {
    // The examples of EIP-55.
    for text in [
        "0x52908400098527886E0F7030069857D2E4169EE7",
        "0xde709f2102306220921060314715629080e2fb77",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    ] {
        let address: Address = text.parse().unwrap();
        assert_eq!(address.to_string(), text);
        assert_eq!(text.to_lowercase().parse::<Address>().unwrap(), address);
        assert_eq!(serde_json::from_str::<Address>(&serde_json::to_string(&address).unwrap()).unwrap(), address);
    }
    let wrong = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1Beaed".parse::<Address>();
    assert_eq!(wrong.unwrap_err(), EthereumError::AddressChecksum);
    for malformed in ["", "0x", "5aaeb6053f3e94c9b9a09f33669435e7ef1beaed", "0x5aaeb6053f3e94c9b9a09f33669435e7ef1bea"]
    {
        assert_eq!(malformed.parse::<Address>().unwrap_err(), EthereumError::AddressHex);
    }
    assert!(Address([0; 20]).is_zero() && !Address([1; 20]).is_zero());
}

#[test]
fn wallets_sign_as_other_wallets_do() {
    assert_eq!(hex::encode(keccak256(b"")), "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
    assert_eq!(
        hex::encode(personal_message_digest(b"Hello World")),
        "a1de988600a42c4b4ab089b619297c17d53cffae5d5120d82d8a92d0bb3b78f2"
    );
    // The key of the example in EIP-155.
    let key = WalletKey::from_bytes(&[0x46; 32]).unwrap();
    assert_eq!(key.address().to_string(), "0x9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F");
    for text in 0..20u8 {
        let digest = personal_message_digest(&[text; 5]);
        let signature = key.sign_digest(&digest);
        assert!(matches!(signature.to_bytes()[64], 27 | 28));
        assert_eq!(recover(&digest, &signature).unwrap(), key.address());
        assert_eq!(recover_public_key(&digest, &signature).unwrap(), key.public_key_uncompressed());
        assert_ne!(recover(&[1; 32], &signature).ok(), Some(key.address()));
        assert_eq!(RecoverableSignature::from_bytes(&signature.to_bytes()).unwrap(), signature);
    }
}

#[test]
fn recoverable_signatures_have_one_form_and_both_conventions_of_v_are_read() {
    let signature = WalletKey::generate(&mut rng(4)).sign_digest(&[5; 32]);
    let mut bytes = signature.to_bytes();
    bytes[64] -= 27;
    assert_eq!(RecoverableSignature::from_bytes(&bytes).unwrap(), signature);
    for v in [2, 26, 29, 255] {
        bytes[64] = v;
        assert_eq!(RecoverableSignature::from_bytes(&bytes).unwrap_err(), EthereumError::RecoveryId);
    }
    bytes[64] = 27;
    let high = high_s(&bytes[32..64]);
    bytes[32..64].copy_from_slice(&high);
    assert_eq!(RecoverableSignature::from_bytes(&bytes).unwrap_err(), EthereumError::SignatureRange);
    assert_eq!(RecoverableSignature::from_bytes(&bytes[..64]).unwrap_err(), EthereumError::SignatureLength);
    let mut zero = [0; 65];
    zero[64] = 27;
    assert_eq!(RecoverableSignature::from_bytes(&zero).unwrap_err(), EthereumError::SignatureRange);
}

#[test]
fn tagged_hashes_separate_domains_fields_and_types() {
    let digests = [
        TaggedHash::new("a").finish(),
        TaggedHash::new("b").finish(),
        TaggedHash::new("a").bytes(b"").finish(),
        TaggedHash::new("a").bytes(b"xy").finish(),
        TaggedHash::new("a").bytes(b"x").bytes(b"y").finish(),
        TaggedHash::new("a").bytes(b"").bytes(b"xy").finish(),
        TaggedHash::new("a").u64(1).finish(),
        TaggedHash::new("a").bytes(&1u64.to_be_bytes()).finish(),
    ];
    for (i, digest) in digests.iter().enumerate() {
        assert!(!digests[..i].contains(digest), "{i}");
    }
}

#[test]
fn secrets_do_not_show_themselves() {
    let secret = Secret::new([0xab; 32]);
    assert_eq!(format!("{secret:?}"), "Secret([redacted])");
    assert!(secret.ct_eq(&Secret::new([0xab; 32])) && !secret.ct_eq(&Secret::new([0xac; 32])));
    for shown in [format!("{:?}", SecretKey::generate(&mut rng(5))), format!("{:?}", WalletKey::generate(&mut rng(5)))]
    {
        assert!(shown.ends_with("([redacted])"), "{shown}");
    }
}
