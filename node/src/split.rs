//! Existing validator keys split to a committee by a trusted dealer: for migration, and for tests.
//!
//! The dealer knows the whole keys, before and after: a split is as safe as the machine that it runs on. For new validators
//! a ceremony makes keys that nobody ever holds.
//!
//! A [`ShareFile`] is for one operator: its shares in the same envelopes of 93 bytes as the contracts have, and a
//! [`Transcript`], the same in every file, with the public keys of all shares. The id of a split is a hash of its transcript;
//! operators compare it to see that they got files of the same split.

use cluster_core::ceremony::CeremonyId;
use cluster_core::committee::{Committee, OperatorId};
use cluster_core::dkg::StoredShares;
use cluster_core::encoding::{encode, shorten, to_hex};
use cluster_core::network::Network;
use cluster_core::registry::Registry;
use cluster_crypto::bls::{self, HashedMessage};
use cluster_crypto::ethereum::Address;
use cluster_crypto::hash::TaggedHash;
use cluster_crypto::polynomial::{Polynomials, SecretVector};
use cluster_crypto::seal::{open_envelope, seal_envelopes, Envelope, EnvelopeContext};
use cluster_crypto::share_keys::verify_share_keys;
use cluster_crypto::threshold::{combine, sign_same_message, verify_combined, Partial};
use cluster_crypto::{identity, ShareIndex, Threshold};
use rand_core::CryptoRngCore;
use serde::{Deserialize, Serialize};

use crate::store::{Source, ValidatorEntry};

/// Most validators of one split.
pub const MAX_VALIDATORS: usize = 1000;
/// Longest share file that is read, in bytes: 1,000 validators of 13 operators need about 2 MB.
pub const MAX_FILE_BYTES: usize = 8 * 1024 * 1024;
/// The only version of the files so far.
pub const VERSION: u32 = 1;

/// Why keys cannot be split, or a share file not be used.
#[derive(Debug, thiserror::Error)]
pub enum SplitError {
    /// Too few or too many.
    #[error("a split has 1 to {MAX_VALIDATORS} validators, not {count}")]
    Count {
        /// How many.
        count: usize,
    },
    /// One key twice.
    #[error("validator {pubkey} is there twice")]
    Duplicate {
        /// The validator.
        pubkey: String,
    },
    /// The shares do not make the keys again. Nothing was written.
    #[error("the shares of operators {operators:?} do not make the validators' signatures; nothing was written, please report this")]
    SelfCheck {
        /// The combination that failed.
        operators: Vec<OperatorId>,
    },
    /// Longer than any share file.
    #[error("a share file has at most {MAX_FILE_BYTES} bytes, this one has {len}")]
    TooLong {
        /// Bytes found.
        len: usize,
    },
    /// Not a share file, or a part of it does not fit the rest.
    #[error("the share file is wrong: {reason}")]
    Malformed {
        /// What is wrong.
        reason: String,
    },
    /// Of another network than the registry.
    #[error("the share file is for {found}, the registry for {expected}")]
    OtherNetwork {
        /// The registry's.
        expected: Network,
        /// The file's.
        found: Network,
    },
    /// The committee is not the registered one.
    #[error("operator {id} has another key in the share file than in the registry; ask for a new split")]
    OtherKey {
        /// The operator.
        id: OperatorId,
    },
    /// Sealed for somebody else.
    #[error("the share file is for operator {found}, this is operator {me}")]
    OtherOperator {
        /// This operator.
        me: OperatorId,
        /// Whom the file is for.
        found: OperatorId,
    },
    /// A share is not what the transcript says.
    #[error("the share of validator {pubkey} {reason}")]
    Share {
        /// The validator.
        pubkey: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Keys and shares could not be sealed.
    #[error("the shares cannot be sealed: {0}")]
    Seal(#[from] cluster_crypto::seal::SealError),
}

/// What holds for all validators of a split.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// Where the validators are.
    pub network: Network,
    /// Who may ask for exits; nobody when missing.
    pub owner: Option<Address>,
    /// Where withdrawals go, if that is known.
    pub withdrawal_address: Option<Address>,
    /// Who gets the fees.
    pub fee_recipient: Address,
    /// Gas limit that builders are asked for.
    pub gas_limit: u64,
}

/// The public part of a split.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transcript {
    /// [`VERSION`].
    pub version: u32,
    /// What holds for all validators.
    pub terms: Terms,
    /// The operators with their registered keys, ascending.
    pub committee: Vec<Member>,
    /// The validators, each with its n share keys by share index.
    pub validators: Vec<SplitValidator>,
}

/// One operator of a split.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// Registry number.
    pub operator_id: OperatorId,
    /// Registered key.
    pub public_key: identity::PublicKey,
}

/// One validator of a split.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitValidator {
    /// Its key.
    pub pubkey: bls::PublicKey,
    /// The n share keys, by share index.
    pub share_pubkeys: Vec<bls::PublicKey>,
}

