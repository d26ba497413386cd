//! One request through a running network, from the owner's signature to the row that the owner sees, measured.

use std::collections::BTreeMap;
use std::time::Instant;

use cluster_core::ceremony::CeremonyId;
use cluster_core::certificate::{Certificate, CertificateError};
use cluster_core::committee::OperatorId;
use cluster_core::dkg::CulpritKind;
use cluster_core::request::SignedRequest;
use cluster_node::driver::results::{kind_name, StoredResult};
use cluster_node::network::Transport;
use cluster_node::service_client::now_ms;
use cluster_service::events::CeremonyEvent;
use tokio_util::sync::CancellationToken;

use crate::evm::{EvmError, Requested};
use crate::network::{NetworkError, Sent, Testnet};
use crate::owner::{Ending, Files, Owner, OwnerError, Patience};
use crate::report::{cpu_ms, max_rss_bytes, CulpritFigures, OperatorFigures, ReadinessFigures, Report};
use crate::world::Wanted;

/// Why a ceremony has no report.
#[derive(Debug, thiserror::Error)]
pub enum CeremonyError {
    /// The network.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The service.
    #[error(transparent)]
    Owner(#[from] OwnerError),
    /// The chain.
    #[error(transparent)]
    Evm(#[from] EvmError),
    /// What the service served.
    #[error("the service served a certificate that is wrong: {0}")]
    Certificate(#[from] CertificateError),
}

/// Who is killed while the ceremony runs. The network must have been started with the crash in its settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kill {
    /// Who.
    pub operator: OperatorId,
    /// Whether it is started again.
    pub restart: bool,
}

/// A ceremony that came to an end.
#[derive(Clone, Debug)]
pub struct Finished {
    /// Its figures.
    pub report: Report,
    /// What the owner downloaded; none unless the ceremony is ready.
    pub files: Option<Files>,
    /// The request.
    pub request: SignedRequest,
    /// The request's transaction, where there is a chain.
    pub asked: Option<Requested>,
    /// What operators can prove against others: the operator that says so, and its evidence file.
    pub evidence: Vec<(OperatorId, String)>,
}

/// Runs one request to its end. `seen` hears what the owner hears.
pub async fn run(
    testnet: &mut Testnet,
    owner: &Owner,
    wanted: &Wanted,
    kill: Option<Kill>,
    patience: Patience,
    seen: &mut (dyn FnMut(&CeremonyEvent) + Send),
) -> Result<Finished, CeremonyError> {
    let sent_before = testnet.sent();
    let (began, cpu_before) = (Instant::now(), cpu_ms());
    let (request, asked) = ask(testnet, owner, wanted, patience).await?;
    let ceremony_id = request.ceremony_id();
    let ended = CancellationToken::new();
    let follow = async {
        let ending = owner.follow(ceremony_id, patience, seen).await;
        let figures = (began.elapsed(), cpu_ms() - cpu_before);
        ended.cancel();
        (ending, figures)
    };
    let ((ending, (wall, cpu)), killed) = tokio::join!(follow, supervise(testnet, kill, &ended));
    killed?;
    let ending = ending?;
    let files = match ending {
        Ending::Ready => Some(owner.files(ceremony_id).await?),
        _ => None,
    };
    let certificate = files.as_ref().map(|files| Certificate::from_json(&files.certificate)).transpose()?;
    let pubkeys = match &certificate {
        Some(certificate) => pubkeys(certificate),
        None => pubkeys_at_operators(testnet, ceremony_id),
    };
    let mut report = Report {
        n: wanted.operators.len(),
        t: 2 * ((wanted.operators.len() - 1) / 3) + 1,
        k: wanted.validators,
        transport: transport_name(testnet.settings().transport).to_owned(),
        network: testnet.world.network.name().to_owned(),
        seed: testnet.settings().seed,
        ceremony_id: ceremony_id.to_string(),
        wall_ms: round(wall.as_secs_f64() * 1_000.0),
        steps_ms: BTreeMap::new(),
        cpu_ms: round(cpu),
        rss_bytes: max_rss_bytes(),
        operators: figures(&sent_before, &testnet.sent(), &wanted.operators),
        pubkeys,
        culprits: culprits(testnet, ceremony_id),
        readiness: readiness(ending),
        chain: None,
        replacement: None,
    };
    if report.readiness == ReadinessFigures::Ready {
        // All have attested: who was called silent was late, as the operator that said so is about to learn.
        report.culprits.retain(|culprit| culprit.kind != kind_name(CulpritKind::Silent));
    }
    let steps = testnet.steps.medians_ms(ceremony_id);
    report.steps_ms = steps.into_iter().map(|(step, spent)| (step.name().to_owned(), spent)).collect();
    Ok(Finished { report, files, request, asked, evidence: testnet.evidence(ceremony_id)? })
}

/// The owner's request: an event where there is a chain, otherwise a signature that goes to the service.
async fn ask(
    testnet: &Testnet,
    owner: &Owner,
    wanted: &Wanted,
    patience: Patience,
) -> Result<(SignedRequest, Option<Requested>), CeremonyError> {
    if let Some(chain) = testnet.chain() {
        let asked = chain.request(&testnet.world, wanted).await?;
        owner.await_ceremony(asked.request.ceremony_id(), patience.result).await?;
        return Ok((asked.request.clone(), Some(asked)));
    }
    let nonce = now_ms();
    let request = testnet.world.request(wanted, nonce, nonce / 1_000);
    owner.submit(&request).await?;
    Ok((request, None))
}

/// Buries the operator that its crash switch stopped, and starts it again when it should be.
async fn supervise(testnet: &mut Testnet, kill: Option<Kill>, ended: &CancellationToken) -> Result<(), NetworkError> {
    let Some(kill) = kill else { return Ok(()) };
    let crashed = testnet.operator(kill.operator)?.crashed();
    if ended.run_until_cancelled(crashed).await.is_none() {
        return Ok(());
    }
    testnet.kill_operator(kill.operator).await?;
    if kill.restart {
        testnet.start_operator(kill.operator).await?;
    }
    Ok(())
}

/// Who blames whom, as the operators' own results say.
#[must_use]
pub fn culprits(testnet: &Testnet, ceremony_id: CeremonyId) -> Vec<CulpritFigures> {
    let mut named: BTreeMap<(OperatorId, String), Vec<OperatorId>> = BTreeMap::new();
    for (by, operator) in testnet.operators() {
        let culprits = match operator.result(ceremony_id) {
            Ok(Some(StoredResult::Done { culprits, .. } | StoredResult::Aborted { culprits, .. })) => culprits,
            Ok(None) | Err(_) => continue,
        };
        for culprit in culprits {
            named.entry((culprit.operator_id, kind_name(culprit.kind))).or_default().push(*by);
        }
    }
    let named = named.into_iter();
    named.map(|((operator_id, kind), named_by)| CulpritFigures { operator_id, kind, named_by }).collect()
}

/// An incomplete ceremony is not served to its owner; its operators know the keys.
fn pubkeys_at_operators(testnet: &Testnet, ceremony_id: CeremonyId) -> Vec<String> {
    let contribution = testnet.operators().values().find_map(|operator| match operator.result(ceremony_id) {
        Ok(Some(StoredResult::Done { contribution, .. })) => contribution.decode().ok(),
        _ => None,
    });
    contribution.map_or_else(Vec::new, |contribution| pubkeys(&Certificate::from_contribution(contribution)))
}

fn pubkeys(certificate: &Certificate) -> Vec<String> {
    let validators = certificate.transcript.validators.iter();
    validators.map(|validator| cluster_core::encoding::to_hex(&validator.pubkey.to_bytes())).collect()
}

fn figures(
    before: &BTreeMap<OperatorId, Sent>,
    after: &BTreeMap<OperatorId, Sent>,
    committee: &[OperatorId],
) -> Vec<OperatorFigures> {
    let figure = |id: &OperatorId| {
        let (before, after) = (before.get(id).copied().unwrap_or_default(), after.get(id).copied().unwrap_or_default());
        OperatorFigures {
            id: *id,
            bytes_sent: after.bytes.saturating_sub(before.bytes),
            messages_sent: after.messages.saturating_sub(before.messages),
        }
    };
    committee.iter().map(figure).collect()
}

fn readiness(ending: Ending) -> ReadinessFigures {
    match ending {
        Ending::Ready => ReadinessFigures::Ready,
        Ending::Incomplete { missing } => {
            ReadinessFigures::Incomplete { missing: missing.into_iter().map(OperatorId).collect() }
        }
        Ending::Aborted { reason } => ReadinessFigures::Aborted { reason },
    }
}

/// The name on the command line and in reports.
#[must_use]
pub fn transport_name(transport: Transport) -> &'static str {
    match transport {
        Transport::Tcp => "tcp",
        Transport::Quic => "quic",
        Transport::Both => "both",
    }
}

fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
