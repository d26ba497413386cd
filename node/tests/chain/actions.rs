//! What an operator does about what the contracts say, and what it leaves alone. The contracts are doubles: real ones would
//! refuse most of this, and an operator does not rely on that.

use std::sync::Arc;

use alloy_primitives::U256;
use cluster_core::ceremony::CeremonyId;
use cluster_core::chain::{abi, BlockRef, Commit, EventId, FactKey, PubkeyBytes};
use cluster_core::committee::OperatorId;
use cluster_crypto::ethereum::{Address, WalletKey};
use cluster_crypto::polynomial::Polynomials;
use cluster_crypto::seal::{seal_envelopes, Envelope, EnvelopeContext};
use cluster_crypto::{bls, ShareIndex, Threshold};
use cluster_node::driver::Hooks;
use cluster_node::operator::RunningOperator;
use cluster_node::service_client::now_ms;
use cluster_node::store::{Source, Store, ValidatorEntry};
use rand_core::OsRng;

use crate::anvil::{until, Anvil, Reader, CONTRACTS};
use crate::common::World;
use crate::emit::{self, emitted, Emitted};

/// The operator that runs; the others are in the registry only.
const ME: OperatorId = OperatorId(1);
const FIRST: [u32; 4] = [1, 2, 3, 4];
/// The same operator in another committee.
const SECOND: [u32; 4] = [1, 3, 4, 5];
/// A committee without it.
const OTHERS: [u32; 4] = [2, 3, 4, 5];
/// Blocks of a subscription that lasts.
const LONG: u64 = 10_000_000;

struct Stage {
    anvil: Anvil,
    world: World,
}

/// A key, dealt to a committee.
struct Dealt {
    pubkey: bls::PublicKey,
    committee: Vec<u32>,
    share_pubkeys: Vec<bls::PublicKey>,
    envelopes: Vec<Envelope>,
}

impl Stage {
    /// Five operators and the owner's gateway.
    async fn set() -> Self {
        let (anvil, world) = emit::five_operators().await;
        Self { anvil, world }
    }

    async fn operator(&self) -> RunningOperator {
        self.world.start_operator(ME, Hooks::default()).await
    }

    /// The owner's request to a committee.
    async fn ask(&self, committee: [u32; 4]) -> EventId {
        let event = abi::ValidatorDepositDataGeneration {
            clusterNodePublicKey: self.world.gateway_key.public_key().to_bytes().to_vec().into(),
            owner: self.world.wallet.address().0.into(),
            ownerPubkey: self.world.wallet.public_key_uncompressed().to_vec().into(),
            validatorCount: U256::from(1),
            operatorIds: committee.to_vec(),
            depositAmount: U256::from(32_000_000_000_000_000_000u128),
            withdrawAddress: [0x77; 20].into(),
        };
        let transaction_hash = self.anvil.emit(&emitted(CONTRACTS.cluster_node, &event)).await;
        EventId { chain_id: CONTRACTS.chain_id, contract: CONTRACTS.cluster_node, transaction_hash, log_index: 0 }
    }

    /// As the ceremony of this event would have dealt it.
    fn deal(&self, key: &bls::SecretKey, committee: [u32; 4], event: &EventId) -> Dealt {
        let size = Threshold::for_operators(committee.len()).unwrap();
        let polynomials = Polynomials::sharing(std::slice::from_ref(key), size, &mut OsRng);
        let (commitments, pubkey) = (polynomials.commit(), key.public_key());
        let ceremony_id = CeremonyId::of_event(event);
        let envelope = |(id, index): (&u32, ShareIndex)| {
            let context = EnvelopeContext { ceremony_id: ceremony_id.as_bytes(), operator_id: *id };
            let receiver = self.world.keys[&OperatorId(*id)].public_key();
            seal_envelopes(&receiver, context, &[pubkey], &polynomials.shares_for(index), &mut OsRng).unwrap().remove(0)
        };
        Dealt {
            pubkey,
            committee: committee.to_vec(),
            share_pubkeys: ShareIndex::all(size).map(|index| commitments.share_keys(index)[0]).collect(),
            envelopes: committee.iter().zip(ShareIndex::all(size)).map(envelope).collect(),
        }
    }

