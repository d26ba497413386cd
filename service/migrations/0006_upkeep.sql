-- What operators say of their own upkeep of validators beside duties: registration with builders' relays, and exits.

-- The committee by the network's contract, ascending, between commas (',1,2,3,4,'), so that LIKE finds an id in it; '' while the
-- validator is not registered, or where no chain is read.
ALTER TABLE validators ADD COLUMN registered_committee TEXT NOT NULL DEFAULT '';

-- The ids end the data of a registration, {"event":5,"operator_ids":[1,2,3,4]}: what is left of them is cut off. From here on the
-- column follows the facts.
UPDATE validators SET registered_committee = COALESCE((
    SELECT ',' || RTRIM(SUBSTR(f.data, LENGTH(RTRIM(f.data, '0123456789,]}')) + 1), ']}') || ',' FROM chain_facts f
    WHERE f.subject = validators.pubkey AND f.actor = validators.owner AND f.kind = 'validator_registered'
    AND f.data LIKE '%"operator_ids":[%]}' ORDER BY f.block_number DESC, f.log_index DESC LIMIT 1), '')
WHERE register_txid <> '';

-- The committee that performs the duties of each validator now: the contract's; where it names none, the last one that took the
-- validator over and holds all its shares, or else the one that made it. Its members stand as in `registered_committee`.
CREATE VIEW present_committees AS
    SELECT v.id AS validator_id, v.pubkey AS pubkey, v.owner AS owner, v.status AS status, v.register_txid AS register_txid,
        c.withdrawal_address AS withdrawal_address,
        CASE WHEN v.registered_committee <> '' THEN v.registered_committee ELSE REPLACE(REPLACE(COALESCE((
            -- CROSS: from the validator's few takeovers to their ceremonies, never the other way round.
            SELECT r.operator_ids FROM taken_over t CROSS JOIN ceremonies r
            WHERE t.pubkey = v.pubkey AND r.ceremony_id = t.ceremony_id AND r.owner = v.owner AND r.orphaned = 0
            AND r.status = 'ready' ORDER BY r.position DESC LIMIT 1), c.operator_ids), '[', ','), ']', ',')
        END AS members
    FROM validators v JOIN ceremonies c ON c.ceremony_id = v.ceremony_id
    WHERE v.orphaned = 0;

-- One row per validator and operator that was ever in its committee: the operator's last word. Only committees of the owner's choice
-- write here, so rows need no end; those of operators that left are passed over.
CREATE TABLE upkeep (
    validator_id        BIGINT NOT NULL REFERENCES validators (id),
    operator_id         BIGINT NOT NULL,
    at_ms               BIGINT NOT NULL,        -- when the service heard this word first
    relay_state         TEXT   NOT NULL,        -- off | waiting | incomplete | not_taken | registered
    relay_epoch         BIGINT NOT NULL,        -- -1: none
    relay_fee_recipient TEXT   NOT NULL,        -- lower-case address; '': none
    relay_gas_limit     BIGINT NOT NULL,        -- -1: none
    exit_state          TEXT   NOT NULL,        -- none | ordered | signed | published
    PRIMARY KEY (validator_id, operator_id)
);

-- What the words of a validator's present committee add up to, so that totals over all validators of an owner read a short row each:
-- rows of `validators` have kilobytes. Summed anew whenever an operator says something new, and when the committee changes; a row
-- whose members are not those of the view is passed over.
CREATE TABLE upkeep_sums (
    validator_id      BIGINT NOT NULL PRIMARY KEY REFERENCES validators (id),
    members           TEXT   NOT NULL,
    operators         BIGINT NOT NULL,          -- of the committee
    spoke             BIGINT NOT NULL,          -- those that said anything
    registered        BIGINT NOT NULL,          -- relays: registered
    is_off            BIGINT NOT NULL,          -- relays: off
    waiting           BIGINT NOT NULL,          -- relays: waiting
    lowest_recipient  TEXT   NOT NULL,          -- of those registered; '': none
    highest_recipient TEXT   NOT NULL,
    ordered           BIGINT NOT NULL,          -- exit: ordered or further
    signed            BIGINT NOT NULL,          -- exit: signed or further
    published         BIGINT NOT NULL
);
CREATE INDEX validators_present ON validators (owner, id, orphaned, status, register_txid, ceremony_id, registered_committee, pubkey);
