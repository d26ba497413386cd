//! Answers and requests as the Beacon API writes them.

use std::borrow::Cow;

use cluster_core::beacon::{Epoch, Fork, Preset, Proposal, Root, Slot, ValidatorIndex};
use cluster_core::encoding::hex_array;
use cluster_crypto::ethereum::Address;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::node::Answer;
use super::types::decimal;
use super::{BeaconError, Dependent, SyncDuty, SyncSubscription, ValidatorState, ValidatorStatus};

const BLINDED: &str = "eth-execution-payload-blinded";

/// The frame of most answers.
#[derive(Deserialize)]
pub(super) struct Data<T> {
    pub(super) data: T,
}

/// The frame of duties.
#[derive(Deserialize)]
pub(super) struct DependentData<T> {
    #[serde(with = "hex_array")]
    pub(super) dependent_root: Root,
    pub(super) data: T,
}

impl<T> From<DependentData<T>> for Dependent<T> {
    fn from(from: DependentData<T>) -> Self {
        Self { dependent_root: from.dependent_root, data: from.data }
    }
}

/// A validator of a state.
#[derive(Deserialize)]
pub(super) struct Validator {
    index: ValidatorIndex,
    status: ValidatorState,
    validator: ValidatorDetails,
}

#[derive(Deserialize)]
struct ValidatorDetails {
    #[serde(with = "hex_array")]
    pubkey: [u8; 48],
    #[serde(with = "hex_array")]
    withdrawal_credentials: [u8; 32],
    #[serde(with = "decimal")]
    effective_balance: u64,
    activation_epoch: Epoch,
    exit_epoch: Epoch,
}

impl From<Validator> for ValidatorStatus {
    fn from(from: Validator) -> Self {
        let details = from.validator;
        Self {
            index: from.index,
            pubkey: details.pubkey,
            status: from.status,
            activation_epoch: details.activation_epoch,
            exit_epoch: details.exit_epoch,
            effective_balance_gwei: details.effective_balance,
            withdrawal_credentials: details.withdrawal_credentials,
        }
    }
}

/// A number as a decimal string, in a list.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Quoted(#[serde(with = "decimal")] u64);

/// A sync duty.
#[derive(Deserialize)]
pub(super) struct Sync {
    #[serde(with = "hex_array")]
    pubkey: [u8; 48],
    validator_index: ValidatorIndex,
    validator_sync_committee_indices: Vec<Quoted>,
}

impl From<Sync> for SyncDuty {
    fn from(from: Sync) -> Self {
        let positions = from.validator_sync_committee_indices.into_iter().map(|position| position.0).collect();
        Self { pubkey: from.pubkey, validator_index: from.validator_index, positions }
    }
}

/// Liveness of a validator.
#[derive(Deserialize)]
pub(super) struct Liveness {
    pub(super) index: ValidatorIndex,
    pub(super) is_live: bool,
}

/// The root of the head.
#[derive(Deserialize)]
pub(super) struct Head {
    #[serde(default)]
    pub(super) execution_optimistic: bool,
    pub(super) data: HeadRoot,
}

#[derive(Deserialize)]
pub(super) struct HeadRoot {
    #[serde(with = "hex_array")]
    pub(super) root: Root,
}

/// A wish to join the subnets of a sync committee.
#[derive(Clone, Serialize)]
pub(super) struct SyncWish {
    validator_index: ValidatorIndex,
    sync_committee_indices: Vec<String>,
    until_epoch: Epoch,
}

impl From<&SyncSubscription> for SyncWish {
    fn from(from: &SyncSubscription) -> Self {
        let sync_committee_indices = from.positions.iter().map(ToString::to_string).collect();
        Self { validator_index: from.validator_index, sync_committee_indices, until_epoch: from.until_epoch }
    }
}

/// Who is paid for a validator's blocks.
#[derive(Clone, Serialize)]
pub(super) struct Preparation {
    validator_index: ValidatorIndex,
    #[serde(with = "hex_array")]
    fee_recipient: [u8; 20],
}

impl From<&(ValidatorIndex, Address)> for Preparation {
    fn from((validator_index, recipient): &(ValidatorIndex, Address)) -> Self {
        Self { validator_index: *validator_index, fee_recipient: recipient.0 }
    }
}

/// A block in JSON.
#[derive(Deserialize)]
struct BlockAnswer<'a> {
    #[serde(borrow)]
    version: Cow<'a, str>,
    execution_payload_blinded: bool,
    #[serde(borrow)]
    data: &'a RawValue,
}

/// Reads a block of `produceBlockV3`, and compares it with what was asked: what a node makes of slot, fork or randao reveal by
/// mistake would be signed for nothing.
pub(super) fn proposal(
    answer: &Answer,
    preset: Preset,
    fork: Fork,
    slot: Slot,
    randao_reveal: &[u8; 96],
) -> Result<Proposal, BeaconError> {
    let is_fork = |name: &str| match name == fork.name() {
        true => Ok(()),
        false => Err(answer.wrong(format!("it is of {name}, asked was {fork}"))),
    };
    let proposal = if answer.is_ssz {
        is_fork(answer.fork().unwrap_or("no fork"))?;
        let blinded = match answer.header(BLINDED) {
            Some(text) if text.eq_ignore_ascii_case("true") => true,
            Some(text) if text.eq_ignore_ascii_case("false") => false,
            _ => return Err(answer.wrong("it does not say whether the block is blinded")),
        };
        Proposal::from_contents_ssz(fork, blinded, &answer.body)
    } else {
        let block: BlockAnswer<'_> = serde_json::from_slice(&answer.body).map_err(|error| answer.wrong(error))?;
        is_fork(&block.version)?;
        Proposal::from_contents_json(preset, fork, block.execution_payload_blinded, block.data.get().as_bytes())
    };
    let proposal = proposal.map_err(|error| answer.wrong(error))?;
    let summary = proposal.inspect(preset).map_err(|error| answer.wrong(error))?;
    if summary.header.slot != slot {
        return Err(answer.wrong(format!("it is for slot {}, asked was {slot}", summary.header.slot)));
    }
    if summary.randao_reveal != *randao_reveal {
        return Err(answer.wrong("it has another randao reveal"));
    }
    Ok(proposal)
}
