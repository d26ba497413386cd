//! Which chain a node is on, and whether two nodes are on the same.

use std::collections::BTreeMap;
use std::time::Duration;

use cluster_core::beacon::{ChainSpec, Epoch, ForkEpoch, Root, FAR_FUTURE_EPOCH};
use cluster_core::encoding::{hex_array, to_hex};
use serde::Deserialize;

use super::limits::{GENESIS, SPEC};
use super::node::{Call, Node};
use super::types::decimal;
use super::BeaconError;

/// What another node's constants mean for ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    /// The same chain.
    Same,
    /// The same chain; the other node knows of a later fork, so its constants are better.
    Better,
    /// The same chain for now; the other node has to be updated before an epoch.
    Outdated {
        /// The fork that it does not know of, or has not scheduled.
        fork: String,
        /// When that begins.
        at: Epoch,
    },
    /// Another chain, in words.
    Other(String),
}

#[derive(Deserialize)]
struct Data<T> {
    data: T,
}

#[derive(Deserialize)]
struct Genesis {
    #[serde(with = "decimal")]
    genesis_time: u64,
    #[serde(with = "hex_array")]
    genesis_validators_root: Root,
}

/// Asks a node for its constants.
pub(super) async fn ask(node: &Node, timeout: Duration) -> Result<ChainSpec, BeaconError> {
    let genesis = node.call(&Call::get(&GENESIS, "/eth/v1/beacon/genesis"), timeout).await?;
    let genesis: Data<Genesis> = genesis.json()?;
    let values = node.call(&Call::get(&SPEC, "/eth/v1/config/spec"), timeout).await?;
    let values: Data<BTreeMap<String, serde_json::Value>> = values.json()?;
    // Some values are lists (BLOB_SCHEDULE); none of those is needed.
    let texts = values.data.into_iter().filter_map(|(name, value)| Some((name, value.as_str()?.to_owned()))).collect();
    ChainSpec::from_api(genesis.data.genesis_time, genesis.data.genesis_validators_root, &texts)
        .map_err(|reason| BeaconError::Spec { url: node.shown.clone(), reason })
}

/// Compares another node's constants with ours. Schedules may differ in forks that lie ahead, because operators update their
/// nodes one after the other; a fork that has begun, or begins with the next epoch, has to be the same.
pub(super) fn compare(ours: &ChainSpec, other: &ChainSpec, now: Epoch) -> Comparison {
    let named = [
        ("genesis_validators_root", to_hex(&other.genesis_validators_root), to_hex(&ours.genesis_validators_root)),
        ("genesis time", other.genesis_time_s.to_string(), ours.genesis_time_s.to_string()),
        ("preset", other.preset.name().to_owned(), ours.preset.name().to_owned()),
        ("slot time in milliseconds", other.slot_ms.to_string(), ours.slot_ms.to_string()),
        ("DEPOSIT_CHAIN_ID", other.chain_id.to_string(), ours.chain_id.to_string()),
    ];
    for (name, theirs, ours) in named {
        if theirs != ours {
            return Comparison::Other(format!("its {name} is {theirs}, ours is {ours}"));
        }
    }
    let (our_forks, their_forks) = (schedule(ours), schedule(other));
    let mut result = Comparison::Same;
    let names = our_forks.keys().chain(their_forks.keys().filter(|name| !our_forks.contains_key(*name)));
    for name in names {
        let (our_fork, their_fork) = (our_forks.get(name), their_forks.get(name));
        if our_fork == their_fork {
            continue;
        }
        let conflict = || Comparison::Other(format!("{name} {}, ours {}", planned(their_fork), planned(our_fork)));
        match (our_fork, their_fork) {
            (Some((_, at)), None) if at.0 > now.0.saturating_add(1) => {
                if !matches!(result, Comparison::Better) {
                    result = Comparison::Outdated { fork: name.clone(), at: *at };
                }
            }
            (None, Some((_, at))) if at.0 > now.0.saturating_add(1) => result = Comparison::Better,
            _ => return conflict(),
        }
    }
    result
}

/// Scheduled forks by name. The version of one that is not known here is not compared.
fn schedule(spec: &ChainSpec) -> BTreeMap<String, (Option<[u8; 4]>, Epoch)> {
    let scheduled = spec.forks.iter().filter(|entry| entry.epoch != FAR_FUTURE_EPOCH);
    let known = |entry: &ForkEpoch| (entry.fork.name().to_owned(), (Some(entry.version), entry.epoch));
    let unknown = spec.unknown_fork.iter().map(|(name, at)| (name.clone(), (None, *at)));
    scheduled.map(known).chain(unknown).collect()
}

fn planned(fork: Option<&(Option<[u8; 4]>, Epoch)>) -> String {
    match fork {
        None => "is not scheduled".to_owned(),
        Some((Some(version), at)) => format!("begins at epoch {at} with version {}", to_hex(version)),
        Some((None, at)) => format!("begins at epoch {at}"),
    }
}
