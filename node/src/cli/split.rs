//! `cluster-node split` and `cluster-node import`: existing keys, split to a committee by whoever holds them.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{bail, Context};
use clap::Args;
use cluster_core::committee::{Committee, OperatorId};
use cluster_core::encoding::to_hex;
use cluster_core::network::Network;
use cluster_core::registry::{FileRegistry, Registry};
use cluster_crypto::bls;
use cluster_crypto::ethereum::Address;
use cluster_crypto::keystore::Keystore;
use rand_core::OsRng;
use zeroize::Zeroizing;

use super::RunArgs;
use crate::config::{self, OperatorConfig};
use crate::split::{split, ShareFile, Terms, MAX_FILE_BYTES, MAX_VALIDATORS};
use crate::store::{fee_recipient, Store, DEFAULT_GAS_LIMIT};
use crate::{keys, registry_file};

/// A keystore is about 1 KiB.
const KEYSTORE_BYTES: u64 = 64 * 1024;
const WARNING: &str = "\
WARNING  These keys must never be used anywhere else again.
  A validator that runs from its old keystore and from its shares at the same time is slashed, and so is one whose shares
  sign again what the old validator client has signed.
  1. Stop the old validator client for good, and remove its keystores.
  2. Export its slashing protection history, and import it at every operator: cluster-node slashing import FILE
  3. Wait until the validators have missed attestations for two epochs, then start the operators.
  Whoever keeps a copy of a keystore keeps the whole key: validators made by a ceremony do not have this weakness.";

#[derive(Debug, Args)]
pub(super) struct SplitArgs {
    /// EIP-2335 keystores, or folders with keystore*.json files.
    #[arg(required = true)]
    keystores: Vec<PathBuf>,
    /// File with the password of all keystores. Mode 0600 is required.
    #[arg(long, conflicts_with = "password_dir", required_unless_present = "password_dir")]
    password_file: Option<PathBuf>,
    /// Folder with one password file per keystore: the keystore's name with .txt instead of .json.
    #[arg(long)]
    password_dir: Option<PathBuf>,
    /// Registry of the network.
    #[arg(long)]
    registry: PathBuf,
    /// The committee: 4, 7, 10 or 13 operator ids, ascending, separated by commas.
    #[arg(long, value_delimiter = ',', required = true)]
    operators: Vec<OperatorId>,
    /// Who may ask for exits of these validators later. Without it nobody can.
    #[arg(long)]
    owner: Option<Address>,
    /// Where the validators' withdrawals go: an address, or `lido`.
    #[arg(long)]
    withdrawal_address: Option<String>,
    /// Who gets the fees of blocks. Without it: Lido's rewards vault for Lido's withdrawal vault, else the owner.
    #[arg(long)]
    fee_recipient: Option<Address>,
    /// Gas limit that builders are asked for.
    #[arg(long, default_value_t = DEFAULT_GAS_LIMIT)]
    gas_limit: u64,
    /// Folder for one share file per operator.
    #[arg(long, default_value = "split")]
    out: PathBuf,
    /// Says that the old validator client is stopped for good. Without it nothing is written.
    #[arg(long)]
    old_keys_are_stopped: bool,
}

#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// The share file of this operator, written by `cluster-node split`.
    file: PathBuf,
    #[command(flatten)]
    run: RunArgs,
}

pub(super) fn run(args: &SplitArgs) -> anyhow::Result<ExitCode> {
    let registry = registry_file::load(&args.registry)?;
    let committee = committee(&registry, &args.operators)?;
    let terms = terms(args, registry.network())?;
    eprintln!("{WARNING}");
    if !args.old_keys_are_stopped {
        bail!("nothing was written; when the old validator client is stopped for good, add --old-keys-are-stopped");
    }
    let keys = read_keystores(args)?;
    let files = split(&keys, terms, &committee, &mut OsRng)?;
    drop(keys);
    std::fs::create_dir_all(&args.out).with_context(|| format!("{} cannot be made", args.out.display()))?;
    for file in &files {
        let path = args.out.join(format!("share-operator-{}.json", file.operator_id));
        let text = serde_json::to_vec(file).context("a share file cannot be written")?;
        keys::write_private(&path, &text)?;
        println!("wrote {} for operator {}", path.display(), file.operator_id);
    }
    if let Some(file) = files.first() {
        println!("split {}: {} validators", to_hex(&file.transcript.id()), file.transcript.validators.len());
        println!("Give each operator its file and this id. With the node stopped, it runs: cluster-node import FILE");
    }
    Ok(ExitCode::SUCCESS)
}

fn committee(registry: &FileRegistry, ids: &[OperatorId]) -> anyhow::Result<Committee> {
    let member = |id: &OperatorId| match registry.operator(*id) {
        Some(entry) => Ok((*id, entry.public_key)),
        None => bail!("--operators names operator {id}, which is not registered"),
    };
    let members = ids.iter().map(member).collect::<anyhow::Result<Vec<_>>>()?;
    Committee::new(members).context("--operators")
}

