//! What is wrong with the endpoints, and when: each part has two of its own. One of them is bad in a way that hides the chain or
//! lies about it, the other one in a way that costs time; every moment another part's change.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::evm::{Endpoint, EvmError, Fault};
use crate::network::Part;

/// Between two changes.
const CHANGE: Duration = Duration::from_millis(300);
/// Blocks whose logs are given out at once.
const RANGE: u64 = 100;

/// Faults by their names, and how often each was there.
type Counts = BTreeMap<&'static str, u64>;

/// All endpoints.
pub(super) struct Weather {
    shared: Arc<Shared>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

struct Shared {
    endpoints: BTreeMap<Part, [Endpoint; 2]>,
    counts: Mutex<BTreeMap<Part, Counts>>,
    dice: Mutex<ChaCha20Rng>,
}

impl Drop for Weather {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Weather {
    /// Every part's first endpoint gives out a hundred blocks at once, its second one refuses connections.
    pub(super) async fn start(upstream: &str, parts: &[Part], seed: u64) -> Result<Self, EvmError> {
        let mut endpoints = BTreeMap::new();
        for part in parts {
            endpoints.insert(*part, [Endpoint::start(upstream).await?, Endpoint::start(upstream).await?]);
        }
        let dice = Mutex::new(ChaCha20Rng::seed_from_u64(seed ^ 0x7765_6174));
        let shared = Arc::new(Shared { endpoints, counts: Mutex::default(), dice });
        for part in parts {
            shared.set(*part, [Fault::Ranges(RANGE), Fault::Refuse]).await?;
        }
        Ok(Self { shared, stop: CancellationToken::new(), tasks: TaskTracker::new() })
    }

    /// For the configuration of each part.
    pub(super) fn urls(&self) -> BTreeMap<Part, Vec<String>> {
        let urls = |pair: &[Endpoint; 2]| pair.iter().map(Endpoint::url).collect();
        self.shared.endpoints.iter().map(|(part, pair)| (*part, urls(pair))).collect()
    }

    /// From now on it changes.
    pub(super) fn begin(&self) {
        let (shared, stop) = (Arc::clone(&self.shared), self.stop.clone());
        let change = async move {
            loop {
                for part in shared.endpoints.keys() {
                    tokio::time::sleep(CHANGE).await;
                    let faults = shared.draw();
                    if let Err(error) = shared.set(*part, faults).await {
                        tracing::error!(%error, "an endpoint cannot be switched: {error}");
                    }
                }
            }
        };
        self.tasks.spawn(async move { stop.run_until_cancelled(change).await });
    }

    /// Nothing is wrong any more.
    pub(super) async fn end(&self) -> Result<(), EvmError> {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        for part in self.shared.endpoints.keys() {
            self.shared.set(*part, [Fault::None; 2]).await?;
        }
        Ok(())
    }

    /// Calls of a part's endpoints, those among them that were not answered as they should be, and the faults that it had.
    pub(super) fn of(&self, part: Part) -> (u64, u64, BTreeMap<String, u64>) {
        let pair = self.shared.endpoints.get(&part).into_iter().flatten();
        let (calls, spoiled) =
            pair.fold((0, 0), |(calls, spoiled), one| (calls + one.calls(), spoiled + one.spoiled()));
        let counts = self.shared.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let faults = counts.get(&part).into_iter().flatten().map(|(name, count)| ((*name).to_owned(), *count));
        (calls, spoiled, faults.collect())
    }
}

impl Shared {
    /// One that hides or lies, and one that costs time, in either order.
    fn draw(&self) -> [Fault; 2] {
        let mut dice = self.dice.lock().unwrap_or_else(PoisonError::into_inner);
        let mut number = |below: u32| u64::from(dice.next_u32() % below);
        let bad = match number(4) {
            0 => Fault::Refuse,
            1 => Fault::Busy,
            2 => Fault::HeadAbove(2 + number(500)),
            _ => Fault::HeadBelow(2 + number(12)),
        };
        let slow = match number(3) {
            0 => Fault::None,
            1 => Fault::Ranges(RANGE),
            _ => Fault::Delay(Duration::from_millis(10 + number(100))),
        };
        if number(2) == 0 {
            [bad, slow]
        } else {
            [slow, bad]
        }
    }

    async fn set(&self, part: Part, faults: [Fault; 2]) -> Result<(), EvmError> {
        let pair = self.endpoints.get(&part).into_iter().flatten();
        for (endpoint, fault) in pair.zip(faults) {
            endpoint.set(fault).await?;
            if fault != Fault::None {
                let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
                *counts.entry(part).or_default().entry(fault.name()).or_default() += 1;
            }
        }
        Ok(())
    }
}
