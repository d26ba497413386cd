//! `cluster-node request`: an owner asks for validators from the command line, or for a reshare of them to other operators.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{bail, Context};
use clap::Args;
use cluster_core::committee::OperatorId;
use cluster_core::eip712::typed_data_json;
use cluster_core::network::Network;
use cluster_core::registry::Registry;
use cluster_core::request::{
    Request, RequestError, RequestRules, Reshare, SignedRequest, DEPOSIT_AMOUNT_GWEI, MAX_REQUEST_BYTES,
};
use cluster_crypto::ethereum::{Address, WalletKey};
use cluster_crypto::identity;
use rand_core::OsRng;

use super::{follow, verify};
use crate::service_client::{now_ms, CallError, ServiceClient};
use crate::{keys, registry_file};

#[derive(Debug, Args)]
pub(super) struct RequestArgs {
    /// Network of the validators: mainnet or hoodi. Taken from --registry when that is given.
    #[arg(long)]
    network: Option<Network>,
    /// Registry file; with it the committee is checked before anything is signed.
    #[arg(long)]
    registry: Option<PathBuf>,
    /// File with the owner's wallet key: encrypted (with --owner-password-file) or 64 hex digits. Mode 0600 is required.
    #[arg(long)]
    owner_key_file: Option<PathBuf>,
    /// File with the password of an encrypted wallet key.
    #[arg(long, requires = "owner_key_file")]
    owner_password_file: Option<PathBuf>,
    /// The owner's address, when it must be a certain one.
    #[arg(long)]
    owner: Option<Address>,
    /// Cluster public key: the key of the gateway that the service uses (0x and 66 hex digits).
    #[arg(long)]
    cluster_pubkey: Option<identity::PublicKey>,
    /// The committee: 4, 7, 10 or 13 operator ids, ascending, separated by commas.
    #[arg(long, value_delimiter = ',')]
    operators: Vec<OperatorId>,
    /// Move the validators of this folder's certificate.json to --operators instead of making new ones. At least as many operators as sign
    /// now have to stay.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["validators", "withdrawal_address", "signed_request"])]
    reshare: Option<PathBuf>,
    /// Number of validators, 1 to 1000.
    #[arg(long, default_value_t = 1)]
    validators: u32,
    /// Where withdrawals go: an address, or `lido` for the network's Lido withdrawal vault.
    #[arg(long)]
    withdrawal_address: Option<String>,
    /// Gwei per validator; only 32 ETH is supported.
    #[arg(long, default_value_t = DEPOSIT_AMOUNT_GWEI, hide = true)]
    amount_gwei: u64,
    /// Number that makes this request differ from the owner's others; the time by default.
    #[arg(long)]
    nonce: Option<u64>,
    /// Seconds for which the request may start a ceremony.
    #[arg(long, default_value_t = 3600)]
    valid_for_s: u64,
    /// The same as a point in time, in Unix seconds.
    #[arg(long, conflicts_with = "valid_for_s")]
    deadline: Option<u64>,
    /// Submit this signed request (JSON, as --dry-run prints it) instead of making one.
    #[arg(long, conflicts_with_all = ["owner_key_file", "operators", "withdrawal_address"])]
    signed_request: Option<PathBuf>,
    /// Base URL of the service to submit to.
    #[arg(long, conflicts_with = "gateway")]
    service: Option<String>,
    /// Base URL of a gateway to submit to, without a service.
    #[arg(long)]
    gateway: Option<String>,
    /// Print what would be signed, and the signed request when a key is given, and submit nothing.
    #[arg(long)]
    dry_run: bool,
    /// Follow the ceremony at the service until it is ready, and write its files to --out.
    #[arg(long, requires = "service", requires = "owner_key_file")]
    wait: bool,
    /// Folder for deposit_data-*.json and certificate.json.
    #[arg(long, default_value = ".")]
    out: PathBuf,
    /// Seconds to wait with --wait.
    #[arg(long, default_value_t = 600)]
    timeout_s: u64,
}

