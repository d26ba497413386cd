//! The node's database: the only user of sled.
//!
//! | tree         | key                            | value                                              | sealed |
//! |--------------|--------------------------------|----------------------------------------------------|--------|
//! | `meta`       | name                           | schema version; proof that the right key is in use; first slot with votes | partly |
//! | `ceremonies` | ceremony id                    | request, state, times                              | no     |
//! | `nonces`     | owner, request nonce           | ceremony id: a nonce is used once                  | no     |
//! | `journal`    | ceremony id, position (u64 BE) | one record of the machine                          | if secret |
//! | `votes`      | slot, kind, committee, position (BE) | one vote of a consensus instance             | no     |
//! | `shares`     | ceremony or split id           | this operator's shares                             | yes    |
//! | `handover`   | ceremony or split id           | how far the shares have moved to a signer process  | no     |
//! | `validators` | validator key                  | what is public about a validator, or empty: removed | no    |
//! | `slashing`, `slashing_chain` | see [`SlashingDb`] | what validators have signed                 | no     |
//! | `outcomes`   | ceremony id                    | what the ceremony ended with                       | no     |
//! | `outbox`     | ceremony id                    | gateway: certificate and what became of it         | no     |
//! | `requests`   | name                           | gateway: cursors of its polls and questions        | no     |
//! | `peers`      | operator id                    | last known signed addresses                        | no     |
//! | `exits`      | hash                           | an owner's signed order to let validators leave    | no     |
//! | `duties`     | slot, kind, committee          | what became of a duty                              | no     |
//! | `chain_facts` | what it is about              | what the contracts said; the cursor                | no     |
//! | `chain_records` | block number (u64 BE)       | what takes the block back                          | no     |
//! | `chain_marks` | what it is about              | empty: something still has to follow from the fact | no     |
//!
//! Writes are grouped: [`Store::flush`] makes everything written before it durable, and callers flush before anything that
//! depends on a write leaves the process (invariant 2).

mod ceremonies;
mod chain;
mod journal;
mod records;
mod schema;
mod sealing;
mod signer;
mod slashing;
mod tables;
mod validators;
mod votes;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use cluster_crypto::identity;
use prometheus_client::metrics::counter::Counter;

pub use ceremonies::{Begin, CeremonyEntry, CeremonyState};
pub use chain::{ChainState, Cursor};
pub use journal::{Entry, Journal};
pub use records::{from_entry, to_entry};
pub use schema::SCHEMA_VERSION;
pub use sealing::SealError;
pub use signer::{ChainPin, Handover};
pub use slashing::{Report as SlashingReport, SlashingDb};
pub use tables::Table;
pub use validators::{fee_recipient, Source, ValidatorEntry, DEFAULT_GAS_LIMIT};

use sealing::Sealer;

/// A stopped process releases the lock within milliseconds; a running one never does.
const LOCK_PATIENCE: Duration = Duration::from_secs(3);
/// Bounds sled's page cache, whose default of 1 GiB is more than the whole node may use.
const CACHE_BYTES: u64 = 16 * 1024 * 1024;

/// Why the store refuses.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Two processes on one store would both sign.
    #[error("the database {path} is in use by another process; stop that process, or choose another data_dir")]
    Locked {
        /// The database.
        path: PathBuf,
    },
    /// Written by a newer binary.
    #[error("the database was written by a newer version (layout {found}; this binary knows up to {supported}); install the newer version again")]
    Newer {
        /// Layout on disk.
        found: u32,
        /// Newest layout known here.
        supported: u32,
    },
    /// The identity key is not the one that created the store.
    #[error("the database belongs to another key than {public_key}; check identity.key_file and data_dir")]
    OtherKey {
        /// The key that tried.
        public_key: String,
    },
    /// Bytes that this code did not write.
    #[error("the database is damaged: {what} cannot be read; restore a backup or start with an empty data_dir")]
    Corrupt {
        /// What was being read.
        what: &'static str,
    },
    /// A sealed entry did not open.
    #[error("the database is damaged: {0}")]
    Seal(#[from] SealError),
    /// The owner's nonce was used by another request.
    #[error("the owner used this nonce for ceremony {ceremony_id} already")]
    NonceUsed {
        /// The ceremony that has it.
        ceremony_id: cluster_core::ceremony::CeremonyId,
    },
    /// Signing for two chains with one history would mix what belongs to each.
    #[error("the slashing history is of the chain with genesis validators root {found}, not of {expected}; check the beacon node or the file, or use another data_dir")]
    OtherChain {
        /// On record.
        found: String,
        /// Asked for.
        expected: String,
    },
    /// Nothing is signed before the chain is known.
    #[error("the slashing history is of no chain yet: nothing was signed or imported here")]
    NoChain,
    /// Another share of the validator is here already.
    #[error("validator {pubkey} is here already, with a share from another source; remove it first")]
    OtherShare {
        /// The validator, in hex.
        pubkey: String,
    },
    /// The store was closed, by shutdown or as part of a crash test.
    #[error("the database is closed")]
    Closed,
    /// The folder cannot be made.
    #[error("the folder {path} cannot be used: {reason}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// The disk.
    #[error("the database cannot be read or written: {0}")]
    Io(#[source] sled::Error),
}

/// A process has one database, and errors arise in many places of this module: they are counted where they all pass.
static FAILURES: LazyLock<Counter> = LazyLock::new(Counter::default);

/// Failures to read or write a database since the process began.
#[must_use]
pub fn failures() -> Counter {
    FAILURES.clone()
}

impl From<sled::Error> for StoreError {
    fn from(error: sled::Error) -> Self {
        FAILURES.inc();
        Self::Io(error)
    }
}

/// An open database. Dropping the last reference releases its lock.
pub struct Store {
    db: sled::Db,
    meta: sled::Tree,
    ceremonies: sled::Tree,
    nonces: sled::Tree,
    journal: sled::Tree,
    shares: sled::Tree,
    handover: sled::Tree,
    validators: sled::Tree,
    votes: sled::Tree,
    validators_changed: tokio::sync::watch::Sender<u64>,
    tables: [sled::Tree; 6],
    chain: chain::Trees,
    slashing: SlashingDb,
    sealer: Sealer,
    closed: Arc<AtomicBool>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Store")
    }
}

