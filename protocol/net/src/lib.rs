//! The mesh: wire protocols, their limits, the connection gate and discovery.
//!
//! | Module | Contract |
//! |---|---|
//! | [`limits`] | every bound on what a peer can make this process hold, read or wait for |
//! | [`codec`] | frames: a 4-byte length and a payload, read in chunks, with typed errors |
//! | [`dkg`] | `/cluster-node/dkg/1`, operator to operator |
//! | [`publish`] | `/cluster-node/publish/1`, operator and gateway |
//! | [`consensus`] | `/cluster-node/consensus/1` and `/cluster-node/consensus-value/1`, operator to operator |
//! | [`signing`] | `/cluster-node/signing/1`, operator to operator |
//! | [`performance`] | `/cluster-node/performance/1`, gateway to operator |
//! | [`upkeep`] | what is asked over it besides: registration with builders, exits |
//! | [`info`] | `/cluster-node/info/1`, anybody to anybody, and the negotiation of versions |
//! | [`presence`] | `/cluster-node/presence/1`, anybody to operator and gateway: does another node run with my key? |
//! | [`receipt`] | what is answered to consensus and signing |
//! | [`discovery`] | signed operator records, gossip and Kademlia |
//! | [`gate`] | who may connect at all |
//! | [`identity`] | the registered key is the libp2p identity |
//! | [`key_file`] | where that key is kept: an encrypted, private file |
//!
//! This crate composes no swarm and runs no task: `cluster-node` and `cluster-bootstrap` do. Nothing here trusts
//! the content of a message; checks of signatures belong to the caller, outside the swarm's poll loop.

pub mod codec;
pub mod consensus;
pub mod discovery;
pub mod dkg;
pub mod gate;
pub mod identity;
pub mod info;
pub mod key_file;
pub mod performance;
pub mod presence;
pub mod publish;
pub mod receipt;
pub mod signing;
mod traffic;
pub mod upkeep;

/// The one table of limits: what a peer can make this process read, hold or wait for.
///
/// Every constant carries its unit in its name or its first line, and the reason for its value. `n` is the size of a
/// committee (at most 13), `t` its threshold (at most 9) and `K` the number of validators of a ceremony (at most 1,000).
pub mod limits {
    use std::time::Duration;

    /// Bytes of the length prefix of a frame, little endian.
    pub const FRAME_PREFIX_BYTES: usize = 4;

    /// Bytes that are read, and reserved, at a time while a frame arrives: a peer that declares much and sends little
    /// costs no more than this.
    pub const READ_CHUNK_BYTES: usize = 64 * 1024;

    /// Bytes of a dkg request. The largest message is a dealing at `n = 13`, `K = 1,000`: `t * 96 * K` = 864,000 of
    /// commitments and `n * (32 * K + 16)` = 416,208 of sealed shares, 1.3 MB in all. Large messages are relayed one at
    /// a time (DKG 9.3), so no frame grows with the committee.
    pub const DKG_REQUEST_BYTES: usize = 2 * 1024 * 1024;

    /// Bytes of a dkg response: at most [`OPEN_CEREMONIES`] signed requests of about 300 bytes each.
    pub const DKG_RESPONSE_BYTES: usize = 64 * 1024;

    /// Validators in one order to exit, as many as one request may make.
    pub const EXIT_VALIDATORS: usize = 1_000;

    /// Signed requests in one answer to `Open`; the asker asks again for the rest.
    pub const OPEN_CEREMONIES: usize = 64;

    /// Bytes of a contribution, and so of a publish request or response. Per validator: 48 for its key, `13 * 48` for
    /// the share keys, 96 for the signature, 32 for the root and 93 for the envelope are 893, and with their length
    /// prefixes 1,041: 1.1 MB at `K = 1,000`, doubled for slack.
    pub const PUBLISH_BYTES: usize = 2 * 1024 * 1024;

