//! Figures of duties over time, and summed. Duties are kept as text: rows with the same text are counted by the database, so that a
//! day of 225 epochs is read as a handful of rows.

use super::{to_i64, Store, StoreResult};

/// One epoch, or one day, of a validator.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct BucketRow {
    /// Number of the epoch, or of the day since 1970.
    pub bucket: i64,
    /// When its first epoch began, Unix milliseconds.
    pub start_ms: i64,
    /// First epoch with figures.
    pub first_epoch: i64,
    /// Last epoch with figures.
    pub last_epoch: i64,
    /// Fewest operators whose claims the figures of an epoch come from.
    pub reports: i64,
    /// Duties of all kinds.
    pub expected: i64,
    /// Those that were submitted.
    pub submitted: i64,
}

/// Epochs of a validator with the very same duties.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct SameDutiesRow {
    /// As in [`BucketRow`]; the number of the validator in [`Store::totals_of`].
    pub bucket: i64,
    /// JSON array.
    pub duties: String,
    /// How many epochs.
    pub epochs: i64,
}

/// One operator of the committee in one bucket.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct BucketAttendanceRow {
    /// As in [`BucketRow`].
    pub bucket: i64,
    /// Id in the registry.
    pub operator_id: i64,
    /// Exchanges of partial signatures.
    pub exchanges: i64,
    /// Those in which its partials were seen.
    pub seen: i64,
}

/// A validator of an owner.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct OwnValidatorRow {
    /// Number of the validator.
    pub id: i64,
    /// 48 bytes, 0x hex.
    pub pubkey: String,
}

/// What one bucket covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bucket {
    /// One epoch.
    Epoch,
    /// The epochs that began on one day of UTC.
    Day,
}

impl Bucket {
    /// SQL for the number of a row's bucket.
    fn number(self) -> &'static str {
        match self {
            Self::Epoch => "epoch",
            Self::Day => "start_ms / 86400000",
        }
    }
}

/// Which buckets of which validator.
#[derive(Clone, Debug)]
pub struct SeriesQuery {
    /// Number of the validator.
    pub validator_id: i64,
    /// What a bucket covers.
    pub bucket: Bucket,
    /// First epoch.
    pub from_epoch: i64,
    /// Last epoch.
    pub to_epoch: i64,
    /// Buckets before this one; the last page's last, or `i64::MAX`.
    pub before: i64,
}

impl Store {
    /// Those of these validators that are this owner's, ascending by key.
    pub async fn own_validators(&self, owner: &str, pubkeys: &[String]) -> StoreResult<Vec<OwnValidatorRow>> {
        let places: Vec<String> = (2..pubkeys.len() + 2).map(|place| format!("${place}")).collect();
        let statement = format!(
            "SELECT id, pubkey FROM validators WHERE owner = $1 AND pubkey IN ({}) ORDER BY pubkey",
            places.join(", ")
        );
        let mut query = sqlx::query_as(&statement).bind(owner.to_owned());
        for pubkey in pubkeys {
            query = query.bind(pubkey.clone());
        }
        Ok(query.fetch_all(&self.pool).await?)
    }

    /// Buckets with figures, newest first.
    pub async fn buckets_of(&self, series: &SeriesQuery, limit: i64) -> StoreResult<Vec<BucketRow>> {
        let number = series.bucket.number();
        let statement = format!(
            "SELECT {number} AS bucket, MIN(start_ms) AS start_ms, MIN(epoch) AS first_epoch, \
             MAX(epoch) AS last_epoch, MIN(reports) AS reports, CAST(SUM(expected) AS BIGINT) AS expected, \
             CAST(SUM(submitted) AS BIGINT) AS submitted FROM performance \
             WHERE validator_id = $1 AND epoch >= $2 AND epoch <= $3 AND {number} < $4 \
             GROUP BY {number} ORDER BY 1 DESC LIMIT $5"
        );
        let query = sqlx::query_as(&statement)
            .bind(series.validator_id)
            .bind(series.from_epoch)
            .bind(series.to_epoch)
            .bind(series.before)
            .bind(limit);
        Ok(query.fetch_all(&self.pool).await?)
    }

    /// Duties of a validator from one epoch to another, by bucket; equal ones counted.
    pub async fn duties_by_bucket(
        &self,
        series: &SeriesQuery,
        (first, last): (i64, i64),
    ) -> StoreResult<Vec<SameDutiesRow>> {
        let number = series.bucket.number();
        let statement = format!(
            "SELECT {number} AS bucket, duties, COUNT(*) AS epochs FROM performance \
             WHERE validator_id = $1 AND epoch >= $2 AND epoch <= $3 GROUP BY {number}, duties"
        );
        let query = sqlx::query_as(&statement).bind(series.validator_id).bind(first).bind(last);
        Ok(query.fetch_all(&self.pool).await?)
    }

    /// Operators of a validator's committees from one epoch to another, by bucket.
    pub async fn attendance_by_bucket(
        &self,
        validator_id: i64,
        bucket: Bucket,
        (first, last): (i64, i64),
    ) -> StoreResult<Vec<BucketAttendanceRow>> {
        let number = bucket.number();
        let statement = format!(
            "SELECT {number} AS bucket, operator_id, CAST(SUM(exchanges) AS BIGINT) AS exchanges, \
             CAST(SUM(seen) AS BIGINT) AS seen FROM performance_operators \
             WHERE operator_ids IN (SELECT operator_ids FROM validator_committees WHERE validator_id = $1) \
             AND epoch >= $2 AND epoch <= $3 GROUP BY {number}, operator_id ORDER BY 1, 2"
        );
        let query = sqlx::query_as(&statement).bind(validator_id).bind(first).bind(last);
        Ok(query.fetch_all(&self.pool).await?)
    }

    /// Duties of these validators in epochs that began at `since_ms` or later; equal ones counted.
    pub async fn totals_of(&self, validator_ids: &[i64], since_ms: u64) -> StoreResult<Vec<SameDutiesRow>> {
        let places: Vec<String> = (2..validator_ids.len() + 2).map(|place| format!("${place}")).collect();
        let statement = format!(
            "SELECT validator_id AS bucket, duties, COUNT(*) AS epochs FROM performance \
             WHERE start_ms >= $1 AND validator_id IN ({}) GROUP BY validator_id, duties",
            places.join(", ")
        );
        let mut query = sqlx::query_as(&statement).bind(to_i64(since_ms));
        for id in validator_ids {
            query = query.bind(*id);
        }
        Ok(query.fetch_all(&self.pool).await?)
    }
}
