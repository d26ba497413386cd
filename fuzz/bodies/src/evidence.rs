//! Evidence files, which anybody may be handed.

use cluster_core::dkg::{Context, Culprit, CulpritKind, DealingRef, Evidence, Step};
use cluster_node::evidence::EvidenceFile;

use crate::world::{rng, statements, world};

/// Parses and judges; an honest operator is convicted by nothing.
pub fn target(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(file) = EvidenceFile::parse(text) {
        let transcript = Some(&world().certificate.transcript);
        if let Ok(guilty) = file.verify(Some(&world().registry), transcript, &mut rng()) {
            assert!(guilty.is_empty(), "nobody in this ceremony is guilty: {guilty:?}");
        }
        let _ = file.verify(None, None, &mut rng());
    }
}

/// Accusations of every kind that the messages of an honest ceremony can be put into.
pub fn seeds() -> Vec<Vec<u8>> {
    let signed = statements();
    let find = |step| signed.iter().filter(move |signed| signed.body.step() == step).cloned();
    let mut evidence = Vec::new();
    for (commit, dealing) in find(Step::Commit).zip(find(Step::Deal)).take(1) {
        evidence.push(Evidence::BrokenCommit { commit, dealing: dealing.clone() });
        evidence.push(Evidence::InvalidDealing { dealing: dealing.clone() });
        let digest = dealing.body.digest(&Context::new(world().request.clone()), dealing.from);
        let reference = DealingRef { dealer: dealing.from, digest, signature: dealing.signature };
        evidence.push(Evidence::Equivocation { first: reference.clone(), second: reference });
    }
    for (first, second) in find(Step::Verdicts).zip(find(Step::Verdicts).skip(1)).take(1) {
        evidence.push(Evidence::DoubleVote { first, second });
    }
    evidence.extend(find(Step::Sign).take(1).map(|partials| Evidence::BadPartial { partials }));
    let culprits = evidence.into_iter().map(|evidence| Culprit {
        operator_id: world().me,
        kind: CulpritKind::InvalidDealing,
        evidence: Some(evidence),
    });
    culprits
        .filter_map(|culprit| EvidenceFile::of(&world().request, &[culprit]))
        .map(|file| serde_json::to_vec(&file).expect("JSON"))
        .collect()
}
