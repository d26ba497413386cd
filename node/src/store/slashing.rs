//! What validators have signed, for ever: the slashing database. Rules and file format are `cluster_core::slashing`.
//!
//! One tree, `slashing`:
//!
//! | key                                             | value                                    |
//! |-------------------------------------------------|------------------------------------------|
//! | validator key, 0                                | floors: below them history is not known  |
//! | validator key, 1, slot (u64 BE)                 | signing root of the block, or nothing    |
//! | validator key, 2, target (u64 BE), source (u64 BE) | signing root of the vote, or nothing  |
//!
//! An empty value stands for a message whose signing root is not known, or is known twice: nothing is a repeat of it.
//! `slashing_chain` has the genesis validators root of the chain that the history is of.
//!
//! Check and record are one step: a lock keeps other checks out until the records are written, all records of a call are one
//! atomic batch (sled's transactions cannot look at ranges, which finding surrounding votes needs), and no call returns before
//! what its answer rests on is flushed, a repeat included: the first call may still be waiting for the disk.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cluster_core::beacon::{AttestationData, Epoch, Root, Slot};
use cluster_core::encoding::{decode, encode, to_hex};
use cluster_core::slashing::{
    check_attestation, check_block, Block, Floors, History, Interchange, Refusal, SignedAttestation, SignedBlock,
    ValidatorHistory, Vote,
};
use serde::Serialize;

use super::{make_private_folder, open_patiently, schema, StoreError};

type Pubkey = [u8; 48];

const FLOORS: u8 = 0;
const BLOCK: u8 = 1;
const VOTE: u8 = 2;
const FLOORS_LIMIT: usize = 64;
const CHAIN_KEY: &[u8] = b"genesis_validators_root";
const CORRUPT: StoreError = StoreError::Corrupt { what: "the slashing history" };

/// The slashing database. Clones share it. Every call may block on the disk.
#[derive(Clone)]
pub struct SlashingDb(Arc<Inner>);

struct Inner {
    db: sled::Db,
    history: sled::Tree,
    chain: sled::Tree,
    one_at_a_time: Mutex<()>,
    closed: Arc<AtomicBool>,
}

/// What an import brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Validators in the file.
    pub validators: usize,
    /// Blocks in the file.
    pub blocks: usize,
    /// Votes in the file.
    pub attestations: usize,
    /// The newest block; none at or before it is signed any more by its validator.
    pub newest_slot: Option<Slot>,
    /// The newest target; no vote for it or for an earlier one is signed any more by its validator.
    pub newest_target: Option<Epoch>,
}

impl std::fmt::Debug for SlashingDb {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("SlashingDb")
    }
}

impl SlashingDb {
    /// Opens or creates the database in `data_dir` without the node's key: for a signer process of its own, and for export and
    /// import. Refuses while another process has it open.
    pub fn open(data_dir: &Path) -> Result<Self, StoreError> {
        make_private_folder(data_dir)?;
        let db = open_patiently(&data_dir.join("db"))?;
        schema::bring_up_to_date(&db, &db.open_tree("meta")?)?;
        let slashing = Self::of(db, Arc::default())?;
        slashing.flush()?;
        Ok(slashing)
    }

    /// The tables inside of a store.
    pub(super) fn of(db: sled::Db, closed: Arc<AtomicBool>) -> Result<Self, StoreError> {
        let (history, chain) = (db.open_tree("slashing")?, db.open_tree("slashing_chain")?);
        Ok(Self(Arc::new(Inner { db, history, chain, one_at_a_time: Mutex::new(()), closed })))
    }

    /// The genesis validators root of the chain that the history is of; none before [`SlashingDb::pin_chain`] or an import.
    pub fn chain(&self) -> Result<Option<Root>, StoreError> {
        let Some(value) = self.0.chain.get(CHAIN_KEY)? else { return Ok(None) };
        value.as_ref().try_into().map(Some).map_err(|_| CORRUPT)
    }

    /// Says which chain is signed for. The first call decides; another chain is refused from then on. Nothing is signed before.
    pub fn pin_chain(&self, genesis_validators_root: Root) -> Result<(), StoreError> {
        let _alone = self.alone()?;
        match self.chain()? {
            Some(found) if found != genesis_validators_root => {
                Err(StoreError::OtherChain { found: to_hex(&found), expected: to_hex(&genesis_validators_root) })
            }
            Some(_) => Ok(()),
            None => {
                self.0.chain.insert(CHAIN_KEY, &genesis_validators_root)?;
                self.flush()
            }
        }
    }

