//! Questions to beacon nodes, as a bystander asks them.

use std::time::Duration;

use cluster_core::beacon::{Preset, Root};
use cluster_core::encoding::{from_hex, to_hex};
use reqwest::header::ACCEPT;
use reqwest::StatusCode;
use serde::de::DeserializeOwned;
use serde::Deserialize;

use super::state::StateView;
use super::ObserverError;
use crate::lodestar::EXTRA_DATA;

/// A block with a megabyte of transactions.
const BLOCK_LIMIT: usize = 16 * 1024 * 1024;
/// A state of the mainnet preset takes 3 MiB, and some for the validators.
const STATE_LIMIT: usize = 64 * 1024 * 1024;
const SMALL_LIMIT: usize = 64 * 1024;
const TIMEOUT: Duration = Duration::from_secs(10);

/// Asks one node after the other until one answers.
#[derive(Clone, Debug)]
pub(super) struct Api {
    http: reqwest::Client,
    urls: Vec<String>,
    preset: Preset,
}

/// The parts of a block that are looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockView {
    /// Slot.
    pub slot: u64,
    /// Who proposed.
    pub proposer_index: u64,
    /// Who is paid.
    pub fee_recipient: [u8; 20],
    /// Bits of the sync aggregate that are set.
    pub sync_bits: u64,
    /// Whether the payload is of the test network's builder.
    pub is_built: bool,
}

#[derive(Deserialize)]
struct Data<T> {
    data: T,
}

#[derive(Deserialize)]
struct SignedBlock {
    message: BlockJson,
}

#[derive(Deserialize)]
struct BlockJson {
    slot: String,
    proposer_index: String,
    body: BodyJson,
}

#[derive(Deserialize)]
struct BodyJson {
    sync_aggregate: SyncAggregateJson,
    execution_payload: PayloadJson,
}

#[derive(Deserialize)]
struct SyncAggregateJson {
    sync_committee_bits: String,
}

#[derive(Deserialize)]
struct PayloadJson {
    fee_recipient: String,
    extra_data: String,
}

#[derive(Deserialize)]
struct ValidatorJson {
    status: String,
    validator: ValidatorFieldsJson,
}

#[derive(Deserialize)]
struct ValidatorFieldsJson {
    exit_epoch: String,
}

#[derive(Deserialize)]
struct FinalityJson {
    finalized: CheckpointJson,
}

#[derive(Deserialize)]
struct CheckpointJson {
    epoch: String,
}

#[derive(Deserialize)]
struct VersionJson {
    version: String,
}

impl Api {
    pub(super) fn new(urls: Vec<String>, preset: Preset) -> Result<Self, ObserverError> {
        let http = reqwest::Client::builder().no_proxy().connect_timeout(TIMEOUT).build();
        let http = http.map_err(|error| ObserverError::Client { reason: error.to_string() })?;
        Ok(Self { http, urls, preset })
    }

    pub(super) fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// The block with this root.
    pub(super) async fn block_of_root(&self, root: &Root) -> Result<Option<BlockView>, ObserverError> {
        self.block(&to_hex(root)).await
    }

    /// The block of the canonical chain in this slot.
    pub(super) async fn block_of_slot(&self, slot: u64) -> Result<Option<BlockView>, ObserverError> {
        let block = self.block(&slot.to_string()).await?;
        Ok(block.filter(|block| block.slot == slot))
    }

    /// Newest final epoch of the head state.
    pub(super) async fn finalized(&self) -> Result<u64, ObserverError> {
        let path = "/eth/v1/beacon/states/head/finality_checkpoints";
        let found: Option<Data<FinalityJson>> = self.json(path, SMALL_LIMIT).await?;
        let found = found.ok_or_else(|| malformed(path, "there is no head state"))?;
        number(path, &found.data.finalized.epoch)
    }

    /// The node's software.
    pub(super) async fn version(&self) -> Result<String, ObserverError> {
        let path = "/eth/v1/node/version";
        let found: Option<Data<VersionJson>> = self.json(path, SMALL_LIMIT).await?;
        found.map(|found| found.data.version).ok_or_else(|| malformed(path, "there is no version"))
    }

