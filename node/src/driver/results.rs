//! What ceremonies end with: on disk first, then to gateways and logs.

use std::path::PathBuf;

use cluster_core::ceremony::CeremonyId;
use cluster_core::certificate::{Contribution, Readiness};
use cluster_core::committee::OperatorId;
use cluster_core::dkg::{AbortReport, Culprit, Outcome, Step};
use cluster_core::encoding::{decode, encode};
use cluster_core::machine::Time;
use cluster_core::request::SignedRequest;
use cluster_net::codec::Encoded;
use cluster_net::publish::CulpritName;
use serde::{Deserialize, Serialize};

use super::ceremony::count_end;
use super::Shared;
use crate::evidence::EvidenceFile;
use crate::service_client::now_ms;
use crate::store::{CeremonyState, Store, StoreError, Table, ValidatorEntry};

/// A contribution of 1,000 validators is about 1 MB.
const RESULT_LIMIT: usize = 4 * 1024 * 1024;

/// The stored result of a ceremony.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum StoredResult {
    /// It has keys; this operator's part for gateways.
    Done {
        /// The part.
        contribution: Encoded<Contribution>,
        /// Operators whose attestation is still missing.
        missing: Vec<OperatorId>,
        /// Who misbehaved or was missing.
        culprits: Vec<CulpritName>,
    },
    /// It has none.
    Aborted {
        /// Where it ended.
        step: Step,
        /// One sentence.
        reason: String,
        /// Who is to blame.
        culprits: Vec<CulpritName>,
    },
}

/// The result of one ceremony, if it has one.
pub fn read(store: &Store, ceremony_id: CeremonyId) -> Result<Option<StoredResult>, StoreError> {
    let bytes = store.get(Table::Outcomes, ceremony_id.as_bytes())?;
    bytes.map(|bytes| decode(&bytes, RESULT_LIMIT).map_err(|_| StoreError::Corrupt { what: "a result" })).transpose()
}

pub(super) fn done(
    shared: &Shared,
    ceremony_id: CeremonyId,
    request: &SignedRequest,
    outcome: Outcome,
) -> Result<CeremonyState, StoreError> {
    let (state, missing) = match &outcome.readiness {
        Readiness::Ready => (CeremonyState::Ready, Vec::new()),
        Readiness::Incomplete { missing } => (CeremonyState::Incomplete, missing.clone()),
    };
    let contribution = Encoded::new(&outcome.contribution);
    let result = StoredResult::Done {
        contribution: contribution.clone(),
        missing: missing.clone(),
        culprits: names(&outcome.culprits),
    };
    // DKG 11.8: the duties of a reshare's validators move when the contracts name the new committee.
    if request.request.reshare.is_none() {
        // Before the state, which a restart trusts: a ceremony that counts as ready has its validators in the table.
        let mut validators = ValidatorEntry::of_transcript(&outcome.contribution.transcript, shared.me);
        validators.iter_mut().for_each(|entry| entry.active = !shared.await_registration);
        shared.store.add_validators(&validators)?;
    }
    save(shared, ceremony_id, &result, state)?;
    save_evidence(shared, ceremony_id, request, &outcome.culprits);
    let validators = outcome.contribution.transcript.validators.len();
    if state == CeremonyState::Ready {
        count_end(shared, "ready");
        tracing::info!(%ceremony_id, validators, "ceremony {} is ready: all operators hold their shares", ceremony_id.short());
    } else {
        count_end(shared, "incomplete");
        let missing: Vec<u32> = missing.iter().map(|id| id.0).collect();
        tracing::warn!(%ceremony_id, validators, ?missing, "ceremony {} is incomplete: operators {missing:?} have not attested", ceremony_id.short());
    }
    shared.publisher.contribution(ceremony_id, contribution);
    Ok(state)
}

pub(super) fn aborted(
    shared: &Shared,
    ceremony_id: CeremonyId,
    request: &SignedRequest,
    report: AbortReport,
) -> Result<(), StoreError> {
    let culprits = names(&report.culprits);
    let result = StoredResult::Aborted { step: report.step, reason: report.reason.clone(), culprits: culprits.clone() };
    save(shared, ceremony_id, &result, CeremonyState::Aborted)?;
    save_evidence(shared, ceremony_id, request, &report.culprits);
    count_end(shared, "aborted");
    let blamed = blame(&report.culprits);
    tracing::warn!(%ceremony_id, step = %report.step, reason = report.reason, culprits = blamed, "ceremony {} aborted in step {}: {} ({blamed})", ceremony_id.short(), report.step, report.reason);
    shared.publisher.aborted(ceremony_id, report.step, Time(now_ms()), culprits, report.reason);
    Ok(())
}

fn save(
    shared: &Shared,
    ceremony_id: CeremonyId,
    result: &StoredResult,
    state: CeremonyState,
) -> Result<(), StoreError> {
    shared.store.put(Table::Outcomes, ceremony_id.as_bytes(), &encode(result))?;
    shared.store.set_ceremony_state(ceremony_id, state, now_ms())?;
    shared.store.flush()
}

/// Evidence is for people, beside the database; a failure to write it must not end the ceremony.
fn save_evidence(shared: &Shared, ceremony_id: CeremonyId, request: &SignedRequest, culprits: &[Culprit]) {
    let Ok(checked) = request.check_ignoring_deadline(&shared.rules, shared.registry.as_ref()) else { return };
    let Some(file) = EvidenceFile::of(&checked, culprits) else { return };
    let path: PathBuf = shared.data_dir.join(format!("evidence-{}.json", hex::encode(ceremony_id.as_bytes())));
    let written = serde_json::to_vec(&file).map_err(std::io::Error::from).and_then(|text| std::fs::write(&path, text));
    match written {
        Ok(()) => {
            tracing::warn!(%ceremony_id, path = %path.display(), "wrote evidence; check it with `cluster-node verify`")
        }
        Err(error) => tracing::error!(%ceremony_id, path = %path.display(), %error, "evidence cannot be written"),
    }
}

pub(super) fn names(culprits: &[Culprit]) -> Vec<CulpritName> {
    let named = culprits.iter().map(|culprit| CulpritName { operator_id: culprit.operator_id, kind: culprit.kind });
    named.take(cluster_net::limits::CULPRITS).collect()
}

/// The word that the API uses for a kind of fault.
pub fn kind_name(kind: cluster_core::dkg::CulpritKind) -> String {
    serde_json::to_value(kind).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn blame(culprits: &[Culprit]) -> String {
    if culprits.is_empty() {
        return "no operator can be named".to_owned();
    }
    let words: Vec<String> = culprits
        .iter()
        .map(|culprit| format!("operator {}: {}", culprit.operator_id, kind_name(culprit.kind)))
        .collect();
    words.join(", ")
}
