//! Health of nodes: which chain, how far, and whether the execution client answers.

use std::sync::Arc;
use std::time::Duration;

use cluster_core::beacon::{ChainSpec, Epoch, Slot};
use cluster_core::encoding::to_hex;
use cluster_core::machine::Time;
use serde::Deserialize;
use tokio::time::Instant;

use super::chain::{ask, compare, Comparison};
use super::limits::{MESSAGE_LIMIT, SYNCING, VERSION};
use super::node::{Call, Node};
use super::nodes::Pool;
use super::types::decimal;
use super::{BeaconError, NodeState};
use crate::service_client::{now_ms, truncate};

/// Slots that a node may be behind the best of the others.
const BEHIND_SLOTS: u64 = 2;
/// A node says that it syncs while it is this close to the clock; it can be asked nevertheless.
const NEARLY_SYNCED_SLOTS: u64 = 2;
/// Pause before a node that is not ready is checked again.
const RETRY: Duration = Duration::from_millis(500);
/// Pause before a node of another chain is looked at again.
const OTHER_CHAIN_RETRY: Duration = Duration::from_secs(30);
/// Health checks between two looks at the fork schedule, which changes when a node is updated.
const CHECKS_PER_LOOK: u32 = 256;

#[derive(Deserialize)]
struct Data<T> {
    data: T,
}

#[derive(Deserialize)]
struct Version {
    version: String,
}

/// The answer of `/eth/v1/node/syncing`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Syncing {
    head_slot: Slot,
    #[serde(with = "decimal")]
    sync_distance: u64,
    is_syncing: bool,
    #[serde(default)]
    is_optimistic: bool,
    #[serde(default)]
    el_offline: bool,
}

/// What a node is good for by its own words and the best head of the others, and why.
pub(super) fn judge(syncing: &Syncing, best_head: Option<Slot>) -> (NodeState, Option<String>) {
    let Syncing { head_slot, sync_distance, is_syncing, is_optimistic, el_offline } = *syncing;
    if is_syncing && sync_distance > NEARLY_SYNCED_SLOTS {
        return (NodeState::Syncing, Some(format!("it is {sync_distance} slots behind the clock")));
    }
    if is_optimistic {
        return (NodeState::Optimistic, Some("its execution client has not checked the head yet".to_owned()));
    }
    if el_offline {
        return (NodeState::ExecutionOffline, Some("its execution client does not answer".to_owned()));
    }
    match best_head {
        Some(best) if head_slot.0.saturating_add(BEHIND_SLOTS) < best.0 => {
            (NodeState::Behind, Some(format!("its head is at slot {head_slot}, another node's at {best}")))
        }
        _ => (NodeState::Ready, None),
    }
}

