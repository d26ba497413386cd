//! Version of the store's layout, and the way from each version to the next.

use cluster_core::certificate::{Contribution, MAX_CONTRIBUTION_BYTES};
use cluster_core::encoding::{decode, encode};

use super::validators::ValidatorEntry;
use super::StoreError;

/// The layout that this binary writes.
pub const SCHEMA_VERSION: u32 = 2;

const VERSION_KEY: &[u8] = b"schema_version";

/// One step forward: from version `from` to `from + 1`. Steps are only ever added.
struct Migration {
    from: u32,
    apply: fn(&sled::Db) -> Result<(), StoreError>,
}

const MIGRATIONS: &[Migration] = &[Migration { from: 1, apply: list_validators }];

/// Brings the store to [`SCHEMA_VERSION`]; refuses one that a newer binary wrote, since its meaning is unknown here.
pub(super) fn bring_up_to_date(db: &sled::Db, meta: &sled::Tree) -> Result<(), StoreError> {
    let mut version = match meta.get(VERSION_KEY)? {
        None => SCHEMA_VERSION,
        Some(bytes) => {
            let bytes: [u8; 4] =
                bytes.as_ref().try_into().map_err(|_| StoreError::Corrupt { what: "the schema version" })?;
            u32::from_le_bytes(bytes)
        }
    };
    if version > SCHEMA_VERSION {
        return Err(StoreError::Newer { found: version, supported: SCHEMA_VERSION });
    }
    while version < SCHEMA_VERSION {
        let step = MIGRATIONS
            .iter()
            .find(|step| step.from == version)
            .ok_or(StoreError::Corrupt { what: "the schema version" })?;
        (step.apply)(db)?;
        version += 1;
        // Recorded and flushed per step: a crash between two steps repeats at most one of them.
        meta.insert(VERSION_KEY, &version.to_le_bytes())?;
        db.flush()?;
    }
    meta.insert(VERSION_KEY, &SCHEMA_VERSION.to_le_bytes())?;
    Ok(())
}

/// Version 2 has a table of validators: filled from the results of ceremonies that have keys.
fn list_validators(db: &sled::Db) -> Result<(), StoreError> {
    let validators = db.open_tree("validators")?;
    for outcome in db.open_tree("outcomes")?.iter().values() {
        let Some(contribution) = contribution_of_version_1(&outcome?)? else { continue };
        let me = contribution.attestation.operator_id;
        for entry in ValidatorEntry::of_transcript(&contribution.transcript, me) {
            validators.insert(entry.pubkey.to_bytes(), encode(&entry))?;
        }
    }
    Ok(())
}

/// The contribution inside a stored result as version 1 wrote it: a tag of four bytes, zero for a ceremony with keys, then
/// the length in eight bytes and the encoded contribution. Read by hand, since the type of today may change.
fn contribution_of_version_1(outcome: &[u8]) -> Result<Option<Contribution>, StoreError> {
    let corrupt = || StoreError::Corrupt { what: "a result" };
    let (tag, rest) = outcome.split_first_chunk::<4>().ok_or_else(corrupt)?;
    if u32::from_le_bytes(*tag) != 0 {
        return Ok(None);
    }
    let (length, rest) = rest.split_first_chunk::<8>().ok_or_else(corrupt)?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| corrupt())?;
    let bytes = rest.get(..length).ok_or_else(corrupt)?;
    decode(bytes, MAX_CONTRIBUTION_BYTES).map(Some).map_err(|_| corrupt())
}
