//! What follows from facts. Everything here looks at what holds now and brings this node in line with it, so it may be done
//! twice, and a node that dies in between does it again.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cluster_core::ceremony::CeremonyId;
use cluster_core::chain::{EventId, FactKey, PubkeyBytes, ValidatorFact};
use cluster_core::committee::OperatorId;
use cluster_core::dkg::StoredShares;
use cluster_core::network::Network;
use cluster_core::registry::Registry;
use cluster_core::request::{RequestError, SignedRequest};
use cluster_crypto::ethereum::Address;
use cluster_crypto::hash::TaggedHash;
use cluster_crypto::identity;
use cluster_crypto::polynomial::SecretVector;
use tokio_util::sync::CancellationToken;

use super::share::{self, Checked};
use super::{ChainMetrics, ChainView};
use crate::driver::{AdmissionError, Ceremonies, Lateness};
use crate::exits::ExitDesk;
use crate::network::Client;
use crate::service_client::now_ms;
use crate::store::{fee_recipient, Source, Store, StoreError, ValidatorEntry, DEFAULT_GAS_LIMIT};

/// Pause before what could not be done is tried again.
const AGAIN: Duration = Duration::from_secs(30);

/// Blocks after which everybody has read an event, two epochs of them: an operator of the old committee that has not signs with its old
/// share, and no quorum of the new one may sign something else meanwhile.
const TAKE_OVER_BLOCKS: u64 = 64;

/// What an operator acts with.
#[derive(Clone)]
pub(crate) struct OperatorParts {
    pub(crate) me: OperatorId,
    pub(crate) identity: identity::SecretKey,
    pub(crate) network: Network,
    pub(crate) registry: Arc<dyn Registry>,
    pub(crate) ceremonies: Ceremonies,
    pub(crate) store: Arc<Store>,
    pub(crate) exits: ExitDesk,
    pub(crate) client: Client,
    pub(crate) metrics: ChainMetrics,
    pub(crate) warn_blocks: u64,
    /// Registrations that are not acted on, and why.
    pub(crate) refused: Arc<Mutex<HashMap<PubkeyBytes, String>>>,
    /// Validators of other operators that this one takes over soon.
    pub(crate) joining: Arc<Mutex<HashSet<PubkeyBytes>>>,
}

/// Whether something has been done with a fact, or has to be tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Done {
    Yes,
    Later,
}

/// Acts on facts until the node stops.
pub(crate) async fn act_as_operator(parts: OperatorParts, view: ChainView, stop: CancellationToken) {
    let mut subscriptions = Subscriptions::default();
    let watched = (parts.client.clone(), Arc::clone(&parts.store), view.clone());
    let (client, store, facts) = watched;
    let work = |marks: Vec<(FactKey, u64)>, settled: bool| {
        let (parts, view) = (parts.clone(), view.clone());
        tokio::task::spawn_blocking(move || {
            let act = |mark: &(FactKey, u64)| parts.act(&view, &mark.0, settled) == Done::Yes;
            marks.into_iter().filter(act).collect::<Vec<_>>()
        })
    };
    let after = |settled: bool| {
        if settled {
            subscriptions.look(&parts, &facts);
        }
    };
    run(&client, &store, &view, &stop, work, after).await;
}

/// A gateway follows the ceremonies of requests that name it. `submit` says whether a request was dealt with.
pub(crate) async fn act_as_gateway(
    client: Client,
    store: Arc<Store>,
    view: ChainView,
    own: identity::PublicKey,
    submit: impl Fn(&SignedRequest) -> bool + Clone + Send + Sync + 'static,
    stop: CancellationToken,
) {
    let work = |marks: Vec<(FactKey, u64)>, _settled: bool| {
        let (view, submit) = (view.clone(), submit.clone());
        tokio::task::spawn_blocking(move || {
            let act = |mark: &(FactKey, u64)| match mark.0 {
                FactKey::Request(event) => match view.with(|facts| facts.request(&event).cloned()) {
                    Some(found) if found.request.cluster_pubkey == own => {
                        submit(&SignedRequest::by_event(found.request, event))
                    }
                    _ => true,
                },
                _ => true,
            };
            marks.into_iter().filter(act).collect::<Vec<_>>()
        })
    };
    run(&client, &store, &view, &stop, work, |_| {}).await;
}

type Work = tokio::task::JoinHandle<Vec<(FactKey, u64)>>;

