//! A chain with a network on it: who is registered, and requests by events.

use alloy_primitives::{Address as SolAddress, Bytes, U256};
use alloy_sol_types::SolEvent;
use cluster_core::chain::{decode, Event, EventId, PubkeyBytes};
use cluster_core::network::Network;
use cluster_core::request::{EventLookup, EventRequest, SignedRequest};
use cluster_crypto::ethereum::{Address, WalletKey};
use cluster_node::config::ChainConfig;
use cluster_node::service_client::now_ms;
use ethers::core::types;
use serde_json::{json, Value};

use super::{
    approveCall, generateDepositDataCall, generateExitDataCall, getActionFeeCall, registerClusterNodeCall,
    registerOperatorCall, submitCall, verifyOperatorCall, wrapCall,
};
use super::{deploy::ADMIN_KEY, Anvil, Bond, Deployment, EvmError, Gate, Receipt, Rpc, Tools};
use crate::world::{Wanted, World};

/// Blocks that must follow one: enough that an event is not acted on in its own block.
const CONFIRMATIONS: u64 = 1;
/// Milliseconds between looks at the head; blocks come every second.
const POLL_MS: u64 = 250;
/// Ether of the owner's wallet, of which so much is staked, and half of that wrapped.
const OWNER_ETHER: u64 = 10_000;
const STAKED_ETHER: u64 = 200;
/// Ether of each operator's wallet.
const OPERATOR_ETHER: u64 = 10;
/// Of a validator, in wei.
const DEPOSIT_WEI: u128 = 32_000_000_000_000_000_000;
/// The number of the double among Lido's modules.
const MODULE_ID: u64 = 3;
/// The action "generate deposit data" in the contract's list of fees.
const GENERATE_DEPOSIT_DATA: u64 = 1;
const GENERATE_EXIT_DATA: u64 = 2;
/// Seconds between blocks once everybody is registered; until then every transaction has a block at once.
const BLOCK_S: u64 = 1;
/// Seconds between blocks of the past.
const OLD_BLOCK_S: u64 = 12;
/// Age of the newest block of the past, in seconds: readers take what is older in ranges.
const OLD_S: u64 = 1_200;

/// What a chain is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainOptions {
    /// The id of the first operator that registers: 0 or 1.
    pub first_operator_id: u32,
    /// Old blocks that follow the registrations, for readers to catch up with.
    pub old_blocks: u64,
    /// The way of the owner's keys to Lido's module.
    pub gate: Gate,
    /// What their bond is paid in.
    pub bond: Bond,
}

impl Default for ChainOptions {
    fn default() -> Self {
        Self { first_operator_id: 1, old_blocks: 0, gate: Gate::default(), bond: Bond::default() }
    }
}

/// A request that is on the chain.
#[derive(Clone, Debug)]
pub struct Requested {
    /// As operators derive it from its event.
    pub request: SignedRequest,
    /// The transaction.
    pub receipt: Receipt,
    /// Its fee, in wei.
    pub paid: U256,
}

/// An order to exit that is on the chain.
#[derive(Clone, Debug)]
pub struct Exited {
    /// Its event.
    pub event: EventId,
    /// The transaction.
    pub receipt: Receipt,
    /// Its fee, in wei.
    pub paid: U256,
}

/// A chain of our own on which a network is registered. It ends when this is dropped.
#[derive(Debug)]
pub struct Chain {
    anvil: Anvil,
    /// Calls and transactions.
    pub rpc: Rpc,
    /// Where the contracts are.
    pub deployment: Deployment,
    admin: WalletKey,
}

pub(super) fn ether(amount: u64) -> U256 {
    U256::from(amount) * U256::from(1_000_000_000_000_000_000u64)
}

fn sol(address: Address) -> SolAddress {
    SolAddress::from(address.0)
}

