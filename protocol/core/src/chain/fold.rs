//! One event after another becomes facts. Whoever may not say a thing says it in vain.

use super::{
    facts::MAX_FEE_RECIPIENTS, ClusterNodeFact, DepositDataRequested, Entry, Event, EventId, ExitFact, ExitRequested,
    Facts, OperatorFact, OperatorRegistered, Position, PubkeyBytes, Refusal, ValidatorFact, ValidatorRegistered,
    MAX_CLUSTER_NODES, MAX_EXIT_EVENTS, MAX_OPERATORS, MAX_REQUESTS, MAX_VALIDATORS,
};
use crate::{committee::OperatorId, request::EventRequest};
use cluster_crypto::{ethereum::Address, identity};

/// When and where an event happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occasion {
    /// The event.
    pub event: EventId,
    /// Where it stands.
    pub position: Position,
    /// Unix seconds of its block. Only requests need it; 0 where it was not asked for.
    pub time_s: u64,
}

impl Facts {
    /// Applies an event: all of its changes, or none. The entries that take them back are appended to `undo`.
    pub fn apply(&mut self, occasion: &Occasion, event: &Event, undo: &mut Vec<Entry>) -> Result<(), Refusal> {
        let changes = match event {
            Event::OperatorRegistered(registered) => self.operator_registered(occasion, registered)?,
            Event::OperatorRemoved { id, owner } => self.operator_removed(*id, *owner)?,
            Event::OperatorVerified { owner, from_dao, verified } => {
                self.operator_verified(*owner, *from_dao, *verified)
            }
            Event::ClusterNodeRegistered { owner, cluster_pubkey } => {
                self.cluster_node_registered(occasion, *owner, cluster_pubkey)?
            }
            Event::ClusterNodeSwitched { cluster_pubkey, active } => {
                let node = self.cluster_node(cluster_pubkey).ok_or(Refusal::UnknownClusterNode)?;
                vec![Entry::ClusterNode(*cluster_pubkey, Some(ClusterNodeFact { active: *active, ..node.clone() }))]
            }
            Event::DepositDataRequested(requested) => self.deposit_data_requested(occasion, requested)?,
            Event::ExitRequested(requested) => self.exit_requested(occasion, requested)?,
            Event::ValidatorRegistered(registered) => self.validator_registered(occasion, registered)?,
            Event::ValidatorRemoved { owner, pubkey } => self.validator_removed(occasion, *owner, pubkey)?,
            Event::ValidatorPaid { pubkey, until_block } => self.validator_paid(pubkey, *until_block),
            Event::FeeRecipientChanged { owner, recipient } => self.fee_recipient_changed(*owner, *recipient)?,
            Event::ValidatorFeeRecipientChanged { owner, pubkey, recipient } => {
                self.room_for_recipient(owner)?;
                let recipient = Some(*recipient).filter(|address| !address.is_zero());
                vec![Entry::ValidatorFeeRecipient(*owner, *pubkey, recipient)]
            }
        };
        undo.extend(changes.into_iter().map(|change| self.set(change)));
        Ok(())
    }

    fn operator_registered(&self, occasion: &Occasion, registered: &OperatorRegistered) -> Result<Vec<Entry>, Refusal> {
        let id = registered.id;
        if self.operator(id).is_some() {
            return Err(Refusal::OperatorExists { id });
        }
        if let Some(id) = self.operator_of_key(&registered.public_key) {
            return Err(Refusal::OperatorKeyUsed { id });
        }
        room("operators", self.operators().len(), MAX_OPERATORS)?;
        let operator = OperatorFact {
            name: registered.name.clone(),
            public_key: registered.public_key,
            owner: registered.owner,
            verified: false,
            from_dao: false,
            active: true,
            registered_by: occasion.event,
            registered_block: occasion.position.block_number,
        };
        Ok(vec![Entry::Operator(id, Some(Box::new(operator)))])
    }

    fn operator_removed(&self, id: OperatorId, owner: Address) -> Result<Vec<Entry>, Refusal> {
        let operator = self.active(id)?;
        if operator.owner != owner {
            let what = format!("operator {id}");
            return Err(Refusal::NotTheOwner { what, owner: operator.owner, found: owner });
        }
        Ok(vec![Entry::Operator(id, Some(Box::new(OperatorFact { active: false, ..operator.clone() })))])
    }

    fn operator_verified(&self, owner: Address, from_dao: bool, verified: bool) -> Vec<Entry> {
        let of_owner = self.operators().filter(|(_, operator)| operator.owner == owner);
        let marked = |operator: &OperatorFact| Box::new(OperatorFact { from_dao, verified, ..operator.clone() });
        of_owner.map(|(id, operator)| Entry::Operator(id, Some(marked(operator)))).collect()
    }

    fn cluster_node_registered(
        &self,
        occasion: &Occasion,
        owner: Address,
        key: &identity::PublicKey,
    ) -> Result<Vec<Entry>, Refusal> {
        if let Some(existing) = self.cluster_node(key) {
            return Err(Refusal::ClusterNodeExists { owner: existing.owner });
        }
        room("cluster nodes", self.cluster_nodes().len(), MAX_CLUSTER_NODES)?;
        let registered_by = occasion.event;
        Ok(vec![Entry::ClusterNode(*key, Some(ClusterNodeFact { owner, active: true, registered_by }))])
    }

