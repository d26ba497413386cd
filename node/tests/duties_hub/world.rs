//! Four operators with keys, a mesh in memory, and what tests say to them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cluster_core::beacon::Slot;
use cluster_core::committee::{Committee, OperatorId};
use cluster_core::consensus::{self, Evidence, Message, Statement, VoteKind};
use cluster_core::duty::{CommitteeId, InstanceId, InstanceKind, SigningId, SigningKind};
use cluster_core::machine::Time;
use cluster_core::signing::Item;
use cluster_crypto::bls::{HashedMessage, PublicKey};
use cluster_crypto::identity;
use cluster_crypto::polynomial::{Polynomials, SecretVector};
use cluster_crypto::threshold::{sign_same_message, Partial};
use cluster_crypto::{ShareIndex, Threshold};
use cluster_node::duties::clock::{Clock, SlotTimes};
use cluster_node::duties::hub::{AgreeError, Agreed, Delivery, Hub, Judge, Observer, Timing};
use cluster_node::duties::mesh::{DutyMessage, Mesh};
use cluster_node::duties::votes::{MemoryVotes, Votes};
use futures::future::BoxFuture;
use futures::FutureExt;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

/// Where virtual time begins: somewhere in slot 100.
pub const START: Time = Time(1_790_000_000_000);
pub const SLOT_MS: u64 = 12_000;
pub const ROUND_MS: u64 = 1_000;
/// One way, over the mesh in memory.
pub const LATENCY_MS: u64 = 20;
const CHAIN: u64 = 560_048;

pub fn slots(now: Time) -> SlotTimes {
    let genesis = Time(now.0 - 100 * SLOT_MS - 1_000);
    SlotTimes { genesis, slot_ms: SLOT_MS, slots_per_epoch: 32 }
}

/// Keys of operators 1 to 4, and of validators that they share.
pub struct Keys {
    pub identities: BTreeMap<OperatorId, identity::SecretKey>,
    pub committee: Arc<Committee>,
    pub id: CommitteeId,
    threshold: Threshold,
    pub validators: Vec<PublicKey>,
    shares: Vec<SecretVector>,
    share_keys: Vec<Arc<[PublicKey]>>,
}

impl Keys {
    pub fn new(validators: usize) -> Self {
        let rng = &mut ChaCha20Rng::seed_from_u64(7);
        let identities: BTreeMap<_, _> =
            (1..=4).map(|id| (OperatorId(id), identity::SecretKey::generate(rng))).collect();
        let members = identities.iter().map(|(id, key)| (*id, key.public_key())).collect();
        let committee = Arc::new(Committee::new(members).unwrap());
        let threshold = committee.threshold();
        let polynomials = Polynomials::sample(validators.max(1), threshold, rng);
        let commitments = polynomials.commit();
        let by_operator: Vec<_> = ShareIndex::all(threshold).map(|index| commitments.share_keys(index)).collect();
        Self {
            id: CommitteeId::new(CHAIN, &committee),
            identities,
            committee,
            threshold,
            validators: commitments.group_keys(),
            shares: ShareIndex::all(threshold).map(|index| polynomials.shares_for(index)).collect(),
            share_keys: (0..validators).map(|k| by_operator.iter().map(|keys| keys[k]).collect()).collect(),
        }
    }

    /// All validators with one root, as in a slot.
    pub fn items(&self, root: [u8; 32]) -> Vec<Item> {
        let item = |k: usize| Item { validator: self.validators[k], root, share_keys: self.share_keys[k].clone() };
        (0..self.share_keys.len()).map(item).collect()
    }

    pub fn partial(&self, operator: OperatorId, validator: usize, root: [u8; 32]) -> Partial {
        let share = self.shares[operator.0 as usize - 1].secret_key(validator).unwrap();
        sign_same_message(&[&share], self.threshold, &HashedMessage::new(&root))[0]
    }

    pub fn own(&self, operator: OperatorId, root: [u8; 32]) -> Vec<Option<Partial>> {
        (0..self.share_keys.len()).map(|k| Some(self.partial(operator, k, root))).collect()
    }

    pub fn instance(&self, slot: u64) -> InstanceId {
        InstanceId { committee: self.id, slot: Slot(slot), kind: InstanceKind::Attestation }
    }

    pub fn exchange(&self, slot: u64) -> SigningId {
        SigningId::new(self.id, SigningKind::Attestation, Slot(slot))
    }

    pub fn leader(&self, instance: &InstanceId, round: u32) -> OperatorId {
        consensus::leader(&self.committee, instance, round)
    }
}

/// The faults that a hub reported.
#[derive(Default)]
pub struct Seen {
    pub faults: Mutex<Vec<(OperatorId, String)>>,
    pub evidence: Mutex<Vec<Evidence>>,
}

