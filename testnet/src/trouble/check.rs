//! What each part knows and does, compared with what a plain read of the chain says.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cluster_core::ceremony::CeremonyId;
use cluster_core::certificate::Certificate;
use cluster_core::chain::{decode, BlockRef, Entry, EventId, FactKey, Facts, Ledger, PubkeyBytes};
use cluster_core::committee::OperatorId;
use cluster_crypto::ethereum::Address;
use cluster_node::chain::ChainView;
use cluster_node::driver::results::StoredResult;
use cluster_node::metrics::Metrics;
use cluster_node::service_client::now_ms;
use tokio::time::Instant;

use super::weather::Weather;
use super::{PartFigures, Run, TroubleError};
use crate::network::Part;
use crate::owner::OwnerError;

/// How long everybody has to know and do what the chain says, whatever is wrong with the endpoints.
pub(super) const PATIENCE: Duration = Duration::from_secs(180);
const LOOK: Duration = Duration::from_millis(100);
/// Blocks that must follow one, as everybody is configured.
const CONFIRMATIONS: u64 = 1;
/// Rows of a page of the service.
const PAGE: i64 = 10_000;

impl Run<'_> {
    /// Waits until every part has read the chain and acts on all of it and on nothing else.
    pub(super) async fn settled(&self, after: &str) -> Result<(), TroubleError> {
        let (last, ledger) = self.newest().await?;
        self.until(after, || self.differences(&last, ledger.facts())).await
    }

    /// The last block that counts and the head, which has no events, and what the chain says up to there. Who was told of a higher
    /// head may have taken in both.
    async fn newest(&self) -> Result<([BlockRef; 2], Ledger), TroubleError> {
        let head = self.chain.head().await?;
        let counts = head - CONFIRMATIONS;
        let last = [self.chain.block(counts).await?.block, self.chain.block(head).await?.block];
        Ok((last, self.chain.read(head).await?))
    }

    /// Waits until there are no differences.
    async fn until<F>(&self, after: &str, mut look: impl FnMut() -> F) -> Result<(), TroubleError>
    where
        F: std::future::Future<Output = Result<Vec<String>, TroubleError>>,
    {
        let give_up = Instant::now() + PATIENCE;
        loop {
            let differences = look().await?;
            if differences.is_empty() {
                return Ok(());
            }
            if Instant::now() >= give_up {
                let (after, seconds) = (after.to_owned(), PATIENCE.as_secs());
                return Err(TroubleError::Different { after, seconds, differences });
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Who knows or does something else than these facts say, and what.
    async fn differences(&self, last: &[BlockRef; 2], facts: &Facts) -> Result<Vec<String>, TroubleError> {
        let mut found = Vec::new();
        for (id, operator) in self.testnet.operators() {
            let part = Part::Operator(*id);
            found.extend(operator.chain().and_then(|view| of_view(part, view, last, facts)));
            if operator.chain().is_none() {
                found.push(format!("{part} reads no chain"));
            }
            let held = operator.validators()?;
            let held: BTreeMap<PubkeyBytes, Address> = held
                .iter()
                .filter(|entry| entry.active)
                .map(|entry| (PubkeyBytes::from(&entry.pubkey), entry.fee_recipient))
                .collect();
            if held != performed(facts, *id) {
                found.push(format!("{part} does not perform exactly the duties of those registered with it"));
            }
            let orders = operator.exits().orders(now_ms() / 1_000)?;
            let orders: BTreeSet<EventId> = orders.iter().filter_map(|order| order.origin.event().copied()).collect();
            if orders != facts.exits().map(|(event, _)| *event).collect() {
                found.push(format!("{part} has other orders to exit"));
            }
        }
        match self.testnet.gateway()?.chain() {
            Some(view) => found.extend(of_view(Part::Gateway, view, last, facts)),
            None => found.push(format!("{} reads no chain", Part::Gateway)),
        }
        found.extend(self.of_service(last, facts).await?);
        Ok(found)
    }

    async fn of_service(&self, last: &[BlockRef; 2], facts: &Facts) -> Result<Option<String>, TroubleError> {
        let part = Part::Service;
        let cursor = self.service.chain_cursor().await?.map(|row| (row.block_number, row.block_hash));
        let read = |block: &BlockRef| {
            cursor == Some((i64::try_from(block.number).unwrap_or(i64::MAX), block.hash.to_string()))
        };
        if !last.iter().any(read) {
            return Ok(Some(format!("{part} has not read block {}: it stands at {cursor:?}", last[0].number)));
        }
        if let Some(difference) = compare(by_key(self.service.chain_entries().await?), facts) {
            return Ok(Some(format!("{part} {difference}")));
        }
        let rows = self.service.quarantine((-1, -1), PAGE).await?;
        let shown: BTreeSet<(i64, i64, String)> =
            rows.into_iter().map(|row| (row.block_number, row.log_index, row.reason)).collect();
        let kept = facts.quarantine().map(|kept| {
            let number = i64::try_from(kept.position.block_number).unwrap_or(i64::MAX);
            (number, i64::from(kept.position.block_log_index), kept.words.clone())
        });
        Ok((shown != kept.collect()).then(|| format!("{part} shows other events in quarantine")))
    }

    /// Waits until the service has the validators of a ceremony.
    pub(super) async fn ready(&self, ceremony_id: Option<CeremonyId>) -> Result<(), TroubleError> {
        let Some(ceremony_id) = ceremony_id else { return Ok(()) };
        let what = format!("after the request of ceremony {ceremony_id}");
        self.until(&what, || async {
            Ok(match self.owner.ceremony(ceremony_id).await {
                Ok(ceremony) if ceremony["status"] == "ready" => Vec::new(),
                Ok(ceremony) => vec![format!("the service says that it is {}", ceremony["status"])],
                Err(error) => vec![error.to_string()],
            })
        })
        .await
    }

    /// The last look, when nothing is wrong with the endpoints any more: everything of before, the owner's view of each validator,
    /// every ceremony, every piece of garbage.
    pub(super) async fn finish(&mut self, weather: &Weather) -> Result<Vec<PartFigures>, TroubleError> {
        self.settled("at the end").await?;
        let (last, ledger) = self.newest().await?;
        let facts = ledger.facts();
        let broken = |differences: Vec<String>| match differences.is_empty() {
            true => Ok(()),
            false => Err(TroubleError::Different { after: "at the end".to_owned(), seconds: 0, differences }),
        };
        self.until("at the end", || self.of_owner(facts)).await?;
        let on_chain: Vec<CeremonyId> = facts.requests().map(|(event, _)| CeremonyId::of_event(event)).collect();
        for ceremony_id in &on_chain {
            self.ready(Some(*ceremony_id)).await?;
        }
        broken(self.of_ceremonies(&on_chain).await?)?;
        let garbage = self.of_garbage(last[0].number, facts).await?;
        broken(garbage)?;
        self.figures(weather, &last[0], facts).await
    }

    /// What the service tells the owner of each validator of the first ceremony.
    async fn of_owner(&self, facts: &Facts) -> Result<Vec<String>, TroubleError> {
        let mut found = Vec::new();
        for (pubkey, shown) in self.acts.pubkeys() {
            let told = self.owner.get(&format!("/v1/validators/{shown}")).await?["facts"].take();
            let fact = facts.validator(&pubkey);
            let registered = fact.filter(|fact| fact.is_registered());
            let holds = |name: &str| told[name]["holds"] == "yes";
            if holds("registered") != registered.is_some() {
                found.push(format!("the service is wrong about the registration of {shown}"));
            }
            let by = registered.map(|fact| fact.registered_by.transaction_hash.to_string());
            if let Some(by) = by.filter(|by| told["registered"]["evidence"]["tx_hash"] != by.as_str()) {
                found.push(format!("the service names another transaction than {by} for {shown}"));
            }
            if told["subscribed_until_block"].as_u64() != fact.map(|fact| fact.paid_until_block) {
                found.push(format!("the service is wrong about the subscription of {shown}"));
            }
            let ordered = facts.exits().any(|(_, exit)| exit.pubkeys.contains(&pubkey));
            if holds("exit_requested") != ordered {
                found.push(format!("the service is wrong about an order to exit for {shown}"));
            }
        }
        Ok(found)
    }

    /// Every request that is on the chain has one ceremony with one result, and those of branches that lost are not shown.
    async fn of_ceremonies(&mut self, on_chain: &[CeremonyId]) -> Result<Vec<String>, TroubleError> {
        let mut found = Vec::new();
        let everybody = self.testnet.operators().len();
        for figures in &mut self.acts.ceremonies {
            let shown = figures.ceremony_id.clone();
            let Ok(ceremony_id) = shown.parse::<CeremonyId>() else { continue };
            let begun = self.testnet.steps.begun(ceremony_id);
            figures.on_chain = on_chain.contains(&ceremony_id);
            figures.begun_by = begun.len();
            figures.most_often = begun.values().copied().max().unwrap_or(0);
            if figures.most_often > 1 {
                found.push(format!("ceremony {shown} ran twice: {begun:?}"));
            }
            let (mut results, mut done) = (BTreeSet::new(), 0);
            for operator in self.testnet.operators().values() {
                if let Some(StoredResult::Done { contribution, .. }) = operator.result(ceremony_id)? {
                    let keys = contribution.decode().map(|one| Certificate::from_contribution(one).transcript);
                    done += 1;
                    results.insert(keys.map(|transcript| transcript.digest().to_vec()).unwrap_or_default());
                }
            }
            if results.len() > 1 || (figures.on_chain && done != everybody) {
                found.push(format!("ceremony {shown} has {} results with {done} operators", results.len()));
            }
            match self.owner.ceremony(ceremony_id).await {
                Ok(_) if figures.on_chain => {}
                Err(OwnerError::Refused { status: 404, .. }) if !figures.on_chain => {}
                Ok(_) => found.push(format!("the service shows ceremony {shown}, whose request is not on the chain")),
                Err(error) => found.push(format!("ceremony {shown}: {error}")),
            }
        }
        let known = self.acts.ceremonies.iter().filter(|figures| figures.on_chain).count();
        if known != on_chain.len() {
            found.push(format!("{} requests are on the chain, {known} of them were made", on_chain.len()));
        }
        Ok(found)
    }

    /// Every log that is no event is in quarantine, with words.
    async fn of_garbage(&self, number: u64, facts: &Facts) -> Result<Vec<String>, TroubleError> {
        let contracts = self.chain.deployment.contracts();
        let kept: BTreeMap<_, _> = facts.quarantine().map(|kept| (kept.position, kept.words.as_str())).collect();
        let logs = self.chain.logs(number).await?;
        let is_garbage = |log: &&cluster_core::chain::Log| {
            contracts.which(&log.contract).is_some_and(|contract| decode(contract, log).is_err())
        };
        let garbage: Vec<_> = logs.iter().filter(is_garbage).collect();
        let mut found: Vec<String> = garbage
            .iter()
            .filter(|log| kept.get(&log.position()).is_none_or(|words| words.is_empty()))
            .map(|log| format!("the garbage at {:?} is not in quarantine", log.position()))
            .collect();
        if garbage.len() != self.garbage.emitted {
            found.push(format!("{} pieces of garbage are on the chain, not {}", garbage.len(), self.garbage.emitted));
        }
        Ok(found)
    }

    async fn figures(
        &self,
        weather: &Weather,
        block: &BlockRef,
        facts: &Facts,
    ) -> Result<Vec<PartFigures>, TroubleError> {
        let figures = |part: Part, taken_back: u64| {
            let (calls, spoiled_calls, faults) = weather.of(part);
            PartFigures {
                part: part.to_string(),
                block: (block.number, block.hash.to_string()),
                facts: facts.entries().len(),
                quarantined: facts.quarantine().len(),
                taken_back,
                calls,
                spoiled_calls,
                faults,
            }
        };
        let taken_back = |metrics: &Metrics| counter(&metrics.text(), "cluster_node_chain_rolled_back_total");
        let operators = self.testnet.operators().iter();
        let mut all: Vec<PartFigures> =
            operators.map(|(id, one)| figures(Part::Operator(*id), taken_back(one.metrics()))).collect();
        all.push(figures(Part::Gateway, taken_back(self.testnet.gateway()?.metrics())));
        let text = self.owner.text("/metrics").await?;
        all.push(figures(Part::Service, counter(&text, "cluster_service_chain_blocks_undone_total")));
        Ok(all)
    }
}

/// Validators whose duties an operator performs, and where their fees go.
fn performed(facts: &Facts, operator: OperatorId) -> BTreeMap<PubkeyBytes, Address> {
    let own = facts.validators().filter(|(_, fact)| fact.is_registered() && fact.operator_ids.contains(&operator));
    own.map(|(pubkey, fact)| (*pubkey, facts.fee_recipient(pubkey).unwrap_or(fact.owner))).collect()
}

fn of_view(part: Part, view: &ChainView, last: &[BlockRef; 2], facts: &Facts) -> Option<String> {
    let tip = view.status().borrow().tip;
    if !tip.is_some_and(|tip| last.contains(&tip)) {
        return Some(format!("{part} has not read block {}: it stands at {tip:?}", last[0].number));
    }
    let held = view.with(Facts::entries);
    compare(by_key(held), facts).map(|difference| format!("{part} {difference}"))
}

fn by_key(entries: Vec<Entry>) -> BTreeMap<FactKey, Entry> {
    entries.into_iter().map(|entry| (entry.key(), entry)).collect()
}

/// The first difference in words.
fn compare(held: BTreeMap<FactKey, Entry>, facts: &Facts) -> Option<String> {
    let said = by_key(facts.entries());
    if let Some(key) = held.keys().find(|key| !said.contains_key(*key)) {
        return Some(format!("knows {key:?}, which the chain does not say"));
    }
    let wrong = said.iter().find(|(key, entry)| held.get(*key) != Some(*entry));
    wrong.map(|(key, _)| format!("does not know {key:?} as the chain says it"))
}

/// The value of a counter in the text of metrics.
fn counter(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    line.unwrap_or(0)
}
