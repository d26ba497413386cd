//! Whole committees that agree over networks that fail, with operators that crash and lie. Every run checks agreement, that
//! no honest operator contradicts or forgets what it signed, that nobody honest is blamed, and that all decide.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};

use cluster_core::{
    committee::OperatorId,
    consensus::{
        leader,
        simulation::{Behaviour, Faults, Simulation, ROUND_MS},
    },
    simulation::{Partition, START},
};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

const SIZES: [usize; 4] = [4, 7, 10, 13];

/// Seeds per scenario: a few in CI, many with `SIMULATION_SEEDS=1000`.
fn seeds(default: u64) -> impl Iterator<Item = u64> {
    let count = std::env::var("SIMULATION_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    1..=count
}

fn run(n: usize, faults: Faults, seed: u64) -> Simulation {
    let mut simulation = Simulation::new(n, faults, seed).unwrap();
    if let Err(error) = simulation.run() {
        panic!("{n} operators, {error}");
    }
    simulation
}

fn operator(index: u32) -> OperatorId {
    OperatorId(index * 7 + 3)
}

/// Milliseconds after the start at which the last honest operator decided.
fn last_decision(simulation: &Simulation) -> u64 {
    let times = simulation.honest().into_iter().map(|id| simulation.nodes()[&id].decided.as_ref().unwrap().1);
    times.max().unwrap().since(START)
}

fn rounds(simulation: &Simulation) -> BTreeSet<u32> {
    simulation.honest().iter().map(|id| simulation.nodes()[id].decided.as_ref().unwrap().0.round).collect()
}

/// Up to f operators, drawn by the seed.
fn some(n: usize, rng: &mut ChaCha20Rng) -> Vec<OperatorId> {
    let mut ids: Vec<u32> = (1..=n as u32).collect();
    for at in (1..ids.len()).rev() {
        ids.swap(at, rng.next_u32() as usize % (at + 1));
    }
    ids.truncate((n - 1) / 3);
    ids.into_iter().map(operator).collect()
}

#[test]
fn without_faults_three_delays_decide_and_the_value_is_sent_to_each_other_operator_once() {
    for n in SIZES {
        for seed in seeds(6) {
            let faults = Faults { latency_ms: (10, 10), judge_ms: 0, value_bytes: 100_000, ..Faults::default() };
            let simulation = run(n, faults, seed);
            assert_eq!(last_decision(&simulation), 30, "seed {seed}, n {n}: propose, prepare, commit");
            assert_eq!(simulation.traffic.values, n as u64 - 1, "seed {seed}, n {n}: values sent");
            assert_eq!(rounds(&simulation), BTreeSet::from([1]), "seed {seed}, n {n}");
            // A proposal, two votes of everyone for everyone else, and nothing more.
            let messages = (n - 1) + 2 * n * (n - 1);
            assert_eq!(simulation.traffic.messages, messages as u64, "seed {seed}, n {n}");
            let overhead = simulation.traffic.bytes - (n as u64 - 1) * 100_000;
            assert!(overhead < 150 * messages as u64, "seed {seed}, n {n}: {overhead} bytes besides the value");
        }
    }
}

#[test]
fn jitter_alone_changes_neither_the_round_nor_the_number_of_values() {
    for n in SIZES {
        for seed in seeds(6) {
            let simulation = run(n, Faults { latency_ms: (1, 200), judge_ms: 5, ..Faults::default() }, seed);
            assert_eq!(simulation.traffic.values, n as u64 - 1, "seed {seed}, n {n}");
            assert_eq!(rounds(&simulation), BTreeSet::from([1]), "seed {seed}, n {n}");
        }
    }
}

#[test]
fn silent_operators_cost_one_short_round_for_each_leader_among_them() {
    for n in SIZES {
        for seed in seeds(8) {
            let mut rng = ChaCha20Rng::seed_from_u64(seed);
            let byzantine = some(n, &mut rng).into_iter().map(|id| (id, Behaviour::Silent)).collect();
            let simulation = run(n, Faults { byzantine, ..Faults::default() }, seed);
            let f = (n as u64 - 1) / 3;
            let last = last_decision(&simulation);
            assert!(last <= f * ROUND_MS + 100, "seed {seed}, n {n}: decided after {last} ms");
        }
    }
}

#[test]
fn every_misbehaviour_of_up_to_f_operators_is_survived() {
    for behaviour in Behaviour::ALL {
        for (n, count) in [(4, 10), (7, 5), (10, 2), (13, 2)] {
            for seed in seeds(count) {
                let mut rng = ChaCha20Rng::seed_from_u64(seed);
                let byzantine = some(n, &mut rng).into_iter().map(|id| (id, behaviour)).collect();
                let faults = Faults { byzantine, latency_ms: (1, 100), value_bytes: 300, ..Faults::default() };
                run(n, faults, seed);
            }
        }
    }
}

#[test]
fn what_one_decided_whom_the_others_do_not_hear_stands_against_a_lying_leader() {
    for behaviour in [Behaviour::Override, Behaviour::Lie, Behaviour::Everything] {
        for seed in seeds(20) {
            let simulation = Simulation::new(4, Faults::default(), seed).unwrap();
            let leads = |round| leader(simulation.committee(), &simulation.config().instance, round);
            let liar = leads(2);
            // It decides in round 1, alone, unless the liar helps the others.
            let unheard = leads(3);
            let others = [leads(1), leads(4)];
            let faults = Faults {
                one_way: others.iter().map(|other| (unheard, *other)).collect(),
                heal_ms: 6_000,
                byzantine: BTreeMap::from([(liar, behaviour)]),
                ..Faults::default()
            };
            let simulation = run(4, faults, seed);
            if behaviour == Behaviour::Override {
                let at = |id| simulation.nodes()[&id].decided.as_ref().unwrap().1.since(START);
                assert!(at(unheard) < ROUND_MS && at(others[0]) > ROUND_MS, "seed {seed}: it was alone");
            }
        }
    }
}

#[test]
fn loss_duplication_and_reordering_are_made_up_for() {
    for n in SIZES {
        for seed in seeds(if n == 4 { 20 } else { 3 }) {
            let faults = Faults {
                latency_ms: (1, 400),
                loss_permille: 250,
                duplicate_permille: 200,
                heal_ms: 60_000,
                ..Faults::default()
            };
            run(n, faults, seed);
        }
    }
}

#[test]
fn after_a_partition_heals_all_decide_the_same() {
    for n in [4, 7] {
        for seed in seeds(15) {
            let mut rng = ChaCha20Rng::seed_from_u64(seed);
            let side: BTreeSet<OperatorId> =
                (1..=n as u32).map(operator).filter(|_| rng.next_u32().is_multiple_of(2)).collect();
            let from_ms = u64::from(rng.next_u32() % 60);
            let partitions = vec![Partition { from_ms, until_ms: 8_000, side }];
            run(n, Faults { partitions, ..Faults::default() }, seed);
        }
    }
}

#[test]
fn links_that_carry_one_direction_only_do_not_stop_the_others() {
    for seed in seeds(20) {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let one_way = (0..4)
            .map(|_| (operator(1 + rng.next_u32() % 4), operator(1 + rng.next_u32() % 4)))
            .filter(|(from, to)| from != to)
            .collect();
        run(4, Faults { one_way, heal_ms: 20_000, ..Faults::default() }, seed);
    }
}

#[test]
fn an_operator_that_is_deaf_to_one_other_still_decides_in_the_first_round() {
    for seed in seeds(4) {
        let faults = Faults { one_way: BTreeSet::from([(operator(1), operator(2))]), ..Faults::default() };
        let simulation = run(4, faults, seed);
        let rounds =
            simulation.honest().into_iter().map(|id| simulation.nodes()[&id].decided.as_ref().unwrap().0.round);
        let on_time = rounds.filter(|round| *round == 1);
        assert!(on_time.count() >= 3, "seed {seed}");
    }
}

#[test]
fn late_starters_catch_up_with_the_certificate_at_once() {
    for n in SIZES {
        for seed in seeds(3) {
            let away = BTreeMap::from([(operator(2), 30_000)]);
            let faults = Faults { away, value_bytes: 5_000, ..Faults::default() };
            let simulation = run(n, faults, seed);
            let last = last_decision(&simulation);
            // Question, certificate, question, value.
            assert!((30_000..30_100).contains(&last), "seed {seed}, n {n}: {last} ms");
        }
    }
}

#[test]
fn inputs_that_come_late_or_never_leave_a_leader_without_proposal_and_change_the_round() {
    for seed in seeds(10) {
        let input_ms = BTreeMap::from([(operator(1), u64::MAX), (operator(2), 2_500), (operator(3), 700)]);
        run(4, Faults { input_ms, ..Faults::default() }, seed);
    }
}

#[test]
fn up_to_f_operators_that_find_the_value_invalid_do_not_stop_the_others() {
    for n in SIZES {
        for seed in seeds(4) {
            let mut rng = ChaCha20Rng::seed_from_u64(seed);
            let doubters = some(n, &mut rng).into_iter().collect();
            let simulation = run(n, Faults { doubters, ..Faults::default() }, seed);
            assert_eq!(rounds(&simulation), BTreeSet::from([1]), "seed {seed}, n {n}");
        }
    }
}

#[test]
fn a_kill_before_any_effect_and_a_restart_from_the_journal_contradict_nothing() {
    let undisturbed = run(4, Faults::default(), 1);
    for back in [1, 300, 2_500] {
        for index in 1..=4 {
            let effects = undisturbed.nodes()[&operator(index)].effects;
            for after in 0..=effects {
                let crashes = vec![(operator(index), after, back)];
                run(4, Faults { crashes, ..Faults::default() }, 1);
            }
        }
    }
}

#[test]
fn all_operators_killed_again_and_again_at_any_effect_still_decide_the_same() {
    for (n, count) in [(4, 60), (7, 10)] {
        for seed in seeds(count) {
            let mut rng = ChaCha20Rng::seed_from_u64(seed);
            let crashes = (1..=n as u32)
                .flat_map(|index| (0..3).map(move |_| operator(index)))
                .map(|id| (id, u64::from(rng.next_u32() % 24), u64::from(rng.next_u32() % 3_000)))
                .collect();
            let faults = Faults { crashes, latency_ms: (1, 60), ..Faults::default() };
            run(n, faults, seed);
        }
    }
}

#[test]
fn everything_at_once() {
    for (n, count) in [(4, 60), (7, 12), (10, 3), (13, 2)] {
        for seed in seeds(count) {
            run(n, everything(n, seed), seed);
        }
    }
}

/// Liars, crashes, loss, a partition, one-way links, late starters and late inputs, as the seed has it.
fn everything(n: usize, seed: u64) -> Faults {
    let mut rng = ChaCha20Rng::seed_from_u64(seed ^ 0xa11);
    let mut draw = |bound: u32| rng.next_u32() % bound;
    let behaviour = Behaviour::ALL[draw(8) as usize];
    let first = draw(n as u32);
    let liars = draw((n as u32 - 1) / 3 + 1);
    let byzantine = (0..liars).map(|at| (operator(1 + (first + at) % n as u32), behaviour)).collect();
    // Values that the journal does not keep are lost when all who hold one are killed (spec, "Termination").
    let large = draw(4) == 0;
    let killed = if large { 1 } else { n as u32 };
    let crashes = (0..n).map(|_| (operator(1 + draw(killed)), u64::from(draw(30)), u64::from(draw(4_000)))).collect();
    let one_way = (0..2).map(|_| (operator(1 + draw(n as u32)), operator(1 + draw(n as u32)))).collect();
    let side = (1..=n as u32).map(operator).filter(|_| draw(2) == 0).collect();
    let from_ms = u64::from(draw(3_000));
    Faults {
        latency_ms: (1, u64::from(1 + draw(300))),
        loss_permille: u64::from(draw(200)),
        duplicate_permille: u64::from(draw(200)),
        partitions: vec![Partition { from_ms, until_ms: from_ms + u64::from(draw(6_000)), side }],
        one_way,
        heal_ms: 15_000,
        crashes,
        away: BTreeMap::from([(operator(1 + draw(n as u32)), u64::from(draw(5_000)))]),
        input_ms: (1..=n as u32).map(|index| (operator(index), u64::from(draw(1_500)))).collect(),
        judge_ms: u64::from(draw(200)),
        byzantine,
        value_bytes: if large { 300_000 } else { 128 },
        ..Faults::default()
    }
}