impl Observer for Seen {
    fn fault(&self, from: OperatorId, reason: &str) {
        self.faults.lock().unwrap().push((from, reason.to_owned()));
    }

    fn evidence(&self, evidence: &Evidence) {
        self.evidence.lock().unwrap().push(*evidence);
    }
}

/// What connects the hubs of a test.
pub struct Net {
    clock: Clock,
    state: Mutex<State>,
}

struct State {
    hubs: BTreeMap<OperatorId, Hub>,
    blocked: BTreeSet<(OperatorId, OperatorId)>,
    loss_permille: u64,
    rng: ChaCha20Rng,
    /// Every message that left, before losses.
    sent: Vec<(OperatorId, DutyMessage)>,
}

impl Net {
    fn new(clock: Clock, seed: u64) -> Arc<Self> {
        let rng = ChaCha20Rng::seed_from_u64(seed);
        let (hubs, blocked, sent) = Default::default();
        Arc::new(Self { clock, state: Mutex::new(State { hubs, blocked, loss_permille: 0, rng, sent }) })
    }

    pub fn block(&self, from: OperatorId, to: OperatorId) {
        self.state.lock().unwrap().blocked.insert((from, to));
    }

    pub fn lose(&self, permille: u64) {
        self.state.lock().unwrap().loss_permille = permille;
    }

    pub fn unplug(&self, operator: OperatorId) {
        self.state.lock().unwrap().hubs.remove(&operator);
    }

    /// Statements that an operator signed for an instance, by round and kind.
    pub fn statements(&self, of: OperatorId, instance: &InstanceId) -> BTreeMap<(u32, VoteKind), BTreeSet<String>> {
        let mut all: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
        for (from, message) in &self.state.lock().unwrap().sent {
            let DutyMessage::Consensus(about, bytes) = message else { continue };
            let vote = match Message::decode(bytes, consensus::MAX_MESSAGE_BYTES).unwrap() {
                Message::Vote(vote) | Message::RoundChange { vote, .. } => vote,
                Message::Propose(proposal) => proposal.vote,
                _ => continue,
            };
            if *from == of && about == instance {
                let said = format!("{:?}", vote.statement);
                all.entry((vote.round, vote.statement.kind())).or_default().insert(said);
            }
        }
        all
    }

    /// Messages that left an operator.
    pub fn sent(&self, by: OperatorId) -> Vec<DutyMessage> {
        let state = self.state.lock().unwrap();
        state.sent.iter().filter(|(from, _)| *from == by).map(|(_, message)| message.clone()).collect()
    }

    fn passes(&self, from: OperatorId, to: OperatorId) -> bool {
        let mut state = self.state.lock().unwrap();
        let drawn = state.rng.next_u64() % 1_000;
        !state.blocked.contains(&(from, to)) && drawn >= state.loss_permille
    }

    fn hub(&self, of: OperatorId) -> Option<Hub> {
        self.state.lock().unwrap().hubs.get(&of).cloned()
    }
}

struct SimMesh {
    me: OperatorId,
    net: Arc<Net>,
}

impl Mesh for SimMesh {
    /// Like the mesh over sockets: repeated until acknowledged or expired. A lost message or answer is noticed late.
    fn send(&self, to: OperatorId, message: DutyMessage, expires: Time) {
        let (me, net) = (self.me, Arc::clone(&self.net));
        net.state.lock().unwrap().sent.push((me, message.clone()));
        tokio::spawn(async move {
            while net.clock.now() < expires {
                net.clock.sleep(Duration::from_millis(LATENCY_MS)).await;
                let delivered = match net.hub(to).filter(|_| net.passes(me, to)) {
                    Some(hub) => hub.deliver(me, message.clone()),
                    None => Delivery::Busy,
                };
                let answered = delivered != Delivery::Busy && net.passes(to, me);
                if answered {
                    return;
                }
                net.clock.sleep(Duration::from_millis(300)).await;
            }
        });
    }
}

/// A running operator.
pub struct Operator {
    pub id: OperatorId,
    pub hub: Hub,
    pub seen: Arc<Seen>,
}

pub struct World {
    pub keys: Keys,
    pub clock: Clock,
    pub net: Arc<Net>,
    pub operators: Vec<Operator>,
    pub votes: Vec<MemoryVotes>,
}

impl World {
    /// Four operators with votes in memory, all started.
    pub fn new(validators: usize, seed: u64) -> Self {
        let mut world = Self::empty(validators, seed);
        for id in 1..=4 {
            let votes = world.votes[id as usize - 1].clone();
            world.start(OperatorId(id), Arc::new(votes));
        }
        world
    }

    pub fn empty(validators: usize, seed: u64) -> Self {
        println!("seed {seed}");
        let clock = Clock::at(START);
        let votes = (0..4).map(|_| MemoryVotes::default()).collect();
        Self { keys: Keys::new(validators), clock, net: Net::new(clock, seed), operators: Vec::new(), votes }
    }

