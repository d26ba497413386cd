//! Protocol types and the sans-IO machines of Cluster Node.
//!
//! Nothing here performs IO, reads a clock, draws hidden randomness or logs: time and randomness are
//! arguments, effects are returned values.
//!
//! | module | what it is for |
//! | --- | --- |
//! | [`request`], [`eip712`] | what an owner asks for, and every check on it |
//! | [`exit`] | an owner's order to let validators leave |
//! | [`ceremony`], [`committee`], [`network`], [`registry`] | who and where |
//! | [`chain`] | the contracts' events, the facts that follow from them, and the follower of the chain |
//! | [`deposit`] | deposit containers, roots, domain, launchpad file |
//! | [`beacon`], [`duty`] | the chain as validators see it, and names of what committees do for them |
//! | [`signing`] | partial signatures of a committee, combined and verified |
//! | [`consensus`] | agreement of a committee on one value |
//! | [`judgement`] | what an operator checks of a proposed value before it signs |
//! | [`certificate`], [`directory`] | the result of a ceremony and its offline verification |
//! | [`slashing`] | what a validator may sign: the rules of EIP-3076 and its interchange format |
//! | [`encoding`] | the one binary encoding |

pub mod beacon;
pub mod ceremony;
pub mod certificate;
pub mod chain;
pub mod committee;
pub mod consensus;
pub mod deposit;
pub mod directory;
pub mod dkg;
pub mod duty;
#[cfg(feature = "simulation")]
pub mod duty_simulation;
pub mod eip712;
pub mod encoding;
pub mod exit;
pub mod judgement;
pub mod machine;
pub mod network;
#[cfg(feature = "simulation")]
pub mod recording;
pub mod registry;
pub mod request;
pub mod signing;
#[cfg(feature = "simulation")]
pub mod simulation;
pub mod slashing;
pub mod verdict;
