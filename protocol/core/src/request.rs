//! An owner's request for deposit data, and the checks that every operator, gateway and service
//! makes on it for itself. A [`CheckedRequest`] is the only way to a ceremony.
//!
//! An owner asks either by signature or by a transaction: see [`Origin`].

pub(crate) mod origin;
mod reshare;
mod wire;

pub(crate) use origin::serde_with_origin;
pub use origin::{EventLookup, EventRequest, Origin};
pub use reshare::{KeysDigest, Reshare, ReshareError};

use crate::{
    ceremony::CeremonyId,
    chain::EventId,
    committee::{Committee, CommitteeError, OperatorId},
    eip712,
    network::Network,
    registry::Registry,
};
use cluster_crypto::{
    ethereum::{self, Address, RecoverableSignature},
    identity,
};
use serde::{Deserialize, Serialize};

/// Most validators of one request.
pub const MAX_VALIDATORS: u32 = 1000;
/// The only amount that a request may name: 32 ETH in gwei.
pub const DEPOSIT_AMOUNT_GWEI: u64 = 32_000_000_000;
/// How far ahead a deadline may lie unless a node is configured otherwise: seven days, in seconds.
pub const DEFAULT_MAX_DEADLINE_AHEAD_S: u64 = 7 * 24 * 3600;
/// Longest JSON text of a [`SignedRequest`] that callers should read, in bytes.
pub const MAX_REQUEST_BYTES: usize = 4096;

/// What an owner asks for. All fields are signed (EIP-712, see [`crate::eip712`]), or follow from an event of the chain
/// (see [`crate::chain::DepositDataRequested::request`]).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct Request {
    /// EIP-155 chain id of the network that the validators will run on.
    pub chain_id: u64,
    /// The wallet that signs, and that alone may read the result.
    pub owner: Address,
    /// The gateway key of the Cluster Node Service that the owner uses.
    pub cluster_pubkey: identity::PublicKey,
    /// The committee, ascending.
    pub operator_ids: Vec<OperatorId>,
    /// Validators to make, 1 to [`MAX_VALIDATORS`].
    pub validator_count: u32,
    /// Where withdrawals go (0x01 credentials).
    pub withdrawal_address: Address,
    /// Gwei per validator; [`DEPOSIT_AMOUNT_GWEI`].
    pub amount_gwei: u64,
    /// Chosen by the owner; makes two otherwise equal requests differ.
    pub nonce: u64,
    /// Unix seconds after which no ceremony may start.
    pub deadline: u64,
    /// The validators to take over from an earlier ceremony; without it the ceremony makes new ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reshare: Option<Reshare>,
}

impl Request {
    /// The EIP-712 digest that the owner signs.
    pub fn digest(&self) -> [u8; 32] {
        eip712::request_digest(self)
    }

    /// The ceremony that this request starts once its owner has signed it.
    pub fn ceremony_id_when_signed(&self) -> CeremonyId {
        CeremonyId::of_request_digest(&self.digest())
    }
}

/// A request and what makes it the owner's. Nothing is checked yet.
///
/// As JSON `{ "request": .., "signature": "0x.." }` or `{ "request": .., "event": { .. } }`; in binary the request and 65
/// bytes, see [`Origin`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedRequest {
    /// The request.
    pub request: Request,
    /// The owner's signature, or the event that says the same.
    pub origin: Origin,
}

/// What a node accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestRules {
    /// The network that the node serves.
    pub network: Network,
    /// Most validators of one request; values above [`MAX_VALIDATORS`] count as that.
    pub max_validators: u32,
    /// How far ahead the deadline may lie, in seconds.
    pub max_deadline_ahead_s: u64,
}

impl RequestRules {
    /// The default rules on a network.
    pub const fn new(network: Network) -> Self {
        RequestRules { network, max_validators: MAX_VALIDATORS, max_deadline_ahead_s: DEFAULT_MAX_DEADLINE_AHEAD_S }
    }
}

