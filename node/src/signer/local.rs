//! The signer itself: with the store of the process that it runs in, be it an operator or `cluster-node signer`.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use cluster_core::beacon::{AttestationData, ChainSpec, Epoch, Slot, ValidatorRegistration};
use cluster_core::exit::{ExitError, ExitEvents, SignedExitRequest};
use cluster_core::machine::Time;
use cluster_crypto::bls;
use cluster_crypto::threshold::Partial;

use super::clearance::{Cleared, Harmless};
use super::keyring::{Key, Keyring};
use super::request::{Pubkey, Refusal, RefusalKind, Request, SignerError, MAX_ITEMS};
use super::Signer;
use crate::store::{ChainPin, SlashingDb, Store, StoreError};

/// The time, for messages about the future and for deadlines of exit requests: the system's, or a simulation's.
pub type Now = Arc<dyn Fn() -> Time + Send + Sync>;

/// Slots that a duty may lie ahead of this machine's clock. A message of a far future, once recorded, would forbid
/// everything before it for ever.
const SLOTS_AHEAD: u64 = 2;
/// Epochs that RANDAO reveals and selection proofs may be made ahead.
const EPOCHS_AHEAD: u64 = 2;
/// The same for selection proofs of sync committees, which are drawn for long periods.
const SYNC_EPOCHS_AHEAD: u64 = 2;

/// Signs with the shares in this process's store.
#[derive(Clone)]
pub struct LocalSigner {
    inner: Arc<Inner>,
}

struct Inner {
    store: Arc<Store>,
    slashing: SlashingDb,
    now: Now,
    state: Mutex<State>,
}

struct State {
    keyring: Arc<Keyring>,
    /// The store's count of changes that the keyring is up to date with.
    loaded: u64,
    changes: tokio::sync::watch::Receiver<u64>,
    pin: Option<ChainPin>,
    /// The network that was compared with the pin last.
    spec: Option<Arc<ChainSpec>>,
}

impl std::fmt::Debug for LocalSigner {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("LocalSigner")
    }
}

impl From<StoreError> for SignerError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Closed => Self::Stopping,
            StoreError::OtherChain { .. } => Self::OtherChain { reason: error.to_string() },
            error => Self::Store { reason: error.to_string() },
        }
    }
}

impl LocalSigner {
    /// Opens the shares of all validators in the store. Blocks: about 0.2 milliseconds for each.
    pub fn open(store: Arc<Store>, now: Now) -> Result<Self, StoreError> {
        let changes = store.validators_changed();
        let loaded = *changes.borrow();
        let keyring = Arc::new(Keyring::load(&store, &Keyring::default())?);
        let pin = store.chain_pin()?;
        let state = Mutex::new(State { keyring, loaded, changes, pin, spec: None });
        let slashing = store.slashing().clone();
        Ok(Self { inner: Arc::new(Inner { store, slashing, now, state }) })
    }

    /// How many validators it signs for.
    #[must_use]
    pub fn validators(&self) -> usize {
        self.inner.state().keyring.len()
    }

    /// Signs in this thread. Blocks on the disk and computes.
    pub fn sign_blocking(
        &self,
        spec: &Arc<ChainSpec>,
        request: &Request,
    ) -> Result<Vec<Result<Partial, Refusal>>, SignerError> {
        let items = request.len();
        if items > MAX_ITEMS {
            return Err(SignerError::TooMany { items });
        }
        self.inner.check_chain(spec)?;
        if let Some(epoch) = request.last_epoch(spec) {
            spec.fork_at(epoch)?;
        }
        let keyring = self.inner.keyring()?;
        let session = Session {
            spec,
            keyring: &keyring,
            slashing: &self.inner.slashing,
            events: self.inner.store.as_ref(),
            now: (self.inner.now)(),
        };
        let answers = session.clear(request)?;
        let (mut cleared, mut order) = (Vec::with_capacity(answers.len()), Vec::with_capacity(answers.len()));
        for answer in answers {
            order.push(answer.map(|item| cleared.push(item)));
        }
        let mut partials = Keyring::sign(&cleared).into_iter();
        let fill = |answer: Result<(), Refusal>| match answer {
            Ok(()) => partials.next().ok_or_else(|| Refusal::new(RefusalKind::Malformed, "the share did not sign")),
            Err(refusal) => Err(refusal),
        };
        Ok(order.into_iter().map(fill).collect())
    }
}

