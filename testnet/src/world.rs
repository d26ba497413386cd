//! Everybody in a network, with generated keys: operators, gateway, bootstrap peer, owner.

use std::collections::BTreeMap;
use std::sync::Arc;

use cluster_core::chain::EventId;
use cluster_core::committee::OperatorId;
use cluster_core::network::Network;
use cluster_core::registry::{
    BootstrapEntry, FileRegistry, GatewayEntry, OperatorEntry, Registry, RegistryError, RegistryFile,
};
use cluster_core::request::{EventLookup, Request, SignedRequest, DEPOSIT_AMOUNT_GWEI};
use cluster_crypto::ethereum::{Address, WalletKey};
use cluster_crypto::identity;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

/// Ids begin above the largest position in a committee, so that a command line may name an operator by either.
pub const FIRST_ID: u32 = 101;
/// How long a request of the owner may start a ceremony, in seconds.
const REQUEST_VALID_S: u64 = 3_600;

/// The keys of a network. The same seed gives the same keys; they are worth nothing outside of a test network.
pub struct World {
    /// The Ethereum network that validators are made for.
    pub network: Network,
    /// Operators by id: 101, 102, ...
    pub operators: BTreeMap<OperatorId, identity::SecretKey>,
    /// Who owns each operator on a chain.
    pub operator_owners: BTreeMap<OperatorId, WalletKey>,
    /// The gateway's key, which is the cluster public key of requests.
    pub gateway: identity::SecretKey,
    /// The bootstrap peer's key.
    pub bootstrap: identity::SecretKey,
    /// The wallet that asks for validators.
    pub owner: WalletKey,
}

impl World {
    /// Generates everybody.
    #[must_use]
    pub fn generate(network: Network, operators: usize, seed: u64) -> Self {
        Self::generate_from(network, FIRST_ID, operators, seed)
    }

    /// The same with ids from `first_id` on: contracts choose ids by themselves.
    #[must_use]
    pub fn generate_from(network: Network, first_id: u32, operators: usize, seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let ids = || (first_id..).take(operators).map(OperatorId);
        Self {
            network,
            operators: ids().map(|id| (id, identity::SecretKey::generate(&mut rng))).collect(),
            gateway: identity::SecretKey::generate(&mut rng),
            bootstrap: identity::SecretKey::generate(&mut rng),
            owner: WalletKey::generate(&mut rng),
            operator_owners: ids().map(|id| (id, WalletKey::generate(&mut rng))).collect(),
        }
    }

    /// All operator ids, ascending.
    #[must_use]
    pub fn ids(&self) -> Vec<OperatorId> {
        self.operators.keys().copied().collect()
    }

    /// The operator that a command line means by `number`: its position, counted from 1, or its id.
    #[must_use]
    pub fn operator(&self, number: u32) -> Option<OperatorId> {
        let id = OperatorId(number);
        if self.operators.contains_key(&id) {
            return Some(id);
        }
        let position = usize::try_from(number).ok()?.checked_sub(1)?;
        self.operators.keys().nth(position).copied()
    }

    fn entries(&self) -> impl Iterator<Item = OperatorEntry> + '_ {
        self.operators.iter().map(|(id, key)| OperatorEntry {
            id: *id,
            name: format!("testnet operator {id}"),
            public_key: key.public_key(),
            owner: None,
            verified: true,
            from_dao: false,
            fee_gwei: None,
            addresses: Vec::new(),
        })
    }

    /// The registry as a file would have it. Operators have no addresses in it: they find each other through the
    /// bootstrap peer.
    #[must_use]
    pub fn registry_file(&self, bootstrap_addresses: Vec<String>) -> RegistryFile {
        RegistryFile {
            network: self.network,
            operators: self.entries().collect(),
            gateways: vec![GatewayEntry {
                name: "testnet gateway".to_owned(),
                public_key: self.gateway.public_key(),
                addresses: Vec::new(),
            }],
            bootstraps: vec![BootstrapEntry {
                public_key: self.bootstrap.public_key(),
                addresses: bootstrap_addresses,
            }],
        }
    }

    /// The registry, checked.
    pub fn registry(&self) -> Result<FileRegistry, RegistryError> {
        FileRegistry::try_from(self.registry_file(Vec::new()))
    }

    /// A request of the owner, signed.
    ///
    /// `now_s` is the time in Unix seconds; `nonce` must differ between the owner's requests.
    #[must_use]
    pub fn request(&self, wanted: &Wanted, nonce: u64, now_s: u64) -> SignedRequest {
        let request = Request {
            chain_id: self.network.chain_id(),
            owner: self.owner.address(),
            cluster_pubkey: self.gateway.public_key(),
            operator_ids: wanted.operators.clone(),
            validator_count: wanted.validators,
            withdrawal_address: wanted.withdrawal_address,
            amount_gwei: DEPOSIT_AMOUNT_GWEI,
            nonce,
            deadline: now_s + REQUEST_VALID_S,
            reshare: None,
        };
        let signature = self.owner.sign_digest(&request.digest());
        SignedRequest::by_signature(request, signature)
    }
}

/// Who is in the registry file, with one answer to questions about events.
#[derive(Clone, Debug)]
pub struct Everybody {
    file: Arc<FileRegistry>,
    found: EventLookup,
}

impl Everybody {
    /// `found` is the answer for every event.
    #[must_use]
    pub fn new(file: Arc<FileRegistry>, found: EventLookup) -> Self {
        Self { file, found }
    }
}

impl Registry for Everybody {
    fn operator(&self, id: OperatorId) -> Option<OperatorEntry> {
        self.file.operator(id)
    }

    fn operators(&self) -> Vec<OperatorEntry> {
        self.file.operators()
    }

    fn gateways(&self) -> Vec<GatewayEntry> {
        self.file.gateways()
    }

    fn bootstraps(&self) -> Vec<BootstrapEntry> {
        self.file.bootstraps()
    }

    fn event_request(&self, _event: &EventId) -> EventLookup {
        self.found.clone()
    }
}

/// What an owner asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The committee, ascending.
    pub operators: Vec<OperatorId>,
    /// Number of validators.
    pub validators: u32,
    /// Where withdrawals go.
    pub withdrawal_address: Address,
}

/// Reads a withdrawal address; `lido` is the network's Lido withdrawal vault.
pub fn withdrawal_address(text: &str, network: Network) -> Result<Address, String> {
    if text.eq_ignore_ascii_case("lido") {
        return Ok(network.lido_withdrawal_vault());
    }
    text.parse().map_err(|error| format!("--withdrawal-address must be an address or `lido`: {error}"))
}
