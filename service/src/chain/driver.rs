//! Follows the chain: performs what the follower of core asks for, and writes what it says, one transaction per commit.
//!
//! The follower knows the network's four contracts. The logs of Lido's contracts and of the deposit contract are fetched
//! with the same questions, wait here until the follower takes their block in, and are written in its transaction. When
//! it takes a block back, what that block told goes too.

use super::commit::{self, Pending};
use super::questions;
use super::rpc::{Node, NodeError};
use super::{Chain, ChainPosition};
use crate::state::AppState;
use crate::store::{StoreError, StoreResult};
use cluster_core::chain::{
    Answer, Ask, BlockRef, Commit, Failure, Follower, Hash32, Ledger, Log, Output, Settings, Trouble,
};
use cluster_core::encoding::from_hex;
use cluster_core::machine::Time;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Most blocks of one question; what a node does not give out is asked for in smaller parts.
const MAX_RANGE: u64 = 2_000;
/// Wait after the database failed.
const STORE_WAIT: Duration = Duration::from_secs(5);

/// Follows the chain until the service stops. Only the database can make it start over.
pub async fn run(state: AppState, chain: Arc<Chain>) {
    while !state.stopping.is_cancelled() {
        let result = match Driver::start(&state, &chain).await {
            Ok(driver) => driver.follow().await,
            Err(error) => Err(error),
        };
        if let Err(error) = result {
            tracing::error!(%error, "the chain cannot be followed: the database failed");
            tokio::select! {
                () = tokio::time::sleep(STORE_WAIT) => {}
                () = state.stopping.cancelled() => {}
            }
        }
    }
}

struct Driver {
    state: AppState,
    chain: Arc<Chain>,
    follower: Follower,
    /// The follower counts from here: tests stop the service's own clock.
    started: (Time, Instant),
    /// Last block whose events are written.
    written: Option<BlockRef>,
    /// Logs of Lido's contracts in blocks that the follower has not taken in yet.
    waiting: BTreeMap<u64, Vec<Log>>,
    /// Who answered last, and who announced the head.
    answered: Option<Node>,
    announced: Option<Node>,
}

impl Driver {
    async fn start(state: &AppState, chain: &Arc<Chain>) -> StoreResult<Self> {
        let source = chain.settings.source();
        let cursor = state.store.chain_cursor().await?;
        if cursor.as_ref().is_none_or(|cursor| cursor.source != source) {
            let mut write = state.store.write().await?;
            write.forget_chain().await?;
            write.commit().await?;
        }
        let cursor = cursor.filter(|cursor| cursor.source == source);
        let written = cursor.map(|cursor| block_ref(cursor.block_number, &cursor.block_hash)).transpose()?;
        let (entries, records) = (state.store.chain_entries().await?, state.store.chain_records().await?);
        chain.directory.replace(&entries);
        let ledger = Ledger::restore(chain.settings.contracts, entries, records, written);
        let settings = Settings {
            start_block: chain.settings.config.start_block,
            confirmations: chain.settings.config.confirmations,
            poll_ms: chain.settings.config.poll_ms.max(1),
            max_range: MAX_RANGE,
        };
        Ok(Self {
            started: (Time(state.clock.now_ms()), Instant::now()),
            state: state.clone(),
            chain: chain.clone(),
            follower: Follower::new(settings, ledger),
            written,
            waiting: BTreeMap::new(),
            answered: None,
            announced: None,
        })
    }

