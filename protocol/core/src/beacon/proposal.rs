//! A block to propose: the SSZ bytes that a beacon node made, carried and published unchanged, and what they say.

use serde::{de::SeqAccess, Deserialize, Deserializer, Serialize};
use ssz::{Decode, Encode};

use super::{
    aggregate::{push_offset, signed_ssz},
    body::{Block, ExecutionPart, Payload, PayloadHeader},
    preset::{MainnetSizes, MinimalSizes, Sizes},
    BeaconBlockHeader, Fork, Preset, Root,
};

/// `BYTES_PER_BLOB`.
pub const BYTES_PER_BLOB: usize = 131_072;
/// `CELLS_PER_EXT_BLOB`: proofs per blob since Fulu.
pub const CELLS_PER_EXT_BLOB: usize = 128;
const BYTES_PER_PROOF: usize = 48;
/// `MAX_BLOB_COMMITMENTS_PER_BLOCK`.
const MAX_BLOBS: usize = 4_096;
/// Offsets of block, proofs and blobs.
const CONTENTS_FIXED: usize = 12;

/// Why a proposal cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProposalError {
    /// Bodies of the fork are not known here.
    #[error("blocks of the fork {0} are not supported; electra and fulu are")]
    Fork(Fork),
    /// The block contents' frame is not SSZ.
    #[error("the block contents are not valid SSZ: {0}")]
    Contents(&'static str),
    /// The block does not decode.
    #[error("the block is not valid SSZ of {fork} in the {preset} preset: {reason}")]
    Block {
        /// Its fork.
        fork: Fork,
        /// The preset.
        preset: Preset,
        /// The decoder's words.
        reason: String,
    },
    /// The JSON does not decode.
    #[error("the block contents are not valid JSON of {fork} in the {preset} preset: {reason}")]
    Json {
        /// Its fork.
        fork: Fork,
        /// The preset.
        preset: Preset,
        /// The decoder's words, with the field.
        reason: String,
    },
    /// Blobs come with the block, one for each commitment, and proofs as the fork has them.
    #[error("the block commits to {commitments} blobs, but comes with {blobs} blobs and {proofs} proofs")]
    Blobs {
        /// Commitments in the body.
        commitments: usize,
        /// Blobs beside the block.
        blobs: usize,
        /// Proofs beside the block.
        proofs: usize,
    },
}

/// A block with what is published with it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// Fork of the block.
    pub fork: Fork,
    /// Whether it has the payload's header instead of the payload.
    pub blinded: bool,
    /// SSZ of the `BeaconBlock` or `BlindedBeaconBlock`.
    #[serde(with = "serde_bytes")]
    pub block: Vec<u8>,
    /// KZG proofs, 48 bytes each: one per blob in Electra, 128 per blob in Fulu; empty when blinded.
    #[serde(with = "serde_bytes")]
    pub kzg_proofs: Vec<u8>,
    /// Blobs, 131,072 bytes each; empty when blinded.
    #[serde(with = "serde_bytes")]
    pub blobs: Vec<u8>,
}

impl std::fmt::Debug for Proposal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { fork, blinded, block, kzg_proofs, blobs } = self;
        let (block, proofs, blobs) = (block.len(), kzg_proofs.len(), blobs.len());
        write!(f, "Proposal({fork}, blinded: {blinded}, {block} bytes, {proofs} of proofs, {blobs} of blobs)")
    }
}

/// What a block says, as far as a validator looks at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockSummary {
    /// The header with the block's root.
    pub header: BeaconBlockHeader,
    /// The proposer's signature over the epoch.
    pub randao_reveal: [u8; 96],
    /// Free text.
    pub graffiti: [u8; 32],
    /// Number of aggregates.
    pub attestations: usize,
    /// Parent on the execution chain.
    pub parent_hash: Root,
    /// The payload's hash.
    pub block_hash: Root,
    /// Who gets the fees.
    pub fee_recipient: [u8; 20],
    /// Number on the execution chain.
    pub block_number: u64,
    /// Unix seconds.
    pub timestamp: u64,
    /// Gas limit of the payload.
    pub gas_limit: u64,
    /// Number of transactions; not known of a blinded block.
    pub transactions: Option<usize>,
    /// Number of blobs that the block commits to.
    pub blobs: usize,
}

