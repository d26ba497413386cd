//! Whether operators are fit for a ceremony: each is asked who it is over the mesh, and its answer is judged.
//! `cluster-node preflight` shows the findings to a member of the network, and a gateway hands them to the service for owners.

use std::time::{Duration, Instant};

use cluster_core::committee::OperatorId;
use cluster_core::registry::Registry;
use cluster_net::info::{Info, Role, Source, Standing};

use crate::network::Client;
use crate::service_client::now_ms;

/// Beyond this, deadlines of requests are judged differently by different operators.
const MAX_SKEW_MS: u64 = 5_000;

/// What was found about one operator.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Who.
    pub operator: OperatorId,
    /// Its name in the registry.
    pub name: String,
    /// What it answered; or why there is no answer, in a sentence with what to do.
    pub answer: Result<Answer, String>,
}

/// An operator's answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What it says about itself.
    pub info: Info,
    /// Between question and answer.
    pub round_trip: Duration,
    /// How far its clock is ahead of ours, in milliseconds.
    pub skew_ms: i64,
    /// What stands in the way of a ceremony, in sentences with what to do.
    pub problems: Vec<String>,
}

/// Asks one operator, and waits up to `patience` for a connection to it. The mesh has to be told to keep its peer before.
pub async fn ask(client: &Client, registry: &dyn Registry, operator: OperatorId, patience: Duration) -> Finding {
    let name = registry.operator(operator).map(|entry| entry.name).unwrap_or_default();
    let answer = match client.peer_of(operator) {
        None => Err("its registered key cannot be dialled; ask its operator to register a valid key".to_owned()),
        Some(peer) => {
            if client.wait_connected(peer, patience).await {
                let before = now_ms();
                let began = Instant::now();
                match client.info(peer).await {
                    Ok(info) => Ok(judge(client, info, before, began.elapsed())),
                    Err(error) => Err(format!("connected, but no answer: {error}")),
                }
            } else {
                Err("not reachable; its node is down, its port is closed, or its registered addresses are old"
                    .to_owned())
            }
        }
    };
    Finding { operator, name, answer }
}

fn judge(client: &Client, info: Info, asked_at_ms: u64, round_trip: Duration) -> Answer {
    let half = u64::try_from(round_trip.as_millis() / 2).unwrap_or(u64::MAX);
    let here = asked_at_ms.saturating_add(half);
    let skew_ms = i64::try_from(info.clock_ms).unwrap_or(i64::MAX) - i64::try_from(here).unwrap_or(i64::MAX);
    let mut problems = Vec::new();
    let mut own = client.local_info();
    // A gateway asks on behalf of operators; what counts is dkg.
    own.role = Role::Operator;
    if let Err(mismatch) = own.ceremony_version(&info) {
        problems.push(mismatch.to_string());
    }
    if info.role != Role::Operator {
        problems.push(format!("it runs as {}; start `cluster-node operator` with this key", info.role));
    }
    if skew_ms.unsigned_abs() > MAX_SKEW_MS {
        problems.push(format!("its clock differs by {} s; run a time service (NTP) on both sides", skew_ms / 1000));
    }
    if Standing::told(&info, Source::Chain) == Some(Standing::Behind) {
        let text = "it is behind in reading the contracts; wait a little, or ask its operator about its execution node";
        problems.push(text.to_owned());
    }
    Answer { info, round_trip, skew_ms, problems }
}
