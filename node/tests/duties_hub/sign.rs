//! Exchanges of partial signatures: wrong and missing ones, and questions.

use std::time::Duration;

use cluster_core::committee::OperatorId;
use cluster_core::machine::Time;
use cluster_core::signing::Message;
use cluster_crypto::bls::{verify, HashedMessage, Signature};
use cluster_crypto::threshold::Partial;
use cluster_node::duties::hub::Signed;
use cluster_node::duties::mesh::DutyMessage;
use futures::future::{join_all, BoxFuture};
use futures::FutureExt;

use crate::world::{World, LATENCY_MS, SLOT_MS, START};

const ROOT: [u8; 32] = [0xaa; 32];
const GIVE_UP: Time = START.plus_ms(SLOT_MS);

fn part(world: &World, id: OperatorId, own: Vec<Option<Partial>>) -> BoxFuture<'static, Signed> {
    let (hub, exchange) = (world.operator(id).hub.clone(), world.keys.exchange(100));
    let items = world.keys.items(ROOT);
    async move { hub.sign(exchange, items, own, GIVE_UP).await }.boxed()
}

fn honest(world: &World, id: OperatorId) -> BoxFuture<'static, Signed> {
    part(world, id, world.keys.own(id, ROOT))
}

fn assert_signed(world: &World, signed: &Signed) {
    assert_eq!(signed.signatures.len(), world.keys.validators.len());
    for (validator, signature) in world.keys.validators.iter().zip(&signed.signatures) {
        let signature: &Signature = signature.as_ref().expect("every validator is signed for");
        assert!(verify(validator, &HashedMessage::new(&ROOT), signature));
    }
}

/// Messages about partials of an operator: partials, questions.
fn counts(world: &World, id: OperatorId) -> (usize, usize) {
    let mut counts = (0, 0);
    for message in world.net.sent(id) {
        let DutyMessage::Signing(_, bytes) = message else { continue };
        match Message::decode(&bytes, 1 << 20).unwrap() {
            Message::Partials(_) => counts.0 += 1,
            Message::Want(_) => counts.1 += 1,
        }
    }
    counts
}

#[tokio::test(start_paused = true)]
async fn all_are_signed_after_one_message_of_each() {
    let world = World::new(5, 1);
    for signed in join_all(world.ids().into_iter().map(|id| honest(&world, id))).await {
        assert_signed(&world, &signed);
        assert!(signed.bad.is_empty() && signed.participants.len() >= 3, "{signed:?}");
        let at: Vec<u64> = signed.participants.iter().map(|(_, at)| at.since(START)).collect();
        assert!(at.iter().all(|at| *at <= LATENCY_MS), "{at:?}");
    }
    assert!(world.ids().into_iter().all(|id| counts(&world, id) == (3, 0)));
    assert!(world.faults().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_wrong_partial_is_found_its_sender_named_and_doubted_and_all_is_signed() {
    let world = World::new(3, 2);
    let liar = OperatorId(1);
    let wrong = |world: &World| {
        let mut own = world.keys.own(liar, ROOT);
        own[1] = Some(world.keys.partial(liar, 1, [0xbb; 32]));
        own
    };
    // Operator 4 is late, so that the others cannot do without the liar.
    let late = async {
        world.clock.sleep(Duration::from_millis(200)).await;
        honest(&world, OperatorId(4)).await
    };
    let lie = part(&world, liar, wrong(&world));
    let (second, third, fourth, _) =
        tokio::join!(honest(&world, OperatorId(2)), honest(&world, OperatorId(3)), late, lie);
    for signed in [&second, &third, &fourth] {
        assert_signed(&world, signed);
    }
    assert_eq!((&second.bad[..], &third.bad[..]), (&[liar][..], &[liar][..]));
    assert!(second.participants.iter().all(|(id, _)| *id != liar), "{second:?}");
    let faults = world.faults();
    assert!(faults.iter().any(|(finder, from, _)| (*finder, *from) == (OperatorId(2), liar)), "{faults:?}");
    assert!(faults.iter().all(|(_, from, _)| *from == liar), "{faults:?}");
}

#[tokio::test(start_paused = true)]
async fn one_operator_may_be_missing_and_two_may_not() {
    let world = World::new(2, 3);
    world.net.unplug(OperatorId(4));
    let ids = [OperatorId(1), OperatorId(2), OperatorId(3)];
    for signed in join_all(ids.map(|id| honest(&world, id))).await {
        assert_signed(&world, &signed);
        assert_eq!(signed.participants.len(), 3);
    }

    let world = World::new(2, 3);
    let ids = [OperatorId(1), OperatorId(2)];
    for signed in join_all(ids.map(|id| honest(&world, id))).await {
        assert!(signed.signatures.iter().all(Option::is_none) && signed.failure.is_none());
        let there: Vec<OperatorId> = signed.participants.iter().map(|(id, _)| *id).collect();
        assert_eq!((there, world.elapsed()), (vec![OperatorId(1), OperatorId(2)], SLOT_MS));
    }
}

#[tokio::test(start_paused = true)]
async fn who_missed_everything_asks_and_is_answered_long_after_the_others_are_done() {
    let world = World::new(3, 4);
    let late = OperatorId(4);
    world.net.unplug(late);
    let ids = [OperatorId(1), OperatorId(2), OperatorId(3)];
    join_all(ids.map(|id| honest(&world, id))).await;
    // Long enough for the messages of the others to have expired.
    world.clock.sleep(Duration::from_millis(SLOT_MS + 1_000)).await;
    world.plug(late, world.operator(late).hub.clone());
    let (hub, exchange, items) = (&world.operator(late).hub, world.keys.exchange(100), world.keys.items(ROOT));
    let before = world.elapsed();
    let give_up = world.clock.now().plus_ms(SLOT_MS);
    // It has no shares of its own yet.
    let signed = hub.sign(exchange, items, vec![None; 3], give_up).await;
    assert_signed(&world, &signed);
    assert!(world.elapsed() - before < 1_000, "{} ms", world.elapsed() - before);
    assert_eq!(counts(&world, late), (0, 3), "one question to each");
    assert!(world.faults().is_empty(), "{:?}", world.faults());
}

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_is_said_in_words() {
    let world = World::new(1, 5);
    let signed = part(&world, OperatorId(1), Vec::new()).await;
    assert_eq!(signed.failure.as_deref(), Some("there are 0 own partial signatures for 1 items"));
    assert_eq!(signed.signatures.len(), 1);
    let (hub, items) = (&world.operators[0].hub, world.keys.items(ROOT));
    let far = hub.sign(world.keys.exchange(100 + 32 * 4), items, vec![None], GIVE_UP).await;
    assert!(far.failure.as_deref().is_some_and(|words| words.ends_with("cannot be signed in slot 100")), "{far:?}");
}
