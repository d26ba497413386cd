//! Journal records of the DKG machine as entries of the store. Records with secrets have no general serialization: this
//! file is the one place that writes and reads them, always into sealed entries.

use cluster_core::ceremony::CeremonyId;
use cluster_core::committee::OperatorId;
use cluster_core::dkg::{Qualified, Record, StoredShares};
use cluster_core::encoding::{decode, encode};
use cluster_core::machine::Time;
use cluster_core::request::SignedRequest;
use cluster_crypto::polynomial::SecretVector;
use cluster_crypto::{bls, Secret, ShareIndex};
use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

use super::{Entry, StoreError};

/// A message of at most 4 MiB with its surroundings.
const PUBLIC_LIMIT: usize = 5 * 1024 * 1024;
/// A signed request with a time.
const STARTED_LIMIT: usize = 4096;
/// Public part of the shares of 1,000 validators.
const SHARES_LIMIT: usize = 1024 * 1024;

const SEED_LEN: usize = 32;
const LENGTH_LEN: usize = 4;

#[derive(Serialize, Deserialize)]
enum Public {
    Received { now: Time, from: OperatorId, bytes: serde_bytes::ByteBuf },
    Deadline { now: Time },
}

#[derive(Serialize, Deserialize)]
struct Started {
    request: SignedRequest,
    now: Time,
}

#[derive(Serialize, Deserialize)]
struct SharesHeader {
    ceremony_id: CeremonyId,
    operator_id: OperatorId,
    share_index: ShareIndex,
    validators: Vec<bls::PublicKey>,
    share_pubkeys: Vec<bls::PublicKey>,
    qualified: Qualified,
}

/// How a record is written.
pub fn to_entry(record: Record) -> Entry {
    match record {
        Record::Received { now, from, bytes } => {
            Entry::Plain(encode(&Public::Received { now, from, bytes: serde_bytes::ByteBuf::from(bytes) }))
        }
        Record::Deadline { now } => Entry::Plain(encode(&Public::Deadline { now })),
        Record::Started { request, now, seed, inherited } => {
            let header = encode(&Started { request, now });
            let inherited = inherited.map(|shares| shares.to_bytes());
            let rest = |seed: &[u8; SEED_LEN]| match &inherited {
                None => with_header(&header, seed, &[]),
                Some(shares) => shares.expose(|shares| with_header(&header, seed, shares)),
            };
            Entry::Sealed(seed.expose(rest))
        }
        Record::Shares(shares) => Entry::Shares(shares_bytes(&shares)),
    }
}

/// What an entry says.
pub fn from_entry(entry: Entry) -> Result<Record, StoreError> {
    match entry {
        Entry::Plain(bytes) => {
            let record = decode(&bytes, PUBLIC_LIMIT).map_err(|_| StoreError::Corrupt { what: "a journal record" })?;
            Ok(match record {
                Public::Received { now, from, bytes } => Record::Received { now, from, bytes: bytes.into_vec() },
                Public::Deadline { now } => Record::Deadline { now },
            })
        }
        Entry::Sealed(secret) => secret.expose(|bytes| started(bytes)),
        Entry::Shares(secret) => secret.expose(|bytes| shares(bytes)).map(Record::Shares),
    }
}

pub(super) fn shares_bytes(shares: &StoredShares) -> Secret<Vec<u8>> {
    let header = encode(&SharesHeader {
        ceremony_id: shares.ceremony_id,
        operator_id: shares.operator_id,
        share_index: shares.share_index,
        validators: shares.validators.clone(),
        share_pubkeys: shares.share_pubkeys.clone(),
        qualified: shares.qualified.clone(),
    });
    shares.shares.to_bytes().expose(|bytes| with_header(&header, bytes, &[]))
}

fn started(bytes: &[u8]) -> Result<Record, StoreError> {
    let corrupt = StoreError::Corrupt { what: "the first record of a journal" };
    let Some((header, seed)) = split_header(bytes) else { return Err(corrupt) };
    let Ok(header) = decode::<Started>(header, STARTED_LIMIT) else { return Err(corrupt) };
    let Some((seed, inherited)) = seed.split_first_chunk::<SEED_LEN>() else { return Err(corrupt) };
    // What a reshare starts from follows the seed.
    let inherited = match inherited {
        [] => None,
        bytes => match SecretVector::from_bytes(bytes, header.request.request.validator_count as usize) {
            Ok(shares) => Some(shares),
            Err(_) => return Err(corrupt),
        },
    };
    let mut seed = *seed;
    let record = Record::Started { request: header.request, now: header.now, seed: Secret::new(seed), inherited };
    seed.zeroize();
    Ok(record)
}

pub(super) fn shares(bytes: &[u8]) -> Result<StoredShares, StoreError> {
    let corrupt = || StoreError::Corrupt { what: "the shares of a ceremony" };
    let (header, secret) = split_header(bytes).ok_or_else(corrupt)?;
    let header: SharesHeader = decode(header, SHARES_LIMIT).map_err(|_| corrupt())?;
    let shares = SecretVector::from_bytes(secret, header.validators.len()).map_err(|_| corrupt())?;
    Ok(StoredShares {
        ceremony_id: header.ceremony_id,
        operator_id: header.operator_id,
        share_index: header.share_index,
        validators: header.validators,
        share_pubkeys: header.share_pubkeys,
        shares,
        qualified: header.qualified,
    })
}

/// Length of the public part, public part, secret parts. Reserved at once, so that no stray copy of the secret is left
/// behind by a growing buffer.
fn with_header(header: &[u8], secret: &[u8], more: &[u8]) -> Secret<Vec<u8>> {
    let mut bytes = Vec::with_capacity(LENGTH_LEN + header.len() + secret.len() + more.len());
    let length = u32::try_from(header.len()).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(header);
    bytes.extend_from_slice(secret);
    bytes.extend_from_slice(more);
    Secret::new(bytes)
}

fn split_header(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<LENGTH_LEN>()?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize)
}