    async fn register(&self, by: &WalletKey, dealt: &Dealt, paid_until: u64) {
        let event = abi::ValidatorRegistration {
            ownerAddress: by.address().0.into(),
            publicKey: dealt.pubkey.to_bytes().to_vec().into(),
            operatorIds: dealt.committee.clone(),
            sharesPublicKeys: dealt.share_pubkeys.iter().map(|key| key.to_bytes().to_vec().into()).collect(),
            encryptedKeys: dealt.envelopes.iter().map(|envelope| envelope.to_bytes().to_vec().into()).collect(),
            paidBlockNumber: U256::from(paid_until),
        };
        self.anvil.emit(&emitted(CONTRACTS.network, &event)).await;
    }

    fn removal(&self, by: &WalletKey, pubkey: &bls::PublicKey) -> Emitted {
        let event =
            abi::ValidatorRemoval { ownerAddress: by.address().0.into(), publicKey: pubkey.to_bytes().to_vec().into() };
        emitted(CONTRACTS.network, &event)
    }

    fn exit(&self, by: &WalletKey, pubkeys: &[bls::PublicKey]) -> Emitted {
        let event = abi::ValidatorExitDataGeneration {
            clusterNodePublicKey: self.world.gateway_key.public_key().to_bytes().to_vec().into(),
            owner: by.address().0.into(),
            validatorPubKeys: pubkeys.iter().map(|key| key.to_bytes().to_vec().into()).collect(),
            activeEpoch: U256::from(3),
        };
        emitted(CONTRACTS.cluster_node, &event)
    }

    fn recipient(&self, by: &WalletKey, to: u8) -> Emitted {
        let event = abi::FeeRecipientAddressChanged { owner: by.address().0.into(), newAddress: [to; 20].into() };
        emitted(CONTRACTS.operator_config, &event)
    }

    /// Returns when the operator has acted on everything so far: the owner's next fee recipient has arrived at its validator.
    async fn settle(&self, operator: &RunningOperator, pubkey: &bls::PublicKey, to: u8) {
        self.anvil.emit(&self.recipient(&self.world.wallet, to)).await;
        let arrived = || held(operator, pubkey).is_some_and(|entry| entry.fee_recipient == Address([to; 20]));
        until("the fee recipient", arrived).await;
    }
}

fn held(operator: &RunningOperator, pubkey: &bls::PublicKey) -> Option<ValidatorEntry> {
    operator.validators().unwrap().into_iter().find(|entry| entry.pubkey == *pubkey)
}

fn is_performed(operator: &RunningOperator, pubkey: &bls::PublicKey) -> bool {
    held(operator, pubkey).is_some_and(|entry| entry.active)
}

fn shows(operator: &RunningOperator, line: &str) -> bool {
    operator.metrics().text().lines().any(|shown| shown == format!("cluster_node_{line}"))
}

fn new_key() -> bls::SecretKey {
    bls::SecretKey::generate(&mut OsRng)
}

