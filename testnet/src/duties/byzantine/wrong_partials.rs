//! `wrong-partials`: every partial signature is a point of the right group by a key that nobody has a share of.

use std::sync::Arc;

use async_trait::async_trait;
use cluster_core::beacon::ChainSpec;
use cluster_core::committee::OperatorId;
use cluster_crypto::bls::{HashedMessage, SecretKey};
use cluster_crypto::threshold::{sign_partial, Partial};
use cluster_crypto::Threshold;
use cluster_node::signer::{Refusal, Request, Signer, SignerError};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

struct WrongPartials {
    inner: Arc<dyn Signer>,
    wrong: Partial,
}

#[async_trait]
impl Signer for WrongPartials {
    async fn sign(
        &self,
        spec: &Arc<ChainSpec>,
        request: Request,
    ) -> Result<Vec<Result<Partial, Refusal>>, SignerError> {
        let answers = self.inner.sign(spec, request).await?;
        Ok(answers.into_iter().map(|answer| answer.map(|_| self.wrong)).collect())
    }
}

/// Wraps a signer. Without a wrong signature to give, which does not happen, it stays honest.
pub(super) fn wrap(inner: Arc<dyn Signer>, me: OperatorId, seed: u64) -> Arc<dyn Signer> {
    let key = SecretKey::generate(&mut ChaCha20Rng::seed_from_u64(seed ^ u64::from(me.0)));
    let wrong = Threshold::for_operators(4)
        .ok()
        .and_then(|threshold| sign_partial(&key, threshold, &HashedMessage::new(b"something else")).ok());
    match wrong {
        Some(wrong) => Arc::new(WrongPartials { inner, wrong }),
        None => inner,
    }
}
