//! Why there is no beacon node.

use std::path::PathBuf;

/// Why a Lodestar node does not start or cannot be told what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LodestarError {
    /// The packages are missing.
    #[error(
        "Lodestar is not installed in {dir}; run `make setup`, or name the folder where it is in CLUSTER_LODESTAR_DIR"
    )]
    NotInstalled {
        /// Where it should be.
        dir: PathBuf,
    },
    /// Node.js is missing.
    #[error("Lodestar needs Node.js {needed} or later, but {found}; run `make setup`, or install it from https://nodejs.org")]
    NoNode {
        /// The first version that works.
        needed: u32,
        /// What there is instead.
        found: String,
    },
    /// Slots are whole seconds.
    #[error("a slot of {slot_ms} ms is not possible with Lodestar; it has to be whole seconds")]
    SlotTime {
        /// As asked for.
        slot_ms: u64,
    },
    /// A chain without validators.
    #[error("a chain needs validators at genesis")]
    NoValidators,
    /// Peers exchange blocks without blobs.
    #[error("nodes that are peers of each other cannot have blobs in their blocks")]
    BlobsWithPeers,
    /// The node was stopped or killed.
    #[error("the beacon node does not run")]
    NotRunning,
    /// The node ended by itself.
    #[error("the beacon node ended with {status}; {} ends with: {tail}", log.display())]
    Ended {
        /// How.
        status: String,
        /// Its log.
        log: PathBuf,
        /// The log's end.
        tail: String,
    },
    /// The node does not answer.
    #[error("the beacon node did not answer within {seconds} s; see {}", log.display())]
    NotReady {
        /// How long it had.
        seconds: u64,
        /// Its log.
        log: PathBuf,
    },
    /// The HTTP client.
    #[error("there is no HTTP client: {reason}")]
    Http {
        /// Its words.
        reason: String,
    },
    /// The system.
    #[error("{what} failed: {reason}")]
    Io {
        /// What was tried.
        what: String,
        /// The system's words.
        reason: String,
    },
}
