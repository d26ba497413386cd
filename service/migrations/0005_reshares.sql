-- Validators that another committee has taken over by a reshare. They stay those of the ceremony that made them; duties are performed by
-- whichever committee the contracts name, and both report figures of them.
CREATE TABLE taken_over (
    pubkey      TEXT NOT NULL,                  -- 48 bytes, 0x hex
    ceremony_id TEXT NOT NULL REFERENCES ceremonies (ceremony_id),
    PRIMARY KEY (pubkey, ceremony_id)
);

-- Every committee that has shares of a validator.
CREATE VIEW validator_committees AS
    SELECT v.id AS validator_id, v.pubkey AS pubkey, v.owner AS owner, c.operator_ids AS operator_ids
    FROM validators v JOIN ceremonies c ON c.ceremony_id = v.ceremony_id
    UNION
    SELECT v.id, v.pubkey, v.owner, c.operator_ids
    FROM taken_over t JOIN validators v ON v.pubkey = t.pubkey
    JOIN ceremonies c ON c.ceremony_id = t.ceremony_id AND c.owner = v.owner;
