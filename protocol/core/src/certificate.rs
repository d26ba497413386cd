//! What a ceremony leaves behind: the transcript that all operators agree on, one signed receipt per
//! operator, and both together as the certificate that anyone can verify offline.

mod error;
mod verify;

pub use error::{CertificateError, Problem};
pub use verify::Verified;

use crate::{
    ceremony::CeremonyId,
    committee::OperatorId,
    deposit::{DepositDataJson, DepositMessage},
    encoding::{encode, hex_array},
    network::Network,
    request::SignedRequest,
};
use cluster_crypto::{bls, hash::TaggedHash, identity, seal::Envelope};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The only version of [`Certificate`] so far.
pub const CERTIFICATE_VERSION: u32 = 1;
/// Longest `certificate.json` that callers should read, in bytes. 1,000 validators of 13 operators
/// need about 5 MB.
pub const MAX_CERTIFICATE_BYTES: usize = 8 << 20;
/// Longest binary [`Contribution`], in bytes. 1,000 validators of 13 operators need about 0.9 MB.
pub const MAX_CONTRIBUTION_BYTES: usize = 1 << 20;

/// The result of a ceremony, equal for every honest operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transcript {
    /// The owner's request.
    pub request: SignedRequest,
    /// The committee with the keys that were registered when the ceremony started, ascending.
    #[serde(with = "members")]
    pub committee: Vec<(OperatorId, identity::PublicKey)>,
    /// Qualified dealers, ascending, each with the digest of its dealing.
    #[serde(with = "dealers")]
    pub qualified: Vec<(OperatorId, [u8; 32])>,
    /// The validators, in the order of the deposit data.
    pub validators: Vec<ValidatorRecord>,
}

/// One validator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidatorRecord {
    /// Group key.
    pub pubkey: bls::PublicKey,
    /// The n share keys, by share index.
    pub share_pubkeys: Vec<bls::PublicKey>,
    /// Signature on the deposit message.
    pub deposit_signature: bls::Signature,
    /// `hash_tree_root(DepositData)`.
    #[serde(with = "hex_array")]
    pub deposit_data_root: [u8; 32],
}

impl Transcript {
    /// The digest that receipts sign. The owner's signature is left out: two signatures under one
    /// request are one ceremony, and receipts of operators that saw different ones must fit together.
    /// So is what the time of a block decides, see [`SignedRequest::essence`]; the ceremony id names the event.
    pub fn digest(&self) -> [u8; 32] {
        #[derive(Serialize)]
        struct Content<'a>(
            &'a crate::request::Request,
            &'a [(OperatorId, identity::PublicKey)],
            &'a [(OperatorId, [u8; 32])],
            &'a [ValidatorRecord],
        );
        let request = &self.request.essence();
        let content = Content(request, &self.committee, &self.qualified, &self.validators);
        TaggedHash::new("cluster-node/transcript/1")
            .bytes(self.ceremony_id().as_bytes())
            .u64(request.chain_id)
            .bytes(&encode(&content))
            .finish()
    }

    /// The ceremony that the request starts.
    pub fn ceremony_id(&self) -> CeremonyId {
        self.request.ceremony_id()
    }

    /// The network of the request; `None` for an unknown chain id.
    pub fn network(&self) -> Option<Network> {
        Network::from_chain_id(self.request.request.chain_id)
    }

    /// The deposit message of one validator.
    pub fn deposit_message(&self, validator: &ValidatorRecord) -> DepositMessage {
        let request = &self.request.request;
        DepositMessage::new(&validator.pubkey, request.withdrawal_address, request.amount_gwei)
    }
}

/// One operator's signed receipt: "my shares are stored, this transcript is right, and these are my
/// shares sealed to me".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attestation {
    /// Who signs.
    pub operator_id: OperatorId,
    /// One per validator: the operator's share sealed to its own key, for the registry on chain.
    pub envelopes: Vec<Envelope>,
    /// Signature by the operator's identity key over [`Attestation::digest`].
    pub signature: identity::Signature,
}

impl Attestation {
    /// Signs a receipt.
    pub fn sign(
        key: &identity::SecretKey,
        operator_id: OperatorId,
        transcript_digest: &[u8; 32],
        envelopes: Vec<Envelope>,
    ) -> Self {
        let signature = key.sign(&Self::digest(operator_id, transcript_digest, &envelopes));
        Attestation { operator_id, envelopes, signature }
    }

    /// The digest under the signature: transcript, operator and envelopes.
    pub fn digest(operator_id: OperatorId, transcript_digest: &[u8; 32], envelopes: &[Envelope]) -> [u8; 32] {
        let mut hash = Sha256::new();
        for envelope in envelopes {
            hash.update(envelope.to_bytes());
        }
        let envelopes: [u8; 32] = hash.finalize().into();
        TaggedHash::new("cluster-node/certify/1")
            .bytes(transcript_digest)
            .u64(u64::from(operator_id.0))
            .bytes(&envelopes)
            .finish()
    }

    /// Whether the signature holds for this transcript digest under this key.
    pub fn is_signed_by(&self, key: &identity::PublicKey, transcript_digest: &[u8; 32]) -> bool {
        let digest = Self::digest(self.operator_id, transcript_digest, &self.envelopes);
        key.verify(&digest, &self.signature).is_ok()
    }
}