pub(super) fn run(args: &RequestArgs) -> anyhow::Result<ExitCode> {
    let registry = args.registry.as_deref().map(registry_file::load).transpose()?;
    let wallet = match &args.owner_key_file {
        Some(path) => Some(keys::load_wallet(path, args.owner_password_file.as_deref())?),
        None => None,
    };
    let signed = match &args.signed_request {
        Some(path) => read_signed(path)?,
        None => {
            let network = match (args.network, &registry) {
                (Some(network), _) => network,
                (None, Some(registry)) => registry.network(),
                (None, None) => bail!("chain_id: give --network or --registry"),
            };
            let request = build(args, network, wallet.as_ref())?;
            if args.dry_run {
                println!("{}", serde_json::to_string_pretty(&typed_data_json(&request))?);
            }
            match &wallet {
                Some(wallet) => {
                    let signature = wallet.sign_digest(&request.digest());
                    SignedRequest::by_signature(request, signature)
                }
                None if args.dry_run => return Ok(ExitCode::SUCCESS),
                None => bail!("signature: give --owner-key-file to sign, or --dry-run to see what is to be signed"),
            }
        }
    };
    let listed = registry.as_ref().map(|registry| registry as &dyn Registry);
    check(&signed, listed, registry.as_ref().map(|registry| registry.network()))?;
    if args.dry_run {
        println!("{}", serde_json::to_string_pretty(&signed)?);
        return Ok(ExitCode::SUCCESS);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(submit(args, &signed, wallet.as_ref(), listed))
}

/// A reshare has the terms of the ceremony that it takes over.
fn build_reshare(args: &RequestArgs, dir: &Path, network: Network, owner: Address) -> anyhow::Result<Request> {
    let previous = verify::read_certificate(dir)?;
    // Operators of the old committee may have left the registry; those that stay compare the request with their own results.
    let verified = previous.verify(None, &mut OsRng).with_context(|| format!("{}/certificate.json", dir.display()))?;
    let terms = &previous.transcript.request.request;
    if verified.network != network {
        bail!("chain_id: the certificate is of {}, not of {network}", verified.network);
    }
    if terms.owner != owner {
        bail!("owner: the certificate is of {}, and {owner} would sign", terms.owner);
    }
    Ok(Request {
        cluster_pubkey: args.cluster_pubkey.unwrap_or(terms.cluster_pubkey),
        operator_ids: args.operators.clone(),
        nonce: nonce(args),
        deadline: deadline(args),
        reshare: Some(Reshare::of(&previous.transcript)),
        ..terms.clone()
    })
}

fn nonce(args: &RequestArgs) -> u64 {
    args.nonce.unwrap_or_else(now_ms)
}

fn deadline(args: &RequestArgs) -> u64 {
    args.deadline.unwrap_or_else(|| (now_ms() / 1000).saturating_add(args.valid_for_s))
}

fn build(args: &RequestArgs, network: Network, wallet: Option<&WalletKey>) -> anyhow::Result<Request> {
    let owner = match (args.owner, wallet) {
        (Some(owner), _) => owner,
        (None, Some(wallet)) => wallet.address(),
        (None, None) => bail!("owner: give --owner-key-file or --owner"),
    };
    if let Some(dir) = &args.reshare {
        return build_reshare(args, dir, network, owner);
    }
    let withdrawal_address = match args.withdrawal_address.as_deref() {
        Some("lido") => network.lido_withdrawal_vault(),
        Some(text) => {
            text.parse().with_context(|| format!("withdrawal_address: `{text}` is neither `lido` nor an address"))?
        }
        None => bail!("withdrawal_address: give --withdrawal-address lido or an address"),
    };
    let Some(cluster_pubkey) = args.cluster_pubkey else {
        bail!("cluster_pubkey: give --cluster-pubkey, the public key of the service's gateway");
    };
    Ok(Request {
        chain_id: network.chain_id(),
        owner,
        cluster_pubkey,
        operator_ids: args.operators.clone(),
        validator_count: args.validators,
        withdrawal_address,
        amount_gwei: args.amount_gwei,
        nonce: nonce(args),
        deadline: deadline(args),
        reshare: None,
    })
}

/// The same checks that every operator makes; without a registry those that need none.
fn check(signed: &SignedRequest, registry: Option<&dyn Registry>, network: Option<Network>) -> anyhow::Result<()> {
    let request = &signed.request;
    let Some(network) = network.or_else(|| Network::from_chain_id(request.chain_id)) else {
        bail!("chain_id: {} is neither mainnet (1) nor hoodi (560048)", request.chain_id);
    };
    let everybody = Everybody(request);
    let registry = registry.unwrap_or(&everybody);
    match signed.check(&RequestRules::new(network), registry, now_ms() / 1000) {
        Ok(_) => Ok(()),
        Err(error) => Err(refused(&error)),
    }
}

fn refused(error: &RequestError) -> anyhow::Error {
    anyhow::anyhow!("{}: {error}", error.field())
}

async fn submit(
    args: &RequestArgs,
    signed: &SignedRequest,
    wallet: Option<&WalletKey>,
    registry: Option<&dyn Registry>,
) -> anyhow::Result<ExitCode> {
    let Some(base) = args.service.as_deref().or(args.gateway.as_deref()) else {
        bail!("give --service or --gateway to submit to, or --dry-run");
    };
    let client = ServiceClient::new(base, Duration::from_secs(30))?;
    let ceremony_id = signed.ceremony_id();
    match client.submit_request(signed).await {
        Ok(_) => println!("accepted; ceremony_id {ceremony_id}"),
        // With --wait the answer to "did I submit this already?" is to follow it.
        Err(CallError::Refused { status: 409, detail, .. }) if args.wait => {
            println!("{detail}; following ceremony {ceremony_id}")
        }
        Err(error) => return Err(error.into()),
    }
    match wallet {
        Some(wallet) if args.wait => {
            let patience = Duration::from_secs(args.timeout_s);
            follow::until_ready(&client, wallet, signed, registry, &args.out, patience).await
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}

fn read_signed(path: &std::path::Path) -> anyhow::Result<SignedRequest> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    if text.len() > MAX_REQUEST_BYTES {
        bail!("{} has {} bytes; a signed request has at most {MAX_REQUEST_BYTES}", path.display(), text.len());
    }
    serde_json::from_str(&text).with_context(|| format!("{} is not a signed request", path.display()))
}

/// Stands in for the registry when the owner has none at hand: every named operator exists, with a key of its own. The
/// service and the operators check against the real one.
struct Everybody<'a>(&'a Request);

impl Registry for Everybody<'_> {
    fn operator(&self, id: OperatorId) -> Option<cluster_core::registry::OperatorEntry> {
        self.0.operator_ids.contains(&id).then(|| cluster_core::registry::OperatorEntry {
            id,
            name: format!("operator {id}"),
            public_key: stand_in_key(id),
            owner: None,
            verified: false,
            from_dao: false,
            fee_gwei: None,
            addresses: Vec::new(),
        })
    }

    fn operators(&self) -> Vec<cluster_core::registry::OperatorEntry> {
        Vec::new()
    }

    fn gateways(&self) -> Vec<cluster_core::registry::GatewayEntry> {
        Vec::new()
    }

    fn bootstraps(&self) -> Vec<cluster_core::registry::BootstrapEntry> {
        Vec::new()
    }
}

/// A key that differs for every operator; nobody uses it for anything.
fn stand_in_key(id: OperatorId) -> identity::PublicKey {
    let mut attempt = 0u64;
    loop {
        let seed =
            cluster_crypto::hash::TaggedHash::new("cluster-node/stand-in/1").u64(u64::from(id.0)).u64(attempt).finish();
        if let Ok(key) = identity::SecretKey::from_bytes(&seed) {
            return key.public_key();
        }
        attempt += 1;
    }
}
