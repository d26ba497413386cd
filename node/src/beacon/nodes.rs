//! Several beacon nodes as one: who is asked, who is asked next, who is told.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cluster_core::beacon::{ChainSpec, Root};
use futures::stream::{FuturesUnordered, StreamExt};
use tokio::sync::{broadcast, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::events::{self, Reported};
use super::limits::Endpoint;
use super::metrics::BeaconMetrics;
use super::node::{lock, Node};
use super::{health, BeaconError, BeaconEvent, NodeHealth, NodeState};
use crate::config::BeaconConfig;
use crate::metrics::Metrics;

/// How often a node that breaks its connections is asked within one call.
pub(super) const ATTEMPTS: u32 = 3;
/// Events that a slow receiver may be behind.
const EVENTS_WAITING: usize = 256;

/// The beacon nodes of an operator. Clones are the same nodes.
#[derive(Clone, Debug)]
pub struct BeaconNodes(pub(super) Arc<Pool>);

/// What the tasks of all nodes share.
#[derive(Debug)]
pub(super) struct Pool {
    pub(super) nodes: Vec<Arc<Node>>,
    pub(super) chain: watch::Sender<Option<Arc<ChainSpec>>>,
    /// The chain that the configuration names.
    pub(super) pinned: Option<Root>,
    /// Counts changes of any node's state.
    pub(super) changes: watch::Sender<u64>,
    pub(super) stop: CancellationToken,
    pub(super) tasks: TaskTracker,
    pub(super) timeout: Duration,
    pub(super) health_interval: Duration,
    pub(super) patience: Patience,
    pub(super) block_patience: Patience,
    events: broadcast::Sender<BeaconEvent>,
    reported: Mutex<Reported>,
}

/// How long a call may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// Until the next node is asked as well.
    pub(super) hedge: Duration,
    /// Until the call has failed.
    pub(super) timeout: Duration,
}

/// What an answer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// It is signed: the node's head has to be checked.
    Sign,
    /// It says who has which duties.
    Plan,
    /// The node is told something.
    Tell,
}

impl Purpose {
    fn takes(self, state: NodeState) -> bool {
        match self {
            Self::Sign => state.serves_head(),
            Self::Plan => state.serves_head() || state == NodeState::Optimistic,
            // A node that is catching up passes messages on.
            Self::Tell => !matches!(state, NodeState::Unreachable | NodeState::OtherChain),
        }
    }
}

/// The positions of the nodes that serve a purpose, best first: by state, then by recent failures, then as configured.
pub(super) fn order(ranks: &[(NodeState, usize)], purpose: Purpose) -> Vec<usize> {
    let mut usable: Vec<usize> = (0..ranks.len()).filter(|at| purpose.takes(ranks[*at].0)).collect();
    usable.sort_by_key(|at| (ranks[*at], *at));
    usable
}

impl BeaconNodes {
    /// Starts to watch the nodes, and returns at once: nodes need not be there. Everything ends with `stop`.
    pub fn start(
        config: &BeaconConfig,
        metrics: &Metrics,
        stop: CancellationToken,
        tasks: &TaskTracker,
    ) -> Result<Arc<Self>, BeaconError> {
        if config.urls.is_empty() {
            return Err(BeaconError::NotConfigured);
        }
        let metrics = BeaconMetrics::new(metrics);
        let nodes: Result<Vec<_>, _> =
            config.urls.iter().map(|url| Node::new(url, metrics.clone()).map(Arc::new)).collect();
        let millis = Duration::from_millis;
        let pinned = config
            .genesis_validators_root()
            .map_err(|error| BeaconError::Request { endpoint: "beacon/genesis", reason: error.to_string() })?;
        let pool = Arc::new(Pool {
            nodes: nodes?,
            chain: watch::Sender::new(None),
            pinned,
            changes: watch::Sender::new(0),
            stop,
            tasks: tasks.clone(),
            timeout: millis(config.timeout_ms),
            health_interval: millis(config.health_ms),
            patience: Patience { hedge: millis(config.hedge_ms), timeout: millis(config.timeout_ms) },
            block_patience: Patience { hedge: millis(config.block_hedge_ms), timeout: millis(config.block_timeout_ms) },
            events: broadcast::Sender::new(EVENTS_WAITING),
            reported: Mutex::new(Reported::default()),
        });
        for node in &pool.nodes {
            tasks.spawn(health::watch(Arc::clone(&pool), Arc::clone(node)));
            tasks.spawn(events::follow(Arc::clone(&pool), Arc::clone(node)));
        }
        Ok(Arc::new(Self(pool)))
    }

    /// Waits until a node can be asked for what is signed.
    pub async fn wait_ready(&self) {
        let mut changes = self.0.changes.subscribe();
        while !self.0.nodes.iter().any(|node| node.state().serves_head()) {
            // The sender is ours, so the channel stays open.
            if changes.changed().await.is_err() {
                return;
            }
        }
    }
}

