//! How peers find each other: signed operator records over gossip, and Kademlia.
//!
//! # Contract
//!
//! **Gossip.** Two topics, and no other is subscribed or relayed: [`REQUESTS_TOPIC`] carries an owner's
//! `SignedRequest`, [`RECORDS_TOPIC`] an [`OperatorRecord`]. A message is one bincode payload of at most
//! [`limits::GOSSIP_BYTES`], signed by the peer that published it (gossipsub strict signing). The message id is a hash
//! of topic and payload, so the same announcement from two peers travels once. A message is passed on only after the
//! node has checked it (validation mode): a valid one is accepted, a false one is rejected, and what cannot be judged
//! or is old is ignored. Gossip carries no secrets and no votes, and nothing depends on its arrival.
//!
//! **Records.** An operator signs its own record with its registered key, under a domain tag. [`OperatorRecord::check`]
//! verifies that, and that the addresses are its own; the receiver keeps the record with the highest sequence number.
//!
//! **Kademlia.** `/cluster-node/kad/1` maps a registered peer id to addresses. It stores no records and no providers
//! from others. What it answers is a hint: a connection to a wrong address fails at the handshake.
//!
//! Nothing in these protocols closes a connection.

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::time::Duration;

use cluster_core::committee::OperatorId;
use cluster_core::encoding;
use cluster_core::registry::Registry;
use cluster_core::request::SignedRequest;
use cluster_crypto::hash::TaggedHash;
use cluster_crypto::identity::{SecretKey, Signature};
use libp2p::gossipsub::{self, IdentTopic, TopicHash};
use libp2p::identity::Keypair;
use libp2p::kad;
use libp2p::multiaddr::Protocol;
use libp2p::{identify, Multiaddr, PeerId, StreamProtocol};
use serde::{Deserialize, Serialize};

use crate::codec::{self, Excess, FrameError, Wire};
use crate::info::{self, VersionRange};
use crate::{identity, limits};

/// Topic of owners' signed requests.
pub const REQUESTS_TOPIC: &str = "/cluster-node/requests/1";
/// Topic of operators' signed records.
pub const RECORDS_TOPIC: &str = "/cluster-node/operators/1";
/// Name and version of Kademlia on the wire.
pub const KADEMLIA_NAME: &str = "/cluster-node/kad/1";
/// The protocol family that identify names; a peer of another family is a misconfiguration.
pub const IDENTIFY_FAMILY: &str = "/cluster-node/1";

/// gossipsub with the two topics as the only ones.
pub type Gossip = gossipsub::Behaviour<gossipsub::IdentityTransform, gossipsub::WhitelistSubscriptionFilter>;
/// Kademlia with a store that takes nothing.
pub type Kademlia = kad::Behaviour<kad::store::MemoryStore>;

/// Why discovery cannot start.
#[derive(Debug, thiserror::Error)]
pub enum DiscoveryError {
    /// gossipsub refuses its configuration.
    #[error("gossipsub refuses its configuration: {0}")]
    Gossip(String),
}

/// gossipsub for both topics, subscribed to neither.
pub fn gossip(keypair: &Keypair) -> Result<Gossip, DiscoveryError> {
    let config = gossipsub::ConfigBuilder::default()
        .validation_mode(gossipsub::ValidationMode::Strict)
        .validate_messages()
        .message_id_fn(message_id)
        .max_transmit_size(limits::GOSSIP_BYTES)
        .duplicate_cache_time(limits::GOSSIP_MEMORY)
        // A node that has just joined should not wait five seconds for its first announcement.
        .heartbeat_initial_delay(Duration::from_millis(200))
        .heartbeat_interval(Duration::from_secs(1))
        .connection_handler_queue_len(limits::GOSSIP_QUEUE)
        .max_publish_messages(64)
        .build()
        .map_err(|error| DiscoveryError::Gossip(error.to_string()))?;
    let topics =
        gossipsub::WhitelistSubscriptionFilter(HashSet::from([requests_topic().hash(), records_topic().hash()]));
    gossipsub::Behaviour::new_with_subscription_filter(
        gossipsub::MessageAuthenticity::Signed(keypair.clone()),
        config,
        topics,
    )
    .map_err(|error| DiscoveryError::Gossip(error.to_owned()))
}

