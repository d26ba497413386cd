//! A committee of four with shares of known keys, and a network.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use cluster_core::beacon::{
    AttestationData, BeaconBlockHeader, ChainSpec, Checkpoint, Epoch, Root, Slot, ValidatorIndex,
};
use cluster_core::ceremony::CeremonyId;
use cluster_core::committee::OperatorId;
use cluster_core::dkg::StoredShares;
use cluster_core::machine::Time;
use cluster_crypto::bls::{self, HashedMessage};
use cluster_crypto::ethereum::{Address, WalletKey};
use cluster_crypto::polynomial::Polynomials;
use cluster_crypto::threshold::{combine, verify_combined, Partial};
use cluster_crypto::{identity, ShareIndex, Threshold};
use cluster_node::signer::{LocalSigner, Now, Pubkey, Refusal, Request};
use cluster_node::store::{Source, Store, ValidatorEntry, DEFAULT_GAS_LIMIT};
use rand_chacha::ChaCha20Rng;
use rand_core::{OsRng, SeedableRng};

/// The chain started long ago, so that the system's clock is in some slot of it as well.
pub const GENESIS_S: u64 = 1_700_000_000;
pub const FEES: Address = Address([0xfe; 20]);

/// Four operators, and as many validators as wanted.
pub struct Committee {
    pub operators: Vec<(OperatorId, identity::SecretKey)>,
    pub validators: Vec<bls::PublicKey>,
    pub wallet: WalletKey,
    pub source: Source,
    polynomials: Polynomials,
    entries: Vec<ValidatorEntry>,
}

impl Committee {
    pub fn new(validators: usize) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(validators as u64);
        let threshold = Threshold::for_operators(4).unwrap();
        let polynomials = Polynomials::sample(validators, threshold, &mut rng);
        let operators: Vec<_> = (1..=4).map(|id| (OperatorId(id), identity::SecretKey::generate(&mut rng))).collect();
        let wallet = WalletKey::generate(&mut rng);
        let commitments = polynomials.commit();
        let groups = commitments.group_keys();
        let by_operator: Vec<_> = ShareIndex::all(threshold).map(|index| commitments.share_keys(index)).collect();
        let source = Source::Split([validators as u8; 32]);
        let entry = |(position, pubkey): (usize, &bls::PublicKey)| ValidatorEntry {
            pubkey: *pubkey,
            source,
            position: position as u32,
            owner: Some(wallet.address()),
            committee: operators.iter().map(|(id, key)| (*id, key.public_key())).collect(),
            share_index: ShareIndex::new(1).unwrap(),
            share_pubkeys: by_operator.iter().map(|keys| keys[position]).collect(),
            withdrawal_address: None,
            fee_recipient: FEES,
            gas_limit: DEFAULT_GAS_LIMIT,
            active: true,
        };
        let entries = groups.iter().enumerate().map(entry).collect();
        Self { validators: groups, operators, wallet, source, polynomials, entries }
    }

    pub fn pubkeys(&self) -> Vec<Pubkey> {
        self.validators.iter().map(bls::PublicKey::to_bytes).collect()
    }

    pub fn index(at: usize) -> ShareIndex {
        ShareIndex::new(at as u8 + 1).unwrap()
    }

    pub fn entries(&self, at: usize) -> Vec<ValidatorEntry> {
        let own = |entry: &ValidatorEntry| ValidatorEntry { share_index: Self::index(at), ..entry.clone() };
        self.entries.iter().map(own).collect()
    }

    pub fn shares(&self, at: usize) -> StoredShares {
        StoredShares {
            ceremony_id: CeremonyId(*self.source.id()),
            operator_id: self.operators[at].0,
            share_index: Self::index(at),
            validators: self.validators.clone(),
            share_pubkeys: self.entries.iter().map(|entry| entry.share_pubkeys[at]).collect(),
            shares: self.polynomials.shares_for(Self::index(at)),
            qualified: Vec::new(),
        }
    }

    /// The bytes of one share, to look for on disk.
    pub fn share_bytes(&self, at: usize, validator: usize) -> Vec<u8> {
        self.shares(at).shares.to_bytes().expose(|bytes| bytes[32 * validator..32 * (validator + 1)].to_vec())
    }

    /// The operator's store with its shares.
    pub fn store(&self, at: usize, dir: &Path) -> Arc<Store> {
        let store = Arc::new(Store::open(dir, &self.operators[at].1).unwrap());
        store.import_shares(&self.shares(at), &self.entries(at)).unwrap();
        store
    }
}

