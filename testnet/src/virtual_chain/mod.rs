//! A beacon chain without time and network of its own: thousands of slots pass as fast as operators can sign.
//!
//! It checks every signature and remembers every vote, so that a slashable message is caught here if nowhere else. Duties are
//! drawn from a seed. What it leaves out: states, payloads, rewards. A real beacon node is the judge of those
//! ([`crate::lodestar`]).

mod block;
pub mod committee;
mod node;
mod state;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cluster_core::beacon::{ChainSpec, Epoch, Fork, ForkEpoch, Preset, Root, Slot};
use cluster_crypto::bls::{self, HashedMessage, PublicKey, Signature};
use cluster_crypto::ethereum::Address;
use cluster_node::beacon::{BeaconEvent, HeadEvent};
use cluster_node::duties::Clock;
use tokio::sync::broadcast;

pub use node::{NodeFaults, VirtualNode};
pub use state::{Offence, Votes};

use state::{State, Validator};

/// Events that a slow listener may fall behind.
const EVENTS: usize = 256;

/// The chain that all virtual beacon nodes share.
pub struct VirtualChain {
    spec: Arc<ChainSpec>,
    clock: Clock,
    state: Mutex<State>,
    events: broadcast::Sender<BeaconEvent>,
    /// Validators that have to pay somebody: index in the state, recipient.
    fee_recipient: Address,
    wrong_fee_recipients: Mutex<u64>,
}

/// The constants of a virtual chain: the minimal preset, Electra from genesis and Fulu from `fulu`.
#[must_use]
pub fn spec(chain_id: u64, genesis_time_s: u64, slot_ms: u64, fulu: Option<Epoch>) -> ChainSpec {
    let fork = |fork, number: u8, epoch| ForkEpoch { fork, version: [number, 0, 0, 1], epoch };
    let early = [Fork::Phase0, Fork::Altair, Fork::Bellatrix, Fork::Capella, Fork::Deneb, Fork::Electra];
    let mut forks: Vec<ForkEpoch> = (0..).zip(early).map(|(number, name)| fork(name, number, Epoch(0))).collect();
    forks.push(fork(Fork::Fulu, 6, fulu.unwrap_or(Epoch(u64::MAX))));
    ChainSpec {
        preset: Preset::Minimal,
        chain_id,
        genesis_time_s,
        genesis_validators_root: [0x77; 32],
        slot_ms,
        forks,
        unknown_fork: None,
        attestation_due_ms: slot_ms / 3,
        aggregate_due_ms: slot_ms * 2 / 3,
        sync_message_due_ms: slot_ms / 3,
        contribution_due_ms: slot_ms * 2 / 3,
        epochs_per_sync_committee_period: 8,
        target_aggregators_per_committee: 16,
        target_aggregators_per_sync_subcommittee: 16,
        shard_committee_period: 64,
    }
}

impl VirtualChain {
    /// A chain with these validators from genesis on; every block has to pay `fee_recipient`.
    #[must_use]
    pub fn new(spec: ChainSpec, clock: Clock, keys: &[PublicKey], fee_recipient: Address, seed: u64) -> Arc<Self> {
        let validators = keys.iter().map(|key| Validator { pubkey: key.to_bytes(), key: *key }).collect();
        Arc::new(Self {
            spec: Arc::new(spec),
            clock,
            state: Mutex::new(State::new(validators, seed)),
            events: broadcast::Sender::new(EVENTS),
            fee_recipient,
            wrong_fee_recipients: Mutex::new(0),
        })
    }

    /// A beacon node of the chain.
    #[must_use]
    pub fn node(self: &Arc<Self>, name: &str) -> Arc<VirtualNode> {
        Arc::new(VirtualNode::new(Arc::clone(self), name))
    }

    /// The constants.
    #[must_use]
    pub fn spec(&self) -> Arc<ChainSpec> {
        Arc::clone(&self.spec)
    }

    /// Everything slashable that was published.
    #[must_use]
    pub fn offences(&self) -> Vec<Offence> {
        self.lock().offences.clone()
    }

    /// Blocks that paid somebody else.
    #[must_use]
    pub fn wrong_fee_recipients(&self) -> u64 {
        *self.wrong_fee_recipients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was voted in an epoch.
    #[must_use]
    pub fn figures(&self, epoch: Epoch) -> Votes {
        self.lock().figures(epoch, &self.spec)
    }

    /// Has all validators wait for their activation until this epoch.
    pub fn activate_in(&self, epoch: Epoch) {
        self.lock().activation = epoch;
    }

    /// What builders were told: by public key, whom blocks are to pay and the epoch in which they heard of it first.
    #[must_use]
    pub fn registrations(&self) -> BTreeMap<[u8; 48], (Address, Epoch)> {
        let state = self.lock();
        state.registrations.iter().map(|(key, (held, epoch))| (*key, (held.recipient(), *epoch))).collect()
    }

    /// The newest final epoch.
    #[must_use]
    pub fn finalized(&self) -> Epoch {
        let now = self.epoch();
        let mut state = self.lock();
        state.advance(now, &self.spec);
        state.finalized.epoch
    }

    /// The slot of the clock; slot 0 before genesis.
    #[must_use]
    pub fn slot(&self) -> Slot {
        self.spec.slot_at(self.clock.now()).unwrap_or(Slot(0))
    }

    fn epoch(&self) -> Epoch {
        self.spec.epoch_of(self.slot())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What duties of an epoch depend on: the last block before the epoch before it.
    fn dependent_root(&self, state: &State, epoch: Epoch) -> Root {
        let start = Epoch(epoch.0.saturating_sub(1)).start(self.spec.slots_per_epoch());
        state.block_at(Slot(start.0.saturating_sub(1)))
    }

    fn add_block(&self, slot: Slot, proposer: u64, root: Root, fee_recipient: [u8; 20]) {
        let event = {
            let mut state = self.lock();
            if state.blocks.contains(&root) {
                return;
            }
            if state.by_slot.contains_key(&slot) {
                state.blame(proposer, format!("two blocks in slot {slot}"));
                return;
            }
            if fee_recipient != self.fee_recipient.0 {
                *self.wrong_fee_recipients.lock().unwrap_or_else(PoisonError::into_inner) += 1;
            }
            state.blocks.insert(root);
            state.by_slot.insert(slot, root);
            state.head = root;
            let epoch = self.spec.epoch_of(slot);
            HeadEvent {
                slot,
                block_root: root,
                previous_duty_dependent_root: self.dependent_root(&state, epoch),
                current_duty_dependent_root: self.dependent_root(&state, Epoch(epoch.0 + 1)),
                epoch_transition: epoch.start(self.spec.slots_per_epoch()) == slot,
                execution_optimistic: false,
            }
        };
        // Nobody may be listening.
        let _ = self.events.send(BeaconEvent::Head(event));
    }
}

/// Whether a signature over a root is by a key.
fn is_signed(key: &PublicKey, root: &Root, signature: &[u8; 96]) -> bool {
    Signature::from_bytes(signature).is_ok_and(|signature| bls::verify(key, &HashedMessage::new(root), &signature))
}
