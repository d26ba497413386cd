//! `/cluster-node/info/1`: who a peer is, what it runs and what it can do; and the negotiation of versions.
//!
//! # Contract
//!
//! One stream, one empty [`Request`], one [`Info`]; frames as in [`crate::codec`], at most
//! [`limits::INFO_REQUEST_BYTES`] and [`limits::INFO_RESPONSE_BYTES`]. Anybody whom the gate admits may ask. The swarm
//! task answers by itself, from values that the node keeps up to date.
//!
//! Everything in an answer is the peer's own claim. It serves people (`cluster-node preflight`, logs) and the choice of
//! a version, nothing that matters for safety. Counts and lengths are checked by the codec, addresses when they are
//! used.
//!
//! Versions are ranges: [`compatibility`] picks the highest version that both sides speak, or says in words what is
//! wrong and which side should do something about it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use cluster_core::committee::OperatorId;
use libp2p::request_response;
use serde::{Deserialize, Serialize};

use crate::codec::{self, at_most, Excess, Traffic, Wire};
use crate::limits;

/// The protocol, for [`codec::Codec`].
#[derive(Debug, Clone, Copy)]
pub struct Protocol;

/// Name and version on the wire.
pub const PROTOCOL_NAME: &str = "/cluster-node/info/1";

impl codec::Protocol for Protocol {
    type Request = Request;
    type Response = Info;
    const NAME: &'static str = PROTOCOL_NAME;
    const REQUEST_LIMIT: usize = limits::INFO_REQUEST_BYTES;
    const RESPONSE_LIMIT: usize = limits::INFO_RESPONSE_BYTES;
}

/// The network behaviour.
pub type Behaviour = codec::Behaviour<Protocol>;
/// What the behaviour reports.
pub type Event = request_response::Event<Request, Info>;

/// Builds the behaviour; `timeout` is for a request and its response, normally [`limits::INFO_TIMEOUT`].
pub fn behaviour(timeout: Duration, traffic: Arc<Traffic>) -> Behaviour {
    codec::behaviour::<Protocol>(timeout, traffic)
}

/// The only question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Who are you?
    Info,
}

/// What a peer says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Info {
    /// Its number, when it is an operator.
    pub operator_id: Option<OperatorId>,
    /// What it runs as.
    pub role: Role,
    /// The chain that it works for, 0 when none.
    pub chain_id: u64,
    /// Its release as a semantic version, at most [`limits::NAME_BYTES`].
    pub version: String,
    /// The versions that it speaks, at most [`limits::PROTOCOLS`].
    pub protocols: Vec<VersionRange>,
    /// What it can do beyond version 1 of everything, at most [`limits::CAPABILITIES`].
    pub capabilities: Vec<String>,
    /// Its clock, in unix milliseconds.
    pub clock_ms: u64,
    /// Ceremonies that it has not finished.
    pub open_ceremonies: u32,
    /// Multiaddresses under which it believes to be reachable, at most [`limits::ADDRESSES_PER_PEER`].
    pub addresses: Vec<String>,
}

/// What a node runs as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Takes part in ceremonies and duties.
    Operator,
    /// Collects what operators signed.
    Gateway,
    /// Helps others to find each other.
    Bootstrap,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Operator => "operator",
            Self::Gateway => "gateway",
            Self::Bootstrap => "bootstrap",
        })
    }
}

/// A version of one protocol.
pub type Version = u16;

/// The versions of one protocol that a peer speaks, both ends included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionRange {
    /// `dkg`, `publish`, ...
    pub protocol: String,
    /// Lowest version.
    pub min: Version,
    /// Highest version.
    pub max: Version,
}

impl VersionRange {
    /// A range.
    pub fn new(protocol: impl Into<String>, min: Version, max: Version) -> Self {
        Self { protocol: protocol.into(), min, max }
    }
}

impl fmt::Display for VersionRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.min, self.max) {
            (min, max) if min == max => write!(f, "version {min} of {}", self.protocol),
            (min, max) => write!(f, "versions {min} to {max} of {}", self.protocol),
        }
    }
}

/// The newest version of the protocols that this release speaks. Builds with the feature `next-version` stand for the next
/// release, so that tests can run both in one committee.
pub const MAX_VERSION: Version = if cfg!(feature = "next-version") { 2 } else { 1 };

/// The oldest version of the protocols that this release speaks.
#[cfg(not(feature = "next-version"))]
pub const fn lowest_version() -> Version {
    1
}

/// The oldest version of the protocols that this test build speaks: that of releases before it, unless the environment has
/// `CLUSTER_NET_NEXT_VERSION_ONLY`, as a later release would that has dropped it.
#[cfg(feature = "next-version")]
pub fn lowest_version() -> Version {
    match std::env::var_os("CLUSTER_NET_NEXT_VERSION_ONLY") {
        Some(_) => MAX_VERSION,
        None => 1,
    }
}

/// This release, as peers and people are told: a semantic version.
pub const RELEASE: &str = if cfg!(feature = "next-version") {
    concat!(env!("CARGO_PKG_VERSION"), "+next")
} else {
    env!("CARGO_PKG_VERSION")
};

/// The versions that this release speaks. That of `info` stays what it is, since everything else follows from its answer.
pub fn supported() -> Vec<VersionRange> {
    let all = ["dkg", "publish", "consensus", "signing", "performance"];
    let ranges = all.map(|protocol| VersionRange::new(protocol, lowest_version(), MAX_VERSION));
    ranges.into_iter().chain([VersionRange::new("info", 1, 1)]).collect()
}

