//! `initiator/*`: the cluster node that this instance serves, and the owner bound to it.

use super::envelope::{Envelope, LegacyError, LegacyResult, NOT_SET_UP};
use crate::auth::legacy::LegacyOwner;
use crate::chain::hints;
use crate::hex::{address_key, checksummed, parse_address};
use crate::state::AppState;
use crate::store::InitiatorRow;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use cluster_crypto::ethereum::Address;
use serde::Serialize;

/// What the set-up page shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InitiatorStatus {
    /// 33 bytes, 0x hex.
    pub cluster_pubkey: String,
    /// Unix seconds.
    pub created_at: i64,
    /// Checksummed address of the bound owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// 65 bytes uncompressed, 0x hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner_pubkey: Option<String>,
    /// `Ready` to be bound, or `Completed`.
    pub status: &'static str,
    /// Unix seconds.
    pub updated_at: i64,
}

impl From<InitiatorRow> for InitiatorStatus {
    fn from(row: InitiatorRow) -> Self {
        let given = |text: String| (!text.is_empty()).then_some(text);
        Self {
            status: if row.owner.is_empty() { "Ready" } else { "Completed" },
            cluster_pubkey: row.cluster_pubkey,
            created_at: row.created_at_s,
            owner: given(row.owner).map(|owner| checksummed(&owner)),
            owner_pubkey: given(row.owner_pubkey),
            updated_at: row.updated_at_s,
        }
    }
}

/// `GET initiator/status`: public, because the set-up page asks before anybody signs in.
pub async fn status(State(state): State<AppState>) -> LegacyResult<InitiatorStatus> {
    current(&state).await.map(|row| Envelope(row.into()))
}

/// `POST initiator/bind/{owner}`: an owner binds itself, once for ever. Where a chain is read, the owner is the one that
/// registered the cluster node there; should a reorganisation name another one, the binding is gone.
pub async fn bind(
    State(state): State<AppState>,
    caller: LegacyOwner,
    owner: Result<Path<String>, PathRejection>,
) -> LegacyResult<InitiatorStatus> {
    let owner = owner.ok().and_then(|Path(owner)| parse_address(&owner));
    let owner = owner.ok_or_else(|| LegacyError::new(400, "The owner is not an address."))?;
    if address_key(&owner) != caller.owner {
        return Err(LegacyError::new(403, "An owner can bind only itself; sign in with that wallet."));
    }
    let row = current(&state).await?;
    if row.owner == caller.owner {
        return Ok(Envelope(row.into()));
    }
    check_chain(&state, &row.cluster_pubkey, &owner).await?;
    let mut write = state.store.write().await?;
    let now_s = state.clock.now_s();
    let bound = write.bind_initiator(&row.cluster_pubkey, &caller.owner, &caller.owner_pubkey, now_s).await?;
    write.commit().await?;
    let row = current(&state).await?;
    // Two calls of one owner at once: the second finds the first one's work.
    if !bound && row.owner != caller.owner {
        return Err(LegacyError::new(409, "This cluster node is bound to another owner."));
    }
    Ok(Envelope(row.into()))
}

/// Whether the chain has this owner for the cluster node: by the facts that were read, or else, as apps bind right after
/// the registration, by the contract's own word now.
async fn check_chain(state: &AppState, cluster_pubkey: &str, owner: &Address) -> Result<(), LegacyError> {
    let Some(chain) = &state.chain else { return Ok(()) };
    let registered = match chain.directory.cluster_node_owner(cluster_pubkey) {
        Some(registered) => Some(registered),
        None => hints::cluster_node_owner(chain, cluster_pubkey).await.map_err(|error| {
            tracing::warn!(%error, "a cluster node cannot be looked up now");
            LegacyError::new(503, "No execution node has an answer now; try again in a minute.")
        })?,
    };
    match registered {
        Some(registered) if registered == *owner => Ok(()),
        Some(registered) => {
            Err(LegacyError::new(409, format!("The chain has {registered} as the owner of this cluster node.")))
        }
        None => Err(LegacyError::new(409, "This cluster node is not registered on the chain; register it first.")),
    }
}

async fn current(state: &AppState) -> Result<InitiatorRow, LegacyError> {
    let not_set_up = || LegacyError::new(NOT_SET_UP, "No cluster node is configured for this service.");
    let cluster_pubkey = state.cluster_pubkey.as_ref().ok_or_else(not_set_up)?;
    state.store.initiator(cluster_pubkey).await?.ok_or_else(not_set_up)
}
