// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import {TransparentUpgradeableProxy} from "@openzeppelin/contracts/proxy/transparent/TransparentUpgradeableProxy.sol";
import {SafeStakeClusterNode} from "../src/SafeStakeClusterNode.sol";
import {SafeStakeNetwork} from "../src/SafeStakeNetwork.sol";
import {SafeStakeOperatorConfig} from "../src/SafeStakeOperatorConfig.sol";
import {SafeStakeRegistry} from "../src/SafeStakeRegistry.sol";
import {SafeStakeStorage} from "../src/SafeStakeStorage.sol";
import {vm} from "../test/utils/Vm.sol";
import {CsmDouble} from "./CsmDouble.sol";

/// Puts the contracts on a chain, behind proxies, and writes where they are. README.md lists the settings, which come from the environment.
///
/// On a chain with real money PROXY_OWNER and ADMIN have to be given and be other accounts than the one that deploys.
contract Deploy is CsmDouble {
    /// forge runs `run` of this contract.
    bool public constant IS_SCRIPT = true;

    struct Settings {
        address proxyOwner;
        address admin;
        address signer;
        address token;
        uint64 operatorFee;
        uint64 minimumBlocks;
        uint32 firstOperatorId;
        uint256 generateFee;
        uint256 exitFee;
        bool csmDouble;
        uint256 csmRelease;
        string file;
    }

    struct System {
        SafeStakeRegistry registry;
        SafeStakeNetwork network;
        SafeStakeClusterNode clusterNode;
        SafeStakeOperatorConfig operatorConfig;
        SafeStakeStorage store;
    }

    error SettingNeeded(string name);
    error SettingOutOfRange(string name);
    error NoDoubleOnThisChain(uint256 chainId);

    function run() external {
        Settings memory settings = read(msg.sender);
        vm.startBroadcast();
        System memory system = deploy(settings, msg.sender);
        Csm memory csm;
        if (settings.csmDouble) csm = deployCsmDouble(msg.sender, settings.csmRelease);
        vm.stopBroadcast();
        write(settings, system, csm);
    }

    function read(address deployer) public view returns (Settings memory settings) {
        settings.proxyOwner = vm.envOr("PROXY_OWNER", deployer);
        settings.admin = vm.envOr("ADMIN", deployer);
        settings.signer = vm.envOr("SIGNER", settings.admin);
        settings.token = vm.envOr("FEE_TOKEN", address(0));
        settings.operatorFee = uint64(inRange("OPERATOR_FEE", vm.envOr("OPERATOR_FEE", uint256(1 gwei)), 1e18));
        settings.minimumBlocks = uint64(inRange("MINIMUM_BLOCKS", vm.envOr("MINIMUM_BLOCKS", uint256(216_000)), 26_280_000));
        settings.firstOperatorId = uint32(inRange("FIRST_OPERATOR_ID", vm.envOr("FIRST_OPERATOR_ID", uint256(1)), 1));
        settings.generateFee = vm.envOr("GENERATE_FEE", uint256(0));
        settings.exitFee = vm.envOr("EXIT_FEE", uint256(0));
        settings.csmDouble = vm.envOr("CSM_DOUBLE", false);
        settings.csmRelease = vm.envOr("CSM_RELEASE", uint256(3));
        settings.file = vm.envOr("DEPLOYMENT_FILE", string.concat("deployments/", vm.toString(block.chainid), ".json"));
        if (settings.csmRelease != 2 && settings.csmRelease != 3) revert SettingOutOfRange("CSM_RELEASE");
        if (!isDevelopmentChain()) {
            if (settings.proxyOwner == deployer) revert SettingNeeded("PROXY_OWNER");
            if (settings.admin == deployer) revert SettingNeeded("ADMIN");
            if (settings.csmDouble) revert NoDoubleOnThisChain(block.chainid);
        }
    }

    /// Deploys, sets fees, and hands every role to those who are to have it.
    function deploy(Settings memory settings, address deployer) internal returns (System memory system) {
        system.registry = SafeStakeRegistry(proxy(settings, address(new SafeStakeRegistry(settings.firstOperatorId)), ""));
        bytes memory data = abi.encodeCall(
            SafeStakeNetwork.initialize, (address(system.registry), settings.token, settings.minimumBlocks, settings.operatorFee)
        );
        system.network = SafeStakeNetwork(payable(proxy(settings, address(new SafeStakeNetwork()), data)));
        data = abi.encodeCall(SafeStakeClusterNode.initialize, (settings.token, address(system.registry)));
        system.clusterNode = SafeStakeClusterNode(payable(proxy(settings, address(new SafeStakeClusterNode()), data)));
        data = abi.encodeCall(SafeStakeStorage.initialize, ());
        system.store = SafeStakeStorage(proxy(settings, address(new SafeStakeStorage()), data));
        data = abi.encodeCall(SafeStakeOperatorConfig.initialize, (address(system.store)));
        system.operatorConfig = SafeStakeOperatorConfig(proxy(settings, address(new SafeStakeOperatorConfig()), data));
        system.store.grantRole(system.store.NODE_ROLE(), address(system.operatorConfig));
        setFees(settings, system.clusterNode);
        handOver(settings, system, deployer);
    }

    function setFees(Settings memory settings, SafeStakeClusterNode clusterNode) private {
        uint8[] memory actions = new uint8[](2);
        (actions[0], actions[1]) = (1, 2);
        uint256[] memory fees = new uint256[](2);
        (fees[0], fees[1]) = (settings.generateFee, settings.exitFee);
        clusterNode.setActionFees(actions, fees);
    }

    function handOver(Settings memory settings, System memory system, address deployer) private {
        bytes32 adminRole = system.network.ADMIN_ROLE();
        bytes32 signerRole = system.network.SIGNER_ROLE();
        bytes32 nodeRole = system.network.NODE_ROLE();
        if (settings.signer != deployer) system.network.grantRole(signerRole, settings.signer);
        if (settings.admin == deployer) return;
        address[5] memory all = [
            address(system.registry),
            address(system.network),
            address(system.clusterNode),
            address(system.operatorConfig),
            address(system.store)
        ];
        for (uint256 i = 0; i < all.length; ++i) {
            SafeStakeStorage roles = SafeStakeStorage(all[i]);
            roles.grantRole(adminRole, settings.admin);
            roles.renounceRole(signerRole, deployer);
            roles.renounceRole(nodeRole, deployer);
            roles.renounceRole(adminRole, deployer);
        }
    }

    function proxy(Settings memory settings, address implementation, bytes memory data) private returns (address) {
        return address(new TransparentUpgradeableProxy(implementation, settings.proxyOwner, data));
    }

    /// Chains that are made for tests: of anvil and hardhat.
    function isDevelopmentChain() internal view returns (bool) {
        return block.chainid == 31_337 || block.chainid == 1337;
    }

    function inRange(string memory name, uint256 value, uint256 most) private pure returns (uint256) {
        if (value > most) revert SettingOutOfRange(name);
        return value;
    }

    function write(Settings memory settings, System memory system, Csm memory csm) private {
        string memory key = "deployment";
        vm.serializeUint(key, "chainId", block.chainid);
        vm.serializeUint(key, "block", block.number);
        vm.serializeAddress(key, "proxyOwner", settings.proxyOwner);
        vm.serializeAddress(key, "admin", settings.admin);
        vm.serializeAddress(key, "signer", settings.signer);
        vm.serializeAddress(key, "token", settings.token);
        vm.serializeAddress(key, "registry", address(system.registry));
        vm.serializeAddress(key, "network", address(system.network));
        vm.serializeAddress(key, "clusterNode", address(system.clusterNode));
        vm.serializeAddress(key, "operatorConfig", address(system.operatorConfig));
        string memory json = vm.serializeAddress(key, "storage", address(system.store));
        if (settings.csmDouble) json = vm.serializeString(key, "csm", csmJson(csm));
        vm.createDir("deployments", true);
        vm.writeJson(json, settings.file);
    }

    function csmJson(Csm memory csm) private returns (string memory) {
        string memory key = "csm";
        vm.serializeAddress(key, "stETH", address(csm.stETH));
        vm.serializeAddress(key, "wstETH", address(csm.wstETH));
        vm.serializeAddress(key, "parametersRegistry", address(csm.parametersRegistry));
        vm.serializeAddress(key, "module", address(csm.module));
        vm.serializeAddress(key, "accounting", address(csm.accounting));
        vm.serializeAddress(key, "feeDistributor", address(csm.feeDistributor));
        vm.serializeAddress(key, "permissionlessGate", address(csm.permissionlessGate));
        vm.serializeAddress(key, "icsGate", address(csm.icsGate));
        vm.serializeAddress(key, "idvtcGate", address(csm.idvtcGate));
        vm.serializeAddress(key, "watchers", address(csm.watchers));
        vm.serializeAddress(key, "depositContract", address(csm.depositContract));
        vm.serializeAddress(key, "withdrawalVault", csm.locator.withdrawalVault());
        vm.serializeAddress(key, "elRewardsVault", csm.locator.elRewardsVault());
        vm.serializeAddress(key, "stakingRouter", csm.locator.stakingRouter());
        return vm.serializeAddress(key, "locator", address(csm.locator));
    }
}