    fn now(&self) -> Time {
        let (begin, since) = self.started;
        begin.plus_ms(u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    async fn follow(mut self) -> StoreResult<()> {
        let stopping = self.state.stopping.clone();
        loop {
            while let Some(output) = self.follower.poll() {
                if stopping.is_cancelled() {
                    return Ok(());
                }
                self.perform(output).await?;
            }
            self.publish_position();
            let Some(deadline) = self.follower.deadline() else { continue };
            let wait = Duration::from_millis(deadline.since(self.now()));
            let chain = self.chain.clone();
            tokio::select! {
                () = tokio::time::sleep(wait) => self.follower.on_deadline(self.now()),
                () = chain.look.notified() => self.follower.on_new_head(),
                () = stopping.cancelled() => return Ok(()),
            }
        }
    }

    async fn perform(&mut self, output: Output) -> StoreResult<()> {
        match output {
            Output::Commit(commit) => self.write(*commit).await?,
            Output::Ask(ask) => {
                let answer = match self.ask(&ask).await {
                    Ok(answer) => answer,
                    Err(error) => {
                        tracing::warn!(%error, ?ask, "the chain cannot be read now");
                        if let NodeError::MissingBlock { .. } = error {
                            self.distrust(&self.announced, "it announced a block that is not there");
                        }
                        Answer::Failed(failure(&error))
                    }
                };
                self.follower.on_answer(self.now(), answer);
            }
            Output::Trouble(trouble) => {
                self.chain.metrics.troubles.inc();
                tracing::error!(%trouble, "the chain does not fit: {trouble}");
                match trouble {
                    Trouble::MissingBlock { .. } => self.distrust(&self.announced, &trouble.to_string()),
                    Trouble::WrongAnswer => self.distrust(&self.answered, &trouble.to_string()),
                    // For people to look at.
                    Trouble::TooDeep { .. } => {}
                }
            }
        }
        Ok(())
    }

    fn distrust(&self, node: &Option<Node>, reason: &str) {
        if let Some(node) = node {
            self.chain.reader.endpoints().distrust(node, reason);
        }
    }

    async fn write(&mut self, commit: Commit) -> StoreResult<()> {
        let (from, to) = (self.written.map(|block| block.number), commit.tip.map(|block| block.number));
        let taken_back = from > to;
        let mut logs = self.taken_in(from, to);
        if let Some(record) = &commit.record {
            logs.retain(|log| log.block.number != record.block.number || log.block == record.block);
        }
        let pending = Pending { commit, from, logs };
        let written = commit::write(&self.state, &self.chain, &pending).await?;
        self.chain.directory.apply(&pending.commit.changes);
        if taken_back {
            self.chain.metrics.blocks_undone.inc();
            tracing::warn!(?from, ?to, "a block left the chain, what it told is undone");
        }
        self.written = pending.commit.tip.or(self.written);
        self.chain.metrics.quarantined.set(written.quarantined);
        for ceremony_id in written.requests {
            self.state.wake.request();
            self.state.wake.ceremony(&ceremony_id);
        }
        self.publish_position();
        Ok(())
    }

    /// The waiting logs of the blocks that a commit takes in. Those of other blocks stay, or are of a branch that lost.
    fn taken_in(&mut self, from: Option<u64>, to: Option<u64>) -> Vec<Log> {
        let Some(to) = to.filter(|to| from < Some(*to)) else {
            self.waiting.clear();
            return Vec::new();
        };
        let later = self.waiting.split_off(&to.saturating_add(1));
        let taken = std::mem::replace(&mut self.waiting, later);
        taken
            .into_iter()
            .filter(|(number, _)| from.is_none_or(|from| *number > from))
            .flat_map(|(_, logs)| logs)
            .collect()
    }

    fn publish_position(&self) {
        let position = ChainPosition {
            head: self.follower.head().unwrap_or_default(),
            read: self.written.map(|block| block.number),
            caught_up: self.follower.is_caught_up(),
        };
        let metrics = &self.chain.metrics;
        metrics.head_block.set(i64::try_from(position.head).unwrap_or(i64::MAX));
        metrics.read_block.set(i64::try_from(position.read.unwrap_or(0)).unwrap_or(i64::MAX));
        self.chain.position.send_replace(position);
    }

    async fn ask(&mut self, ask: &Ask) -> Result<Answer, NodeError> {
        let questions::Answered { answer, others, node } = questions::answer(&self.chain, ask).await?;
        if matches!(ask, Ask::Head) {
            self.announced = Some(node.clone());
        }
        self.answered = Some(node);
        if let Some(others) = others {
            // An answer replaces what an earlier one said of the same blocks.
            let later = self.waiting.split_off(&others.from);
            self.waiting.extend(later.into_iter().filter(|(number, _)| *number > others.to));
            for log in others.logs {
                self.waiting.entry(log.block.number).or_default().push(log);
            }
        }
        Ok(answer)
    }
}

fn failure(error: &NodeError) -> Failure {
    match error {
        // Nodes refuse ranges in many words; whatever they say, fewer blocks are worth a try.
        NodeError::TooLarge { .. } | NodeError::Refused { .. } => Failure::TooMuch,
        _ => Failure::Unavailable,
    }
}

fn block_ref(number: i64, hash: &str) -> StoreResult<BlockRef> {
    let corrupt = |column| StoreError::Corrupt { column };
    Ok(BlockRef {
        number: u64::try_from(number).map_err(|_| corrupt("block_number"))?,
        hash: Hash32(from_hex(hash).map_err(|_| corrupt("block_hash"))?),
    })
}
