//! What follows from the events of the contracts, as one value.
//!
//! Every change is an [`Entry`]: a key and its new value. [`Facts::set`] returns the entry that takes the change back, so
//! undoing a block, writing to a store and loading from one are the same operation.

use super::{EventId, Position, PubkeyBytes, Quarantined};
use crate::{committee::OperatorId, request::EventRequest};
use cluster_crypto::{ethereum::Address, identity, seal::Envelope};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most operators.
pub const MAX_OPERATORS: usize = crate::registry::MAX_OPERATORS;
/// Most cluster nodes, that is, gateways.
pub const MAX_CLUSTER_NODES: usize = 10_000;
/// Most validators, removed ones included: 2,000 for each of 10,000 operators in committees of 4 are more than this
/// network will see; 200,000 take about 300 MB.
pub const MAX_VALIDATORS: usize = 200_000;
/// Most requests.
pub const MAX_REQUESTS: usize = 100_000;
/// Most exit events.
pub const MAX_EXIT_EVENTS: usize = 100_000;
/// Most fee recipients of wallets that own no validator: anyone may set some.
pub(super) const MAX_FEE_RECIPIENTS: usize = 200_000;

/// An operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorFact {
    /// Name for people, printable.
    pub name: String,
    /// Its identity.
    pub public_key: identity::PublicKey,
    /// Its wallet.
    pub owner: Address,
    /// Verified by the administrators.
    pub verified: bool,
    /// Run on behalf of the DAO.
    pub from_dao: bool,
    /// False once it was removed.
    pub active: bool,
    /// The event that brought it.
    pub registered_by: EventId,
    /// Block of that event.
    pub registered_block: u64,
}

/// A gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterNodeFact {
    /// Who registered it.
    pub owner: Address,
    /// False while it was switched off.
    pub active: bool,
    /// The event that brought it.
    pub registered_by: EventId,
}

/// A validator and its committee.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidatorFact {
    /// Who decides about it.
    pub owner: Address,
    /// The committee, ascending.
    pub operator_ids: Vec<OperatorId>,
    /// One public share for each operator.
    pub share_pubkeys: Vec<PubkeyBytes>,
    /// One sealed share for each operator; none once it was removed.
    pub envelopes: Vec<Envelope>,
    /// Block until which the subscription is paid.
    pub paid_until_block: u64,
    /// The event that gave it to this committee.
    pub registered_by: EventId,
    /// Where that event stands.
    pub registered_at: Position,
    /// Where its owner took it away; it may be registered again.
    pub removed_at: Option<Position>,
}

impl ValidatorFact {
    /// Whether its committee performs its duties.
    pub fn is_registered(&self) -> bool {
        self.removed_at.is_none()
    }
}

/// An owner's order to let validators leave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitFact {
    /// Who ordered it: the owner of every validator named, when the event happened.
    pub owner: Address,
    /// The validators.
    pub pubkeys: Vec<PubkeyBytes>,
    /// The epoch that the owner's app named.
    pub epoch: u64,
    /// Where the event stands.
    pub position: Position,
}

/// What a change is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum FactKey {
    /// An operator.
    Operator(OperatorId),
    /// A gateway, by its compressed key.
    ClusterNode(#[serde(with = "crate::encoding::hex_array")] [u8; 33]),
    /// A validator.
    Validator(PubkeyBytes),
    /// The fee recipient of an owner's validators.
    FeeRecipient(Address),
    /// The fee recipient of one validator.
    ValidatorFeeRecipient(Address, PubkeyBytes),
    /// A request.
    Request(EventId),
    /// An order to let validators leave.
    Exit(EventId),
    /// An event that could not be handled.
    Quarantine(Position),
}

/// A key with its value; `None` for "no such".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Entry {
    /// An operator.
    Operator(OperatorId, Option<Box<OperatorFact>>),
    /// A gateway.
    ClusterNode(identity::PublicKey, Option<ClusterNodeFact>),
    /// A validator.
    Validator(PubkeyBytes, Option<Box<ValidatorFact>>),
    /// The fee recipient of an owner's validators.
    FeeRecipient(Address, Option<Address>),
    /// The fee recipient of one validator, while this wallet owns it.
    ValidatorFeeRecipient(Address, PubkeyBytes, Option<Address>),
    /// A request.
    Request(EventId, Option<Box<EventRequest>>),
    /// An order to let validators leave.
    Exit(EventId, Option<Box<ExitFact>>),
    /// An event that could not be handled.
    Quarantine(Position, Option<Box<Quarantined>>),
}

impl Entry {
    /// What it is about.
    pub fn key(&self) -> FactKey {
        match self {
            Entry::Operator(id, _) => FactKey::Operator(*id),
            Entry::ClusterNode(key, _) => FactKey::ClusterNode(key.to_bytes()),
            Entry::Validator(key, _) => FactKey::Validator(*key),
            Entry::FeeRecipient(owner, _) => FactKey::FeeRecipient(*owner),
            Entry::ValidatorFeeRecipient(owner, key, _) => FactKey::ValidatorFeeRecipient(*owner, *key),
            Entry::Request(event, _) => FactKey::Request(*event),
            Entry::Exit(event, _) => FactKey::Exit(*event),
            Entry::Quarantine(position, _) => FactKey::Quarantine(*position),
        }
    }