/// Why a request is refused, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// For another chain.
    #[error("the request is for chain {found}, this network is {network} with chain {expected}; sign it for chain {expected}")]
    WrongChain {
        /// Network served.
        network: Network,
        /// Its chain id.
        expected: u64,
        /// Chain id of the request.
        found: u64,
    },
    /// No validators.
    #[error("validator_count is 0; ask for at least one validator")]
    CountZero,
    /// Too many validators.
    #[error("validator_count is {count}, the limit is {max}; split the request")]
    CountAboveLimit {
        /// Validators asked for.
        count: u32,
        /// Most allowed.
        max: u32,
    },
    /// Not 32 ETH.
    #[error("amount_gwei is {found}, only {DEPOSIT_AMOUNT_GWEI} (32 ETH) is supported; use that")]
    WrongAmount {
        /// Amount of the request.
        found: u64,
    },
    /// The zero address cannot sign.
    #[error("owner is the zero address; use the address of the wallet that signs")]
    ZeroOwner,
    /// Funds sent there are lost.
    #[error("withdrawal_address is the zero address and the funds would be lost; use an address that you control or the Lido withdrawal vault")]
    ZeroWithdrawalAddress,
    /// Too late.
    #[error("the deadline {deadline} has passed, it is {now_s} now; sign a new request")]
    Expired {
        /// Unix seconds.
        deadline: u64,
        /// Unix seconds.
        now_s: u64,
    },
    /// A signed request should not lie around for years.
    #[error("the deadline {deadline} is after {latest}, the latest that is accepted now; choose an earlier one")]
    DeadlineTooFar {
        /// Unix seconds.
        deadline: u64,
        /// Unix seconds.
        latest: u64,
    },
    /// Not 4, 7, 10 or 13 operators.
    #[error("operator_ids has {n} operators; choose 4, 7, 10 or 13")]
    WrongCommitteeSize {
        /// Operators named.
        n: usize,
    },
    /// An operator named twice.
    #[error("operator_ids names operator {id} twice; choose distinct operators")]
    DuplicateOperator {
        /// The operator.
        id: OperatorId,
    },
    /// Not ascending.
    #[error("operator_ids has operator {id} after a higher id; list them in ascending order")]
    UnsortedOperators {
        /// The first operator out of order.
        id: OperatorId,
    },
    /// Not in the registry.
    #[error("operator_ids names operator {id}, which is not registered; choose registered operators")]
    UnknownOperator {
        /// The operator.
        id: OperatorId,
    },
    /// The registry gives two operators of the committee one key.
    #[error(
        "operators {first} and {second} of operator_ids are registered with the same key; choose another operator"
    )]
    SharedOperatorKey {
        /// The lower id.
        first: OperatorId,
        /// The higher id.
        second: OperatorId,
    },
    /// What a reshare takes over is not a committee with its keys.
    #[error("the previous committee of the reshare {reason}; make the request from the certificate of the previous ceremony")]
    PreviousCommittee {
        /// What is wrong with it.
        reason: String,
    },
    /// Too few operators of the old committee stay.
    #[error("{staying} of the {n} operators that hold the shares are in the new committee, and {needed} of them have to deal them again; keep at least {needed} of them")]
    TooFewDealers {
        /// Members of both committees.
        staying: usize,
        /// Threshold of the old committee.
        needed: usize,
        /// Members of the old committee.
        n: usize,
    },
    /// Events have no place for what a reshare takes over.
    #[error("an event of the chain cannot ask for a reshare; sign the request")]
    ReshareByEvent,
    /// No public key can be recovered.
    #[error("signature is not a valid signature of anybody; sign the request again")]
    BadSignature,
    /// Signed by somebody else, or changed after signing.
    #[error("signature was made by {recovered} or for another request, but owner is {owner}; sign exactly this request with the owner's wallet")]
    OwnerMismatch {
        /// Owner of the request.
        owner: Address,
        /// The address that the signature gives for this content.
        recovered: Address,
    },
    /// The origin names an event of another chain than the request.
    #[error(
        "event is of chain {found}, but the request is for chain {expected}; take the event from chain {expected}"
    )]
    EventOnOtherChain {
        /// Chain id of the request.
        expected: u64,
        /// Chain id of the event.
        found: u64,
    },
    /// Nobody here can say what the event is.
    #[error(
        "the request names event {event} as its authority, and this node reads no chain to look it up; configure [chain], or sign the request"
    )]
    NoChain {
        /// The event named.
        event: Box<EventId>,
    },
    /// No such event, or not yet with enough confirmations, or its block was replaced by another.
    #[error("the chain has no confirmed event {event} that asks for deposit data; wait for its confirmations, or sign the request")]
    UnknownEvent {
        /// The event named.
        event: Box<EventId>,
    },
    /// The event asks for something else.
    #[error("event {event} asks for something else than this request; send exactly what the event says")]
    EventMismatch {
        /// The event named.
        event: Box<EventId>,
    },
}

