// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import {ERC1967Utils} from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Utils.sol";
import {ProxyAdmin} from "@openzeppelin/contracts/proxy/transparent/ProxyAdmin.sol";
import {ITransparentUpgradeableProxy} from "@openzeppelin/contracts/proxy/transparent/TransparentUpgradeableProxy.sol";
import {SafeStakeClusterNode} from "../src/SafeStakeClusterNode.sol";
import {SafeStakeNetwork} from "../src/SafeStakeNetwork.sol";
import {SafeStakeOperatorConfig} from "../src/SafeStakeOperatorConfig.sol";
import {SafeStakeRegistry} from "../src/SafeStakeRegistry.sol";
import {SafeStakeStorage} from "../src/SafeStakeStorage.sol";
import {System} from "./utils/System.sol";
import {vm} from "./utils/Vm.sol";

/// A later version: one more variable and function, at the cost of one slot of the gap.
contract NextNetwork is SafeStakeNetwork {
    uint256 public added;

    function setAdded(uint256 value) external onlyRole(ADMIN_ROLE) {
        added = value;
    }
}

/// The first released version, as the bytes that were compiled then (test/fixtures/v1), filled with state and upgraded to the present sources.
contract UpgradeTest is System {
    uint32[] internal ids;

    function setUp() public {
        deploySystem(address(0), 0);
    }

    /// Puts the first version behind a proxy.
    function useFirstVersion(address target, string memory name) internal {
        bytes memory code = vm.parseJsonBytes(vm.readFile(string.concat("test/fixtures/v1/", name, ".json")), ".creation");
        if (keccak256(bytes(name)) == keccak256("SafeStakeRegistry")) code = abi.encodePacked(code, abi.encode(uint32(0)));
        address implementation;
        assembly ("memory-safe") {
            implementation := create(0, add(code, 32), mload(code))
        }
        vm.assertTrue(implementation != address(0), "created");
        upgrade(target, implementation, "");
    }

    function upgrade(address target, address implementation, bytes memory data) internal {
        ProxyAdmin proxyAdmin = ProxyAdmin(address(uint160(uint256(vm.load(target, ERC1967Utils.ADMIN_SLOT)))));
        vm.prank(proxyOwner);
        proxyAdmin.upgradeAndCall(ITransparentUpgradeableProxy(target), implementation, data);
    }

    function allToFirstVersion() internal {
        useFirstVersion(address(registry), "SafeStakeRegistry");
        useFirstVersion(address(network), "SafeStakeNetwork");
        useFirstVersion(address(clusterNode), "SafeStakeClusterNode");
        useFirstVersion(address(config), "SafeStakeOperatorConfig");
        useFirstVersion(address(store), "SafeStakeStorage");
    }

    function fill() internal {
        ids = registerOperators(0, 5);
        registerValidator(owner, 1, committee(ids[0], ids[1], ids[2], ids[3]), PRICE * 200_000 + 9);
        registerValidator(owner, 2, committee(ids[1], ids[2], ids[3], ids[4]), PRICE * 2000);
        registerValidator(stranger, 3, committee(ids[0], ids[1], ids[2], ids[4]), PRICE * 100_000);
        vm.roll(block.number + 300);
        vm.prank(owner);
        network.removeValidator(oneKey(validatorKey(2)));
        vm.roll(block.number + 60_000);
        uint32 id = ids[1];
        bytes32 digest = claimDigest(operatorOwner(1), oneId(id), oneValue(1000), oneValue(50), block.number - 1, 5);
        vm.prank(operatorOwner(1));
        network.accountClaimFee(oneId(id), oneValue(1000), oneValue(50), block.number - 1, 5, signature(SIGNER_KEY, digest));
        vm.startPrank(admin);
        registry.verifyOperator(operatorOwner(2), true, true);
        registry.disableOwnerValidators(stranger);
        network.setWhiteAddress(stranger);
        vm.stopPrank();
        vm.startPrank(owner);
        clusterNode.registerClusterNode(operatorKey(500));
        config.setFeeRecipientAddress(address(0xFEE));
        config.setValidatorFeeRecipientAddress(validatorKey(1), address(0xF00));
        vm.stopPrank();
    }

    /// Everything that can be read, as one hash.
    function everything() internal view returns (bytes32 hash) {
        hash = keccak256(abi.encode(network.fundsHeld(), network._token(), network.whitelist(), network._minimumBlocksValidatorPay()));
        for (uint256 i = 0; i < 5; ++i) {
            (string memory name, bytes memory key, address account, uint32 index, uint32 count, bool active, bool dao, bool verified) =
                registry._operators(ids[i]);
            hash = keccak256(abi.encode(hash, name, key, account, index, count));
            hash = keccak256(abi.encode(hash, active, dao, verified, network.getOperatorEarningsById(ids[i])));
            (uint256 a, uint256 b, uint256 c, bool d) = network._operators(ids[i]);
            hash = keccak256(abi.encode(hash, a, b, c, d));
        }
        for (uint256 i = 1; i < 4; ++i) {
            (address account, uint32[] memory committee_, uint32 index, bytes memory key) = registry.validatorOf(validatorKey(i));
            (uint256 a, uint256 b, uint256 c, uint256 d, bool e) = network._validatorDatas(validatorKey(i));
            hash = keccak256(abi.encode(hash, account, committee_, index, key));
            hash = keccak256(abi.encode(hash, a, b, c, d, e));
        }
        return keccak256(abi.encode(hash, moreOfEverything()));
    }

    function moreOfEverything() internal view returns (bytes32 hash) {
        (uint32 count, bool disabled, bytes[] memory keys) = registry.ownerOf(stranger);
        (uint256 a, uint256 b, uint256 c, uint256 d) = network.self();
        (address account, bool active) = clusterNode.getClusterNode(operatorKey(500));
        hash = keccak256(abi.encode(count, disabled, keys, a, b, c, d, account, active));
        address perOwner = config.getFeeRecipientAddress(owner);
        address perValidator = config.getValidatorFeeRecipientAddress(owner, validatorKey(1));
        return keccak256(
            abi.encode(
                hash,
                perOwner,
                perValidator,
                network._claimNonce(5),
                network.hasRole(network.ADMIN_ROLE(), admin),
                network.hasRole(network.SIGNER_ROLE(), vm.addr(SIGNER_KEY)),
                registry.hasRole(registry.NODE_ROLE(), address(network)),
                registry._lastOperatorId(),
                registry._operatorFee()
            )
        );
    }

    function test_UpgradeFromTheFirstVersionKeepsEverything() public {
        allToFirstVersion();
        fill();
        bytes32 before = everything();
        upgrade(address(registry), address(new SafeStakeRegistry(7)), "");
        upgrade(address(network), address(new SafeStakeNetwork()), "");
        upgrade(address(clusterNode), address(new SafeStakeClusterNode()), "");
        upgrade(address(config), address(new SafeStakeOperatorConfig()), "");
        upgrade(address(store), address(new SafeStakeStorage()), "");
        vm.assertEq(everything(), before, "all that can be read");
        // And goes on: money of the first version comes back under the present one.
        vm.roll(block.number + 100);
        uint256 balance = owner.balance;
        vm.prank(owner);
        network.removeValidator(oneKey(validatorKey(1)));
        assertEq(owner.balance - balance, PRICE * (200_000 - 60_400) + 9, "refund");
        assertEq(registerOperators(9, 1)[0], 5, "ids go on");
        vm.expectRevert();
        network.initialize(address(registry), address(0), 1, 1);
    }

    function test_ALaterVersionAddsState() public {
        fill();
        bytes32 before = everything();
        upgrade(address(network), address(new NextNetwork()), "");
        vm.prank(admin);
        NextNetwork(payable(address(network))).setAdded(42);
        assertEq(NextNetwork(payable(address(network))).added(), 42, "new");
        vm.assertEq(everything(), before, "old");
    }

    function test_OnlyTheOwnerOfTheProxyAdminUpgrades() public {
        address implementation = address(new SafeStakeNetwork());
        ProxyAdmin proxyAdmin = ProxyAdmin(address(uint160(uint256(vm.load(address(network), ERC1967Utils.ADMIN_SLOT)))));
        address[3] memory others = [admin, stranger, owner];
        for (uint256 i = 0; i < others.length; ++i) {
            vm.prank(others[i]);
            vm.expectRevert();
            proxyAdmin.upgradeAndCall(ITransparentUpgradeableProxy(address(network)), implementation, "");
            vm.prank(others[i]);
            (bool success,) = address(network).call(abi.encodeCall(ITransparentUpgradeableProxy.upgradeToAndCall, (implementation, "")));
            vm.assertFalse(success, "not through the proxy either");
        }
    }

    function test_ImplementationsCannotBeSetUp() public {
        SafeStakeNetwork bare = new SafeStakeNetwork();
        vm.expectRevert();
        bare.initialize(address(registry), address(0), 1, 1);
        SafeStakeRegistry bareRegistry = new SafeStakeRegistry(0);
        vm.expectRevert();
        bareRegistry.initialize(1, stranger);
        SafeStakeClusterNode bareNode = new SafeStakeClusterNode();
        vm.expectRevert();
        bareNode.initialize(address(0), address(registry));
    }
}
