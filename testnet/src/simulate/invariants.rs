//! What every simulated ceremony must satisfy, whatever goes wrong in it.
//!
//! Safety holds in every run. Liveness holds in the runs of [`Schedule`], which break no more than the protocol
//! tolerates and let every other fault heal.

use std::collections::BTreeSet;

use cluster_core::{
    certificate::{Certificate, Readiness},
    committee::OperatorId,
    dkg::{Context, Culprit, CulpritKind, Evidence},
    simulation::{Node, Simulation},
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::schedule::Schedule;

/// An invariant that a run broke.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// The simulation itself could not go on.
    #[error("the run did not end: {0}")]
    Endless(String),
    /// Two honest operators signed different results.
    #[error("honest operators signed {count} different transcripts")]
    Disagreement {
        /// How many.
        count: usize,
    },
    /// An honest operator holds a certificate that is wrong.
    #[error("the certificate of operator {operator} does not verify: {reason}")]
    Certificate {
        /// Who holds it.
        operator: OperatorId,
        /// What is wrong.
        reason: String,
    },
    /// An honest operator says that it has keys, but its disk does not.
    #[error("operator {operator} has a result, but stored no shares")]
    NothingStored {
        /// Who.
        operator: OperatorId,
    },
    /// A share that does not belong to its key.
    #[error("the share of operator {operator} for validator {validator} does not belong to the key")]
    WrongShare {
        /// Who holds it.
        operator: OperatorId,
        /// Position of the validator.
        validator: usize,
    },
    /// Evidence that convicts nobody, or somebody else.
    #[error("evidence of operator {by} for {kind:?} against operator {against} does not hold: {reason}")]
    Evidence {
        /// Who holds it.
        by: OperatorId,
        /// Whom it names.
        against: OperatorId,
        /// What for.
        kind: CulpritKind,
        /// What is wrong.
        reason: String,
    },
    /// Evidence against an operator that followed the protocol.
    #[error("operator {by} holds evidence for {kind:?} against the honest operator {against}")]
    Innocent {
        /// Who holds it.
        by: OperatorId,
        /// Who is innocent.
        against: OperatorId,
        /// What for.
        kind: CulpritKind,
    },
    /// Blame that needs proof and has none.
    #[error("operator {by} blames operator {against} for {kind:?} without evidence")]
    Unproven {
        /// Who blames.
        by: OperatorId,
        /// Whom.
        against: OperatorId,
        /// What for.
        kind: CulpritKind,
    },
    /// An honest operator ended without keys although few enough operators failed.
    #[error(
        "operator {operator} ended without keys in step {step} although no more than f operators failed: {reason}"
    )]
    NoKeys {
        /// Who.
        operator: OperatorId,
        /// Where it stands.
        step: String,
        /// Its abort, if it aborted.
        reason: String,
    },
    /// The attestations of all operators that are up do not make one certificate.
    #[error("a gateway that asks all operators still misses the honest operator {missing}")]
    NotAttested {
        /// Who is missing.
        missing: OperatorId,
    },
}

/// Agreement: honest operators that have keys have the same, their shares belong to the keys, their certificates
/// verify, and evidence names nobody who is honest.
pub fn check_safety(simulation: &Simulation) -> Result<(), Violation> {
    let mut rng = ChaCha20Rng::seed_from_u64(simulation.seed);
    let honest: BTreeSet<OperatorId> = simulation.honest().into_iter().collect();
    let mut transcripts = BTreeSet::new();
    for (id, node) in simulation.nodes().iter().filter(|(id, _)| honest.contains(id)) {
        if let Some(outcome) = &node.outcome {
            transcripts.insert(outcome.certificate.transcript.digest());
            outcome
                .certificate
                .verify(None, &mut rng)
                .map_err(|error| Violation::Certificate { operator: *id, reason: error.to_string() })?;
            check_shares(*id, node)?;
        }
        for culprit in culprits(node) {
            check_blame(simulation, &honest, *id, node, culprit)?;
        }
    }
    if transcripts.len() > 1 {
        return Err(Violation::Disagreement { count: transcripts.len() });
    }
    Ok(())
}