/// The topic of requests.
pub fn requests_topic() -> IdentTopic {
    IdentTopic::new(REQUESTS_TOPIC)
}

/// The topic of records.
pub fn records_topic() -> IdentTopic {
    IdentTopic::new(RECORDS_TOPIC)
}

fn message_id(message: &gossipsub::Message) -> gossipsub::MessageId {
    let digest =
        TaggedHash::new("cluster-node/gossip/1").bytes(message.topic.as_str().as_bytes()).bytes(&message.data).finish();
    gossipsub::MessageId::new(&digest)
}

/// Kademlia in server mode: every registered peer answers, so that discovery survives the loss of all bootstrap peers.
pub fn kademlia(local: PeerId) -> Kademlia {
    let mut config = kad::Config::new(StreamProtocol::new(KADEMLIA_NAME));
    config
        .set_query_timeout(Duration::from_secs(20))
        .set_record_filtering(kad::StoreInserts::FilterBoth)
        .set_record_ttl(None)
        .set_publication_interval(None)
        .set_replication_interval(None)
        .set_provider_publication_interval(None)
        .set_parallelism(NonZeroUsize::new(3).unwrap_or(NonZeroUsize::MIN))
        .disjoint_query_paths(true)
        .set_periodic_bootstrap_interval(Some(Duration::from_secs(120)));
    let mut kademlia = kad::Behaviour::with_config(local, kad::store::MemoryStore::new(local), config);
    kademlia.set_mode(Some(kad::Mode::Server));
    kademlia
}

/// identify, which also tells others where this node listens.
pub fn identify(keypair: &Keypair, agent: String) -> identify::Behaviour {
    let config = identify::Config::new(IDENTIFY_FAMILY.to_owned(), keypair.public())
        .with_agent_version(agent)
        .with_push_listen_addr_updates(true)
        .with_cache_size(limits::BACKGROUND_PEERS);
    identify::Behaviour::new(config)
}

/// What gossip carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Announcement {
    /// An owner's request.
    Request(SignedRequest),
    /// An operator's record.
    Record(OperatorRecord),
}

/// Why a gossip message is not an announcement.
#[derive(Debug, thiserror::Error)]
pub enum AnnouncementError {
    /// Another topic.
    #[error("the topic is not one of this network")]
    Topic,
    /// Not an encoding of what the topic carries.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

impl Announcement {
    /// Decodes a gossip message. No signature is checked.
    pub fn decode(topic: &TopicHash, data: &[u8]) -> Result<Self, AnnouncementError> {
        if *topic == requests_topic().hash() {
            return Ok(Self::Request(codec::decode(data, limits::GOSSIP_BYTES)?));
        }
        if *topic == records_topic().hash() {
            return Ok(Self::Record(codec::decode(data, limits::GOSSIP_BYTES)?));
        }
        Err(AnnouncementError::Topic)
    }

    /// The topic and payload to publish.
    pub fn encode(&self) -> (IdentTopic, Vec<u8>) {
        match self {
            Self::Request(request) => (requests_topic(), encoding::encode(request)),
            Self::Record(record) => (records_topic(), encoding::encode(record)),
        }
    }
}

impl Wire for SignedRequest {
    fn check(&self) -> Result<(), Excess> {
        // `SignedRequest::check` refuses every committee but 4, 7, 10 and 13 before it does anything with it.
        Ok(())
    }
}

/// Whether an operator can take part now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SyncState {
    /// Starting, or behind the registry or the chain.
    Syncing,
    /// Up to date.
    Ready,
}

/// What an operator says about itself, signed with its registered key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorRecord {
    /// The claims.
    pub claims: OperatorClaims,
    /// Signature over [`OperatorClaims::digest`].
    pub signature: Signature,
}

/// The signed part of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorClaims {
    /// Its number.
    pub operator_id: OperatorId,
    /// Higher is newer: unix milliseconds when the record was signed.
    pub sequence: u64,
    /// Multiaddresses under which it is reachable, at most [`limits::ADDRESSES_PER_PEER`].
    pub addresses: Vec<String>,
    /// The versions that it speaks, at most [`limits::PROTOCOLS`].
    pub versions: Vec<VersionRange>,
    /// What it can do, at most [`limits::CAPABILITIES`].
    pub capabilities: Vec<String>,
    /// Whether it can take part now.
    pub sync: SyncState,
}

