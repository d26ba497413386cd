//! Agreement: without faults, with each kind of fault, and over a restart.

use std::sync::Arc;
use std::time::Duration;

use cluster_core::beacon::Slot;
use cluster_core::committee::OperatorId;
use cluster_node::duties::clock::Clock;
use cluster_node::duties::hub::{AgreeError, Timing};
use cluster_node::duties::votes::Votes;
use cluster_node::store::Store;
use futures::future::join_all;

use crate::world::{is_commit, likes_all, never, ready, same, World, LATENCY_MS, ROUND_MS, SLOT_MS, START};

#[tokio::test(start_paused = true)]
async fn without_faults_it_takes_three_messages_and_few_flushes() {
    let world = World::new(0, 1);
    let instance = world.keys.instance(100);
    let agreed = same(join_all(world.ids().into_iter().map(|id| world.agree(id, instance))).await);
    let leader = world.keys.leader(&instance, 1);
    assert_eq!(&*agreed.value, format!("the value of operator {leader}").as_bytes());
    // Propose, prepare, commit.
    assert_eq!((agreed.round, agreed.decided_at.since(START)), (1, 3 * LATENCY_MS));
    for votes in &world.votes {
        assert!(votes.flushes() <= 4, "{} flushes", votes.flushes());
        assert!(!votes.durable(&instance).is_empty());
    }
    assert!(world.faults().is_empty(), "{:?}", world.faults());
    world.assert_no_double_votes(&instance);
    // Peers that are behind are answered for some slots, and then nothing is left.
    assert_eq!(world.operators[0].hub.running(), 1);
    world.clock.sleep(Duration::from_secs(12 * 6)).await;
    assert!(world.operators.iter().all(|operator| operator.hub.running() == 0));
}

#[tokio::test(start_paused = true)]
async fn a_silent_leader_costs_one_round_and_a_dead_one_too() {
    for is_dead in [false, true] {
        let world = World::new(0, 2);
        let instance = world.keys.instance(101);
        let leader = world.keys.leader(&instance, 1);
        if is_dead {
            world.net.unplug(leader);
        }
        let part = |id| match id == leader {
            true => world.agree_on(id, instance, never(), likes_all()),
            false => world.agree(id, instance),
        };
        let ids = world.ids().into_iter().filter(|id| !is_dead || *id != leader);
        let agreed = same(join_all(ids.map(part)).await);
        assert_eq!(agreed.round, 2);
        let took = agreed.decided_at.since(START);
        assert!((ROUND_MS..ROUND_MS + 10 * LATENCY_MS).contains(&took), "{took} ms");
        let second = world.keys.leader(&instance, 2);
        assert_eq!(&*agreed.value, format!("the value of operator {second}").as_bytes());
        world.assert_no_double_votes(&instance);
    }
}

#[tokio::test(start_paused = true)]
async fn who_starts_late_gets_the_certificate_at_once() {
    let world = World::new(0, 3);
    let instance = world.keys.instance(100);
    let late = OperatorId(4);
    let rest = world.ids().into_iter().filter(|id| *id != late);
    let first = same(join_all(rest.map(|id| world.agree(id, instance))).await);
    // After more rounds than one the commits that waited decide, and the value has to be asked for.
    for (wait, most) in [(200, 4 * LATENCY_MS), (15_000, ROUND_MS / 2)] {
        let world = World::new(0, 3);
        let rest = world.ids().into_iter().filter(|id| *id != late);
        join_all(rest.map(|id| world.agree(id, instance))).await;
        world.clock.sleep(Duration::from_millis(wait)).await;
        let started = world.elapsed();
        let agreed = world.agree_on(late, instance, never(), likes_all()).await.unwrap();
        assert_eq!(agreed.value, first.value);
        assert!(world.elapsed() - started <= most, "{} ms after {wait} ms", world.elapsed() - started);
    }
}

#[tokio::test(start_paused = true)]
async fn a_one_way_link_stops_nobody() {
    for (from, to) in [(1, 2), (2, 1), (3, 4), (4, 3)] {
        let world = World::new(0, 4);
        world.net.block(OperatorId(from), OperatorId(to));
        let instance = world.keys.instance(101);
        let agreed = same(join_all(world.ids().into_iter().map(|id| world.agree(id, instance))).await);
        assert!(agreed.decided_at.since(START) < 2 * ROUND_MS, "{agreed:?}");
        assert!(world.faults().is_empty(), "{:?}", world.faults());
    }
}

#[tokio::test(start_paused = true)]
async fn a_tenth_of_all_messages_lost_is_made_up_for() {
    for seed in 0..20 {
        let world = World::new(0, seed);
        world.net.lose(100);
        let instance = world.keys.instance(99 + seed % 3);
        let agreed = same(join_all(world.ids().into_iter().map(|id| world.agree(id, instance))).await);
        assert!(agreed.decided_at.since(START) < 8 * ROUND_MS, "seed {seed}: {agreed:?}");
        world.assert_no_double_votes(&instance);
        assert!(world.faults().is_empty(), "seed {seed}: {:?}", world.faults());
    }
}