async fn run(
    client: &Client,
    store: &Arc<Store>,
    view: &ChainView,
    stop: &CancellationToken,
    work: impl Fn(Vec<(FactKey, u64)>, bool) -> Work,
    mut after: impl FnMut(bool),
) {
    let mut status = view.status();
    loop {
        let settled = status.borrow_and_update().caught_up;
        let mut marks = view.marks();
        let all = marks.len();
        // What people wait for first; an exit is of validators whose registration may be waiting here as well.
        marks.sort_by_key(|(key, _)| match key {
            FactKey::Request(_) => 0,
            FactKey::Exit(_) => 2,
            _ => 1,
        });
        let members = |key: &FactKey| matches!(key, FactKey::Operator(_) | FactKey::ClusterNode(_));
        if marks.iter().any(|(key, _)| members(key)) {
            client.registry_changed().await;
        }
        let Ok(done) = work(marks, settled).await else { return };
        let finished = done.len();
        if let Err(error) = view.clear_marks(store, done).await {
            if !matches!(error, StoreError::Closed) {
                tracing::error!(%error, "what followed from the contracts cannot be noted: {error}");
            }
            return;
        }
        after(settled);
        tokio::select! {
            () = stop.cancelled() => return,
            changed = status.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(AGAIN), if all > finished => {}
        }
    }
}

impl OperatorParts {
    /// Blocks: checks keys, opens shares, writes to the disk. `settled`: everything confirmed has been read, so that a fact which
    /// is gone is gone, and is not merely about to come back in another block.
    fn act(&self, view: &ChainView, key: &FactKey, settled: bool) -> Done {
        let acted = match key {
            FactKey::Request(event) => Ok(self.request(view, event)),
            FactKey::Validator(_) | FactKey::Exit(_) | FactKey::FeeRecipient(_) if !settled => Ok(Done::Later),
            FactKey::Validator(pubkey) => self.validator(view, pubkey),
            FactKey::FeeRecipient(owner) => self.fee_recipients(view, owner),
            FactKey::ValidatorFeeRecipient(_, pubkey) => self.update_recipient(view, pubkey).map(|()| Done::Yes),
            FactKey::Exit(event) => self.exit(view, event),
            FactKey::Operator(_) | FactKey::ClusterNode(_) | FactKey::Quarantine(_) => Ok(Done::Yes),
        };
        acted.unwrap_or_else(|error| {
            if !matches!(error, StoreError::Closed) {
                tracing::error!(%error, "what the contracts say cannot be carried out: {error}");
            }
            Done::Later
        })
    }

    fn request(&self, view: &ChainView, event: &EventId) -> Done {
        let ceremony_id = CeremonyId::of_event(event);
        let Some(found) = view.with(|facts| facts.request(event).cloned()) else {
            tracing::warn!(%ceremony_id, %event, "the request of ceremony {} is not in the chain any more; what it makes counts for nothing unless the request comes back", ceremony_id.short());
            return Done::Yes;
        };
        if !found.request.operator_ids.contains(&self.me) {
            return Done::Yes;
        }
        match self.ceremonies.admit(&SignedRequest::by_event(found.request, *event), Lateness::Refused) {
            Ok(_) => Done::Yes,
            Err(error) if error.is_transient() => Done::Later,
            Err(AdmissionError::Request(RequestError::Expired { .. })) => Done::Yes,
            Err(error) => {
                tracing::warn!(%ceremony_id, %event, %error, "the request of event {event} starts no ceremony: {error}");
                Done::Yes
            }
        }
    }

    fn validator(&self, view: &ChainView, pubkey: &PubkeyBytes) -> Result<Done, StoreError> {
        let fact = view.with(|facts| facts.validator(pubkey).cloned());
        match fact {
            Some(fact) if fact.is_registered() && fact.operator_ids.contains(&self.me) => {
                self.register(view, pubkey, &fact)
            }
            fact => {
                self.accept(pubkey);
                self.withdraw(pubkey, fact.as_ref()).map(|()| Done::Yes)
            }
        }
    }

