//! `world.json`: what the processes of a run have in common.

use std::path::{Path, PathBuf};

use cluster_core::beacon::Preset;
use cluster_core::committee::OperatorId;
use cluster_core::network::Network;
use cluster_node::config::ChainConfig;
use cluster_node::network::Transport;
use serde::{Deserialize, Serialize};

use super::byzantine::Behaviour;
use crate::world::World;

/// Name of the file in the run's folder.
pub const FILE: &str = "world.json";
/// Bytes of it that are read.
const LIMIT: u64 = 1024 * 1024;

/// What an operator process is told. Keys follow from the seed: none is in a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setup {
    /// The run's folder.
    pub dir: PathBuf,
    /// Ethereum network of the ceremony.
    pub network: Network,
    /// Size of the committee.
    pub operators: usize,
    /// The id of its first operator.
    pub first_operator_id: u32,
    /// Seed of keys and faults.
    pub seed: u64,
    /// Shape of the chain.
    pub preset: Preset,
    /// Whether the mesh is over TCP and not over QUIC.
    pub tcp: bool,
    /// Addresses of the bootstrap peer.
    pub bootstrap: Vec<String>,
    /// Beacon nodes.
    pub beacon_urls: Vec<String>,
    /// The contracts that say who is who and which validators there are, and whoever tells about them; off without a chain.
    pub chain: ChainConfig,
    /// Whether a builder may build blocks.
    pub builder: bool,
    /// Where operators offer metrics and records over HTTP, in their order; nowhere when it is empty.
    pub http: Vec<String>,
    /// Delay of every message between operators.
    pub latency_ms: u64,
    /// Share of messages that are lost.
    pub loss: f64,
    /// Directions, from and to, in which nothing passes.
    pub one_way: Vec<(OperatorId, OperatorId)>,
    /// Who misbehaves.
    pub byzantine: Vec<(OperatorId, Behaviour)>,
}

/// Why a setup cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{path} cannot be used: {reason}")]
pub struct SetupError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong.
    pub reason: String,
}

impl Setup {
    /// Reads the file.
    pub fn read(path: &Path) -> Result<Self, SetupError> {
        let failed = |reason: String| SetupError { path: path.to_owned(), reason };
        let size = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?.len();
        if size > LIMIT {
            return Err(failed(format!("it has {size} bytes, the limit is {LIMIT}")));
        }
        let text = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
        serde_json::from_slice(&text).map_err(|error| failed(error.to_string()))
    }

    /// Writes the file into the run's folder; returns its path.
    pub fn write(&self) -> Result<PathBuf, SetupError> {
        let path = self.dir.join(FILE);
        let failed = |reason: String| SetupError { path: path.clone(), reason };
        let text = serde_json::to_vec_pretty(self).map_err(|error| failed(error.to_string()))?;
        std::fs::write(&path, text).map_err(|error| failed(error.to_string()))?;
        Ok(path)
    }

    /// Everybody in the run.
    #[must_use]
    pub fn world(&self) -> World {
        World::generate_from(self.network, self.first_operator_id, self.operators, self.seed)
    }

    /// Transport of the mesh.
    #[must_use]
    pub const fn transport(&self) -> Transport {
        if self.tcp {
            Transport::Tcp
        } else {
            Transport::Quic
        }
    }

    /// How an operator misbehaves.
    #[must_use]
    pub fn behaviours(&self, operator: OperatorId) -> Vec<Behaviour> {
        self.byzantine.iter().filter(|(who, _)| *who == operator).map(|(_, how)| *how).collect()
    }

    /// The beacon nodes of an operator: all of them, those of neighbours begin with different ones.
    #[must_use]
    pub fn urls_of(&self, position: usize) -> Vec<String> {
        let mut urls = self.beacon_urls.clone();
        let first = position % urls.len().max(1);
        urls.rotate_left(first);
        urls
    }
}

/// The files of one operator in the run's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// Database.
    pub data_dir: PathBuf,
    /// What became of its duties.
    pub records: PathBuf,
    /// What its shares signed.
    pub signed: PathBuf,
    /// What it used, every second.
    pub stats: PathBuf,
    /// Its log.
    pub log: PathBuf,
}

impl Files {
    /// Of an operator. Its database is the one that the ceremony left.
    #[must_use]
    pub fn of(dir: &Path, operator: OperatorId) -> Self {
        let file = |name: &str| dir.join(format!("operator-{operator}.{name}"));
        Self {
            data_dir: dir.join("network").join(format!("operator-{operator}")),
            records: file("records.jsonl"),
            signed: file("signed.jsonl"),
            stats: file("stats.jsonl"),
            log: file("log"),
        }
    }
}