/// Why two peers do not work together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// The peer's range is entirely above ours.
    #[error("the peer speaks {theirs}, this node only {ours}: upgrade this node")]
    UpgradeThisNode {
        /// Our range.
        ours: VersionRange,
        /// The peer's range.
        theirs: VersionRange,
    },
    /// The peer's range is entirely below ours.
    #[error("this node speaks {ours}, the peer only {theirs}: ask its operator to upgrade")]
    UpgradePeer {
        /// Our range.
        ours: VersionRange,
        /// The peer's range.
        theirs: VersionRange,
    },
    /// The peer does not name the protocol.
    #[error("this node speaks {ours}, the peer does not speak that protocol")]
    NotSpoken {
        /// Our range.
        ours: VersionRange,
    },
    /// A range without a version in it, or ranges of two protocols.
    #[error("the peer declares {theirs} against {ours} of this node, which makes no sense")]
    Nonsense {
        /// Our range.
        ours: VersionRange,
        /// The peer's range.
        theirs: VersionRange,
    },
    /// The peer works for another chain.
    #[error("the peer works for chain {theirs}, this node for chain {ours}")]
    OtherChain {
        /// Our chain id.
        ours: u64,
        /// The peer's chain id.
        theirs: u64,
    },
}

/// How far a node has got with something that it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Up to date.
    Ready,
    /// Catching up, or cut off.
    Behind,
}

/// What a node reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The contracts, from execution nodes.
    Chain,
    /// Duties and heads, from beacon nodes.
    Beacon,
}

impl Standing {
    /// The capability that tells it. Releases that do not know it show it as it is, and decide nothing by it.
    pub const fn capability(self, source: Source) -> &'static str {
        match (source, self) {
            (Source::Chain, Self::Ready) => "chain:ready",
            (Source::Chain, Self::Behind) => "chain:behind",
            (Source::Beacon, Self::Ready) => "beacon:ready",
            (Source::Beacon, Self::Behind) => "beacon:behind",
        }
    }

    /// What a peer tells of itself; none when it does not read that, or is of a release that does not tell.
    pub fn told(info: &Info, source: Source) -> Option<Self> {
        [Self::Behind, Self::Ready]
            .into_iter()
            .find(|standing| info.capabilities.iter().any(|name| name == standing.capability(source)))
    }
}

/// The highest version that both ranges hold.
pub fn compatibility(ours: &VersionRange, theirs: &VersionRange) -> Result<Version, Mismatch> {
    let (a, b) = (ours.clone(), theirs.clone());
    if ours.protocol != theirs.protocol || ours.min > ours.max || theirs.min > theirs.max {
        return Err(Mismatch::Nonsense { ours: a, theirs: b });
    }
    if theirs.min > ours.max {
        return Err(Mismatch::UpgradeThisNode { ours: a, theirs: b });
    }
    if theirs.max < ours.min {
        return Err(Mismatch::UpgradePeer { ours: a, theirs: b });
    }
    Ok(ours.max.min(theirs.max))
}

impl Info {
    /// Whether this node and the peer can hold a ceremony together: the same chain, and a common version of `dkg`.
    /// Returns that version.
    pub fn ceremony_version(&self, peer: &Info) -> Result<Version, Mismatch> {
        if self.chain_id != peer.chain_id {
            return Err(Mismatch::OtherChain { ours: self.chain_id, theirs: peer.chain_id });
        }
        self.common_version("dkg", peer)
    }

    /// Whether this node and the peer can perform duties together: the same chain, and a common version of `consensus`
    /// and of `signing`. Returns both, in this order.
    pub fn duty_versions(&self, peer: &Info) -> Result<(Version, Version), Mismatch> {
        if self.chain_id != peer.chain_id {
            return Err(Mismatch::OtherChain { ours: self.chain_id, theirs: peer.chain_id });
        }
        Ok((self.common_version("consensus", peer)?, self.common_version("signing", peer)?))
    }

    /// The common version of one protocol.
    pub fn common_version(&self, protocol: &str, peer: &Info) -> Result<Version, Mismatch> {
        let find = |info: &Info| info.protocols.iter().find(|range| range.protocol == protocol).cloned();
        let ours = find(self).unwrap_or_else(|| VersionRange::new(protocol, lowest_version(), MAX_VERSION));
        match find(peer) {
            Some(theirs) => compatibility(&ours, &theirs),
            None => Err(Mismatch::NotSpoken { ours }),
        }
    }
}

impl Wire for Request {
    fn check(&self) -> Result<(), Excess> {
        Ok(())
    }
}

impl Wire for Info {
    fn check(&self) -> Result<(), Excess> {
        at_most("the version", self.version.len(), limits::NAME_BYTES)?;
        check_ranges(&self.protocols)?;
        check_capabilities(&self.capabilities)?;
        check_addresses(&self.addresses)
    }
}

/// Bounds a list of version ranges.
pub(crate) fn check_ranges(ranges: &[VersionRange]) -> Result<(), Excess> {
    at_most("the list of protocols", ranges.len(), limits::PROTOCOLS)?;
    ranges.iter().try_for_each(|range| at_most("the name of a protocol", range.protocol.len(), limits::NAME_BYTES))
}

/// Bounds a list of capabilities.
pub(crate) fn check_capabilities(capabilities: &[String]) -> Result<(), Excess> {
    at_most("the list of capabilities", capabilities.len(), limits::CAPABILITIES)?;
    capabilities.iter().try_for_each(|name| at_most("the name of a capability", name.len(), limits::NAME_BYTES))
}

/// Bounds a list of addresses.
pub(crate) fn check_addresses(addresses: &[String]) -> Result<(), Excess> {
    at_most("the list of addresses", addresses.len(), limits::ADDRESSES_PER_PEER)?;
    addresses.iter().try_for_each(|address| at_most("an address", address.len(), limits::ADDRESS_BYTES))
}
