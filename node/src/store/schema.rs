//! Version of the store's layout, and the way from each version to the next.

use super::StoreError;

/// The layout that this binary writes.
pub const SCHEMA_VERSION: u32 = 1;

const VERSION_KEY: &[u8] = b"schema_version";

/// One step forward: from version `from` to `from + 1`. Steps are only ever added.
struct Migration {
    from: u32,
    apply: fn(&sled::Db) -> Result<(), StoreError>,
}

const MIGRATIONS: &[Migration] = &[];

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
