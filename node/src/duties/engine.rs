//! The engine: which duty is performed when.
//!
//! One tick per slot starts the tasks of the slot. Nothing here waits for one duty before it begins another: a block that
//! is late costs the block, not the attestations.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use cluster_core::beacon::{ChainSpec, Epoch, Root, Slot, ValidatorIndex};
use cluster_core::committee::OperatorId;
use cluster_core::duty::{SigningId, SigningKind};
use cluster_core::machine::Time;
use tokio::sync::{broadcast, watch, Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::ahead::Registrations;
use super::clock::{Clock, SlotTimes};
use super::doppelganger::Doppelganger;
use super::exit::Orders;
use super::hub::Hub;
use super::metrics::DutyMetrics;
use super::proofs::Proofs;
use super::record::{Draft, DutyRecord, Miss, Recorder};
use super::roster::{Group, Roster, Validator};
use super::schedule::{EpochDuties, Schedule};
use super::upkeep::Notebook;
use crate::beacon::{Beacon, BeaconError, BeaconEvent, HeadEvent};
use crate::signer::Signer;
use crate::store::{StoreError, ValidatorEntry};

/// Exchanges of proofs at a time: they are not urgent, and must not delay what is.
const AHEAD: usize = 8;
/// Pause after a beacon node failed to answer a question about duties.
const RETRY: Duration = Duration::from_millis(500);

/// Where the engine learns which validators it holds shares of.
pub type Entries = Arc<dyn Fn() -> Result<Vec<ValidatorEntry>, StoreError> + Send + Sync>;

/// What an operator chooses about its duties.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Put into the blocks that this operator's beacon node builds.
    pub graffiti: [u8; 32],
    /// Whether builders may build blocks, and validators are registered with them.
    pub builder: bool,
    /// Percentage by which a builder's block has to be better than the local one; 100 compares them as they are.
    pub builder_boost_factor: u64,
    /// Length of the first consensus round in milliseconds; `None` follows from the slot.
    pub round_ms: Option<u64>,
    /// Whole epochs without a sign of life before a validator that was split from a keystore is signed for; 0 does not wait.
    pub doppelganger_epochs: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { graffiti: [0; 32], builder: false, builder_boost_factor: 100, round_ms: None, doppelganger_epochs: 2 }
    }
}

/// What the engine works with.
pub struct Parts {
    /// This operator.
    pub me: OperatorId,
    /// EIP-155 id of the chain.
    pub chain_id: u64,
    /// The beacon nodes.
    pub beacon: Arc<dyn Beacon>,
    /// The signer.
    pub signer: Arc<dyn Signer>,
    /// Consensus and exchange of partials.
    pub hub: Hub,
    /// The time.
    pub clock: Clock,
    /// The validators.
    pub entries: Entries,
    /// What owners ordered.
    pub orders: Orders,
    /// Changes with the validators.
    pub changes: watch::Receiver<u64>,
    /// Hears of every epoch that is final, with the slots of an epoch.
    pub finalized: Arc<dyn Fn(Epoch, u64) + Send + Sync>,
    /// Whether another node runs with this operator's key. Once it does, nothing is voted or signed.
    pub has_twin: Arc<dyn Fn() -> bool + Send + Sync>,
    /// Keeps connections to these operators.
    pub keep: Arc<dyn Fn(Vec<OperatorId>) + Send + Sync>,
    /// Takes what became of every duty.
    pub recorder: Arc<dyn Recorder>,
    /// What is done besides the duties.
    pub upkeep: Arc<Notebook>,
    /// Figures.
    pub metrics: DutyMetrics,
    /// Choices.
    pub settings: Settings,
    /// Ends everything.
    pub stop: CancellationToken,
    /// Keeps count of the tasks.
    pub tasks: TaskTracker,
}

/// The newest head that a beacon node reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) slot: Slot,
    pub(super) root: Root,
    /// The head before it; its parent, unless the chain was reorganised.
    pub(super) before: Root,
}

