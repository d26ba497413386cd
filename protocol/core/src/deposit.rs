//! Deposits: the two containers, their roots, the signing domain, and the JSON file that the Ethereum
//! launchpad and Lido CSM read. Source: consensus-specs phase0 (`DepositMessage`, `DepositData`,
//! `compute_domain`, `compute_signing_root`).

use crate::network::Network;
use cluster_crypto::{bls, ethereum::Address};
use serde::{Deserialize, Serialize};
use tree_hash::TreeHash;
use tree_hash_derive::TreeHash;

/// `DOMAIN_DEPOSIT`.
pub const DOMAIN_DEPOSIT: [u8; 4] = [0x03, 0x00, 0x00, 0x00];
/// The `deposit_cli_version` of our files. Consumers compare it as a version number with the oldest
/// file layout that they accept; this is the layout that ours follow.
pub const DEPOSIT_CLI_VERSION: &str = "2.7.0";

/// What the validator key signs.
#[derive(Clone, Debug, PartialEq, Eq, TreeHash)]
pub struct DepositMessage {
    /// Validator key.
    pub pubkey: [u8; 48],
    /// Where withdrawals go.
    pub withdrawal_credentials: [u8; 32],
    /// Gwei.
    pub amount: u64,
}

/// What the deposit contract takes.
#[derive(Clone, Debug, PartialEq, Eq, TreeHash)]
pub struct DepositData {
    /// Validator key.
    pub pubkey: [u8; 48],
    /// Where withdrawals go.
    pub withdrawal_credentials: [u8; 32],
    /// Gwei.
    pub amount: u64,
    /// Signature by the validator key.
    pub signature: [u8; 96],
}

#[derive(TreeHash)]
struct ForkData {
    current_version: [u8; 4],
    genesis_validators_root: [u8; 32],
}

#[derive(TreeHash)]
struct SigningData {
    object_root: [u8; 32],
    domain: [u8; 32],
}

impl DepositMessage {
    /// The message for one validator with 0x01 credentials.
    pub fn new(pubkey: &bls::PublicKey, withdrawal_address: Address, amount_gwei: u64) -> Self {
        DepositMessage {
            pubkey: pubkey.to_bytes(),
            withdrawal_credentials: withdrawal_credentials(withdrawal_address),
            amount: amount_gwei,
        }
    }

    /// `hash_tree_root`.
    pub fn root(&self) -> [u8; 32] {
        self.tree_hash_root().0
    }

    /// The 32 bytes that the validator key signs on a network.
    pub fn signing_root(&self, network: Network) -> [u8; 32] {
        signing_root(self.root(), deposit_domain(network))
    }

    /// Adds the signature.
    pub fn with_signature(&self, signature: &bls::Signature) -> DepositData {
        DepositData {
            pubkey: self.pubkey,
            withdrawal_credentials: self.withdrawal_credentials,
            amount: self.amount,
            signature: signature.to_bytes(),
        }
    }
}

impl DepositData {
    /// `hash_tree_root`; the `deposit_data_root` that the deposit contract compares.
    pub fn root(&self) -> [u8; 32] {
        self.tree_hash_root().0
    }
}

/// 0x01 credentials: `01`, eleven zero bytes, the address.
pub fn withdrawal_credentials(address: Address) -> [u8; 32] {
    let mut credentials = [0u8; 32];
    credentials[0] = 0x01;
    credentials[12..].copy_from_slice(&address.0);
    credentials
}

/// The domain of deposits: genesis fork version and a zero genesis validators root, so that a deposit
/// made before genesis or after any fork is valid.
pub fn deposit_domain(network: Network) -> [u8; 32] {
    compute_domain(DOMAIN_DEPOSIT, network.genesis_fork_version(), [0; 32])
}

/// `compute_domain` of the consensus specification.
pub fn compute_domain(domain_type: [u8; 4], fork_version: [u8; 4], genesis_validators_root: [u8; 32]) -> [u8; 32] {
    let fork_data = ForkData { current_version: fork_version, genesis_validators_root };
    let root = fork_data.tree_hash_root().0;
    let mut domain = [0u8; 32];
    domain[..4].copy_from_slice(&domain_type);
    domain[4..].copy_from_slice(&root[..28]);
    domain
}

/// `compute_signing_root` of the consensus specification.
pub fn signing_root(object_root: [u8; 32], domain: [u8; 32]) -> [u8; 32] {
    SigningData { object_root, domain }.tree_hash_root().0
}

/// One entry of a `deposit_data-*.json` file, in the launchpad's layout: hex without `0x`, fields in
/// this order, the file being one array.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DepositDataJson {
    /// Validator key, 96 hex digits.
    pub pubkey: String,
    /// 64 hex digits.
    pub withdrawal_credentials: String,
    /// Gwei.
    pub amount: u64,
    /// Deposit signature, 192 hex digits.
    pub signature: String,
    /// `hash_tree_root(DepositMessage)`, 64 hex digits.
    pub deposit_message_root: String,
    /// `hash_tree_root(DepositData)`, 64 hex digits.
    pub deposit_data_root: String,
    /// Genesis fork version, 8 hex digits.
    pub fork_version: String,
    /// `mainnet` or `hoodi`.
    pub network_name: String,
    /// Version of the file layout.
    pub deposit_cli_version: String,
}