    fn deposit_data_requested(
        &self,
        occasion: &Occasion,
        requested: &DepositDataRequested,
    ) -> Result<Vec<Entry>, Refusal> {
        self.all_active(&requested.operator_ids)?;
        self.cluster_node(&requested.cluster_pubkey).ok_or(Refusal::UnknownClusterNode)?;
        room("requests", self.requests().len(), MAX_REQUESTS)?;
        let request = requested.request(&occasion.event, occasion.time_s);
        let block_number = occasion.position.block_number;
        Ok(vec![Entry::Request(occasion.event, Some(Box::new(EventRequest { request, block_number })))])
    }

    fn exit_requested(&self, occasion: &Occasion, requested: &ExitRequested) -> Result<Vec<Entry>, Refusal> {
        for pubkey in &requested.pubkeys {
            self.owned(pubkey, &requested.owner)?;
        }
        room("exit events", self.exits().len(), MAX_EXIT_EVENTS)?;
        let exit = ExitFact {
            owner: requested.owner,
            pubkeys: requested.pubkeys.clone(),
            epoch: requested.epoch,
            position: occasion.position,
        };
        Ok(vec![Entry::Exit(occasion.event, Some(Box::new(exit)))])
    }

    /// A validator that is registered already gets another committee: a replacement, whether its removal was said or not.
    fn validator_registered(
        &self,
        occasion: &Occasion,
        registered: &ValidatorRegistered,
    ) -> Result<Vec<Entry>, Refusal> {
        match self.validator(&registered.pubkey) {
            Some(existing) if existing.is_registered() => {
                self.owned(&registered.pubkey, &registered.owner)?;
            }
            Some(_) => {}
            None => room("validators", self.validators().len(), MAX_VALIDATORS)?,
        }
        self.all_active(&registered.operator_ids)?;
        let validator = ValidatorFact {
            owner: registered.owner,
            operator_ids: registered.operator_ids.clone(),
            share_pubkeys: registered.share_pubkeys.clone(),
            envelopes: registered.envelopes.clone(),
            paid_until_block: registered.paid_until_block,
            registered_by: occasion.event,
            registered_at: occasion.position,
            removed_at: None,
        };
        Ok(vec![Entry::Validator(registered.pubkey, Some(Box::new(validator)))])
    }

    fn validator_removed(
        &self,
        occasion: &Occasion,
        owner: Address,
        pubkey: &PubkeyBytes,
    ) -> Result<Vec<Entry>, Refusal> {
        let mut validator = self.owned(pubkey, &owner)?.clone();
        validator.removed_at = Some(occasion.position);
        validator.envelopes = Vec::new();
        Ok(vec![Entry::Validator(*pubkey, Some(Box::new(validator)))])
    }

    /// A payment is announced before the registration that it is for, which says the same: nothing is missed when the
    /// validator is not known yet.
    fn validator_paid(&self, pubkey: &PubkeyBytes, until_block: u64) -> Vec<Entry> {
        let Some(validator) = self.validator(pubkey).filter(|validator| validator.is_registered()) else {
            return Vec::new();
        };
        let validator = ValidatorFact { paid_until_block: until_block, ..validator.clone() };
        vec![Entry::Validator(*pubkey, Some(Box::new(validator)))]
    }

    fn fee_recipient_changed(&self, owner: Address, recipient: Address) -> Result<Vec<Entry>, Refusal> {
        self.room_for_recipient(&owner)?;
        Ok(vec![Entry::FeeRecipient(owner, Some(recipient))])
    }

    /// Anyone may choose fee recipients, also before the first validator is registered. Strangers can fill the room for
    /// strangers, but not shut out who has a validator.
    fn room_for_recipient(&self, owner: &Address) -> Result<(), Refusal> {
        let room = room("fee recipients", self.fee_recipient_count(), MAX_FEE_RECIPIENTS);
        if room.is_err() && self.validators().any(|(_, validator)| validator.owner == *owner) {
            return Ok(());
        }
        room
    }

    /// A registered validator of this owner.
    fn owned(&self, pubkey: &PubkeyBytes, found: &Address) -> Result<&ValidatorFact, Refusal> {
        let known = self.validator(pubkey).filter(|validator| validator.is_registered());
        let validator = known.ok_or_else(|| Refusal::UnknownValidator { pubkey: Box::new(*pubkey) })?;
        if validator.owner != *found {
            let what = format!("validator {pubkey}");
            return Err(Refusal::NotTheOwner { what, owner: validator.owner, found: *found });
        }
        Ok(validator)
    }

    fn active(&self, id: OperatorId) -> Result<&OperatorFact, Refusal> {
        let operator = self.operator(id).ok_or(Refusal::UnknownOperator { id })?;
        if operator.active {
            Ok(operator)
        } else {
            Err(Refusal::RemovedOperator { id })
        }
    }

    fn all_active(&self, ids: &[OperatorId]) -> Result<(), Refusal> {
        ids.iter().try_for_each(|id| self.active(*id).map(|_| ()))
    }
}

fn room(what: &'static str, held: usize, limit: usize) -> Result<(), Refusal> {
    if held >= limit {
        return Err(Refusal::Full { what, limit });
    }
    Ok(())
}
