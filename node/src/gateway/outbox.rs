//! The outbox: certificates on disk until the service has them.

use cluster_core::ceremony::CeremonyId;
use cluster_core::certificate::Certificate;
use cluster_core::encoding::{decode, encode};
use serde::{Deserialize, Serialize};

use crate::store::{Store, StoreError, Table};

/// A certificate of 1,000 validators and 13 operators is about 2.5 MB in binary.
const ENTRY_LIMIT: usize = 8 * 1024 * 1024;

/// One certificate and what became of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OutboxEntry {
    /// Verified here before it was written.
    pub certificate: Certificate,
    /// Number of attestations in the version that the service acknowledged; 0 when none.
    pub published: u32,
    /// Why the service refused this version for good, when it did. A later attestation makes a new attempt.
    pub refused: Option<String>,
}

impl OutboxEntry {
    /// Whether the service lacks something.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.refused.is_none() && (self.published as usize) < self.certificate.attestations.len()
    }

    /// Whether nothing is left to do: all n attested, and the service knows or refused it.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        !self.is_waiting() && self.certificate.attestations.len() == self.certificate.transcript.committee.len()
    }
}

/// Writes an entry durably. Blocks on the disk.
pub fn write(store: &Store, entry: &OutboxEntry) -> Result<(), StoreError> {
    store.put(Table::Outbox, entry.certificate.ceremony_id.as_bytes(), &encode(entry))?;
    store.flush()
}

/// The entry of one ceremony.
pub fn read(store: &Store, ceremony_id: CeremonyId) -> Result<Option<OutboxEntry>, StoreError> {
    store.get(Table::Outbox, ceremony_id.as_bytes())?.map(|bytes| parse(&bytes)).transpose()
}

fn parse(bytes: &[u8]) -> Result<OutboxEntry, StoreError> {
    decode(bytes, ENTRY_LIMIT).map_err(|_| StoreError::Corrupt { what: "an entry of the outbox" })
}
