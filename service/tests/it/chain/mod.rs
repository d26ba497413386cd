//! The service on a real EVM.

mod beacon;
mod csm;
mod liars;
mod path;
mod reorg;
mod trouble;
mod upkeep;
mod wallet;
