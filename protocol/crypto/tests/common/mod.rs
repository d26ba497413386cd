//! What several tests share.
#![allow(dead_code)]

use std::path::PathBuf;

use cluster_crypto::primitives::{g1_uncompress, g2_uncompress};
use cluster_crypto::Threshold;
use rand_chacha::rand_core::SeedableRng;
use rand_chacha::ChaCha20Rng;
use serde_json::Value;

/// The four sizes of a committee.
pub const SIZES: [usize; 4] = [4, 7, 10, 13];

pub fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

pub fn threshold(n: usize) -> Threshold {
    Threshold::for_operators(n).unwrap()
}

/// A file or folder below `vectors/`.
pub fn vectors(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../vectors").join(name)
}

pub fn read_json(path: PathBuf) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Name and content of every case in a folder, sorted.
pub fn cases(folder: &str) -> Vec<(String, Value)> {
    let mut cases: Vec<_> = std::fs::read_dir(vectors(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), read_json(path)))
        .collect();
    cases.sort_by(|a, b| a.0.cmp(&b.0));
    cases
}

/// Hex text with or without 0x.
pub fn unhex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    hex::decode(text.strip_prefix("0x").unwrap_or(text)).unwrap()
}

pub fn unhex_array<const N: usize>(value: &Value) -> [u8; N] {
    unhex(value).try_into().unwrap()
}

/// A compressed G1 point in hex, as uncompressed bytes.
pub fn g1(value: &Value) -> [u8; 96] {
    g1_uncompress(&unhex_array(value)).unwrap()
}

/// A compressed G2 point in hex, as uncompressed bytes.
pub fn g2(value: &Value) -> [u8; 192] {
    g2_uncompress(&unhex_array(value)).unwrap()
}

/// The points outside the subgroup of `group`, uncompressed, except those that the decoder already refuses.
pub fn outside_subgroup(group: &str) -> Vec<Value> {
    let all = read_json(vectors("subgroup-generated/not_in_subgroup.json"));
    all.as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["group"] == group)
        .map(|entry| entry["compressed"].clone())
        .collect()
}