    /// Bytes of a consensus request: an instance, and a message of votes, which is a signature and some hashes per
    /// operator, or a proposal with a value that is not a block. Messages above it travel as values.
    pub const CONSENSUS_REQUEST_BYTES: usize = 128 * 1024;

    /// Bytes of a consensus message of any kind. A block of 4 MiB and its blobs, or the largest that the gossip of
    /// beacon nodes allows without blobs, with the votes that justify the proposal.
    pub const CONSENSUS_VALUE_BYTES: usize = 8 * 1024 * 1024 + CONSENSUS_REQUEST_BYTES;

    /// Bytes of a signing request. A partial, its validator and its share of the roots are about 150 bytes: 6,900
    /// partials, where a committee of several clusters has some thousands of validators.
    pub const SIGNING_REQUEST_BYTES: usize = 1024 * 1024;

    /// Bytes of an answer to a consensus or signing request: one variant, or one with a reason.
    pub const DUTY_RESPONSE_BYTES: usize = 1024;

    /// Validators in one answer about upkeep, each of at most 90 bytes: 740 kB.
    pub const UPKEEP_VALIDATORS: usize = PERFORMANCE_VALIDATORS;

    /// Bytes of a performance request: one variant with a number.
    pub const PERFORMANCE_REQUEST_BYTES: usize = 64;

    /// Bytes of a performance response. A validator with all [`PERFORMANCE_KINDS`] and [`PERFORMANCE_MISSES`] takes 316
    /// bytes, so that [`PERFORMANCE_VALIDATORS`] take 2.6 MB; with attestations alone they take 620 kB.
    pub const PERFORMANCE_RESPONSE_BYTES: usize = 4 * 1024 * 1024;

    /// Reports in one performance response: committees times epochs.
    pub const PERFORMANCE_REPORTS: usize = 256;

    /// Validators in one performance response: more than one operator may have in the contracts, 2,000, several times.
    pub const PERFORMANCE_VALIDATORS: usize = 8_192;

    /// Kinds of duties in a report: attestations, sync committee messages, aggregates, contributions, blocks.
    pub const PERFORMANCE_KINDS: usize = 5;

    /// Reasons for misses in a report, per kind: the commonest.
    pub const PERFORMANCE_MISSES: usize = 4;

    /// Operators of a committee.
    pub const COMMITTEE: usize = 13;

    /// Streams of the performance protocol on one connection: a gateway asks one question at a time. With
    /// [`PERFORMANCE_RESPONSE_BYTES`] it bounds what one connection makes this process hold to 8 MiB.
    pub const PERFORMANCE_STREAMS: usize = 2;

    /// Performance requests in flight to one peer.
    pub const PERFORMANCE_IN_FLIGHT: usize = 1;

    /// Bytes of an info request: one variant without content.
    pub const INFO_REQUEST_BYTES: usize = 64;

    /// Bytes of an info response: [`ADDRESSES_PER_PEER`] addresses of [`ADDRESS_BYTES`], [`CAPABILITIES`] names and
    /// the ranges fit in it.
    pub const INFO_RESPONSE_BYTES: usize = 16 * 1024;

    /// Bytes of a presence request: a session, and [`PRESENCE_SIGHTINGS`] of about 100 bytes each.
    pub const PRESENCE_REQUEST_BYTES: usize = 1024;

    /// Bytes of a presence response: [`PRESENCE_SESSIONS`] sessions and as many sightings.
    pub const PRESENCE_RESPONSE_BYTES: usize = 1024;

    /// Streams of the presence protocol on one connection: one question each way, and one that is being replaced.
    pub const PRESENCE_STREAMS: usize = 4;

    /// Presence requests in flight to one peer.
    pub const PRESENCE_IN_FLIGHT: usize = 1;

    /// Other sessions of one identity that are remembered and named: a node, its process before a restart, a tool that
    /// asks, and a twin.
    pub const PRESENCE_SESSIONS: usize = 4;

