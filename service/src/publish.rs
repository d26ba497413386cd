//! Publication of a ceremony's certificate: parse, verify everything, merge with what is stored, store.
//!
//! A gateway can delay a certificate but not forge one: nothing of it is believed before [`Certificate::verify`]
//! has checked it against the registry. Work on the certificate (up to a second at 1,000 validators) runs in
//! blocking threads, a bounded number at a time; the database is locked only for the final write.

use crate::events::{self, EventBody, EventKind};
use crate::hex::address_key;
use crate::metrics::Publication;
use crate::problem::{ApiResult, Problem};
use crate::state::AppState;
use crate::store::{CertificateRow, NewCeremony, Outcome, ValidatorRow};
use axum::body::Bytes;
use cluster_core::certificate::{Certificate, Readiness};
use cluster_core::chain::EventId;
use cluster_core::encoding::to_hex;
use cluster_core::request::{EventLookup, Origin, SignedRequest};
use rand_core::OsRng;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::time::Instant;
use utoipa::ToSchema;

/// Two gateways may write between our read and our write; more than a few times in a row is not chance.
const ATTEMPTS: usize = 5;

/// One operator's part of a validator, as stored and as shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OperatorShare {
    /// Id in the registry.
    pub operator_id: u32,
    /// Identity key: 33 bytes, 0x hex.
    pub public_key: String,
    /// Public key of the share: 48 bytes, 0x hex.
    pub share_pubkey: String,
    /// The share sealed to the operator: 93 bytes, 0x hex; missing until the operator has attested.
    pub sealed_share: Option<String>,
}

/// Publishes the certificate in `body` for `ceremony_id` (0x hex, lower-case).
pub async fn publish(state: &AppState, ceremony_id: &str, body: Bytes) -> ApiResult<Publication> {
    let result = publish_inner(state, ceremony_id, body).await;
    state.metrics.count_publication(match &result {
        Ok(publication) => *publication,
        Err(problem) if problem.status == 409 => Publication::Conflict,
        Err(_) => Publication::Refused,
    });
    match &result {
        Ok(publication) => tracing::info!(ceremony_id, ?publication, "ceremony {ceremony_id} published"),
        Err(problem) => {
            let field = problem.field.as_deref().unwrap_or_default();
            tracing::warn!(ceremony_id, field, detail = %problem.detail, "publication of ceremony {ceremony_id} refused");
        }
    }
    result
}

async fn publish_inner(state: &AppState, ceremony_id: &str, body: Bytes) -> ApiResult<Publication> {
    // A gateway that retries sends the same bytes: they were verified before, and even parsing them costs much.
    if is_held(state, ceremony_id, &digest(&body)).await? {
        return Ok(Publication::Repeated);
    }
    let permit = state.verify_slots.clone().acquire_owned().await;
    let permit = permit.map_err(|_| Problem::unavailable("The service is stopping."))?;
    let id = ceremony_id.to_owned();
    let new = blocking(move || Candidate::parse(&body, &id)).await??;
    if is_held(state, ceremony_id, &new.certificate_digest).await? {
        return Ok(Publication::Repeated);
    }
    let verifier = state.clone();
    let new = blocking(move || new.verified(&verifier)).await??;
    drop(permit);
    store_merged(state, ceremony_id, new).await
}

async fn is_held(state: &AppState, ceremony_id: &str, certificate_digest: &str) -> ApiResult<bool> {
    let held = state.store.ceremony(ceremony_id).await?;
    Ok(held.is_some_and(|held| held.certificate_digest == certificate_digest))
}

/// Of a certificate's JSON.
fn digest(json: &[u8]) -> String {
    to_hex(&Sha256::digest(json))
}

async fn store_merged(state: &AppState, ceremony_id: &str, new: Candidate) -> ApiResult<Publication> {
    let mut new = new;
    for _ in 0..ATTEMPTS {
        let held = state.store.certificate(ceremony_id).await?;
        let held_digest = held.as_ref().map(|held| held.certificate_digest.clone()).unwrap_or_default();
        let now_ms = state.clock.now_ms();
        let (back, merged) = blocking(move || {
            let merged = merge(held, &new, now_ms);
            (new, merged)
        })
        .await?;
        new = back;
        let Some(merged) = merged? else {
            return Ok(Publication::Repeated);
        };
        if write(state, &merged, &held_digest, now_ms).await? {
            state.wake.ceremony(ceremony_id);
            return Ok(if held_digest.is_empty() { Publication::Created } else { Publication::Merged });
        }
    }
    Err(Problem::unavailable("Too many gateways publish this ceremony at once; try again."))
}

/// A certificate and the digests by which it is compared.
struct Candidate {
    certificate: Certificate,
    json: String,
    transcript_digest: String,
    certificate_digest: String,
}