/// What one operator hands to a gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contribution {
    /// The result.
    pub transcript: Transcript,
    /// The operator's receipt for it.
    pub attestation: Attestation,
}

/// Whether a validator may be offered for a deposit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Readiness {
    /// Every operator has stored its share.
    Ready,
    /// Some receipts are missing.
    Incomplete {
        /// Operators without a receipt, ascending.
        missing: Vec<OperatorId>,
    },
}

/// The proof that a ceremony made these validators; as JSON, `certificate.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// [`CERTIFICATE_VERSION`].
    pub version: u32,
    /// Follows from the request; written out for readers.
    pub ceremony_id: CeremonyId,
    /// The result.
    pub transcript: Transcript,
    /// Receipts, ascending by operator id; at least t in a valid certificate.
    pub attestations: Vec<Attestation>,
}

impl Certificate {
    /// A certificate with one receipt, to which others are merged.
    pub fn from_contribution(contribution: Contribution) -> Self {
        Certificate {
            version: CERTIFICATE_VERSION,
            ceremony_id: contribution.transcript.ceremony_id(),
            transcript: contribution.transcript,
            attestations: vec![contribution.attestation],
        }
    }

    /// Reads `certificate.json`. Nothing is verified yet, but a malformed field is named.
    pub fn from_json(text: &str) -> Result<Self, CertificateError> {
        if text.len() > MAX_CERTIFICATE_BYTES {
            let problem = Problem::TooLong { len: text.len(), limit: MAX_CERTIFICATE_BYTES };
            return Err(CertificateError::new(".", problem));
        }
        let mut reader = serde_json::Deserializer::from_str(text);
        let parsed = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            let path = error.path().to_string();
            CertificateError::new(path, Problem::Malformed(error.into_inner().to_string()))
        })?;
        reader.end().map_err(|error| CertificateError::new(".", Problem::Malformed(error.to_string())))?;
        Ok(parsed)
    }

    /// Adds a receipt after checking that its operator belongs to the committee and signed this
    /// transcript. `Ok(false)`: a receipt of that operator is here already.
    pub fn merge(&mut self, attestation: Attestation) -> Result<bool, CertificateError> {
        let position = match self.attestations.binary_search_by_key(&attestation.operator_id, |held| held.operator_id) {
            Ok(_) => return Ok(false),
            Err(position) => position,
        };
        let transcript = &self.transcript;
        verify::check_attestation("attestation", transcript, &transcript.digest(), &attestation)?;
        self.attestations.insert(position, attestation);
        Ok(true)
    }

    /// Which operators' receipts are still missing.
    pub fn readiness(&self) -> Readiness {
        let signed = |id: &OperatorId| self.attestations.iter().any(|attestation| attestation.operator_id == *id);
        let committee = self.transcript.committee.iter().map(|(id, _)| *id);
        let missing: Vec<OperatorId> = committee.filter(|id| !signed(id)).collect();
        if missing.is_empty() {
            return Readiness::Ready;
        }
        Readiness::Incomplete { missing }
    }

    /// The entries of `deposit_data-*.json`. Empty if the chain id is unknown, which a verified
    /// certificate never has.
    pub fn deposit_data(&self) -> Vec<DepositDataJson> {
        let Some(network) = self.transcript.network() else {
            return Vec::new();
        };
        let entry = |validator: &ValidatorRecord| {
            let message = self.transcript.deposit_message(validator);
            DepositDataJson::new(network, &message, &validator.deposit_signature)
        };
        self.transcript.validators.iter().map(entry).collect()
    }

    /// The name under which the deposit data are saved.
    pub fn deposit_data_file_name(created_unix_s: u64) -> String {
        format!("deposit_data-{created_unix_s}.json")
    }
}

/// `(operator id, key)` pairs as objects with named fields.
mod members {
    use super::{identity, OperatorId};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Member {
        operator_id: OperatorId,
        public_key: identity::PublicKey,
    }

    pub fn serialize<S: Serializer>(list: &[(OperatorId, identity::PublicKey)], out: S) -> Result<S::Ok, S::Error> {
        out.collect_seq(list.iter().map(|&(operator_id, public_key)| Member { operator_id, public_key }))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        input: D,
    ) -> Result<Vec<(OperatorId, identity::PublicKey)>, D::Error> {
        let list = Vec::<Member>::deserialize(input)?;
        Ok(list.into_iter().map(|member| (member.operator_id, member.public_key)).collect())
    }
}

/// `(operator id, dealing digest)` pairs as objects with named fields.
mod dealers {
    use super::{hex_array, OperatorId};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Dealer {
        operator_id: OperatorId,
        #[serde(with = "hex_array")]
        dealing_digest: [u8; 32],
    }

    pub fn serialize<S: Serializer>(list: &[(OperatorId, [u8; 32])], out: S) -> Result<S::Ok, S::Error> {
        out.collect_seq(list.iter().map(|&(operator_id, dealing_digest)| Dealer { operator_id, dealing_digest }))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<(OperatorId, [u8; 32])>, D::Error> {
        let list = Vec::<Dealer>::deserialize(input)?;
        Ok(list.into_iter().map(|dealer| (dealer.operator_id, dealer.dealing_digest)).collect())
    }
}