    /// Starts an operator, in place of the one that ran before.
    pub fn start(&mut self, id: OperatorId, votes: Arc<dyn Votes>) {
        self.start_with_clock(id, votes, self.clock);
    }

    /// The same for one whose clock differs from that of the others.
    pub fn start_with_clock(&mut self, id: OperatorId, votes: Arc<dyn Votes>, clock: Clock) {
        let mesh = Arc::new(SimMesh { me: id, net: Arc::clone(&self.net) });
        let seen = Arc::new(Seen::default());
        let identity = self.keys.identities[&id].clone();
        let hub = Hub::new(id, identity, mesh, votes, clock, Arc::clone(&seen) as Arc<dyn Observer>);
        hub.set_slots(slots(START));
        hub.add_committee(self.keys.id, Arc::clone(&self.keys.committee));
        self.net.state.lock().unwrap().hubs.insert(id, hub.clone());
        self.operators.retain(|operator| operator.id != id);
        self.operators.push(Operator { id, hub, seen });
        self.operators.sort_by_key(|operator| operator.id);
    }

    /// Stops an operator, so that its store can be opened again.
    pub async fn stop(&mut self, id: OperatorId) {
        self.net.unplug(id);
        self.operator(id).hub.shutdown().await;
        self.operators.retain(|operator| operator.id != id);
    }

    /// Connects a hub again.
    pub fn plug(&self, id: OperatorId, hub: Hub) {
        self.net.state.lock().unwrap().hubs.insert(id, hub);
    }

    pub fn operator(&self, id: OperatorId) -> &Operator {
        self.operators.iter().find(|operator| operator.id == id).unwrap()
    }

    pub fn timing(&self) -> Timing {
        Timing { start: START, round_ms: ROUND_MS, give_up: START.plus_ms(2 * SLOT_MS) }
    }

    /// One operator's part, with a value of its own and a judge that likes everything.
    pub fn agree(&self, id: OperatorId, instance: InstanceId) -> BoxFuture<'static, Result<Agreed, AgreeError>> {
        self.agree_on(id, instance, ready(format!("the value of operator {id}").into_bytes()), likes_all())
    }

    pub fn agree_on(
        &self,
        id: OperatorId,
        instance: InstanceId,
        value: BoxFuture<'static, Option<Vec<u8>>>,
        judge: Judge,
    ) -> BoxFuture<'static, Result<Agreed, AgreeError>> {
        let (hub, timing) = (self.operator(id).hub.clone(), self.timing());
        async move { hub.agree(instance, timing, value, judge).await }.boxed()
    }

    pub fn ids(&self) -> Vec<OperatorId> {
        self.operators.iter().map(|operator| operator.id).collect()
    }

    /// Milliseconds since the start.
    pub fn elapsed(&self) -> u64 {
        self.clock.now().since(START)
    }

    /// Faults that anybody found, with the finder.
    pub fn faults(&self) -> Vec<(OperatorId, OperatorId, String)> {
        let of = |operator: &Operator| {
            let faults = operator.seen.faults.lock().unwrap().clone();
            faults.into_iter().map(|(from, reason)| (operator.id, from, reason)).collect::<Vec<_>>()
        };
        self.operators.iter().flat_map(of).collect()
    }

    /// No operator ever signed two statements of one kind in one round.
    pub fn assert_no_double_votes(&self, instance: &InstanceId) {
        for id in self.keys.identities.keys() {
            for (place, said) in self.net.statements(*id, instance) {
                assert_eq!(said.len(), 1, "operator {id} said {said:?} in {place:?}");
            }
        }
    }
}

pub fn ready(value: Vec<u8>) -> BoxFuture<'static, Option<Vec<u8>>> {
    futures::future::ready(Some(value)).boxed()
}

pub fn never() -> BoxFuture<'static, Option<Vec<u8>>> {
    futures::future::pending().boxed()
}

pub fn likes_all() -> Judge {
    Arc::new(|_| futures::future::ready(Ok(())).boxed())
}

/// All decided the same; returns it.
pub fn same(results: Vec<Result<Agreed, AgreeError>>) -> Agreed {
    let agreed: Vec<Agreed> = results.into_iter().map(Result::unwrap).collect();
    assert!(agreed.iter().all(|one| one.value == agreed[0].value), "{agreed:?}");
    agreed.into_iter().max_by_key(|one| one.decided_at).unwrap()
}

/// Whether a vote with this statement was made; for messages in `sent`.
pub fn is_commit(message: &DutyMessage) -> bool {
    let DutyMessage::Consensus(_, bytes) = message else { return false };
    let decoded = Message::decode(bytes, consensus::MAX_MESSAGE_BYTES);
    matches!(decoded, Ok(Message::Vote(vote)) if matches!(vote.statement, Statement::Commit(_)))
}