/// Operator 1 commits, dies before anybody else does, and comes back with another value and its votes on disk.
#[tokio::test(start_paused = true)]
async fn a_restarted_operator_never_votes_differently_and_the_committee_decides() {
    let mut world = World::new(0, 5);
    let instance = world.keys.instance(101);
    let (victim, folder) = (OperatorId(1), tempfile::tempdir().unwrap());
    let key = world.keys.identities[&victim].clone();
    let open = || Arc::new(Store::open(folder.path(), &key).unwrap());
    world.start(victim, open());
    // Nobody gets the commits of others, so that nothing is decided while the victim lives.
    let others = [OperatorId(2), OperatorId(3), OperatorId(4)];
    let waiting: Vec<_> = others.into_iter().map(|id| tokio::spawn(world.agree(id, instance))).collect();
    let part = tokio::spawn(world.agree(victim, instance));
    let committed = async {
        while !world.net.sent(victim).iter().any(is_commit) {
            world.clock.sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), committed).await.expect("operator 1 commits");
    for other in others {
        world.net.unplug(other);
    }
    world.stop(victim).await;
    assert_eq!(part.await.unwrap(), Err(AgreeError::Ended { instance }));
    world.clock.sleep(Duration::from_millis(100)).await;

    let store = open();
    let kept = Votes::load(store.as_ref(), &instance).unwrap();
    assert!(kept.len() >= 2, "a prepare and a commit at least: {kept:?}");
    world.start(victim, store.clone());
    for other in others {
        let operator = world.operator(other).hub.clone();
        world.plug(other, operator);
    }
    let again = world.agree_on(victim, instance, ready(b"something else".to_vec()), likes_all()).await.unwrap();
    let mut results = vec![Ok(again)];
    for other in waiting {
        results.push(other.await.unwrap());
    }
    same(results);
    world.assert_no_double_votes(&instance);
    assert!(
        world.faults().is_empty() && world.operators.iter().all(|one| one.seen.evidence.lock().unwrap().is_empty())
    );

    // Votes are forgotten when their slot is long over, and not before.
    Votes::prune(store.as_ref(), instance.slot).unwrap();
    assert_eq!(Votes::load(store.as_ref(), &instance).unwrap()[..kept.len()], kept[..]);
    Votes::prune(store.as_ref(), cluster_core::beacon::Slot(instance.slot.0 + 1)).unwrap();
    assert!(Votes::load(store.as_ref(), &instance).unwrap().is_empty());
}

/// Six slots after its votes an operator has forgotten them. It dies, and comes back with the clock of its first vote.
#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_over_a_restart_makes_nobody_vote_again() {
    let mut world = World::new(0, 6);
    let (victim, folder) = (OperatorId(1), tempfile::tempdir().unwrap());
    let key = world.keys.identities[&victim].clone();
    let open = || Arc::new(Store::open(folder.path(), &key).unwrap());
    world.start(victim, open());
    let (first, later) = (world.keys.instance(100), world.keys.instance(106));
    same(join_all(world.ids().into_iter().map(|id| world.agree(id, first))).await);
    world.clock.sleep(Duration::from_millis(6 * SLOT_MS)).await;
    let timing = Timing { start: world.clock.now(), give_up: world.clock.now().plus_ms(2 * SLOT_MS), ..world.timing() };
    let part = |id: OperatorId| {
        let (hub, value) = (world.operator(id).hub.clone(), ready(b"a value".to_vec()));
        async move { hub.agree(later, timing, value, likes_all()).await }
    };
    same(join_all(world.ids().into_iter().map(part)).await);
    // The votes of slot 100 are removed when the later instance has nobody to answer any more.
    world.clock.sleep(Duration::from_millis(6 * SLOT_MS)).await;
    assert_eq!(world.operator(victim).hub.running(), 0);
    // Killed: nothing is written on the way out.
    world.net.unplug(victim);
    world.operators.retain(|operator| operator.id != victim);

    let store = open();
    assert!(Votes::load(store.as_ref(), &first).unwrap().is_empty());
    assert!(!Votes::load(store.as_ref(), &later).unwrap().is_empty());
    let before = world.net.sent(victim).len();
    world.start_with_clock(victim, store, Clock::at(START));
    let again = world.agree_on(victim, first, ready(b"something else".to_vec()), likes_all()).await;
    assert_eq!(again, Err(AgreeError::Forgotten { instance: first, floor: Slot(101) }));
    assert_eq!(world.net.sent(victim).len(), before, "it said something");
    world.assert_no_double_votes(&first);
    // Slots that it has not forgotten are open to it.
    world.agree(victim, world.keys.instance(101)).await.unwrap_err();
    assert!(world.net.sent(victim).len() > before, "it is as quiet in slot 101");
}

/// A clock that is ahead finds no quorum, and must not forbid the slots that the world is in.
#[tokio::test(start_paused = true)]
async fn a_clock_that_was_ahead_costs_no_slots_once_it_is_right() {
    let mut world = World::new(0, 7);
    let (victim, votes) = (OperatorId(1), world.votes[0].clone());
    let ahead = Clock::at(START.plus_ms(1_000 * SLOT_MS));
    world.start_with_clock(victim, Arc::new(votes.clone()), ahead);
    let (hub, start) = (world.operator(victim).hub.clone(), ahead.now());
    let timing = Timing { start, give_up: start.plus_ms(2 * SLOT_MS), ..world.timing() };
    let alone = hub.agree(world.keys.instance(1_100), timing, ready(b"a value".to_vec()), likes_all()).await;
    assert!(matches!(alone, Err(AgreeError::NoQuorum { .. })), "{alone:?}");
    world.start(victim, Arc::new(votes));
    let (instance, start) = (world.keys.instance(102), world.clock.now());
    let timing = Timing { start, give_up: start.plus_ms(2 * SLOT_MS), ..world.timing() };
    let part = |id: OperatorId| {
        let (hub, value) = (world.operator(id).hub.clone(), ready(b"a value".to_vec()));
        async move { hub.agree(instance, timing, value, likes_all()).await }
    };
    same(join_all(world.ids().into_iter().map(part)).await);
}
