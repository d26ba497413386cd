//! The beacon nodes of a run.

use std::collections::BTreeMap;
use std::path::Path;

use tokio::task::JoinHandle;

use super::keys::Key;
use super::options::Options;
use crate::lodestar::{self, Lodestar, LodestarError, Relay, RelayOptions, RelayReport};

/// Seconds from the start of the first beacon node to genesis: for the nodes and the operators to start in, on a busy machine.
const LEAD_S: u64 = 25;
/// The same for each further node.
const MORE_S: u64 = 8;
/// The same for registrations: a block and its confirmation, and the operators that act on them.
const REGISTRATION_S: u64 = 5;

/// One or two beacon nodes, and their builder.
pub struct Beacons {
    first: Slot,
    second: Option<Lodestar>,
    first_url: String,
    /// Whether operators know the second one.
    is_shared: bool,
    genesis_time_s: u64,
    relay: Option<Relay>,
}

/// Constants of the chain that are not the preset's.
fn params(options: &Options) -> BTreeMap<String, String> {
    let chain_id = options.network.chain_id().to_string();
    // Operators compare it with that of the registry when an owner gives an order.
    let mut params = BTreeMap::from([("DEPOSIT_CHAIN_ID", chain_id.clone()), ("DEPOSIT_NETWORK_ID", chain_id)]);
    if options.exit.is_some() {
        // A validator may leave in its first epoch, not only after a day.
        params.insert("SHARD_COMMITTEE_PERIOD", "0".to_owned());
    }
    params.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

enum Slot {
    Here(Box<Lodestar>),
    /// On its way back, for a few seconds.
    Starting(JoinHandle<Result<Lodestar, LodestarError>>),
    Away,
}

impl Beacons {
    /// Starts them and waits until they answer.
    ///
    /// A node that is restarted has lost its chain: when there is no second node that operators use as well, one that nobody
    /// else knows keeps the chain for it.
    pub async fn start(options: &Options, dir: &Path, keys: &[Key]) -> Result<Self, LodestarError> {
        let count = 1 + usize::from(options.second_beacon || options.restart_beacon.is_some());
        let more = count as u64 - 1 + u64::from(options.builder);
        let registration_s = if options.chain { REGISTRATION_S } else { 0 };
        let genesis_time_s = lodestar::unix_seconds() + LEAD_S + MORE_S * more + registration_s;
        let relay_port = if options.builder { lodestar::free_ports(1)?.first().copied() } else { None };
        let wanted = lodestar::Options {
            preset: options.preset,
            slot_ms: options.slot_seconds * 1_000,
            validators: keys.iter().map(|key| key.genesis.clone()).collect(),
            genesis_time_s,
            fulu_epoch: options.fork.fulu_epoch(),
            builder: relay_port.map(lodestar::url_of),
            params: params(options),
            ..lodestar::Options::new(dir)
        };
        let mut nodes = Lodestar::start_network(&wanted, count).await?.into_iter();
        let first = nodes.next().ok_or(LodestarError::NotRunning)?;
        let relay = match relay_port {
            Some(port) => {
                let fail_from_slot = options.builder_fails_from();
                Some(Relay::start(&RelayOptions { network: wanted, beacon: first.url(), port, fail_from_slot }).await?)
            }
            None => None,
        };
        Ok(Self {
            relay,
            first_url: first.url(),
            first: Slot::Here(Box::new(first)),
            second: nodes.next(),
            is_shared: options.second_beacon,
            genesis_time_s,
        })
    }

    /// Start of slot 0 in Unix milliseconds.
    #[must_use]
    pub fn genesis_ms(&self) -> u64 {
        self.genesis_time_s * 1_000
    }

    /// What the builder's relay has seen; none when there is no builder.
    pub async fn relay_report(&self) -> Result<Option<RelayReport>, LodestarError> {
        match &self.relay {
            Some(relay) => relay.report().await.map(Some),
            None => Ok(None),
        }
    }

    /// Those that operators use.
    #[must_use]
    pub fn of_operators(&self) -> Vec<String> {
        let second = self.second.iter().filter(|_| self.is_shared).map(Lodestar::url);
        std::iter::once(self.first_url.clone()).chain(second).collect()
    }

    /// All of them, the one that stays first.
    #[must_use]
    pub fn all(&self) -> Vec<String> {
        self.second.iter().map(Lodestar::url).chain([self.first_url.clone()]).collect()
    }

    /// Kills the first one.
    pub async fn kill_first(&mut self) -> Result<(), LodestarError> {
        self.settle().await?;
        // Dropping a node kills it; but it comes back at the same address with what it was started with.
        if let Slot::Here(node) = &mut self.first {
            node.kill();
        }
        Ok(())
    }

    /// Starts the first one again; does not wait for it.
    pub async fn restart_first(&mut self) -> Result<(), LodestarError> {
        self.settle().await?;
        self.first = match std::mem::replace(&mut self.first, Slot::Away) {
            Slot::Here(mut node) => Slot::Starting(tokio::spawn(async move {
                node.restart().await?;
                Ok(*node)
            })),
            other => other,
        };
        Ok(())
    }

    /// Waits until a node that is on its way back is there.
    pub async fn settle(&mut self) -> Result<(), LodestarError> {
        if let Slot::Starting(starting) = &mut self.first {
            let started = starting.await.map_err(|_| LodestarError::NotRunning)?;
            self.first = Slot::Here(Box::new(started?));
        }
        Ok(())
    }
}