impl Chain {
    /// Starts anvil, deploys, and registers everybody of `world`, whose operator ids must begin with
    /// `options.first_operator_id`.
    pub async fn start(tools: &Tools, world: &World, options: ChainOptions) -> Result<Self, EvmError> {
        let past_s = if options.old_blocks == 0 { 0 } else { OLD_S + options.old_blocks * OLD_BLOCK_S };
        let anvil = Anvil::start(tools, past_s)?;
        let rpc = Rpc::new(anvil.url(), world.network.chain_id())?;
        let deployment = Deployment::make(tools, &rpc, anvil.url(), world.network, options.first_operator_id).await?;
        let key = hex::FromHex::from_hex(ADMIN_KEY).unwrap_or([1; 32]);
        let admin = WalletKey::from_bytes(&key)
            .map_err(|error| EvmError::Process { what: "the deployer's key", reason: error.to_string() })?;
        let chain = Self { anvil, rpc, deployment, admin };
        chain.register_operators(world).await?;
        chain.register_owner(world).await?;
        chain.grow_old(options.old_blocks).await?;
        let () = chain.rpc.ask("evm_setIntervalMining", json!([BLOCK_S])).await?;
        Ok(chain)
    }

    /// Makes blocks of the past, and goes on now.
    async fn grow_old(&self, blocks: u64) -> Result<(), EvmError> {
        if blocks == 0 {
            return Ok(());
        }
        let (count, apart) = (format!("{blocks:#x}"), format!("{OLD_BLOCK_S:#x}"));
        let () = self.rpc.ask("anvil_mine", json!([count, apart])).await?;
        let _set: Value = self.rpc.ask("evm_setTime", json!([now_ms() / 1_000])).await?;
        self.mine(1).await
    }

    /// URL of its JSON-RPC interface.
    #[must_use]
    pub fn url(&self) -> &str {
        self.anvil.url()
    }

    /// Who deployed, and has every role.
    #[must_use]
    pub fn admin(&self) -> &WalletKey {
        &self.admin
    }

    /// Each by a transaction of a wallet of its own: an owner of operators may own no validators.
    async fn register_operators(&self, world: &World) -> Result<(), EvmError> {
        for (id, key) in &world.operators {
            let Some(wallet) = world.operator_owners.get(id) else { continue };
            self.rpc.set_balance(wallet.address(), ether(OPERATOR_ETHER)).await?;
            let call = registerOperatorCall {
                owner: sol(wallet.address()),
                name: format!("testnet operator {id}"),
                publicKey: Bytes::copy_from_slice(&key.public_key().to_bytes()),
            };
            let receipt = self.rpc.send(wallet, self.deployment.network, &call, U256::ZERO).await?;
            let registered = receipt.logs.iter().find_map(|log| {
                let contract = self.deployment.contracts().which(&log.contract)?;
                match decode(contract, log) {
                    Ok(Some(Event::OperatorRegistered(registered))) => Some(registered.id),
                    _ => None,
                }
            });
            let what = "registerOperator".to_owned();
            let found = registered.ok_or(EvmError::NoEvent { what, event: "OperatorRegistration" })?;
            if found != *id {
                return Err(EvmError::OtherId { expected: id.0, found: found.0 });
            }
            let call = verifyOperatorCall { owner: sol(wallet.address()), fromDao: false, verified: true };
            self.rpc.send(&self.admin, self.deployment.registry, &call, U256::ZERO).await?;
        }
        Ok(())
    }

    /// The owner's cluster node, and a wallet with ether, stETH and wstETH.
    async fn register_owner(&self, world: &World) -> Result<(), EvmError> {
        let owner = &world.owner;
        self.rpc.set_balance(owner.address(), ether(OWNER_ETHER)).await?;
        let key = Bytes::copy_from_slice(&world.gateway.public_key().to_bytes());
        let call = registerClusterNodeCall { clusterNodePublicKey: key };
        self.rpc.send(owner, self.deployment.cluster_node, &call, U256::ZERO).await?;
        let csm = &self.deployment.csm;
        let call = submitCall { referral: SolAddress::ZERO };
        self.rpc.send(owner, csm.steth, &call, ether(STAKED_ETHER)).await?;
        let wrapped = ether(STAKED_ETHER / 2);
        let call = approveCall { spender: sol(csm.wsteth), amount: wrapped };
        self.rpc.send(owner, csm.steth, &call, U256::ZERO).await?;
        self.rpc.send(owner, csm.wsteth, &wrapCall { amount: wrapped }, U256::ZERO).await?;
        self.rpc.set_balance(owner.address(), ether(OWNER_ETHER)).await
    }

