//! Who takes part in a simulation, and what the owner asks for.

use std::collections::BTreeMap;

use cluster_crypto::{
    ethereum::{Address, WalletKey},
    identity,
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::START;
use crate::{
    committee::OperatorId,
    network::Network,
    registry::FileRegistry,
    request::{Request, SignedRequest, DEPOSIT_AMOUNT_GWEI},
};

/// All keys of a scenario.
pub(super) struct Keys {
    operators: BTreeMap<OperatorId, identity::SecretKey>,
    cluster: identity::SecretKey,
    /// The owner's.
    pub(super) wallet: WalletKey,
}

impl Keys {
    /// The keys of the scenario with this seed.
    pub(super) fn generate(operators: usize, seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let operators = (1..=operators as u32)
            // Ids are neither dense nor equal to share indices, as in a real registry.
            .map(|index| (OperatorId(index * 7 + 3), identity::SecretKey::generate(&mut rng)))
            .collect();
        let cluster = identity::SecretKey::generate(&mut rng);
        Self { operators, cluster, wallet: WalletKey::generate(&mut rng) }
    }
}

/// A committee's keys, registry and an owner's request that it can check.
pub fn scenario(
    operators: usize,
    validators: u32,
    network: Network,
    seed: u64,
) -> Result<(BTreeMap<OperatorId, identity::SecretKey>, FileRegistry, SignedRequest), String> {
    let Keys { operators, cluster, wallet } = Keys::generate(operators, seed);
    let members: Vec<_> = operators.iter().map(|(id, key)| (*id, key.public_key())).collect();
    let registry = registry(network, &members, &cluster.public_key())?;
    let request = Request {
        chain_id: network.chain_id(),
        owner: wallet.address(),
        cluster_pubkey: cluster.public_key(),
        operator_ids: operators.keys().copied().collect(),
        validator_count: validators,
        withdrawal_address: Address([0x11; 20]),
        amount_gwei: DEPOSIT_AMOUNT_GWEI,
        nonce: seed,
        deadline: START.seconds() + 600,
        reshare: None,
    };
    let signature = wallet.sign_digest(&request.digest());
    Ok((operators, registry, SignedRequest::by_signature(request, signature)))
}

/// A registry of these operators and one gateway.
pub(super) fn registry(
    network: Network,
    operators: &[(OperatorId, identity::PublicKey)],
    gateway: &identity::PublicKey,
) -> Result<FileRegistry, String> {
    let mut text = format!("network = \"{}\"\n", network.name());
    for (id, public) in operators {
        text.push_str(&format!(
            "[[operators]]\nid = {}\nname = \"operator {}\"\npublic_key = \"{public}\"\naddresses = []\n",
            id.0, id.0
        ));
    }
    text.push_str(&format!("[[gateways]]\nname = \"gateway\"\npublic_key = \"{gateway}\"\naddresses = []\n"));
    FileRegistry::parse(&text).map_err(|error| error.to_string())
}