#[tokio::test(flavor = "multi_thread")]
async fn duties_begin_only_with_the_share_that_the_public_share_names() {
    let stage = Stage::set().await;
    let (event, other) = (stage.ask(FIRST).await, stage.ask(OTHERS).await);
    let operator = stage.operator().await;
    let keys = [new_key(), new_key(), new_key(), new_key()];
    let deal = |at: usize| stage.deal(&keys[at], FIRST, &event);
    // Sealed under a request to others; public shares of another key; the share of another dealing of the same key.
    let sealed_elsewhere = stage.deal(&keys[0], FIRST, &other);
    let of_another_key = Dealt { share_pubkeys: deal(0).share_pubkeys, ..deal(1) };
    let of_another_dealing = Dealt { envelopes: deal(2).envelopes, ..deal(2) };
    for wrong in [&sealed_elsewhere, &of_another_key, &of_another_dealing] {
        stage.register(&stage.world.wallet, wrong, LONG).await;
    }
    let right = deal(3);
    stage.register(&stage.world.wallet, &right, LONG).await;
    until("the right one", || is_performed(&operator, &right.pubkey)).await;
    until("the others are shown", || shows(&operator, "chain_registrations_bad 3")).await;
    for wrong in [&sealed_elsewhere, &of_another_key, &of_another_dealing] {
        assert_eq!(held(&operator, &wrong.pubkey), None);
    }
    let entry = held(&operator, &right.pubkey).unwrap();
    assert!(matches!(entry.source, Source::Registered(_)), "opened from the event");
    assert_eq!((entry.share_index.get(), &entry.share_pubkeys), (1, &right.share_pubkeys));
    assert_eq!(entry.withdrawal_address, Some(Address([0x77; 20])), "of the request whose ceremony made it");
    // An order to leave for one that is performed and one that cannot be yet is carried out for the first.
    let both = [right.pubkey, keys[0].public_key()];
    stage.anvil.emit(&stage.exit(&stage.world.wallet, &both)).await;
    let ordered = || operator.exits().orders(now_ms() / 1_000).unwrap().pop().map(|order| order.request.pubkeys);
    until("the order for the first", || ordered() == Some(vec![right.pubkey])).await;
    // What was wrong is put right by its owner.
    stage.register(&stage.world.wallet, &deal(0), LONG).await;
    until("the corrected one", || is_performed(&operator, &keys[0].public_key())).await;
    until("two are left", || shows(&operator, "chain_registrations_bad 2")).await;
    until("the order for both", || ordered() == Some(both.to_vec())).await;
    assert_eq!(operator.exits().orders(now_ms() / 1_000).unwrap().len(), 1);
    operator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn removal_replacement_and_exit_act_for_the_owner_only() {
    let stage = Stage::set().await;
    let (owner, stranger) = (&stage.world.wallet, emit::wallet(66));
    let (first, second) = (stage.ask(FIRST).await, stage.ask(SECOND).await);
    let others = stage.ask(OTHERS).await;
    let operator = stage.operator().await;
    let key = new_key();
    let pubkey = key.public_key();
    let dealt = stage.deal(&key, FIRST, &first);
    stage.register(owner, &dealt, LONG).await;
    until("the registration", || is_performed(&operator, &pubkey)).await;

    for event in [stage.removal(&stranger, &pubkey), stage.exit(&stranger, &[pubkey]), stage.recipient(&stranger, 0x66)]
    {
        stage.anvil.emit(&event).await;
    }
    stage.register(&stranger, &stage.deal(&key, OTHERS, &others), LONG).await;
    stage.settle(&operator, &pubkey, 0x90).await;
    let entry = held(&operator, &pubkey).unwrap();
    assert_eq!((entry.active, entry.owner), (true, Some(owner.address())));
    assert_eq!(entry.share_pubkeys, dealt.share_pubkeys);
    assert!(operator.exits().orders(now_ms() / 1_000).unwrap().is_empty());

    // The owner's orders: to another committee with this operator, to one without it, back, out, and away.
    let again = stage.deal(&key, SECOND, &second);
    stage.register(owner, &again, LONG).await;
    until("the new committee", || held(&operator, &pubkey).unwrap().share_pubkeys == again.share_pubkeys).await;
    let entry = held(&operator, &pubkey).unwrap();
    assert!(entry.active && entry.committee.iter().map(|(id, _)| id.0).eq(SECOND));
    stage.register(owner, &stage.deal(&key, OTHERS, &others), LONG).await;
    until("given to others", || !is_performed(&operator, &pubkey)).await;
    stage.register(owner, &again, LONG).await;
    until("given back", || is_performed(&operator, &pubkey)).await;
    stage.anvil.emit(&stage.exit(owner, &[pubkey])).await;
    let orders = || operator.exits().orders(now_ms() / 1_000).unwrap();
    until("the order to exit", || orders().len() == 1).await;
    assert_eq!((orders()[0].request.owner, &orders()[0].request.pubkeys), (owner.address(), &vec![pubkey]));
    stage.anvil.emit(&stage.removal(owner, &pubkey)).await;
    until("taken away", || !is_performed(&operator, &pubkey)).await;
    operator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_that_ended_is_shown_and_stops_nothing() {
    let stage = Stage::set().await;
    let event = stage.ask(FIRST).await;
    let operator = stage.operator().await;
    let key = new_key();
    let pubkey = key.public_key();
    let (head, _) = stage.anvil.head().await;
    stage.register(&stage.world.wallet, &stage.deal(&key, FIRST, &event), head + 20).await;
    until("the registration", || is_performed(&operator, &pubkey)).await;
    until("it ends soon", || shows(&operator, "chain_subscriptions_ending 1")).await;
    stage.anvil.mine(30).await;
    let (head_now, _) = stage.anvil.head().await;
    let left = i128::from(head + 20) - i128::from(head_now);
    until("it has ended", || shows(&operator, &format!("chain_subscription_blocks_left {left}"))).await;
    assert!(left < 0 && is_performed(&operator, &pubkey), "it is still performed");
    // Another restart does not make it stop either.
    operator.shutdown().await;
    let operator = stage.operator().await;
    until("it is shown again", || shows(&operator, "chain_subscriptions_ending 1")).await;
    assert!(is_performed(&operator, &pubkey));
    let paid = abi::OperatorTaskDetail {
        publicKey: pubkey.to_bytes().to_vec().into(),
        operatorFee: U256::from(1),
        payAmount: U256::from(1),
        startBlockNumber: U256::from(head_now),
        endBlockNumber: U256::from(LONG),
    };
    stage.anvil.emit(&emitted(CONTRACTS.network, &paid)).await;
    until("it is paid", || shows(&operator, "chain_subscriptions_ending 0")).await;
    operator.shutdown().await;
}

/// What an operator holds, as far as actions change it.
#[derive(Debug, PartialEq, Eq)]
struct Held {
    ceremony_began: Option<u64>,
    validator: Option<ValidatorEntry>,
    exit: bool,
}

fn look(store: &Store, event: &EventId, pubkey: &bls::PublicKey) -> Held {
    let ceremony = store.ceremony(CeremonyId::of_event(event)).unwrap();
    Held {
        ceremony_began: ceremony.map(|entry| entry.started_ms),
        validator: store.validator(&pubkey.to_bytes()).unwrap(),
        exit: store.entries(cluster_node::store::Table::Exits).count() == 1,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_and_not_acted_on_is_done_after_a_restart_and_once() {
    let stage = Stage::set().await;
    let key = new_key();
    let pubkey = key.public_key();
    let event = stage.ask(FIRST).await;
    stage.register(&stage.world.wallet, &stage.deal(&key, FIRST, &event), LONG).await;
    stage.anvil.emit(&stage.exit(&stage.world.wallet, &[pubkey])).await;
    // The facts are committed, and the node dies before anything follows from them.
    let folder = stage.world.data_dir(ME);
    let reader = Reader::resume_as(&stage.world.chain, &folder, &stage.world.keys[&ME]).await;
    reader.reaches(&stage.anvil).await;
    reader.stop().await;
    let wanted = [FactKey::Request(event), FactKey::Validator(PubkeyBytes::from(&pubkey))];
    let open = || Arc::new(Store::open(&folder, &stage.world.keys[&ME]).unwrap());
    let state = {
        let store = open();
        assert_eq!(look(&store, &event, &pubkey), Held { ceremony_began: None, validator: None, exit: false });
        store.chain_state().unwrap()
    };
    assert!(wanted.iter().all(|key| state.marks.contains(key)), "{:?}", state.marks);
    let all_marks = state.marks.len();

    // It comes back: all of it is done, although no block brings it again.
    let settled = |operator: &RunningOperator| {
        let orders = operator.exits().orders(now_ms() / 1_000).unwrap();
        is_performed(operator, &pubkey) && orders.len() == 1 && operator.stats().open_ceremonies == 1
    };
    let operator = stage.operator().await;
    until("everything is done", || settled(&operator)).await;
    operator.shutdown().await;
    let done = {
        let store = open();
        assert_eq!(store.chain_state().unwrap().marks, vec![], "and noted");
        // It dies between an action and its note: everything is marked again.
        let tip: Option<BlockRef> = store.chain_cursor().unwrap().unwrap().tip;
        let changes = state.entries.clone();
        let again = Commit { tip, changes, record: None, dropped: vec![], unkept: vec![] };
        store.commit_chain(&CONTRACTS, &again).unwrap();
        assert_eq!(store.chain_state().unwrap().marks.len(), all_marks);
        look(&store, &event, &pubkey)
    };
    assert!(done.ceremony_began.is_some() && done.exit, "{done:?}");
    let operator = stage.operator().await;
    until("everything is still done", || settled(&operator)).await;
    stage.settle(&operator, &pubkey, 0x91).await;
    stage.settle(&operator, &pubkey, 0x92).await;
    operator.shutdown().await;
    let mut after = look(&open(), &event, &pubkey);
    if let Some(validator) = &mut after.validator {
        validator.fee_recipient = done.validator.as_ref().unwrap().fee_recipient;
    }
    assert_eq!(after, done, "one ceremony, one validator, one order");
}