/// What one operator imports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShareFile {
    /// Whose shares these are.
    pub operator_id: OperatorId,
    /// The same for every operator of the split.
    pub transcript: Transcript,
    /// This operator's shares, sealed to its registered key, in the order of the validators.
    pub envelopes: Vec<Envelope>,
}

/// What an operator stores after an import.
#[derive(Debug)]
pub struct Imported {
    /// The shares, for the store to seal.
    pub shares: StoredShares,
    /// Their validators.
    pub entries: Vec<ValidatorEntry>,
}

impl Transcript {
    /// Names the split: a hash of everything public about it.
    #[must_use]
    pub fn id(&self) -> [u8; 32] {
        TaggedHash::new("cluster-node/split/1").bytes(&encode(self)).finish()
    }

    fn committee(&self) -> Result<Committee, SplitError> {
        let members = self.committee.iter().map(|member| (member.operator_id, member.public_key)).collect();
        Committee::new(members).map_err(|error| malformed(&error))
    }

    fn pubkeys(&self) -> Vec<bls::PublicKey> {
        self.validators.iter().map(|validator| validator.pubkey).collect()
    }

    /// Everything that can be said without a share.
    fn check(&self, rng: &mut impl CryptoRngCore) -> Result<Committee, SplitError> {
        if self.version != VERSION {
            return Err(malformed(&format!("its version is {}, only {VERSION} is known", self.version)));
        }
        let committee = self.committee()?;
        let pubkeys = self.pubkeys();
        check_keys(&pubkeys)?;
        let share_keys: Vec<&[bls::PublicKey]> =
            self.validators.iter().map(|validator| validator.share_pubkeys.as_slice()).collect();
        if !verify_share_keys(committee.threshold(), &pubkeys, &share_keys, rng) {
            return Err(malformed(&"the public keys of the shares do not belong to the validators"));
        }
        Ok(committee)
    }
}

/// Splits keys to a committee: one file per operator, in the order of the committee. Before this returns, shares of t
/// operators were combined, and made the signatures of the validators again.
pub fn split(
    keys: &[bls::SecretKey],
    terms: Terms,
    committee: &Committee,
    rng: &mut impl CryptoRngCore,
) -> Result<Vec<ShareFile>, SplitError> {
    let pubkeys: Vec<bls::PublicKey> = keys.iter().map(bls::SecretKey::public_key).collect();
    check_keys(&pubkeys)?;
    let threshold = committee.threshold();
    let polynomials = Polynomials::sharing(keys, threshold, rng);
    let commitments = polynomials.commit();
    let indices: Vec<ShareIndex> = ShareIndex::all(threshold).collect();
    let shares: Vec<SecretVector> = indices.iter().map(|index| polynomials.shares_for(*index)).collect();
    let share_keys: Vec<Vec<bls::PublicKey>> = indices.iter().map(|index| commitments.share_keys(*index)).collect();
    let validators = pubkeys.iter().enumerate().map(|(at, pubkey)| SplitValidator {
        pubkey: *pubkey,
        share_pubkeys: share_keys.iter().filter_map(|keys| keys.get(at)).copied().collect(),
    });
    let members = committee.members().iter();
    let transcript = Transcript {
        version: VERSION,
        terms,
        committee: members
            .map(|(operator_id, public_key)| Member { operator_id: *operator_id, public_key: *public_key })
            .collect(),
        validators: validators.collect(),
    };
    transcript.check(rng)?;
    self_check(committee, &pubkeys, &shares, rng)?;
    let id = transcript.id();
    let seal = |((operator_id, key), shares): (&(OperatorId, identity::PublicKey), &SecretVector)| {
        let context = EnvelopeContext { ceremony_id: &id, operator_id: operator_id.0 };
        let envelopes = seal_envelopes(key, context, &pubkeys, shares, rng)?;
        Ok(ShareFile { operator_id: *operator_id, transcript: transcript.clone(), envelopes })
    };
    committee.members().iter().zip(&shares).map(seal).collect()
}

/// Signs a message with every share, and combines as many subsets of t operators as there are operators, so that each takes
/// part in several: all must make the signatures of the keys that were split.
fn self_check(
    committee: &Committee,
    pubkeys: &[bls::PublicKey],
    shares: &[SecretVector],
    rng: &mut impl CryptoRngCore,
) -> Result<(), SplitError> {
    let threshold = committee.threshold();
    let message = HashedMessage::new(b"cluster-node/split-check/1");
    let messages = vec![message; pubkeys.len()];
    let partials = shares.iter().map(|vector| partials(vector, threshold, &message)).collect::<Result<Vec<_>, _>>()?;
    let operators: Vec<OperatorId> = committee.ids().collect();
    for first in 0..threshold.n() {
        let chosen: Vec<usize> = (0..threshold.t()).map(|at| (first + at) % threshold.n()).collect();
        let failed = || SplitError::SelfCheck {
            operators: chosen.iter().filter_map(|at| operators.get(*at)).copied().collect(),
        };
        let signed: Vec<(ShareIndex, &[Partial])> = chosen
            .iter()
            .filter_map(|at| Some((ShareIndex::new(u8::try_from(at + 1).ok()?)?, partials.get(*at)?.as_slice())))
            .collect();
        let candidates = combine(threshold, &signed).map_err(|_| failed())?;
        if verify_combined(pubkeys, &messages, candidates, rng).is_none() {
            return Err(failed());
        }
    }
    Ok(())
}

