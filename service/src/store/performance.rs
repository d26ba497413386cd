//! How duties were performed.

use super::{to_i64, value_lists, Store, StoreResult, WriteTx};

/// Rows of one INSERT; far below every parameter limit.
const INSERT_ROWS: usize = 40;

/// One validator in one epoch.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct PerformanceRow {
    /// Number of the validator.
    pub validator_id: i64,
    /// 48 bytes, 0x hex.
    pub pubkey: String,
    /// The committee: JSON array, ascending.
    pub operator_ids: String,
    /// The epoch.
    pub epoch: i64,
    /// When it began, Unix milliseconds.
    pub start_ms: i64,
    /// Operators whose claims agree to it.
    pub reports: i64,
    /// Duties of all kinds.
    pub expected: i64,
    /// Those that were submitted.
    pub submitted: i64,
    /// JSON array.
    pub duties: String,
}

/// One operator over some epochs and committees.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct AttendanceRow {
    /// Id in the registry.
    pub operator_id: i64,
    /// Exchanges of partial signatures.
    pub exchanges: i64,
    /// Those in which its partials were seen.
    pub seen: i64,
}

/// Which rows; an empty text, 0 and the ends of the range mean "any".
#[derive(Clone, Debug)]
pub struct PerformanceFilter {
    /// Lower-case 0x hex.
    pub pubkey: String,
    /// Only committees with this operator.
    pub operator_id: Option<u32>,
    /// First epoch.
    pub from_epoch: i64,
    /// Last epoch.
    pub to_epoch: i64,
}

impl PerformanceFilter {
    /// For `LIKE` on a committee in which brackets were replaced by commas.
    fn operator_pattern(&self) -> String {
        self.operator_id.map(|id| format!("%,{id},%")).unwrap_or_default()
    }
}

/// Who and what a report of a gateway is about.
#[derive(Clone, Debug)]
pub struct CommitteeEpoch {
    /// JSON array, ascending.
    pub operator_ids: String,
    /// The epoch.
    pub epoch: i64,
    /// When it began, Unix milliseconds.
    pub start_ms: u64,
    /// Operators whose claims agree to it.
    pub reports: i64,
}

/// The figures of one validator.
#[derive(Clone, Debug)]
pub struct ValidatorFigures {
    /// Lower-case 0x hex.
    pub pubkey: String,
    /// Duties of all kinds.
    pub expected: i64,
    /// Those that were submitted.
    pub submitted: i64,
    /// JSON array.
    pub duties: String,
}

impl Store {
    /// Rows of this owner's validators after `(epoch, validator_id)`, in this order.
    pub async fn performance_of(
        &self,
        owner: &str,
        filter: &PerformanceFilter,
        after: (i64, i64),
        limit: i64,
    ) -> StoreResult<Vec<PerformanceRow>> {
        let rows = sqlx::query_as(
            "SELECT p.validator_id, v.pubkey, COALESCE(NULLIF(p.operator_ids, ''), c.operator_ids) AS operator_ids, p.epoch, p.start_ms, p.reports, p.expected, \
             p.submitted, p.duties FROM performance p JOIN validators v ON v.id = p.validator_id \
             JOIN ceremonies c ON c.ceremony_id = v.ceremony_id \
             WHERE v.owner = $1 AND (p.epoch > $2 OR (p.epoch = $2 AND p.validator_id > $3)) \
             AND ($4 = '' OR v.pubkey = $4) AND p.epoch >= $5 AND p.epoch <= $6 \
             AND ($7 = '' OR REPLACE(REPLACE(COALESCE(NULLIF(p.operator_ids, ''), c.operator_ids), '[', ','), ']', ',') LIKE $7) \
             ORDER BY p.epoch, p.validator_id LIMIT $8",
        )
        .bind(owner.to_owned())
        .bind(after.0)
        .bind(after.1)
        .bind(filter.pubkey.clone())
        .bind(filter.from_epoch)
        .bind(filter.to_epoch)
        .bind(filter.operator_pattern())
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        Ok(rows)
    }

    /// The operators of this owner's committees, ascending, each summed over the committees and epochs of the filter.
    pub async fn attendance_of(&self, owner: &str, filter: &PerformanceFilter) -> StoreResult<Vec<AttendanceRow>> {
        let rows = sqlx::query_as(
            "SELECT operator_id, CAST(SUM(exchanges) AS BIGINT) AS exchanges, CAST(SUM(seen) AS BIGINT) AS seen \
             FROM performance_operators WHERE epoch >= $1 AND epoch <= $2 AND ($3 < 0 OR operator_id = $3) \
             AND operator_ids IN (SELECT c.operator_ids FROM validator_committees c \
             WHERE c.owner = $4 AND ($5 = '' OR c.pubkey = $5)) \
             GROUP BY operator_id ORDER BY operator_id",
        )
        .bind(filter.from_epoch)
        .bind(filter.to_epoch)
        .bind(filter.operator_id.map_or(-1, i64::from))
        .bind(owner.to_owned())
        .bind(filter.pubkey.clone())
        .fetch_all(&self.pool)
        .await?;
        Ok(rows)
    }