impl Proposal {
    /// Takes SSZ of the fork's `BlockContents`, or of a `BlindedBeaconBlock`. The block itself is decoded by [`Proposal::inspect`].
    pub fn from_contents_ssz(fork: Fork, blinded: bool, bytes: &[u8]) -> Result<Self, ProposalError> {
        check_fork(fork)?;
        if blinded {
            return Ok(Self { fork, blinded, block: bytes.to_vec(), kzg_proofs: Vec::new(), blobs: Vec::new() });
        }
        let part = |from: usize, to: usize| {
            bytes.get(from..to).ok_or(ProposalError::Contents("an offset lies outside of the bytes"))
        };
        let [first, proofs, blobs] = offsets(bytes)?;
        if first != CONTENTS_FIXED {
            return Err(ProposalError::Contents("the first offset is not 12"));
        }
        let contents = Self {
            fork,
            blinded,
            block: part(first, proofs)?.to_vec(),
            kzg_proofs: part(proofs, blobs)?.to_vec(),
            blobs: part(blobs, bytes.len())?.to_vec(),
        };
        contents.check_blob_lengths()?;
        Ok(contents)
    }

    /// Takes the JSON of the same: the value of `data` in the answer of a beacon node.
    pub fn from_contents_json(preset: Preset, fork: Fork, blinded: bool, json: &[u8]) -> Result<Self, ProposalError> {
        check_fork(fork)?;
        let read = match preset {
            Preset::Mainnet => from_json::<MainnetSizes>,
            Preset::Minimal => from_json::<MinimalSizes>,
        };
        let (block, kzg_proofs, blobs) =
            read(blinded, json).map_err(|reason| ProposalError::Json { fork, preset, reason })?;
        let contents = Self { fork, blinded, block, kzg_proofs, blobs };
        contents.check_blob_lengths()?;
        Ok(contents)
    }

    /// Decodes the whole block and compares the number of blobs and proofs with its commitments. That the proofs hold is checked by
    /// the beacon node that publishes them.
    pub fn inspect(&self, preset: Preset) -> Result<BlockSummary, ProposalError> {
        check_fork(self.fork)?;
        let summarise = match (preset, self.blinded) {
            (Preset::Mainnet, false) => summarise::<MainnetSizes, Payload<MainnetSizes>>,
            (Preset::Mainnet, true) => summarise::<MainnetSizes, PayloadHeader>,
            (Preset::Minimal, false) => summarise::<MinimalSizes, Payload<MinimalSizes>>,
            (Preset::Minimal, true) => summarise::<MinimalSizes, PayloadHeader>,
        };
        let summary =
            summarise(&self.block).map_err(|reason| ProposalError::Block { fork: self.fork, preset, reason })?;
        self.check_blob_lengths()?;
        self.check_blob_counts(summary.blobs)?;
        Ok(summary)
    }

    /// SSZ of the fork's `SignedBlockContents` or `SignedBlindedBeaconBlock`: the body of a publication.
    #[must_use]
    pub fn signed_contents_ssz(&self, signature: &[u8; 96]) -> Vec<u8> {
        let block = signed_ssz(&self.block, signature);
        if self.blinded {
            return block;
        }
        let proofs_at = CONTENTS_FIXED + block.len();
        let blobs_at = proofs_at + self.kzg_proofs.len();
        let mut out = Vec::with_capacity(blobs_at + self.blobs.len());
        for offset in [CONTENTS_FIXED, proofs_at, blobs_at] {
            push_offset(&mut out, offset);
        }
        out.extend_from_slice(&block);
        out.extend_from_slice(&self.kzg_proofs);
        out.extend_from_slice(&self.blobs);
        out
    }

    fn check_blob_lengths(&self) -> Result<(), ProposalError> {
        if !self.kzg_proofs.len().is_multiple_of(BYTES_PER_PROOF) || !self.blobs.len().is_multiple_of(BYTES_PER_BLOB) {
            return Err(ProposalError::Contents("proofs or blobs are cut off"));
        }
        if self.blobs.len() / BYTES_PER_BLOB > MAX_BLOBS
            || self.kzg_proofs.len() / BYTES_PER_PROOF > MAX_BLOBS * CELLS_PER_EXT_BLOB
        {
            return Err(ProposalError::Contents("there are more than 4096 blobs"));
        }
        Ok(())
    }