fn partials(shares: &SecretVector, threshold: Threshold, message: &HashedMessage) -> Result<Vec<Partial>, SplitError> {
    let keys: Option<Vec<bls::SecretKey>> = (0..shares.len()).map(|at| shares.secret_key(at)).collect();
    // One chance in 2^255.
    let keys = keys.ok_or_else(|| malformed(&"a share is zero; split again"))?;
    Ok(sign_same_message(&keys.iter().collect::<Vec<_>>(), threshold, message))
}

impl ShareFile {
    /// Reads a share file; nothing is checked beyond its shape.
    pub fn from_json(text: &str) -> Result<Self, SplitError> {
        if text.len() > MAX_FILE_BYTES {
            return Err(SplitError::TooLong { len: text.len() });
        }
        serde_json::from_str(text).map_err(|error| malformed(&shorten(&error.to_string(), 200)))
    }

    /// Checks everything against the registry and opens the shares of operator `me`.
    pub fn open(
        &self,
        me: OperatorId,
        identity: &identity::SecretKey,
        network: Network,
        registry: &dyn Registry,
        rng: &mut impl CryptoRngCore,
    ) -> Result<Imported, SplitError> {
        let transcript = &self.transcript;
        if transcript.terms.network != network {
            return Err(SplitError::OtherNetwork { expected: network, found: transcript.terms.network });
        }
        if self.operator_id != me {
            return Err(SplitError::OtherOperator { me, found: self.operator_id });
        }
        let committee = transcript.check(rng)?;
        for (id, key) in committee.members() {
            if registry.operator(*id).is_none_or(|entry| entry.public_key != *key) {
                return Err(SplitError::OtherKey { id: *id });
            }
        }
        let share_index = committee.index_of(me).ok_or_else(|| malformed(&"this operator is not in its committee"))?;
        if self.envelopes.len() != transcript.validators.len() {
            return Err(malformed(&"it does not have one share per validator"));
        }
        let id = transcript.id();
        let context = EnvelopeContext { ceremony_id: &id, operator_id: me.0 };
        let (mut keys, mut share_pubkeys): (Vec<bls::SecretKey>, Vec<bls::PublicKey>) = Default::default();
        for (validator, envelope) in transcript.validators.iter().zip(&self.envelopes) {
            let wrong = |reason: String| SplitError::Share { pubkey: validator.pubkey.to_string(), reason };
            let share = open_envelope(identity, context, &validator.pubkey, envelope)
                .map_err(|error| wrong(format!("does not open: {error}")))?;
            if validator.share_pubkeys.get(usize::from(share_index.get()) - 1) != Some(&share.public_key()) {
                return Err(wrong("is not the one that the file names".to_owned()));
            }
            share_pubkeys.push(share.public_key());
            keys.push(share);
        }
        let shares = StoredShares {
            ceremony_id: CeremonyId(id),
            operator_id: me,
            share_index,
            validators: transcript.pubkeys(),
            share_pubkeys,
            shares: SecretVector::from_secret_keys(&keys),
            qualified: Vec::new(),
        };
        Ok(Imported { shares, entries: self.entries(&committee, share_index) })
    }

    fn entries(&self, committee: &Committee, share_index: ShareIndex) -> Vec<ValidatorEntry> {
        let (terms, source) = (&self.transcript.terms, Source::Split(self.transcript.id()));
        let entry = |(position, validator): (u32, &SplitValidator)| ValidatorEntry {
            pubkey: validator.pubkey,
            source,
            position,
            owner: terms.owner,
            committee: committee.members().to_vec(),
            share_index,
            share_pubkeys: validator.share_pubkeys.clone(),
            withdrawal_address: terms.withdrawal_address,
            fee_recipient: terms.fee_recipient,
            gas_limit: terms.gas_limit,
            active: true,
        };
        (0u32..).zip(&self.transcript.validators).map(entry).collect()
    }
}

fn check_keys(pubkeys: &[bls::PublicKey]) -> Result<(), SplitError> {
    let count = pubkeys.len();
    if count == 0 || count > MAX_VALIDATORS {
        return Err(SplitError::Count { count });
    }
    let mut seen = std::collections::HashSet::with_capacity(count);
    match pubkeys.iter().find(|key| !seen.insert(key.to_bytes())) {
        Some(key) => Err(SplitError::Duplicate { pubkey: to_hex(&key.to_bytes()) }),
        None => Ok(()),
    }
}

fn malformed(reason: &dyn std::fmt::Display) -> SplitError {
    SplitError::Malformed { reason: reason.to_string() }
}