    /// Whether it takes its key away.
    pub fn is_removal(&self) -> bool {
        *self == self.cleared()
    }

    /// The entry that takes its key away.
    #[must_use]
    pub fn cleared(&self) -> Entry {
        match self {
            Entry::Operator(id, _) => Entry::Operator(*id, None),
            Entry::ClusterNode(key, _) => Entry::ClusterNode(*key, None),
            Entry::Validator(key, _) => Entry::Validator(*key, None),
            Entry::FeeRecipient(owner, _) => Entry::FeeRecipient(*owner, None),
            Entry::ValidatorFeeRecipient(owner, key, _) => Entry::ValidatorFeeRecipient(*owner, *key, None),
            Entry::Request(event, _) => Entry::Request(*event, None),
            Entry::Exit(event, _) => Entry::Exit(*event, None),
            Entry::Quarantine(position, _) => Entry::Quarantine(*position, None),
        }
    }
}

/// Everything that the contracts said, as far as it holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    operators: BTreeMap<OperatorId, Box<OperatorFact>>,
    operator_keys: BTreeMap<[u8; 33], OperatorId>,
    cluster_nodes: BTreeMap<[u8; 33], (identity::PublicKey, ClusterNodeFact)>,
    validators: BTreeMap<PubkeyBytes, Box<ValidatorFact>>,
    fee_recipients: BTreeMap<Address, Address>,
    validator_fee_recipients: BTreeMap<(Address, PubkeyBytes), Address>,
    requests: BTreeMap<EventId, Box<EventRequest>>,
    exits: BTreeMap<EventId, Box<ExitFact>>,
    quarantine: BTreeMap<Position, Box<Quarantined>>,
}

/// Puts a value, or takes it away; the value that was there.
fn put<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: Option<V>) -> Option<V> {
    match value {
        Some(value) => map.insert(key, value),
        None => map.remove(&key),
    }
}

impl Facts {
    /// Makes a change; the entry that takes it back.
    pub fn set(&mut self, entry: Entry) -> Entry {
        match entry {
            Entry::Operator(id, value) => {
                // Of active operators alone: the key of one that was removed may be registered again.
                let indexed = |operator: &OperatorFact| operator.active.then(|| operator.public_key.to_bytes());
                let key = value.as_deref().and_then(indexed);
                let before = put(&mut self.operators, id, value);
                if let Some(key) = before.as_deref().and_then(indexed) {
                    self.operator_keys.remove(&key);
                }
                if let Some(key) = key {
                    self.operator_keys.insert(key, id);
                }
                Entry::Operator(id, before)
            }
            Entry::ClusterNode(key, value) => {
                let before = put(&mut self.cluster_nodes, key.to_bytes(), value.map(|value| (key, value)));
                Entry::ClusterNode(key, before.map(|(_, value)| value))
            }
            Entry::Validator(key, value) => Entry::Validator(key, put(&mut self.validators, key, value)),
            Entry::FeeRecipient(owner, value) => {
                Entry::FeeRecipient(owner, put(&mut self.fee_recipients, owner, value))
            }
            Entry::ValidatorFeeRecipient(owner, key, value) => {
                Entry::ValidatorFeeRecipient(owner, key, put(&mut self.validator_fee_recipients, (owner, key), value))
            }
            Entry::Request(event, value) => Entry::Request(event, put(&mut self.requests, event, value)),
            Entry::Exit(event, value) => Entry::Exit(event, put(&mut self.exits, event, value)),
            Entry::Quarantine(position, value) => {
                Entry::Quarantine(position, put(&mut self.quarantine, position, value))
            }
        }
    }

    /// The entry of a key as it is now.
    pub fn entry(&self, key: &FactKey) -> Option<Entry> {
        Some(match key {
            FactKey::Operator(id) => Entry::Operator(*id, Some(self.operators.get(id)?.clone())),
            FactKey::ClusterNode(bytes) => {
                let (key, value) = self.cluster_nodes.get(bytes)?;
                Entry::ClusterNode(*key, Some(value.clone()))
            }
            FactKey::Validator(key) => Entry::Validator(*key, Some(self.validators.get(key)?.clone())),
            FactKey::FeeRecipient(owner) => Entry::FeeRecipient(*owner, Some(*self.fee_recipients.get(owner)?)),
            FactKey::ValidatorFeeRecipient(owner, key) => {
                Entry::ValidatorFeeRecipient(*owner, *key, Some(*self.validator_fee_recipients.get(&(*owner, *key))?))
            }
            FactKey::Request(event) => Entry::Request(*event, Some(self.requests.get(event)?.clone())),
            FactKey::Exit(event) => Entry::Exit(*event, Some(self.exits.get(event)?.clone())),
            FactKey::Quarantine(position) => Entry::Quarantine(*position, Some(self.quarantine.get(position)?.clone())),
        })
    }