fn terms(args: &SplitArgs, network: Network) -> anyhow::Result<Terms> {
    let withdrawal_address = match args.withdrawal_address.as_deref() {
        None => None,
        Some("lido") => Some(network.lido_withdrawal_vault()),
        Some(text) => Some(
            text.parse().with_context(|| format!("--withdrawal-address `{text}` is neither `lido` nor an address"))?,
        ),
    };
    let vault = network.lido_withdrawal_vault();
    let recipient = match (withdrawal_address, args.fee_recipient, args.owner) {
        // Lido's rule is no choice: another recipient of a Lido validator is a theft.
        (Some(address), Some(chosen), _) if address == vault && chosen != network.lido_el_rewards_vault() => {
            bail!("--fee-recipient {chosen}: validators of Lido pay to {}", network.lido_el_rewards_vault())
        }
        (_, Some(chosen), _) => chosen,
        (Some(address), None, owner) if address == vault => {
            fee_recipient(Some(network), address, owner.unwrap_or(address))
        }
        (_, None, Some(owner)) => owner,
        (_, None, None) => bail!("give --fee-recipient or --owner: somebody must get the fees"),
    };
    if recipient.is_zero() || args.owner.is_some_and(|owner| owner.is_zero()) {
        bail!("the zero address can be neither owner nor fee recipient");
    }
    let (owner, fee_recipient, gas_limit) = (args.owner, recipient, args.gas_limit);
    Ok(Terms { network, owner, withdrawal_address, fee_recipient, gas_limit })
}

fn read_keystores(args: &SplitArgs) -> anyhow::Result<Vec<bls::SecretKey>> {
    let paths = list(&args.keystores)?;
    let mut found = Vec::with_capacity(paths.len());
    for (at, path) in paths.iter().enumerate() {
        let password = match (&args.password_file, &args.password_dir) {
            (Some(file), _) => file.clone(),
            (None, Some(dir)) => dir.join(path.with_extension("txt").file_name().unwrap_or_default()),
            (None, None) => bail!("give --password-file or --password-dir"),
        };
        found.push(read_keystore(path, &password)?);
        eprintln!("opened {} ({} of {})", path.display(), at + 1, paths.len());
    }
    Ok(found)
}

fn list(given: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for path in given {
        if !path.is_dir() {
            paths.push(path.clone());
            continue;
        }
        let before = paths.len();
        let entries = std::fs::read_dir(path).with_context(|| format!("{} cannot be read", path.display()))?;
        for entry in entries {
            let file = entry.with_context(|| format!("{} cannot be read", path.display()))?.path();
            let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if name.starts_with("keystore") && name.ends_with(".json") {
                paths.push(file);
            }
        }
        if paths.len() == before {
            bail!("{} has no keystore*.json", path.display());
        }
    }
    paths.sort();
    if paths.len() > MAX_VALIDATORS {
        bail!("{} keystores are more than the {MAX_VALIDATORS} of one split", paths.len());
    }
    Ok(paths)
}

fn read_keystore(path: &Path, password_file: &Path) -> anyhow::Result<bls::SecretKey> {
    let text = read_bounded(path, KEYSTORE_BYTES)?;
    let keystore: Keystore =
        serde_json::from_str(&text).with_context(|| format!("{} is not a keystore (EIP-2335)", path.display()))?;
    let password = keys::read_password(password_file)?;
    let secret = password
        .expose(|password| keystore.decrypt(password))
        .with_context(|| format!("{} does not open", path.display()))?;
    let key = secret.expose(|bytes| {
        let bytes: Result<Zeroizing<[u8; 32]>, _> = <[u8; 32]>::try_from(bytes.as_slice()).map(Zeroizing::new);
        bytes.ok().and_then(|bytes| bls::SecretKey::from_bytes(&bytes).ok())
    });
    let Some(key) = key else { bail!("{} does not hold a validator key", path.display()) };
    let (named, found) = (keystore.pubkey().unwrap_or_default(), hex::encode(key.public_key().to_bytes()));
    let named = named.trim_start_matches("0x").to_lowercase();
    if !named.is_empty() && named != found {
        bail!("{} names the public key {named}, but holds the key of {found}", path.display());
    }
    Ok(key)
}

pub(super) fn import(args: &ImportArgs) -> anyhow::Result<ExitCode> {
    let config: OperatorConfig = config::load(args.run.config.as_deref(), &args.run.overrides()?)?;
    let registry = registry_file::load(&config.registry_file)?;
    let identity = keys::load_identity(&config.identity)?;
    let public_key = identity.public_key();
    let Some(me) = registry.operators().into_iter().find(|entry| entry.public_key == public_key) else {
        bail!("the key {public_key} is not that of an operator in {}", config.registry_file.display());
    };
    let text = read_bounded(&args.file, MAX_FILE_BYTES as u64)?;
    let file = ShareFile::from_json(&text).with_context(|| args.file.display().to_string())?;
    let imported = file
        .open(me.id, &identity, registry.network(), &registry, &mut OsRng)
        .with_context(|| args.file.display().to_string())?;
    let store = Store::open(&config.data_dir, &identity)?;
    store.import_shares(&imported.shares, &imported.entries)?;
    println!("split {}", to_hex(&file.transcript.id()));
    println!(
        "operator {} holds shares of {} validators; all operators must see the same id",
        me.id,
        imported.entries.len()
    );
    for entry in &imported.entries {
        println!("  {}", entry.pubkey);
    }
    let terms = &file.transcript.terms;
    println!("fee recipient {}", terms.fee_recipient);
    match terms.owner {
        Some(owner) => println!("owner {owner}, who may ask for exits"),
        None => println!("no owner: nobody can ask for exits of these validators"),
    }
    eprintln!("{WARNING}");
    Ok(ExitCode::SUCCESS)
}

fn read_bounded(path: &Path, limit: u64) -> anyhow::Result<Zeroizing<String>> {
    let length = std::fs::metadata(path).with_context(|| format!("{} cannot be read", path.display()))?.len();
    if length > limit {
        bail!("{} has {length} bytes; at most {limit} are expected", path.display());
    }
    Ok(Zeroizing::new(std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?))
}