    /// Ether for a wallet of nobody's.
    pub async fn endow(&self, wallet: &WalletKey) -> Result<(), EvmError> {
        self.rpc.set_balance(wallet.address(), ether(OPERATOR_ETHER)).await
    }

    /// How nodes read it.
    #[must_use]
    pub fn node_config(&self, network: Network) -> ChainConfig {
        let deployment = &self.deployment;
        ChainConfig {
            urls: vec![self.anvil.socket_url(), self.url().to_owned()],
            network,
            registry: deployment.registry.to_string(),
            network_contract: deployment.network.to_string(),
            cluster_node: deployment.cluster_node.to_string(),
            operator_config: deployment.operator_config.to_string(),
            start_block: deployment.block,
            confirmations: CONFIRMATIONS,
            poll_ms: POLL_MS,
            ..ChainConfig::default()
        }
    }

    /// Makes a service read it.
    pub fn configure_service(&self, config: &mut cluster_service::Config) {
        let (deployment, csm) = (&self.deployment, &self.deployment.csm);
        config.app_rpc_url = Some(self.url().to_owned());
        config.chain = cluster_service::chain::ChainConfig {
            rpc_urls: vec![self.url().to_owned()],
            confirmations: CONFIRMATIONS,
            start_block: deployment.block,
            poll_ms: POLL_MS,
            registry_contract: Some(deployment.registry),
            network_contract: Some(deployment.network),
            cluster_node_contract: Some(deployment.cluster_node),
            operator_config_contract: Some(deployment.operator_config),
            csm_module: Some(csm.module),
            csm_module_id: Some(MODULE_ID),
            csm_accounting: Some(csm.accounting),
            csm_permissionless_gate: Some(csm.permissionless_gate),
            csm_ics_gate: Some(csm.ics_gate),
            csm_idvtc_gate: Some(csm.idvtc_gate),
            csm_exit_penalties: Some(csm.watchers),
            lido_exit_bus: Some(csm.watchers),
            deposit_contract: Some(csm.deposit_contract),
            lido_locator: Some(csm.locator),
            steth: Some(csm.steth),
            wsteth: Some(csm.wsteth),
            ..cluster_service::chain::ChainConfig::default()
        };
    }

    /// What an action of the ClusterNode contract costs for this many validators, in wei.
    pub async fn action_fee(&self, action: u64, validators: usize) -> Result<U256, EvmError> {
        let each = getActionFeeCall { action: U256::from(action) };
        Ok(self.rpc.read(self.deployment.cluster_node, &each).await? * U256::from(validators))
    }

    /// The owner asks for validators by a transaction with the exact fee.
    pub async fn request(&self, world: &World, wanted: &Wanted) -> Result<Requested, EvmError> {
        let fee = self.action_fee(GENERATE_DEPOSIT_DATA, usize::try_from(wanted.validators).unwrap_or(0)).await?;
        let call = generateDepositDataCall {
            clusterNodePublicKey: Bytes::copy_from_slice(&world.gateway.public_key().to_bytes()),
            owner: sol(world.owner.address()),
            ownerPubkey: Bytes::copy_from_slice(&world.owner.public_key_uncompressed()),
            validatorCount: U256::from(wanted.validators),
            operatorIds: wanted.operators.iter().map(|id| id.0).collect(),
            depositAmount: U256::from(DEPOSIT_WEI),
            withdrawAddress: sol(wanted.withdrawal_address),
        };
        let receipt = self.rpc.send(&world.owner, self.deployment.cluster_node, &call, fee).await?;
        let (event, found) = self.requests(&receipt).await?.into_iter().next().ok_or_else(|| EvmError::NoEvent {
            what: "generateDepositData".to_owned(),
            event: "ValidatorDepositDataGeneration",
        })?;
        Ok(Requested { request: SignedRequest::by_event(found.request, event), receipt, paid: fee })
    }

