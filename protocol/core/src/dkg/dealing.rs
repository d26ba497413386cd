//! Making a dealing (DKG 1 and 2), and the checks of one that need nothing but the dealing itself.

use std::sync::Arc;

use cluster_crypto::{
    feldman::{CommitmentError, Commitments},
    hash::TaggedHash,
    identity,
    polynomial::{Polynomials, SecretVector},
    proof::KnowledgeProof,
    seal::{self, DealContext, OpenError},
    SecretSeed, ShareIndex,
};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use thiserror::Error;

use super::{
    context::Context,
    message::{Body, Dealing, Qualified, Signed},
};
use crate::{ceremony::CeremonyId, committee::OperatorId, request::KeysDigest};

/// Bytes of one share in a sealed vector.
const SHARE_BYTES: usize = 32;
/// Bytes that sealing adds to a vector: the tag of the AEAD.
const SEAL_OVERHEAD: usize = 16;

/// What is wrong with a dealing, found without any secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DealingFault {
    /// A degree above t-1 would raise the threshold, a point off the curve or at infinity would break keys.
    #[error("the commitments are wrong: {0}")]
    Commitments(CommitmentError),
    /// There must be one sealed vector for each operator.
    #[error("there are {found} sealed vectors for {expected} operators")]
    SealedCount {
        /// Vectors in the dealing.
        found: usize,
        /// Operators in the committee.
        expected: usize,
    },
    /// A vector seals K shares of 32 bytes and adds 16.
    #[error("the sealed vector for share index {index} has {found} bytes instead of {expected}")]
    SealedLength {
        /// Whose vector, 1-based.
        index: usize,
        /// Bytes in the dealing.
        found: usize,
        /// Bytes that K shares need.
        expected: usize,
    },
    /// There must be one entry for each operator.
    #[error("the list of commits seen has {found} entries for {expected} operators")]
    CommitsSeen {
        /// Entries in the dealing.
        found: usize,
        /// Operators in the committee.
        expected: usize,
    },
    /// The dealer does not prove that it made the ephemeral key.
    #[error("the ephemeral key is not signed by itself for this ceremony and dealer")]
    Ephemeral,
    /// The dealer does not prove that it knows its constant terms.
    #[error("the proof of knowledge of the constant terms does not hold for this ceremony and dealer")]
    Knowledge,
    /// A commitment lies outside of the subgroup of prime order.
    #[error("a commitment is outside of the subgroup of prime order")]
    Subgroup,
    /// The dealing shares something else than the dealer's old shares.
    #[error("the constant terms are not the shares that the dealer holds of the previous ceremony")]
    OtherShares,
    /// The dealing is not the one that the dealer committed to.
    #[error("the dealing does not open the dealer's commit")]
    Commit,
}

/// A generator for one purpose, fixed by the operator's secret seed and `inputs`.
///
/// Nobody without the seed can predict it, and it is bound to everything that it is used on, so that it may serve as
/// the randomness of batch checks "drawn after all inputs are fixed"; a machine rebuilt from its journal gets the
/// same values.
pub(super) fn derived_rng(seed: &SecretSeed, purpose: &str, inputs: &[&[u8]]) -> ChaCha20Rng {
    seed.expose(|seed| {
        let mut hash = TaggedHash::new("cluster-node/dkg/rng/1").bytes(seed).bytes(purpose.as_bytes());
        for input in inputs {
            hash = hash.bytes(input);
        }
        ChaCha20Rng::from_seed(hash.finish())
    })
}

/// What a proof of knowledge of dealer `dealer` is bound to.
pub(super) fn proof_context(chain_id: u64, ceremony_id: &CeremonyId, dealer: OperatorId) -> [u8; 32] {
    TaggedHash::new("cluster-node/dkg/knowledge/1")
        .u64(chain_id)
        .bytes(&ceremony_id.0)
        .u64(u64::from(dealer.0))
        .finish()
}

/// This operator's own polynomials, rebuilt from its seed after a restart.
pub(super) struct Dealer {
    me: OperatorId,
    polynomials: Polynomials,
    commitments: Commitments,
    commitment_bytes: Vec<u8>,
    salt: [u8; 32],
    ephemeral: identity::SecretKey,
}

