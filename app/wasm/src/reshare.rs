//! Reshares in the browser: what an owner's wallet signs to ask for one, and whether the certificate of a reshare takes over exactly
//! the validators of the ceremony before it. `docs/spec/dkg.md`, section 11.

use crate::check::{first_difference, parse, Check, Expected, Outcome, Verifier};
use cluster_core::certificate::{Certificate, Readiness};
use cluster_core::committee::OperatorId;
use cluster_core::request::Reshare;
use cluster_crypto::ethereum::Address;
use cluster_crypto::identity;
use rand_core::CryptoRngCore;
use serde::Serialize;

/// What a request for a reshare takes from the certificate of the ceremony before.
#[derive(Debug, Serialize)]
pub struct Takeover {
    /// The digests of its keys; all of it is signed.
    pub reshare: Reshare,
    /// The gateway of the ceremony: 33 bytes, 0x hex.
    pub cluster_pubkey: identity::PublicKey,
    /// Its committee, ascending.
    pub operator_ids: Vec<OperatorId>,
    /// Its number of validators, which is that of the reshare.
    pub validator_count: u32,
    /// Where withdrawals go, which does not change.
    pub withdrawal_address: Address,
    /// Gwei of each deposit, which does not change.
    pub amount_gwei: u64,
    /// The validator keys in order, 0x hex.
    pub pubkeys: Vec<String>,
}

impl Takeover {
    /// Verifies the certificate in full and says what a reshare of it takes over.
    ///
    /// Operators of the committee may have left the registry, so that their keys are taken from the certificate: those that stay compare
    /// the request with results of their own.
    ///
    /// # Errors
    /// A sentence: the certificate does not hold, is of another chain, owner or ceremony, or operators have not confirmed their shares.
    pub fn of(
        certificate: &str,
        chain_id: u64,
        owner: &str,
        ceremony_id: &str,
        rng: &mut impl CryptoRngCore,
    ) -> Result<Self, String> {
        let certificate = parse(certificate)?;
        let terms = &certificate.transcript.request.request;
        let owner: Address = owner.parse().map_err(|error| format!("owner: {error}"))?;
        if terms.chain_id != chain_id {
            return Err(format!("The certificate is for chain {}, not for {chain_id}.", terms.chain_id));
        }
        if terms.owner != owner {
            return Err(format!("It belongs to {}, not to you.", terms.owner));
        }
        if !certificate.ceremony_id.to_string().eq_ignore_ascii_case(ceremony_id) {
            return Err(format!("It is the certificate of ceremony {}.", certificate.ceremony_id));
        }
        let verified = certificate.verify(None, rng).map_err(|error| error.to_string())?;
        if verified.readiness != Readiness::Ready {
            return Err("Not every operator has confirmed its shares.".to_owned());
        }
        Ok(Self {
            reshare: Reshare::of(&certificate.transcript),
            cluster_pubkey: terms.cluster_pubkey,
            operator_ids: terms.operator_ids.clone(),
            validator_count: terms.validator_count,
            withdrawal_address: terms.withdrawal_address,
            amount_gwei: terms.amount_gwei,
            pubkeys: certificate.transcript.validators.iter().map(|record| record.pubkey.to_string()).collect(),
        })
    }
}

/// The certificate of a reshare beside that of the ceremony before, and what was expected.
#[derive(Debug)]
pub struct ReshareVerifier {
    verifier: Verifier,
    previous: Certificate,
}

impl ReshareVerifier {
    /// Reads the three texts. An error names what cannot be read.
    pub fn new(certificate: &str, previous: &str, expected: &str) -> Result<Self, String> {
        let expected: Expected = serde_json::from_str(expected).map_err(|error| format!("expected values: {error}"))?;
        let previous = parse(previous).map_err(|error| format!("previous {error}"))?;
        Ok(Self { verifier: Verifier::of(parse(certificate)?, expected), previous })
    }

    /// Makes every check, in an order in which a person would make them.
    pub fn outcomes(&self, rng: &mut impl CryptoRngCore) -> Vec<Outcome> {
        let verifier = &self.verifier;
        let mut outcomes = vec![
            Outcome::of(Check::Network, verifier.check_network()),
            Outcome::of(Check::Request, verifier.check_identity()),
            Outcome::of(Check::Committee, verifier.check_committee()),
            Outcome::of(Check::WithdrawalAddress, verifier.check_withdrawal_address()),
            Outcome::of(Check::Takeover, self.check_takeover(rng)),
        ];
        // What it proves of deposits is compared with the ceremony before, not with a file.
        outcomes.extend(verifier.certificate(rng).into_iter().filter(|outcome| outcome.check != Check::DepositData));
        outcomes
    }

    /// The certificate before holds by itself, the request names exactly its keys and shares, and no deposit changes.
    fn check_takeover(&self, rng: &mut impl CryptoRngCore) -> Result<String, String> {
        let certificate = self.verifier.held();
        let request = &certificate.transcript.request.request;
        let Some(reshare) = &request.reshare else {
            return Err("It makes keys of its own and takes none over.".to_owned());
        };
        self.previous.verify(None, rng).map_err(|error| format!("The certificate before it does not hold: {error}"))?;
        reshare.agrees_with(request, &self.previous.transcript).map_err(|error| format!("{error}."))?;
        let (deposits, held) = (certificate.deposit_data(), self.previous.deposit_data());
        let differing = deposits.iter().zip(&held).find_map(|(entry, before)| first_difference(entry, before));
        match differing {
            Some(field) => Err(format!("{field} of a deposit differs from the ceremony before.")),
            None if deposits.len() != held.len() => Err("It has another number of validators.".to_owned()),
            None => Ok(format!(
                "The same {} keys with the same deposits as ceremony {}.",
                held.len(),
                self.previous.ceremony_id
            )),
        }
    }
}
