//! Lido's Community Staking Module, as far as it concerns owners of validators.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`abi`] | the functions and events that are read |
//! | [`events`] | logs become facts |
//! | [`view`] | one node operator: bond, keys, queue, limits, penalties |
//! | [`keys`] | states of keys, in the words of Lido's SDK |
//! | [`plan`] | batches of keys and their bonds |

pub mod abi;
pub mod events;
pub mod keys;
pub mod plan;
pub mod view;