impl Candidate {
    fn parse(body: &[u8], ceremony_id: &str) -> ApiResult<Self> {
        let text = std::str::from_utf8(body).map_err(|_| Problem::malformed("The body is not UTF-8."))?;
        let certificate = Certificate::from_json(text)
            .map_err(|error| Problem::invalid(error.field.clone(), error.problem.to_string()))?;
        if certificate.ceremony_id.to_string() != ceremony_id {
            let detail = format!("The certificate is of ceremony {}, not of {ceremony_id}.", certificate.ceremony_id);
            return Err(Problem::invalid("ceremony_id", detail));
        }
        Self::new(certificate)
    }

    fn new(certificate: Certificate) -> ApiResult<Self> {
        let json = serde_json::to_string(&certificate).map_err(|_| Problem::internal())?;
        Ok(Self {
            transcript_digest: to_hex(&certificate.transcript.digest()),
            certificate_digest: digest(json.as_bytes()),
            certificate,
            json,
        })
    }

    fn verified(self, state: &AppState) -> ApiResult<Self> {
        let begin = Instant::now();
        if self.certificate.transcript.network() != Some(state.network) {
            let detail = format!("The certificate is for another chain; this service serves {}.", state.network);
            return Err(Problem::invalid("transcript.request.request.chain_id", detail));
        }
        if let Some(event) = self.unread_event(state) {
            let detail =
                format!("The service has not read the event {event} yet, which asks for this ceremony; try again.");
            return Err(Problem::unavailable(detail).with_field("transcript.request.event"));
        }
        let result = self.certificate.verify(Some(state.registry.as_ref()), &mut OsRng);
        state.metrics.verify_seconds.observe(begin.elapsed().as_secs_f64());
        result.map_err(|error| Problem::invalid(error.field.clone(), error.problem.to_string()))?;
        Ok(self)
    }

    /// The event of the request, when this service does not know it. Operators read the chain themselves, and a ceremony takes
    /// less time than a poll of ours: that is no reason to refuse their work for good.
    fn unread_event(&self, state: &AppState) -> Option<EventId> {
        let event = self.certificate.transcript.request.origin.event()?;
        let is_unread = state.registry.event_request(event) == EventLookup::Unknown;
        (is_unread && event.chain_id == state.network.chain_id()).then_some(*event)
    }
}

/// What one publication writes.
struct Merged {
    ceremony: NewCeremony,
    outcome: Outcome,
    validators: Vec<ValidatorRow>,
    /// Keys that a reshare takes over, with their shares: they stay the validators of the ceremony that made them.
    taken_over: Vec<(String, String)>,
    event: EventBody,
}

/// Joins the new certificate with the stored one. `None`: it brings nothing new.
fn merge(held: Option<CertificateRow>, new: &Candidate, now_ms: u64) -> ApiResult<Option<Merged>> {
    let Some(held) = held else {
        return prepare(new, now_ms).map(Some);
    };
    if held.transcript_digest != new.transcript_digest {
        return Err(Problem::conflict(format!(
            "Another certificate of this ceremony is stored, with transcript {}; this one has {}. Operators signed both: keep both as evidence.",
            held.transcript_digest, new.transcript_digest
        ))
        .with_field("transcript"));
    }
    let mut certificate = Certificate::from_json(&held.certificate).map_err(|_| Problem::internal())?;
    let mut is_new = false;
    for attestation in &new.certificate.attestations {
        // Of two attestations of one operator the first stays: both were verified.
        is_new |= certificate.merge(attestation.clone()).map_err(|_| Problem::internal())?;
    }
    if !is_new {
        return Ok(None);
    }
    prepare(&Candidate::new(certificate)?, now_ms).map(Some)
}

fn prepare(candidate: &Candidate, now_ms: u64) -> ApiResult<Merged> {
    let certificate = &candidate.certificate;
    let missing_operators = match certificate.readiness() {
        Readiness::Ready => Vec::new(),
        Readiness::Incomplete { missing } => missing.iter().map(|id| id.0).collect(),
    };
    let ready = missing_operators.is_empty();
    let ceremony = new_ceremony(&certificate.transcript.request)?;
    let mut validators = validator_rows(certificate, &ceremony, ready, now_ms)?;
    let mut taken_over = Vec::new();
    if certificate.transcript.request.request.reshare.is_some() {
        taken_over.extend(validators.drain(..).map(|row| (row.pubkey, row.operators)));
    }
    let kind = if ready { EventKind::Ready } else { EventKind::Incomplete };
    Ok(Merged {
        event: EventBody { missing_operators: missing_operators.clone(), ..EventBody::of(kind) },
        outcome: Outcome {
            status: kind.as_str(),
            missing_operators,
            certificate: CertificateRow {
                transcript_digest: candidate.transcript_digest.clone(),
                certificate_digest: candidate.certificate_digest.clone(),
                certificate: candidate.json.clone(),
            },
        },
        ceremony,
        validators,
        taken_over,
    })
}

