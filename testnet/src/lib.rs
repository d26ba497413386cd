//! A whole network on one machine: for trying it out, for breaking it, and for the tests of everything together.
//!
//! | Module | Part |
//! |---|---|
//! | [`world`] | generated keys, registry and requests |
//! | [`network`] | bootstrap peer, operators, gateway and service in one process, over real loopback sockets |
//! | [`owner`] | the owner as a client of the service |
//! | [`ceremony`] | one request through a running network, measured |
//! | [`path`] | what follows on a chain: registration, Lido, exit |
//! | [`demo`], [`report`] | the demo and the figures that it leaves |
//! | [`console`] | commands to a demo that stays up: operators and service stop and start |
//! | [`replace`] | what the demo does when an operator is replaced |
//! | [`evm`] | a chain of our own with the contracts on it |
//! | [`trouble`] | reorganisations, garbage and bad endpoints for all parts at once |
//! | [`duties`] | validators on a real beacon chain, by operators that are processes |
//! | [`progress`], [`steps`] | what is seen and measured on the way |
//! | [`misbehave`], [`timings`] | adversaries with sockets; how long everybody waits |
//! | [`measure`] | how long a slot's attestations take a committee over loopback sockets |
//! | [`priority`] | of the processes of a run |
//! | [`lodestar`] | a real beacon node as a child process, with a chain of its own |
//! | [`simulate`] | machines in virtual time under seeded faults, and the invariants that must hold |

pub mod ceremony;
pub mod console;
mod dealt;
pub mod demo;
pub mod duties;
pub mod evm;
pub mod lodestar;
pub mod measure;
pub mod misbehave;
pub mod network;
pub mod owner;
pub mod path;
pub mod priority;
pub mod progress;
pub mod replace;
pub mod report;
pub mod simulate;
pub mod steps;
pub mod timings;
pub mod trouble;
pub mod virtual_chain;
pub mod world;