    /// Checks a vote for each validator and records it for those that may sign it; one answer each, in order. The same vote
    /// again is allowed. `signing_root` is what is signed.
    pub fn attest(
        &self,
        validators: &[Pubkey],
        data: &AttestationData,
        signing_root: Root,
    ) -> Result<Vec<Result<(), Refusal>>, StoreError> {
        let (source, target) = (data.source.epoch, data.target.epoch);
        let answers = {
            let _alone = self.alone()?;
            self.check_pinned()?;
            let mut batch = sled::Batch::default();
            let mut answers = Vec::with_capacity(validators.len());
            for pubkey in validators {
                let answer = check_attestation(&self.of_validator(pubkey), source, target, signing_root)?;
                if let Some(safe) = answer.as_ref().ok().filter(|safe| !safe.is_repeat()) {
                    batch.insert(vote_key(pubkey, source, target), &signing_root);
                    put_floors(&mut batch, pubkey, safe.floors());
                }
                answers.push(answer.map(drop));
            }
            self.0.history.apply_batch(batch)?;
            answers
        };
        // Outside of the lock, so that concurrent calls share one flush.
        self.flush()?;
        Ok(answers)
    }

    /// Checks a block of a validator and records it when it may be signed. The same block again is allowed.
    pub fn propose(
        &self,
        validator: &Pubkey,
        slot: Slot,
        signing_root: Root,
    ) -> Result<Result<(), Refusal>, StoreError> {
        let answer = {
            let _alone = self.alone()?;
            self.check_pinned()?;
            let answer = check_block(&self.of_validator(validator), slot, signing_root)?;
            if let Some(safe) = answer.as_ref().ok().filter(|safe| !safe.is_repeat()) {
                let mut batch = sled::Batch::default();
                batch.insert(block_key(validator, slot), &signing_root);
                put_floors(&mut batch, validator, safe.floors());
                self.0.history.apply_batch(batch)?;
            }
            answer.map(drop)
        };
        self.flush()?;
        Ok(answer)
    }

    /// Everything on record, in the order of the keys. Floors without a message of theirs, left by pruning, become messages
    /// without a signing root, so that whoever imports the file refuses what is refused here.
    pub fn export(&self) -> Result<Interchange, StoreError> {
        let _alone = self.alone()?;
        let mut file = Interchange::new(self.chain()?.ok_or(StoreError::NoChain)?);
        for pubkey in self.validators() {
            file.data.push(self.of_validator(&pubkey?).export()?);
        }
        Ok(file)
    }

    /// Takes over the history of another node. It joins what is on record and replaces nothing. Since the other node may have
    /// pruned its history, nothing older than the newest of its messages is signed from then on.
    pub fn import(&self, file: &Interchange) -> Result<Report, StoreError> {
        self.pin_chain(file.metadata.genesis_validators_root)?;
        let mut by_key: BTreeMap<&Pubkey, Vec<&ValidatorHistory>> = BTreeMap::new();
        let mut report = Report::default();
        for entry in &file.data {
            report.blocks += entry.signed_blocks.len();
            report.attestations += entry.signed_attestations.len();
            report.newest_slot = report.newest_slot.max(entry.signed_blocks.iter().map(|block| block.slot).max());
            let newest = entry.signed_attestations.iter().map(|vote| vote.target_epoch).max();
            report.newest_target = report.newest_target.max(newest);
            by_key.entry(&entry.pubkey).or_default().push(entry);
        }
        report.validators = by_key.len();
        for (pubkey, entries) in by_key {
            let _alone = self.alone()?;
            self.of_validator(pubkey).import(&entries)?;
        }
        self.flush()?;
        Ok(report)
    }

    /// Forgets votes for targets before `before` and blocks before its first slot; floors rise instead, so that nothing
    /// becomes possible that was refused. `before` is at most the finalized epoch: what is still to be signed must be above.
    /// Returns how many messages were forgotten.
    pub fn prune(&self, before: Epoch, slots_per_epoch: u64) -> Result<usize, StoreError> {
        let mut forgotten = 0;
        for pubkey in self.validators() {
            let _alone = self.alone()?;
            forgotten += self.of_validator(&pubkey?).prune(before, before.start(slots_per_epoch))?;
        }
        self.flush()?;
        Ok(forgotten)
    }

