//! What is proposed, and whether an operator would sign it.

use std::sync::Arc;

use cluster_crypto::ethereum::Address;
use rand_core::RngCore;
use serde::{Deserialize, Serialize};

use super::below;
use super::chain::{self, slot_start, Chain, EPOCH_SLOTS, FIRST_EPOCH};
use crate::beacon::{AttestationData, BeaconBlockHeader, BlockSummary, Epoch, Root, Slot, ValidatorIndex};
use crate::duty::{InstanceId, InstanceKind};
use crate::encoding::{decode, encode};
use crate::judgement::{check_attestation_shape, check_block, compare_attestation, BlockView};
use crate::machine::Time;

const LIMIT: usize = 4_096;
const RECIPIENT: Address = Address([0x11; 20]);

/// A block, as far as a judge without a BLS key looks at it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Block {
    pub(super) header: BeaconBlockHeader,
    fee_recipient: [u8; 20],
    timestamp: u64,
}

impl Block {
    fn summary(&self) -> BlockSummary {
        BlockSummary {
            header: self.header,
            randao_reveal: [0; 96],
            graffiti: [0; 32],
            attestations: 0,
            parent_hash: [0; 32],
            block_hash: [0; 32],
            fee_recipient: self.fee_recipient,
            block_number: 0,
            timestamp: self.timestamp,
            gas_limit: 0,
            transactions: None,
            blobs: 0,
        }
    }
}

/// What an operator is to sign.
#[derive(Clone, Debug)]
pub(super) enum Content {
    Vote(AttestationData),
    Block(BeaconBlockHeader),
}

impl Content {
    /// What stands for the signing root: the domain is the same in all of a run.
    pub(super) fn root(&self) -> Root {
        match self {
            Self::Vote(data) => data.root(),
            Self::Block(header) => header.root(),
        }
    }
}

/// Where an operator looks.
#[derive(Clone, Copy)]
pub(super) struct Eye<'a> {
    pub(super) chain: &'a Chain,
    pub(super) beacon: usize,
    pub(super) now: Time,
}

/// Why a value is not signed now.
pub(super) enum No {
    /// It may look different later: the own beacon node may come to the same view.
    Yet,
    Never,
}

/// An honest operator's own value.
pub(super) fn own(eye: Eye<'_>, instance: &InstanceId, proposer: u32, rng: &mut impl RngCore) -> Arc<[u8]> {
    let slot = instance.slot;
    if instance.kind == InstanceKind::Attestation {
        return Arc::from(encode(&eye.chain.attestation(eye.beacon, eye.now, slot)));
    }
    let [parent, _] = eye.chain.parents(eye.beacon, eye.now, slot);
    // Every build is another block.
    Arc::from(encode(&block(slot, proposer, parent, rng.next_u64())))
}

fn block(slot: Slot, proposer: u32, parent_root: Root, content: u64) -> Block {
    let header = BeaconBlockHeader {
        slot,
        proposer_index: ValidatorIndex(u64::from(proposer)),
        parent_root,
        state_root: chain::root(content ^ 1),
        body_root: chain::root(content),
    };
    Block { header, fee_recipient: RECIPIENT.0, timestamp: slot_start(slot).seconds() }
}

/// What a compromised node proposes: sometimes what an honest one would, often what could be slashable.
pub(super) fn twisted(eye: Eye<'_>, instance: &InstanceId, proposer: u32, rng: &mut impl RngCore) -> Arc<[u8]> {
    if below(rng, 4) == 0 {
        return own(eye, instance, proposer, rng);
    }
    match instance.kind {
        InstanceKind::Attestation => Arc::from(encode(&some_vote(eye, instance.slot, rng))),
        _ => {
            let mut block = some_block(eye, instance.slot, rng);
            match below(rng, 4) {
                0 => block.fee_recipient = [0x66; 20],
                1 => block.timestamp += 1,
                2 => block.header.proposer_index = ValidatorIndex(u64::from(proposer) + 1),
                _ => block.header.proposer_index = ValidatorIndex(u64::from(proposer)),
            }
            Arc::from(encode(&block))
        }
    }
}

/// A vote of any branch, often with other epochs.
pub(super) fn some_vote(eye: Eye<'_>, slot: Slot, rng: &mut impl RngCore) -> AttestationData {
    let slot = match below(rng, 3) {
        0 => Slot((slot.0 + EPOCH_SLOTS).saturating_sub(below(rng, 3 * EPOCH_SLOTS)).max(FIRST_EPOCH * EPOCH_SLOTS)),
        _ => slot,
    };
    let branch = below(rng, eye.chain.branches() as u64) as usize;
    let mut data = eye.chain.attestation_on(eye.beacon, branch, eye.now, slot);
    match below(rng, 6) {
        0 => data.source.epoch = Epoch(data.source.epoch.0.saturating_sub(1 + below(rng, 3))),
        1 => data.source.epoch = Epoch(data.source.epoch.0 + 1 + below(rng, 2)),
        2 => data.target.epoch = Epoch(data.target.epoch.0 + 1 + below(rng, 2)),
        3 => data.target.root = chain::root(rng.next_u64()),
        4 => data.index = below(rng, 2),
        _ => {}
    }
    data
}

/// A block of any parent for a slot nearby.
pub(super) fn some_block(eye: Eye<'_>, slot: Slot, rng: &mut impl RngCore) -> Block {
    let slot = match below(rng, 3) {
        0 => Slot(slot.0 + 1 - below(rng, 3)),
        _ => slot,
    };
    let proposer = eye.chain.proposer(eye.beacon, eye.now, slot);
    let parent = eye.chain.parents(eye.beacon, eye.now, slot)[below(rng, 2) as usize];
    block(slot, proposer, parent, rng.next_u64())
}

/// Whether an operator would sign a value; `known` is what its beacon node said before.
pub(super) fn judge(
    eye: Eye<'_>,
    instance: &InstanceId,
    proposer: u32,
    known: Option<AttestationData>,
    value: &[u8],
) -> Result<Content, No> {
    let slot = instance.slot;
    if instance.kind == InstanceKind::Attestation {
        let data: AttestationData = decode(value, LIMIT).map_err(|_| No::Never)?;
        check_attestation_shape(&data, slot, EPOCH_SLOTS).map_err(|_| No::Never)?;
        let own = known.unwrap_or_else(|| eye.chain.attestation(eye.beacon, eye.now, slot));
        return compare_attestation(&data, &own).map(|()| Content::Vote(data)).map_err(|_| No::Yet);
    }
    let block: Block = decode(value, LIMIT).map_err(|_| No::Never)?;
    let parents = eye.chain.parents(eye.beacon, eye.now, slot);
    let view = BlockView {
        slot,
        proposer: ValidatorIndex(u64::from(proposer)),
        fee_recipient: RECIPIENT,
        timestamp: slot_start(slot).seconds(),
        parents: &parents,
    };
    check_block(&block.summary(), false, &view).map(|()| Content::Block(block.header)).map_err(|_| No::Never)
}

/// What a value says, whether or not it is right: what a compromised node takes to its signer.
pub(super) fn read(instance: &InstanceId, value: &[u8]) -> Option<Content> {
    match instance.kind {
        InstanceKind::Attestation => decode(value, LIMIT).ok().map(Content::Vote),
        _ => decode::<Block>(value, LIMIT).ok().map(|block| Content::Block(block.header)),
    }
}
