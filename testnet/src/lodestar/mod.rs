//! A real beacon node: Lodestar's, from npm, as a child process with a chain that starts with given validators.
//!
//! `testnet/lodestar` has the scripts and says what in them is real; `.ci/setup` installs the packages into `target/lodestar`
//! (`CLUSTER_LODESTAR_DIR` names another folder). The node keeps its chain in memory: one that is restarted begins at genesis
//! and pulls the chain from its peers.

mod error;
mod install;
mod interop;
mod process;
mod relay;

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use cluster_core::beacon::{Epoch, Preset};
use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;
use serde::Serialize;

pub use error::LodestarError;
pub use interop::interop_key;
pub use relay::{RefusedRegistration, Registered, Relay, RelayOptions, RelayReport, EXTRA_DATA};

use process::Running;

const STOP_PATIENCE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(50);
/// `FAR_FUTURE_EPOCH`, as the scripts read it.
const NEVER: &str = "18446744073709551615";

/// A validator at genesis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GenesisValidator {
    /// Public key, in hex with 0x.
    pub pubkey: String,
    /// Withdrawal credentials, in hex with 0x; some address when none are given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub withdrawal_credentials: Option<String>,
}

/// A network, and one node of it.
#[derive(Clone, Debug)]
pub struct Options {
    /// Name of the node's log file.
    pub name: String,
    /// Folder for the log and the list of validators; created when missing.
    pub dir: PathBuf,
    /// Shape of containers and epochs.
    pub preset: Preset,
    /// Length of a slot in milliseconds, in whole seconds.
    pub slot_ms: u64,
    /// Validators 0 and following at genesis.
    pub validators: Vec<GenesisValidator>,
    /// Validators with well-known keys after them: number `i` of the state has [`interop_key`]`(i)`.
    pub interop: usize,
    /// Start of slot 0 in Unix seconds. A node takes 6 s and more to start.
    pub genesis_time_s: u64,
    /// First epoch of Fulu: 0 is genesis, none is never. Electra begins at genesis.
    pub fulu_epoch: Option<Epoch>,
    /// Whether blocks have blobs. They cost much CPU in Fulu, and peers do not exchange them.
    pub blobs: bool,
    /// URLs of nodes of the same network that this one exchanges blocks and messages with.
    pub peers: Vec<String>,
    /// URL of a builder.
    pub builder: Option<String>,
    /// A `deposit_data.json` whose deposits go into blocks; read whenever it appears.
    pub deposits: Option<PathBuf>,
    /// Constants of the chain, such as `SHARD_COMMITTEE_PERIOD`.
    pub params: BTreeMap<String, String>,
    /// TCP port on 127.0.0.1; a free one when none is given.
    pub port: Option<u16>,
}

impl Options {
    /// The minimal preset with 3 s slots and genesis in ten seconds, without validators and blobs.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        Self {
            name: "lodestar".to_owned(),
            dir: dir.to_owned(),
            preset: Preset::Minimal,
            slot_ms: 3_000,
            validators: Vec::new(),
            interop: 0,
            genesis_time_s: unix_seconds() + 10,
            fulu_epoch: None,
            blobs: false,
            peers: Vec::new(),
            builder: None,
            deposits: None,
            params: BTreeMap::new(),
            port: None,
        }
    }

    fn check(&self) -> Result<(), LodestarError> {
        if self.slot_ms == 0 || !self.slot_ms.is_multiple_of(1_000) {
            return Err(LodestarError::SlotTime { slot_ms: self.slot_ms });
        }
        if self.validators.len() + self.interop == 0 {
            return Err(LodestarError::NoValidators);
        }
        if self.blobs && !self.peers.is_empty() {
            return Err(LodestarError::BlobsWithPeers);
        }
        Ok(())
    }

    fn arguments(&self, validators: &Path, port: u16) -> Vec<String> {
        let mut arguments = vec![
            format!("--port={port}"),
            format!("--validators={}", validators.display()),
            format!("--interop={}", self.interop),
            format!("--genesisTime={}", self.genesis_time_s),
            format!("--blobs={}", u8::from(self.blobs)),
            format!("--peers={}", self.peers.join(",")),
            // Ends the node when this process is gone, however it ended.
            "--endWithStdin=1".to_owned(),
        ];
        arguments.extend(self.builder.iter().map(|url| format!("--builder={url}")));
        arguments.extend(self.deposits.iter().map(|file| format!("--deposits={}", file.display())));
        arguments.extend(self.chain_arguments());
        arguments
    }

    /// The constants of the chain.
    fn chain_arguments(&self) -> Vec<String> {
        let mut params = BTreeMap::from([
            ("SLOT_DURATION_MS".to_owned(), self.slot_ms.to_string()),
            ("FULU_FORK_EPOCH".to_owned(), self.fulu_epoch.map_or(NEVER.to_owned(), |epoch| epoch.to_string())),
        ]);
        params.extend(self.params.clone());
        params.iter().map(|(name, value)| format!("--params.{name}={value}")).collect()
    }
}

/// A node. Dropping it kills it.
#[derive(Debug)]
pub struct Lodestar {
    options: Options,
    port: u16,
    running: Option<Running>,
    http: reqwest::Client,
}

impl Lodestar {
    /// Starts a node and waits until it answers.
    pub async fn start(options: Options) -> Result<Self, LodestarError> {
        let mut node = Self::spawn(options).await?;
        node.ready().await?;
        Ok(node)
    }