    fn of_validator<'a>(&'a self, pubkey: &'a Pubkey) -> OfValidator<'a> {
        OfValidator { tree: &self.0.history, pubkey }
    }

    /// Every validator with history, one look at the tree for each.
    fn validators(&self) -> impl Iterator<Item = Result<Pubkey, StoreError>> + '_ {
        let mut next = Some(Vec::new());
        std::iter::from_fn(move || {
            let found = self.0.history.range(next.take()?..).next()?;
            let pubkey: Result<Pubkey, StoreError> = found
                .map_err(StoreError::from)
                .and_then(|(key, _)| key.get(..48).and_then(|key| key.try_into().ok()).ok_or(CORRUPT));
            if let Ok(pubkey) = &pubkey {
                next = Some(key(pubkey, u8::MAX));
            }
            Some(pubkey)
        })
    }

    fn alone(&self) -> Result<MutexGuard<'_, ()>, StoreError> {
        // What the lock protects is on disk, and is whole whatever became of the thread that held it.
        let guard = self.0.one_at_a_time.lock().unwrap_or_else(PoisonError::into_inner);
        self.check_open()?;
        Ok(guard)
    }

    fn check_pinned(&self) -> Result<(), StoreError> {
        self.chain()?.map(drop).ok_or(StoreError::NoChain)
    }

    fn check_open(&self) -> Result<(), StoreError> {
        if self.0.closed.load(Ordering::SeqCst) {
            return Err(StoreError::Closed);
        }
        Ok(())
    }

    fn flush(&self) -> Result<(), StoreError> {
        self.check_open()?;
        self.0.db.flush()?;
        Ok(())
    }
}

/// The history of one validator.
struct OfValidator<'a> {
    tree: &'a sled::Tree,
    pubkey: &'a Pubkey,
}

impl OfValidator<'_> {
    fn blocks(&self, slots: RangeInclusive<Slot>) -> impl Iterator<Item = Result<Block, StoreError>> {
        let (first, last) = (block_key(self.pubkey, *slots.start()), block_key(self.pubkey, *slots.end()));
        self.tree.range(first..=last).map(|item| {
            let (key, value) = item?;
            let slot = key.get(49..).and_then(|slot| slot.try_into().ok()).ok_or(CORRUPT)?;
            Ok(Block { slot: Slot(u64::from_be_bytes(slot)), signing_root: root(&value)? })
        })
    }

    fn export(&self) -> Result<ValidatorHistory, StoreError> {
        let floors = self.floors()?;
        let mut out =
            ValidatorHistory { pubkey: *self.pubkey, signed_blocks: Vec::new(), signed_attestations: Vec::new() };
        for block in self.blocks(Slot(0)..=Slot(u64::MAX)) {
            let Block { slot, signing_root } = block?;
            out.signed_blocks.push(SignedBlock { slot, signing_root });
        }
        for vote in self.votes(Epoch(0)..=Epoch(u64::MAX)) {
            let Vote { source, target, signing_root } = vote?;
            out.signed_attestations.push(SignedAttestation {
                source_epoch: source,
                target_epoch: target,
                signing_root,
            });
        }
        if let Some(slot) = floors.slot {
            if !out.signed_blocks.iter().any(|block| block.slot == slot) {
                out.signed_blocks.insert(0, SignedBlock { slot, signing_root: None });
            }
        }
        if let (Some(source_epoch), Some(target_epoch)) = (floors.source, floors.target) {
            let floor = SignedAttestation { source_epoch, target_epoch, signing_root: None };
            let same =
                |vote: &SignedAttestation| vote.source_epoch == source_epoch && vote.target_epoch == target_epoch;
            if !out.signed_attestations.iter().any(same) {
                out.signed_attestations.insert(0, floor);
            }
        }
        Ok(out)
    }

    fn import(&self, entries: &[&ValidatorHistory]) -> Result<(), StoreError> {
        let mut floors = self.floors()?;
        // Joined in memory first: a file may name a message twice.
        let mut messages: BTreeMap<Vec<u8>, Option<Root>> = BTreeMap::new();
        let mut join = |key: Vec<u8>, root: Option<Root>| {
            messages.entry(key).and_modify(|known| *known = known.filter(|known| Some(*known) == root)).or_insert(root);
        };
        for block in entries.iter().flat_map(|entry| &entry.signed_blocks) {
            floors = floors.above_block(block.slot);
            join(block_key(self.pubkey, block.slot), block.signing_root);
        }
        for vote in entries.iter().flat_map(|entry| &entry.signed_attestations) {
            let (source, target) = (vote.source_epoch, vote.target_epoch);
            floors = floors.above_vote(source, target);
            join(vote_key(self.pubkey, source, target), vote.signing_root);
        }
        let mut batch = sled::Batch::default();
        for (key, new) in messages {
            let joined = match self.tree.get(&key)? {
                None => new,
                Some(value) => root(&value)?.filter(|known| Some(*known) == new),
            };
            batch.insert(key, joined.map_or_else(Vec::new, |root| root.to_vec()));
        }
        put_floors(&mut batch, self.pubkey, Some(floors));
        self.tree.apply_batch(batch)?;
        Ok(())
    }

    fn prune(&self, before: Epoch, before_slot: Slot) -> Result<usize, StoreError> {
        let mut floors = self.floors()?;
        let mut batch = sled::Batch::default();
        let mut forgotten = 0;
        if let Some(last) = before.0.checked_sub(1) {
            for vote in self.votes(Epoch(0)..=Epoch(last)) {
                let Vote { source, target, .. } = vote?;
                floors = floors.above_vote(source, target);
                batch.remove(vote_key(self.pubkey, source, target));
                forgotten += 1;
            }
        }
        if let Some(last) = before_slot.0.checked_sub(1) {
            for block in self.blocks(Slot(0)..=Slot(last)) {
                let slot = block?.slot;
                floors = floors.above_block(slot);
                batch.remove(block_key(self.pubkey, slot));
                forgotten += 1;
            }
        }
        if forgotten > 0 {
            put_floors(&mut batch, self.pubkey, Some(floors));
            self.tree.apply_batch(batch)?;
        }
        Ok(forgotten)
    }
}

