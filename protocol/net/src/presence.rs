//! `/cluster-node/presence/1`: does another node run with my key?
//!
//! # Contract
//!
//! One stream, one [`Request`], one [`Response`]; frames as in [`crate::codec`], at most
//! [`limits::PRESENCE_REQUEST_BYTES`] and [`limits::PRESENCE_RESPONSE_BYTES`]. Everybody whom the gate admits may ask;
//! operators and gateways answer. A node cannot connect to a node with its own key, so it learns of one from the peers
//! that both are connected to:
//!
//! 1. Every process draws a random [`Session`] when it starts, and tells it to its peers again and again.
//! 2. The answer names the other sessions that the peer heard under the same identity not long ago. That proves nothing: one
//!    of them may be the process before a restart, or made up.
//! 3. A running node signs a [`Sighting`] of each session that it is told of, with its operator's key, and hands it in with
//!    its next request. The peer keeps it for the session that was seen.
//! 4. Whoever is handed a sighting *of its own session*, signed with *its own key* by *another session*, knows that
//!    another node ran with its key after its own start: the session is a random number that nobody knew before.
//!
//! No peer can make a sighting up, and a process that has died cannot sign one of the process that comes after it. Peers
//! can keep sightings back; one that does not is enough.
//!
//! | Checked | Where |
//! |---|---|
//! | length, trailing bytes, encoding, counts | [`crate::codec`], before the message is delivered |
//! | the identity that a session is of | the connection: it is the authenticated peer's |
//! | the signature of a sighting | by its receiver, `node/src/network/presence.rs` |
//!
//! A frame that breaks the contract fails its stream. Nothing in this protocol closes the connection.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use cluster_core::encoding::hex_array;
use cluster_crypto::hash::TaggedHash;
use cluster_crypto::identity::{PublicKey, SecretKey, Signature};
use libp2p::request_response;
use serde::{Deserialize, Serialize};

use crate::codec::{self, at_most, Excess, Traffic, Wire};
use crate::limits;

/// The protocol, for [`codec::Codec`].
#[derive(Debug, Clone, Copy)]
pub struct Protocol;

/// Name and version on the wire.
pub const PROTOCOL_NAME: &str = "/cluster-node/presence/1";

impl codec::Protocol for Protocol {
    type Request = Request;
    type Response = Response;
    const NAME: &'static str = PROTOCOL_NAME;
    const REQUEST_LIMIT: usize = limits::PRESENCE_REQUEST_BYTES;
    const RESPONSE_LIMIT: usize = limits::PRESENCE_RESPONSE_BYTES;
    const STREAMS: usize = limits::PRESENCE_STREAMS;
}

/// The network behaviour.
pub type Behaviour = codec::Behaviour<Protocol>;
/// What the behaviour reports.
pub type Event = request_response::Event<Request, Response>;

/// Builds the behaviour; `timeout` is for a request and its response, normally [`limits::PRESENCE_TIMEOUT`].
pub fn behaviour(timeout: Duration, traffic: Arc<Traffic>) -> Behaviour {
    codec::behaviour::<Protocol>(timeout, traffic)
}

/// One life of a process: 16 random bytes, drawn at its start.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Session(#[serde(with = "hex_array")] pub [u8; 16]);

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({self})")
    }
}

/// The statement of a running process that it has heard of another one with the same key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// Who says so.
    pub by: Session,
    /// Whom it has heard of.
    pub of: Session,
    /// By the key of both, over [`Sighting::digest`].
    pub signature: Signature,
}

impl Sighting {
    /// What is signed: a domain tag, the chain, the key and both sessions.
    pub fn digest(chain_id: u64, key: &PublicKey, by: Session, of: Session) -> [u8; 32] {
        let tagged = TaggedHash::new("cluster-node/presence/1").u64(chain_id).bytes(&key.to_bytes());
        tagged.bytes(&by.0).bytes(&of.0).finish()
    }

    /// Signs that the session `by`, whose key this is, has heard of `of`.
    pub fn sign(chain_id: u64, key: &SecretKey, by: Session, of: Session) -> Self {
        let signature = key.sign(&Self::digest(chain_id, &key.public_key(), by, of));
        Self { by, of, signature }
    }

    /// Whether it proves to the session `of` that another process with its `key` ran after its own start.
    pub fn proves(&self, chain_id: u64, key: &PublicKey, of: Session) -> bool {
        self.of == of
            && self.by != of
            && key.verify(&Self::digest(chain_id, key, self.by, self.of), &self.signature).is_ok()
    }
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Here I am. Who else is?
    Here {
        /// The asker's session.
        session: Session,
        /// Its statements about other sessions of its key, at most [`limits::PRESENCE_SIGHTINGS`].
        sightings: Vec<Sighting>,
    },
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Response {
    /// What is known under the asker's identity.
    Others {
        /// Other sessions that were heard not long ago, at most [`limits::PRESENCE_SESSIONS`].
        sessions: Vec<Session>,
        /// Statements about the asker's session, at most [`limits::PRESENCE_SESSIONS`].
        sightings: Vec<Sighting>,
    },
}

impl Wire for Request {
    fn check(&self) -> Result<(), Excess> {
        let Self::Here { sightings, .. } = self;
        at_most("the list of sightings", sightings.len(), limits::PRESENCE_SIGHTINGS)
    }
}

impl Wire for Response {
    fn check(&self) -> Result<(), Excess> {
        let Self::Others { sessions, sightings } = self;
        at_most("the list of sessions", sessions.len(), limits::PRESENCE_SESSIONS)?;
        at_most("the list of sightings", sightings.len(), limits::PRESENCE_SESSIONS)
    }
}