/// A clock that stands where it is set, in milliseconds.
#[derive(Clone, Default)]
pub struct Clock(Arc<AtomicU64>);

impl Clock {
    pub fn at(spec: &ChainSpec, slot: u64) -> Self {
        let clock = Self::default();
        clock.set(spec, slot);
        clock
    }

    pub fn set(&self, spec: &ChainSpec, slot: u64) {
        self.0.store(spec.slot_start(Slot(slot)).0, Ordering::SeqCst);
    }

    pub fn now(&self) -> Now {
        let clock = Arc::clone(&self.0);
        Arc::new(move || Time(clock.load(Ordering::SeqCst)))
    }
}

/// A network of the minimal preset, Electra from the start.
pub fn spec() -> Arc<ChainSpec> {
    Arc::new(spec_with(|_| {}))
}

pub fn spec_with(change: impl FnOnce(&mut BTreeMap<String, String>)) -> ChainSpec {
    let mut values: BTreeMap<String, String> = [
        ("PRESET_BASE", "minimal"),
        ("DEPOSIT_CHAIN_ID", "560048"),
        ("SECONDS_PER_SLOT", "6"),
        ("EPOCHS_PER_SYNC_COMMITTEE_PERIOD", "8"),
        ("TARGET_AGGREGATORS_PER_COMMITTEE", "16"),
        ("SHARD_COMMITTEE_PERIOD", "64"),
        ("GENESIS_FORK_VERSION", "0x00000001"),
        ("ALTAIR_FORK_VERSION", "0x01000001"),
        ("BELLATRIX_FORK_VERSION", "0x02000001"),
        ("CAPELLA_FORK_VERSION", "0x03000001"),
        ("DENEB_FORK_VERSION", "0x04000001"),
        ("ELECTRA_FORK_VERSION", "0x05000001"),
        ("FULU_FORK_VERSION", "0x06000001"),
        ("ALTAIR_FORK_EPOCH", "0"),
        ("BELLATRIX_FORK_EPOCH", "0"),
        ("CAPELLA_FORK_EPOCH", "0"),
        ("DENEB_FORK_EPOCH", "0"),
        ("ELECTRA_FORK_EPOCH", "0"),
        ("FULU_FORK_EPOCH", "18446744073709551615"),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .collect();
    change(&mut values);
    ChainSpec::from_api(GENESIS_S, [0x47; 32], &values).unwrap()
}

/// A vote of the slot's epoch from an earlier one, for a head.
pub fn vote(slot: u64, source: u64, head: u8) -> AttestationData {
    AttestationData {
        slot: Slot(slot),
        index: 0,
        beacon_block_root: [head; 32],
        source: Checkpoint { epoch: Epoch(source), root: [1; 32] },
        target: Checkpoint { epoch: Epoch(slot / 8), root: [2; 32] },
    }
}

pub fn header(slot: u64, body: u8) -> BeaconBlockHeader {
    BeaconBlockHeader {
        slot: Slot(slot),
        proposer_index: ValidatorIndex(3),
        parent_root: [1; 32],
        state_root: [2; 32],
        body_root: [body; 32],
    }
}

pub type Answers = Vec<Result<Partial, Refusal>>;

/// Three of four operators sign: the combination must verify under every validator's key.
pub fn assert_signs(committee: &Committee, answers: &[(usize, Answers)], roots: &[Root]) {
    let threshold = Threshold::for_operators(4).unwrap();
    let partials: Vec<Vec<Partial>> =
        answers.iter().map(|(_, answers)| answers.iter().map(|answer| *answer.as_ref().unwrap()).collect()).collect();
    let signed: Vec<_> =
        answers.iter().zip(&partials).map(|((at, _), partials)| (Committee::index(*at), partials.as_slice())).collect();
    let messages: Vec<_> = roots.iter().map(|root| HashedMessage::new(root)).collect();
    let candidates = combine(threshold, &signed).unwrap();
    let keys = &committee.validators[..roots.len()];
    assert!(verify_combined(keys, &messages, candidates, &mut OsRng).is_some(), "the signatures do not verify");
}

pub fn open(store: &Arc<Store>, clock: &Clock) -> LocalSigner {
    LocalSigner::open(Arc::clone(store), clock.now()).unwrap()
}

/// One kind of every request for the given validators, with the roots that are to be signed.
pub fn every_request(committee: &Committee, spec: &ChainSpec, slot: u64) -> Vec<(Request, Vec<Root>)> {
    use cluster_core::beacon::{
        AggregateAndProof, Attestation, BitList, BitVector, ContributionAndProof, SyncCommitteeContribution,
        ValidatorRegistration, VoluntaryExit,
    };
    use cluster_core::exit::{ExitRequest, SignedExitRequest};
    let keys = committee.pubkeys();
    let n = keys.len();
    let epoch = Epoch(slot / 8);
    let data = vote(slot, epoch.0 - 1, 7);
    let aggregate = AggregateAndProof {
        aggregator_index: ValidatorIndex(3),
        aggregate: Attestation {
            aggregation_bits: BitList::from_bits(&[true, false, true]),
            data,
            signature: [9; 96],
            committee_bits: BitVector::from_bits(&[true, false, false, false]),
        },
        selection_proof: [8; 96],
    };
    let contribution = ContributionAndProof {
        aggregator_index: ValidatorIndex(3),
        contribution: SyncCommitteeContribution {
            slot: Slot(slot),
            beacon_block_root: [7; 32],
            subcommittee_index: 2,
            aggregation_bits: BitVector::from_bits(&[true; 8]),
            signature: [9; 96],
        },
        selection_proof: [8; 96],
    };
    let registrations: Vec<_> = keys
        .iter()
        .map(|pubkey| ValidatorRegistration {
            fee_recipient: FEES.0,
            gas_limit: DEFAULT_GAS_LIMIT,
            timestamp: GENESIS_S,
            pubkey: *pubkey,
        })
        .collect();
    let order = ExitRequest {
        chain_id: spec.chain_id,
        owner: committee.wallet.address(),
        pubkeys: committee.validators.clone(),
        nonce: 1,
        deadline: spec.slot_start(Slot(slot)).0 / 1000 + 60,
    };
    let order = SignedExitRequest::by_signature(order.clone(), committee.wallet.sign_digest(&order.digest()));
    let exit = VoluntaryExit { epoch, validator_index: ValidatorIndex(3) };
    let with = |value: Slot| keys.iter().map(|key| (*key, value)).collect::<Vec<_>>();
    vec![
        (Request::Attestations { validators: keys.clone(), data }, vec![spec.attestation(&data); n]),
        (Request::Block { validator: keys[0], header: header(slot, 5) }, vec![spec.block(&header(slot, 5))]),
        (Request::Randao { validators: keys.clone(), epoch }, vec![spec.randao(epoch); n]),
        (Request::Selections { items: with(Slot(slot)) }, vec![spec.selection(Slot(slot)); n]),
        (
            Request::SyncMessages { validators: keys.clone(), slot: Slot(slot), block_root: [7; 32] },
            vec![spec.sync_message(Slot(slot), [7; 32]); n],
        ),
        (
            Request::SyncSelections { items: keys.iter().map(|key| (*key, Slot(slot), 2)).collect() },
            vec![spec.sync_selection(Slot(slot), 2); n],
        ),
        (
            Request::AggregateAndProofs { items: keys.iter().map(|key| (*key, aggregate.clone())).collect() },
            vec![spec.aggregate_and_proof(&aggregate); n],
        ),
        (
            Request::ContributionAndProofs { items: keys.iter().map(|key| (*key, contribution.clone())).collect() },
            vec![spec.contribution_and_proof(&contribution); n],
        ),
        (
            Request::Registrations { items: registrations.clone() },
            registrations.iter().map(|registration| spec.registration(registration)).collect(),
        ),
        (Request::Exit { validator: keys[0], exit, request: order }, vec![spec.exit(&exit)]),
    ]
}
