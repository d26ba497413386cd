//! The node: operator and gateway roles, their store, command line and configuration.
//!
//! | module | what it is for |
//! | --- | --- |
//! | [`operator`], [`driver`] | the operator role: ceremonies, one thread each |
//! | [`duties`] | what a committee does for its validators in every slot |
//! | [`gateway`] | the gateway role: requests in, certificates out |
//! | [`network`] | the mesh: one task owns the swarm |
//! | [`store`] | the database; the only user of sled |
//! | [`signer`] | partial signatures: the one module that opens shares |
//! | [`config`], [`keys`], [`registry_file`] | what a node reads at start |
//! | [`service_client`] | calls to the Cluster Node Service |
//! | [`http`], [`metrics`], [`telemetry`] | what a node shows of itself |
//! | [`monitoring`] | dashboards and alerts over those metrics |
//! | [`split`] | existing keys, split to a committee by a trusted dealer |
//! | [`exits`] | owners' orders to let validators leave |
//! | [`evidence`] | proofs against operators, for anybody to check |
//! | [`beacon`] | beacon nodes: what duties ask and tell |
//! | [`chain`] | the contracts, read from execution nodes; the only user of ethers |
//! | [`cli`] | the command line |

pub mod beacon;
pub mod chain;
pub mod cli;
pub mod config;
pub mod driver;
pub mod duties;
pub mod evidence;
pub mod exits;
pub mod gateway;
pub mod http;
pub mod keys;
pub mod metrics;
pub mod monitoring;
pub mod network;
pub mod operator;
pub mod preflight;
pub mod registry_file;
pub mod service_client;
pub mod signer;
pub mod split;
pub mod store;
pub mod telemetry;
