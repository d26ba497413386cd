//! An EVM of our own with the network's contracts and a double of Lido's on it, and the transactions that make a network
//! there.
//!
//! | file | part |
//! | --- | --- |
//! | `tools.rs` | where anvil and forge are |
//! | `anvil.rs` | anvil as a child process |
//! | `rpc.rs` | calls, and transactions that wallets of ours sign |
//! | `abi.rs` | functions that are called |
//! | `deploy.rs` | the contracts by their deployment script, Lido's vaults where the network has them |
//! | `chain.rs` | who is registered, and requests by events |
//! | `branch.rs` | blocks that are taken back, others in their place, garbage of a contract |
//! | `endpoint.rs` | a proxy before anvil with faults that can be switched |
//! | `registration.rs`, `lido.rs` | validators given to committees, and to Lido's module, which deposits for them |
//! | `gates.rs` | the gates of Lido's module, and who is on the list of one |

mod abi;
mod anvil;
mod branch;
mod chain;
mod deploy;
mod endpoint;
mod gates;
mod lido;
mod registration;
mod rpc;
mod tools;

use std::path::PathBuf;

pub use abi::*;
pub use anvil::Anvil;
pub use branch::{Garbage, Snapshot};
pub use chain::{Chain, ChainOptions, Exited, Requested};
pub use deploy::{CsmContracts, Deployment};
pub use endpoint::{Endpoint, Fault};
pub use gates::{Bond, Gate};
pub use lido::{Keys, Submitted};
pub use registration::{Registered, Registration};
pub use rpc::{Receipt, Rpc, GAS_CAP};
pub use tools::Tools;

/// Why there is no chain, or why it did not do what was wanted.
#[derive(Debug, thiserror::Error)]
pub enum EvmError {
    /// Tools are missing.
    #[error(
        "{what} is not at {}; `make setup` installs anvil and forge from npm (it needs Node.js 20 or newer). \
         CLUSTER_CONTRACTS names another folder with contracts, CLUSTER_ANVIL another anvil. `--chain none` needs neither",
        path.display()
    )]
    NotInstalled {
        /// Such as anvil.
        what: &'static str,
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A process does not do its work.
    #[error("{what} failed: {reason}")]
    Process {
        /// Which.
        what: &'static str,
        /// Its last words, or the system's.
        reason: String,
    },
    /// No answer, or none of use.
    #[error("the chain does not answer {method}: {reason}")]
    Call {
        /// JSON-RPC method.
        method: String,
        /// Why.
        reason: String,
    },
    /// The chain refused a call, such as a transaction that would revert.
    #[error("the chain refused {what}: {reason}")]
    Refused {
        /// Function or method.
        what: String,
        /// In its own words.
        reason: String,
    },
    /// A transaction that failed when it was mined.
    #[error("{what} was mined and failed, in transaction {transaction}")]
    Reverted {
        /// Function.
        what: String,
        /// Its hash.
        transaction: String,
    },
    /// A transaction that no block takes.
    #[error("{what} was in no block after {seconds} s")]
    NotMined {
        /// Function.
        what: String,
        /// How long.
        seconds: u64,
    },
    /// More gas than a transaction may take.
    #[error("{what} takes {gas} gas; a transaction may take {cap}")]
    TooMuchGas {
        /// Function.
        what: String,
        /// As estimated.
        gas: u64,
        /// EIP-7825.
        cap: u64,
    },
    /// An event that should be there is not.
    #[error("{what} left no {event}")]
    NoEvent {
        /// Function.
        what: String,
        /// The event.
        event: &'static str,
    },
    /// The contracts gave another id than was expected.
    #[error("operator {expected} was registered as {found}")]
    OtherId {
        /// As it should be.
        expected: u32,
        /// As it is.
        found: u32,
    },
}
