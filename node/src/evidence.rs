//! `evidence-*.json`: what an operator can prove against others, for anybody to check offline.

use cluster_core::certificate::Transcript;
use cluster_core::committee::OperatorId;
use cluster_core::dkg::{Context, Culprit, CulpritKind};
use cluster_core::network::Network;
use cluster_core::registry::{BootstrapEntry, GatewayEntry, OperatorEntry, Registry};
use cluster_core::request::{CheckedRequest, RequestRules, SignedRequest};
use cluster_crypto::identity;
use rand_core::{CryptoRng, RngCore};
use serde::{Deserialize, Serialize};

/// Evidence against all but one operator of 13, with dealings of 1,000 validators as JSON.
pub const MAX_EVIDENCE_BYTES: usize = 64 * 1024 * 1024;

/// The file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvidenceFile {
    /// Layout, 1.
    pub version: u32,
    /// The owner's request.
    pub request: SignedRequest,
    /// The committee's keys as the writer knew them; a verifier with a registry uses that instead.
    pub committee: Vec<Member>,
    /// Who is accused of what; those without evidence are left out.
    pub culprits: Vec<Culprit>,
}

/// One operator of the committee.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// Number in the registry.
    pub operator_id: OperatorId,
    /// Registered key.
    pub public_key: identity::PublicKey,
}

/// Why evidence does not hold.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceFileError {
    /// Not the JSON of evidence.
    #[error("the file is not evidence: {0}")]
    Malformed(String),
    /// A layout of another version.
    #[error("version: {0} is not known, only 1 is")]
    Version(u32),
    /// The request does not pass its checks.
    #[error("request: {0}")]
    Request(String),
    /// The evidence proves nothing, or something else.
    #[error("culprits[{position}]: {reason}")]
    Unproven {
        /// Which accusation.
        position: usize,
        /// Why it does not hold.
        reason: String,
    },
}

impl EvidenceFile {
    /// The provable part of what a ceremony found; `None` when nothing can be proven.
    #[must_use]
    pub fn of(request: &CheckedRequest, culprits: &[Culprit]) -> Option<Self> {
        let culprits: Vec<Culprit> = culprits.iter().filter(|culprit| culprit.evidence.is_some()).cloned().collect();
        let members = request.committee().members().iter();
        let committee = members.map(|&(operator_id, public_key)| Member { operator_id, public_key }).collect();
        (!culprits.is_empty()).then(|| Self { version: 1, request: request.signed().clone(), committee, culprits })
    }

    /// Reads the file's text.
    pub fn parse(text: &str) -> Result<Self, EvidenceFileError> {
        let file: Self = serde_json::from_str(text).map_err(|error| EvidenceFileError::Malformed(error.to_string()))?;
        if file.version != 1 {
            return Err(EvidenceFileError::Version(file.version));
        }
        Ok(file)
    }

    /// Checks every accusation; returns who is proven guilty of what. Without a registry the keys in the file are used,
    /// which proves only that the holders of those keys misbehaved.
    pub fn verify(
        &self,
        registry: Option<&dyn Registry>,
        transcript: Option<&Transcript>,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<Vec<(OperatorId, CulpritKind)>, EvidenceFileError> {
        let own = Members(&self.committee);
        let registry = registry.unwrap_or(&own);
        let chain_id = self.request.request.chain_id;
        let network = Network::from_chain_id(chain_id)
            .ok_or_else(|| EvidenceFileError::Request(format!("chain {chain_id} is no known network")))?;
        let checked = self
            .request
            .check_ignoring_deadline(&RequestRules::new(network), registry)
            .map_err(|error| EvidenceFileError::Request(format!("{}: {error}", error.field())))?;
        let context = Context::new(checked);
        let mut proven = Vec::new();
        for (position, culprit) in self.culprits.iter().enumerate() {
            let unproven = |reason: String| EvidenceFileError::Unproven { position, reason };
            let evidence = culprit.evidence.as_ref().ok_or_else(|| unproven("there is no evidence".into()))?;
            let guilty = evidence.judge(&context, transcript, rng).map_err(|error| unproven(error.to_string()))?;
            if guilty != culprit.operator_id {
                return Err(unproven(format!(
                    "the evidence proves operator {guilty} guilty, not {}",
                    culprit.operator_id
                )));
            }
            proven.push((guilty, culprit.kind));
        }
        Ok(proven)
    }
}

/// The committee of the file in the place of a registry.
struct Members<'a>(&'a [Member]);

impl Registry for Members<'_> {
    fn operator(&self, id: OperatorId) -> Option<OperatorEntry> {
        self.0.iter().find(|member| member.operator_id == id).map(|member| OperatorEntry {
            id,
            name: format!("operator {id}"),
            public_key: member.public_key,
            owner: None,
            verified: false,
            from_dao: false,
            fee_gwei: None,
            addresses: Vec::new(),
        })
    }

    fn operators(&self) -> Vec<OperatorEntry> {
        self.0.iter().filter_map(|member| self.operator(member.operator_id)).collect()
    }

    fn gateways(&self) -> Vec<GatewayEntry> {
        Vec::new()
    }

    fn bootstraps(&self) -> Vec<BootstrapEntry> {
        Vec::new()
    }
}
