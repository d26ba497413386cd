//! Following a ceremony at the service as its owner: log in (EIP-4361), poll, save the result.

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{bail, Context};
use cluster_core::ceremony::CeremonyId;
use cluster_core::certificate::Certificate;
use cluster_core::encoding::to_hex;
use cluster_core::registry::Registry;
use cluster_core::request::SignedRequest;
use cluster_crypto::ethereum::{personal_message_digest, WalletKey};
use rand_core::OsRng;
use reqwest::Method;
use serde_json::{json, Value};
use time::format_description::well_known::Rfc3339;
use time::OffsetDateTime;

use crate::service_client::{CallError, ServiceClient};

const POLL: Duration = Duration::from_millis(500);

/// Waits until the ceremony is ready (or aborted), showing each change, and writes `deposit_data-*.json` and
/// `certificate.json` into `out`.
pub(super) async fn until_ready(
    client: &ServiceClient,
    wallet: &WalletKey,
    request: &SignedRequest,
    registry: Option<&dyn Registry>,
    out: &Path,
    patience: Duration,
) -> anyhow::Result<ExitCode> {
    let ceremony_id = request.ceremony_id();
    let token = log_in(client, wallet, request.request.chain_id).await?;
    let give_up = Instant::now() + patience;
    let mut shown = String::new();
    loop {
        let path = format!("/v1/ceremonies/{ceremony_id}");
        let ceremony = match client.owner_call::<Value>(Method::GET, &path, None, Some(&token)).await {
            Ok(ceremony) => ceremony,
            // Not there yet, or the service is restarting: both pass.
            Err(CallError::Refused { status: 404, .. } | CallError::Transient { .. }) => Value::Null,
            Err(error) => return Err(error.into()),
        };
        let status = word(&ceremony, "status");
        if status != shown && !status.is_empty() {
            println!("ceremony {}: {status}", ceremony_id.short());
            shown.clone_from(&status);
        }
        match status.as_str() {
            "ready" => break,
            "expired" => bail!("no operator began before the deadline; sign a new request"),
            "aborted" => bail!("the ceremony was aborted; GET {path} at the service names the culprits"),
            _ if Instant::now() >= give_up && status == "incomplete" => {
                let missing = ceremony.get("missing_operators").map(Value::to_string).unwrap_or_default();
                bail!("operators {missing} have not confirmed their shares; the deposit data follow when they have: run the same command again")
            }
            _ if Instant::now() >= give_up => {
                bail!(
                    "the ceremony is not ready after {} s; it goes on, run the same command again to follow it",
                    patience.as_secs()
                )
            }
            _ => tokio::time::sleep(POLL).await,
        }
    }
    save(client, &token, ceremony_id, registry, out).await?;
    Ok(ExitCode::SUCCESS)
}

/// Certificate and deposit data, verified here before they are written: the service is not trusted.
///
/// A request names operators by id alone. Only the registry says which keys are theirs: without it a lying service could
/// have made up the whole committee.
async fn save(
    client: &ServiceClient,
    token: &str,
    ceremony_id: CeremonyId,
    registry: Option<&dyn Registry>,
    out: &Path,
) -> anyhow::Result<()> {
    let path = format!("/v1/ceremonies/{ceremony_id}/certificate");
    let certificate: Certificate = client.owner_call(Method::GET, &path, None, Some(token)).await?;
    if certificate.ceremony_id != ceremony_id {
        bail!("the service sent the certificate of another ceremony, {}", certificate.ceremony_id);
    }
    certificate.verify(registry, &mut OsRng).context("the service sent a certificate that does not verify")?;
    if registry.is_none() {
        println!("the operators' keys were not compared with a registry: before depositing, run `cluster-node verify` with --registry");
    }
    std::fs::create_dir_all(out).with_context(|| format!("{} cannot be made", out.display()))?;
    let created_s = u64::try_from(OffsetDateTime::now_utc().unix_timestamp()).unwrap_or(0);
    let deposit_file = out.join(Certificate::deposit_data_file_name(created_s));
    let certificate_file = out.join("certificate.json");
    write(&certificate_file, &serde_json::to_string(&certificate)?)?;
    match &certificate.transcript.request.request.reshare {
        None => {
            write(&deposit_file, &serde_json::to_string_pretty(&certificate.deposit_data())?)?;
            println!("wrote {} and {}", deposit_file.display(), certificate_file.display());
        }
        // Its validators are not new: nothing is to be deposited.
        Some(reshare) => {
            println!("wrote {}, a reshare of ceremony {}", certificate_file.display(), reshare.previous);
        }
    }
    println!("check them again at any time: cluster-node verify {}", out.display());
    Ok(())
}

/// EIP-4361: the wallet signs a text that names the site, the chain and a nonce of the service.
async fn log_in(client: &ServiceClient, wallet: &WalletKey, chain_id: u64) -> anyhow::Result<String> {
    let answer: Value = client.owner_call(Method::POST, "/v1/auth/nonce", Some(json!({})), None).await?;
    let nonce = word(&answer, "nonce");
    let base = client.base();
    let origins: Vec<&str> =
        answer.get("origins").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    // The wallet signs for the site that was asked for, never for the one that the site names: that is what stops one
    // service from logging in at another.
    if !origins.is_empty() && !origins.contains(&base) {
        bail!("the service calls itself {}; give one of these as --service", origins.join(" or "));
    }
    let domain = base.split_once("://").map_or(base, |(_, rest)| rest.split('/').next().unwrap_or(rest));
    let issued_at = OffsetDateTime::now_utc().format(&Rfc3339)?;
    let message = format!(
        "{domain} wants you to sign in with your Ethereum account:\n{}\n\nFollow the request for validators.\n\n\
         URI: {base}\nVersion: 1\nChain ID: {chain_id}\nNonce: {nonce}\nIssued At: {issued_at}",
        wallet.address()
    );
    let signature = to_hex(&wallet.sign_digest(&personal_message_digest(message.as_bytes())).to_bytes());
    let body = json!({ "message": message, "signature": signature });
    let session: Value =
        client.owner_call(Method::POST, "/v1/auth/login", Some(body), None).await.context("login refused")?;
    let token = word(&session, "token");
    if token.is_empty() {
        bail!("the service answered the login without a token");
    }
    Ok(token)
}

fn word(value: &Value, field: &str) -> String {
    value.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
}
