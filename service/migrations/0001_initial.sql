-- One portable schema for SQLite and PostgreSQL: TEXT and BIGINT only, no NULL ('' means "none"), ids given by
-- the service inside a serialised write transaction. Hex is lower-case with 0x. Times name their unit.

-- The cluster node that this instance serves (legacy `initiator`), one row per configured key.
CREATE TABLE initiators (
    cluster_pubkey  TEXT   NOT NULL PRIMARY KEY,
    owner           TEXT   NOT NULL DEFAULT '',  -- '' until an owner binds itself; then never changed
    owner_pubkey    TEXT   NOT NULL DEFAULT '',  -- 65 bytes uncompressed, recovered from the binding signature
    created_at_s    BIGINT NOT NULL,
    updated_at_s    BIGINT NOT NULL
);

-- One row per owner's request. The ceremony id is the hash of what the owner signed.
CREATE TABLE ceremonies (
    ceremony_id        TEXT   NOT NULL PRIMARY KEY,
    position           BIGINT NOT NULL UNIQUE,       -- order of arrival: the cursor of lists and of the gateway's poll
    owner              TEXT   NOT NULL,
    nonce              TEXT   NOT NULL,              -- decimal: an unsigned 64-bit number does not fit BIGINT
    cluster_pubkey     TEXT   NOT NULL,
    validator_count    BIGINT NOT NULL,
    operator_ids       TEXT   NOT NULL,              -- JSON array, ascending
    withdrawal_address TEXT   NOT NULL,
    deadline_s         BIGINT NOT NULL,
    request            TEXT   NOT NULL,              -- the owner's signed request, JSON
    status             TEXT   NOT NULL,              -- pending | expired | running | aborted | incomplete | ready
    missing_operators  TEXT   NOT NULL DEFAULT '[]', -- JSON array; who has not attested yet
    abort_reason       TEXT   NOT NULL DEFAULT '',   -- as a gateway reported it; a verified certificate overrules it
    transcript_digest  TEXT   NOT NULL DEFAULT '',   -- '' until a certificate was verified
    certificate_digest TEXT   NOT NULL DEFAULT '',
    created_at_ms      BIGINT NOT NULL,
    updated_at_ms      BIGINT NOT NULL
);
CREATE INDEX ceremonies_by_owner ON ceremonies (owner, position);
CREATE INDEX ceremonies_by_nonce ON ceremonies (owner, nonce);
CREATE INDEX ceremonies_by_status ON ceremonies (status, position);

-- Apart from `ceremonies` because a certificate of a large ceremony takes megabytes.
CREATE TABLE certificates (
    ceremony_id  TEXT NOT NULL PRIMARY KEY REFERENCES ceremonies (ceremony_id),
    certificate  TEXT NOT NULL
);

CREATE TABLE validators (
    pubkey        TEXT   NOT NULL PRIMARY KEY,
    id            BIGINT NOT NULL UNIQUE,
    ceremony_id   TEXT   NOT NULL REFERENCES ceremonies (ceremony_id),
    owner         TEXT   NOT NULL,
    cluster_pubkey TEXT  NOT NULL,
    -- Incomplete | Ready are facts, from the verified certificate. Registered | Deposited | Exited, and the three
    -- transaction ids, are the owner's own statements: unverified hints until a chain follower confirms them.
    status        TEXT   NOT NULL,
    register_txid TEXT   NOT NULL DEFAULT '',
    deposit_txid  TEXT   NOT NULL DEFAULT '',
    exit_txid     TEXT   NOT NULL DEFAULT '',
    deposit_data  TEXT   NOT NULL DEFAULT '',        -- launchpad JSON object; '' until ready
    operators     TEXT   NOT NULL,                   -- JSON array in committee order: id, public keys, sealed share
    created_at_ms BIGINT NOT NULL,
    updated_at_ms BIGINT NOT NULL
);
CREATE INDEX validators_by_owner ON validators (owner, id);
CREATE INDEX validators_by_ceremony ON validators (ceremony_id, id);

-- What happened in a ceremony, in order; the source of server-sent events.
CREATE TABLE ceremony_events (
    ceremony_id TEXT   NOT NULL REFERENCES ceremonies (ceremony_id),
    seq         BIGINT NOT NULL,                     -- 1, 2, 3, ... within the ceremony: the SSE event id
    fingerprint TEXT   NOT NULL,                     -- equal reports by several gateways are stored once
    data        TEXT   NOT NULL,                     -- JSON as it is sent
    PRIMARY KEY (ceremony_id, seq),
    UNIQUE (ceremony_id, fingerprint)
);

CREATE TABLE login_nonces (
    nonce         TEXT   NOT NULL PRIMARY KEY,
    expires_at_ms BIGINT NOT NULL
);

CREATE TABLE sessions (
    token_hash    TEXT   NOT NULL PRIMARY KEY,       -- the token itself is never stored
    owner         TEXT   NOT NULL,
    expires_at_ms BIGINT NOT NULL
);

-- Signatures of gateway calls seen within the time window, against replay.
CREATE TABLE gateway_calls (
    signature_hash TEXT   NOT NULL PRIMARY KEY,
    expires_at_ms  BIGINT NOT NULL
);
