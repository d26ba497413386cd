// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {IRoles} from "../src/interfaces/IRoles.sol";
import {IInitialized} from "../src/interfaces/IInitialized.sol";
import {SafeStakeStorage} from "../src/SafeStakeStorage.sol";
import {System} from "./utils/System.sol";
import {Vm, vm} from "./utils/Vm.sol";

/// Every role function of every contract, called with every role and by a stranger.
contract RolesTest is System {
    bytes32 internal constant ADMIN = keccak256("A");
    bytes32 internal constant NODE = keccak256("B");
    bytes32 internal constant SIGNER = keccak256("C");

    address[] internal contracts;
    address internal node;
    address internal signer;

    function setUp() public {
        deploySystem(address(0), 1);
        contracts = [address(registry), address(network), address(clusterNode), address(config), address(store)];
        node = named("node");
        signer = named("signer");
        vm.startPrank(admin);
        for (uint256 i = 0; i < contracts.length; ++i) {
            IAccessControl(contracts[i]).grantRole(NODE, node);
            IAccessControl(contracts[i]).grantRole(SIGNER, signer);
        }
        vm.stopPrank();
    }

    function test_InitialRoles() public view {
        for (uint256 i = 0; i < contracts.length; ++i) {
            IRoles roles = IRoles(contracts[i]);
            vm.assertTrue(roles.ADMIN_ROLE() == ADMIN && roles.NODE_ROLE() == NODE && roles.SIGNER_ROLE() == SIGNER, "values");
            IAccessControl access = IAccessControl(contracts[i]);
            vm.assertTrue(access.hasRole(ADMIN, admin), "admin");
            vm.assertEq(access.hasRole(SIGNER, admin), contracts[i] != address(registry), "all three but on the registry");
            vm.assertFalse(access.hasRole(bytes32(0), admin), "nobody has the role above all");
        }
        vm.assertTrue(registry.hasRole(NODE, address(network)), "the network calls the registry");
        vm.assertTrue(store.hasRole(NODE, address(config)), "the config calls the storage");
    }

    function test_X0_OnlyAnAdminGrantsRevokesAndHandsOver() public {
        address[3] memory others = [node, signer, stranger];
        bytes32[4] memory roles = [ADMIN, NODE, SIGNER, bytes32(0)];
        for (uint256 i = 0; i < contracts.length; ++i) {
            for (uint256 j = 0; j < others.length; ++j) {
                for (uint256 k = 0; k < roles.length; ++k) {
                    IAccessControl access = IAccessControl(contracts[i]);
                    vm.startPrank(others[j]);
                    expectCode("X0");
                    access.grantRole(roles[k], stranger);
                    expectCode("X0");
                    access.revokeRole(roles[k], admin);
                    expectCode("X0");
                    IRoles(contracts[i]).transferOwnership(roles[k], stranger);
                    vm.stopPrank();
                }
            }
        }
    }

    function test_AdminGrantsAndRevokesEveryRole() public {
        bytes32[3] memory roles = [ADMIN, NODE, SIGNER];
        for (uint256 i = 0; i < contracts.length; ++i) {
            for (uint256 k = 0; k < roles.length; ++k) {
                IAccessControl access = IAccessControl(contracts[i]);
                vm.startPrank(admin);
                access.grantRole(roles[k], stranger);
                vm.assertTrue(access.hasRole(roles[k], stranger), "granted");
                access.revokeRole(roles[k], stranger);
                vm.assertFalse(access.hasRole(roles[k], stranger), "revoked");
                expectCode("X0");
                access.grantRole(bytes32(0), stranger);
                vm.stopPrank();
            }
        }
    }

    function test_CheckRole() public {
        vm.prank(admin);
        network.checkRole(ADMIN);
        vm.prank(node);
        network.checkRole(NODE);
        vm.prank(signer);
        network.checkRole(SIGNER);
        expectCode("X0");
        vm.prank(node);
        network.checkRole(ADMIN);
        expectCode("X0");
        vm.prank(stranger);
        network.checkRole(SIGNER);
    }

    function test_X1_ZeroGetsNoRole() public {
        vm.startPrank(admin);
        for (uint256 i = 0; i < contracts.length; ++i) {
            expectCode("X1");
            IAccessControl(contracts[i]).grantRole(NODE, address(0));
            expectCode("X1");
            IRoles(contracts[i]).transferOwnership(ADMIN, address(0));
        }
    }

    function test_X2_TheLastAdminStays() public {
        vm.startPrank(admin);
        for (uint256 i = 0; i < contracts.length; ++i) {
            IAccessControl access = IAccessControl(contracts[i]);
            expectCode("X2");
            access.revokeRole(ADMIN, admin);
            expectCode("X2");
            access.renounceRole(ADMIN, admin);
            expectCode("X2");
            IRoles(contracts[i]).transferOwnership(ADMIN, admin);
            access.grantRole(ADMIN, stranger);
            access.renounceRole(ADMIN, admin);
            vm.assertTrue(access.hasRole(ADMIN, stranger) && !access.hasRole(ADMIN, admin), "another one stays");
        }
    }

    function test_TransferOwnershipMovesARole() public {
        vm.startPrank(admin);
        for (uint256 i = 0; i < contracts.length; ++i) {
            IAccessControl access = IAccessControl(contracts[i]);
            if (contracts[i] != address(registry)) {
                IRoles(contracts[i]).transferOwnership(SIGNER, stranger);
                vm.assertTrue(access.hasRole(SIGNER, stranger) && !access.hasRole(SIGNER, admin), "moved");
            }
            // What an admin has not, it cannot hand over.
            expectCode("X0");
            IRoles(contracts[i]).transferOwnership(SIGNER, owner);
            IRoles(contracts[i]).transferOwnership(ADMIN, stranger);
            vm.assertTrue(access.hasRole(ADMIN, stranger) && !access.hasRole(ADMIN, admin), "handed over");
        }
    }

    /// Every function that needs a role, called without it.
    function test_X0_FunctionsOfAdminAndNode() public {
        uint32[] memory ids = registerOperators(0, 4);
        (bytes[] memory publicShares, bytes[] memory encryptedShares) = shares(1, 4);
        bytes[] memory keys = validatorKeys(1, 1);
        bytes[11] memory onRegistry = [
            abi.encodeCall(registry.registerOperator, ("name", stranger, operatorKey(9))),
            abi.encodeCall(registry.verifyOperator, (stranger, true, true)),
            abi.encodeCall(registry.updateOperatorFee, (1)),
            abi.encodeCall(registry.registerValidator, (stranger, keys[0], ids, publicShares, encryptedShares)),
            abi.encodeCall(registry.registerValidators, (stranger, keys, ids)),
            abi.encodeCall(registry.replaceCommittee, (keys[0], ids)),
            abi.encodeCall(registry.removeValidator, (keys[0])),
            abi.encodeCall(registry.disableOwnerValidators, (owner)),
            abi.encodeCall(registry.enableOwnerValidators, (owner)),
            abi.encodeCall(registry.grantRole, (NODE, stranger)),
            abi.encodeCall(registry.revokeRole, (NODE, address(network)))
        ];
        for (uint256 i = 0; i < onRegistry.length; ++i) {
            refusedBy(address(registry), onRegistry[i]);
        }
        // An admin does what needs NODE as little as a stranger.
        for (uint256 i = 3; i < 7; ++i) {
            expectCode("X0");
            vm.prank(admin);
            called(address(registry), onRegistry[i]);
        }
        refusedBy(address(network), abi.encodeCall(network.withdrawNetworkEarnings, (1)));
        refusedBy(address(network), abi.encodeCall(network.setWhiteAddress, (stranger)));
        refusedBy(address(network), abi.encodeCall(network.updateMinimumBlocksValidatorPay, (1)));
        refusedBy(address(network), abi.encodeCall(network.updateNetworkFee, (1)));
        refusedBy(address(network), abi.encodeCall(network.updateTokenAddr, (address(0))));
        refusedBy(address(clusterNode), abi.encodeCall(clusterNode.setActionFees, (new uint8[](0), new uint256[](0))));
        refusedBy(address(clusterNode), abi.encodeCall(clusterNode.modifyFeeToken, (address(0))));
        refusedBy(address(clusterNode), abi.encodeCall(clusterNode.withdrawFees, (address(0), stranger, 0)));
        refusedBy(address(config), abi.encodeCall(config.setStorageAddress, (stranger)));
        refusedBy(address(store), abi.encodeCall(store.setAddress, (bytes32(0), stranger)));
        refusedBy(address(store), abi.encodeCall(store.deleteAddress, (bytes32(0))));
    }

    function refusedBy(address target, bytes memory data) internal {
        expectCode("X0");
        vm.prank(stranger);
        called(target, data);
        expectCode("X0");
        vm.prank(signer);
        called(target, data);
    }

    function called(address target, bytes memory data) internal {
        (bool success, bytes memory result) = target.call(data);
        if (!success) {
            assembly ("memory-safe") {
                revert(add(result, 32), mload(result))
            }
        }
    }

    /// Existing indexers look for the topic of `Initialized(uint8)`.
    function test_TheListedInitializedEventIsEmitted() public {
        address implementation = address(new SafeStakeStorage());
        vm.recordLogs();
        address created = proxy(implementation, abi.encodeCall(SafeStakeStorage.initialize, ()));
        Vm.Log[] memory logs = vm.getRecordedLogs();
        uint256 found;
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].emitter == created && logs[i].topics[0] == IInitialized.Initialized.selector) {
                vm.assertEq(logs[i].data, abi.encode(uint8(1)), "version");
                ++found;
            }
        }
        assertEq(found, 1, "once");
        vm.assertEq(
            IInitialized.Initialized.selector, 0x7f26b83ff96e1f2b6a682f133852f6798a09c465da95921460cefb3847402498, "the listed topic"
        );
    }
}
