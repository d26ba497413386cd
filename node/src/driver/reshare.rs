//! What a reshare starts from: this operator's own result and shares of the previous ceremony.

use cluster_core::certificate::Transcript;
use cluster_core::committee::OperatorId;
use cluster_core::request::{CheckedRequest, KeysDigest, Reshare};
use cluster_crypto::polynomial::SecretVector;

use super::results::{self, StoredResult};
use super::AdmissionError;
use crate::store::{Source, Store, StoreError};

/// DKG 11.2: whether the request takes over what this operator knows of the previous ceremony. An operator that knows nothing
/// of it has nothing to compare, and nothing to deal.
pub(super) fn check(store: &Store, checked: &CheckedRequest) -> Result<(), AdmissionError> {
    let Some(reshare) = &checked.request().reshare else { return Ok(()) };
    match own_result(store, reshare)? {
        Some(transcript) => Ok(reshare.agrees_with(checked.request(), &transcript)?),
        None => Ok(()),
    }
}

/// DKG 11.3: the shares that this operator deals, in the order of the validators; none when it only receives.
pub(super) fn inherited(
    store: &Store,
    me: OperatorId,
    checked: &CheckedRequest,
) -> Result<Option<SecretVector>, StoreError> {
    let Some(reshare) = &checked.request().reshare else { return Ok(None) };
    let Some((_, index)) = reshare.dealers(&checked.request().operator_ids).find(|(id, _)| *id == me) else {
        return Ok(None);
    };
    let (ceremony_id, previous) = (checked.ceremony_id(), reshare.previous);
    let cannot = |why: &str| {
        tracing::warn!(%ceremony_id, %previous, "this operator deals no shares in the reshare {}: {why}", ceremony_id.short());
        Ok(None)
    };
    let source = Source::Ceremony(previous);
    if store.handover(&source)?.is_some() {
        return cannot("its shares of the previous ceremony are in its signer process");
    }
    // Without a result of its own it cannot know that withdrawals go where they did.
    if own_result(store, reshare)?.is_none() {
        return cannot("it has no result of the previous ceremony");
    }
    let Some(held) = store.open_shares(&source)? else {
        return cannot("its database has no shares of the previous ceremony");
    };
    let own = held.share_index == index
        && held.shares.len() == checked.validator_count()
        && KeysDigest::of(&held.validators) == reshare.validators
        && reshare.share_keys_of(index) == Some(KeysDigest::of(&held.share_pubkeys));
    if own {
        Ok(Some(held.shares))
    } else {
        cannot("the shares in its database are others than the request names")
    }
}

/// Decodes every key of it: where blocking is allowed.
fn own_result(store: &Store, reshare: &Reshare) -> Result<Option<Transcript>, StoreError> {
    match results::read(store, reshare.previous)? {
        Some(StoredResult::Done { contribution, .. }) => {
            let contribution = contribution.decode().map_err(|_| StoreError::Corrupt { what: "a result" })?;
            Ok(Some(contribution.transcript))
        }
        Some(StoredResult::Aborted { .. }) | None => Ok(None),
    }
}
