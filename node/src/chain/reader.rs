//! Drives the follower: asks execution nodes, writes commits, and only then tells the rest of the node.

use std::sync::Arc;
use std::time::Duration;

use cluster_core::chain::{Commit, Entry, Facts, Follower, Ledger, Output, Trouble};
use cluster_core::machine::Time;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{ChainMetrics, ChainView, Endpoints};
use crate::config::{ChainConfig, ConfigError};
use crate::operator::{run_blocking, NodeError};
use crate::service_client::now_ms;
use crate::store::{Store, StoreError};

/// Pause before a broken subscription is made anew.
const SUBSCRIBE_AGAIN: Duration = Duration::from_secs(5);

struct Reader {
    follower: Follower,
    view: ChainView,
    store: Arc<Store>,
    endpoints: Arc<Endpoints>,
    metrics: ChainMetrics,
    announced: Arc<Notify>,
    stop: CancellationToken,
}

/// Goes on from what the store holds, in tasks of its own.
pub async fn start(
    config: &ChainConfig,
    store: &Arc<Store>,
    metrics: &ChainMetrics,
    stop: &CancellationToken,
    tasks: &TaskTracker,
) -> Result<ChainView, NodeError> {
    let contracts = config.contracts()?;
    let wrong = |field, reason| NodeError::Config(ConfigError::Value { field, reason });
    let endpoints =
        Arc::new(Endpoints::new(config, contracts, metrics.clone()).map_err(|reason| wrong("chain.urls", reason))?);
    let read = Arc::clone(store);
    let state = run_blocking(move || read.chain_state()).await?;
    let tip = match state.cursor {
        Some(cursor) if cursor.contracts != contracts => {
            let reason = "the database follows other contracts; run `cluster-node chain rescan`".to_owned();
            return Err(wrong("chain.registry", reason));
        }
        Some(cursor) => cursor.tip,
        // A rescan that was interrupted leaves facts without a cursor: they do not count.
        None => None,
    };
    let (entries, records) = match state.cursor {
        Some(_) => (state.entries, state.records),
        None => (Vec::new(), Vec::new()),
    };
    let mut facts = Facts::default();
    for entry in entries.iter().cloned() {
        let _former = facts.set(entry);
    }
    tracing::info!(
        block = tip.map(|tip| tip.number),
        operators = facts.operators().len(),
        validators = facts.validators().len(),
        "read what the contracts said so far"
    );
    let view = ChainView::new(contracts, facts, state.marks, tip);
    let ledger = Ledger::restore(contracts, entries, records, tip);
    let announced = Arc::new(Notify::new());
    for at in 0..config.urls.len() {
        tasks.spawn(listen(Arc::clone(&endpoints), at, Arc::clone(&announced), stop.clone()));
    }
    let reader = Reader {
        follower: Follower::new(config.settings(), ledger),
        view: view.clone(),
        store: Arc::clone(store),
        endpoints,
        metrics: metrics.clone(),
        announced,
        stop: stop.clone(),
    };
    tasks.spawn(reader.run());
    Ok(view)
}

/// New heads of one node, as long as the node runs; nothing to do for one that is asked over HTTP.
async fn listen(endpoints: Arc<Endpoints>, at: usize, announced: Arc<Notify>, stop: CancellationToken) {
    let listening = async {
        let Some(endpoint) = endpoints.iter().nth(at).filter(|endpoint| endpoint.name().starts_with("ws")) else {
            return;
        };
        loop {
            endpoint.announcements(|| announced.notify_one()).await;
            tokio::time::sleep(SUBSCRIBE_AGAIN).await;
        }
    };
    let _stopped = stop.run_until_cancelled(listening).await;
}

impl Reader {
    async fn run(mut self) {
        while !self.stop.is_cancelled() {
            match self.follower.poll() {
                Some(Output::Commit(commit)) => {
                    if !self.commit(*commit).await {
                        return;
                    }
                }
                Some(Output::Trouble(trouble)) => self.trouble(&trouble),
                Some(Output::Ask(ask)) => {
                    let stop = self.stop.clone();
                    let Some(answer) = stop.run_until_cancelled(self.endpoints.answer(&ask)).await else { return };
                    self.follower.on_answer(Time(now_ms()), answer);
                }
                None => self.rest().await,
            }
        }
    }

    /// Until the next look at the head, or the announcement of one.
    async fn rest(&mut self) {
        self.view.stands(self.follower.head(), self.follower.is_caught_up());
        if let Some(head) = self.follower.head() {
            self.metrics.head.set(i64::try_from(head).unwrap_or(i64::MAX));
        }
        let Some(deadline) = self.follower.deadline() else { return };
        let wait = Duration::from_millis(deadline.since(Time(now_ms())));
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = tokio::time::sleep(wait) => self.follower.on_deadline(Time(now_ms())),
            () = self.announced.notified() => self.follower.on_new_head(),
        }
    }

    /// False when the database refuses: nothing may follow from what is not on disk.
    async fn commit(&mut self, commit: Commit) -> bool {
        for event in &commit.unkept {
            tracing::error!(event = %event.event, reason = event.words, "an event of the contracts cannot be handled, and there is no room to keep it: {}", event.words);
        }
        for entry in &commit.changes {
            if let Entry::Quarantine(_, Some(event)) = entry {
                tracing::warn!(event = %event.event, block = event.position.block_number, reason = event.words, "an event of the contract {} cannot be handled: {}", event.contract, event.words);
            }
        }
        let before = self.view.status().borrow().tip.map(|tip| tip.number);
        let (store, contracts) = (Arc::clone(&self.store), *self.view.contracts());
        let view = self.view.clone();
        let _gate = view.inner.gate.lock().await;
        let written = run_blocking(move || store.commit_chain(&contracts, &commit).map(|()| commit)).await;
        match written {
            Ok(commit) => {
                let tip = commit.tip.map(|tip| tip.number);
                if tip < before {
                    self.metrics.rolled_back.inc();
                    tracing::info!(
                        block = before,
                        "block {} was replaced by another; its events are undone",
                        before.unwrap_or_default()
                    );
                }
                self.view.apply(&commit);
                self.metrics.stuck.set(0);
                self.metrics.tip.set(tip.and_then(|tip| i64::try_from(tip).ok()).unwrap_or(-1));
                let quarantined = self.view.with(|facts| facts.quarantine().len());
                self.metrics.quarantined.set(i64::try_from(quarantined).unwrap_or(i64::MAX));
                true
            }
            Err(NodeError::Store(StoreError::Closed)) => false,
            Err(error) => {
                tracing::error!(%error, "what the contracts said cannot be written, the chain is not followed any more: {error}");
                self.metrics.stuck.set(1);
                false
            }
        }
    }

    fn trouble(&self, trouble: &Trouble) {
        self.endpoints.blame(trouble);
        if let Trouble::TooDeep { .. } = trouble {
            self.metrics.stuck.set(1);
            tracing::error!(%trouble, "{trouble}");
        } else {
            tracing::warn!(%trouble, "{trouble}; it is asked again");
        }
    }
}