/// The row of a request that was checked.
pub fn new_ceremony(signed: &SignedRequest) -> ApiResult<NewCeremony> {
    let request = &signed.request;
    Ok(NewCeremony {
        ceremony_id: signed.ceremony_id().to_string(),
        owner: address_key(&request.owner),
        nonce: request.nonce,
        cluster_pubkey: to_hex(&request.cluster_pubkey.to_bytes()),
        validator_count: request.validator_count,
        operator_ids: request.operator_ids.iter().map(|id| id.0).collect(),
        withdrawal_address: address_key(&request.withdrawal_address),
        deadline_s: request.deadline,
        request: serde_json::to_string(signed).map_err(|_| Problem::internal())?,
    })
}

/// The transaction whose event is the request; empty when the owner signed it.
pub fn generate_txid(signed: &SignedRequest) -> String {
    match &signed.origin {
        Origin::Signature(_) => String::new(),
        Origin::Event(event) => event.transaction_hash.to_string(),
    }
}

fn validator_rows(
    certificate: &Certificate,
    ceremony: &NewCeremony,
    ready: bool,
    now_ms: u64,
) -> ApiResult<Vec<ValidatorRow>> {
    let transcript = &certificate.transcript;
    let now_ms = i64::try_from(now_ms).unwrap_or(i64::MAX);
    let deposit_data = certificate.deposit_data();
    let row = |(k, validator): (usize, &cluster_core::certificate::ValidatorRecord)| {
        let shares = transcript.committee.iter().zip(&validator.share_pubkeys).map(|((id, key), share_pubkey)| {
            let attestation = certificate.attestations.iter().find(|attestation| attestation.operator_id == *id);
            let envelope = attestation.and_then(|attestation| attestation.envelopes.get(k));
            OperatorShare {
                operator_id: id.0,
                public_key: to_hex(&key.to_bytes()),
                share_pubkey: to_hex(&share_pubkey.to_bytes()),
                sealed_share: envelope.map(|envelope| to_hex(&envelope.to_bytes()[..])),
            }
        });
        let shares: Vec<OperatorShare> = shares.collect();
        // Not offered for a deposit before every operator has confirmed its share.
        let deposit_data = match deposit_data.get(k).filter(|_| ready) {
            Some(entry) => serde_json::to_string(entry).map_err(|_| Problem::internal())?,
            None => String::new(),
        };
        Ok(ValidatorRow {
            pubkey: to_hex(&validator.pubkey.to_bytes()),
            id: 0,
            ceremony_id: ceremony.ceremony_id.clone(),
            owner: ceremony.owner.clone(),
            cluster_pubkey: ceremony.cluster_pubkey.clone(),
            status: if ready { "Ready" } else { "Incomplete" }.to_owned(),
            register_txid: String::new(),
            deposit_txid: String::new(),
            exit_txid: String::new(),
            deposit_data,
            operators: serde_json::to_string(&shares).map_err(|_| Problem::internal())?,
            created_at_ms: now_ms,
            updated_at_ms: now_ms,
            generate_txid: generate_txid(&transcript.request),
            orphaned: 0,
        })
    };
    transcript.validators.iter().enumerate().map(row).collect()
}

/// Writes unless somebody else wrote since `held_digest` was read; says whether it did.
async fn write(state: &AppState, merged: &Merged, held_digest: &str, now_ms: u64) -> ApiResult<bool> {
    let ceremony_id = &merged.ceremony.ceremony_id;
    let mut write = state.store.write().await?;
    match write.ceremony_head(ceremony_id).await? {
        Some((_, digest)) if digest != held_digest => return Ok(false),
        Some(_) => {}
        None => {
            // The request came by another way than this service; the certificate carries it, signed by the owner.
            write.add_ceremony(&merged.ceremony, now_ms).await?;
            events::record(&mut write, ceremony_id, EventBody::of(EventKind::Requested), now_ms).await?;
        }
    }
    let taken_over: Vec<String> = merged.taken_over.iter().map(|(pubkey, _)| pubkey.clone()).collect();
    if write.belongs_to_others(&merged.ceremony.owner, &taken_over).await? {
        let detail = "A validator of this reshare belongs to another owner.";
        return Err(Problem::conflict(detail).with_field("transcript.validators"));
    }
    write.put_taken_over(ceremony_id, &merged.taken_over).await?;
    let written = write.put_validators(&merged.validators).await?;
    if written != merged.validators.len() as u64 {
        let detail = "A validator of this certificate belongs to another ceremony already.";
        return Err(Problem::conflict(detail).with_field("transcript.validators"));
    }
    write.set_outcome(ceremony_id, &merged.outcome, now_ms).await?;
    write.sum_upkeep(&taken_over).await?;
    if state.chain.is_some() {
        // The chain may have told of these keys before their certificate came.
        let pubkeys: BTreeSet<String> = merged.validators.iter().map(|row| row.pubkey.clone()).collect();
        write.refresh_validators(&pubkeys, now_ms).await?;
    }
    events::record(&mut write, ceremony_id, merged.event.clone(), now_ms).await?;
    write.commit().await?;
    Ok(true)
}

/// Runs CPU-bound work off the async threads.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> ApiResult<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        tracing::error!(%error, "work on a certificate ended by itself");
        Problem::internal()
    })
}
