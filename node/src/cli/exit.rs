//! `cluster-node exit`: an owner orders validators to leave the chain.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{bail, Context};
use clap::Args;
use cluster_core::certificate::{Certificate, MAX_CERTIFICATE_BYTES};
use cluster_core::eip712::exit_typed_data_json;
use cluster_core::exit::{ExitError, ExitRequest, NoExitEvents, SignedExitRequest, MAX_EXIT_REQUEST_BYTES};
use cluster_core::network::Network;
use cluster_crypto::bls;
use cluster_crypto::ethereum::{Address, WalletKey};
use reqwest::Method;
use serde_json::Value;

use crate::keys;
use crate::service_client::{now_ms, ServiceClient};

#[derive(Debug, Args)]
pub(super) struct ExitArgs {
    /// Network of the validators: mainnet or hoodi.
    #[arg(long, required_unless_present_any = ["chain_id", "signed_request"])]
    network: Option<Network>,
    /// Chain id of the execution chain, for another network.
    #[arg(long, conflicts_with = "network")]
    chain_id: Option<u64>,
    /// File with the owner's wallet key: encrypted (with --owner-password-file) or 64 hex digits. Mode 0600 is required.
    #[arg(long)]
    owner_key_file: Option<PathBuf>,
    /// File with the password of an encrypted wallet key.
    #[arg(long, requires = "owner_key_file")]
    owner_password_file: Option<PathBuf>,
    /// The owner's address, when it must be a certain one, or to print what a wallet is to sign.
    #[arg(long)]
    owner: Option<Address>,
    /// The validators that are to leave: public keys, separated by commas.
    #[arg(long, value_delimiter = ',', value_parser = pubkey)]
    validators: Vec<bls::PublicKey>,
    /// Adds all validators of this certificate.json.
    #[arg(long)]
    certificate: Option<PathBuf>,
    /// Number that makes this order differ from others; the time by default.
    #[arg(long)]
    nonce: Option<u64>,
    /// Seconds for which operators may sign the exit; at most 31 days.
    #[arg(long, default_value_t = 7 * 86_400)]
    valid_for_s: u64,
    /// Hand over this signed order (JSON) instead of making one.
    #[arg(long, conflicts_with_all = ["owner_key_file", "validators", "certificate"])]
    signed_request: Option<PathBuf>,
    /// File to write the signed order to.
    #[arg(long)]
    out: Option<PathBuf>,
    /// HTTP address of an operator to hand the order to, such as http://127.0.0.1:9190; may be given several times. An exit
    /// needs two thirds of the committee.
    #[arg(long)]
    operator: Vec<String>,
    /// Print what would be signed, and the signed order when a key is given, and hand over nothing.
    #[arg(long)]
    dry_run: bool,
}

fn pubkey(text: &str) -> Result<bls::PublicKey, String> {
    let bytes: [u8; 48] = cluster_core::encoding::from_hex(text).map_err(|error| error.to_string())?;
    bls::PublicKey::from_bytes(&bytes).map_err(|error| error.to_string())
}

pub(super) fn run(args: &ExitArgs) -> anyhow::Result<ExitCode> {
    let wallet = match &args.owner_key_file {
        Some(path) => Some(keys::load_wallet(path, args.owner_password_file.as_deref())?),
        None => None,
    };
    let signed = match &args.signed_request {
        Some(path) => SignedExitRequest::from_json(&read_bounded(path, MAX_EXIT_REQUEST_BYTES)?)?,
        None => {
            let request = build(args, wallet.as_ref())?;
            if args.dry_run {
                println!("{}", serde_json::to_string_pretty(&exit_typed_data_json(&request))?);
            }
            match &wallet {
                Some(wallet) => {
                    let signature = wallet.sign_digest(&request.digest());
                    SignedExitRequest::by_signature(request, signature)
                }
                None if args.dry_run => return Ok(ExitCode::SUCCESS),
                None => bail!("signature: give --owner-key-file to sign, or --dry-run to see what is to be signed"),
            }
        }
    };
    let chain_id = args.network.map(Network::chain_id).or(args.chain_id).unwrap_or(signed.request.chain_id);
    signed.check(chain_id, now_ms() / 1000, &NoExitEvents).map_err(|error| refused(&error))?;
    let text = serde_json::to_string_pretty(&signed)?;
    if args.dry_run {
        println!("{text}");
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(path) = &args.out {
        std::fs::write(path, &text).with_context(|| format!("{} cannot be written", path.display()))?;
        println!("wrote {}", path.display());
    } else if args.operator.is_empty() {
        bail!("give --out or --operator, or --dry-run: the order must get to the operators");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(hand_over(&args.operator, &signed))
}

fn build(args: &ExitArgs, wallet: Option<&WalletKey>) -> anyhow::Result<ExitRequest> {
    let Some(chain_id) = args.network.map(Network::chain_id).or(args.chain_id) else {
        bail!("chain_id: give --network or --chain-id");
    };
    let owner = match (args.owner, wallet) {
        (Some(owner), _) => owner,
        (None, Some(wallet)) => wallet.address(),
        (None, None) => bail!("owner: give --owner-key-file or --owner"),
    };
    let mut pubkeys = args.validators.clone();
    if let Some(path) = &args.certificate {
        let certificate = Certificate::from_json(&read_bounded(path, MAX_CERTIFICATE_BYTES)?)
            .with_context(|| path.display().to_string())?;
        pubkeys.extend(certificate.transcript.validators.iter().map(|validator| validator.pubkey));
    }
    let nonce = args.nonce.unwrap_or_else(now_ms);
    let deadline = (now_ms() / 1000).saturating_add(args.valid_for_s);
    Ok(ExitRequest { chain_id, owner, pubkeys, nonce, deadline })
}

fn refused(error: &ExitError) -> anyhow::Error {
    anyhow::anyhow!("{}: {error}", error.field())
}

/// Every operator is asked, whatever the others say: an exit needs a quorum, not one of them.
async fn hand_over(operators: &[String], signed: &SignedExitRequest) -> anyhow::Result<ExitCode> {
    let mut failed = 0;
    let body = serde_json::to_value(signed)?;
    for base in operators {
        let asked = async {
            let client = ServiceClient::new(base, Duration::from_secs(30))?;
            client.owner_call::<Value>(Method::POST, "/exit", Some(body.clone()), None).await
        };
        match asked.await {
            Ok(_) => println!("{base}: accepted"),
            Err(error) => {
                failed += 1;
                eprintln!("{base}: {error}");
            }
        }
    }
    if failed > 0 {
        bail!(
            "{failed} of {} operators did not take the order; the same command again changes nothing at the others",
            operators.len()
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn read_bounded(path: &Path, limit: usize) -> anyhow::Result<String> {
    let length = std::fs::metadata(path).with_context(|| format!("{} cannot be read", path.display()))?.len();
    if length > limit as u64 {
        bail!("{} has {length} bytes; at most {limit} are expected", path.display());
    }
    std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}