/// Every operator that follows the protocol and is up at the end has keys, and a gateway that asks them all gets a
/// certificate in which only operators are missing that failed.
///
/// What one operator has heard of the others' attestations is not asked for: a finished operator does not chase what
/// the network lost, the gateway does.
pub fn check_liveness(simulation: &Simulation, schedule: &Schedule) -> Result<(), Violation> {
    let alive: Vec<OperatorId> = simulation.honest().into_iter().filter(|id| !schedule.gone().contains(id)).collect();
    let mut merged: Option<Certificate> = None;
    for id in &alive {
        let Some(node) = simulation.nodes().get(id) else { continue };
        let Some(outcome) = &node.outcome else {
            let report = node.abort.as_ref();
            return Err(Violation::NoKeys {
                operator: *id,
                step: report.map_or_else(|| "unknown".to_owned(), |report| report.step.to_string()),
                reason: report.map_or_else(|| "it is still waiting".to_owned(), |report| report.reason.clone()),
            });
        };
        let attestation = outcome.contribution.attestation.clone();
        match &mut merged {
            None => merged = Some(Certificate::from_contribution(outcome.contribution.clone())),
            Some(certificate) => {
                let merged = certificate.merge(attestation);
                merged.map_err(|error| Violation::Certificate { operator: *id, reason: error.to_string() })?;
            }
        }
    }
    if let Some(Readiness::Incomplete { missing }) = merged.map(|certificate| certificate.readiness()) {
        if let Some(missing) = missing.into_iter().find(|missing| alive.contains(missing)) {
            return Err(Violation::NotAttested { missing });
        }
    }
    Ok(())
}

/// Everyone that a node names at its end.
pub fn culprits(node: &Node) -> impl Iterator<Item = &Culprit> {
    let done = node.outcome.iter().flat_map(|outcome| outcome.culprits.iter());
    let aborted = node.abort.iter().flat_map(|report| report.culprits.iter());
    done.chain(aborted)
}

fn check_shares(operator: OperatorId, node: &Node) -> Result<(), Violation> {
    let (Some(outcome), Some(stored)) = (&node.outcome, &node.stored) else {
        return Err(Violation::NothingStored { operator });
    };
    let position = usize::from(stored.share_index.get()) - 1;
    for (validator, record) in outcome.certificate.transcript.validators.iter().enumerate() {
        let share = stored.shares.secret_key(validator).map(|share| share.public_key());
        let belongs = share.is_some()
            && share.as_ref() == record.share_pubkeys.get(position)
            && stored.validators.get(validator) == Some(&record.pubkey);
        if !belongs {
            return Err(Violation::WrongShare { operator, validator });
        }
    }
    Ok(())
}

fn check_blame(
    simulation: &Simulation,
    honest: &BTreeSet<OperatorId>,
    by: OperatorId,
    node: &Node,
    culprit: &Culprit,
) -> Result<(), Violation> {
    let (against, kind) = (culprit.operator_id, culprit.kind);
    let Some(evidence) = &culprit.evidence else {
        // Nobody can prove silence, and an operator that was cut off is not guilty of it.
        return match kind {
            CulpritKind::Silent | CulpritKind::LateCommit => Ok(()),
            _ => Err(Violation::Unproven { by, against, kind }),
        };
    };
    let broken = |reason: String| Violation::Evidence { by, against, kind, reason };
    // Evidence travels as JSON; what anyone reads back must still convict.
    let text = serde_json::to_string(evidence).map_err(|error| broken(error.to_string()))?;
    let evidence: Evidence = serde_json::from_str(&text).map_err(|error| broken(error.to_string()))?;
    let context = Context::new(simulation.request().clone());
    let transcript = node.outcome.as_ref().map(|outcome| &outcome.certificate.transcript);
    let mut rng = ChaCha20Rng::seed_from_u64(simulation.seed);
    let guilty = evidence.judge(&context, transcript, &mut rng).map_err(|error| broken(error.to_string()))?;
    if guilty != against {
        return Err(broken(format!("it convicts operator {guilty}")));
    }
    if honest.contains(&guilty) {
        return Err(Violation::Innocent { by, against, kind });
    }
    Ok(())
}
