//! The double of Lido's Community Staking Module, on the EVM.

use super::anvil::{sol_address, Anvil};
use super::chain_world::ADMIN;
use alloy_primitives::{Address as SolAddress, Bytes, U256};
use alloy_sol_types::{sol, SolValue};
use cluster_crypto::ethereum::Address;
use cluster_service::chain::ChainConfig;

sol! {
    struct Management {
        address managerAddress;
        address rewardAddress;
        bool extendedManagerPermissions;
    }

    function setAccounting(address accounting) external;
    function setGate(address gate, bool allowed) external;
    function deposit(uint256 count) external;
    function decreaseVettedSigningKeysCount(uint256 nodeOperatorId, uint256 vettedKeysCount) external;
    function updateTargetValidatorsLimits(uint256 nodeOperatorId, uint256 mode, uint256 limit) external;
    function reportWithdrawal(uint256 nodeOperatorId, uint256 keyIndex, uint256 exitBalance) external;
    function reportGeneralDelayedPenalty(uint256 nodeOperatorId, bytes32 penaltyType, uint256 amount, string details) external;
    function requestExit(uint256 nodeOperatorId, uint256 validatorIndex, bytes pubkey) external;
    function processExitDelay(uint256 nodeOperatorId, bytes pubkey) external;
    function addNodeOperatorETH(uint256 keysCount, bytes publicKeys, bytes signatures, Management managementProperties, address referrer) external payable returns (uint256);
}

/// Contracts of the double.
#[derive(Clone, Copy, Debug)]
pub struct Csm {
    pub module: Address,
    pub accounting: Address,
    pub gate: Address,
    pub idvtc_gate: Address,
    /// Exit bus, strikes and penalties in one.
    pub watchers: Address,
}

impl Csm {
    pub async fn deploy(anvil: &Anvil) -> Self {
        let deploy = |name: &'static str, arguments: Vec<u8>| anvil.deploy(ADMIN, name, arguments);
        let word = |address: Address| sol_address(address);
        let parameters = deploy("ParametersRegistry", Vec::new()).await;
        let module = deploy("CSModule", (word(ADMIN), word(parameters), U256::from(3)).abi_encode_params()).await;
        // Somebody holds the first shares.
        let first = U256::from(1_000_000_000_000_000_000u64);
        let steth = anvil.deploy_with(ADMIN, "StETH", Vec::new(), first).await;
        let wsteth = deploy("WstETH", word(steth).abi_encode()).await;
        let arguments = (word(ADMIN), word(module), word(steth), word(wsteth), word(parameters)).abi_encode_params();
        let accounting = deploy("Accounting", arguments).await;
        let gate = deploy("PermissionlessGate", word(module).abi_encode()).await;
        let idvtc_gate = deploy("VettedGate", (word(ADMIN), word(module), U256::from(3)).abi_encode_params()).await;
        let watchers = deploy("Watchers", (word(ADMIN), word(module)).abi_encode_params()).await;
        let csm = Self { module, accounting, gate, idvtc_gate, watchers };
        csm.admin(anvil, module, &setAccountingCall { accounting: word(accounting) }).await;
        csm.admin(anvil, module, &setGateCall { gate: word(gate), allowed: true }).await;
        csm
    }

    /// Makes a service read it.
    pub fn configure(&self, chain: &mut ChainConfig) {
        chain.csm_module = Some(self.module);
        chain.csm_module_id = Some(3);
        chain.csm_accounting = Some(self.accounting);
        chain.csm_permissionless_gate = Some(self.gate);
        chain.csm_idvtc_gate = Some(self.idvtc_gate);
        chain.csm_exit_penalties = Some(self.watchers);
        chain.lido_exit_bus = Some(self.watchers);
    }

    pub async fn admin<C: alloy_sol_types::SolCall>(&self, anvil: &Anvil, to: Address, call: &C) {
        anvil.call(ADMIN, to, call, U256::ZERO).await;
    }

    /// A new node operator with these keys and this bond, in tenths of an ether.
    pub async fn enter(&self, anvil: &Anvil, owner: Address, keys: &[[u8; 48]], bond_tenths: u64) {
        let call = addNodeOperatorETHCall {
            keysCount: U256::from(keys.len()),
            publicKeys: Bytes::from(keys.concat()),
            signatures: Bytes::from(vec![7; 96 * keys.len()]),
            managementProperties: Management {
                managerAddress: SolAddress::ZERO,
                rewardAddress: SolAddress::ZERO,
                extendedManagerPermissions: false,
            },
            referrer: SolAddress::ZERO,
        };
        let bond = U256::from(bond_tenths) * U256::from(100_000_000_000_000_000u64);
        anvil.call(owner, self.gate, &call, bond).await;
    }
}