    /// Sightings in a presence request: one of each session that was named.
    pub const PRESENCE_SIGHTINGS: usize = PRESENCE_SESSIONS;

    /// How long a session is named after it was last heard: some intervals, so that one that is slow is not forgotten.
    pub const PRESENCE_MEMORY: Duration = Duration::from_secs(60);

    /// Time between two presence questions to a peer: a twin is found within two of them.
    pub const PRESENCE_INTERVAL: Duration = Duration::from_secs(5);

    /// Time for a presence request and its answer.
    pub const PRESENCE_TIMEOUT: Duration = Duration::from_secs(3);

    /// Peers that are asked for the own identity's presence: more than any committee has.
    pub const PRESENCE_PEERS: usize = 16;

    /// Bytes of a reason for people in a refusal: one or two sentences.
    pub const REASON_BYTES: usize = 256;

    /// Bytes of the name of a field in a refusal.
    pub const FIELD_BYTES: usize = 64;

    /// Culprits named in one report: a committee has at most 13 operators.
    pub const CULPRITS: usize = 13;

    /// Addresses that are kept of one peer, and that a record or an info answer may carry.
    pub const ADDRESSES_PER_PEER: usize = 16;

    /// Bytes of one multiaddress in text; a relayed address with two peer ids is about 200.
    pub const ADDRESS_BYTES: usize = 320;

    /// Capabilities that a peer may declare.
    pub const CAPABILITIES: usize = 32;

    /// Bytes of the name of a capability, of a protocol, or of a version in text.
    pub const NAME_BYTES: usize = 64;

    /// Protocols whose versions a peer may declare.
    pub const PROTOCOLS: usize = 16;

    /// Bytes of a gossip message. A signed request is about 300 bytes, an operator record with all of its addresses
    /// 6 KiB.
    pub const GOSSIP_BYTES: usize = 8 * 1024;

    /// Gossip messages that wait for a check before more are ignored.
    pub const GOSSIP_QUEUE: usize = 256;

    /// How long gossip remembers a message id. An announcement that is repeated sooner is not forwarded again.
    pub const GOSSIP_MEMORY: Duration = Duration::from_secs(120);

    /// Streams, in both directions, of one request-response protocol on one connection. With [`DKG_REQUEST_BYTES`] it
    /// bounds what one connection makes this process hold to 32 MiB.
    pub const STREAMS_PER_PROTOCOL: usize = 16;

    /// Requests of one protocol in flight to one peer: less than half of [`STREAMS_PER_PROTOCOL`], so that two busy
    /// peers never fill each other's streams.
    pub const REQUESTS_IN_FLIGHT: usize = 6;

    /// Streams of the consensus protocol on one connection: votes of many committees at the same moment of a slot. With
    /// [`CONSENSUS_REQUEST_BYTES`] it bounds what one connection makes this process hold to 8 MiB.
    pub const CONSENSUS_STREAMS: usize = 64;

    /// Consensus requests in flight to one peer; see [`REQUESTS_IN_FLIGHT`].
    pub const CONSENSUS_IN_FLIGHT: usize = 24;

    /// Streams for values on one connection. With [`CONSENSUS_VALUE_BYTES`]: 33 MiB.
    pub const VALUE_STREAMS: usize = 4;

    /// Values in flight to one peer.
    pub const VALUES_IN_FLIGHT: usize = 2;

    /// Streams of the signing protocol on one connection. With [`SIGNING_REQUEST_BYTES`]: 32 MiB.
    pub const SIGNING_STREAMS: usize = 32;

    /// Signing requests in flight to one peer.
    pub const SIGNING_IN_FLIGHT: usize = 12;

    /// Requests that wait for their turn per peer and protocol before the next one fails as busy. Ten ceremonies of
    /// seven steps, doubled, come to less.
    pub const REQUESTS_WAITING: usize = 256;

    /// Streams that one connection may be negotiating at a time.
    pub const NEGOTIATING_STREAMS: usize = 64;