#[async_trait]
impl Signer for LocalSigner {
    async fn sign(
        &self,
        spec: &Arc<ChainSpec>,
        request: Request,
    ) -> Result<Vec<Result<Partial, Refusal>>, SignerError> {
        let (signer, spec) = (self.clone(), Arc::clone(spec));
        let signed = tokio::task::spawn_blocking(move || signer.sign_blocking(&spec, &request)).await;
        // The pool refuses work only while the runtime shuts down; a panic inside was reported by its hook.
        signed.unwrap_or(Err(SignerError::Stopping))
    }
}

impl Inner {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The keyring, after the table of validators as it is now.
    fn keyring(&self) -> Result<Arc<Keyring>, SignerError> {
        let mut state = self.state();
        let changes = *state.changes.borrow();
        if changes != state.loaded {
            state.keyring = Arc::new(Keyring::load(&self.store, &state.keyring)?);
            state.loaded = changes;
        }
        Ok(Arc::clone(&state.keyring))
    }

    /// The first network that is asked for stays the only one, for good.
    fn check_chain(&self, spec: &Arc<ChainSpec>) -> Result<(), SignerError> {
        let mut state = self.state();
        if state.spec.as_ref().is_some_and(|known| Arc::ptr_eq(known, spec) || known == spec) {
            return Ok(());
        }
        let asked = ChainPin::of(spec);
        if let Some(pin) = &state.pin {
            pin.check(&asked).map_err(|reason| SignerError::OtherChain { reason })?;
        }
        if state.pin.as_ref() != Some(&asked) {
            // The slashing history first: it refuses a chain that another process has signed for with this store.
            self.slashing.pin_chain(spec.genesis_validators_root)?;
            self.store.set_chain_pin(&asked)?;
            state.pin = Some(asked);
        }
        state.spec = Some(Arc::clone(spec));
        Ok(())
    }
}

/// What one request is judged with.
struct Session<'a> {
    spec: &'a ChainSpec,
    keyring: &'a Keyring,
    slashing: &'a SlashingDb,
    /// Owners' exit events, as this process's own database has them: the signer of another process knows none.
    events: &'a dyn ExitEvents,
    now: Time,
}

type Answers = Vec<Result<Cleared, Refusal>>;

