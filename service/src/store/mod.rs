//! The database: SQLite or PostgreSQL by URL, one portable schema (`migrations/`), one set of statements.
//!
//! Reads go to the pool. Writes go through [`Store::write`], which serialises them on both databases (a lock in
//! this process, then `BEGIN IMMEDIATE` or an advisory lock), so that "read, decide, write" needs no further care
//! and ids can be given in order of commit: a cursor never skips a row that commits late.

mod ceremonies;
mod chain;
mod chain_state;
mod chain_write;
mod events;
mod gateway_calls;
mod initiators;
mod logins;
mod participation;
mod performance;
mod preflights;
mod upkeep;
mod validators;

pub use ceremonies::{CeremonyRow, CertificateRow, NewCeremony, Outcome};
pub use chain::{BeaconRow, CursorRow, FactRow, NodeOperatorRow, OperatorReportRow, QuarantineRow};
pub use events::EventRow;
pub use initiators::InitiatorRow;
pub use participation::{Bucket, BucketAttendanceRow, BucketRow, OwnValidatorRow, SameDutiesRow, SeriesQuery};
pub use performance::{AttendanceRow, CommitteeEpoch, PerformanceFilter, PerformanceRow, ValidatorFigures};
pub use preflights::PreflightRow;
pub use upkeep::{validator_recipient_prefix, PresentCommitteeRow, UpkeepCountRow, UpkeepQuery, UpkeepRow};
pub use validators::{TxidColumn, Txids, ValidatorFilter, ValidatorRow, ValidatorUpdate};

use crate::limits;
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::migrate::Migrator;
use sqlx::{Any, AnyPool, Transaction};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, OwnedMutexGuard};

static MIGRATOR: Migrator = sqlx::migrate!("./migrations");

/// Any constant: all writers of this program on one PostgreSQL database take the same advisory lock.
const WRITE_LOCK: i64 = 0x636c_7573_7465_7201;

/// Why a call to the database failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The URL names neither database.
    #[error("the database URL must start with sqlite:// or postgres://")]
    UnknownDatabase,
    /// The database could not be reached, or a statement failed.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// The schema could not be brought up to date, for example because a newer program wrote it.
    #[error("database schema: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// A stored value does not have the form in which it was written.
    #[error("column {column} holds a value that cannot be read")]
    Corrupt {
        /// Name of the column.
        column: &'static str,
    },
}

/// Result of a call to the database.
pub type StoreResult<T> = Result<T, StoreError>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Sqlite,
    Postgres,
}

/// A cloneable handle of the database.
#[derive(Clone, Debug)]
pub struct Store {
    pool: AnyPool,
    kind: Kind,
    writer: Arc<Mutex<()>>,
}

/// A serialised write transaction; dropped without [`WriteTx::commit`], it changes nothing.
pub struct WriteTx {
    tx: Transaction<'static, Any>,
    _writer: OwnedMutexGuard<()>,
}

impl WriteTx {
    /// Makes the changes durable.
    pub async fn commit(self) -> StoreResult<()> {
        self.tx.commit().await?;
        Ok(())
    }

    /// The next value of a column that counts rows in order.
    async fn next_id(&mut self, select_max: &'static str) -> StoreResult<i64> {
        let (max,): (i64,) = sqlx::query_as(select_max).fetch_one(&mut *self.tx).await?;
        Ok(max + 1)
    }
}

impl Store {
    /// Connects, creates the SQLite file when it is missing, and brings the schema up to date.
    pub async fn open(url: &str, connections: u32) -> StoreResult<Self> {
        sqlx::any::install_default_drivers();
        let (kind, url) = if let Some(path) = url.strip_prefix("sqlite:") {
            let separator = if path.contains('?') { '&' } else { '?' };
            (Kind::Sqlite, format!("sqlite:{path}{separator}mode=rwc"))
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            (Kind::Postgres, url.to_owned())
        } else {
            return Err(StoreError::UnknownDatabase);
        };
        let options = AnyConnectOptions::from_str(&url)?;
        let pool = AnyPoolOptions::new()
            .max_connections(connections.max(2))
            .acquire_timeout(Duration::from_secs(10))
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    if kind == Kind::Sqlite {
                        // Readers do not wait for the writer; a commit is on disk before it is reported.
                        for pragma in
                            ["PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "PRAGMA foreign_keys = ON"]
                        {
                            sqlx::query(pragma).execute(&mut *connection).await?;
                        }
                    }
                    Ok(())
                })
            })
            .connect_with(options)
            .await?;
        MIGRATOR.run(&pool).await?;
        Ok(Self { pool, kind, writer: Arc::new(Mutex::new(())) })
    }

    /// Begins a write transaction after all earlier ones.
    pub async fn write(&self) -> StoreResult<WriteTx> {
        let writer = self.writer.clone().lock_owned().await;
        let tx = match self.kind {
            Kind::Sqlite => self.pool.begin_with("BEGIN IMMEDIATE").await?,
            Kind::Postgres => {
                let mut tx = self.pool.begin().await?;
                // Another process may serve the same database.
                sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(WRITE_LOCK).execute(&mut *tx).await?;
                tx
            }
        };
        Ok(WriteTx { tx, _writer: writer })
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> StoreResult<()> {
        sqlx::query("SELECT 1").execute(&self.pool).await?;
        Ok(())
    }

    /// Waits for running statements and closes all connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Deletes expired nonces, sessions, gateway calls and preflights, requests that expired long ago, and old figures of duties.
    pub async fn purge(&self, now_ms: u64, deadline_before_s: u64) -> StoreResult<()> {
        const OLD: &str = "SELECT ceremony_id FROM ceremonies WHERE status = 'expired' AND deadline_s < $1";
        let (now_ms, before_s) = (to_i64(now_ms), to_i64(deadline_before_s));
        let figures_before_ms = now_ms.saturating_sub(to_i64(limits::PERFORMANCE_KEEP_MS));
        let events = format!("DELETE FROM ceremony_events WHERE ceremony_id IN ({OLD})");
        let preflights_before_ms = now_ms.saturating_sub(to_i64(limits::PREFLIGHT_KEEP_MS));
        let mut write = self.write().await?;
        for (statement, bound) in [
            ("DELETE FROM login_nonces WHERE expires_at_ms <= $1", now_ms),
            ("DELETE FROM sessions WHERE expires_at_ms <= $1", now_ms),
            ("DELETE FROM gateway_calls WHERE expires_at_ms <= $1", now_ms),
            ("DELETE FROM preflights WHERE created_at_ms <= $1", preflights_before_ms),
            ("DELETE FROM performance WHERE start_ms < $1", figures_before_ms),
            ("DELETE FROM performance_operators WHERE start_ms < $1", figures_before_ms),
            (events.as_str(), before_s),
            ("DELETE FROM ceremonies WHERE status = 'expired' AND deadline_s < $1", before_s),
        ] {
            sqlx::query(statement).bind(bound).execute(&mut *write.tx).await?;
        }
        write.commit().await
    }
}

/// Times and counts stay far below 2^63; a hostile value is stored as the largest one instead of wrapping.
fn to_i64(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// `($1, $2), ($3, $4)` for `rows` rows of `columns` columns: both databases understand numbered parameters.
fn value_lists(rows: usize, columns: usize) -> String {
    let mut text = String::new();
    for row in 0..rows {
        let list: Vec<String> = (0..columns).map(|column| format!("${}", row * columns + column + 1)).collect();
        if row > 0 {
            text.push_str(", ");
        }
        text.push_str(&format!("({})", list.join(", ")));
    }
    text
}