/// The engine of one operator.
pub struct Engine {
    pub(super) parts: Parts,
    pub(super) spec: Arc<ChainSpec>,
    roster: RwLock<Arc<Roster>>,
    pub(super) schedule: Schedule,
    pub(super) proofs: Proofs,
    pub(super) head: watch::Sender<Head>,
    /// Exchanges of proofs that were begun.
    pub(super) begun: Mutex<BTreeSet<(Slot, SigningId)>>,
    pub(super) ahead: Semaphore,
    /// What builders were told last.
    pub(super) registrations: Mutex<Registrations>,
    pub(super) doppelganger: Doppelganger,
    /// Something about the duties has to be fetched.
    stale: Notify,
}

impl Engine {
    /// Performs duties until it is stopped. Waits for a beacon node, and for genesis, as long as it takes.
    pub async fn run(parts: Parts) {
        let stop = parts.stop.clone();
        let _ = stop.run_until_cancelled(Self::begin(parts)).await;
    }

    async fn begin(parts: Parts) {
        let spec = loop {
            match parts.beacon.spec().await {
                Ok(spec) => break spec,
                Err(error) => {
                    tracing::info!(%error, "waiting for a beacon node: {error}");
                    parts.clock.sleep(RETRY * 4).await;
                }
            }
        };
        let (genesis, slot_ms, slots_per_epoch) = (spec.genesis(), spec.slot_ms, spec.slots_per_epoch());
        parts.hub.set_slots(SlotTimes { genesis, slot_ms, slots_per_epoch });
        let engine = Arc::new(Self {
            spec,
            roster: RwLock::default(),
            schedule: Schedule::default(),
            proofs: Proofs::default(),
            head: watch::Sender::new(Head::default()),
            begun: Mutex::default(),
            ahead: Semaphore::new(AHEAD),
            registrations: Mutex::default(),
            doppelganger: Doppelganger::new(parts.settings.doppelganger_epochs),
            stale: Notify::new(),
            parts,
        });
        engine.spawn(Arc::clone(&engine).follow_events());
        engine.refresh().await;
        engine.spawn(Arc::clone(&engine).keep_duties());
        engine.spawn(Arc::clone(&engine).keep_proposers_prepared());
        engine.spawn(Arc::clone(&engine).follow_orders());
        engine.tick().await;
    }

    /// Runs a task that ends with the engine.
    pub(super) fn spawn(&self, task: impl std::future::Future<Output = ()> + Send + 'static) {
        let stop = self.parts.stop.clone();
        self.parts.tasks.spawn(async move {
            let _ = stop.run_until_cancelled_owned(task).await;
        });
    }

    async fn tick(self: Arc<Self>) {
        let mut next = self.spec.slot_at(self.now()).unwrap_or(Slot(0));
        loop {
            self.parts.clock.sleep_until(self.spec.slot_start(next)).await;
            self.on_slot(next);
            // After a pause of the machine the slots that passed meanwhile are left out.
            let now = self.spec.slot_at(self.now()).unwrap_or(next);
            next = Slot(next.0.max(now.0) + 1);
        }
    }

    fn on_slot(self: &Arc<Self>, slot: Slot) {
        let epoch = self.spec.epoch_of(slot);
        let roster = self.roster();
        if slot == Slot(0) || self.spec.epoch_of(Slot(slot.0.saturating_sub(1))) != epoch {
            self.stale.notify_one();
            self.spawn(Arc::clone(self).keep_proposers_prepared());
            self.spawn(Arc::clone(self).look_for_doppelgangers(epoch));
            self.spawn(Arc::clone(self).carry_out_exits(epoch));
        } else if self.parts.settings.builder {
            self.spawn(Arc::clone(self).tell_builders_again(epoch));
        }
        self.proofs.prune(Slot(slot.0.saturating_sub(1)));
        self.lock_begun().retain(|(at, _)| at.0 + 1 >= slot.0);
        let Some(duties) = self.schedule.get(epoch) else {
            if roster.len() > 0 {
                tracing::warn!(
                    slot = slot.0,
                    "the duties of epoch {epoch} are not known; nothing is done in slot {slot}"
                );
            }
            return;
        };
        // The genesis block is slot 0's: a block builds on one of an earlier slot (phase 0, process_block_header).
        let proposer = duties.proposers.get(&slot).filter(|_| slot > Slot(0));
        let proposer = proposer.and_then(|duty| self.find(&roster, &duty.pubkey));
        if (self.parts.has_twin)() {
            return self.leave_to_others(slot, proposer, &roster, &duties);
        }
        if let Some((group, validator)) = proposer {
            self.spawn(Arc::clone(self).propose(group, validator, slot));
        }
        for group in roster.groups.values() {
            self.spawn(Arc::clone(self).attest(Arc::clone(group), slot, Arc::clone(&duties)));
        }
        self.prepare_ahead(slot, &roster);
    }