    /// Starts `count` nodes of one network that are all peers of each other, and waits until they answer. The log of each is
    /// named after its position.
    pub async fn start_network(options: &Options, count: usize) -> Result<Vec<Self>, LodestarError> {
        let ports = free_ports(count)?;
        let mut nodes = Vec::with_capacity(count);
        for (at, port) in ports.iter().enumerate() {
            let mut own = options.clone();
            own.name = format!("{}-{}", options.name, at + 1);
            own.port = Some(*port);
            own.peers = ports.iter().filter(|other| *other != port).map(|port| url_of(*port)).collect();
            nodes.push(Self::spawn(own).await?);
        }
        for node in &mut nodes {
            node.ready().await?;
        }
        Ok(nodes)
    }

    /// Base URL of the Beacon API.
    #[must_use]
    pub fn url(&self) -> String {
        url_of(self.port)
    }

    /// Process id; none while the node is stopped.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.running.as_ref().map(|running| running.child.id())
    }

    /// What it was started with.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Its log.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.options.dir.join(format!("{}.log", self.options.name))
    }

    /// Kills the node with SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut running) = self.running.take() {
            // Fails only for a process that has ended already.
            let _ = running.child.kill();
            let _ = running.child.wait();
        }
    }

    /// Ends the node as an administrator would.
    pub async fn stop(&mut self) -> Result<(), LodestarError> {
        self.signal(Signal::SIGTERM)?;
        let give_up = Instant::now() + STOP_PATIENCE;
        while Instant::now() < give_up && self.ended()?.is_none() {
            tokio::time::sleep(POLL).await;
        }
        self.kill();
        Ok(())
    }

    /// Starts a stopped or killed node again, at the same address and with the same genesis, and waits until it answers.
    pub async fn restart(&mut self) -> Result<(), LodestarError> {
        self.kill();
        self.run()?;
        self.ready().await
    }

    /// Cuts the node off from its peers, or connects it again.
    pub fn toggle_peers(&self) -> Result<(), LodestarError> {
        self.signal(Signal::SIGUSR2)
    }

    /// Lets the process stand still, so that connections are open but nothing is answered.
    pub fn freeze(&self) -> Result<(), LodestarError> {
        self.signal(Signal::SIGSTOP)
    }

    /// Lets a process that stands still go on.
    pub fn thaw(&self) -> Result<(), LodestarError> {
        self.signal(Signal::SIGCONT)
    }

    async fn spawn(options: Options) -> Result<Self, LodestarError> {
        options.check()?;
        let port = match options.port {
            Some(port) => port,
            None => free_ports(1)?.into_iter().next().unwrap_or_default(),
        };
        let http = process::client()?;
        let mut node = Self { options, port, running: None, http };
        node.run()?;
        Ok(node)
    }

    fn run(&mut self) -> Result<(), LodestarError> {
        let dir = &self.options.dir;
        let failed = |what: &str| {
            let what = format!("{what} in {}", dir.display());
            move |error: std::io::Error| LodestarError::Io { what, reason: error.to_string() }
        };
        std::fs::create_dir_all(dir).map_err(failed("creating the folder"))?;
        let validators = dir.join(format!("{}-validators.json", self.options.name));
        let list = serde_json::to_vec(&self.options.validators).map_err(std::io::Error::from);
        list.and_then(|list| std::fs::write(&validators, list)).map_err(failed("writing the validators"))?;
        let validators = std::path::absolute(validators).map_err(failed("naming the validators"))?;
        let arguments = self.options.arguments(&validators, self.port);
        self.running = Some(process::start("node.mjs", &arguments, self.options.preset, &self.log())?);
        Ok(())
    }

    async fn ready(&mut self) -> Result<(), LodestarError> {
        let (url, log) = (format!("{}/eth/v1/node/version", self.url()), self.log());
        let running = self.running.as_mut().ok_or(LodestarError::NotRunning)?;
        process::ready(running, &self.http, &url, &log).await
    }

    fn ended(&mut self) -> Result<Option<ExitStatus>, LodestarError> {
        self.running.as_mut().ok_or(LodestarError::NotRunning)?.ended()
    }

    fn signal(&self, signal: Signal) -> Result<(), LodestarError> {
        let pid = self.pid().and_then(|pid| i32::try_from(pid).ok()).ok_or(LodestarError::NotRunning)?;
        kill(Pid::from_raw(pid), signal)
            .map_err(|error| LodestarError::Io { what: format!("sending {signal}"), reason: error.to_string() })
    }
}

impl Drop for Lodestar {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Seconds since the Unix epoch.
#[must_use]
pub fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// The base URL of what listens on a port of this machine.
pub(crate) fn url_of(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

/// Ports that are free at the moment, all different.
pub(crate) fn free_ports(count: usize) -> Result<Vec<u16>, LodestarError> {
    let bound: Result<Vec<TcpListener>, std::io::Error> =
        (0..count).map(|_| TcpListener::bind("127.0.0.1:0")).collect();
    bound
        .and_then(|listeners| listeners.iter().map(|listener| Ok(listener.local_addr()?.port())).collect())
        .map_err(|error| LodestarError::Io { what: "finding a free port".to_owned(), reason: error.to_string() })
}