impl History for OfValidator<'_> {
    type Error = StoreError;

    fn floors(&self) -> Result<Floors, StoreError> {
        match self.tree.get(key(self.pubkey, FLOORS))? {
            None => Ok(Floors::default()),
            Some(value) => decode(&value, FLOORS_LIMIT).map_err(|_| CORRUPT),
        }
    }

    fn block(&self, slot: Slot) -> Result<Option<Block>, StoreError> {
        let Some(value) = self.tree.get(block_key(self.pubkey, slot))? else { return Ok(None) };
        Ok(Some(Block { slot, signing_root: root(&value)? }))
    }

    fn votes(&self, targets: RangeInclusive<Epoch>) -> impl Iterator<Item = Result<Vote, StoreError>> {
        let first = vote_key(self.pubkey, Epoch(0), *targets.start());
        let last = vote_key(self.pubkey, Epoch(u64::MAX), *targets.end());
        self.tree.range(first..=last).map(|item| {
            let (key, value) = item?;
            let numbers = key.get(49..).and_then(|numbers| numbers.as_chunks::<8>().0.first_chunk::<2>().copied());
            let [target, source] = numbers.ok_or(CORRUPT)?;
            Ok(Vote {
                source: Epoch(u64::from_be_bytes(source)),
                target: Epoch(u64::from_be_bytes(target)),
                signing_root: root(&value)?,
            })
        })
    }
}

fn key(pubkey: &Pubkey, kind: u8) -> Vec<u8> {
    let mut key = Vec::with_capacity(65);
    key.extend_from_slice(pubkey);
    key.push(kind);
    key
}

fn block_key(pubkey: &Pubkey, slot: Slot) -> Vec<u8> {
    let mut key = key(pubkey, BLOCK);
    key.extend_from_slice(&slot.0.to_be_bytes());
    key
}

fn vote_key(pubkey: &Pubkey, source: Epoch, target: Epoch) -> Vec<u8> {
    let mut key = key(pubkey, VOTE);
    key.extend_from_slice(&target.0.to_be_bytes());
    key.extend_from_slice(&source.0.to_be_bytes());
    key
}

fn root(value: &[u8]) -> Result<Option<Root>, StoreError> {
    if value.is_empty() {
        return Ok(None);
    }
    value.try_into().map(Some).map_err(|_| CORRUPT)
}

fn put_floors(batch: &mut sled::Batch, pubkey: &Pubkey, floors: Option<Floors>) {
    if let Some(floors) = floors {
        batch.insert(key(pubkey, FLOORS), encode(&floors));
    }
}
