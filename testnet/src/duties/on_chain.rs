//! The contracts of a run: with the owner's registrations operators get their shares and begin duties, and by the owner's
//! transaction a validator leaves.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use cluster_core::certificate::Certificate;
use cluster_core::chain::PubkeyBytes;
use cluster_core::committee::OperatorId;
use cluster_core::network::Network;
use cluster_crypto::ethereum::WalletKey;
use cluster_node::config::ChainConfig;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::report::{BegunFigures, ChainFigures, ExitFigures};
use super::setup::Files;
use super::stats;
use crate::demo::DemoError;
use crate::evm::{Chain, EvmError, Exited, Registration, Requested};
use crate::path::{until, BLOCKS};
use crate::report::TransactionFigures;
use crate::world::World;

/// A chain, and the validators that are registered on it.
pub struct OnChain {
    chain: Arc<Chain>,
    registrations: Vec<Registration>,
    figures: ChainFigures,
}

/// An order to leave.
pub struct Leave {
    /// Index of the validator on the beacon chain.
    pub validator: u64,
    /// Its public key, 0x hex.
    pub pubkey: String,
    /// Slot of the order.
    pub slot: u64,
    /// The epoch that the order names; for people.
    pub epoch: u64,
    /// Seed of the stranger's key.
    pub seed: u64,
}

impl OnChain {
    /// Validators that were asked for on the chain, none of them registered yet.
    #[must_use]
    pub fn new(chain: Arc<Chain>, certificate: &Certificate, asked: &Requested) -> Self {
        let registrations = Registration::of_certificate(certificate);
        let figures = ChainFigures {
            contracts: chain.deployment.contracts(),
            request: TransactionFigures::new(&asked.receipt, asked.paid, registrations.len()),
            registered: Vec::new(),
            operators: Vec::new(),
            exit: None,
        };
        Self { chain, registrations, figures }
    }

    /// How operators read it.
    #[must_use]
    pub fn node_config(&self, network: Network) -> ChainConfig {
        self.chain.node_config(network)
    }

    /// URL of its JSON-RPC interface.
    #[must_use]
    pub fn url(&self) -> &str {
        self.chain.url()
    }

    /// What was done so far.
    #[must_use]
    pub fn figures(&self) -> &ChainFigures {
        &self.figures
    }

    /// The owner registers all validators; returns when every operator of the run, whose files are in `dir`, has its shares.
    pub async fn register(&mut self, world: &World, dir: &Path) -> Result<(), DemoError> {
        let mut before = Vec::new();
        for id in world.ids() {
            let what = format!("operator {id} says how many validators it has");
            before.push((id, until(&what, || async { Ok(held(dir, id)) }).await?));
        }
        let registered = self.chain.register(&world.owner, &self.registrations, BLOCKS).await?;
        let sent = Instant::now();
        let figure = |one: &crate::evm::Registered| TransactionFigures::new(&one.receipt, one.paid, one.pubkeys.len());
        self.figures.registered = registered.iter().map(figure).collect();
        let all = self.registrations.len();
        for (id, validators_before) in before {
            let what = format!("operator {id} has its shares of {all} validators from the contracts");
            let has_all = || async { Ok(held(dir, id).filter(|held| *held == all)) };
            let validators = until(&what, has_all).await?;
            let begun_ms = u64::try_from(sent.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.figures.operators.push(BegunFigures { id, validators_before, validators, begun_ms });
        }
        Ok(())
    }

    /// A stranger orders a validator to leave, and then its owner does.
    pub async fn leave(&mut self, world: &World, leave: Leave) -> ExitFigures {
        let Leave { validator, pubkey, slot, epoch, seed } = leave;
        let keys: Vec<PubkeyBytes> = self.registrations.iter().map(|one| one.pubkey).collect();
        let keys: Vec<PubkeyBytes> = keys.into_iter().filter(|key| key.to_string() == pubkey).collect();
        let stranger = WalletKey::generate(&mut ChaCha20Rng::seed_from_u64(!seed));
        // It is refused for who it is, and not for what it has.
        let tried = match self.chain.endow(&stranger).await {
            Ok(()) => self.chain.exit_as(&stranger, world, &keys, epoch).await,
            Err(error) => Err(error),
        };
        let (stranger_accepted, stranger_heard) = heard(&tried);
        let ordered = self.chain.exit(world, &keys, epoch).await;
        let (accepted, owner_heard) = heard(&ordered);
        self.figures.exit = ordered.ok().map(|left| TransactionFigures::new(&left.receipt, left.paid, keys.len()));
        ExitFigures {
            validator,
            pubkey,
            slot,
            stranger_accepted,
            stranger_heard,
            accepted,
            owner_heard,
            ..ExitFigures::default()
        }
    }
}

/// Validators that an operator performs duties for, by its own last word.
fn held(dir: &Path, id: OperatorId) -> Option<usize> {
    stats::last(&Files::of(dir, id).stats)?.validators
}

/// Whether a transaction was taken, and in what words.
fn heard(sent: &Result<Exited, EvmError>) -> (bool, String) {
    match sent {
        Ok(left) => {
            (true, format!("transaction {} is in block {}", left.receipt.transaction, left.receipt.block.number))
        }
        Err(error) => (false, error.to_string()),
    }
}
