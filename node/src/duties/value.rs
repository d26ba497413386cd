//! What committees decide on, and whether this operator would sign it.
//!
//! The judgement of attestations and what else needs no cryptography is in `cluster_core::judgement`.

use cluster_core::beacon::{
    Attestation, AttestationData, BlockSummary, ChainSpec, Preset, Proposal, Root, Slot, SyncCommitteeContribution,
    ValidatorIndex,
};
use cluster_core::encoding::{decode, encode};
use cluster_core::judgement::{check_block, BlockView};
use cluster_crypto::bls::{self, HashedMessage, PublicKey, Signature};
use cluster_crypto::ethereum::Address;
use serde::{Deserialize, Serialize};

/// Bytes of a value: a block with the blobs of Fulu's largest schedule, and the proofs of their cells, fits.
pub(crate) const VALUE_BYTES: usize = 8 * 1024 * 1024;
/// Aggregates and contributions in one value: one for each committee and subcommittee of a slot.
const AGGREGATES: usize = 64;
const CONTRIBUTIONS: usize = 4;

/// The aggregates and contributions of a slot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Aggregation {
    pub(crate) aggregates: Vec<Attestation>,
    pub(crate) contributions: Vec<SyncCommitteeContribution>,
}

pub(crate) fn encode_attestation(data: &AttestationData) -> Vec<u8> {
    encode(data)
}

pub(crate) fn decode_attestation(value: &[u8]) -> Result<AttestationData, String> {
    decode(value, VALUE_BYTES).map_err(|error| format!("the value is not attestation data: {error}"))
}

pub(crate) fn encode_aggregation(value: &Aggregation) -> Vec<u8> {
    encode(value)
}

pub(crate) fn decode_aggregation(value: &[u8]) -> Result<Aggregation, String> {
    let value: Aggregation =
        decode(value, VALUE_BYTES).map_err(|error| format!("the value is not a list of aggregates: {error}"))?;
    if value.aggregates.len() > AGGREGATES || value.contributions.len() > CONTRIBUTIONS {
        return Err("it has more aggregates than a slot has committees".to_owned());
    }
    Ok(value)
}

/// Whether aggregates are of what this committee attested in the slot. Which attestations they contain is the leader's
/// choice: an aggregate can be poor, never slashable.
pub(crate) fn check_aggregation(value: &Aggregation, data: &AttestationData, preset: Preset) -> Result<(), String> {
    for aggregate in &value.aggregates {
        aggregate.check(preset).map_err(|error| format!("an aggregate is malformed: {error}"))?;
        if aggregate.data != *data {
            return Err("an aggregate is of other attestation data than the committee decided".to_owned());
        }
    }
    for contribution in &value.contributions {
        contribution.check(preset).map_err(|error| format!("a contribution is malformed: {error}"))?;
        if contribution.slot != data.slot || contribution.beacon_block_root != data.beacon_block_root {
            return Err("a contribution is of another slot or head than the committee decided".to_owned());
        }
    }
    Ok(())
}

/// The one committee that an aggregate is of; none when it names none or several.
pub(crate) fn committee_index(aggregate: &Attestation, preset: Preset) -> Option<u64> {
    let bits = &aggregate.committee_bits;
    let mut set = (0..preset.max_committees_per_slot()).filter(|at| usize::try_from(*at).is_ok_and(|at| bits.get(at)));
    let first = set.next();
    first.filter(|_| set.next().is_none())
}

pub(crate) fn encode_proposal(proposal: &Proposal) -> Vec<u8> {
    encode(proposal)
}

pub(crate) fn decode_proposal(value: &[u8]) -> Result<Proposal, String> {
    decode(value, VALUE_BYTES).map_err(|error| format!("the value is not a block: {error}"))
}

/// What this operator knows about the block of a slot.
pub(crate) struct ProposalView<'a> {
    pub(crate) spec: &'a ChainSpec,
    pub(crate) slot: Slot,
    pub(crate) proposer: ValidatorIndex,
    pub(crate) key: &'a PublicKey,
    pub(crate) fee_recipient: Address,
    /// Whether blocks of builders are allowed.
    pub(crate) builder: bool,
    /// The roots that the block may build on: our head, and its parent, for who has seen a late head does not build on it.
    pub(crate) parents: &'a [Root],
}

/// Whether this operator would sign the block.
pub(crate) fn check_proposal(proposal: &Proposal, view: &ProposalView<'_>) -> Result<BlockSummary, String> {
    let spec = view.spec;
    let epoch = spec.epoch_of(view.slot);
    let fork = spec.fork_at(epoch).map_err(|error| error.to_string())?;
    if proposal.fork != fork {
        return Err(format!("it is a block of {}, and the slot is in {}", proposal.fork.name(), fork.name()));
    }
    if proposal.blinded && !view.builder {
        return Err("it is a builder's block, and builders are not enabled here".to_owned());
    }
    let block = proposal.inspect(spec.preset).map_err(|error| format!("the block cannot be read: {error}"))?;
    let known = BlockView {
        slot: view.slot,
        proposer: view.proposer,
        fee_recipient: view.fee_recipient,
        timestamp: spec.slot_start(view.slot).seconds(),
        parents: view.parents,
    };
    check_block(&block, proposal.blinded, &known).map_err(|objection| objection.to_string())?;
    let reveal = Signature::from_bytes(&block.randao_reveal).map_err(|error| format!("its RANDAO reveal: {error}"))?;
    if !bls::verify(view.key, &HashedMessage::new(&spec.randao(epoch)), &reveal) {
        return Err("its RANDAO reveal is not the validator's".to_owned());
    }
    Ok(block)
}
