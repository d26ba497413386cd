//! Traffic of a real node and a real validator client: their signatures are over the roots computed here.

use cluster_core::beacon::{
    is_aggregator, AggregateAndProof, Attestation, AttestationData, ContributionAndProof, Fork, Preset, Proposal,
    Signed, SingleAttestation, SyncCommitteeContribution, SyncCommitteeMessage, ValidatorIndex,
};
use cluster_core::encoding::from_hex;
use cluster_crypto::bls::{fast_aggregate_verify, verify, HashedMessage, PublicKey, Signature};
use serde::de::DeserializeOwned;
use serde_json::{json, Value};

use super::{node_spec, recorded, root};

struct Keys(Vec<PublicKey>);

impl Keys {
    fn new() -> Self {
        let mut answer = recorded("POST_eth_v1_beacon_states_head_validators", "response");
        let keys = answer["data"].as_array_mut().unwrap().iter().enumerate().map(|(at, entry)| {
            assert_eq!(entry["index"], at.to_string());
            let bytes: [u8; 48] = from_hex(entry["validator"]["pubkey"].as_str().unwrap()).unwrap();
            PublicKey::from_bytes(&bytes).unwrap()
        });
        Self(keys.collect())
    }

    fn check(&self, what: &str, who: ValidatorIndex, signed: [u8; 32], signature: &[u8; 96]) {
        let signature = Signature::from_bytes(signature).unwrap();
        assert!(verify(&self.0[who.0 as usize], &HashedMessage::new(&signed), &signature), "{what} of {who}");
    }
}

fn sent<T: DeserializeOwned>(name: &str) -> T {
    serde_json::from_value(recorded(name, "request")).unwrap()
}

fn answered<T: DeserializeOwned>(name: &str) -> T {
    serde_json::from_value(recorded(name, "response")["data"].take()).unwrap()
}

/// Blobs are cut short in the recording; any do, since the block's root has their commitments only.
fn with_blobs(mut contents: Value) -> Vec<u8> {
    for blob in contents["blobs"].as_array_mut().unwrap() {
        *blob = json!(format!("0x{}", "00".repeat(131_072)));
    }
    contents.to_string().into_bytes()
}

#[test]
fn the_block_that_the_node_made_has_the_root_that_it_reports() {
    let (spec, keys) = (node_spec(), Keys::new());
    let json = with_blobs(recorded("GET_eth_v3_validator_blocks_N", "response")["data"].take());
    let proposal = Proposal::from_contents_json(Preset::Minimal, Fork::Electra, false, &json).unwrap();
    let summary = proposal.inspect(Preset::Minimal).unwrap();
    let head = recorded("GET_eth_v1_beacon_blocks_head_root", "response");
    assert_eq!(summary.header.root(), root(&head["data"]["root"]));
    assert_eq!((summary.transactions, summary.blobs, summary.fee_recipient), (Some(6), 2, [0xab; 20]));
    assert_eq!(&summary.graffiti[..7], b"minivc\0");

    let mut body: Value = recorded("POST_eth_v2_beacon_blocks", "request");
    let signature = from_hex(body["signed_block"]["signature"].as_str().unwrap()).unwrap();
    let contents = json!({
        "block": body["signed_block"]["message"].take(), "kzg_proofs": body["kzg_proofs"].take(), "blobs": body["blobs"].take()
    });
    let published = Proposal::from_contents_json(Preset::Minimal, Fork::Electra, false, &with_blobs(contents)).unwrap();
    assert_eq!(published, proposal);
    let proposer = summary.header.proposer_index;
    keys.check("block", proposer, spec.block(&summary.header), &signature);
    keys.check("randao", proposer, spec.randao(spec.epoch_of(summary.header.slot)), &summary.randao_reveal);

    // Read back as the node got it: the same block after 12 bytes of offsets, and 100 bytes of offset and signature.
    let bytes = proposal.signed_contents_ssz(&signature);
    assert_eq!(&bytes[112..112 + proposal.block.len()], proposal.block);
    let again = Proposal { block: bytes[112..112 + proposal.block.len()].to_vec(), ..proposal.clone() };
    assert_eq!(again.inspect(Preset::Minimal).unwrap(), summary);
}

#[test]
fn attestations_and_sync_messages_are_signed_over_our_roots() {
    let (spec, keys) = (node_spec(), Keys::new());
    let data: AttestationData = answered("GET_eth_v1_validator_attestation_data");
    let attestations: Vec<SingleAttestation> = sent("POST_eth_v2_beacon_pool_attestations");
    assert!(!attestations.is_empty());
    for attestation in attestations {
        assert_eq!(attestation.data, data);
        keys.check("attestation", attestation.attester_index, spec.attestation(&data), &attestation.signature);
    }
    let messages: Vec<SyncCommitteeMessage> = sent("POST_eth_v1_beacon_pool_sync_committees");
    assert_eq!(messages.len(), 15);
    for message in messages {
        let signed = spec.sync_message(message.slot, message.beacon_block_root);
        keys.check("sync message", message.validator_index, signed, &message.signature);
    }
}

#[test]
fn aggregates_and_contributions_are_signed_over_our_roots() {
    let (spec, keys) = (node_spec(), Keys::new());
    let aggregates: Vec<Signed<AggregateAndProof>> = sent("POST_eth_v2_validator_aggregate_and_proofs");
    assert!(!aggregates.is_empty());
    for Signed { message, signature } in &aggregates {
        let who = message.aggregator_index;
        message.aggregate.check(spec.preset).unwrap();
        assert!(is_aggregator(&spec, 2, &message.selection_proof));
        keys.check("selection proof", who, spec.selection(message.aggregate.data.slot), &message.selection_proof);
        keys.check("aggregate", who, spec.aggregate_and_proof(message), signature);
        // Both members of the committee, who are the two aggregators.
        assert_eq!(message.aggregate.participants(), 2);
    }
    let [first, second] = [0, 1].map(|at: usize| &aggregates[at].message);
    let pair = [first, second].map(|message| keys.0[message.aggregator_index.0 as usize]);
    let signed = HashedMessage::new(&spec.attestation(&first.aggregate.data));
    let sum = Signature::from_bytes(&first.aggregate.signature).unwrap();
    assert!(fast_aggregate_verify(&pair, &signed, &sum));

    let contributions: Vec<Signed<ContributionAndProof>> = sent("POST_eth_v1_validator_contribution_and_proofs");
    assert!(contributions.len() > 16);
    for Signed { message, signature } in contributions {
        let (who, contribution) = (message.aggregator_index, &message.contribution);
        contribution.check(spec.preset).unwrap();
        let selected = spec.sync_selection(contribution.slot, contribution.subcommittee_index);
        keys.check("sync selection proof", who, selected, &message.selection_proof);
        keys.check("contribution", who, spec.contribution_and_proof(&message), &signature);
    }
}

#[test]
fn answers_of_the_node_are_read_and_written_alike() {
    let answer = recorded("GET_eth_v2_validator_aggregate_attestation", "response")["data"].take();
    let aggregate: Attestation = serde_json::from_value(answer.clone()).unwrap();
    assert_eq!(serde_json::to_value(&aggregate).unwrap(), answer);
    assert_eq!(aggregate.ssz().len(), 230, "as many bytes as the node's SSZ answer has");
    assert_eq!(Attestation::from_ssz(&aggregate.ssz(), Preset::Minimal).unwrap(), aggregate);
    let contribution: SyncCommitteeContribution = answered("GET_eth_v1_validator_sync_committee_contribution");
    assert_eq!((contribution.participants(), contribution.check(Preset::Minimal)), (8, Ok(())));
}