impl Dealer {
    /// DKG 1.1: K random polynomials of degree t-1 and their commitments. DKG 11.3: through `inherited` at zero, which are this
    /// operator's shares of the previous ceremony.
    pub(super) fn new(context: &Context, me: OperatorId, seed: &SecretSeed, inherited: Option<&SecretVector>) -> Self {
        let ceremony = context.ceremony_id();
        let mut rng = derived_rng(seed, "polynomials", &[&ceremony.0]);
        let polynomials = match inherited {
            None => Polynomials::sample(context.k(), context.threshold(), &mut rng),
            Some(shares) => Polynomials::through(shares, context.threshold(), &mut rng),
        };
        let commitments = polynomials.commit();
        let mut salt = [0; 32];
        rng.fill_bytes(&mut salt);
        let ephemeral = identity::SecretKey::generate(&mut rng);
        let commitment_bytes = commitments.to_bytes();
        Self { me, polynomials, commitments, commitment_bytes, salt, ephemeral }
    }

    /// The dealer's own commitments, which need no checks.
    pub(super) fn commitments(&self) -> Commitments {
        self.commitments.clone()
    }

    /// DKG 1.2: the hash that fixes the polynomials.
    pub(super) fn commit(&self, context: &Context) -> [u8; 32] {
        TaggedHash::new("cluster-node/dkg/commit/1")
            .bytes(&context.ceremony_id().0)
            .u64(u64::from(self.me.0))
            .bytes(&self.salt)
            .bytes(&self.commitment_bytes)
            .finish()
    }

    /// DKG 2.1 to 2.3: the dealing, with the commits that this operator holds at this moment.
    pub(super) fn deal(&self, context: &Context, seed: &SecretSeed, commits_seen: Vec<Option<[u8; 32]>>) -> Dealing {
        let ceremony = context.ceremony_id();
        let proof = self.prove(context.chain_id(), &ceremony, seed);
        let ephemeral = self.ephemeral.public_key();
        let sealed = context
            .committee()
            .ids()
            .filter_map(|receiver| self.seal(context, receiver, context.index_of(receiver)?))
            .map(serde_bytes::ByteBuf::from)
            .collect();
        Dealing {
            salt: self.salt,
            commitments: self.commitment_bytes.clone(),
            proof,
            ephemeral,
            ephemeral_signature: self.ephemeral.sign(&Dealing::ephemeral_digest(context, self.me, &ephemeral)),
            sealed,
            commits_seen,
        }
    }

    /// DKG 2.2: knowledge of the constant terms, for this ceremony and dealer only. The nonce differs with the
    /// ceremony, since two proofs with one nonce would give the secrets away.
    pub(super) fn prove(&self, chain_id: u64, ceremony_id: &CeremonyId, seed: &SecretSeed) -> KnowledgeProof {
        let bound = proof_context(chain_id, ceremony_id, self.me);
        let mut rng = derived_rng(seed, "proof", &[&bound]);
        self.polynomials.prove_knowledge(&bound, &self.commitments, &mut rng)
    }

    /// Seals the shares of `index` to `receiver`.
    pub(super) fn seal(&self, context: &Context, receiver: OperatorId, index: ShareIndex) -> Option<Vec<u8>> {
        let ceremony = context.ceremony_id();
        let key = context.committee().public_key(receiver)?;
        let bound = DealContext { ceremony_id: &ceremony.0, dealer: self.me.0, receiver: receiver.0 };
        Some(seal::seal_vector(&self.ephemeral, &key, bound, &self.polynomials.shares_for(index)))
    }
}

/// A dealing that passed the checks which need no secret, with this operator's vector of it.
pub(super) struct Held {
    /// The dealer's message.
    pub(super) signed: Arc<Signed>,
    /// [`Dealing::digest`].
    pub(super) digest: [u8; 32],
    /// The commitments, not yet known to be in the subgroup.
    pub(super) commitments: Commitments,
    /// This operator's shares, not yet known to match the commitments.
    pub(super) shares: Result<SecretVector, OpenError>,
}

impl Held {
    /// Opens the vector of `me` in a dealing that was checked before.
    pub(super) fn open(
        context: &Context,
        me: OperatorId,
        identity: &identity::SecretKey,
        signed: Arc<Signed>,
        commitments: Commitments,
    ) -> Option<Self> {
        let Body::Deal(dealing) = &signed.body else { return None };
        let sealed = dealing.sealed.get(usize::from(context.index_of(me)?.get() - 1))?;
        let ceremony = context.ceremony_id();
        let bound = DealContext { ceremony_id: &ceremony.0, dealer: signed.from.0, receiver: me.0 };
        let shares = seal::open_vector(identity, &dealing.ephemeral, bound, sealed, context.k());
        let digest = dealing.digest(context, signed.from);
        Some(Self { digest, commitments, shares, signed })
    }