impl OperatorClaims {
    /// What is signed: the domain tag and the encoding of all fields.
    pub fn digest(&self) -> [u8; 32] {
        TaggedHash::new("cluster-node/operator-record/1").bytes(&encoding::encode(self)).finish()
    }

    /// Signs the claims.
    pub fn sign(self, secret: &SecretKey) -> OperatorRecord {
        let signature = secret.sign(&self.digest());
        OperatorRecord { claims: self, signature }
    }
}

/// Why a record is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The operator is not in the registry.
    #[error("operator {id} of the record is not registered")]
    UnknownOperator {
        /// The claimed id.
        id: OperatorId,
    },
    /// Not signed with the registered key.
    #[error("the record of operator {id} is not signed with its registered key")]
    BadSignature {
        /// The claimed id.
        id: OperatorId,
    },
    /// An address cannot be read or belongs to another peer.
    #[error("the record of operator {id} has the address {address:?}, which is malformed or of another peer")]
    BadAddress {
        /// The operator.
        id: OperatorId,
        /// The address.
        address: String,
    },
}

/// A record whose signature and addresses were checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedRecord {
    /// The peer.
    pub peer: PeerId,
    /// Its addresses, without the peer id at the end.
    pub addresses: Vec<Multiaddr>,
    /// The record.
    pub record: OperatorRecord,
}

impl OperatorRecord {
    /// Checks the record against the registry: cheap checks first, then the signature.
    pub fn check(self, registry: &dyn Registry) -> Result<CheckedRecord, RecordError> {
        let id = self.claims.operator_id;
        let unknown = RecordError::UnknownOperator { id };
        let entry = registry.operator(id).ok_or_else(|| unknown.clone())?;
        let peer = identity::peer_id(&entry.public_key).map_err(|_| unknown)?;
        let addresses = self
            .claims
            .addresses
            .iter()
            .map(|text| parse_address(text, &peer).ok_or_else(|| RecordError::BadAddress { id, address: text.clone() }))
            .collect::<Result<Vec<_>, _>>()?;
        entry
            .public_key
            .verify(&self.claims.digest(), &self.signature)
            .map_err(|_| RecordError::BadSignature { id })?;
        Ok(CheckedRecord { peer, addresses, record: self })
    }
}

impl Wire for OperatorRecord {
    fn check(&self) -> Result<(), Excess> {
        info::check_addresses(&self.claims.addresses)?;
        info::check_ranges(&self.claims.versions)?;
        info::check_capabilities(&self.claims.capabilities)
    }
}

/// Reads an address of `peer`: at most [`limits::ADDRESS_BYTES`], with this peer's id or none at its end. The id is
/// taken off.
pub fn parse_address(text: &str, peer: &PeerId) -> Option<Multiaddr> {
    if text.len() > limits::ADDRESS_BYTES {
        return None;
    }
    let (address, named) = split_peer(text.parse().ok()?);
    (named.is_none_or(|named| named == *peer) && !address.is_empty()).then_some(address)
}

/// Takes the peer id off the end of an address.
pub fn split_peer(mut address: Multiaddr) -> (Multiaddr, Option<PeerId>) {
    match address.pop() {
        Some(Protocol::P2p(peer)) => (address, Some(peer)),
        Some(other) => (address.with(other), None),
        None => (address, None),
    }
}

/// The limits of a relay that serves registered peers behind home routers.
pub fn relay_config() -> libp2p::relay::Config {
    libp2p::relay::Config {
        max_reservations: limits::RELAY_RESERVATIONS,
        max_circuits: limits::RELAY_CIRCUITS,
        max_circuits_per_peer: limits::RELAY_CIRCUITS_PER_PEER,
        max_circuit_duration: limits::RELAY_CIRCUIT_DURATION,
        max_circuit_bytes: limits::RELAY_CIRCUIT_BYTES,
        // The default limits the rate of reservations and circuits per peer and per address.
        ..libp2p::relay::Config::default()
    }
}
