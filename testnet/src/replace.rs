//! What the demo does with `--replace`: an operator is stopped for good, and the shares of its validators move to the others and
//! one more in a reshare.

use std::time::Instant;

use cluster_core::certificate::Certificate;
use cluster_core::committee::OperatorId;
use cluster_core::encoding::to_hex;
use cluster_core::request::{Request, Reshare, SignedRequest};
use cluster_node::service_client::now_ms;
use rand_core::OsRng;

use crate::ceremony::CeremonyError;
use crate::demo::{DemoError, REPLACED_FOLDER};
use crate::network::Testnet;
use crate::owner::{Ending, Owner, Patience};
use crate::report::ReplacementFigures;

/// A reshare that the owner has verified.
#[derive(Clone, Debug)]
pub struct Replaced {
    /// For the report.
    pub figures: ReplacementFigures,
    /// `certificate.json`, for [`REPLACED_FOLDER`].
    pub certificate: String,
}

/// Replaces `leaving`, which is stopped first, by `joining` in the committee of a certificate.
pub async fn run(
    testnet: &mut Testnet,
    owner: &Owner,
    certificate: &str,
    leaving: OperatorId,
    joining: OperatorId,
    patience: Patience,
) -> Result<Replaced, DemoError> {
    let previous = Certificate::from_json(certificate).map_err(CeremonyError::from)?;
    testnet.kill_operator(leaving).await?;
    let terms = &previous.transcript.request.request;
    let staying = terms.operator_ids.iter().copied().filter(|id| *id != leaving);
    let mut operator_ids: Vec<OperatorId> = staying.chain([joining]).collect();
    operator_ids.sort_unstable();
    let request =
        Request { operator_ids, nonce: now_ms(), reshare: Some(Reshare::of(&previous.transcript)), ..terms.clone() };
    let signature = testnet.world.owner.sign_digest(&request.digest());
    let signed = SignedRequest::by_signature(request, signature);
    let began = Instant::now();
    let ceremony_id = owner.submit(&signed).await?;
    let ending = owner.follow(ceremony_id, patience, &mut |_| {}).await?;
    let wall = began.elapsed();
    if ending != Ending::Ready {
        return Err(DemoError::NotReplaced { ceremony_id, ending });
    }
    let text = owner.certificate(ceremony_id).await?;
    let moved = Certificate::from_json(&text).map_err(CeremonyError::from)?;
    moved.verify(Some(testnet.registry()), &mut OsRng).map_err(CeremonyError::from)?;
    let keys = |certificate: &Certificate| -> Vec<String> {
        certificate.transcript.validators.iter().map(|validator| to_hex(&validator.pubkey.to_bytes())).collect()
    };
    if keys(&moved) != keys(&previous) {
        return Err(DemoError::Count { expected: terms.validator_count, found: 0 });
    }
    let figures = ReplacementFigures {
        ceremony_id: ceremony_id.to_string(),
        left: leaving,
        joined: joining,
        k: terms.validator_count,
        wall_ms: (wall.as_secs_f64() * 10_000.0).round() / 10.0,
        certificate: format!("{REPLACED_FOLDER}/certificate.json"),
    };
    Ok(Replaced { figures, certificate: text })
}
