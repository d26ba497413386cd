//! Deposit data checked by the launchpad's rules, from the specification alone: SHA-256 for the roots, and none of
//! `cluster_core::deposit`.

use std::path::Path;
use std::process::Command;

use cluster_core::network::Network;
use cluster_crypto::bls;
use cluster_crypto::ethereum::Address;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Genesis fork version and name, as the networks publish them.
fn published(network: Network) -> ([u8; 4], &'static str) {
    match network {
        Network::Mainnet => ([0, 0, 0, 0], "mainnet"),
        Network::Hoodi => ([0x10, 0, 0x09, 0x10], "hoodi"),
    }
}

/// Checks every field of every entry; returns the public keys, hex without 0x.
pub fn check(deposit_data: &str, network: Network, withdrawal_address: Address) -> Result<Vec<String>, String> {
    let entries: Vec<Value> = serde_json::from_str(deposit_data).map_err(|error| error.to_string())?;
    entries.iter().map(|entry| check_entry(entry, network, withdrawal_address)).collect()
}

fn check_entry(entry: &Value, network: Network, withdrawal_address: Address) -> Result<String, String> {
    let (fork_version, name) = published(network);
    let pubkey = unhex::<48>(entry, "pubkey")?;
    let signature = unhex::<96>(entry, "signature")?;
    let mut credentials = [0u8; 32];
    credentials[0] = 1;
    credentials[12..].copy_from_slice(&withdrawal_address.0);
    let amount: u64 = 32_000_000_000;
    let amount_leaf = leaf(&amount.to_le_bytes());
    let pubkey_root = merkle(&[leaf(&pubkey[..32]), leaf(&pubkey[32..])]);
    let message_root = merkle(&[pubkey_root, credentials, amount_leaf, [0; 32]]);
    let signature_root = merkle(&[leaf(&signature[..32]), leaf(&signature[32..64]), leaf(&signature[64..]), [0; 32]]);
    let data_root = merkle(&[pubkey_root, credentials, amount_leaf, signature_root]);
    let fork_data_root = merkle(&[leaf(&fork_version), [0; 32]]);
    let mut domain = [0u8; 32];
    domain[0] = 3;
    domain[4..].copy_from_slice(&fork_data_root[..28]);
    let signing_root = merkle(&[message_root, domain]);

    let expect = |field: &str, expected: Value| match &entry[field] {
        found if *found == expected => Ok(()),
        found => Err(format!("{field}: expected {expected}, found {found}")),
    };
    expect("withdrawal_credentials", hex::encode(credentials).into())?;
    expect("amount", amount.into())?;
    expect("deposit_message_root", hex::encode(message_root).into())?;
    expect("deposit_data_root", hex::encode(data_root).into())?;
    expect("fork_version", hex::encode(fork_version).into())?;
    expect("network_name", name.into())?;
    let fields = entry.as_object().map_or(0, serde_json::Map::len);
    if fields != 9 || entry["deposit_cli_version"].as_str().unwrap_or_default().is_empty() {
        return Err(format!("{fields} fields, expected 9 with deposit_cli_version"));
    }
    let key = bls::PublicKey::from_bytes(&pubkey).map_err(|error| format!("pubkey: {error}"))?;
    let signed = bls::Signature::from_bytes(&signature).map_err(|error| format!("signature: {error}"))?;
    if !bls::verify(&key, &bls::HashedMessage::new(&signing_root), &signed) {
        return Err("signature: not by pubkey on this deposit".to_owned());
    }
    Ok(hex::encode(pubkey))
}

fn unhex<const N: usize>(entry: &Value, field: &str) -> Result<[u8; N], String> {
    let text = entry[field].as_str().ok_or_else(|| format!("{field} is missing"))?;
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).map_err(|error| format!("{field}: {error}"))?;
    Ok(bytes)
}

fn leaf(bytes: &[u8]) -> [u8; 32] {
    let mut leaf = [0; 32];
    leaf[..bytes.len()].copy_from_slice(bytes);
    leaf
}

/// The root of a power of two of leaves.
fn merkle(leaves: &[[u8; 32]]) -> [u8; 32] {
    match leaves {
        [root] => *root,
        _ => {
            let (left, right) = leaves.split_at(leaves.len() / 2);
            Sha256::new().chain_update(merkle(left)).chain_update(merkle(right)).finalize().into()
        }
    }
}

/// Lets the Python verifier judge, where Python has py_ecc: `CLUSTER_PYTHON`, `testnet/verify/venv`, or `python3`.
pub fn check_with_python(file: &Path, network: Network, withdrawal_address: Address) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("verify");
    let chosen = std::env::var("CLUSTER_PYTHON").ok();
    let candidates =
        chosen.into_iter().chain([folder.join("venv/bin/python3").display().to_string(), "python3".to_owned()]);
    let has_library = |python: &String| {
        let asked = Command::new(python).args(["-c", "import py_ecc"]).output();
        asked.is_ok_and(|answer| answer.status.success())
    };
    let Some(python) = candidates.into_iter().find(has_library) else {
        eprintln!("no Python with py_ecc: the independent verifier was not asked; see testnet/verify/README.md");
        return;
    };
    let asked = Command::new(python)
        .arg(folder.join("deposit_verifier.py"))
        .args(["--network", network.name(), "--withdrawal-address", &withdrawal_address.to_string()])
        .arg(file)
        .output()
        .expect("Python starts");
    let said = String::from_utf8_lossy(&asked.stdout);
    assert!(asked.status.success(), "the independent verifier refuses {}: {said}", file.display());
}