    /// The dealing itself.
    pub(super) fn dealing(&self) -> Option<&Arc<Dealing>> {
        match &self.signed.body {
            Body::Deal(dealing) => Some(dealing),
            _ => None,
        }
    }
}

/// DKG 2.4: every check of a dealing that anyone can make, cheapest first. Returns the parsed commitments.
///
/// # Errors
/// The first rule that the dealing breaks; its signature then makes it evidence against the dealer.
pub(super) fn check(context: &Context, dealer: OperatorId, dealing: &Dealing) -> Result<Commitments, DealingFault> {
    let n = context.n();
    if dealing.sealed.len() != n {
        return Err(DealingFault::SealedCount { found: dealing.sealed.len(), expected: n });
    }
    if dealing.commits_seen.len() != n {
        return Err(DealingFault::CommitsSeen { found: dealing.commits_seen.len(), expected: n });
    }
    let expected = context.k() * SHARE_BYTES + SEAL_OVERHEAD;
    for (position, sealed) in dealing.sealed.iter().enumerate() {
        if sealed.len() != expected {
            return Err(DealingFault::SealedLength { index: position + 1, found: sealed.len(), expected });
        }
    }
    let digest = Dealing::ephemeral_digest(context, dealer, &dealing.ephemeral);
    dealing.ephemeral.verify(&digest, &dealing.ephemeral_signature).map_err(|_| DealingFault::Ephemeral)?;
    let commitments = Commitments::from_bytes(&dealing.commitments, context.k(), context.threshold())
        .map_err(DealingFault::Commitments)?;
    let bound = proof_context(context.chain_id(), &context.ceremony_id(), dealer);
    if !commitments.verify_knowledge(&bound, &dealing.proof) {
        return Err(DealingFault::Knowledge);
    }
    check_constants(context, dealer, &commitments)?;
    Ok(commitments)
}

/// DKG 11.4: equal keys are equal points, which are in the subgroup with the shares.
fn check_constants(context: &Context, dealer: OperatorId, commitments: &Commitments) -> Result<(), DealingFault> {
    let Some(reshare) = context.reshare() else { return Ok(()) };
    let held = context.previous_index(dealer).and_then(|index| reshare.share_keys_of(index));
    if held == Some(KeysDigest::of(&commitments.group_keys())) {
        return Ok(());
    }
    Err(DealingFault::OtherShares)
}

/// DKG 4.2: the dealers of `candidates` whose commit at least f+1 dealings of the set list as seen.
///
/// Of f+1 dealers at least one is honest, so such a dealer was bound to its polynomials before it could know all the
/// others'. Removing a dealer can make another one untimely; the set shrinks until nothing changes, and the result
/// depends on nothing but the dealings.
pub(super) fn timely<'a>(
    context: &Context,
    candidates: impl Iterator<Item = (OperatorId, &'a Held)>,
) -> std::collections::BTreeMap<OperatorId, &'a Held> {
    let mut set: std::collections::BTreeMap<OperatorId, &Held> = candidates.collect();
    let support = context.one_honest();
    loop {
        let late: Vec<OperatorId> = set
            .iter()
            .filter(|(dealer, held)| witnesses(context, **dealer, held, &set) < support)
            .map(|(dealer, _)| *dealer)
            .collect();
        if late.is_empty() {
            return set;
        }
        for dealer in late {
            set.remove(&dealer);
        }
    }
}

/// How many dealings of `set` list the commit that `held` opens.
fn witnesses(
    context: &Context,
    dealer: OperatorId,
    held: &Held,
    set: &std::collections::BTreeMap<OperatorId, &Held>,
) -> usize {
    let (Some(index), Some(dealing)) = (context.index_of(dealer), held.dealing()) else { return 0 };
    let commit = dealing.commit(context, dealer);
    let position = usize::from(index.get() - 1);
    set.values()
        .filter_map(|other| other.dealing()?.commits_seen.get(position).copied().flatten())
        .filter(|seen| *seen == commit)
        .count()
}

/// The dealers of a set with the digests of their dealings, sorted by operator.
pub(super) fn qualified(set: &std::collections::BTreeMap<OperatorId, &Held>) -> Qualified {
    set.iter().map(|(dealer, held)| (*dealer, held.digest)).collect()
}

/// The position of a share index in vectors that hold one entry for each operator.
pub(super) fn position(index: ShareIndex) -> usize {
    usize::from(index.get() - 1)
}