    /// The owner orders validators to leave, by a transaction with the exact fee.
    pub async fn exit(&self, world: &World, pubkeys: &[PubkeyBytes], epoch: u64) -> Result<Exited, EvmError> {
        self.exit_as(&world.owner, world, pubkeys, epoch).await
    }

    /// The same order by any wallet: the contract refuses who is not their owner.
    pub async fn exit_as(
        &self,
        wallet: &WalletKey,
        world: &World,
        pubkeys: &[PubkeyBytes],
        epoch: u64,
    ) -> Result<Exited, EvmError> {
        let call = generateExitDataCall {
            clusterNodePublicKey: Bytes::copy_from_slice(&world.gateway.public_key().to_bytes()),
            validatorPubKeys: pubkeys.iter().map(|key| Bytes::copy_from_slice(&key.0)).collect(),
            activeEpoch: U256::from(epoch),
        };
        let paid = self.action_fee(GENERATE_EXIT_DATA, pubkeys.len()).await?;
        let receipt = self.rpc.send(wallet, self.deployment.cluster_node, &call, paid).await?;
        let contracts = self.deployment.contracts();
        let mut events = contracts.event_ids(&receipt.logs).into_iter().zip(&receipt.logs);
        let event = events.find_map(|(id, log)| match decode(contracts.which(&log.contract)?, log) {
            Ok(Some(Event::ExitRequested(_))) => Some(id),
            _ => None,
        });
        let what = "generateExitData".to_owned();
        let event = event.ok_or(EvmError::NoEvent { what, event: "ValidatorExitDataGeneration" })?;
        Ok(Exited { event, receipt, paid })
    }

    /// What an event asks for, by the chain's own words.
    pub async fn look_up(&self, event: &EventId) -> Result<EventLookup, EvmError> {
        let receipt = self.rpc.receipt("a request", types::H256(event.transaction_hash.0)).await?;
        let found = self.requests(&receipt).await?.into_iter().find(|(id, _)| id == event);
        Ok(found.map_or(EventLookup::Unknown, |(_, found)| EventLookup::Found(Box::new(found))))
    }

    async fn requests(&self, receipt: &Receipt) -> Result<Vec<(EventId, EventRequest)>, EvmError> {
        let contracts = self.deployment.contracts();
        let block: types::Block<types::H256> =
            self.rpc.ask("eth_getBlockByHash", json!([types::H256(receipt.block.hash.0), false])).await?;
        let ids = contracts.event_ids(&receipt.logs);
        let request = |(id, log): (EventId, &cluster_core::chain::Log)| {
            let Ok(Some(Event::DepositDataRequested(requested))) = decode(contracts.which(&log.contract)?, log) else {
                return None;
            };
            let request = requested.request(&id, block.timestamp.as_u64());
            Some((id, EventRequest { request, block_number: receipt.block.number }))
        };
        Ok(ids.into_iter().zip(&receipt.logs).filter_map(request).collect())
    }

    /// Everything that an app or a script has to know, for `contracts.json`.
    #[must_use]
    pub fn description(&self, world: &World) -> Value {
        let mut described = serde_json::to_value(&self.deployment).unwrap_or_default();
        described["rpcUrl"] = json!(self.url());
        described["owner"] = json!(world.owner.address());
        described["clusterPubkey"] = json!(world.gateway.public_key());
        described["operators"] = json!(world.ids());
        described
    }
}

/// The first event of this kind in a receipt.
pub(super) fn find_event<E: SolEvent>(receipt: &Receipt, what: &str, event: &'static str) -> Result<E, EvmError> {
    let decoded = receipt.logs.iter().find_map(|log| E::decode_raw_log(log.topics.iter().copied(), &log.data).ok());
    decoded.ok_or_else(|| EvmError::NoEvent { what: what.to_owned(), event })
}
