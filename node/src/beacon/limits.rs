//! Every endpoint that is called, with the most bytes of a good answer, in one table.

/// An endpoint of the Beacon API.
#[derive(Debug)]
pub(super) struct Endpoint {
    /// Name in errors, logs and metrics.
    pub(super) name: &'static str,
    /// Bytes of an answer that are read. An error's text may always have [`ERROR_LIMIT`].
    pub(super) limit: usize,
}

const KIB: usize = 1_024;
const MIB: usize = 1_024 * KIB;

/// Bytes of an error's body that are read: a batch of 10,000 refused items has about 1 MB.
pub(super) const ERROR_LIMIT: usize = 2 * MIB;
/// Characters of a node's own words that are shown.
pub(super) const MESSAGE_LIMIT: usize = 300;
/// Bytes of one server-sent event, and of one line of it. A head event has 500.
pub(super) const EVENT_LIMIT: usize = 64 * KIB;
/// Validators that one request is about. A validator takes about 500 bytes of an answer, a duty 330.
pub(super) const CHUNK: usize = 1_000;
/// Registrations that one request carries.
pub(super) const REGISTRATION_CHUNK: usize = 500;
/// Messages being published to one node at a time; a node that takes longer misses some, which the others get.
pub(super) const PUBLICATIONS: usize = 64;

macro_rules! endpoints {
    ($($name:ident $text:literal $limit:expr;)*) => {
        $(pub(super) static $name: Endpoint = Endpoint { name: $text, limit: $limit };)*
    };
}

endpoints! {
    VERSION "node/version" 4 * KIB;
    SYNCING "node/syncing" 4 * KIB;
    GENESIS "beacon/genesis" 4 * KIB;
    SPEC "config/spec" 256 * KIB;
    VALIDATORS "states/head/validators" 2 * MIB;
    ATTESTER_DUTIES "duties/attester" MIB;
    PROPOSER_DUTIES "duties/proposer" 64 * KIB;
    SYNC_DUTIES "duties/sync" MIB;
    LIVENESS "validator/liveness" 256 * KIB;
    ATTESTATION_DATA "validator/attestation_data" 4 * KIB;
    HEAD_ROOT "blocks/head/root" 4 * KIB;
    // The bits of 131,072 validators are 32 KiB of hex.
    AGGREGATE "validator/aggregate_attestation" 128 * KIB;
    CONTRIBUTION "validator/sync_committee_contribution" 8 * KIB;
    // A payload of 10 MiB (EIP-7934) and dozens of blobs, twice that as hex.
    BLOCK "validator/blocks" 64 * MIB;
    HEADER "beacon/headers" 16 * KIB;
    EVENTS "events" EVENT_LIMIT;
    PUBLISH_BLOCK "beacon/blocks" 64 * KIB;
    PUBLISH_BLINDED "beacon/blinded_blocks" 64 * KIB;
    ATTESTATIONS "pool/attestations" 64 * KIB;
    AGGREGATES "validator/aggregate_and_proofs" 64 * KIB;
    SYNC_MESSAGES "pool/sync_committees" 64 * KIB;
    CONTRIBUTIONS "validator/contribution_and_proofs" 64 * KIB;
    EXITS "pool/voluntary_exits" 64 * KIB;
    COMMITTEES "validator/beacon_committee_subscriptions" 64 * KIB;
    SYNC_COMMITTEES "validator/sync_committee_subscriptions" 64 * KIB;
    PREPARE "validator/prepare_beacon_proposer" 64 * KIB;
    REGISTER "validator/register_validator" 64 * KIB;
}