    /// Two nodes with one key would vote and sign against each other: this one does neither, and says so in the records.
    fn leave_to_others(
        &self,
        slot: Slot,
        proposer: Option<(Arc<Group>, Arc<Validator>)>,
        roster: &Roster,
        duties: &EpochDuties,
    ) {
        let mut drafts = Vec::new();
        if let Some((group, validator)) = proposer {
            let mut draft = Draft::new(slot, self.spec.slot_start(slot), group.id, SigningKind::Block);
            draft.edit().validators = vec![validator.index.0];
            drafts.push(draft);
        }
        for group in roster.groups.values() {
            drafts.extend(self.attestation_drafts(&self.slot_duties(Arc::clone(group), slot, duties)));
        }
        for mut draft in drafts {
            draft.missed(Miss::Twin);
            self.record(draft.finish());
        }
    }

    /// Keeps the validators and the duties of this epoch and the next up to date.
    async fn keep_duties(self: Arc<Self>) {
        let mut changes = self.parts.changes.clone();
        loop {
            tokio::select! {
                () = self.stale.notified() => {}
                Ok(()) = changes.changed() => {}
            }
            self.refresh().await;
        }
    }

    /// Learns the duties of this epoch, as long as it takes, and those of the next one, if they can be had.
    async fn refresh(self: &Arc<Self>) {
        while let Err(error) = self.try_refresh().await {
            tracing::warn!(%error, "cannot learn the duties yet: {error}");
            self.parts.clock.sleep(RETRY).await;
        }
        if let Err(error) = self.look_ahead().await {
            tracing::info!(%error, "cannot learn the duties of the next epoch yet: {error}");
            let engine = Arc::clone(self);
            self.spawn(async move {
                engine.parts.clock.sleep(RETRY * 4).await;
                engine.stale.notify_one();
            });
        }
    }

    async fn try_refresh(&self) -> Result<(), RefreshError> {
        let entries = Arc::clone(&self.parts.entries);
        let entries = tokio::task::spawn_blocking(move || entries()).await.map_err(|_| RefreshError::Stopped)??;
        let beacon = self.parts.beacon.as_ref();
        let roster = Roster::read(entries, self.parts.chain_id, beacon).await?;
        for group in roster.groups.values() {
            self.parts.hub.add_committee(group.id, Arc::clone(&group.committee));
            (self.parts.keep)(group.committee.ids().filter(|id| *id != self.parts.me).collect());
        }
        let now = self.spec.slot_at(self.now()).unwrap_or(Slot(0));
        for validator in roster.active().filter(|validator| validator.had_another_life) {
            self.doppelganger.watch(validator.pubkey, validator.index, self.spec.epoch_of(now));
        }
        let indices = roster.active_indices();
        self.parts.metrics.validators_active.set(gauge(indices.len()));
        self.parts.metrics.validators_waiting.set(gauge(roster.len() - indices.len() + roster.unknown));
        self.parts.metrics.validators_foreign.set(gauge(self.doppelganger.foreign()));
        *self.roster.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(roster);
        let current = self.spec.epoch_of(now);
        Ok(self.learn(current, current, indices).await?)
    }

    /// The next epoch's duties, so that proofs can be signed ahead. Nodes answer once the chain has begun.
    async fn look_ahead(&self) -> Result<(), BeaconError> {
        let Some(now) = self.spec.slot_at(self.now()) else { return Ok(()) };
        let current = self.spec.epoch_of(now);
        self.learn(Epoch(current.0 + 1), current, self.roster().active_indices()).await
    }

    async fn learn(&self, epoch: Epoch, current: Epoch, indices: Vec<ValidatorIndex>) -> Result<(), BeaconError> {
        if !indices.is_empty() && self.schedule.needs(epoch, current, &indices) {
            let duties = EpochDuties::fetch(self.parts.beacon.as_ref(), epoch, current, indices).await?;
            self.schedule.put(duties, current);
        }
        Ok(())
    }

