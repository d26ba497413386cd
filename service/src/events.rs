//! What happens in a ceremony, persisted in order; the source of `/v1/ceremonies/{ceremony_id}/events`.

use crate::store::{StoreError, StoreResult, WriteTx};
use cluster_core::encoding::to_hex;
use cluster_crypto::hash::TaggedHash;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Kind of an event; also the SSE event name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// The owner's request was accepted.
    Requested,
    /// An operator entered a step, as a gateway reports it.
    Progress,
    /// The ceremony ended without keys, as a gateway reports it.
    Aborted,
    /// The deadline passed before any operator reported; nothing will come unless a certificate does after all.
    Expired,
    /// A verified certificate lacks some operators.
    Incomplete,
    /// A verified certificate has every operator. The last event.
    Ready,
}

impl EventKind {
    /// The name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            EventKind::Requested => "requested",
            EventKind::Progress => "progress",
            EventKind::Aborted => "aborted",
            EventKind::Expired => "expired",
            EventKind::Incomplete => "incomplete",
            EventKind::Ready => "ready",
        }
    }
}

/// An operator that is blamed, as a gateway reports it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CulpritReport {
    /// Id in the registry.
    pub operator_id: u32,
    /// What it did, e.g. `silent` or `wrong_share`.
    pub kind: String,
}

/// The part of an event that says what happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventBody {
    /// What happened.
    pub kind: EventKind,
    /// Who reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator_id: Option<u32>,
    /// The step of the ceremony: commit, deal, echo, verdicts, store, sign, certify, done or aborted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// When it happened at the operator, Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported_at_ms: Option<u64>,
    /// Who is blamed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub culprits: Vec<CulpritReport>,
    /// Why the ceremony was aborted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who has not attested yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing_operators: Vec<u32>,
}

/// An event as it is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CeremonyEvent {
    /// 0x hex.
    pub ceremony_id: String,
    /// 1, 2, 3, ... within the ceremony; also the SSE event id.
    pub seq: i64,
    /// When the service stored it, Unix milliseconds.
    pub at_ms: u64,
    /// What happened.
    #[serde(flatten)]
    pub body: EventBody,
}

impl EventBody {
    /// An event of this kind, with nothing else.
    pub fn of(kind: EventKind) -> Self {
        Self {
            kind,
            operator_id: None,
            step: None,
            reported_at_ms: None,
            culprits: Vec::new(),
            reason: None,
            missing_operators: Vec::new(),
        }
    }

    /// Equal for reports of the same thing by several gateways, which see it at different times.
    fn fingerprint(&self) -> StoreResult<String> {
        let timeless = Self { reported_at_ms: None, ..self.clone() };
        let json = serde_json::to_vec(&timeless).map_err(|_| StoreError::Corrupt { column: "data" })?;
        Ok(to_hex(&TaggedHash::new("cluster-node/event/1").bytes(&json).finish()))
    }
}

/// Appends an event unless the same was recorded before; returns its number.
pub async fn record(write: &mut WriteTx, ceremony_id: &str, body: EventBody, now_ms: u64) -> StoreResult<Option<i64>> {
    let seq = write.last_event(ceremony_id).await? + 1;
    let fingerprint = body.fingerprint()?;
    let event = CeremonyEvent { ceremony_id: ceremony_id.to_owned(), seq, at_ms: now_ms, body };
    let data = serde_json::to_string(&event).map_err(|_| StoreError::Corrupt { column: "data" })?;
    Ok(write.add_event(ceremony_id, seq, &fingerprint, &data).await?.then_some(seq))
}
