//! Distributed key generation: n operators make K validator keys that none of them ever holds.
//!
//! The protocol is `docs/spec/dkg.md`; the code names its numbered steps. [`Machine`] is the whole of it without
//! any IO; a driver brings it messages and the time.

#[cfg(feature = "simulation")]
mod adversary;
mod agreement;
mod certify;
mod context;
mod dealing;
mod evidence;
mod inventory;
mod keys;
mod machine;
mod message;
mod output;
mod receive;
mod restore;
mod signing;
mod store;
mod vote;

use std::fmt;

use serde::{Deserialize, Serialize};

#[cfg(feature = "simulation")]
pub use adversary::{Adversary, Behaviour, Emission};
pub use context::Context;
pub use dealing::DealingFault;
pub use evidence::{Culprit, CulpritKind, Evidence, EvidenceError};
pub use machine::Machine;
pub use message::{
    qualified_digest, vote_digest, Accusation, Ballot, Body, Certify, Dealing, DealingRef, Inventory, Lock, Message,
    Partials, Qualified, Receipt, RevealedShares, Signed, MAX_ACCUSATIONS, MAX_RELAYED,
};
pub use output::{AbortReport, Outcome, Output, Record, StoredShares, Timing};
pub use restore::RestoreError;

/// Where a ceremony stands: the seven steps of DKG, and its two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// DKG 1: fixing polynomials by hashes.
    Commit,
    /// DKG 2: commitments, proofs and sealed shares.
    Deal,
    /// DKG 3: comparing what everyone received.
    Echo,
    /// DKG 4: agreeing on the dealers whose dealings count.
    Verdicts,
    /// DKG 5: shares on disk, receipts out.
    Store,
    /// DKG 6: deposit signatures.
    Sign,
    /// DKG 7: the signed transcript.
    Certify,
    /// Keys and certificate are there.
    Done,
    /// No keys came of it.
    Aborted,
}

impl Step {
    /// The seven steps in order.
    pub const ALL: [Self; 7] =
        [Self::Commit, Self::Deal, Self::Echo, Self::Verdicts, Self::Store, Self::Sign, Self::Certify];

    /// The name used in logs, metrics, reports and the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Deal => "deal",
            Self::Echo => "echo",
            Self::Verdicts => "verdicts",
            Self::Store => "store",
            Self::Sign => "sign",
            Self::Certify => "certify",
            Self::Done => "done",
            Self::Aborted => "aborted",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Step {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().chain([Self::Done, Self::Aborted]).find(|step| step.name() == name).ok_or_else(|| {
            format!("there is no step `{name}`; the steps are commit, deal, echo, verdicts, store, sign and certify")
        })
    }
}