    fn check_blob_counts(&self, commitments: usize) -> Result<(), ProposalError> {
        let (blobs, proofs) = (self.blobs.len() / BYTES_PER_BLOB, self.kzg_proofs.len() / BYTES_PER_PROOF);
        let per_blob = if self.fork >= Fork::Fulu { CELLS_PER_EXT_BLOB } else { 1 };
        let expected = if self.blinded { 0 } else { commitments };
        if blobs == expected && proofs == expected * per_blob {
            Ok(())
        } else {
            Err(ProposalError::Blobs { commitments, blobs, proofs })
        }
    }
}

fn check_fork(fork: Fork) -> Result<(), ProposalError> {
    if fork.is_supported() {
        Ok(())
    } else {
        Err(ProposalError::Fork(fork))
    }
}

fn offsets(bytes: &[u8]) -> Result<[usize; 3], ProposalError> {
    let mut offsets = [0; 3];
    let (words, _) = bytes.as_chunks::<4>();
    for (at, offset) in offsets.iter_mut().enumerate() {
        let word = words.get(at).ok_or(ProposalError::Contents("they are cut off"))?;
        *offset = u32::from_le_bytes(*word) as usize;
    }
    Ok(offsets)
}

fn summarise<S: Sizes, P: ExecutionPart>(bytes: &[u8]) -> Result<BlockSummary, String> {
    let block = Block::<S, P>::from_ssz_bytes(bytes).map_err(|error| format!("{error:?}"))?;
    // What is signed is the root of what was decoded; what is published are the bytes.
    if block.as_ssz_bytes() != bytes {
        return Err("the bytes are not the block's encoding".to_owned());
    }
    let payload = block.body.execution_payload.summary();
    Ok(BlockSummary {
        header: block.header(),
        randao_reveal: block.body.randao_reveal,
        graffiti: block.body.graffiti,
        attestations: block.body.attestations.len(),
        parent_hash: payload.parent_hash,
        block_hash: payload.block_hash,
        fee_recipient: payload.fee_recipient,
        block_number: payload.block_number,
        timestamp: payload.timestamp,
        gas_limit: payload.gas_limit,
        transactions: payload.transactions,
        blobs: block.body.blob_kzg_commitments.len(),
    })
}

type Parts = (Vec<u8>, Vec<u8>, Vec<u8>);

fn from_json<S: Sizes>(blinded: bool, json: &[u8]) -> Result<Parts, String> {
    if blinded {
        let block: Block<S, PayloadHeader> = parse(json)?;
        return Ok((block.as_ssz_bytes(), Vec::new(), Vec::new()));
    }
    let contents: Contents<S> = parse(json)?;
    Ok((contents.block.as_ssz_bytes(), contents.kzg_proofs.0, contents.blobs.0))
}

fn parse<'de, T: Deserialize<'de>>(json: &'de [u8]) -> Result<T, String> {
    let mut input = serde_json::Deserializer::from_slice(json);
    let value = serde_path_to_error::deserialize(&mut input).map_err(|error| error.to_string())?;
    input.end().map_err(|error| error.to_string())?;
    Ok(value)
}

/// `BlockContents`.
#[derive(Deserialize)]
#[serde(bound = "")]
struct Contents<S: Sizes> {
    block: Block<S, Payload<S>>,
    kzg_proofs: Flat<BYTES_PER_PROOF>,
    blobs: Flat<BYTES_PER_BLOB>,
}

/// A list of `N` bytes each, one after the other.
struct Flat<const N: usize>(Vec<u8>);

impl<'de, const N: usize> Deserialize<'de> for Flat<N> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Items<const N: usize>;
        impl<'de, const N: usize> serde::de::Visitor<'de> for Items<N> {
            type Value = Vec<u8>;

            fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(out, "a list of {N} bytes each, in hex")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<u8>, A::Error> {
                let mut bytes = Vec::new();
                while let Some(Item::<N>(item)) = items.next_element()? {
                    bytes.extend_from_slice(&item);
                }
                Ok(bytes)
            }
        }
        input.deserialize_seq(Items::<N>).map(Self)
    }
}

/// On the heap: a blob is too large for the stack of a small thread.
struct Item<const N: usize>(Vec<u8>);

impl<'de, const N: usize> Deserialize<'de> for Item<N> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let bytes = super::hex_bytes::deserialize(input, N)?;
        if bytes.len() != N {
            return Err(serde::de::Error::custom(format_args!("expected {N} bytes, found {}", bytes.len())));
        }
        Ok(Self(bytes))
    }
}