    /// Looks at the validators and duties again, soon.
    pub fn refresh_soon(&self) {
        self.stale.notify_one();
    }

    async fn look_for_doppelgangers(self: Arc<Self>, now: Epoch) {
        let mut looked = None;
        while let Some((epoch, indices)) = self.doppelganger.due(now).filter(|(epoch, _)| looked != Some(*epoch)) {
            looked = Some(epoch);
            match self.parts.beacon.liveness(epoch, &indices).await {
                Ok(live) => self.doppelganger.looked(epoch, &live),
                Err(error) => {
                    tracing::warn!(epoch = epoch.0, %error, "cannot learn who signed in epoch {epoch}: {error}");
                    return;
                }
            }
        }
    }

    async fn follow_events(self: Arc<Self>) {
        let mut events = self.parts.beacon.events();
        loop {
            match events.recv().await {
                Ok(BeaconEvent::Head(head)) => self.on_head(&head),
                Ok(BeaconEvent::Finalized { epoch, .. }) => (self.parts.finalized)(epoch, self.spec.slots_per_epoch()),
                Ok(BeaconEvent::Reconnected { url }) => {
                    // A node that was restarted has forgotten whom it serves.
                    tracing::debug!(url, "a beacon node is back");
                    self.spawn(Arc::clone(&self).keep_proposers_prepared());
                    self.spawn(Arc::clone(&self).subscribe_again());
                }
                // What was missed is fetched when it is needed.
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return,
            }
        }
    }

    fn on_head(&self, event: &HeadEvent) {
        self.head.send_modify(|head| {
            *head = Head { slot: event.slot, root: event.block_root, before: head.root };
        });
        let epoch = self.spec.epoch_of(event.slot);
        let (previous, current) = (event.previous_duty_dependent_root, event.current_duty_dependent_root);
        if self.schedule.compare(epoch, previous, current) {
            tracing::info!(
                slot = event.slot.0,
                "the chain changed below the duties of epoch {epoch}; fetching them again"
            );
            self.stale.notify_one();
        }
    }

    pub(super) fn record(&self, record: DutyRecord) {
        let kind = record.kind.name();
        match &record.miss {
            Some(miss) => tracing::warn!(
                slot = record.slot.0, committee_id = %record.committee, kind, reason = miss.name(),
                "missed {} of {} {kind} duties in slot {}: {miss}",
                record.validators.len().saturating_sub(record.submitted as usize), record.validators.len(), record.slot
            ),
            None => tracing::debug!(
                slot = record.slot.0, committee_id = %record.committee, kind, submitted_ms = record.steps.submitted_ms,
                "performed {} {kind} duties in slot {}", record.submitted, record.slot
            ),
        }
        self.parts.recorder.record(record);
    }

    pub(super) fn now(&self) -> Time {
        self.parts.clock.now()
    }

    pub(super) fn roster(&self) -> Arc<Roster> {
        Arc::clone(&self.roster.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn lock_begun(&self) -> std::sync::MutexGuard<'_, BTreeSet<(Slot, SigningId)>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, roster: &Roster, pubkey: &[u8; 48]) -> Option<(Arc<Group>, Arc<Validator>)> {
        Some((Arc::clone(roster.group_of(pubkey)?), Arc::clone(roster.get(pubkey)?)))
    }

    /// The first round about a block: long enough for a beacon node and a builder, short enough that a block of the second
    /// round is there before others attest, at a third of the slot.
    pub(super) fn proposal_round_ms(&self) -> u64 {
        self.parts.settings.round_ms.unwrap_or_else(|| (self.spec.slot_ms / 5).clamp(600, 2_000))
    }

    /// The first round of consensus: long enough for three messages between continents, short enough that a silent leader
    /// costs little.
    pub(super) fn round_ms(&self) -> u64 {
        self.parts.settings.round_ms.unwrap_or_else(|| (self.spec.slot_ms / 12).clamp(500, 1_000))
    }
}

fn gauge(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[derive(Debug, thiserror::Error)]
enum RefreshError {
    #[error(transparent)]
    Beacon(#[from] BeaconError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the node is stopping")]
    Stopped,
}