    /// Begins duties, once the share and the keys are known to be right.
    fn register(&self, view: &ChainView, pubkey: &PubkeyBytes, fact: &ValidatorFact) -> Result<Done, StoreError> {
        let held = self.store.validator(&pubkey.0)?;
        let made_for = held.as_ref().and_then(|held| held.owner);
        if let Some(owner) = made_for.filter(|owner| *owner != fact.owner) {
            let found = fact.owner;
            return Ok(self.refuse(pubkey, format!("it was made for {owner}, and {found} has registered it")));
        }
        if !held.as_ref().is_some_and(|held| held.active) && self.must_wait(view, pubkey, fact)? {
            return Ok(Done::Later);
        }
        let ceremonies = self.ceremonies_of(view, held.as_ref(), fact)?;
        match share::check(self.me, &self.identity, self.registry.as_ref(), pubkey, fact, &ceremonies) {
            Ok(checked) => {
                self.accept(pubkey);
                self.begin(view, held, fact, checked).map(|()| Done::Yes)
            }
            // Its ceremony may still be completing here, and a removed operator may come back: tried again.
            Err(error) => Ok(self.refuse(pubkey, error.to_string())),
        }
    }

    /// Ids under which the share may be sealed: of the ceremony that is known to have made it, and of the owner's reshares and
    /// requests to this committee.
    fn ceremonies_of(
        &self,
        view: &ChainView,
        held: Option<&ValidatorEntry>,
        fact: &ValidatorFact,
    ) -> Result<Vec<CeremonyId>, StoreError> {
        let known = held.and_then(|held| match held.source {
            Source::Ceremony(id) => Some(id),
            Source::Split(_) | Source::Registered(_) => None,
        });
        let requested = view.with(|facts| {
            let fits = facts.requests().filter(|(_, found)| {
                found.request.owner == fact.owner && found.request.operator_ids == fact.operator_ids
            });
            fits.map(|(event, _)| CeremonyId::of_event(event)).collect::<Vec<_>>()
        });
        let reshares = self.reshares_of(fact)?.into_iter().map(|(id, _)| id);
        Ok(known.into_iter().chain(reshares).chain(requested).collect())
    }

    /// DKG 11.9: whether the old committee of a validator that this operator takes over may not have heard of it yet. Those who stay
    /// have the history of what they signed and go on at once; one that joins has none.
    fn must_wait(&self, view: &ChainView, pubkey: &PubkeyBytes, fact: &ValidatorFact) -> Result<bool, StoreError> {
        let from = fact.registered_at.block_number.saturating_add(TAKE_OVER_BLOCKS);
        let reached = view.status().borrow().tip.is_some_and(|tip| tip.number >= from);
        if reached || self.reshares_of(fact)?.is_empty() {
            self.joining.lock().unwrap_or_else(PoisonError::into_inner).remove(pubkey);
            return Ok(false);
        }
        if self.joining.lock().unwrap_or_else(PoisonError::into_inner).insert(*pubkey) {
            tracing::info!(%pubkey, from, "validator {pubkey} was given to this operator: its duties are performed here from block {from} on, when every other operator has heard of it");
        }
        Ok(true)
    }

    /// The reshares of this operator that the owner asked of exactly this committee, with where withdrawals go.
    fn reshares_of(&self, fact: &ValidatorFact) -> Result<Vec<(CeremonyId, Address)>, StoreError> {
        let mut found = Vec::new();
        for item in self.store.ceremonies() {
            let (ceremony_id, entry) = item?;
            let request = entry.request.request;
            if request.reshare.is_some() && request.owner == fact.owner && request.operator_ids == fact.operator_ids {
                found.push((ceremony_id, request.withdrawal_address));
            }
        }
        Ok(found)
    }

    fn begin(
        &self,
        view: &ChainView,
        held: Option<ValidatorEntry>,
        fact: &ValidatorFact,
        checked: Checked,
    ) -> Result<(), StoreError> {
        let known_withdrawal = held.as_ref().and_then(|held| held.withdrawal_address);
        let same = held.filter(|held| {
            held.committee == checked.committee.members() && held.share_pubkeys == checked.share_pubkeys
        });
        let pubkey = checked.pubkey;
        let mut entry = match same {
            Some(held) => held,
            // Where withdrawals go is part of the key's deposit, and no other committee changes it.
            None => self.take_share(view, fact, checked, known_withdrawal)?,
        };
        let before = entry.clone();
        entry.owner = Some(fact.owner);
        entry.active = true;
        entry.fee_recipient = self.recipient(view, &entry, fact.owner);
        if before != entry || self.store.validator(&pubkey.to_bytes())?.as_ref() != Some(&entry) {
            self.store.put_validator(&entry)?;
            self.store.flush()?;
            tracing::info!(%pubkey, owner = %fact.owner, "validator {pubkey} is registered: its duties are performed when the beacon chain knows it");
        }
        Ok(())
    }