impl Pool {
    /// Waits for the constants of the chain.
    pub(super) async fn chain(&self) -> Result<Arc<ChainSpec>, BeaconError> {
        let mut chain = self.chain.subscribe();
        let found = chain.wait_for(Option::is_some).await;
        found.ok().and_then(|chain| chain.clone()).ok_or(BeaconError::NotConfigured)
    }

    /// A state has changed: whoever waits for a node looks again.
    pub(super) fn changed(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Passes an event on, once.
    pub(super) fn report(&self, event: BeaconEvent) {
        if lock(&self.reported).is_new(&event) {
            // Fails only while nobody listens.
            let _ = self.events.send(event);
        }
    }

    pub(super) fn subscribe(&self) -> broadcast::Receiver<BeaconEvent> {
        self.events.subscribe()
    }

    pub(super) fn all_health(&self) -> Vec<NodeHealth> {
        self.nodes.iter().map(|node| node.health()).collect()
    }

    /// The nodes that serve a purpose, best first.
    pub(super) fn usable(&self, purpose: Purpose) -> Vec<usize> {
        let ranks: Vec<(NodeState, usize)> = self.nodes.iter().map(|node| node.rank()).collect();
        order(&ranks, purpose)
    }

    /// Asks the best node, and the next one when it fails or hesitates, until one has answered or time is over. While no node
    /// can be asked, waits for one.
    pub(super) async fn first<T, F>(
        &self,
        endpoint: &'static Endpoint,
        purpose: Purpose,
        patience: Patience,
        ask: impl Fn(Arc<Node>, Duration) -> F + Send + Sync,
    ) -> Result<T, BeaconError>
    where
        F: Future<Output = Result<T, BeaconError>> + Send,
    {
        let deadline = Instant::now() + patience.timeout;
        let mut changes = self.changes.subscribe();
        let mut asked: Vec<usize> = Vec::new();
        let mut attempts = BTreeMap::new();
        let mut errors: BTreeMap<usize, BeaconError> = BTreeMap::new();
        let mut under_way = FuturesUnordered::new();
        let mut hedge_at = Instant::now();
        loop {
            let may_ask = |at: &usize| match errors.get(at) {
                None => !asked.contains(at),
                // It is usable again, so it has come back.
                Some(error) => may_pass(error) && !asked.contains(at) && attempts.get(at) < Some(&ATTEMPTS),
            };
            let usable = self.usable(purpose).into_iter().filter(may_ask);
            // Whoever has not been asked yet comes before whoever has failed.
            let next = usable.min_by_key(|at| attempts.get(at).copied().unwrap_or(0));
            if let Some(at) = next.filter(|_| under_way.is_empty() || Instant::now() >= hedge_at) {
                *attempts.entry(at).or_insert(0) += 1;
                asked.push(at);
                let answer = ask(Arc::clone(&self.nodes[at]), deadline.saturating_duration_since(Instant::now()));
                under_way.push(async move { (at, answer.await) });
                hedge_at = Instant::now() + patience.hedge;
                continue;
            }
            if under_way.is_empty() && !errors.values().all(may_pass) {
                return Err(failed(endpoint, errors));
            }
            tokio::select! {
                Some((at, result)) = under_way.next(), if !under_way.is_empty() => match result {
                    Ok(answer) => {
                        // Whoever was asked before and has not answered was too slow.
                        asked.iter().take_while(|asked| **asked != at).for_each(|slow| self.nodes[*slow].strike());
                        return Ok(answer);
                    }
                    Err(error) => {
                        self.judge(at, &error);
                        asked.retain(|asked| *asked != at);
                        errors.insert(at, error);
                        hedge_at = Instant::now();
                    }
                },
                () = tokio::time::sleep_until(hedge_at), if next.is_some() => {}
                _ = changes.changed() => {}
                () = tokio::time::sleep_until(deadline) => {
                    for slow in &asked {
                        self.nodes[*slow].strike();
                        self.nodes[*slow].count_error(endpoint.name);
                    }
                    errors.extend(asked.iter().map(|at| (*at, self.too_slow(*at, endpoint, patience))));
                    return Err(if errors.is_empty() { self.none_usable(endpoint) } else { failed(endpoint, errors) });
                }
            }
        }
    }

    /// Asks every node that serves the purpose, and returns what there is when all have answered or time is over.
    pub(super) async fn every<T, F>(
        &self,
        endpoint: &'static Endpoint,
        purpose: Purpose,
        patience: Patience,
        ask: impl Fn(Arc<Node>, Duration) -> F + Send + Sync,
    ) -> Result<Vec<T>, BeaconError>
    where
        F: Future<Output = Result<T, BeaconError>> + Send,
    {
        let asked = self.usable(purpose);
        let answers = asked.iter().map(|at| ask(Arc::clone(&self.nodes[*at]), patience.timeout));
        let results = futures::future::join_all(answers).await;
        let (mut found, mut errors) = (Vec::new(), BTreeMap::new());
        for (at, result) in asked.into_iter().zip(results) {
            match result {
                Ok(answer) => found.push(answer),
                Err(error) => {
                    self.judge(at, &error);
                    errors.insert(at, error);
                }
            }
        }
        match (found.is_empty(), errors.is_empty()) {
            (false, _) => Ok(found),
            (true, true) => Err(self.none_usable(endpoint)),
            (true, false) => Err(failed(endpoint, errors)),
        }
    }

    /// What a failure says about its node.
    pub(super) fn judge(&self, at: usize, error: &BeaconError) {
        let node = &self.nodes[at];
        // Not used until a health check has seen it, and its chain, again.
        let away = |state| {
            if node.set_state(state, Some(error.to_string())) {
                self.changed();
            }
            node.check.notify_one();
        };
        match error {
            BeaconError::Unreachable { .. } => {
                node.strike();
                away(NodeState::Unreachable);
            }
            BeaconError::Syncing { .. } => away(NodeState::Syncing),
            BeaconError::Answer { endpoint, .. } => {
                node.count_error(endpoint);
                node.strike();
            }
            BeaconError::Timeout { .. } | BeaconError::TooLong { .. } => node.strike(),
            BeaconError::Status { status, .. } if *status >= 500 => node.strike(),
            _ => {}
        }
    }

    pub(super) fn none_usable(&self, endpoint: &'static Endpoint) -> BeaconError {
        let reason = |health: NodeHealth| {
            let NodeHealth { url, state, reason, .. } = health;
            format!("{url} is {}: {}", state.name(), reason.unwrap_or_default())
        };
        BeaconError::NoneUsable {
            endpoint: endpoint.name,
            reasons: self.all_health().into_iter().map(reason).collect(),
        }
    }

    fn too_slow(&self, at: usize, endpoint: &'static Endpoint, patience: Patience) -> BeaconError {
        let after_ms = u64::try_from(patience.timeout.as_millis()).unwrap_or(u64::MAX);
        BeaconError::Timeout { url: self.nodes[at].shown.clone(), endpoint: endpoint.name, after_ms }
    }
}

/// Whether waiting for the node can help.
pub(super) fn may_pass(error: &BeaconError) -> bool {
    matches!(error, BeaconError::Unreachable { .. } | BeaconError::Syncing { .. })
}

/// One error for those of several nodes.
pub(super) fn failed(endpoint: &'static Endpoint, mut errors: BTreeMap<usize, BeaconError>) -> BeaconError {
    match errors.pop_first() {
        Some((_, only)) if errors.is_empty() => only,
        first => {
            let errors = first.into_iter().chain(errors).map(|(_, error)| error).collect();
            BeaconError::All { endpoint: endpoint.name, errors }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{order, NodeState, Purpose};

    /// What is shown, what for, states and failures of the nodes, who is asked in which order.
    type Step = (&'static str, Purpose, &'static [(NodeState, usize)], &'static [usize]);

    #[test]
    fn nodes_are_ranked_by_state_then_failures_then_configuration() {
        use NodeState::{Behind, ExecutionOffline, Optimistic, OtherChain, Ready, Syncing, Unreachable};
        use Purpose::{Plan, Sign, Tell};
        let steps: [Step; 9] = [
            ("as configured", Sign, &[(Ready, 0), (Ready, 0)], &[0, 1]),
            ("failures count", Sign, &[(Ready, 2), (Ready, 0), (Ready, 1)], &[1, 2, 0]),
            ("state before failures", Sign, &[(Behind, 0), (Ready, 4)], &[1, 0]),
            ("behind before execution offline", Sign, &[(ExecutionOffline, 0), (Behind, 3)], &[1, 0]),
            ("nothing unchecked is signed", Sign, &[(Optimistic, 0), (Syncing, 0), (ExecutionOffline, 0)], &[2]),
            ("planning may be optimistic", Plan, &[(Optimistic, 0), (Syncing, 0), (Ready, 0)], &[2, 0]),
            ("who catches up is told", Tell, &[(Syncing, 0), (Optimistic, 0), (Ready, 0)], &[2, 1, 0]),
            ("another chain is told nothing", Tell, &[(OtherChain, 0), (Unreachable, 0)], &[]),
            ("none", Sign, &[], &[]),
        ];
        for (what, purpose, ranks, expected) in steps {
            assert_eq!(order(ranks, purpose), expected, "{what}");
        }
    }
}
