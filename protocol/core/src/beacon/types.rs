//! Numbers of the beacon chain, and the containers whose shape is the same in every preset.

use std::fmt;

use crate::encoding::hex_array;
use cluster_crypto::ethereum::Address;
use serde::{Deserialize, Serialize};
use ssz_derive::{Decode, Encode};
use tree_hash::TreeHash;
use tree_hash_derive::TreeHash;

/// A Merkle root, or the root of a block.
pub type Root = [u8; 32];

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[derive(Encode, Decode)]
        #[ssz(struct_behaviour = "transparent")]
        #[serde(transparent)]
        pub struct $name(#[serde(with = "decimal")] pub u64);

        impl TreeHash for $name {
            fn tree_hash_type() -> tree_hash::TreeHashType {
                u64::tree_hash_type()
            }

            fn tree_hash_packed_encoding(&self) -> tree_hash::PackedEncoding {
                self.0.tree_hash_packed_encoding()
            }

            fn tree_hash_packing_factor() -> usize {
                u64::tree_hash_packing_factor()
            }

            fn tree_hash_root(&self) -> tree_hash::Hash256 {
                self.0.tree_hash_root()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// A slot: the time for one block.
    Slot
}
number! {
    /// An epoch: the slots in which every validator attests once.
    Epoch
}
number! {
    /// A validator's number in the beacon state.
    ValidatorIndex
}

impl Slot {
    /// The epoch that the slot is in. `slots_per_epoch` is not zero, by [`super::Preset`].
    #[must_use]
    pub const fn epoch(self, slots_per_epoch: u64) -> Epoch {
        Epoch(self.0 / slots_per_epoch)
    }
}

impl Epoch {
    /// The epoch's first slot.
    #[must_use]
    pub const fn start(self, slots_per_epoch: u64) -> Slot {
        Slot(self.0.saturating_mul(slots_per_epoch))
    }
}

/// `Checkpoint`.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Encode, Decode, TreeHash,
)]
pub struct Checkpoint {
    /// Epoch.
    pub epoch: Epoch,
    /// Root of the block at the epoch's first slot, or of the last one before it.
    #[serde(with = "hex_array")]
    pub root: Root,
}

/// `AttestationData`. Since Electra `index` is zero for everybody, so that all validators of a slot sign the same bytes.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Encode, Decode, TreeHash,
)]
pub struct AttestationData {
    /// Slot.
    pub slot: Slot,
    /// Zero since Electra.
    #[serde(with = "decimal")]
    pub index: u64,
    /// The head of the chain.
    #[serde(with = "hex_array")]
    pub beacon_block_root: Root,
    /// The newest justified checkpoint.
    pub source: Checkpoint,
    /// The checkpoint of the slot's epoch.
    pub target: Checkpoint,
}

/// `SingleAttestation` (Electra, EIP-7549): what a validator publishes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode, TreeHash)]
pub struct SingleAttestation {
    /// The committee of the slot that the validator is in.
    #[serde(with = "decimal")]
    pub committee_index: u64,
    /// The validator.
    pub attester_index: ValidatorIndex,
    /// What it attests.
    pub data: AttestationData,
    /// Its signature.
    #[serde(with = "hex_array")]
    pub signature: [u8; 96],
}

/// `SyncCommitteeMessage` (Altair).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode, TreeHash)]
pub struct SyncCommitteeMessage {
    /// Slot.
    pub slot: Slot,
    /// The head of the chain.
    #[serde(with = "hex_array")]
    pub beacon_block_root: Root,
    /// The validator.
    pub validator_index: ValidatorIndex,
    /// Its signature over the block root.
    #[serde(with = "hex_array")]
    pub signature: [u8; 96],
}

/// `BeaconBlockHeader`; its root is the block's root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode, TreeHash)]
pub struct BeaconBlockHeader {
    /// Slot.
    pub slot: Slot,
    /// Who proposes.
    pub proposer_index: ValidatorIndex,
    /// The parent's root.
    #[serde(with = "hex_array")]
    pub parent_root: Root,
    /// Root of the state after the block.
    #[serde(with = "hex_array")]
    pub state_root: Root,
    /// Root of the body.
    #[serde(with = "hex_array")]
    pub body_root: Root,
}

/// `VoluntaryExit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode, TreeHash)]
pub struct VoluntaryExit {
    /// The earliest epoch of the exit.
    pub epoch: Epoch,
    /// Who leaves.
    pub validator_index: ValidatorIndex,
}

/// `ValidatorRegistrationV1` of the builder specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode, TreeHash)]
pub struct ValidatorRegistration {
    /// Who is paid.
    #[serde(with = "hex_array")]
    pub fee_recipient: [u8; 20],
    /// Gas limit that the proposer prefers.
    #[serde(with = "decimal")]
    pub gas_limit: u64,
    /// Unix seconds.
    #[serde(with = "decimal")]
    pub timestamp: u64,
    /// The validator.
    #[serde(with = "hex_array")]
    pub pubkey: [u8; 48],
}

impl ValidatorRegistration {
    /// Who is paid, as an address.
    #[must_use]
    pub const fn recipient(&self) -> Address {
        Address(self.fee_recipient)
    }
}

macro_rules! rooted {
    ($($name:ident),*) => {$(
        impl $name {
            /// `hash_tree_root`.
            #[must_use]
            pub fn root(&self) -> Root {
                self.tree_hash_root().0
            }
        }
    )*};
}

rooted!(AttestationData, BeaconBlockHeader, VoluntaryExit, ValidatorRegistration);

/// Numbers as decimal strings in JSON, as the Beacon API has them, and as numbers in the binary encoding.
pub(crate) mod decimal {
    use serde::{de::Error, Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(number: &u64, out: S) -> Result<S::Ok, S::Error> {
        if out.is_human_readable() {
            out.collect_str(number)
        } else {
            number.serialize(out)
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<u64, D::Error> {
        if input.is_human_readable() {
            let text = std::borrow::Cow::<str>::deserialize(input)?;
            text.parse().map_err(|_| D::Error::custom(format_args!("`{text}` is not a decimal number of 64 bits")))
        } else {
            u64::deserialize(input)
        }
    }
}
