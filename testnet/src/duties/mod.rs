//! Duties on a real beacon chain: a committee of operator processes, a chain with their validators, faults, figures.
//!
//! | Module | Part |
//! |---|---|
//! | [`options`], [`timeline`] | what a run does and when, and what makes no sense |
//! | [`on_chain`] | registrations that start duties, and the order to leave, by transactions |
//! | [`run`] | one run: keys, chain, operators, faults, report |
//! | [`keys`], [`beacons`], [`processes`] | the validators' keys, the beacon nodes, the operators as processes |
//! | [`setup`], [`operator_process`] | what an operator process is told, and what it does |
//! | [`byzantine`] | operators that misbehave |
//! | [`builder`], [`exit`] | what a builder saw; an owner who lets a validator leave |
//! | [`upkeep`] | how operators say that registrations with builders and exits stand |
//! | [`observer`] | the chain as a bystander sees it |
//! | [`signed`], [`checker`] | what operators signed, and whether any of it is slashable |
//! | [`stats`], [`results`], [`report`] | figures |
//! | [`progress`] | what is seen on the way |

pub mod beacons;
pub mod builder;
pub mod byzantine;
pub mod checker;
pub mod exit;
mod folder;
mod fork;
pub mod keys;
pub mod observer;
pub mod on_chain;
pub mod operator_process;
pub mod options;
mod options_error;
pub mod processes;
pub mod progress;
pub mod report;
pub mod results;
pub mod run;
pub mod setup;
pub mod signed;
pub mod stats;
pub mod timeline;
pub mod upkeep;

pub use folder::FolderError;
