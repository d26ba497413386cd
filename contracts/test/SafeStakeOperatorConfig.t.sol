// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import {ISafeStakeOperatorConfig} from "../src/interfaces/ISafeStakeOperatorConfig.sol";
import {ISafeStakeStorage} from "../src/interfaces/ISafeStakeStorage.sol";
import {System} from "./utils/System.sol";
import {vm} from "./utils/Vm.sol";

contract SafeStakeOperatorConfigTest is System {
    address internal constant VAULT = address(0x388C818CA8B9251b393131C08a736A67ccB19297);

    function setUp() public {
        deploySystem(address(0), 1);
    }

    function test_PerOwner() public {
        vm.assertEq(config.getFeeRecipientAddress(owner), address(0), "none yet");
        vm.expectEmit(true, true, true, true, address(config));
        emit ISafeStakeOperatorConfig.FeeRecipientAddressChanged(owner, VAULT);
        vm.prank(owner);
        config.setFeeRecipientAddress(VAULT);
        vm.assertEq(config.getFeeRecipientAddress(owner), VAULT, "set");
        vm.assertEq(config.getFeeRecipientAddress(stranger), address(0), "nobody else's");
        bytes32 key = keccak256(abi.encodePacked(owner, "FeeRecipientAddress"));
        vm.assertEq(config.generate_storage_key(owner), key, "key");
        vm.assertEq(store.getAddress(key), VAULT, "in the storage");
    }

    function test_PerValidatorGoesBeforePerOwner() public {
        vm.startPrank(owner);
        config.setFeeRecipientAddress(owner);
        vm.expectEmit(true, true, true, true, address(config));
        emit ISafeStakeOperatorConfig.ValidatorFeeRecipientAddressChanged(owner, validatorKey(1), VAULT);
        config.setValidatorFeeRecipientAddress(validatorKey(1), VAULT);
        vm.assertEq(config.getValidatorFeeRecipientAddress(owner, validatorKey(1)), VAULT, "its own");
        vm.assertEq(config.getValidatorFeeRecipientAddress(owner, validatorKey(2)), owner, "the owner's");
        // The owner's change leaves the Lido validator alone.
        config.setFeeRecipientAddress(address(0xCAFE));
        vm.assertEq(config.getValidatorFeeRecipientAddress(owner, validatorKey(1)), VAULT, "unchanged");
        config.setValidatorFeeRecipientAddresses(validatorKeys(2, 3), VAULT);
        vm.assertEq(config.getValidatorFeeRecipientAddress(owner, validatorKey(4)), VAULT, "several");
        config.clearValidatorFeeRecipientAddress(validatorKey(1));
        vm.assertEq(config.getValidatorFeeRecipientAddress(owner, validatorKey(1)), address(0xCAFE), "cleared");
    }

    function test_WhatAStrangerSetsHasNoEffect() public {
        vm.prank(stranger);
        config.setValidatorFeeRecipientAddress(validatorKey(1), stranger);
        vm.assertEq(config.getValidatorFeeRecipientAddress(owner, validatorKey(1)), address(0), "not the owner's");
        vm.assertEq(config.getValidatorFeeRecipientAddress(stranger, validatorKey(1)), stranger, "filed under the stranger");
    }

    function test_ZeroAndLengthsAreRefused() public {
        vm.startPrank(owner);
        vm.expectRevert(ISafeStakeOperatorConfig.ZeroFeeRecipient.selector);
        config.setFeeRecipientAddress(address(0));
        vm.expectRevert(ISafeStakeOperatorConfig.ZeroFeeRecipient.selector);
        config.setValidatorFeeRecipientAddress(validatorKey(1), address(0));
        vm.expectPartialRevert(ISafeStakeOperatorConfig.InvalidValidatorPublicKey.selector);
        config.setValidatorFeeRecipientAddress(new bytes(47), VAULT);
        vm.expectPartialRevert(ISafeStakeOperatorConfig.InvalidValidatorPublicKey.selector);
        config.clearValidatorFeeRecipientAddress(new bytes(49));
        vm.expectRevert(ISafeStakeOperatorConfig.EmptyList.selector);
        config.setValidatorFeeRecipientAddresses(new bytes[](0), VAULT);
    }

    function test_StorageIsWrittenByNodesOnly_AndNotWithZero() public {
        bytes32 key = config.generate_storage_key(owner);
        vm.startPrank(stranger);
        expectCode("X0");
        store.setAddress(key, stranger);
        expectCode("X0");
        store.deleteAddress(key);
        expectCode("X0");
        config.setStorageAddress(stranger);
        vm.stopPrank();
        vm.prank(address(config));
        vm.expectRevert(ISafeStakeStorage.ZeroAddress.selector);
        store.setAddress(key, address(0));
        vm.startPrank(admin);
        vm.expectRevert(ISafeStakeOperatorConfig.ZeroAddress.selector);
        config.setStorageAddress(address(0));
        config.setStorageAddress(stranger);
        vm.assertEq(config._storage(), stranger, "another storage");
        vm.expectRevert();
        config.initialize(address(store));
        vm.expectRevert();
        store.initialize();
    }
}
