// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import {SafeStakeNetwork} from "../src/SafeStakeNetwork.sol";
import {System} from "./utils/System.sol";
import {vm} from "./utils/Vm.sol";

/// An owner that calls back while it is being refunded.
contract Reentrant {
    SafeStakeNetwork internal immutable network;
    bytes internal again;
    bool public called;
    bool public succeeded;

    constructor(SafeStakeNetwork network_) {
        network = network_;
    }

    function remove(bytes[] calldata keys, bytes calldata again_) external {
        again = again_;
        network.removeValidator(keys);
    }

    receive() external payable {
        if (again.length == 0) return;
        called = true;
        (succeeded,) = address(network).call(again);
    }
}

contract SafeStakeNetworkReentrancyTest is System {
    uint32[] internal ids;

    function setUp() public {
        deploySystem(address(0), 1);
        ids = registerOperators(0, 4);
    }

    /// Every call that moves money, made from within a refund.
    function test_ReentrancyIsRefused() public {
        bytes[] memory second = oneKey(validatorKey(2));
        bytes[] memory calls = new bytes[](4);
        calls[0] = abi.encodeCall(network.removeValidator, (second));
        calls[1] = abi.encodeCall(network.deposit, (second, oneValue(1), 1));
        calls[2] = abi.encodeCall(network.withdrawNetworkEarnings, (1));
        calls[3] = abi.encodeCall(network.accountClaimFee, (ids, new uint256[](4), new uint256[](4), 1, 1, ""));
        for (uint256 i = 0; i < calls.length; ++i) {
            Reentrant attacker = new Reentrant(network);
            vm.deal(address(attacker), 1 ether);
            registerValidator(address(attacker), 10 + i, ids, PRICE * 1000);
            if (i == 0) registerValidator(address(attacker), 2, ids, PRICE * 1000);
            attacker.remove(oneKey(validatorKey(10 + i)), calls[i]);
            vm.assertTrue(attacker.called(), "called back");
            vm.assertFalse(attacker.succeeded(), "refused");
            vm.assertEq(network.fundsHeld(), address(network).balance, "accounts are right");
        }
        vm.assertTrue(registry.isValidatorOwner(registryOwnerOf(2), validatorKey(2)), "the second one is still there");
    }

    function registryOwnerOf(uint256 index) internal view returns (address account) {
        (account,) = registry.committeeOf(validatorKey(index));
    }
}
