//! Moving an operator's shares to its signer process; see `store/signer.rs` for the order of steps.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use cluster_core::committee::OperatorId;
use cluster_core::slashing::{Interchange, SignedAttestation, SignedBlock, ValidatorHistory};
use cluster_crypto::identity;
use cluster_crypto::seal::{seal_envelopes, EnvelopeContext};
use rand_core::OsRng;
use tokio_util::sync::CancellationToken;

use super::remote::RemoteSigner;
use super::request::{Pubkey, SignerError};
use super::wire::Parcel;
use crate::store::{CeremonyState, Handover, Source, Store, StoreError, ValidatorEntry};

/// Between two looks: a ceremony that becomes ready later, or a signer that was away.
const PAUSE: Duration = Duration::from_secs(10);

/// Moves whatever shares this operator holds to its signer, now and whenever new ones come.
#[derive(Debug)]
pub struct HandOver {
    store: Arc<Store>,
    remote: RemoteSigner,
    me: OperatorId,
    /// Sources that the signer has confirmed and that stay here until their ceremony is ready.
    confirmed: HashSet<Source>,
}

impl HandOver {
    /// For the operator with this store.
    #[must_use]
    pub fn new(store: Arc<Store>, remote: RemoteSigner, me: OperatorId) -> Self {
        Self { store, remote, me, confirmed: HashSet::new() }
    }

    /// Moves shares until `stop` is cancelled.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut changes = self.store.validators_changed();
        loop {
            changes.mark_unchanged();
            match stop.run_until_cancelled(self.pass()).await {
                None => return,
                // That the signer is away was logged by its client.
                Some(Ok(()) | Err(SignerError::Away { .. } | SignerError::Stopping)) => {}
                Some(Err(error)) => tracing::error!(%error, "shares stay here: {error}"),
            }
            let wait = async {
                let _ = tokio::time::timeout(PAUSE, changes.changed()).await;
            };
            if stop.run_until_cancelled(wait).await.is_none() {
                return;
            }
        }
    }

    /// Moves everything that can be moved now. May be repeated at any time, after a crash at any point.
    pub async fn pass(&mut self) -> Result<(), SignerError> {
        let store = Arc::clone(&self.store);
        let sources = blocking(move || sources(&store)).await?;
        for (source, entries) in sources {
            if !self.confirmed.contains(&source) {
                let key = self.remote.public_key().await?;
                let (store, me) = (Arc::clone(&self.store), self.me);
                let Some(parcel) = blocking(move || parcel(&store, me, source, entries, &key)).await? else { continue };
                self.remote.import(parcel).await?;
                self.confirmed.insert(source);
                tracing::info!(source = hex::encode(&source.id()[..4]), "the signer holds these shares now");
            }
            let store = Arc::clone(&self.store);
            if blocking(move || erase_when_ready(&store, &source)).await? {
                self.confirmed.remove(&source);
            }
        }
        Ok(())
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, SignerError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Ok(done?),
        Err(_) => Err(SignerError::Stopping),
    }
}

/// The sources whose shares are still here, with their validators. Finishes removals that a crash cut short.
fn sources(store: &Store) -> Result<Vec<(Source, Vec<ValidatorEntry>)>, StoreError> {
    let mut by_source: BTreeMap<[u8; 32], (Source, Vec<ValidatorEntry>)> = BTreeMap::new();
    for entry in store.validators()? {
        by_source.entry(*entry.source.id()).or_insert_with(|| (entry.source, Vec::new())).1.push(entry);
    }
    let mut found = Vec::new();
    for (source, entries) in by_source.into_values() {
        match store.handover(&source)? {
            Some(Handover::Erased) if store.has_traces(&source)? => store.erase_shares(&source)?,
            Some(Handover::Erased) => {}
            None | Some(Handover::Moving) => {
                found.push((source, entries));
            }
        }
    }
    Ok(found)
}

/// What the signer gets. From here on this process does not sign with these shares.
fn parcel(
    store: &Store,
    me: OperatorId,
    source: Source,
    entries: Vec<ValidatorEntry>,
    signer: &identity::PublicKey,
) -> Result<Option<Parcel>, StoreError> {
    let Some(shares) = store.open_shares(&source)? else { return Ok(None) };
    store.begin_handover(&source)?;
    let context = EnvelopeContext { ceremony_id: source.id(), operator_id: me.0 };
    let envelopes = seal_envelopes(signer, context, &shares.validators, &shares.shares, &mut OsRng)
        .map_err(|_| StoreError::Corrupt { what: "the shares of a ceremony" })?;
    let validators: HashSet<Pubkey> = entries.iter().map(|entry| entry.pubkey.to_bytes()).collect();
    Ok(Some(Parcel {
        source,
        operator_id: me,
        share_index: shares.share_index,
        validators: shares.validators,
        share_pubkeys: shares.share_pubkeys,
        envelopes,
        entries,
        history: history(store, &validators)?,
    }))
}

/// What these validators have signed, reduced to the newest of each (EIP-3076, "minimal"): the signer then refuses
/// everything older, which is more than slashing protection asks for and small.
fn history(store: &Store, validators: &HashSet<Pubkey>) -> Result<Option<serde_bytes::ByteBuf>, StoreError> {
    let mut file = match store.slashing().export() {
        Ok(file) => file,
        Err(StoreError::NoChain) => return Ok(None),
        Err(error) => return Err(error),
    };
    file.data.retain(|entry| validators.contains(&entry.pubkey));
    for entry in &mut file.data {
        *entry = newest(entry);
    }
    json(&file).map(Some)
}

fn newest(entry: &ValidatorHistory) -> ValidatorHistory {
    let votes = &entry.signed_attestations;
    let source = votes.iter().map(|vote| vote.source_epoch).max();
    let target = votes.iter().map(|vote| vote.target_epoch).max();
    let vote = source.zip(target).map(|(source_epoch, target_epoch)| SignedAttestation {
        source_epoch,
        target_epoch,
        signing_root: None,
    });
    let slot = entry.signed_blocks.iter().map(|block| block.slot).max();
    ValidatorHistory {
        pubkey: entry.pubkey,
        signed_blocks: slot.map(|slot| SignedBlock { slot, signing_root: None }).into_iter().collect(),
        signed_attestations: vote.into_iter().collect(),
    }
}

fn json(file: &Interchange) -> Result<serde_bytes::ByteBuf, StoreError> {
    let bytes = serde_json::to_vec(file).map_err(|_| StoreError::Corrupt { what: "the slashing history" })?;
    Ok(serde_bytes::ByteBuf::from(bytes))
}

/// Removes shares that the signer has confirmed, once nothing here needs them: a ceremony that is not ready must be able
/// to help its slow operators after a restart.
fn erase_when_ready(store: &Store, source: &Source) -> Result<bool, StoreError> {
    let ready = match source {
        Source::Split(_) | Source::Registered(_) => true,
        Source::Ceremony(id) => store.ceremony(*id)?.is_none_or(|entry| entry.state == CeremonyState::Ready),
    };
    if ready {
        store.erase_shares(source)?;
    }
    Ok(ready)
}