impl RequestError {
    /// The JSON field that is wrong.
    pub fn field(&self) -> &'static str {
        match self {
            RequestError::WrongChain { .. } => "chain_id",
            RequestError::CountZero | RequestError::CountAboveLimit { .. } => "validator_count",
            RequestError::WrongAmount { .. } => "amount_gwei",
            RequestError::ZeroOwner => "owner",
            RequestError::ZeroWithdrawalAddress => "withdrawal_address",
            RequestError::Expired { .. } | RequestError::DeadlineTooFar { .. } => "deadline",
            RequestError::WrongCommitteeSize { .. }
            | RequestError::DuplicateOperator { .. }
            | RequestError::UnsortedOperators { .. }
            | RequestError::UnknownOperator { .. }
            | RequestError::SharedOperatorKey { .. } => "operator_ids",
            RequestError::PreviousCommittee { .. }
            | RequestError::TooFewDealers { .. }
            | RequestError::ReshareByEvent => "reshare",
            RequestError::BadSignature | RequestError::OwnerMismatch { .. } => "signature",
            RequestError::EventOnOtherChain { .. }
            | RequestError::NoChain { .. }
            | RequestError::UnknownEvent { .. }
            | RequestError::EventMismatch { .. } => "event",
        }
    }
}

impl From<CommitteeError> for RequestError {
    fn from(error: CommitteeError) -> Self {
        match error {
            CommitteeError::WrongSize { n } => RequestError::WrongCommitteeSize { n },
            CommitteeError::Duplicate { id } => RequestError::DuplicateOperator { id },
            CommitteeError::Unsorted { id } => RequestError::UnsortedOperators { id },
            CommitteeError::SameKey { first, second } => RequestError::SharedOperatorKey { first, second },
        }
    }
}

impl SignedRequest {
    /// A request that its owner signed.
    pub fn by_signature(request: Request, signature: RecoverableSignature) -> Self {
        SignedRequest { request, origin: Origin::Signature(signature) }
    }

    /// A request that an event of the chain makes.
    pub fn by_event(request: Request, event: EventId) -> Self {
        SignedRequest { request, origin: Origin::Event(event) }
    }

    /// The ceremony that this request starts: of its EIP-712 digest, or of its event.
    pub fn ceremony_id(&self) -> CeremonyId {
        match &self.origin {
            Origin::Signature(_) => self.request.ceremony_id_when_signed(),
            Origin::Event(event) => CeremonyId::of_event(event),
        }
    }

    /// What all operators of the ceremony agree on. The deadline of an event's request follows from the time of its
    /// block, which differs between operators while the chain is undecided about the block: it is left out.
    pub fn essence(&self) -> Request {
        match self.origin {
            Origin::Signature(_) => self.request.clone(),
            Origin::Event(_) => Request { deadline: 0, ..self.request.clone() },
        }
    }

    /// Every check, cheap ones first and the origin last. `now_s` is in unix seconds. The registry also answers for
    /// events, see [`Registry::event_request`]; the deadline is then the one that this node sees on its chain.
    pub fn check(
        &self,
        rules: &RequestRules,
        registry: &dyn Registry,
        now_s: u64,
    ) -> Result<CheckedRequest, RequestError> {
        self.check_fields(rules)?;
        let current = match &self.origin {
            Origin::Signature(_) => self.clone(),
            Origin::Event(event) if registry.event_request(event) == EventLookup::NotLookedUp => {
                return Err(RequestError::NoChain { event: Box::new(*event) });
            }
            Origin::Event(event) => SignedRequest { request: self.look_up(event, registry)?, origin: self.origin },
        };
        current.check_deadline(rules, now_s)?;
        current.finish(rules.network, registry)
    }

    /// All checks except the deadline: for completing and verifying a ceremony that once started.
    pub fn check_ignoring_deadline(
        &self,
        rules: &RequestRules,
        registry: &dyn Registry,
    ) -> Result<CheckedRequest, RequestError> {
        self.check_fields(rules)?;
        self.finish(rules.network, registry)
    }

    /// Everything that the request alone tells, except its origin and the deadline.
    pub(crate) fn check_fields(&self, rules: &RequestRules) -> Result<(), RequestError> {
        let request = &self.request;
        let expected = rules.network.chain_id();
        if request.chain_id != expected {
            return Err(RequestError::WrongChain { network: rules.network, expected, found: request.chain_id });
        }
        if request.validator_count == 0 {
            return Err(RequestError::CountZero);
        }
        let max = rules.max_validators.min(MAX_VALIDATORS);
        if request.validator_count > max {
            return Err(RequestError::CountAboveLimit { count: request.validator_count, max });
        }
        if request.amount_gwei != DEPOSIT_AMOUNT_GWEI {
            return Err(RequestError::WrongAmount { found: request.amount_gwei });
        }
        if request.owner.is_zero() {
            return Err(RequestError::ZeroOwner);
        }
        if request.withdrawal_address.is_zero() {
            return Err(RequestError::ZeroWithdrawalAddress);
        }
        crate::committee::check_ids(&request.operator_ids)?;
        if let Some(reshare) = &request.reshare {
            if self.origin.event().is_some() {
                return Err(RequestError::ReshareByEvent);
            }
            reshare.check(&request.operator_ids)?;
        }
        Ok(())
    }

