//! Operators that misbehave in their duties: one file for each behaviour.
//!
//! Each wraps a part that an honest operator is made of, the signer, the mesh or the beacon node, and leaves the rest as it is.

mod beacon;
mod equivocating_votes;
mod other_fee_recipient;
mod silent;
mod slashable_attestation;
mod wrong_partials;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use cluster_core::committee::OperatorId;
use cluster_crypto::identity;
use cluster_node::beacon::Beacon;
use cluster_node::duties::mesh::Mesh;
use cluster_node::signer::Signer;
use serde::{Deserialize, Serialize};

/// How an operator misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Behaviour {
    /// Its partial signatures are over something else.
    WrongPartials,
    /// Half of its peers get other votes than the rest, signed by it, and other proposals when it leads.
    EquivocatingVotes,
    /// The blocks that it proposes pay somebody else.
    OtherFeeRecipient,
    /// It proposes attestations that would get everybody slashed who signs them.
    SlashableAttestation,
    /// It sends nothing about duties.
    Silent,
}

impl Behaviour {
    /// Every behaviour.
    pub const ALL: [Self; 5] = [
        Self::WrongPartials,
        Self::EquivocatingVotes,
        Self::OtherFeeRecipient,
        Self::SlashableAttestation,
        Self::Silent,
    ];

    /// The name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::WrongPartials => "wrong-partials",
            Self::EquivocatingVotes => "equivocating-votes",
            Self::OtherFeeRecipient => "other-fee-recipient",
            Self::SlashableAttestation => "slashable-attestation",
            Self::Silent => "silent",
        }
    }
}

impl fmt::Display for Behaviour {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

impl FromStr for Behaviour {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|behaviour| behaviour.name() == text);
        found.ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|behaviour| behaviour.name()).collect();
            format!("`{text}` is not one of {}", names.join(", "))
        })
    }
}

/// The parts of an operator, wrapped by its misbehaviour.
#[derive(Clone)]
pub struct Wraps {
    behaviours: Vec<Behaviour>,
    me: OperatorId,
    key: identity::SecretKey,
    committee: Vec<OperatorId>,
    seed: u64,
}

impl Wraps {
    /// Of an operator that misbehaves in these ways, perhaps in none.
    #[must_use]
    pub fn new(
        behaviours: Vec<Behaviour>,
        me: OperatorId,
        key: identity::SecretKey,
        committee: Vec<OperatorId>,
        seed: u64,
    ) -> Self {
        Self { behaviours, me, key, committee, seed }
    }

    /// Its signer.
    #[must_use]
    pub fn signer(&self, inner: Arc<dyn Signer>) -> Arc<dyn Signer> {
        if self.has(Behaviour::WrongPartials) {
            return wrong_partials::wrap(inner, self.me, self.seed);
        }
        inner
    }

    /// Its mesh.
    #[must_use]
    pub fn mesh(&self, inner: Arc<dyn Mesh>) -> Arc<dyn Mesh> {
        if self.has(Behaviour::Silent) {
            return silent::mesh();
        }
        if self.has(Behaviour::EquivocatingVotes) {
            return equivocating_votes::wrap(inner, self.me, self.key.clone(), &self.committee);
        }
        inner
    }

    /// Its beacon nodes.
    #[must_use]
    pub fn beacon(&self, inner: Arc<dyn Beacon>) -> Arc<dyn Beacon> {
        let block = self.has(Behaviour::OtherFeeRecipient).then_some(other_fee_recipient::alter as _);
        let attestation = self.has(Behaviour::SlashableAttestation).then_some(slashable_attestation::alter as _);
        if block.is_none() && attestation.is_none() {
            return inner;
        }
        Arc::new(beacon::Altered { inner, block, attestation })
    }

    fn has(&self, behaviour: Behaviour) -> bool {
        self.behaviours.contains(&behaviour)
    }
}