    /// Keeps a share that no ceremony of this database made: after a loss of the database, or in a new committee.
    fn take_share(
        &self,
        view: &ChainView,
        fact: &ValidatorFact,
        checked: Checked,
        known_withdrawal: Option<Address>,
    ) -> Result<ValidatorEntry, StoreError> {
        let id = TaggedHash::new("cluster-node/registered-share/1")
            .bytes(&fact.registered_by.to_bytes())
            .bytes(&checked.pubkey.to_bytes())
            .finish();
        let requested = view.with(|facts| {
            let of = facts.requests().find(|(event, _)| CeremonyId::of_event(event) == checked.ceremony_id);
            of.map(|(_, found)| found.request.withdrawal_address)
        });
        let reshared = self.reshares_of(fact)?.into_iter().find(|(id, _)| *id == checked.ceremony_id).map(|(_, to)| to);
        let shares = StoredShares {
            ceremony_id: CeremonyId(id),
            operator_id: self.me,
            share_index: checked.share_index,
            validators: vec![checked.pubkey],
            share_pubkeys: vec![checked.share.public_key()],
            shares: SecretVector::from_secret_keys(std::slice::from_ref(&checked.share)),
            qualified: Vec::new(),
        };
        self.store.import_shares(&shares, &[])?;
        Ok(ValidatorEntry {
            pubkey: checked.pubkey,
            source: Source::Registered(id),
            position: 0,
            owner: Some(fact.owner),
            committee: checked.committee.members().to_vec(),
            share_index: checked.share_index,
            share_pubkeys: checked.share_pubkeys,
            withdrawal_address: known_withdrawal.or(requested).or(reshared),
            fee_recipient: fact.owner,
            gas_limit: DEFAULT_GAS_LIMIT,
            active: true,
        })
    }

    /// Said once for each reason, counted as long as it lasts.
    fn refuse(&self, pubkey: &PubkeyBytes, reason: String) -> Done {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.get(pubkey) != Some(&reason) {
            tracing::error!(%pubkey, reason, "the registration of validator {pubkey} is not acted on: {reason}");
            refused.insert(*pubkey, reason);
        }
        self.metrics.registrations_bad.set(i64::try_from(refused.len()).unwrap_or(i64::MAX));
        Done::Later
    }

