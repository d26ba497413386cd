//! Events that are none: real ones of the chain, spoiled until nobody can read them.

use std::collections::BTreeMap;

use cluster_core::chain::{decode, double, Log};
use cluster_crypto::ethereum::Address;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

use crate::evm::{Chain, EvmError, Garbage};

/// Where it comes from.
pub(super) struct Dump {
    dice: ChaCha20Rng,
    good: Vec<Log>,
}

impl Dump {
    pub(super) fn new(seed: u64) -> Self {
        Self { dice: ChaCha20Rng::seed_from_u64(seed ^ 0x6475_6d70), good: Vec::new() }
    }

    /// So many pieces, by the contracts that are to emit them.
    pub(super) async fn pieces(
        &mut self,
        chain: &Chain,
        count: usize,
    ) -> Result<BTreeMap<Address, Vec<Garbage>>, EvmError> {
        let contracts = chain.deployment.contracts();
        if self.good.is_empty() {
            let is_event = |log: &Log| {
                let contract = contracts.which(&log.contract);
                contract.is_some_and(|contract| matches!(decode(contract, log), Ok(Some(_)))) && !log.data.is_empty()
            };
            self.good = chain.logs(chain.head().await?).await?.into_iter().filter(is_event).collect();
        }
        let mut pieces: BTreeMap<Address, Vec<Garbage>> = BTreeMap::new();
        let mut made = 0;
        while made < count {
            let at = usize::try_from(self.dice.next_u32()).unwrap_or(0) % self.good.len().max(1);
            let Some(mut log) = self.good.get(at).cloned() else { break };
            let Some(contract) = contracts.which(&log.contract) else { continue };
            double::spoil(&mut self.dice, &mut log.data);
            if decode(contract, &log).is_err() {
                pieces.entry(log.contract).or_default().push((log.topics, log.data));
                made += 1;
            }
        }
        Ok(pieces)
    }
}
