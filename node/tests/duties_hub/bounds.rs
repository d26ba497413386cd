//! What comes from outside is bounded, what fails is contained, and who goes leaves nothing behind.

use std::sync::Arc;
use std::time::Duration;

use cluster_core::committee::OperatorId;
use cluster_core::consensus::Message;
use cluster_core::duty::CommitteeId;
use cluster_net::codec::Bytes;
use cluster_node::duties::hub::{AgreeError, Delivery, Judge};
use cluster_node::duties::mesh::DutyMessage;
use futures::future::join_all;
use futures::FutureExt;

use crate::world::{likes_all, never, ready, same, World, ROUND_MS, SLOT_MS, START};

#[tokio::test(start_paused = true)]
async fn messages_for_what_has_not_started_wait_within_bounds() {
    let world = World::new(0, 1);
    let hub = &world.operators[0].hub;
    let peer = OperatorId(2);
    let vote = |slot, byte: u8| DutyMessage::Consensus(world.keys.instance(slot), Bytes::from(vec![byte]));
    for byte in 0..32 {
        assert_eq!(hub.deliver(peer, vote(100, byte)), Delivery::Accepted);
    }
    assert_eq!(hub.deliver(peer, vote(100, 99)), Delivery::Busy);
    assert_eq!(hub.deliver(peer, vote(100, 7)), Delivery::Accepted, "a repetition takes no place");
    assert_eq!(hub.deliver(OperatorId(3), vote(100, 99)), Delivery::Accepted, "others have a place of their own");
    for (slot, expected) in [(96, true), (95, false), (101, true), (102, false)] {
        assert_eq!(hub.deliver(peer, vote(slot, 1)) == Delivery::Accepted, expected, "slot {slot}");
    }
    let partials = |slot| DutyMessage::Signing(world.keys.exchange(slot), Bytes::from(vec![1]));
    for (slot, expected) in [(64, true), (63, false), (196, true), (197, false)] {
        assert_eq!(hub.deliver(peer, partials(slot)) == Delivery::Accepted, expected, "slot {slot}");
    }
    // Large ones: no more than two.
    let large = |byte: u8| DutyMessage::Consensus(world.keys.instance(101), Bytes::from(vec![byte; 8 << 20]));
    let taken = (0..4).filter(|byte| hub.deliver(peer, large(*byte)) == Delivery::Accepted).count();
    assert_eq!(taken, 2);
    // Strangers, and committees that nobody named.
    assert_eq!(hub.deliver(OperatorId(9), vote(100, 1)), Delivery::Refused("the sender is not in the committee"));
    assert_eq!(world.faults().len(), 1);
    let mut other = world.keys.instance(100);
    other.committee = CommitteeId([1; 32]);
    let message = DutyMessage::Consensus(other, Bytes::from(vec![1]));
    assert_eq!(hub.deliver(peer, message), Delivery::Refused("the committee is not known here"));
    // All of it is judged when the instance starts, and thrown away when its time is over.
    let agreed = join_all(world.ids().into_iter().map(|id| world.agree(id, world.keys.instance(100)))).await;
    same(agreed);
    let malformed = world.faults().iter().filter(|(_, from, _)| *from == peer).count();
    assert!(malformed >= 32, "{:?}", world.faults());
    world.clock.sleep(Duration::from_millis(6 * SLOT_MS)).await;
    assert_eq!(hub.deliver(peer, vote(106, 1)), Delivery::Accepted);
    let taken = (0..4).filter(|byte| {
        hub.deliver(peer, DutyMessage::Consensus(world.keys.instance(106), vec![*byte; 8 << 20].into()))
            == Delivery::Accepted
    });
    assert_eq!(taken.count(), 2, "what waited for slot 101 is gone");
}

#[tokio::test(start_paused = true)]
async fn a_value_that_is_large_travels_and_one_that_is_too_large_does_not() {
    let world = World::new(0, 2);
    for (slot, bytes, is_leaders) in [(100, 8 << 20, true), (101, (8 << 20) + 1, false)] {
        let instance = world.keys.instance(slot);
        let leader = world.keys.leader(&instance, 1);
        let part = |id| match id == leader {
            true => world.agree_on(id, instance, ready(vec![9; bytes]), likes_all()),
            false => world.agree(id, instance),
        };
        let agreed = same(join_all(world.ids().into_iter().map(part)).await);
        assert_eq!(agreed.value.len() == bytes, is_leaders);
        assert_eq!(agreed.round, if is_leaders { 1 } else { 2 });
    }
}