    fn accept(&self, pubkey: &PubkeyBytes) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.remove(pubkey);
        self.metrics.registrations_bad.set(i64::try_from(refused.len()).unwrap_or(i64::MAX));
    }

    /// Ends duties of a validator that its owner took away, or gave to others, or whose registration is not in the chain any
    /// more. The share and the slashing history stay.
    fn withdraw(&self, pubkey: &PubkeyBytes, fact: Option<&ValidatorFact>) -> Result<(), StoreError> {
        let Some(mut entry) = self.store.validator(&pubkey.0)?.filter(|entry| entry.active) else { return Ok(()) };
        let by_owner = match fact {
            // Strangers may register and remove what is not registered: nobody's duties end by that.
            Some(fact) => entry.owner == Some(fact.owner),
            None => !matches!(entry.source, Source::Split(_)),
        };
        if by_owner {
            entry.active = false;
            self.store.put_validator(&entry)?;
            self.store.flush()?;
            tracing::warn!(%pubkey, "validator {pubkey} is not registered with this operator any more: its duties are not performed here");
        }
        Ok(())
    }

    /// Lido's rewards vault for what withdraws to Lido's vault, whatever the owner chose; else the owner's choice.
    fn recipient(&self, view: &ChainView, entry: &ValidatorEntry, owner: Address) -> Address {
        let chosen = view.with(|facts| facts.fee_recipient(&PubkeyBytes::from(&entry.pubkey)));
        let chosen = chosen.filter(|address| !address.is_zero()).unwrap_or(owner);
        match entry.withdrawal_address {
            Some(withdrawal) => fee_recipient(Some(self.network), withdrawal, chosen),
            None => chosen,
        }
    }

    fn fee_recipients(&self, view: &ChainView, owner: &Address) -> Result<Done, StoreError> {
        for entry in self.store.validators()? {
            if entry.owner == Some(*owner) {
                self.update_recipient(view, &PubkeyBytes::from(&entry.pubkey))?;
            }
        }
        Ok(Done::Yes)
    }

    fn update_recipient(&self, view: &ChainView, pubkey: &PubkeyBytes) -> Result<(), StoreError> {
        let registered = view.with(|facts| facts.validator(pubkey).filter(|fact| fact.is_registered()).cloned());
        let (Some(mut entry), Some(fact)) = (self.store.validator(&pubkey.0)?, registered) else { return Ok(()) };
        if entry.owner != Some(fact.owner) {
            return Ok(());
        }
        let recipient = self.recipient(view, &entry, fact.owner);
        if recipient != entry.fee_recipient {
            entry.fee_recipient = recipient;
            self.store.put_validator(&entry)?;
            self.store.flush()?;
            tracing::info!(%pubkey, %recipient, "fees of validator {pubkey} go to {recipient}");
        }
        Ok(())
    }

    /// Whether the contracts give this operator a validator of this owner.
    fn is_mine(&self, view: &ChainView, pubkey: &PubkeyBytes, owner: Address) -> bool {
        view.with(|facts| {
            let fact = facts.validator(pubkey);
            fact.is_some_and(|fact| fact.is_registered() && fact.owner == owner && fact.operator_ids.contains(&self.me))
        })
    }

    fn exit(&self, view: &ChainView, event: &EventId) -> Result<Done, StoreError> {
        let Some(exit) = view.with(|facts| facts.exit(event).cloned()) else {
            self.exits.forget_event(event)?;
            return Ok(Done::Yes);
        };
        let (mut own, mut done) = (Vec::new(), Done::Yes);
        for pubkey in &exit.pubkeys {
            match self.store.validator(&pubkey.0)?.filter(|entry| entry.owner == Some(exit.owner)) {
                Some(entry) => own.push(entry.pubkey),
                // Its registration could not be acted on yet; its order to leave is not lost by that.
                None if self.is_mine(view, pubkey, exit.owner) => done = Done::Later,
                None => {}
            }
        }
        if own.is_empty() {
            return Ok(done);
        }
        match self.exits.take_event(event, exit.owner, own, now_ms() / 1_000) {
            Ok(()) => Ok(done),
            Err(error) => {
                tracing::warn!(%event, %error, "the order to exit of event {event} is not taken in yet: {error}");
                Ok(Done::Later)
            }
        }
    }
}

/// How far ahead the ends of subscriptions are, and who was warned of.
#[derive(Debug, Default)]
struct Subscriptions {
    warned: HashMap<PubkeyBytes, bool>,
}

impl Subscriptions {
    /// Warns of subscriptions that end soon, and again when they have ended. Duties go on: a validator that is active on the
    /// beacon chain loses by every duty that nobody performs.
    fn look(&mut self, parts: &OperatorParts, view: &ChainView) {
        let Some(tip) = view.status().borrow().tip.map(|tip| tip.number) else { return };
        let own: Vec<(PubkeyBytes, Address, u64)> = view.with(|facts| {
            let own =
                facts.validators().filter(|(_, fact)| fact.is_registered() && fact.operator_ids.contains(&parts.me));
            own.map(|(pubkey, fact)| (*pubkey, fact.owner, fact.paid_until_block)).collect()
        });
        let mut ending = 0;
        for (pubkey, owner, until) in &own {
            if *until > tip.saturating_add(parts.warn_blocks) {
                self.warned.remove(pubkey);
                continue;
            }
            ending += 1;
            let ended = *until <= tip;
            if self.warned.insert(*pubkey, ended) == Some(ended) {
                continue;
            }
            if ended {
                tracing::error!(%pubkey, %owner, until, "the subscription of validator {pubkey} ended in block {until}; its duties go on, and its owner {owner} should top it up or let it exit");
            } else {
                tracing::warn!(%pubkey, %owner, until, "the subscription of validator {pubkey} ends in block {until}; its owner {owner} should top it up");
            }
        }
        let first = own.iter().map(|(_, _, until)| i128::from(*until) - i128::from(tip)).min();
        let left = first.and_then(|left| i64::try_from(left).ok()).unwrap_or(i64::MAX);
        parts.metrics.subscription_blocks_left.set(left);
        parts.metrics.subscriptions_ending.set(ending);
        parts.metrics.validators.set(i64::try_from(own.len()).unwrap_or(i64::MAX));
    }
}
