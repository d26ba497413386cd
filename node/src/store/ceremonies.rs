//! Index of ceremonies, and the nonces that their owners used.

use cluster_core::ceremony::CeremonyId;
use cluster_core::encoding::{decode, encode};
use cluster_core::request::SignedRequest;
use serde::{Deserialize, Serialize};
use sled::transaction::{ConflictableTransactionError, TransactionError};
use sled::Transactional;

use super::{Store, StoreError};

/// A request names at most 13 operators and is far smaller than this.
const ENTRY_LIMIT: usize = 4096;

/// Where a ceremony stands, as far as a restart must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CeremonyState {
    /// Under way: resumed at start.
    Open,
    /// Has keys, but some operators have not attested: resumed at start, to complete them.
    Incomplete,
    /// All operators attested: woken only when a peer asks.
    Ready,
    /// Ended without keys: woken only when a peer asks.
    Aborted,
}

/// One row of the index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CeremonyEntry {
    /// What the owner signed.
    pub request: SignedRequest,
    /// Where it stands.
    pub state: CeremonyState,
    /// When this operator began, in milliseconds since the Unix epoch.
    pub started_ms: u64,
    /// When the state last changed, in the same unit.
    pub updated_ms: u64,
}

/// What [`Store::begin_ceremony`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Begin {
    /// The ceremony is new and now in the index.
    New,
    /// It was in the index already: the same request again.
    Known(CeremonyState),
}

impl Store {
    /// Enters a ceremony and claims its owner's nonce, both or neither, durably. A request that reuses a nonce for something
    /// else is refused.
    pub fn begin_ceremony(&self, ceremony_id: CeremonyId, entry: &CeremonyEntry) -> Result<Begin, StoreError> {
        self.check_open()?;
        let nonce_key = nonce_key(entry);
        let value = encode(entry);
        let id = *ceremony_id.as_bytes();
        let begun = (&self.ceremonies, &self.nonces).transaction(|(ceremonies, nonces)| {
            if let Some(holder) = nonces.get(nonce_key)? {
                if holder.as_ref() != id {
                    return Err(ConflictableTransactionError::Abort(holder.to_vec()));
                }
            }
            if let Some(existing) = ceremonies.get(id)? {
                return Ok(Some(existing));
            }
            nonces.insert(&nonce_key[..], &id[..])?;
            ceremonies.insert(&id[..], value.as_slice())?;
            Ok(None)
        });
        match begun {
            Ok(None) => {
                self.flush()?;
                Ok(Begin::New)
            }
            Ok(Some(existing)) => Ok(Begin::Known(parse(&existing)?.state)),
            Err(TransactionError::Abort(holder)) => {
                let id = holder.as_slice().try_into().map_err(|_| StoreError::Corrupt { what: "a used nonce" })?;
                Err(StoreError::NonceUsed { ceremony_id: CeremonyId(id) })
            }
            Err(TransactionError::Storage(error)) => Err(error.into()),
        }
    }

    /// Records where the ceremony stands now.
    pub fn set_ceremony_state(
        &self,
        ceremony_id: CeremonyId,
        state: CeremonyState,
        now_ms: u64,
    ) -> Result<(), StoreError> {
        self.check_open()?;
        let Some(mut entry) = self.ceremony(ceremony_id)? else {
            return Err(StoreError::Corrupt { what: "the index entry of a running ceremony" });
        };
        if entry.state != state {
            entry.state = state;
            entry.updated_ms = now_ms;
            self.ceremonies.insert(ceremony_id.as_bytes(), encode(&entry))?;
        }
        Ok(())
    }

    /// One ceremony of the index.
    pub fn ceremony(&self, ceremony_id: CeremonyId) -> Result<Option<CeremonyEntry>, StoreError> {
        self.ceremonies.get(ceremony_id.as_bytes())?.map(|bytes| parse(&bytes)).transpose()
    }

    /// All ceremonies of the index, in the order of their ids.
    pub fn ceremonies(&self) -> impl Iterator<Item = Result<(CeremonyId, CeremonyEntry), StoreError>> + '_ {
        self.ceremonies.iter().map(|item| {
            let (key, value) = item?;
            let id = key.as_ref().try_into().map_err(|_| StoreError::Corrupt { what: "the index of ceremonies" })?;
            Ok((CeremonyId(id), parse(&value)?))
        })
    }

    /// Whether shares of this ceremony are on disk.
    pub fn has_shares(&self, ceremony_id: CeremonyId) -> Result<bool, StoreError> {
        Ok(self.shares.contains_key(ceremony_id.as_bytes())?)
    }
}

fn nonce_key(entry: &CeremonyEntry) -> [u8; 28] {
    let mut key = [0u8; 28];
    key[..20].copy_from_slice(&entry.request.request.owner.0);
    key[20..].copy_from_slice(&entry.request.request.nonce.to_be_bytes());
    key
}

fn parse(bytes: &[u8]) -> Result<CeremonyEntry, StoreError> {
    decode(bytes, ENTRY_LIMIT).map_err(|_| StoreError::Corrupt { what: "the index of ceremonies" })
}