    /// The operator with this id, removed or not.
    pub fn operator(&self, id: OperatorId) -> Option<&OperatorFact> {
        self.operators.get(&id).map(Box::as_ref)
    }

    /// The active operator with this key.
    pub fn operator_of_key(&self, key: &identity::PublicKey) -> Option<OperatorId> {
        self.operator_keys.get(&key.to_bytes()).copied()
    }

    /// Every operator, ascending by id.
    pub fn operators(&self) -> impl ExactSizeIterator<Item = (OperatorId, &OperatorFact)> {
        self.operators.iter().map(|(id, operator)| (*id, operator.as_ref()))
    }

    /// The gateway with this key.
    pub fn cluster_node(&self, key: &identity::PublicKey) -> Option<&ClusterNodeFact> {
        self.cluster_nodes.get(&key.to_bytes()).map(|(_, value)| value)
    }

    /// Every gateway, ascending by the bytes of the key.
    pub fn cluster_nodes(&self) -> impl ExactSizeIterator<Item = (&identity::PublicKey, &ClusterNodeFact)> {
        self.cluster_nodes.values().map(|(key, value)| (key, value))
    }

    /// The validator, removed or not.
    pub fn validator(&self, pubkey: &PubkeyBytes) -> Option<&ValidatorFact> {
        self.validators.get(pubkey).map(Box::as_ref)
    }

    /// Every validator, ascending by the bytes of the key, removed ones included.
    pub fn validators(&self) -> impl ExactSizeIterator<Item = (&PubkeyBytes, &ValidatorFact)> {
        self.validators.iter().map(|(key, validator)| (key, validator.as_ref()))
    }

    /// What the owner chose for this validator alone, or else for all its validators; `None`: nothing was chosen.
    ///
    /// A Lido validator's fees go to Lido's execution layer rewards vault whatever this says; who knows the withdrawal
    /// credentials sees to it.
    pub fn fee_recipient(&self, pubkey: &PubkeyBytes) -> Option<Address> {
        let owner = self.validators.get(pubkey)?.owner;
        let own = self.validator_fee_recipients.get(&(owner, *pubkey)).copied();
        own.or_else(|| self.fee_recipient_of_owner(&owner))
    }

    /// What an owner chose for all its validators.
    pub fn fee_recipient_of_owner(&self, owner: &Address) -> Option<Address> {
        self.fee_recipients.get(owner).copied()
    }

    /// Number of fee recipients that were chosen, for owners and for validators.
    pub(super) fn fee_recipient_count(&self) -> usize {
        self.fee_recipients.len().saturating_add(self.validator_fee_recipients.len())
    }

    /// What an event asks for.
    pub fn request(&self, event: &EventId) -> Option<&EventRequest> {
        self.requests.get(event).map(Box::as_ref)
    }

    /// Every request, in the order of event ids.
    pub fn requests(&self) -> impl ExactSizeIterator<Item = (&EventId, &EventRequest)> {
        self.requests.iter().map(|(event, request)| (event, request.as_ref()))
    }

    /// One order to let validators leave.
    pub fn exit(&self, event: &EventId) -> Option<&ExitFact> {
        self.exits.get(event).map(Box::as_ref)
    }

    /// Every order to let validators leave, in the order of event ids.
    pub fn exits(&self) -> impl ExactSizeIterator<Item = (&EventId, &ExitFact)> {
        self.exits.iter().map(|(event, exit)| (event, exit.as_ref()))
    }

    /// Events that could not be handled, in the order of the chain.
    pub fn quarantine(&self) -> impl ExactSizeIterator<Item = &Quarantined> {
        self.quarantine.values().map(Box::as_ref)
    }

    /// Every entry: what a store holds.
    pub fn entries(&self) -> Vec<Entry> {
        let keys = self.operators.keys().map(|id| FactKey::Operator(*id));
        let keys = keys.chain(self.cluster_nodes.keys().map(|key| FactKey::ClusterNode(*key)));
        let keys = keys.chain(self.validators.keys().map(|key| FactKey::Validator(*key)));
        let keys = keys.chain(self.fee_recipients.keys().map(|owner| FactKey::FeeRecipient(*owner)));
        let keys = keys.chain(
            self.validator_fee_recipients.keys().map(|(owner, key)| FactKey::ValidatorFeeRecipient(*owner, *key)),
        );
        let keys = keys.chain(self.requests.keys().map(|event| FactKey::Request(*event)));
        let keys = keys.chain(self.exits.keys().map(|event| FactKey::Exit(*event)));
        let keys = keys.chain(self.quarantine.keys().map(|position| FactKey::Quarantine(*position)));
        keys.filter_map(|key| self.entry(&key)).collect()
    }
}