#[tokio::test(start_paused = true)]
async fn dropping_the_future_leaves_no_task_behind_and_it_may_start_again() {
    let world = World::new(1, 3);
    let instance = world.keys.instance(100);
    let hub = &world.operators[0].hub;
    let (told, heard) = tokio::sync::oneshot::channel::<()>();
    let value = async move {
        let _told = told;
        futures::future::pending::<Option<Vec<u8>>>().await
    };
    let part = world.agree_on(OperatorId(1), instance, value.boxed(), likes_all());
    assert!(tokio::time::timeout(Duration::from_millis(50), part).await.is_err());
    let signing = hub.sign(world.keys.exchange(100), world.keys.items([1; 32]), vec![None], START.plus_ms(SLOT_MS));
    assert!(tokio::time::timeout(Duration::from_millis(50), signing).await.is_err());
    heard.await.expect_err("the value's future is dropped with its instance");
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(hub.running(), 0);
    same(join_all(world.ids().into_iter().map(|id| world.agree(id, instance))).await);
    assert_eq!(world.agree(OperatorId(1), instance).await, Err(AgreeError::Twice { instance }));
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_value_or_a_judge_is_contained() {
    let world = World::new(0, 4);
    let instance = world.keys.instance(100);
    let unlucky = world.keys.leader(&instance, 1);
    let judge: Judge = Arc::new(|_| async { panic!("the judge fails") }.boxed());
    let part = |id| match id == unlucky {
        true => world.agree_on(id, instance, async { panic!("the value fails") }.boxed(), judge.clone()),
        false => world.agree(id, instance),
    };
    let agreed = same(join_all(world.ids().into_iter().map(part)).await);
    assert_eq!(agreed.round, 2, "the others decide, and the unlucky one learns it");
}

#[tokio::test(start_paused = true)]
async fn no_quorum_says_who_was_heard_and_who_objected() {
    let world = World::new(0, 5);
    let instance = world.keys.instance(100);
    let leader = world.keys.leader(&instance, 1);
    let others: Vec<OperatorId> = world.ids().into_iter().filter(|id| *id != leader).collect();
    let (objector, absent) = (others[0], &others[1..]);
    for id in absent {
        world.net.unplug(*id);
    }
    let judge: Judge = Arc::new(|_| futures::future::ready(Err("another head".to_owned())).boxed());
    let (lone, objected) =
        tokio::join!(world.agree(leader, instance), world.agree_on(objector, instance, never(), judge));
    let error = objected.unwrap_err();
    let AgreeError::NoQuorum { heard, round, objection, .. } = &error else { panic!("{error}") };
    assert_eq!((&heard[..], objection.as_deref()), (&[leader][..], Some("another head")));
    assert!(*round > 2 && world.elapsed() == 2 * SLOT_MS, "round {round} after {} ms", world.elapsed());
    let words = error.to_string();
    let expected = format!("only operator {leader} was heard; this operator objected: another head");
    assert!(words.contains("was not decided in time") && words.ends_with(&expected), "{words}");
    assert!(lone.unwrap_err().to_string().contains(&format!("only operator {objector} was heard")));
}

/// A judge that takes its time holds up nobody's votes, its own operator's included.
#[tokio::test(start_paused = true)]
async fn a_slow_judge_does_not_hold_up_the_others() {
    let world = World::new(0, 6);
    let instance = world.keys.instance(100);
    let leader = world.keys.leader(&instance, 1);
    let slow = world.ids().into_iter().find(|id| *id != leader).unwrap();
    let clock = world.clock;
    let judge: Judge = Arc::new(move |_| {
        async move {
            clock.sleep(Duration::from_secs(600)).await;
            Ok(())
        }
        .boxed()
    });
    let part = |id| match id == slow {
        true => world.agree_on(id, instance, never(), judge.clone()),
        false => world.agree(id, instance),
    };
    let agreed = same(join_all(world.ids().into_iter().map(part)).await);
    assert!(agreed.decided_at.since(START) < ROUND_MS / 2, "{agreed:?}");
}

#[tokio::test(start_paused = true)]
async fn garbage_of_a_member_is_counted_against_it_and_harms_nobody() {
    let world = World::new(0, 7);
    let instance = world.keys.instance(100);
    let liar = OperatorId(3);
    for operator in world.operators.iter().filter(|operator| operator.id != liar) {
        for byte in 0..20u8 {
            let bytes = Bytes::from(vec![byte; 100 + usize::from(byte)]);
            assert_eq!(operator.hub.deliver(liar, DutyMessage::Consensus(instance, bytes)), Delivery::Accepted);
        }
        let want = Bytes::from(Message::Want([1; 32]).encode());
        assert_eq!(operator.hub.deliver(liar, DutyMessage::Consensus(instance, want)), Delivery::Accepted);
    }
    same(join_all(world.ids().into_iter().map(|id| world.agree(id, instance))).await);
    let faults = world.faults();
    assert!(faults.len() >= 30 && faults.iter().all(|(_, from, _)| *from == liar), "{faults:?}");
}
