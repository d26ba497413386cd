//! Evidence against operators, judged by anyone from signed messages alone: while a ceremony runs, and offline
//! from the file that an abort leaves (`cluster-node verify`).

use std::sync::Arc;

use cluster_crypto::{
    feldman::Commitments,
    seal::{self, DealContext, Reveal},
    threshold, ShareIndex,
};
use rand_core::{CryptoRng, RngCore};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{
    context::Context,
    dealing,
    message::{vote_digest, Accusation, Body, Dealing, DealingRef, Qualified, Signed},
    signing,
};
use crate::{certificate::Transcript, committee::OperatorId};

/// Why an operator is named at the end of a ceremony.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CulpritKind {
    /// Nothing, or too little, came from it in time; it may have been cut off.
    Silent,
    /// Its commit was known to too few operators before they revealed their dealings.
    LateCommit,
    /// Its dealing breaks the rules that everyone can check.
    InvalidDealing,
    /// It dealt a share that cannot be opened or does not match its commitments.
    WrongShare,
    /// It signed two different dealings, or two different votes of one view.
    Equivocation,
    /// It complained about a share that is right.
    FalseComplaint,
    /// Its partial signature does not belong to its share.
    BadPartial,
    /// It computed other keys from the same dealings.
    KeyMismatch,
}

/// An operator that is to blame, with proof where there can be one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Culprit {
    /// Who.
    pub operator_id: OperatorId,
    /// What for.
    pub kind: CulpritKind,
    /// Proof that anyone can check; none for an operator that was only silent or late.
    pub evidence: Option<Evidence>,
}

/// Signed messages that together prove an operator guilty.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Evidence {
    /// Two signed dealings of one dealer.
    Equivocation {
        /// One of them.
        first: DealingRef,
        /// The other.
        second: DealingRef,
    },
    /// A signed dealing that breaks a rule.
    InvalidDealing {
        /// The dealing.
        dealing: Arc<Signed>,
    },
    /// A signed commit and a signed dealing that does not open it.
    BrokenCommit {
        /// The commit.
        commit: Arc<Signed>,
        /// The dealing.
        dealing: Arc<Signed>,
    },
    /// A dealing with a wrong share in it, which its receiver opened to everyone.
    WrongShare {
        /// The receiver of the share.
        accuser: OperatorId,
        /// Opens it.
        reveal: Reveal,
        /// The dealing.
        dealing: Arc<Signed>,
    },
    /// A signed verdict whose complaint is untrue.
    FalseComplaint {
        /// The verdict.
        verdict: Arc<Signed>,
        /// The dealing that it complains about.
        dealing: Arc<Signed>,
    },
    /// Two signed votes of one view.
    DoubleVote {
        /// One verdict.
        first: Arc<Signed>,
        /// The other.
        second: Arc<Signed>,
    },
    /// Signed partial signatures that do not verify; judged with the public keys of a transcript.
    BadPartial {
        /// The partial signatures.
        partials: Arc<Signed>,
    },
}

/// Why evidence proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EvidenceError {
    /// A message in it is of another kind than it should be.
    #[error("the evidence does not have the messages that it needs")]
    WrongMessages,
    /// A message in it is not signed by the operator that it names.
    #[error("a message in the evidence is not signed by operator {0}")]
    Unsigned(OperatorId),
    /// The messages are in order: nobody did anything wrong.
    #[error("the messages in the evidence break no rule")]
    NoFault,
    /// The public keys that the judgement needs are not at hand.
    #[error("judging a partial signature needs the transcript of the ceremony")]
    NeedsTranscript,
}

/// How a complaint about a share ends: one of the two lied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ruling {
    /// The share is wrong.
    DealerGuilty,
    /// The share is right, or the proof that opens it is not.
    AccuserGuilty,
}

/// DKG 4.4: opens the accuser's vector with the revealed point and checks it against the commitments.
pub(super) fn judge_share(
    context: &Context,
    accuser: OperatorId,
    reveal: &Reveal,
    dealer: OperatorId,
    dealing: &Dealing,
    commitments: &Commitments,
    rng: &mut (impl RngCore + CryptoRng),
) -> Ruling {
    let (Some(index), Some(key)) = (context.index_of(accuser), context.committee().public_key(accuser)) else {
        return Ruling::AccuserGuilty;
    };
    let Some(sealed) = dealing.sealed.get(dealing::position(index)) else { return Ruling::AccuserGuilty };
    let ceremony = context.ceremony_id();
    let bound = DealContext { ceremony_id: &ceremony.0, dealer: dealer.0, receiver: accuser.0 };
    match seal::open_revealed(reveal, &key, &dealing.ephemeral, bound, sealed, context.k()) {
        Err(_) => Ruling::AccuserGuilty,
        Ok(Err(_)) => Ruling::DealerGuilty,
        Ok(Ok(shares)) if commitments.verify_shares(index, &shares, rng) => Ruling::AccuserGuilty,
        Ok(Ok(_)) => Ruling::DealerGuilty,
    }
}

/// Whether two references prove that their dealer dealt twice.
pub(super) fn is_equivocation(context: &Context, first: &DealingRef, second: &DealingRef) -> bool {
    first.dealer == second.dealer
        && first.digest != second.digest
        && first.is_authentic(context)
        && second.is_authentic(context)
}