/// Checks one node until the end.
pub(super) async fn watch(pool: Arc<Pool>, node: Arc<Node>) {
    // The chain is looked at again whenever the node was away: it may be another one behind the same address.
    let mut looked: Option<u32> = None;
    loop {
        let before = node.state();
        let pause = match check(&pool, &node, &mut looked).await {
            NodeState::Ready => pool.health_interval,
            NodeState::OtherChain => OTHER_CHAIN_RETRY,
            _ => pool.health_interval.min(RETRY),
        };
        if node.state() != before {
            pool.changed();
        }
        tokio::select! {
            () = pool.stop.cancelled() => return,
            () = node.check.notified() => looked = None,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

async fn check(pool: &Pool, node: &Node, looked: &mut Option<u32>) -> NodeState {
    let (state, reason) = match checked(pool, node, looked).await {
        Ok(found) => found,
        Err(error) => {
            *looked = None;
            if let BeaconError::Answer { endpoint, .. } = &error {
                node.count_error(endpoint);
            }
            let state = match error {
                BeaconError::OtherChain { .. } | BeaconError::Spec { .. } => NodeState::OtherChain,
                BeaconError::Syncing { .. } => NodeState::Syncing,
                _ => NodeState::Unreachable,
            };
            (state, Some(error.to_string()))
        }
    };
    node.set_state(state, reason);
    state
}

async fn checked(
    pool: &Pool,
    node: &Node,
    looked: &mut Option<u32>,
) -> Result<(NodeState, Option<String>), BeaconError> {
    *looked = match *looked {
        Some(checks) if checks < CHECKS_PER_LOOK => Some(checks + 1),
        _ => {
            let version = node.call(&Call::get(&VERSION, "/eth/v1/node/version"), pool.timeout).await?;
            let Data { data: Version { mut version } } = version.json()?;
            truncate(&mut version, MESSAGE_LIMIT);
            node.set_version(version);
            let spec = ask(node, pool.timeout).await?;
            admit(pool, node, spec)?;
            Some(0)
        }
    };
    let started = Instant::now();
    let answer = node.call(&Call::get(&SYNCING, "/eth/v1/node/syncing"), pool.timeout).await?;
    let Data { data: syncing } = answer.json::<Data<Syncing>>()?;
    node.set_checked(syncing.head_slot, started.elapsed());
    let best =
        pool.nodes.iter().filter(|other| other.state().serves_head()).filter_map(|other| other.head_slot()).max();
    Ok(judge(&syncing, best))
}

/// Compares a node's chain with ours; the first node decides which chain that is.
fn admit(pool: &Pool, node: &Node, spec: ChainSpec) -> Result<(), BeaconError> {
    let other = |reason: String| Err(BeaconError::OtherChain { url: node.shown.clone(), reason });
    if let Some(pinned) = pool.pinned.filter(|pinned| *pinned != spec.genesis_validators_root) {
        let found = to_hex(&spec.genesis_validators_root);
        return other(format!("its genesis_validators_root is {found}, configured is {}", to_hex(&pinned)));
    }
    let now = Time(now_ms());
    let mut result = Ok(());
    pool.chain.send_if_modified(|chain| {
        let Some(ours) = chain else {
            *chain = Some(Arc::new(spec));
            return true;
        };
        let epoch = ours.slot_at(now).map_or(Epoch(0), |slot| ours.epoch_of(slot));
        match compare(ours, &spec, epoch) {
            Comparison::Same => return false,
            Comparison::Better => {
                *chain = Some(Arc::new(spec));
                return true;
            }
            Comparison::Outdated { fork, at } => {
                tracing::warn!(node = %node.shown, "the beacon node {} has to be updated before epoch {at}: it does not know when {fork} begins", node.shown);
            }
            Comparison::Other(reason) => result = other(reason),
        }
        false
    });
    result
}

#[cfg(test)]
mod tests {
    use super::{judge, NodeState, Slot, Syncing};

    #[test]
    fn nodes_are_judged_by_what_they_say_and_by_the_others() {
        let syncing = |head, sync_distance, is_syncing, is_optimistic, el_offline| Syncing {
            head_slot: Slot(head),
            sync_distance,
            is_syncing,
            is_optimistic,
            el_offline,
        };
        let steps = [
            ("follows the chain", syncing(100, 0, false, false, false), Some(100), NodeState::Ready),
            ("is the only one", syncing(100, 0, false, false, false), None, NodeState::Ready),
            ("two slots behind is not behind", syncing(98, 2, false, false, false), Some(100), NodeState::Ready),
            ("three slots behind is", syncing(97, 3, false, false, false), Some(100), NodeState::Behind),
            ("an empty chain is behind the clock only", syncing(7, 90, false, false, false), Some(7), NodeState::Ready),
            ("catches up", syncing(50, 50, true, false, false), Some(100), NodeState::Syncing),
            ("has almost caught up", syncing(98, 2, true, false, false), Some(100), NodeState::Ready),
            ("has not checked its head", syncing(100, 0, false, true, false), Some(100), NodeState::Optimistic),
            ("has no execution client", syncing(100, 0, false, false, true), Some(100), NodeState::ExecutionOffline),
            ("has neither: the worse counts", syncing(100, 0, false, true, true), Some(100), NodeState::Optimistic),
            ("catches up optimistically", syncing(9, 91, true, true, false), Some(100), NodeState::Syncing),
        ];
        for (what, said, best, expected) in steps {
            let (state, reason) = judge(&said, best.map(Slot));
            assert_eq!(state, expected, "{what}");
            assert_eq!(reason.is_none(), state == NodeState::Ready, "{what}: {reason:?}");
        }
    }
}
