//! What can go wrong with beacon nodes, in words that name the node and the endpoint.

use cluster_core::beacon::{SpecError, UnknownFork};

/// Why a beacon node did not give or take what it was asked. URLs are shown without passwords and paths.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BeaconError {
    /// The configuration has none.
    #[error("no beacon node is configured; add one to `beacon.urls`")]
    NotConfigured,
    /// None can be asked at the moment.
    #[error("no beacon node can be asked for {endpoint}: {}", listed(reasons))]
    NoneUsable {
        /// What was asked.
        endpoint: &'static str,
        /// Why not, for each node.
        reasons: Vec<String>,
    },
    /// All that could be asked failed.
    #[error("every beacon node failed: {}", listed(errors))]
    All {
        /// What was asked.
        endpoint: &'static str,
        /// The failure of each node.
        errors: Vec<BeaconError>,
    },
    /// The call was not answered: no connection, or it broke.
    #[error("the beacon node at {url} cannot be reached for {endpoint}: {reason}")]
    Unreachable {
        /// The node.
        url: String,
        /// What was asked.
        endpoint: &'static str,
        /// The system's words.
        reason: String,
    },
    /// The call was not answered in time; it may have been carried out.
    #[error("the beacon node at {url} did not answer {endpoint} within {after_ms} ms")]
    Timeout {
        /// The node.
        url: String,
        /// What was asked.
        endpoint: &'static str,
        /// How long it had.
        after_ms: u64,
    },
    /// The node is catching up (503).
    #[error("the beacon node at {url} is syncing and refused {endpoint}: {message}")]
    Syncing {
        /// The node.
        url: String,
        /// What was asked.
        endpoint: &'static str,
        /// The node's words.
        message: String,
    },
    /// The node answered with an error.
    #[error("the beacon node at {url} answered {status} to {endpoint}: {message}")]
    Status {
        /// The node.
        url: String,
        /// What was asked.
        endpoint: &'static str,
        /// HTTP status.
        status: u16,
        /// The node's words.
        message: String,
    },
    /// The node took all but some items.
    #[error("the beacon node at {url} refused {} of {of} items of {endpoint}: {}", failures.len(), listed(failures))]
    Refused {
        /// The node.
        url: String,
        /// What was told.
        endpoint: &'static str,
        /// The items that no node took.
        failures: Vec<ItemFailure>,
        /// Items in all.
        of: usize,
    },
    /// The answer is longer than any good one.
    #[error("the beacon node at {url} answered {endpoint} with more than {limit} bytes")]
    TooLong {
        /// The node.
        url: String,
        /// What was asked.
        endpoint: &'static str,
        /// The limit.
        limit: usize,
    },
    /// The answer is not what was asked for.
    #[error("the beacon node at {url} answered {endpoint} in a way that is not understood: {reason}")]
    Answer {
        /// The node.
        url: String,
        /// What was asked.
        endpoint: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The node belongs to another chain.
    #[error("the beacon node at {url} is on another chain: {reason}")]
    OtherChain {
        /// The node.
        url: String,
        /// What differs.
        reason: String,
    },
    /// The node's constants cannot be used.
    #[error("the beacon node at {url} cannot be used: {reason}")]
    Spec {
        /// The node.
        url: String,
        /// What is wrong.
        reason: SpecError,
    },
    /// The fork of the call is unknown or too old.
    #[error(transparent)]
    Fork(#[from] UnknownFork),
    /// What was to be told is malformed.
    #[error("{endpoint} was not sent: {reason}")]
    Request {
        /// What was to be told.
        endpoint: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

/// An item of a list that a node refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("item {index}: {message}")]
pub struct ItemFailure {
    /// Position in the list.
    pub index: usize,
    /// The node's words.
    pub message: String,
}

/// The first few of a list.
fn listed<T: ToString>(items: &[T]) -> String {
    const SHOWN: usize = 4;
    let mut text = items.iter().take(SHOWN).map(ToString::to_string).collect::<Vec<_>>().join("; ");
    if items.len() > SHOWN {
        text.push_str(&format!("; and {} more", items.len() - SHOWN));
    }
    text
}
