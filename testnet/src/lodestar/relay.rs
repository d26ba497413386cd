//! The relay of a test network: an external builder for its beacon node, which can be told to fail.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::process::{self, Running};
use super::{url_of, LodestarError, Options};

/// What a payload of the relay's builder carries in `extra_data`.
pub const EXTRA_DATA: &[u8] = b"cluster-testnet relay";

/// A relay that is away comes back within two slots.
const PATIENCE: Duration = Duration::from_secs(60);
const AGAIN: Duration = Duration::from_millis(200);

/// A relay that is to be started.
#[derive(Clone, Debug)]
pub struct RelayOptions {
    /// The network: preset, slots, forks and folder are those of its beacon node.
    pub network: Options,
    /// Base URL of the beacon node that it follows.
    pub beacon: String,
    /// TCP port on 127.0.0.1.
    pub port: u16,
    /// First slot in which it fails; slot by slot it is away, is silent, offers a header that no block can have, and answers
    /// with an error.
    pub fail_from_slot: Option<u64>,
}

/// A validator that is registered with the relay.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Registered {
    /// Public key, 0x hex.
    pub pubkey: String,
    /// Whom blocks are to pay, 0x hex.
    pub fee_recipient: String,
    /// Gas limit that blocks are to tend to.
    pub gas_limit: u64,
    /// Unix seconds of the registration.
    pub timestamp: u64,
    /// How often it was registered.
    pub count: u64,
}

/// A registration that the relay refused.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct RefusedRegistration {
    /// Public key, 0x hex.
    pub pubkey: String,
    /// Why.
    pub reason: String,
}

/// What a relay has seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct RelayReport {
    /// Validators whose registration is signed by them.
    pub registered: Vec<Registered>,
    /// The first registrations that are not.
    pub refused: Vec<RefusedRegistration>,
    /// How many there are of these.
    pub refused_count: u64,
    /// Headers that were asked for.
    pub headers: u64,
    /// Headers that were offered.
    pub bids: u64,
    /// Blinded blocks that came back with the proposer's signature: by slot, how often.
    pub blinded_blocks: BTreeMap<u64, u64>,
    /// Failures as told, by their kind.
    pub failures: BTreeMap<String, u64>,
}

/// A relay. Dropping it kills it.
#[derive(Debug)]
pub struct Relay {
    url: String,
    running: Running,
    http: reqwest::Client,
    log: PathBuf,
}

impl Relay {
    /// Starts a relay and waits until it answers.
    pub async fn start(options: &RelayOptions) -> Result<Self, LodestarError> {
        let (url, http) = (url_of(options.port), process::client()?);
        let log = options.network.dir.join("relay.log");
        let mut arguments = vec![
            format!("--port={}", options.port),
            format!("--beacon={}", options.beacon),
            "--endWithStdin=1".to_owned(),
        ];
        arguments.extend(options.fail_from_slot.map(|slot| format!("--failFromSlot={slot}")));
        arguments.extend(options.network.chain_arguments());
        let running = process::start("relay.mjs", &arguments, options.network.preset, &log)?;
        let mut relay = Self { url, running, http, log };
        process::ready(&mut relay.running, &relay.http, &format!("{}/report", relay.url), &relay.log).await?;
        Ok(relay)
    }

    /// What it has seen so far; waits for it while it is away, as it was told to.
    pub async fn report(&self) -> Result<RelayReport, LodestarError> {
        let failed = |error: reqwest::Error| LodestarError::Io {
            what: format!("asking the relay (its log is {})", self.log.display()),
            reason: error.to_string(),
        };
        let url = format!("{}/report", self.url);
        let give_up = Instant::now() + PATIENCE;
        let answer = loop {
            match self.http.get(&url).send().await {
                Err(error) if error.is_connect() && Instant::now() < give_up => tokio::time::sleep(AGAIN).await,
                answer => break answer.map_err(failed)?,
            }
        };
        answer.json().await.map_err(failed)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // Fails only for a process that has ended already.
        let _ = self.running.child.kill();
        let _ = self.running.child.wait();
    }
}
