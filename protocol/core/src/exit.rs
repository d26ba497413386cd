//! An owner's order to let validators leave the chain, and the checks that every operator and every signer makes on it
//! for itself.
//!
//! An exit cannot be undone, and it is all that an owner without the key needs from the committee. So no partial
//! signature of an exit is made without the signature of the validator's owner over its public key, or the owner's event in
//! the contracts, looked up by whoever signs. Using an order again
//! before its deadline does no harm, since a validator leaves once; the nonce only makes two equal orders differ.

use crate::{
    chain::{EventId, ExitFact, PubkeyBytes},
    eip712,
    encoding::{encode, shorten},
    request::Origin,
};
use cluster_crypto::{
    bls,
    ethereum::{self, Address, RecoverableSignature},
};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// Most validators of one order.
pub const MAX_EXITS: usize = 1000;
/// How far ahead a deadline may lie: 31 days, in seconds.
pub const MAX_EXIT_DEADLINE_AHEAD_S: u64 = 31 * 24 * 3600;
/// Longest JSON text of a [`SignedExitRequest`] that callers should read, in bytes: a thousand keys, indented.
pub const MAX_EXIT_REQUEST_BYTES: usize = 128 * 1024;

/// What an owner orders. All fields are signed (EIP-712, see [`crate::eip712`]).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExitRequest {
    /// EIP-155 chain id of the network that the validators run on.
    pub chain_id: u64,
    /// The wallet that signs: the owner of every validator named.
    pub owner: Address,
    /// The validators that are to leave, each once.
    pub pubkeys: Vec<bls::PublicKey>,
    /// Chosen by the owner; makes two otherwise equal orders differ.
    pub nonce: u64,
    /// Unix seconds after which no operator signs any more.
    pub deadline: u64,
}

impl ExitRequest {
    /// The EIP-712 digest that the owner signs.
    pub fn digest(&self) -> [u8; 32] {
        eip712::exit_digest(self)
    }
}

/// An order and what makes it the owner's. Nothing is checked yet. In JSON and in binary like
/// [`crate::request::SignedRequest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedExitRequest {
    /// The order.
    pub request: ExitRequest,
    /// The owner's EIP-712 signature, or its `ValidatorExitDataGeneration` event.
    pub origin: Origin,
}

crate::request::serde_with_origin!(SignedExitRequest, ExitRequest);

/// Who knows the exit events of the contracts. Whoever reads no chain knows none, and an order by an event is refused.
pub trait ExitEvents {
    /// What an event orders; `None`: no such event, or not yet with enough confirmations.
    fn exit_event(&self, event: &EventId) -> Option<ExitFact>;
}

/// Reads no chain.
#[derive(Clone, Copy, Debug)]
pub struct NoExitEvents;

impl ExitEvents for NoExitEvents {
    fn exit_event(&self, _event: &EventId) -> Option<ExitFact> {
        None
    }
}