/// What is wrong with an entry of a deposit data file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DepositError {
    /// Not hex of the right length.
    #[error("{field}: expected {digits} lower-case hex digits without 0x")]
    NotHex {
        /// JSON field.
        field: &'static str,
        /// Digits expected.
        digits: usize,
    },
    /// Another value than it must be.
    #[error("{field}: expected {expected}, found {found}")]
    Mismatch {
        /// JSON field.
        field: &'static str,
        /// Correct value.
        expected: String,
        /// Value found, shortened when it is absurdly long.
        found: String,
    },
    /// Not a point of the right group.
    #[error("{field}: not a valid BLS12-381 {what}")]
    NotAPoint {
        /// JSON field.
        field: &'static str,
        /// Public key or signature.
        what: &'static str,
    },
    /// The validator key did not sign this deposit on this network.
    #[error("signature: not a signature by pubkey on this deposit for {network}")]
    BadSignature {
        /// The network.
        network: Network,
    },
    /// Empty, absurdly long or unprintable.
    #[error("deposit_cli_version: expected a version such as {DEPOSIT_CLI_VERSION}")]
    BadVersion,
}

impl DepositError {
    /// The JSON field that is wrong.
    pub fn field(&self) -> &'static str {
        match self {
            DepositError::NotHex { field, .. }
            | DepositError::Mismatch { field, .. }
            | DepositError::NotAPoint { field, .. } => field,
            DepositError::BadSignature { .. } => "signature",
            DepositError::BadVersion => "deposit_cli_version",
        }
    }
}

impl DepositDataJson {
    /// The entry for one signed deposit.
    pub fn new(network: Network, message: &DepositMessage, signature: &bls::Signature) -> Self {
        let data = message.with_signature(signature);
        DepositDataJson {
            pubkey: hex::encode(data.pubkey),
            withdrawal_credentials: hex::encode(data.withdrawal_credentials),
            amount: data.amount,
            signature: hex::encode(data.signature),
            deposit_message_root: hex::encode(message.root()),
            deposit_data_root: hex::encode(data.root()),
            fork_version: hex::encode(network.genesis_fork_version()),
            network_name: network.name().to_owned(),
            deposit_cli_version: DEPOSIT_CLI_VERSION.to_owned(),
        }
    }

    /// Recomputes every field from `pubkey`, `signature`, the network and the expected withdrawal
    /// address, and checks the BLS signature. One pairing check, about a millisecond.
    pub fn verify(&self, network: Network, withdrawal_address: Address) -> Result<(), DepositError> {
        same("network_name", network.name(), &self.network_name)?;
        same("fork_version", &hex::encode(network.genesis_fork_version()), &self.fork_version)?;
        let credentials = hex::encode(withdrawal_credentials(withdrawal_address));
        same("withdrawal_credentials", &credentials, &self.withdrawal_credentials)?;
        if self.amount != crate::request::DEPOSIT_AMOUNT_GWEI {
            let expected = crate::request::DEPOSIT_AMOUNT_GWEI.to_string();
            return Err(DepositError::Mismatch { field: "amount", expected, found: self.amount.to_string() });
        }
        let version = &self.deposit_cli_version;
        if version.is_empty()
            || version.len() > 64
            || !version.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
        {
            return Err(DepositError::BadVersion);
        }
        let pubkey = bls::PublicKey::from_bytes(&unhex::<48>("pubkey", &self.pubkey)?)
            .map_err(|_| DepositError::NotAPoint { field: "pubkey", what: "public key" })?;
        let signature = bls::Signature::from_bytes(&unhex::<96>("signature", &self.signature)?)
            .map_err(|_| DepositError::NotAPoint { field: "signature", what: "signature" })?;
        let message = DepositMessage::new(&pubkey, withdrawal_address, self.amount);
        same("deposit_message_root", &hex::encode(message.root()), &self.deposit_message_root)?;
        // The signature goes before the root that contains it, so that a changed signature is not
        // reported as a changed root.
        let signed = bls::HashedMessage::new(&message.signing_root(network));
        if !bls::verify(&pubkey, &signed, &signature) {
            return Err(DepositError::BadSignature { network });
        }
        same("deposit_data_root", &hex::encode(message.with_signature(&signature).root()), &self.deposit_data_root)
    }

    /// Compares with the entry that a certificate gives, field by field.
    pub(crate) fn compare(&self, expected: &DepositDataJson) -> Result<(), DepositError> {
        same("pubkey", &expected.pubkey, &self.pubkey)?;
        same("withdrawal_credentials", &expected.withdrawal_credentials, &self.withdrawal_credentials)?;
        same("amount", &expected.amount.to_string(), &self.amount.to_string())?;
        same("signature", &expected.signature, &self.signature)?;
        same("deposit_message_root", &expected.deposit_message_root, &self.deposit_message_root)?;
        same("deposit_data_root", &expected.deposit_data_root, &self.deposit_data_root)?;
        same("fork_version", &expected.fork_version, &self.fork_version)?;
        same("network_name", &expected.network_name, &self.network_name)?;
        same("deposit_cli_version", &expected.deposit_cli_version, &self.deposit_cli_version)
    }
}

fn same(field: &'static str, expected: &str, found: &str) -> Result<(), DepositError> {
    if expected == found {
        return Ok(());
    }
    let found = crate::encoding::shorten(found, 2 * 96);
    Err(DepositError::Mismatch { field, expected: expected.to_owned(), found })
}

/// Exactly `2 N` lower-case digits: consumers compare these strings as text.
fn unhex<const N: usize>(field: &'static str, text: &str) -> Result<[u8; N], DepositError> {
    let error = DepositError::NotHex { field, digits: 2 * N };
    let mut bytes = [0u8; N];
    if text.len() != 2 * N || text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(error);
    }
    hex::decode_to_slice(text, &mut bytes).map_err(|_| error)?;
    Ok(bytes)
}
