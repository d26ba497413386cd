//! Whether validators are active, exiting or out: asked of a beacon node, every epoch.

use super::Chain;
use crate::limits;
use crate::state::AppState;
use crate::store::{BeaconRow, StoreResult};
use futures::StreamExt;
use reqwest::Url;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// One epoch: states change at its end.
const EVERY: Duration = Duration::from_secs(384);
/// Validators in one question.
const VALIDATORS: i64 = 256;
/// Largest answer: a validator takes some 600 bytes.
const ANSWER_BYTES: usize = 2 << 20;
/// The epoch that means "never".
const FAR_FUTURE: u64 = u64::MAX;

/// Why a beacon node gave no usable answer; without its URL, which may hold a key.
#[derive(Debug, thiserror::Error)]
enum BeaconError {
    #[error("{0}")]
    Http(String),
    #[error("its answer has more than {ANSWER_BYTES} bytes")]
    TooLarge,
    #[error("its answer cannot be read: {0}")]
    Unreadable(String),
}

#[derive(Deserialize)]
struct Data<T> {
    data: T,
}

#[derive(Deserialize)]
struct StateValidator {
    index: String,
    status: String,
    validator: ValidatorRecord,
}

#[derive(Deserialize)]
struct ValidatorRecord {
    pubkey: String,
    slashed: bool,
    activation_epoch: String,
    exit_epoch: String,
}

#[derive(Deserialize)]
struct HeadHeader {
    header: SignedHeader,
}

#[derive(Deserialize)]
struct SignedHeader {
    message: HeaderMessage,
}

#[derive(Deserialize)]
struct HeaderMessage {
    slot: String,
    state_root: String,
}

/// Asks until the service stops; does nothing where no beacon node is configured.
pub async fn run(state: AppState, chain: Arc<Chain>) {
    let urls = chain.settings.beacon_urls.clone();
    if urls.is_empty() {
        return;
    }
    let timeout = Duration::from_millis(chain.settings.config.timeout_ms.max(1));
    let client = reqwest::Client::builder().timeout(timeout).redirect(reqwest::redirect::Policy::none()).build();
    let Ok(client) = client else {
        tracing::error!("the client of beacon nodes cannot be made; validators stay unknown");
        return;
    };
    let mut every = tokio::time::interval(EVERY);
    loop {
        tokio::select! {
            _ = every.tick() => {}
            () = chain.look_at_beacon.notified() => {}
            () = state.stopping.cancelled() => return,
        }
        if let Err(error) = look(&state, &chain, &client, &urls).await {
            tracing::error!(%error, "what a beacon node said could not be stored");
        }
    }
}

async fn look(state: &AppState, chain: &Chain, client: &reqwest::Client, urls: &[Url]) -> StoreResult<()> {
    let mut after = 0;
    loop {
        let rows = state.store.pubkeys_after(after, VALIDATORS).await?;
        let Some((last, _)) = rows.last() else { return Ok(()) };
        after = *last;
        let pubkeys: Vec<String> = rows.into_iter().map(|(_, pubkey)| pubkey).collect();
        let Some(known) = ask(client, urls, &pubkeys, state.clock.now_ms()).await else { return Ok(()) };
        chain.metrics.beacon_answers.inc_by(known.len() as u64);
        let mut write = state.store.write().await?;
        let news: BTreeSet<String> = write.put_beacon(&known).await?.into_iter().collect();
        write.refresh_validators(&news, state.clock.now_ms()).await?;
        write.commit().await?;
    }
}

/// The first beacon node that has an answer; `None`: none has.
async fn ask(client: &reqwest::Client, urls: &[Url], pubkeys: &[String], now_ms: u64) -> Option<Vec<BeaconRow>> {
    for url in urls {
        match ask_one(client, url, pubkeys, now_ms).await {
            Ok(rows) => return Some(rows),
            Err(error) => {
                let node = url.host_str().unwrap_or_default();
                tracing::warn!(node, %error, "beacon node {node} has no answer");
            }
        }
    }
    None
}

async fn ask_one(
    client: &reqwest::Client,
    url: &Url,
    pubkeys: &[String],
    now_ms: u64,
) -> Result<Vec<BeaconRow>, BeaconError> {
    let at = |path: &str| format!("{}{path}", url.as_str().trim_end_matches('/'));
    let head: Data<HeadHeader> = read(client.get(at("/eth/v1/beacon/headers/head"))).await?;
    let head = head.data.header.message;
    let slot: i64 = head.slot.parse().map_err(|_| BeaconError::Unreadable("the slot is no number".to_owned()))?;
    // By its root: the head may move between the two calls.
    let states = at(&format!("/eth/v1/beacon/states/{}/validators", head.state_root));
    let found: Data<Vec<StateValidator>> = read(client.post(states).json(&json!({ "ids": pubkeys }))).await?;
    let asked: BTreeSet<&str> = pubkeys.iter().map(String::as_str).collect();
    let rows = found.data.into_iter().filter(|found| asked.contains(found.validator.pubkey.as_str()));
    rows.map(|found| row(found, slot, now_ms)).collect()
}

fn row(found: StateValidator, slot: i64, now_ms: u64) -> Result<BeaconRow, BeaconError> {
    let number = |text: &str| text.parse::<u64>().map_err(|_| BeaconError::Unreadable("a number is none".to_owned()));
    let epoch = |text: &str| {
        let epoch = number(text)?;
        Ok(if epoch == FAR_FUTURE { -1 } else { i64::try_from(epoch).unwrap_or(i64::MAX) })
    };
    if found.status.len() > limits::BEACON_STATUS_BYTES {
        return Err(BeaconError::Unreadable("a status is too long".to_owned()));
    }
    Ok(BeaconRow {
        validator_index: i64::try_from(number(&found.index)?).unwrap_or(i64::MAX),
        activation_epoch: epoch(&found.validator.activation_epoch)?,
        exit_epoch: epoch(&found.validator.exit_epoch)?,
        slashed: i64::from(found.validator.slashed),
        pubkey: found.validator.pubkey,
        status: found.status,
        slot,
        seen_at_ms: i64::try_from(now_ms).unwrap_or(i64::MAX),
    })
}

async fn read<T: serde::de::DeserializeOwned>(request: reqwest::RequestBuilder) -> Result<T, BeaconError> {
    let http = |error: reqwest::Error| BeaconError::Http(error.without_url().to_string());
    let response = request.send().await.and_then(reqwest::Response::error_for_status).map_err(http)?;
    let mut bytes = Vec::new();
    let mut chunks = response.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        bytes.extend_from_slice(&chunk.map_err(http)?);
        if bytes.len() > ANSWER_BYTES {
            return Err(BeaconError::TooLarge);
        }
    }
    serde_json::from_slice(&bytes).map_err(|error| BeaconError::Unreadable(error.to_string()))
}