/// Why an order is refused, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExitError {
    /// The text is not an order.
    #[error("this is not a signed exit request: {reason}")]
    Malformed {
        /// What the reader says.
        reason: String,
    },
    /// The text is longer than any order.
    #[error("a signed exit request has at most {MAX_EXIT_REQUEST_BYTES} bytes, this one has {len}")]
    TooLong {
        /// Bytes given.
        len: usize,
    },
    /// For another chain.
    #[error("the exit request is for chain {found}, this network has chain {expected}; sign it for chain {expected}")]
    WrongChain {
        /// Chain id of the network.
        expected: u64,
        /// Chain id of the order.
        found: u64,
    },
    /// The zero address cannot sign.
    #[error("owner is the zero address; use the address of the wallet that signs")]
    ZeroOwner,
    /// No validators.
    #[error("pubkeys is empty; name the validators that are to leave")]
    NoValidators,
    /// Too many validators.
    #[error("pubkeys names {count} validators, the limit is {MAX_EXITS}; split the exit request")]
    TooMany {
        /// Validators named.
        count: usize,
    },
    /// A validator named twice.
    #[error("pubkeys names validator {pubkey} twice; name each once")]
    Duplicate {
        /// The validator.
        pubkey: Box<bls::PublicKey>,
    },
    /// Too late.
    #[error("the deadline {deadline} has passed, it is {now_s} now; sign a new exit request")]
    Expired {
        /// Unix seconds.
        deadline: u64,
        /// Unix seconds.
        now_s: u64,
    },
    /// A signed order should not lie around for years.
    #[error("the deadline {deadline} is after {latest}, the latest that is accepted now; choose an earlier one")]
    DeadlineTooFar {
        /// Unix seconds.
        deadline: u64,
        /// Unix seconds.
        latest: u64,
    },
    /// No public key can be recovered.
    #[error("signature is not a valid signature of anybody; sign the exit request again")]
    BadSignature,
    /// Signed by somebody else, or changed after signing.
    #[error("signature was made by {recovered} or for another exit request, but owner is {owner}; sign exactly this request with the owner's wallet")]
    SignerMismatch {
        /// Owner named by the order.
        owner: Address,
        /// The address that the signature gives for this content.
        recovered: Address,
    },
    /// The event is not known here, or is of another chain.
    #[error("the contracts that this node reads have no confirmed exit event {event}; wait for its confirmations, or sign the exit request")]
    UnknownEvent {
        /// The event named.
        event: Box<EventId>,
    },
    /// The event orders something else.
    #[error("event {event} is of another owner, or does not name all of these validators")]
    EventMismatch {
        /// The event named.
        event: Box<EventId>,
    },
    /// The order does not name this validator.
    #[error("pubkeys does not name validator {pubkey}")]
    NotNamed {
        /// The validator.
        pubkey: Box<bls::PublicKey>,
    },
    /// Nobody may ask for an exit of this validator.
    #[error("the owner of validator {pubkey} is not known to this operator; import it again with its owner")]
    NoOwner {
        /// The validator.
        pubkey: Box<bls::PublicKey>,
    },
    /// The validator is somebody else's.
    #[error("validator {pubkey} belongs to {owner}, the exit request is signed by {found}")]
    NotTheOwner {
        /// The validator.
        pubkey: Box<bls::PublicKey>,
        /// Its owner.
        owner: Address,
        /// Who signed.
        found: Address,
    },
}

impl ExitError {
    /// The JSON field that is wrong; empty when it is the whole text.
    pub fn field(&self) -> &'static str {
        match self {
            Self::Malformed { .. } | Self::TooLong { .. } => "",
            Self::WrongChain { .. } => "chain_id",
            Self::ZeroOwner | Self::NotTheOwner { .. } => "owner",
            Self::NoValidators
            | Self::TooMany { .. }
            | Self::Duplicate { .. }
            | Self::NotNamed { .. }
            | Self::NoOwner { .. } => "pubkeys",
            Self::Expired { .. } | Self::DeadlineTooFar { .. } => "deadline",
            Self::BadSignature | Self::SignerMismatch { .. } => "signature",
            Self::UnknownEvent { .. } | Self::EventMismatch { .. } => "event",
        }
    }
}

impl SignedExitRequest {
    /// An order that its owner signed.
    pub fn by_signature(request: ExitRequest, signature: RecoverableSignature) -> Self {
        SignedExitRequest { request, origin: Origin::Signature(signature) }
    }

    /// An order that an event of the contracts gives. `deadline` bounds how long this node keeps it.
    pub fn by_event(event: EventId, owner: Address, pubkeys: Vec<bls::PublicKey>, deadline: u64) -> Self {
        let (chain_id, nonce) = (event.chain_id, event.nonce());
        let request = ExitRequest { chain_id, owner, pubkeys, nonce, deadline };
        SignedExitRequest { request, origin: Origin::Event(event) }
    }

    /// Reads the JSON text of an order; nothing is checked beyond its shape.
    pub fn from_json(text: &str) -> Result<Self, ExitError> {
        if text.len() > MAX_EXIT_REQUEST_BYTES {
            return Err(ExitError::TooLong { len: text.len() });
        }
        serde_json::from_str(text).map_err(|error| ExitError::Malformed { reason: shorten(&error.to_string(), 200) })
    }

