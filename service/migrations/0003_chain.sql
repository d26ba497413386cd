-- What the service read from the chain. Every row that a block put here names that block, so that a block that leaves the
-- chain takes its rows along.

-- Facts as events tell them, one row per event and subject. The newest row of a kind counts.
CREATE TABLE chain_facts (
    block_number BIGINT NOT NULL,
    log_index    BIGINT NOT NULL,               -- position in the block
    item         BIGINT NOT NULL,               -- position in the event, when it is about several subjects
    kind         TEXT   NOT NULL,               -- names in `chain/facts.rs`
    subject      TEXT   NOT NULL,               -- what it is about: public key, operator id, address, ceremony id
    actor        TEXT   NOT NULL,               -- address that acts or is named, or ''
    data         TEXT   NOT NULL,               -- the rest, JSON
    contract     TEXT   NOT NULL,
    tx_hash      TEXT   NOT NULL,
    block_hash   TEXT   NOT NULL,
    PRIMARY KEY (block_number, log_index, item)
);
CREATE INDEX chain_facts_by_subject ON chain_facts (subject, kind, block_number, log_index);
CREATE INDEX chain_facts_by_actor ON chain_facts (actor, kind, subject);
CREATE INDEX chain_facts_by_transaction ON chain_facts (tx_hash, kind);
CREATE INDEX chain_facts_by_kind ON chain_facts (kind, block_number);

-- Events that could not be handled; retried with every new version of the program, never in the way of others.
CREATE TABLE chain_quarantine (
    block_number  BIGINT NOT NULL,
    log_index     BIGINT NOT NULL,
    contract      TEXT   NOT NULL,
    topic         TEXT   NOT NULL,
    tx_hash       TEXT   NOT NULL,
    block_hash    TEXT   NOT NULL,
    reason        TEXT   NOT NULL,
    first_seen_ms BIGINT NOT NULL,
    PRIMARY KEY (block_number, log_index)
);

-- The facts of `cluster-core`, entry by entry, with the way back: one record per block that changed something.
CREATE TABLE chain_entries (
    entry_key   TEXT NOT NULL PRIMARY KEY,      -- hex of the encoded key
    entry_value TEXT NOT NULL                   -- hex of the encoded value
);
CREATE TABLE chain_blocks (
    block_number BIGINT NOT NULL PRIMARY KEY,
    record       TEXT   NOT NULL                -- hex of the encoded record
);

-- Where the follower stands: one row. Another set of contracts starts anew.
CREATE TABLE chain_cursor (
    id           BIGINT NOT NULL PRIMARY KEY,
    source       TEXT   NOT NULL,               -- digest of chain, contracts and first block
    block_number BIGINT NOT NULL,
    block_hash   TEXT   NOT NULL,
    updated_at_ms BIGINT NOT NULL
);

-- What a beacon node said last about a validator.
CREATE TABLE validator_beacon (
    pubkey           TEXT   NOT NULL PRIMARY KEY,
    validator_index  BIGINT NOT NULL,
    status           TEXT   NOT NULL,           -- as the Beacon API names it
    activation_epoch BIGINT NOT NULL,           -- -1: not yet
    exit_epoch       BIGINT NOT NULL,           -- -1: not yet
    slashed          BIGINT NOT NULL,
    slot             BIGINT NOT NULL,           -- of the state that was read
    seen_at_ms       BIGINT NOT NULL
);

-- What gateways last heard of operators.
CREATE TABLE operator_reports (
    operator_id  BIGINT NOT NULL PRIMARY KEY,
    version      TEXT   NOT NULL,
    last_seen_ms BIGINT NOT NULL,
    reported_by  TEXT   NOT NULL
);

-- Requests that an event made: the transaction, and whether its block has left the chain.
ALTER TABLE ceremonies ADD COLUMN generate_txid TEXT NOT NULL DEFAULT '';
ALTER TABLE ceremonies ADD COLUMN orphaned BIGINT NOT NULL DEFAULT 0;
ALTER TABLE validators ADD COLUMN generate_txid TEXT NOT NULL DEFAULT '';
ALTER TABLE validators ADD COLUMN orphaned BIGINT NOT NULL DEFAULT 0;
CREATE INDEX ceremonies_by_txid ON ceremonies (generate_txid);
