-- How duties were performed, as gateways merged it from what the operators of each committee said. Rows are kept for
-- some months (`limits.rs`).

-- One row per validator and epoch.
CREATE TABLE performance (
    validator_id BIGINT NOT NULL REFERENCES validators (id),
    epoch        BIGINT NOT NULL,
    start_ms     BIGINT NOT NULL,               -- when the epoch began
    reports      BIGINT NOT NULL,               -- operators whose claims the row comes from; more replace fewer
    expected     BIGINT NOT NULL,               -- duties of all kinds
    submitted    BIGINT NOT NULL,
    duties       TEXT   NOT NULL,               -- JSON array: kind, expected, submitted, misses by reason
    PRIMARY KEY (validator_id, epoch)
);
CREATE INDEX performance_by_time ON performance (start_ms);

-- One row per committee, epoch and operator.
CREATE TABLE performance_operators (
    operator_ids TEXT   NOT NULL,               -- the committee, as in `ceremonies`: JSON array, ascending
    epoch        BIGINT NOT NULL,
    operator_id  BIGINT NOT NULL,
    start_ms     BIGINT NOT NULL,
    reports      BIGINT NOT NULL,
    exchanges    BIGINT NOT NULL,               -- exchanges of partial signatures for duties of the committee
    seen         BIGINT NOT NULL,               -- those in which the operator's partials were seen
    PRIMARY KEY (operator_ids, epoch, operator_id)
);
CREATE INDEX performance_operators_by_time ON performance_operators (start_ms, operator_id);