    /// Every operator, summed over all committees and the epochs that began at `since_ms` or later.
    pub async fn attendance_since(&self, since_ms: u64) -> StoreResult<Vec<AttendanceRow>> {
        let rows = sqlx::query_as(
            "SELECT operator_id, CAST(SUM(exchanges) AS BIGINT) AS exchanges, CAST(SUM(seen) AS BIGINT) AS seen \
             FROM performance_operators WHERE start_ms >= $1 GROUP BY operator_id ORDER BY operator_id",
        )
        .bind(to_i64(since_ms))
        .fetch_all(&self.pool)
        .await?;
        Ok(rows)
    }

    /// The numbers of those validators that this very committee has shares of.
    pub async fn validators_of_committee(
        &self,
        operator_ids: &str,
        pubkeys: &[String],
    ) -> StoreResult<Vec<(String, i64)>> {
        let mut found = Vec::new();
        for chunk in pubkeys.chunks(INSERT_ROWS) {
            let places: Vec<String> = (2..chunk.len() + 2).map(|place| format!("${place}")).collect();
            let statement = format!(
                "SELECT pubkey, validator_id FROM validator_committees WHERE operator_ids = $1 AND pubkey IN ({})",
                places.join(", ")
            );
            let mut query = sqlx::query_as(&statement).bind(operator_ids.to_owned());
            for pubkey in chunk {
                query = query.bind(pubkey.clone());
            }
            let rows: Vec<(String, i64)> = query.fetch_all(&self.pool).await?;
            found.extend(rows);
        }
        Ok(found)
    }
}

impl WriteTx {
    /// Writes figures of validators with their numbers. A row that comes from as many operators or more stays, so that
    /// the same report again, or a later one of a gateway that hears fewer operators, changes nothing. Returns how many
    /// rows changed.
    pub async fn put_performance(
        &mut self,
        about: &CommitteeEpoch,
        rows: &[(i64, &ValidatorFigures)],
    ) -> StoreResult<u64> {
        let mut written = 0;
        for chunk in rows.chunks(INSERT_ROWS) {
            let statement = format!(
                "INSERT INTO performance (validator_id, epoch, start_ms, reports, expected, submitted, duties, operator_ids) \
                 VALUES {} ON CONFLICT (validator_id, epoch) DO UPDATE SET start_ms = excluded.start_ms, \
                 reports = excluded.reports, expected = excluded.expected, submitted = excluded.submitted, \
                 duties = excluded.duties, operator_ids = excluded.operator_ids \
                 WHERE performance.reports < excluded.reports",
                value_lists(chunk.len(), 8)
            );
            let mut query = sqlx::query(&statement);
            for (validator_id, figures) in chunk {
                query = query
                    .bind(*validator_id)
                    .bind(about.epoch)
                    .bind(to_i64(about.start_ms))
                    .bind(about.reports)
                    .bind(figures.expected)
                    .bind(figures.submitted)
                    .bind(figures.duties.clone())
                    .bind(about.operator_ids.clone());
            }
            written += query.execute(&mut *self.tx).await?.rows_affected();
        }
        Ok(written)
    }

    /// Writes how often each operator of a committee was seen: `(operator_id, seen)`. Repeatable like the above.
    pub async fn put_attendance(
        &mut self,
        about: &CommitteeEpoch,
        exchanges: i64,
        seen: &[(u32, i64)],
    ) -> StoreResult<()> {
        let statement = format!(
            "INSERT INTO performance_operators (operator_ids, epoch, operator_id, start_ms, reports, exchanges, seen) \
             VALUES {} ON CONFLICT (operator_ids, epoch, operator_id) DO UPDATE SET start_ms = excluded.start_ms, \
             reports = excluded.reports, exchanges = excluded.exchanges, seen = excluded.seen \
             WHERE performance_operators.reports < excluded.reports",
            value_lists(seen.len(), 7)
        );
        let mut query = sqlx::query(&statement);
        for (operator_id, seen) in seen {
            query = query
                .bind(about.operator_ids.clone())
                .bind(about.epoch)
                .bind(i64::from(*operator_id))
                .bind(to_i64(about.start_ms))
                .bind(about.reports)
                .bind(exchanges)
                .bind(*seen);
        }
        query.execute(&mut *self.tx).await?;
        Ok(())
    }
}
