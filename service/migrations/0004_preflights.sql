-- Questions of owners whether a committee is fit for a ceremony, and what a gateway found. Rows live for minutes
-- (`limits.rs`); what was found is worth nothing later.
CREATE TABLE preflights (
    preflight_id     TEXT   PRIMARY KEY,        -- random, 0x hex
    owner            TEXT   NOT NULL,           -- who asked, lower-case address
    operator_ids     TEXT   NOT NULL,           -- JSON array, ascending
    created_at_ms    BIGINT NOT NULL,
    answer_before_ms BIGINT NOT NULL,           -- later nobody waits for an answer any more
    taken_at_ms      BIGINT NOT NULL DEFAULT 0, -- when a gateway took it up last; 0: none did
    gateway          TEXT   NOT NULL DEFAULT '',-- which one
    measured_at_ms   BIGINT NOT NULL DEFAULT 0, -- when the findings arrived; 0: not yet
    findings         TEXT   NOT NULL DEFAULT '' -- JSON array, one entry per operator
);
CREATE INDEX preflights_by_time ON preflights (created_at_ms);
CREATE INDEX preflights_of_owner ON preflights (owner, created_at_ms);