    /// Commands that wait for the swarm task.
    pub const COMMAND_QUEUE: usize = 512;

    /// Events that wait for the node. A request beyond it is answered with `Busy` and is repeated by its sender.
    pub const EVENT_QUEUE: usize = 512;

    /// Connections to one peer: one each way after a simultaneous dial, one for a hole punch, one for an AutoNAT probe.
    pub const CONNECTIONS_PER_PEER: u32 = 4;

    /// Connections of a node.
    pub const CONNECTIONS: u32 = 1_024;

    /// Inbound connections that have not finished their handshake.
    pub const PENDING_INBOUND: u32 = 64;

    /// Outbound connections that have not finished their handshake.
    pub const PENDING_OUTBOUND: u32 = 64;

    /// Peers that a node keeps connected beyond those that it shares ceremonies with, so that gossip and discovery work.
    pub const BACKGROUND_PEERS: usize = 32;

    /// Time for a dkg request and its answer: 2 MiB on a link of 1 Mbit/s with slack.
    pub const DKG_TIMEOUT: Duration = Duration::from_secs(30);

    /// Time for a vote or partial signatures and the answer: a round of consensus. The sender repeats until they are of
    /// no use any more, so a short time only finds a dead connection sooner.
    pub const DUTY_TIMEOUT: Duration = Duration::from_secs(3);

    /// Time for a value and its answer: within a slot, on a link of 10 Mbit/s.
    pub const VALUE_TIMEOUT: Duration = Duration::from_secs(8);

    /// Time for a publish request and its answer; the receiver checks about a thousand signatures before it answers.
    pub const PUBLISH_TIMEOUT: Duration = Duration::from_secs(60);

    /// Time for a performance request and its answer: the operator reads the records of some epochs.
    pub const PERFORMANCE_TIMEOUT: Duration = Duration::from_secs(30);

    /// Time for an info request and its answer.
    pub const INFO_TIMEOUT: Duration = Duration::from_secs(10);

    /// Time without a packet after which a QUIC connection counts as dead. A process that is killed says nothing, and until
    /// then a part of what is meant for its successor goes to the old connection.
    pub const QUIC_IDLE: Duration = Duration::from_secs(5);

    /// Time without traffic after which a packet keeps a QUIC connection alive: several of them within [`QUIC_IDLE`], so
    /// that a few that are lost close nothing.
    pub const QUIC_KEEP_ALIVE: Duration = Duration::from_secs(1);

    /// Time between pings on an idle connection.
    pub const PING_INTERVAL: Duration = Duration::from_secs(10);

    /// Time for the answer to a ping; the connection is closed after it, and dialled again.
    pub const PING_TIMEOUT: Duration = Duration::from_secs(10);

    /// First wait before a peer is dialled again; it doubles up to [`REDIAL_MAX`], with jitter.
    pub const REDIAL_MIN: Duration = Duration::from_millis(500);

    /// Longest wait before a peer is dialled again.
    pub const REDIAL_MAX: Duration = Duration::from_secs(60);

    /// Time between two publications of this node's own record, and the age after which a gap is noticed at the latest.
    pub const RECORD_INTERVAL: Duration = Duration::from_secs(300);

    /// Bytes that a relay forwards on one circuit: a ceremony of 1,000 keys of four operators fits.
    pub const RELAY_CIRCUIT_BYTES: u64 = 64 * 1024 * 1024;

    /// Duration of one relayed circuit; the ends open another one.
    pub const RELAY_CIRCUIT_DURATION: Duration = Duration::from_secs(30 * 60);

    /// Circuits of a relay at a time.
    pub const RELAY_CIRCUITS: usize = 256;

    /// Circuits of one peer at a time: its committees.
    pub const RELAY_CIRCUITS_PER_PEER: usize = 32;

    /// Reservations of a relay at a time.
    pub const RELAY_RESERVATIONS: usize = 1_024;
}
