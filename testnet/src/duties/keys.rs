//! The validators' keys: made by the operators in a ceremony, or well-known ones that are split. Either way every operator
//! has its shares in its database afterwards, and no file has a key. On a chain it has them there no more: it gets them
//! from its contracts.

use std::path::Path;

use cluster_core::certificate::Certificate;
use cluster_core::committee::{Committee, CommitteeError, OperatorId};
use cluster_core::network::Network;
use cluster_crypto::bls::{BlsError, SecretKey};
use cluster_crypto::ethereum::Address;
use cluster_node::split::{split, SplitError, Terms};
use cluster_node::store::{Source, Store, StoreError, DEFAULT_GAS_LIMIT};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use serde::Deserialize;

use super::observer::Watched;
use super::on_chain::OnChain;
use super::options::Options;
use super::setup::Files;
use crate::demo::{Demo, DemoError, Options as DemoOptions};
use crate::evm::ChainOptions;
use crate::lodestar::{interop_key, GenesisValidator};

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The ceremony.
    #[error("the ceremony failed: {0}")]
    Ceremony(#[from] DemoError),
    /// It ended without keys, or without receipts.
    #[error("the ceremony did not end with validators that are ready")]
    NotReady,
    /// What it left.
    #[error("the deposit data of the ceremony cannot be read: {0}")]
    Deposits(String),
    /// A well-known key.
    #[error("a well-known key cannot be made: {0}")]
    Interop(#[from] BlsError),
    /// The committee.
    #[error("the committee is refused: {0}")]
    Committee(#[from] CommitteeError),
    /// The registry.
    #[error("the registry is refused: {0}")]
    Registry(#[from] cluster_core::registry::RegistryError),
    /// The split.
    #[error("the keys cannot be split: {0}")]
    Split(#[from] SplitError),
    /// A database.
    #[error("an operator's shares cannot be stored: {0}")]
    Store(#[from] StoreError),
    /// What was erased is there.
    #[error("the shares that the ceremony left with operator {0} could not be erased")]
    NotErased(OperatorId),
}

/// The keys, and where their shares are to be had.
pub struct Made {
    /// Validators, in the order of their indices.
    pub keys: Vec<Key>,
    /// The chain that they are to be registered on; none: operators have their shares.
    pub chain: Option<OnChain>,
}

/// A validator of the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// For the genesis.
    pub genesis: GenesisValidator,
    /// For the observer.
    pub watched: Watched,
}

#[derive(Deserialize)]
struct Deposit {
    pubkey: String,
    withdrawal_credentials: String,
}

/// Makes the keys in the way that the options say. Takes seconds of one core, and no longer than the ceremony has patience.
pub async fn make(options: &Options, dir: &Path) -> Result<Made, KeysError> {
    if !options.split {
        return by_ceremony(options, dir).await;
    }
    let (options, dir) = (options.clone(), dir.to_owned());
    // A panic inside was reported by its hook.
    let keys = tokio::task::spawn_blocking(move || by_split(&options, &dir)).await;
    Ok(Made { keys: keys.unwrap_or(Err(KeysError::NotReady))?, chain: None })
}

/// Splits the first well-known keys, and imports every operator's shares.
fn by_split(options: &Options, dir: &Path) -> Result<Vec<Key>, KeysError> {
    let world = options.world();
    let keys: Vec<SecretKey> = (0..u64::from(options.validators)).map(interop_key).collect::<Result<_, BlsError>>()?;
    let members = world.operators.iter().map(|(id, key)| (*id, key.public_key())).collect();
    let vault = options.network.lido_withdrawal_vault();
    let terms = Terms {
        network: options.network,
        owner: Some(world.owner.address()),
        withdrawal_address: Some(vault),
        fee_recipient: options.network.lido_el_rewards_vault(),
        gas_limit: DEFAULT_GAS_LIMIT,
    };
    let mut rng = ChaCha20Rng::seed_from_u64(options.seed);
    let files = split(&keys, terms, &Committee::new(members)?, &mut rng)?;
    let registry = world.registry()?;
    for file in files {
        let operator = file.operator_id;
        let Some(identity) = world.operators.get(&operator) else { continue };
        let imported = file.open(operator, identity, options.network, &registry, &mut rng)?;
        let store = Store::open(&Files::of(dir, operator).data_dir, identity)?;
        store.import_shares(&imported.shares, &imported.entries)?;
    }
    let deposit = |key: &SecretKey| Deposit {
        pubkey: key.public_key().to_string(),
        withdrawal_credentials: format!("0x01{}{}", "0".repeat(22), hex::encode(vault.0)),
    };
    Ok(keys.iter().map(|secret| key(deposit(secret), options.network, world.owner.address())).collect())
}

/// Runs the ceremony and ends its network. A chain goes on.
async fn by_ceremony(options: &Options, dir: &Path) -> Result<Made, KeysError> {
    let demo = DemoOptions {
        transport: options.transport,
        chain: options.chain.then(ChainOptions::default),
        ..DemoOptions::new(options.network, options.operators, options.validators, options.seed)
    };
    let mut demo = Demo::start(demo, &dir.join("network")).await?;
    let finished = demo.run(&mut |_| {}).await;
    let owner = demo.testnet.world.owner.address();
    let chain = demo.testnet.chain().cloned();
    demo.shutdown().await;
    let finished = finished?;
    let files = finished.files.ok_or(KeysError::NotReady)?;
    let deposits: Vec<Deposit> =
        serde_json::from_str(&files.deposit_data).map_err(|error| KeysError::Deposits(error.to_string()))?;
    let keys = deposits.into_iter().map(|deposit| key(deposit, options.network, owner)).collect();
    let (Some(chain), Some(asked)) = (chain, finished.asked) else { return Ok(Made { keys, chain: None }) };
    let certificate = Certificate::from_json(&files.certificate).map_err(|error| DemoError::Ceremony(error.into()))?;
    erase(options, dir, &certificate)?;
    Ok(Made { keys, chain: Some(OnChain::new(chain, &certificate, &asked)) })
}

/// Takes from every operator what the ceremony left with it: an operator may lose its shares, and the contracts have them.
/// It still knows that the ceremony is over, so that the request on the chain begins no other.
fn erase(options: &Options, dir: &Path, certificate: &Certificate) -> Result<(), KeysError> {
    let source = Source::Ceremony(certificate.transcript.ceremony_id());
    for (operator, identity) in &options.world().operators {
        let store = Store::open(&Files::of(dir, *operator).data_dir, identity)?;
        store.erase_shares(&source)?;
        for validator in &certificate.transcript.validators {
            store.remove_validator(&validator.pubkey.to_bytes())?;
        }
        store.flush()?;
        if store.has_traces(&source)? || !store.validators()?.is_empty() {
            return Err(KeysError::NotErased(*operator));
        }
    }
    Ok(())
}

fn key(deposit: Deposit, network: Network, owner: Address) -> Key {
    let pubkey = format!("0x{}", deposit.pubkey.trim_start_matches("0x"));
    let credentials = format!("0x{}", deposit.withdrawal_credentials.trim_start_matches("0x"));
    // The last 20 bytes of the credentials are the address that withdrawals go to.
    let to_vault = credentials.ends_with(&hex::encode(network.lido_withdrawal_vault().0));
    let recipient = if to_vault { network.lido_el_rewards_vault() } else { owner };
    Key {
        watched: Watched { pubkey: pubkey.clone(), fee_recipient: recipient.0 },
        genesis: GenesisValidator { pubkey, withdrawal_credentials: Some(credentials) },
    }
}