impl Session<'_> {
    fn clear(&self, request: &Request) -> Result<Answers, SignerError> {
        Ok(match request {
            Request::Attestations { validators, data } => self.attestations(validators, data)?,
            Request::Block { validator, header } => {
                let cleared = match self.soon(header.slot).and_then(|()| self.key(validator)) {
                    Ok(key) => Cleared::block(self.slashing, self.spec, key, header)?,
                    Err(refusal) => Err(refusal),
                };
                vec![cleared]
            }
            Request::Randao { validators, epoch } => {
                self.each(validators, |key| (key, self.ahead(*epoch, EPOCHS_AHEAD), Harmless::Randao(*epoch)))
            }
            Request::Selections { items } => self.each(items, |(key, slot)| {
                (key, self.ahead(self.spec.epoch_of(*slot), EPOCHS_AHEAD), Harmless::Selection(*slot))
            }),
            Request::SyncMessages { validators, slot, block_root } => {
                self.each(validators, |key| (key, self.soon(*slot), Harmless::SyncMessage(*slot, *block_root)))
            }
            Request::SyncSelections { items } => self.each(items, |(key, slot, subcommittee)| {
                let ahead = self.ahead(self.spec.epoch_of(*slot), SYNC_EPOCHS_AHEAD);
                (key, ahead, Harmless::SyncSelection(*slot, *subcommittee))
            }),
            Request::AggregateAndProofs { items } => self.each(items, |(key, message)| {
                let whole = message.aggregate.check(self.spec.preset).map_err(malformed);
                let checked = self.soon(message.aggregate.data.slot).and(whole);
                (key, checked, Harmless::AggregateAndProof(message))
            }),
            Request::ContributionAndProofs { items } => self.each(items, |(key, message)| {
                let whole = message.contribution.check(self.spec.preset).map_err(malformed);
                (key, self.soon(message.contribution.slot).and(whole), Harmless::ContributionAndProof(message))
            }),
            Request::Registrations { items } => self.each(items, |registration| {
                (&registration.pubkey, self.recipient(registration), Harmless::Registration(registration))
            }),
            Request::Exit { validator, exit, request } => {
                let allowed = self.owner_agrees(validator, request);
                self.each(std::slice::from_ref(validator), |key| (key, allowed.clone(), Harmless::Exit(exit)))
            }
        })
    }

    fn attestations(&self, validators: &[Pubkey], data: &AttestationData) -> Result<Answers, SignerError> {
        let timely = self.soon(data.slot).and_then(|()| self.fits(data));
        let (mut keys, mut order) = (Vec::with_capacity(validators.len()), Vec::with_capacity(validators.len()));
        for validator in validators {
            order.push(timely.clone().and_then(|()| self.key(validator)).map(|key| keys.push(key)));
        }
        let mut answers = Cleared::attestations(self.slashing, self.spec, keys, data)?.into_iter();
        let fill = |answer: Result<(), Refusal>| match answer {
            Ok(()) => answers.next().unwrap_or_else(|| Err(malformed("slashing protection gave no answer"))),
            Err(refusal) => Err(refusal),
        };
        Ok(order.into_iter().map(fill).collect())
    }

    /// Clears messages that cannot be slashed, each with its own check.
    fn each<'m, T>(
        &self,
        items: &'m [T],
        read: impl Fn(&'m T) -> (&'m Pubkey, Result<(), Refusal>, Harmless<'m>),
    ) -> Answers {
        let clear = |item: &'m T| {
            let (validator, checked, message) = read(item);
            // The validator first: what is wrong with a message for a stranger is of no interest.
            let key = self.key(validator)?;
            checked?;
            Ok(Cleared::harmless(self.spec, key, &message))
        };
        items.iter().map(clear).collect()
    }

    fn key(&self, validator: &Pubkey) -> Result<Arc<Key>, Refusal> {
        let name = || format!("0x{}", hex::encode(validator));
        match self.keyring.get(validator) {
            None => {
                let words = format!("the signer holds no share of validator {}", name());
                Err(Refusal::new(RefusalKind::UnknownValidator, words))
            }
            Some(key) if !key.active => {
                Err(Refusal::new(RefusalKind::Inactive, format!("validator {} is switched off", name())))
            }
            Some(key) => Ok(Arc::clone(key)),
        }
    }

    fn current_slot(&self) -> Slot {
        self.spec.slot_at(self.now).unwrap_or_default()
    }

    /// A duty of now.
    fn soon(&self, slot: Slot) -> Result<(), Refusal> {
        let now = self.current_slot();
        if slot.0 > now.0.saturating_add(SLOTS_AHEAD) {
            let words = format!("slot {slot} is too far ahead, this machine's clock is in slot {now}");
            return Err(Refusal::new(RefusalKind::TooFarAhead, words));
        }
        Ok(())
    }

    /// What is signed before its time.
    fn ahead(&self, epoch: Epoch, allowed: u64) -> Result<(), Refusal> {
        let now = self.spec.epoch_of(self.current_slot());
        if epoch.0 > now.0.saturating_add(allowed) {
            let words = format!("epoch {epoch} is too far ahead, this machine's clock is in epoch {now}");
            return Err(Refusal::new(RefusalKind::TooFarAhead, words));
        }
        Ok(())
    }

    /// The target is the slot's own epoch, as the chain demands: no vote reaches further than the clock was checked for.
    fn fits(&self, data: &AttestationData) -> Result<(), Refusal> {
        let epoch = self.spec.epoch_of(data.slot);
        if data.target.epoch == epoch && data.source.epoch <= epoch {
            return Ok(());
        }
        let (source, target) = (data.source.epoch, data.target.epoch);
        Err(malformed(format!("slot {} is in epoch {epoch}, the vote is from epoch {source} to {target}", data.slot)))
    }

    fn recipient(&self, registration: &ValidatorRegistration) -> Result<(), Refusal> {
        let (expected, found) = (self.key(&registration.pubkey)?.fee_recipient, registration.recipient());
        if expected == found {
            return Ok(());
        }
        let words = format!("the fee recipient is {found}, but this validator's is {expected}");
        Err(Refusal::new(RefusalKind::FeeRecipient, words))
    }

    fn owner_agrees(&self, validator: &Pubkey, order: &SignedExitRequest) -> Result<(), Refusal> {
        let refused = |error: ExitError| Refusal::new(RefusalKind::Exit, error);
        let key = self.key(validator)?;
        let checked = order.check(self.spec.chain_id, self.now.0 / 1000, self.events).map_err(refused)?;
        let pubkey: &bls::PublicKey = &key.pubkey;
        checked.allows(pubkey, key.owner).map_err(refused)
    }
}

fn malformed(words: impl std::fmt::Display) -> Refusal {
    Refusal::new(RefusalKind::Malformed, words)
}