    fn check_deadline(&self, rules: &RequestRules, now_s: u64) -> Result<(), RequestError> {
        let deadline = self.request.deadline;
        if deadline < now_s {
            return Err(RequestError::Expired { deadline, now_s });
        }
        let latest = now_s.saturating_add(rules.max_deadline_ahead_s);
        if deadline > latest {
            return Err(RequestError::DeadlineTooFar { deadline, latest });
        }
        Ok(())
    }

    /// Whether the owner signed exactly this request, or the event asks for exactly this; the ceremony it starts.
    pub(crate) fn check_origin(&self, registry: Option<&dyn Registry>) -> Result<CeremonyId, RequestError> {
        match (&self.origin, registry) {
            (Origin::Signature(signature), _) => {
                let digest = self.request.digest();
                let recovered = ethereum::recover(&digest, signature).map_err(|_| RequestError::BadSignature)?;
                if recovered != self.request.owner {
                    return Err(RequestError::OwnerMismatch { owner: self.request.owner, recovered });
                }
                Ok(CeremonyId::of_request_digest(&digest))
            }
            (Origin::Event(event), Some(registry)) => {
                self.look_up(event, registry)?;
                Ok(CeremonyId::of_event(event))
            }
            (Origin::Event(event), None) => {
                self.check_event_chain(event)?;
                Ok(CeremonyId::of_event(event))
            }
        }
    }

    /// The request of the event as this node's chain has it, if it is this one.
    fn look_up(&self, event: &EventId, registry: &dyn Registry) -> Result<Request, RequestError> {
        self.check_event_chain(event)?;
        match registry.event_request(event) {
            EventLookup::NoChain => Err(RequestError::NoChain { event: Box::new(*event) }),
            EventLookup::NotLookedUp => Ok(self.request.clone()),
            EventLookup::Unknown => Err(RequestError::UnknownEvent { event: Box::new(*event) }),
            EventLookup::Found(found) => {
                let found = SignedRequest::by_event(found.request, *event);
                if found.essence() != self.essence() {
                    return Err(RequestError::EventMismatch { event: Box::new(*event) });
                }
                Ok(found.request)
            }
        }
    }

    fn check_event_chain(&self, event: &EventId) -> Result<(), RequestError> {
        if event.chain_id != self.request.chain_id {
            let (expected, found) = (self.request.chain_id, event.chain_id);
            return Err(RequestError::EventOnOtherChain { expected, found });
        }
        Ok(())
    }

    /// Looks the committee up, and who asks.
    fn finish(&self, network: Network, registry: &dyn Registry) -> Result<CheckedRequest, RequestError> {
        let member = |id: &OperatorId| match registry.operator(*id) {
            Some(entry) => Ok((*id, entry.public_key)),
            None => Err(RequestError::UnknownOperator { id: *id }),
        };
        let committee = Committee::new(self.request.operator_ids.iter().map(member).collect::<Result<_, _>>()?)?;
        let ceremony_id = self.check_origin(Some(registry))?;
        Ok(CheckedRequest { signed: self.clone(), network, committee, ceremony_id })
    }
}

/// A request that passed every check. No other way leads to a ceremony.
#[derive(Clone, Debug)]
pub struct CheckedRequest {
    signed: SignedRequest,
    network: Network,
    committee: Committee,
    ceremony_id: CeremonyId,
}

impl CheckedRequest {
    /// The request.
    pub fn request(&self) -> &Request {
        &self.signed.request
    }

    /// The request with its origin, to pass on.
    pub fn signed(&self) -> &SignedRequest {
        &self.signed
    }

    /// The network of the validators.
    pub fn network(&self) -> Network {
        self.network
    }

    /// The operators with their registered keys.
    pub fn committee(&self) -> &Committee {
        &self.committee
    }

    /// The ceremony that this request starts.
    pub fn ceremony_id(&self) -> CeremonyId {
        self.ceremony_id
    }

    /// Number of validators, K.
    pub fn validator_count(&self) -> usize {
        self.signed.request.validator_count as usize
    }
}