    /// Status and first epoch without duties of a validator, in the head state.
    pub(super) async fn status(&self, index: u64) -> Result<(String, u64), ObserverError> {
        let path = format!("/eth/v1/beacon/states/head/validators/{index}");
        let found: Option<Data<ValidatorJson>> = self.json(&path, SMALL_LIMIT).await?;
        let found = found.ok_or_else(|| malformed(&path, "there is no such validator"))?.data;
        Ok((found.status, number(&path, &found.validator.exit_epoch)?))
    }

    /// The state after the last block up to a slot.
    pub(super) async fn state(&self, slot: u64) -> Result<StateView, ObserverError> {
        let path = format!("/eth/v2/debug/beacon/states/{slot}");
        let bytes = self.get(&path, "application/octet-stream", STATE_LIMIT).await?;
        let bytes = bytes.ok_or_else(|| malformed(&path, "there is no such state"))?;
        StateView::from_ssz(&bytes, self.preset).map_err(|reason| malformed(&path, reason))
    }

    async fn block(&self, id: &str) -> Result<Option<BlockView>, ObserverError> {
        let path = format!("/eth/v2/beacon/blocks/{id}");
        let Some(found) = self.json::<Data<SignedBlock>>(&path, BLOCK_LIMIT).await? else { return Ok(None) };
        let message = found.data.message;
        let bits = message.body.sync_aggregate.sync_committee_bits;
        let bits = hex::decode(bits.trim_start_matches("0x")).map_err(|error| malformed(&path, &error.to_string()))?;
        let payload = message.body.execution_payload;
        let fee_recipient = payload.fee_recipient.to_ascii_lowercase();
        Ok(Some(BlockView {
            slot: number(&path, &message.slot)?,
            proposer_index: number(&path, &message.proposer_index)?,
            fee_recipient: from_hex(&fee_recipient).map_err(|error| malformed(&path, &error.to_string()))?,
            sync_bits: bits.iter().map(|byte| u64::from(byte.count_ones())).sum(),
            is_built: payload.extra_data.eq_ignore_ascii_case(&to_hex(EXTRA_DATA)),
        }))
    }

    /// `None` for what no node knows.
    async fn json<T: DeserializeOwned>(&self, path: &str, limit: usize) -> Result<Option<T>, ObserverError> {
        let Some(bytes) = self.get(path, "application/json", limit).await? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| malformed(path, &error.to_string()))
    }

    /// The first answer of a node; "not found" counts only when every node that answers says so.
    async fn get(&self, path: &str, accept: &str, limit: usize) -> Result<Option<Vec<u8>>, ObserverError> {
        let mut failure = None;
        let mut is_missing = false;
        for url in &self.urls {
            match self.get_from(url, path, accept, limit).await {
                Ok(Some(bytes)) => return Ok(Some(bytes)),
                Ok(None) => is_missing = true,
                Err(error) => failure = Some(error),
            }
        }
        match failure {
            Some(error) if !is_missing => Err(error),
            _ => Ok(None),
        }
    }

    async fn get_from(
        &self,
        url: &str,
        path: &str,
        accept: &str,
        limit: usize,
    ) -> Result<Option<Vec<u8>>, ObserverError> {
        let failed = |reason: String| ObserverError::Call { url: url.to_owned(), path: path.to_owned(), reason };
        let call = self.http.get(format!("{url}{path}")).header(ACCEPT, accept).timeout(TIMEOUT).send();
        let mut response = call.await.map_err(|error| failed(error.to_string()))?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        if !response.status().is_success() {
            return Err(failed(response.status().to_string()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| failed(error.to_string()))? {
            if body.len() + chunk.len() > limit {
                return Err(failed(format!("the answer is longer than {limit} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Some(body))
    }
}

fn malformed(path: &str, reason: &str) -> ObserverError {
    ObserverError::Malformed { path: path.to_owned(), reason: reason.to_owned() }
}

fn number(path: &str, text: &str) -> Result<u64, ObserverError> {
    text.parse().map_err(|_| malformed(path, &format!("`{text}` is not a number")))
}
