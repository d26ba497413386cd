//! Containers of the beacon chain from beacon nodes and, as values to agree on, from other operators.

use cluster_core::beacon::{
    AggregateAndProof, Attestation, ContributionAndProof, Fork, Preset, Proposal, Signed, SyncCommitteeContribution,
};
use cluster_core::encoding::{decode, encode};
use serde_json::Value;

use crate::world::assert_same;

const KINDS: u8 = 5;
const LIMIT: usize = 1 << 20;

/// The first byte chooses preset, fork, whether blinded, and the kind.
pub fn target(data: &[u8]) {
    let Some((choice, bytes)) = data.split_first() else { return };
    let preset = if choice & 1 == 0 { Preset::Mainnet } else { Preset::Minimal };
    let fork = if choice & 2 == 0 { Fork::Electra } else { Fork::Fulu };
    let blinded = choice & 4 != 0;
    match (choice >> 3) % KINDS {
        0 => {
            if let Ok(attestation) = Attestation::from_ssz(bytes, preset) {
                assert!(attestation.check(preset).is_ok());
                assert_same(&attestation.ssz(), bytes);
                let _ = (attestation.root(preset), attestation.participants());
            }
        }
        1 => inspect(
            &Proposal { fork, blinded, block: bytes.to_vec(), kzg_proofs: Vec::new(), blobs: Vec::new() },
            preset,
        ),
        2 => {
            if let Ok(proposal) = Proposal::from_contents_ssz(fork, blinded, bytes) {
                inspect(&proposal, preset);
            }
        }
        3 => {
            if let Ok(proposal) = Proposal::from_contents_json(preset, fork, blinded, bytes) {
                inspect(&proposal, preset);
            }
        }
        _ => values(bytes, preset),
    }
}

/// A block that is understood is published in the bytes that were looked at.
fn inspect(proposal: &Proposal, preset: Preset) {
    match proposal.inspect(preset) {
        Ok(summary) => {
            let contents = proposal.signed_contents_ssz(&[7; 96]);
            let at = if proposal.blinded { 100 } else { 112 };
            assert_same(&contents[at..at + proposal.block.len()], &proposal.block);
            let _ = summary.header.root();
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// The binary encoding, and JSON.
fn values(bytes: &[u8], preset: Preset) {
    if let Ok(proposal) = decode::<Proposal>(bytes, LIMIT) {
        assert_same(&encode(&proposal), bytes);
        inspect(&proposal, preset);
    }
    if let Ok(signed) = decode::<Signed<AggregateAndProof>>(bytes, LIMIT) {
        assert_same(&encode(&signed), bytes);
        let _ = (signed.message.root(preset), signed.ssz(), signed.message.aggregate.check(preset));
    }
    if let Ok(contribution) = decode::<SyncCommitteeContribution>(bytes, LIMIT) {
        assert_same(&encode(&contribution), bytes);
        let _ = (contribution.root(preset), contribution.ssz(), contribution.check(preset));
    }
    if let Ok(signed) = serde_json::from_slice::<Signed<AggregateAndProof>>(bytes) {
        let _ = (signed.message.root(preset), signed.ssz(), signed.message.aggregate.check(preset));
    }
    if let Ok(message) = serde_json::from_slice::<ContributionAndProof>(bytes) {
        let _ = (message.root(preset), message.ssz(), message.contribution.check(preset));
    }
}

/// Blocks and aggregates of a client's types, of either preset, in every form.
pub fn seeds() -> Vec<Vec<u8>> {
    let vectors = [
        (0, include_str!("../../../vectors/lodestar-generated/mainnet.json")),
        (1, include_str!("../../../vectors/lodestar-generated/minimal.json")),
    ];
    let mut seeds = Vec::new();
    for (preset, text) in vectors {
        let vectors: Value = serde_json::from_str(text).expect("the vectors are JSON");
        for row in vectors["blocks"].as_array().expect("a list") {
            let (fulu, blinded) = (row["fork"] == "fulu", row["blinded"] == true);
            let choice = preset | u8::from(fulu) << 1 | u8::from(blinded) << 2;
            let block = hex_of(&row["ssz"]);
            seeds.push([vec![choice | 1 << 3], block.clone()].concat());
            let (fork, json) = (if fulu { Fork::Fulu } else { Fork::Electra }, row["json"].to_string());
            let proposal = Proposal { fork, blinded, block, kzg_proofs: Vec::new(), blobs: Vec::new() };
            if blinded {
                seeds.push([vec![choice | 3 << 3], json.into_bytes()].concat());
                seeds.push([vec![choice | 4 << 3], encode(&proposal)].concat());
            } else {
                let offsets =
                    [12, 12 + proposal.block.len(), 12 + proposal.block.len()].map(|at| (at as u32).to_le_bytes());
                seeds.push([vec![choice | 2 << 3], offsets.concat(), proposal.block].concat());
                let json = format!("{{\"block\":{json},\"kzg_proofs\":[],\"blobs\":[]}}");
                seeds.push([vec![choice | 3 << 3], json.into_bytes()].concat());
            }
        }
        for row in vectors["containers"].as_array().expect("a list").iter().step_by(2) {
            if row["type"] == "Attestation" {
                seeds.push([vec![preset], hex_of(&row["ssz"])].concat());
            }
            seeds.push([vec![preset | 4 << 3], row["json"].to_string().into_bytes()].concat());
            if let Ok(signed) = serde_json::from_value::<Signed<AggregateAndProof>>(row["json"].clone()) {
                seeds.push([vec![preset | 4 << 3], encode(&signed)].concat());
            }
        }
    }
    seeds
}

fn hex_of(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().and_then(|text| text.strip_prefix("0x")).expect("hex")).expect("hex")
}