impl Evidence {
    /// Names the operator that the evidence proves guilty, from the signed messages alone.
    ///
    /// # Errors
    /// The evidence is incomplete, unsigned, or the messages in it break no rule.
    pub fn judge(
        &self,
        context: &Context,
        transcript: Option<&Transcript>,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<OperatorId, EvidenceError> {
        match self {
            Self::Equivocation { first, second } => {
                is_equivocation(context, first, second).then_some(first.dealer).ok_or(EvidenceError::NoFault)
            }
            Self::InvalidDealing { dealing } => {
                let body = authentic_dealing(context, dealing)?;
                match dealing::check(context, dealing.from, body) {
                    Err(_) => Ok(dealing.from),
                    Ok(commitments) if commitments.check_subgroup(rng) => Err(EvidenceError::NoFault),
                    Ok(_) => Ok(dealing.from),
                }
            }
            Self::BrokenCommit { commit, dealing } => {
                let body = authentic_dealing(context, dealing)?;
                authentic(context, commit)?;
                let Body::Commit(committed) = commit.body else { return Err(EvidenceError::WrongMessages) };
                (commit.from == dealing.from && body.commit(context, dealing.from) != committed)
                    .then_some(dealing.from)
                    .ok_or(EvidenceError::NoFault)
            }
            Self::WrongShare { accuser, reveal, dealing } => {
                let body = authentic_dealing(context, dealing)?;
                let Ok(commitments) = dealing::check(context, dealing.from, body) else { return Ok(dealing.from) };
                match judge_share(context, *accuser, reveal, dealing.from, body, &commitments, rng) {
                    Ruling::DealerGuilty => Ok(dealing.from),
                    Ruling::AccuserGuilty => Err(EvidenceError::NoFault),
                }
            }
            Self::FalseComplaint { verdict, dealing } => judge_complaint(context, verdict, dealing, rng),
            Self::DoubleVote { first, second } => judge_votes(context, first, second),
            Self::BadPartial { partials } => {
                judge_partials(context, partials, transcript.ok_or(EvidenceError::NeedsTranscript)?, rng)
            }
        }
    }
}

fn authentic(context: &Context, signed: &Signed) -> Result<(), EvidenceError> {
    if signed.is_authentic(context) {
        Ok(())
    } else {
        Err(EvidenceError::Unsigned(signed.from))
    }
}

fn authentic_dealing<'a>(context: &Context, signed: &'a Signed) -> Result<&'a Dealing, EvidenceError> {
    authentic(context, signed)?;
    match &signed.body {
        Body::Deal(dealing) => Ok(dealing),
        _ => Err(EvidenceError::WrongMessages),
    }
}

fn judge_complaint(
    context: &Context,
    verdict: &Signed,
    dealing: &Signed,
    rng: &mut (impl RngCore + CryptoRng),
) -> Result<OperatorId, EvidenceError> {
    authentic(context, verdict)?;
    let body = authentic_dealing(context, dealing)?;
    let Body::Verdict(ballot) = &verdict.body else { return Err(EvidenceError::WrongMessages) };
    let named = body.digest(context, dealing.from);
    let commitments = dealing::check(context, dealing.from, body).map_err(|_| EvidenceError::NoFault)?;
    for accusation in &ballot.accusations {
        let Accusation::BadShare { dealer, digest, reveal } = accusation else { continue };
        if *dealer == dealing.from
            && *digest == named
            && judge_share(context, verdict.from, reveal, *dealer, body, &commitments, rng) == Ruling::AccuserGuilty
        {
            return Ok(verdict.from);
        }
    }
    Err(EvidenceError::NoFault)
}

fn judge_votes(context: &Context, first: &Signed, second: &Signed) -> Result<OperatorId, EvidenceError> {
    authentic(context, first)?;
    authentic(context, second)?;
    let (Body::Verdict(one), Body::Verdict(other)) = (&first.body, &second.body) else {
        return Err(EvidenceError::WrongMessages);
    };
    (first.from == second.from && one.view == other.view && one.qualified != other.qualified)
        .then_some(first.from)
        .ok_or(EvidenceError::NoFault)
}

fn judge_partials(
    context: &Context,
    partials: &Signed,
    transcript: &Transcript,
    rng: &mut (impl RngCore + CryptoRng),
) -> Result<OperatorId, EvidenceError> {
    authentic(context, partials)?;
    let Body::Partials(body) = &partials.body else { return Err(EvidenceError::WrongMessages) };
    let index: ShareIndex = context.index_of(partials.from).ok_or(EvidenceError::WrongMessages)?;
    let share_keys: Option<Vec<_>> = transcript
        .validators
        .iter()
        .map(|validator| validator.share_pubkeys.get(dealing::position(index)).copied())
        .collect();
    let share_keys = share_keys.ok_or(EvidenceError::NeedsTranscript)?;
    let messages = signing::deposit_messages(context, transcript.validators.iter().map(|validator| validator.pubkey));
    match signing::parse(&body.signatures, context.k()) {
        Some(parsed) if threshold::verify_partials(context.threshold(), &share_keys, &messages, &parsed, rng) => {
            Err(EvidenceError::NoFault)
        }
        _ => Ok(partials.from),
    }
}

/// Whether `signature` is `voter`'s vote for `qualified` in `view`.
pub(super) fn is_vote(
    context: &Context,
    voter: OperatorId,
    view: u32,
    qualified: &Qualified,
    signature: &cluster_crypto::identity::Signature,
) -> bool {
    context
        .committee()
        .public_key(voter)
        .is_some_and(|key| key.verify(&vote_digest(context, voter, view, qualified), signature).is_ok())
}

/// The culprit that an invalid dealing makes of its dealer.
pub(super) fn invalid_dealing(dealing: Arc<Signed>) -> Culprit {
    Culprit {
        operator_id: dealing.from,
        kind: CulpritKind::InvalidDealing,
        evidence: Some(Evidence::InvalidDealing { dealing }),
    }
}
