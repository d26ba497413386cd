//! What every simulated ceremony must satisfy, and how to run many of them.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;

use cluster_core::{
    certificate::Readiness,
    committee::OperatorId,
    dkg::{Culprit, CulpritKind, Timing},
    simulation::{Faults, Node, Simulation},
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

/// Times short enough that virtual hours pass quickly, long enough for the slowest links used here.
pub const TIMING: Timing = Timing { step_ms: 2_000, retry_ms: 200, answer_ms: 50, ceremony_ms: 120_000 };

/// Seeds per scenario: a few in CI, many with `SIMULATION_SEEDS=1000`.
pub fn seeds(default: u64) -> impl Iterator<Item = u64> {
    let count = std::env::var("SIMULATION_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    1..=count
}

/// The operator with the given share index.
pub fn operator(index: u32) -> OperatorId {
    OperatorId(index * 7 + 3)
}

/// A network with some latency and no faults.
pub fn calm() -> Faults {
    Faults { min_latency_ms: 1, max_latency_ms: 30, ..Faults::default() }
}

/// Runs a ceremony to its end and checks what must hold in every run.
pub fn run(operators: usize, validators: u32, faults: Faults, seed: u64) -> Simulation {
    let mut simulation = Simulation::new(operators, validators, faults, TIMING, seed).unwrap();
    simulation.run().unwrap();
    check_safety(&simulation);
    simulation
}

/// Agreement: honest operators that have keys have the same, their shares belong to the keys, certificates hold,
/// and evidence names nobody who is honest.
pub fn check_safety(simulation: &Simulation) {
    let seed = simulation.seed;
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let honest: BTreeSet<OperatorId> = simulation.honest().into_iter().collect();
    let mut transcripts = BTreeSet::new();
    for (id, node) in simulation.nodes().iter().filter(|(id, _)| honest.contains(id)) {
        if let Some(outcome) = &node.outcome {
            transcripts.insert(outcome.certificate.transcript.digest());
            outcome
                .certificate
                .verify(None, &mut rng)
                .unwrap_or_else(|error| panic!("seed {seed}: certificate of operator {}: {error}", id.0));
            check_shares(*id, node, seed);
        }
        for culprit in culprits(node) {
            check_evidence(simulation, &honest, node, culprit);
        }
    }
    assert!(transcripts.len() <= 1, "seed {seed}: honest operators signed different transcripts");
}

fn check_shares(id: OperatorId, node: &Node, seed: u64) {
    let outcome = node.outcome.as_ref().unwrap();
    let stored = node.stored.as_ref().unwrap_or_else(|| panic!("seed {seed}: operator {} stored nothing", id.0));
    let position = usize::from(stored.share_index.get() - 1);
    for (k, validator) in outcome.certificate.transcript.validators.iter().enumerate() {
        let share = stored.shares.secret_key(k).expect("a share for every validator");
        assert_eq!(share.public_key(), validator.share_pubkeys[position], "seed {seed}: operator {}, key {k}", id.0);
        assert_eq!(stored.validators[k], validator.pubkey, "seed {seed}: operator {}, key {k}", id.0);
    }
}

fn check_evidence(simulation: &Simulation, honest: &BTreeSet<OperatorId>, node: &Node, culprit: &Culprit) {
    let seed = simulation.seed;
    let context = cluster_core::dkg::Context::new(simulation.request().clone());
    let transcript = node.outcome.as_ref().map(|outcome| &outcome.certificate.transcript);
    if let Some(evidence) = &culprit.evidence {
        // Evidence travels as JSON; what anyone reads back must still convict.
        let text = serde_json::to_string(evidence).unwrap();
        let evidence: cluster_core::dkg::Evidence = serde_json::from_str(&text).unwrap();
        let guilty =
            evidence.judge(&context, transcript, &mut ChaCha20Rng::seed_from_u64(seed)).unwrap_or_else(|error| {
                panic!("seed {seed}: {:?} against {}: {error}", culprit.kind, culprit.operator_id.0)
            });
        assert_eq!(guilty, culprit.operator_id, "seed {seed}: the evidence names somebody else");
        assert!(!honest.contains(&guilty), "seed {seed}: evidence against honest operator {}", guilty.0);
    } else {
        assert!(
            matches!(culprit.kind, CulpritKind::Silent | CulpritKind::LateCommit),
            "seed {seed}: {:?} needs evidence",
            culprit.kind
        );
    }
}

/// Everyone that a node names.
pub fn culprits(node: &Node) -> impl Iterator<Item = &Culprit> {
    let done = node.outcome.iter().flat_map(|outcome| outcome.culprits.iter());
    let aborted = node.abort.iter().flat_map(|report| report.culprits.iter());
    done.chain(aborted)
}

/// Whether any honest operator names `id` for `kind`.
pub fn is_named(simulation: &Simulation, id: OperatorId, kind: CulpritKind) -> bool {
    simulation
        .honest()
        .iter()
        .any(|honest| culprits(&simulation.nodes()[honest]).any(|c| c.operator_id == id && c.kind == kind))
}

/// All operators of `expected` ended with a certificate that everyone attested.
pub fn assert_ready(simulation: &Simulation, expected: &[OperatorId]) {
    for id in expected {
        let node = &simulation.nodes()[id];
        let readiness = node.outcome.as_ref().map(|outcome| outcome.readiness.clone());
        assert_eq!(
            readiness,
            Some(Readiness::Ready),
            "seed {}: operator {}, abort {:?}",
            simulation.seed,
            id.0,
            node.abort
        );
    }
}

/// All operators of `expected` ended with keys, though attestations of `missing` may lack.
pub fn assert_incomplete(simulation: &Simulation, expected: &[OperatorId], missing: &[OperatorId]) {
    for id in expected {
        let node = &simulation.nodes()[id];
        let readiness = node.outcome.as_ref().map(|outcome| outcome.readiness.clone());
        let expected = Readiness::Incomplete { missing: missing.to_vec() };
        assert_eq!(readiness, Some(expected), "seed {}: operator {}, abort {:?}", simulation.seed, id.0, node.abort);
    }
}