impl Store {
    /// Opens or creates the database in `data_dir` for the node with this identity.
    pub fn open(data_dir: &Path, identity: &identity::SecretKey) -> Result<Self, StoreError> {
        make_private_folder(data_dir)?;
        let path = data_dir.join("db");
        let db = open_patiently(&path)?;
        let meta = db.open_tree("meta")?;
        schema::bring_up_to_date(&db, &meta)?;
        let closed = Arc::new(AtomicBool::new(false));
        let store = Self {
            slashing: SlashingDb::of(db.clone(), Arc::clone(&closed))?,
            ceremonies: db.open_tree("ceremonies")?,
            nonces: db.open_tree("nonces")?,
            journal: db.open_tree("journal")?,
            shares: db.open_tree("shares")?,
            handover: db.open_tree("handover")?,
            validators: db.open_tree("validators")?,
            votes: db.open_tree("votes")?,
            validators_changed: tokio::sync::watch::Sender::new(0),
            tables: [
                db.open_tree(Table::Outcomes.name())?,
                db.open_tree(Table::Outbox.name())?,
                db.open_tree(Table::Requests.name())?,
                db.open_tree(Table::Peers.name())?,
                db.open_tree(Table::Exits.name())?,
                db.open_tree(Table::Duties.name())?,
            ],
            chain: chain::Trees::open(&db)?,
            meta,
            db,
            sealer: Sealer::of(identity),
            closed,
        };
        store.check_key(identity)?;
        store.flush()?;
        Ok(store)
    }

    /// Makes everything written so far durable. Blocks on the disk.
    pub fn flush(&self) -> Result<(), StoreError> {
        self.check_open()?;
        self.db.flush()?;
        Ok(())
    }

    /// Refuses every further write, so that work that is still running after a (real or tested) death leaves no trace.
    pub fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    /// What validators have signed.
    #[must_use]
    pub fn slashing(&self) -> &SlashingDb {
        &self.slashing
    }

    /// Bytes on disk.
    pub fn size_on_disk(&self) -> Result<u64, StoreError> {
        Ok(self.db.size_on_disk()?)
    }

    fn check_open(&self) -> Result<(), StoreError> {
        if self.closed.load(Ordering::SeqCst) {
            return Err(StoreError::Closed);
        }
        Ok(())
    }

    /// A sealed constant tells a wrong key at start and not at the first share.
    fn check_key(&self, identity: &identity::SecretKey) -> Result<(), StoreError> {
        const KEY: &[u8] = b"key_check";
        const PLAIN: &[u8] = b"cluster-node";
        match self.meta.get(KEY)? {
            Some(sealed) => {
                self.sealer
                    .open("meta", KEY, &sealed)
                    .map_err(|_| StoreError::OtherKey { public_key: identity.public_key().to_string() })?;
            }
            None => {
                self.meta.insert(KEY, self.sealer.seal("meta", KEY, PLAIN)?)?;
            }
        }
        Ok(())
    }
}

fn open_patiently(path: &Path) -> Result<sled::Db, StoreError> {
    let give_up = Instant::now() + LOCK_PATIENCE;
    loop {
        match sled::Config::new().path(path).cache_capacity(CACHE_BYTES).open() {
            Ok(db) => return Ok(db),
            Err(error) if is_lock(&error) => {
                if Instant::now() >= give_up {
                    return Err(StoreError::Locked { path: path.to_owned() });
                }
                // A predecessor that was killed lets go within moments, and sled offers nothing to wait on.
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

// sled wraps the system's error into a text of its own.
fn is_lock(error: &sled::Error) -> bool {
    matches!(error, sled::Error::Io(io) if io.to_string().contains("could not acquire lock"))
}

fn make_private_folder(path: &Path) -> Result<(), StoreError> {
    let bad = |error: std::io::Error| StoreError::Folder { path: path.to_owned(), reason: error.to_string() };
    std::fs::create_dir_all(path).map_err(bad)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).map_err(bad)?;
    }
    Ok(())
}