    /// Every check that needs only the order and, for one by an event, the contracts: cheap ones first, its origin last.
    /// `now_s` is in unix seconds.
    pub fn check(&self, chain_id: u64, now_s: u64, events: &dyn ExitEvents) -> Result<CheckedExit<'_>, ExitError> {
        let request = &self.request;
        if request.chain_id != chain_id {
            return Err(ExitError::WrongChain { expected: chain_id, found: request.chain_id });
        }
        if request.owner.is_zero() {
            return Err(ExitError::ZeroOwner);
        }
        let count = request.pubkeys.len();
        if count == 0 {
            return Err(ExitError::NoValidators);
        }
        if count > MAX_EXITS {
            return Err(ExitError::TooMany { count });
        }
        let mut seen = HashSet::with_capacity(count);
        if let Some(pubkey) = request.pubkeys.iter().find(|key| !seen.insert(key.to_bytes())) {
            return Err(ExitError::Duplicate { pubkey: Box::new(*pubkey) });
        }
        let deadline = request.deadline;
        if deadline < now_s {
            return Err(ExitError::Expired { deadline, now_s });
        }
        let latest = now_s.saturating_add(MAX_EXIT_DEADLINE_AHEAD_S);
        if deadline > latest {
            return Err(ExitError::DeadlineTooFar { deadline, latest });
        }
        self.check_origin(events)?;
        Ok(CheckedExit { request })
    }

    fn check_origin(&self, events: &dyn ExitEvents) -> Result<(), ExitError> {
        let request = &self.request;
        match &self.origin {
            Origin::Signature(signature) => {
                let recovered = ethereum::recover(&request.digest(), signature).map_err(|_| ExitError::BadSignature)?;
                if recovered != request.owner {
                    return Err(ExitError::SignerMismatch { owner: request.owner, recovered });
                }
            }
            Origin::Event(event) => {
                let known = Some(event).filter(|event| event.chain_id == request.chain_id);
                let fact = known.and_then(|event| events.exit_event(event));
                let fact = fact.ok_or_else(|| ExitError::UnknownEvent { event: Box::new(*event) })?;
                let named: HashSet<PubkeyBytes> = fact.pubkeys.iter().copied().collect();
                let all = request.pubkeys.iter().all(|key| named.contains(&PubkeyBytes::from(key)));
                if fact.owner != request.owner || !all {
                    return Err(ExitError::EventMismatch { event: Box::new(*event) });
                }
            }
        }
        Ok(())
    }

    /// A name of the order for logs and for telling repeats apart: a hash of content and signature, or of the event alone.
    pub fn id(&self) -> [u8; 32] {
        if let Origin::Event(event) = &self.origin {
            return Self::id_of_event(event);
        }
        cluster_crypto::hash::TaggedHash::new("cluster-node/exit-request/1").bytes(&encode(self)).finish()
    }
}

impl SignedExitRequest {
    /// The id of the order that this event gives.
    pub fn id_of_event(event: &EventId) -> [u8; 32] {
        cluster_crypto::hash::TaggedHash::new("cluster-node/exit-event/1").bytes(&event.to_bytes()).finish()
    }
}

/// An order that passed every check which needs only the order.
#[derive(Clone, Copy, Debug)]
pub struct CheckedExit<'a> {
    request: &'a ExitRequest,
}

impl<'a> CheckedExit<'a> {
    /// The order.
    pub fn request(&self) -> &'a ExitRequest {
        self.request
    }

    /// Whether the order covers this validator: it names it, and its owner signed.
    pub fn allows(&self, pubkey: &bls::PublicKey, owner: Option<Address>) -> Result<(), ExitError> {
        let bytes = pubkey.to_bytes();
        if !self.request.pubkeys.iter().any(|named| named.to_bytes() == bytes) {
            return Err(ExitError::NotNamed { pubkey: Box::new(*pubkey) });
        }
        match owner {
            None => Err(ExitError::NoOwner { pubkey: Box::new(*pubkey) }),
            Some(owner) if owner != self.request.owner => {
                Err(ExitError::NotTheOwner { pubkey: Box::new(*pubkey), owner, found: self.request.owner })
            }
            Some(_) => Ok(()),
        }
    }
}
