//! DKG 6: deposit signatures from partial ones, checked once, with blame only when that fails.

use std::{collections::BTreeMap, sync::Arc};

use cluster_crypto::{
    bls::{self, HashedMessage},
    threshold::{self, Partial},
    SecretSeed, ShareIndex,
};

use super::{
    context::Context,
    dealing::{derived_rng, position},
    keys::Keys,
    message::{Body, Signed},
};
use crate::{committee::OperatorId, deposit::DepositMessage, request::Request};

/// Bytes of one partial signature on the wire.
pub(super) const PARTIAL_BYTES: usize = 192;

/// The hashed deposit messages of a ceremony's validators: every operator builds them itself from the request.
pub(super) fn deposit_messages(context: &Context, pubkeys: impl Iterator<Item = bls::PublicKey>) -> Vec<HashedMessage> {
    let request = context.request();
    pubkeys
        .map(|pubkey| {
            let Request { withdrawal_address, amount_gwei, .. } = request.request();
            let message = DepositMessage::new(&pubkey, *withdrawal_address, *amount_gwei);
            HashedMessage::new(&message.signing_root(request.network()))
        })
        .collect()
}

/// The partial signatures of one message; `None` when the count or a point is wrong.
pub(super) fn parse(bytes: &[u8], k: usize) -> Option<Vec<Partial>> {
    if bytes.len() != k.checked_mul(PARTIAL_BYTES)? {
        return None;
    }
    bytes.chunks_exact(PARTIAL_BYTES).map(|chunk| Partial::from_bytes(chunk).ok()).collect()
}

/// The state of the signing step.
#[derive(Default)]
pub(super) struct Signing {
    messages: Vec<HashedMessage>,
    /// What operators sent, this one included.
    pub(super) partials: BTreeMap<OperatorId, Arc<Signed>>,
    parsed: BTreeMap<OperatorId, Vec<Partial>>,
    rejected: BTreeMap<OperatorId, Arc<Signed>>,
}

/// How an attempt to combine ended.
pub(super) enum Combined {
    /// Fewer than t operators' partial signatures are at hand.
    Waiting,
    /// The deposit signatures of all validators, verified.
    Done(Vec<bls::Signature>),
}

impl Signing {
    /// DKG 6.1: this operator's partial signatures over messages that it built itself.
    pub(super) fn sign(&mut self, context: &Context, keys: &Keys) -> Option<Vec<u8>> {
        self.messages = deposit_messages(context, keys.group.iter().copied());
        let partials = threshold::sign_partials(&keys.shares, context.threshold(), &self.messages).ok()?;
        Some(partials.iter().flat_map(Partial::to_bytes).collect())
    }

    /// DKG 6.3 and 6.4: combines t vectors and verifies the result once; on failure finds out whose vector is wrong
    /// and tries again without it.
    pub(super) fn combine(&mut self, context: &Context, keys: &Keys, seed: &SecretSeed) -> Combined {
        loop {
            self.parse_new(context, keys);
            let chosen: Vec<(OperatorId, ShareIndex, &[Partial])> = self
                .parsed
                .iter()
                .filter_map(|(operator, partials)| Some((*operator, context.index_of(*operator)?, partials.as_slice())))
                .take(context.t())
                .collect();
            if chosen.len() < context.t() {
                return Combined::Waiting;
            }
            let inputs: Vec<(ShareIndex, &[Partial])> =
                chosen.iter().map(|(_, index, partials)| (*index, *partials)).collect();
            let mut bound: Vec<[u8; 32]> = vec![context.ceremony_id().0, keys.digest];
            bound.extend(
                chosen.iter().filter_map(|(operator, _, _)| Some(self.partials.get(operator)?.digest(context))),
            );
            let bound: Vec<&[u8]> = bound.iter().map(|digest| &digest[..]).collect();
            let mut rng = derived_rng(seed, "combine", &bound);
            let candidates = threshold::combine(context.threshold(), &inputs).ok();
            let verified = candidates
                .and_then(|candidates| threshold::verify_combined(&keys.group, &self.messages, candidates, &mut rng));
            if let Some(signatures) = verified {
                return Combined::Done(signatures);
            }
            let guilty: Vec<OperatorId> = chosen
                .iter()
                .filter(|(_, index, partials)| {
                    let share_keys = keys.share_keys.get(position(*index)).map_or(&[][..], Vec::as_slice);
                    !threshold::verify_partials(context.threshold(), share_keys, &self.messages, partials, &mut rng)
                })
                .map(|(operator, _, _)| *operator)
                .collect();
            if guilty.is_empty() {
                return Combined::Waiting;
            }
            for operator in guilty {
                self.reject(operator);
            }
        }
    }

    /// Operators whose partial signatures are wrong, with their messages.
    pub(super) fn rejected(&self) -> &BTreeMap<OperatorId, Arc<Signed>> {
        &self.rejected
    }

    fn reject(&mut self, operator: OperatorId) {
        self.parsed.remove(&operator);
        if let Some(signed) = self.partials.get(&operator) {
            self.rejected.insert(operator, Arc::clone(signed));
        }
    }

    fn parse_new(&mut self, context: &Context, keys: &Keys) {
        let new: Vec<(OperatorId, Arc<Signed>)> = self
            .partials
            .iter()
            .filter(|(operator, _)| !self.parsed.contains_key(operator) && !self.rejected.contains_key(operator))
            .map(|(operator, signed)| (*operator, Arc::clone(signed)))
            .collect();
        for (operator, signed) in new {
            let parsed = match &signed.body {
                Body::Partials(body) if body.keys_digest == keys.digest => parse(&body.signatures, context.k()),
                _ => None,
            };
            match parsed {
                Some(partials) => {
                    self.parsed.insert(operator, partials);
                }
                None => {
                    self.rejected.insert(operator, signed);
                }
            }
        }
    }
}
