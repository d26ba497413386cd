//! Block bodies of Electra and Fulu, full and blinded. Private: outside, a block is SSZ bytes and a summary.

use alloy_primitives::U256;
use serde::{de::DeserializeOwned, Deserialize, Deserializer};
use ssz::{BitList, BitVector, Decode, DecodeError, Encode};
use ssz_derive::{Decode, Encode};
use ssz_types::{
    typenum::{U1, U1048576, U16, U2, U33, U4096, U8, U8192},
    FixedVector, VariableList,
};
use tree_hash::{merkle_root, mix_in_length, Hash256, PackedEncoding, TreeHash, TreeHashType};
use tree_hash_derive::TreeHash;

use super::{
    preset::Sizes, types::decimal, AttestationData, BeaconBlockHeader, Root, Slot, ValidatorIndex, VoluntaryExit,
};
use crate::encoding::hex_array;

macro_rules! containers {
    ($($name:ident { $($(#[$how:meta])* $field:ident : $type:ty),* $(,)? })*) => {$(
        #[derive(Clone, Debug, PartialEq, Eq, Deserialize, Encode, Decode, TreeHash)]
        pub(super) struct $name { $($(#[$how])* pub(super) $field: $type),* }
    )*};
}

macro_rules! sized_containers {
    ($($name:ident { $($(#[$how:meta])* $field:ident : $type:ty),* $(,)? })*) => {$(
        #[derive(Clone, Debug, PartialEq, Eq, Deserialize, Encode, Decode, TreeHash)]
        #[serde(bound = "")]
        pub(super) struct $name<S: Sizes> { $($(#[$how])* pub(super) $field: $type),* }
    )*};
}

/// `N` bytes in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Encode, Decode)]
#[ssz(struct_behaviour = "transparent")]
#[serde(transparent)]
pub(super) struct Fixed<const N: usize>(#[serde(with = "hex_array")] pub(super) [u8; N]);

/// `ByteList[MAX]`. Hashed in one go: the library's list does so byte by byte, which takes long for a block's transactions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ByteList<const MAX: usize>(Vec<u8>);

macro_rules! composite {
    ($type:ident) => {
        fn tree_hash_type() -> TreeHashType {
            TreeHashType::$type
        }

        // Only numbers are packed; the trait asks composite types for these two all the same.
        fn tree_hash_packed_encoding(&self) -> PackedEncoding {
            PackedEncoding::new()
        }

        fn tree_hash_packing_factor() -> usize {
            1
        }
    };
}

impl<const N: usize> TreeHash for Fixed<N> {
    composite!(Vector);

    fn tree_hash_root(&self) -> Hash256 {
        self.0.tree_hash_root()
    }
}

impl<const MAX: usize> TreeHash for ByteList<MAX> {
    composite!(List);

    fn tree_hash_root(&self) -> Hash256 {
        mix_in_length(&merkle_root(&self.0, MAX.div_ceil(32)), self.0.len())
    }
}

impl<const MAX: usize> Encode for ByteList<MAX> {
    fn is_ssz_fixed_len() -> bool {
        false
    }

    fn ssz_bytes_len(&self) -> usize {
        self.0.len()
    }

    fn ssz_append(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }
}

impl<const MAX: usize> Decode for ByteList<MAX> {
    fn is_ssz_fixed_len() -> bool {
        false
    }

    fn from_ssz_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > MAX {
            return Err(DecodeError::InvalidByteLength { len: bytes.len(), expected: MAX });
        }
        Ok(Self(bytes.to_vec()))
    }
}

impl<'de, const MAX: usize> Deserialize<'de> for ByteList<MAX> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        super::hex_bytes::deserialize(input, MAX).map(Self)
    }
}

/// A signed message inside of a body.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Encode, Decode, TreeHash)]
#[serde(bound = "T: DeserializeOwned")]
pub(super) struct SignedPart<T: Encode + Decode + TreeHash> {
    pub(super) message: T,
    #[serde(with = "hex_array")]
    pub(super) signature: [u8; 96],
}

containers! {
    Eth1Data {
        #[serde(with = "hex_array")] deposit_root: Root,
        #[serde(with = "decimal")] deposit_count: u64,
        #[serde(with = "hex_array")] block_hash: Root,
    }
    ProposerSlashing {
        signed_header_1: SignedPart<BeaconBlockHeader>,
        signed_header_2: SignedPart<BeaconBlockHeader>,
    }
    Deposit {
        proof: FixedVector<Fixed<32>, U33>,
        data: DepositData,
    }
    DepositData {
        #[serde(with = "hex_array")] pubkey: [u8; 48],
        #[serde(with = "hex_array")] withdrawal_credentials: Root,
        #[serde(with = "decimal")] amount: u64,
        #[serde(with = "hex_array")] signature: [u8; 96],
    }
    BlsToExecutionChange {
        validator_index: ValidatorIndex,
        #[serde(with = "hex_array")] from_bls_pubkey: [u8; 48],
        #[serde(with = "hex_array")] to_execution_address: [u8; 20],
    }
    Withdrawal {
        #[serde(with = "decimal")] index: u64,
        validator_index: ValidatorIndex,
        #[serde(with = "hex_array")] address: [u8; 20],
        #[serde(with = "decimal")] amount: u64,
    }
    ExecutionRequests {
        deposits: VariableList<DepositRequest, U8192>,
        withdrawals: VariableList<WithdrawalRequest, U16>,
        consolidations: VariableList<ConsolidationRequest, U2>,
    }
    DepositRequest {
        #[serde(with = "hex_array")] pubkey: [u8; 48],
        #[serde(with = "hex_array")] withdrawal_credentials: Root,
        #[serde(with = "decimal")] amount: u64,
        #[serde(with = "hex_array")] signature: [u8; 96],
        #[serde(with = "decimal")] index: u64,
    }
    WithdrawalRequest {
        #[serde(with = "hex_array")] source_address: [u8; 20],
        #[serde(with = "hex_array")] validator_pubkey: [u8; 48],
        #[serde(with = "decimal")] amount: u64,
    }
    ConsolidationRequest {
        #[serde(with = "hex_array")] source_address: [u8; 20],
        #[serde(with = "hex_array")] source_pubkey: [u8; 48],
        #[serde(with = "hex_array")] target_pubkey: [u8; 48],
    }
    // `ExecutionPayloadHeader`.
    PayloadHeader {
        #[serde(with = "hex_array")] parent_hash: Root,
        #[serde(with = "hex_array")] fee_recipient: [u8; 20],
        #[serde(with = "hex_array")] state_root: Root,
        #[serde(with = "hex_array")] receipts_root: Root,
        #[serde(with = "hex_array")] logs_bloom: [u8; 256],
        #[serde(with = "hex_array")] prev_randao: Root,
        #[serde(with = "decimal")] block_number: u64,
        #[serde(with = "decimal")] gas_limit: u64,
        #[serde(with = "decimal")] gas_used: u64,
        #[serde(with = "decimal")] timestamp: u64,
        extra_data: ByteList<32>,
        #[serde(deserialize_with = "decimal_256")] base_fee_per_gas: U256,
        #[serde(with = "hex_array")] block_hash: Root,
        #[serde(with = "hex_array")] transactions_root: Root,
        #[serde(with = "hex_array")] withdrawals_root: Root,
        #[serde(with = "decimal")] blob_gas_used: u64,
        #[serde(with = "decimal")] excess_blob_gas: u64,
    }
}

sized_containers! {
    AttestationOf {
        aggregation_bits: BitList<S::AttestationBits>,
        data: AttestationData,
        #[serde(with = "hex_array")] signature: [u8; 96],
        committee_bits: BitVector<S::Committees>,
    }
    IndexedAttestation {
        attesting_indices: VariableList<ValidatorIndex, S::AttestationBits>,
        data: AttestationData,
        #[serde(with = "hex_array")] signature: [u8; 96],
    }
    AttesterSlashing {
        attestation_1: IndexedAttestation<S>,
        attestation_2: IndexedAttestation<S>,
    }
    SyncAggregate {
        sync_committee_bits: BitVector<S::SyncCommittee>,
        #[serde(with = "hex_array")] sync_committee_signature: [u8; 96],
    }
    // `ExecutionPayload`.
    Payload {
        #[serde(with = "hex_array")] parent_hash: Root,
        #[serde(with = "hex_array")] fee_recipient: [u8; 20],
        #[serde(with = "hex_array")] state_root: Root,
        #[serde(with = "hex_array")] receipts_root: Root,
        #[serde(with = "hex_array")] logs_bloom: [u8; 256],
        #[serde(with = "hex_array")] prev_randao: Root,
        #[serde(with = "decimal")] block_number: u64,
        #[serde(with = "decimal")] gas_limit: u64,
        #[serde(with = "decimal")] gas_used: u64,
        #[serde(with = "decimal")] timestamp: u64,
        extra_data: ByteList<32>,
        #[serde(deserialize_with = "decimal_256")] base_fee_per_gas: U256,
        #[serde(with = "hex_array")] block_hash: Root,
        transactions: VariableList<ByteList<{ 1 << 30 }>, U1048576>,
        withdrawals: VariableList<Withdrawal, S::Withdrawals>,
        #[serde(with = "decimal")] blob_gas_used: u64,
        #[serde(with = "decimal")] excess_blob_gas: u64,
    }
}

/// What a proposer looks at in a payload or its header.
pub(super) trait ExecutionPart: Encode + Decode + TreeHash + DeserializeOwned {
    fn summary(&self) -> PayloadSummary;
}

/// See [`super::BlockSummary`].
pub(super) struct PayloadSummary {
    pub(super) parent_hash: Root,
    pub(super) block_hash: Root,
    pub(super) fee_recipient: [u8; 20],
    pub(super) block_number: u64,
    pub(super) timestamp: u64,
    pub(super) gas_limit: u64,
    pub(super) transactions: Option<usize>,
}

macro_rules! summary {
    ($payload:ident, $transactions:expr) => {
        PayloadSummary {
            parent_hash: $payload.parent_hash,
            block_hash: $payload.block_hash,
            fee_recipient: $payload.fee_recipient,
            block_number: $payload.block_number,
            timestamp: $payload.timestamp,
            gas_limit: $payload.gas_limit,
            transactions: $transactions,
        }
    };
}

impl<S: Sizes> ExecutionPart for Payload<S> {
    fn summary(&self) -> PayloadSummary {
        summary!(self, Some(self.transactions.len()))
    }
}

impl ExecutionPart for PayloadHeader {
    fn summary(&self) -> PayloadSummary {
        summary!(self, None)
    }
}

/// `BeaconBlockBody` of Electra and Fulu with `P` a payload, or blinded with `P` its header.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Encode, Decode, TreeHash)]
#[serde(bound = "")]
pub(super) struct Body<S: Sizes, P: ExecutionPart> {
    #[serde(with = "hex_array")]
    pub(super) randao_reveal: [u8; 96],
    eth1_data: Eth1Data,
    #[serde(with = "hex_array")]
    pub(super) graffiti: [u8; 32],
    proposer_slashings: VariableList<ProposerSlashing, U16>,
    attester_slashings: VariableList<AttesterSlashing<S>, U1>,
    pub(super) attestations: VariableList<AttestationOf<S>, U8>,
    deposits: VariableList<Deposit, U16>,
    voluntary_exits: VariableList<SignedPart<VoluntaryExit>, U16>,
    sync_aggregate: SyncAggregate<S>,
    #[serde(alias = "execution_payload_header")]
    pub(super) execution_payload: P,
    bls_to_execution_changes: VariableList<SignedPart<BlsToExecutionChange>, U16>,
    pub(super) blob_kzg_commitments: VariableList<Fixed<48>, U4096>,
    execution_requests: ExecutionRequests,
}

/// `BeaconBlock` or `BlindedBeaconBlock`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Encode, Decode, TreeHash)]
#[serde(bound = "")]
pub(super) struct Block<S: Sizes, P: ExecutionPart> {
    slot: Slot,
    proposer_index: ValidatorIndex,
    #[serde(with = "hex_array")]
    parent_root: Root,
    #[serde(with = "hex_array")]
    state_root: Root,
    pub(super) body: Body<S, P>,
}

impl<S: Sizes, P: ExecutionPart> Block<S, P> {
    /// The header with the same root.
    pub(super) fn header(&self) -> BeaconBlockHeader {
        BeaconBlockHeader {
            slot: self.slot,
            proposer_index: self.proposer_index,
            parent_root: self.parent_root,
            state_root: self.state_root,
            body_root: self.body.tree_hash_root().0,
        }
    }
}

fn decimal_256<'de, D: Deserializer<'de>>(input: D) -> Result<U256, D::Error> {
    let text = std::borrow::Cow::<str>::deserialize(input)?;
    U256::from_str_radix(&text, 10)
        .ok()
        .filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty())
        .ok_or_else(|| serde::de::Error::custom("expected a decimal number of 256 bits"))
}
