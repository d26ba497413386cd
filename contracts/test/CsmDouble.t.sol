// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import {Accounting} from "../src/csm-double/Accounting.sol";
import {CSModule} from "../src/csm-double/CSModule.sol";
import {IAccounting} from "../src/csm-double/interfaces/IAccounting.sol";
import {ICSModule} from "../src/csm-double/interfaces/ICSModule.sol";
import {CsmSystem} from "./utils/CsmSystem.sol";
import {vm} from "./utils/Vm.sol";

contract CsmDoubleTest is CsmSystem {
    // Operators

    function test_FirstOperatorHasIdZero() public {
        vm.expectEmit(true, true, true, true, address(csm.module));
        emit ICSModule.NodeOperatorAdded(0, manager, manager, false);
        assertEq(create(manager, 1), 0, "id");
        assertEq(create(stranger, 1), 1, "next id");
        ICSModule.NodeOperator memory operator = csm.module.getNodeOperator(0);
        vm.assertEq(operator.managerAddress, manager, "manager");
        assertEq(operator.totalAddedKeys, 1, "keys");
        assertEq(operator.totalVettedKeys, 1, "vetted optimistically");
        assertEq(operator.depositableValidatorsCount, 1, "depositable");
        assertEq(csm.module.getNodeOperatorsCount(), 2, "operators");
    }

    function test_BondCurvesOfTheThreeTypes() public view {
        Accounting accounting = csm.accounting;
        uint256[3] memory counts = [uint256(4), 25, 100];
        uint256[3] memory byDefault = [uint256(6.3 ether), 33.6 ether, 131.1 ether];
        uint256[3] memory ics = [uint256(5.4 ether), 32.7 ether, 130.2 ether];
        uint256[3] memory idvtc = [uint256(3 ether), 13.5 ether, 51 ether];
        for (uint256 i = 0; i < 3; ++i) {
            assertEq(accounting.getBondAmountByKeysCount(counts[i], 0), byDefault[i], "default");
            assertEq(accounting.getBondAmountByKeysCount(counts[i], 2), ics[i], "ICS");
            assertEq(accounting.getBondAmountByKeysCount(counts[i], 3), idvtc[i], "IDVTC");
        }
        assertEq(accounting.getBondAmountByKeysCount(0, 0), 0, "no keys");
        IAccounting.BondCurve memory curve = accounting.getCurveInfo(0);
        vm.assertTrue(curve.intervals[1].minKeysCount == 2 && curve.intervals[1].trend == 1.3 ether, "intervals");
    }

    function test_ManagerRewardAndExtendedPermissions() public {
        ICSModule.NodeOperatorManagementProperties memory safe =
            ICSModule.NodeOperatorManagementProperties(named("safe"), named("splitter"), true);
        (bytes memory publicKeys, bytes memory signatures) = keys(0, 1);
        vm.expectEmit(true, true, true, true, address(csm.module));
        emit ICSModule.ReferrerSet(0, stranger);
        vm.prank(manager);
        uint256 id = csm.permissionlessGate.addNodeOperatorETH{value: 2.4 ether}(1, publicKeys, signatures, safe, stranger);
        vm.assertEq(csm.module.getNodeOperatorOwner(id), named("safe"), "the manager owns");
        // The creator is not the manager, and cannot add.
        vm.expectRevert(ICSModule.SenderIsNotManagerAddress.selector);
        vm.prank(manager);
        csm.module.addValidatorKeysETH{value: 1.3 ether}(manager, id, 1, publicKeys, signatures);
    }

    function test_AddressesChangeInTwoSteps() public {
        uint256 id = create(manager, 1);
        vm.expectRevert(ICSModule.SenderIsNotManagerAddress.selector);
        vm.prank(stranger);
        csm.module.proposeNodeOperatorManagerAddressChange(id, stranger);
        vm.expectRevert(ICSModule.SenderIsNotRewardAddress.selector);
        vm.prank(stranger);
        csm.module.proposeNodeOperatorRewardAddressChange(id, stranger);
        vm.startPrank(manager);
        csm.module.proposeNodeOperatorManagerAddressChange(id, stranger);
        csm.module.proposeNodeOperatorRewardAddressChange(id, stranger);
        vm.expectRevert(ICSModule.SenderIsNotProposedAddress.selector);
        csm.module.confirmNodeOperatorManagerAddressChange(id);
        vm.expectRevert(ICSModule.SenderIsNotProposedAddress.selector);
        csm.module.confirmNodeOperatorRewardAddressChange(id);
        vm.stopPrank();
        vm.startPrank(stranger);
        csm.module.confirmNodeOperatorManagerAddressChange(id);
        csm.module.confirmNodeOperatorRewardAddressChange(id);
        ICSModule.NodeOperatorManagementProperties memory properties = csm.module.getNodeOperatorManagementProperties(id);
        vm.assertTrue(properties.managerAddress == stranger && properties.rewardAddress == stranger, "changed");
    }

    // Keys

    function test_KeysAreCheckedForLengthAndBond() public {
        uint256 id = create(manager, 1);
        (bytes memory publicKeys, bytes memory signatures) = keys(5, 2);
        uint256 bond = csm.accounting.getRequiredBondForNextKeys(id, 2);
        CSModule module = csm.module;
        vm.startPrank(manager);
        vm.expectRevert(ICSModule.InvalidAmount.selector);
        module.addValidatorKeysETH{value: bond - 1}(manager, id, 2, publicKeys, signatures);
        vm.expectRevert(ICSModule.InvalidLength.selector);
        module.addValidatorKeysETH{value: bond}(manager, id, 1, publicKeys, signatures);
        vm.expectRevert(ICSModule.InvalidLength.selector);
        module.addValidatorKeysETH{value: bond}(manager, id, 2, publicKeys, publicKeys);
        vm.expectRevert(ICSModule.InvalidKeysCount.selector);
        module.addValidatorKeysETH(manager, id, 0, "", "");
        vm.expectRevert(ICSModule.EmptyKey.selector);
        module.addValidatorKeysETH{value: bond}(manager, id, 2, new bytes(96), signatures);
        vm.expectRevert(ICSModule.NodeOperatorDoesNotExist.selector);
        module.addValidatorKeysETH{value: bond}(manager, 99, 2, publicKeys, signatures);
        vm.stopPrank();
        vm.expectRevert(ICSModule.SenderIsNotEligible.selector);
        vm.prank(stranger);
        module.addValidatorKeysETH{value: bond}(manager, id, 2, publicKeys, signatures);
        csm.parametersRegistry.setKeysLimit(0, 2);
        vm.expectRevert(ICSModule.KeysLimitExceeded.selector);
        vm.prank(manager);
        module.addValidatorKeysETH{value: bond}(manager, id, 2, publicKeys, signatures);
        vm.expectRevert(ICSModule.AccessDenied.selector);
        module.createNodeOperator(manager, own, address(0));
    }

    function test_NeitherSignaturesNorDuplicatesAreChecked() public {
        uint256 id = create(manager, 2);
        add(id, 0, 2);
        (bytes memory publicKeys, bytes memory signatures) = csm.module.getSigningKeysWithSignatures(id, 0, 4);
        assertEq(publicKeys.length, 4 * 48, "keys");
        assertEq(signatures.length, 4 * 96, "signatures");
        vm.assertEq(csm.module.getSigningKeys(id, 0, 2), csm.module.getSigningKeys(id, 2, 2), "the same keys twice");
        vm.expectRevert(ICSModule.SigningKeysInvalidOffset.selector);
        csm.module.getSigningKeys(id, 3, 2);
    }

    function test_ExcessBondPaysForNextKeys() public {
        uint256 id = create(manager, 1);
        vm.prank(stranger);
        csm.accounting.depositETH{value: 5 ether}(id);
        assertEq(csm.accounting.getRequiredBondForNextKeys(id, 3), 0, "covered");
        (bytes memory publicKeys, bytes memory signatures) = keys(5, 3);
        vm.prank(manager);
        csm.module.addValidatorKeysETH(manager, id, 3, publicKeys, signatures);
        assertEq(csm.module.getNodeOperator(id).depositableValidatorsCount, 4, "depositable");
        vm.expectRevert(IAccounting.InvalidAmount.selector);
        csm.accounting.depositETH(id);
        vm.expectRevert(IAccounting.SenderIsNotModule.selector);
        csm.accounting.depositETH(stranger, id);
    }

    function test_RemovalMovesTheLastKeyAndCharges() public {
        uint256 id = create(manager, 5);
        csm.module.deposit(1);
        vm.startPrank(manager);
        vm.expectRevert(ICSModule.SigningKeysInvalidOffset.selector);
        csm.module.removeKeys(id, 0, 1);
        vm.expectRevert(ICSModule.SigningKeysInvalidOffset.selector);
        csm.module.removeKeys(id, 4, 2);
        uint256 before = csm.accounting.getBond(id);
        vm.expectEmit(true, true, true, true, address(csm.module));
        emit ICSModule.SigningKeyRemoved(id, key(1));
        csm.module.removeKeys(id, 1, 1);
        vm.assertEq(csm.module.getSigningKeys(id, 1, 1), key(4), "the last one moved");
        assertEq(csm.module.getNodeOperator(id).totalAddedKeys, 4, "one less");
        vm.assertLe(before - csm.accounting.getBond(id) - 0.02 ether + 10, 20, "charged, but for rounding");
        vm.stopPrank();
        vm.expectRevert(ICSModule.SenderIsNotManagerAddress.selector);
        vm.prank(stranger);
        csm.module.removeKeys(id, 1, 1);
    }

    function test_ABadKeyHoldsUpAllBehindItUntilItIsRemoved() public {
        uint256 id = create(manager, 4);
        vm.expectEmit(true, true, true, true, address(csm.module));
        emit ICSModule.VettedSigningKeysCountDecreased(id);
        csm.module.decreaseVettedSigningKeysCount(id, 1);
        assertEq(csm.module.getNodeOperator(id).depositableValidatorsCount, 1, "one before the bad one");
        add(id, 10, 2);
        assertEq(csm.module.getNodeOperator(id).totalVettedKeys, 1, "new ones wait too");
        vm.prank(manager);
        csm.module.removeKeys(id, 1, 1);
        assertEq(csm.module.getNodeOperator(id).totalVettedKeys, 5, "all good");
        vm.expectRevert(ICSModule.InvalidKeysCount.selector);
        csm.module.decreaseVettedSigningKeysCount(id, 5);
    }

    // Queues

    function test_QueueIsFirstInFirstOut() public {
        create(manager, 2);
        create(stranger, 3);
        (uint128 head, uint128 tail) = csm.module.depositQueuePointers(5);
        assertEq(tail - head, 2, "two items");
        uint256 item = csm.module.depositQueueItem(5, head);
        assertEq(item >> 192, 0, "operator 0 first");
        assertEq(uint64(item >> 128), 2, "two keys");
        vm.expectEmit(true, true, true, true, address(csm.module));
        emit ICSModule.DepositedSigningKeysCountChanged(0, 2);
        vm.expectEmit(true, true, true, true, address(csm.module));
        emit ICSModule.DepositedSigningKeysCountChanged(1, 1);
        (bytes memory publicKeys,) = csm.module.deposit(3);
        assertEq(publicKeys.length, 3 * 48, "three keys");
        (head, tail) = csm.module.depositQueuePointers(5);
        assertEq(uint64(csm.module.depositQueueItem(5, head) >> 128), 2, "two of operator 1 are left");
        csm.module.deposit(10);
        (,,,,, uint256 exited, uint256 deposited, uint256 depositable) = csm.module.getNodeOperatorSummary(1);
        vm.assertTrue(exited == 0 && deposited == 3 && depositable == 0, "all deposited");
        assertEq(csm.module.getNodeOperator(1).enqueuedCount, 0, "none queued");
    }

    function test_VettedOperatorsGoFirst() public {
        create(stranger, 3);
        uint256 id = createVetted(csm.idvtcGate, 41);
        (uint128 head, uint128 tail) = csm.module.depositQueuePointers(1);
        assertEq(uint64(csm.module.depositQueueItem(1, head) >> 128), 40, "40 keys early");
        assertEq(tail - head, 1, "one item");
        csm.module.deposit(41);
        assertEq(csm.module.getNodeOperator(id).totalDepositedKeys, 40, "before the others");
        assertEq(csm.module.getNodeOperator(0).totalDepositedKeys, 1, "then first in, first out");
    }

    function test_UnbondedKeysAreSkippedAndComeBack() public {
        uint256 id = create(manager, 4);
        csm.module.reportGeneralDelayedPenalty(id, bytes32("wrong fee recipient"), 1 ether, "slot 77");
        assertEq(csm.accounting.getLockedBond(id), 1.1 ether, "locked with the fine");
        assertEq(csm.accounting.getUnbondedKeysCount(id), 1, "one is not covered");
        assertEq(csm.module.getNodeOperator(id).depositableValidatorsCount, 3, "not depositable");
        csm.module.deposit(10);
        assertEq(csm.module.getNodeOperator(id).totalDepositedKeys, 3, "three");
        assertEq(csm.module.getNodeOperator(id).enqueuedCount, 0, "skipped");
        csm.module.cancelPenalty(id, 1.1 ether);
        csm.module.updateDepositableValidatorsCount(id);
        assertEq(csm.module.getNodeOperator(id).enqueuedCount, 1, "queued again");
    }

    function test_TargetLimit() public {
        uint256 id = create(manager, 4);
        csm.module.updateTargetValidatorsLimits(id, 1, 2);
        assertEq(csm.module.getNodeOperator(id).depositableValidatorsCount, 2, "limited");
        csm.module.updateTargetValidatorsLimits(id, 0, 0);
        assertEq(csm.module.getNodeOperator(id).depositableValidatorsCount, 4, "not limited");
    }

    // The administrator, and what clients find the rest by

    function test_PauseAndTheAdminsFunctions() public {
        csm.module.pauseFor(1);
        (bytes memory publicKeys, bytes memory signatures) = keys(0, 1);
        vm.prank(manager);
        vm.expectRevert(ICSModule.ResumedExpected.selector);
        csm.permissionlessGate.addNodeOperatorETH{value: 2.4 ether}(1, publicKeys, signatures, own, address(0));
        vm.expectRevert(ICSModule.ResumedExpected.selector);
        csm.module.pauseFor(1);
        csm.module.resume();
        vm.expectRevert(ICSModule.PausedExpected.selector);
        csm.module.resume();
        vm.startPrank(stranger);
        vm.expectRevert(bytes4(keccak256("OnlyAdmin()")));
        csm.module.deposit(1);
        vm.expectRevert(bytes4(keccak256("OnlyAdmin()")));
        csm.watchers.requestExit(0, 1, "");
    }

    function test_ParametersAndLocator() public view {
        (uint256 lifetime, uint256 threshold) = csm.parametersRegistry.getStrikesParams(2);
        vm.assertTrue(lifetime == 6 && threshold == 4, "strikes");
        assertEq(csm.parametersRegistry.getAllowedExitDelay(3), 5 days, "exit delay");
        assertEq(csm.parametersRegistry.getCurveParameters(0).keyRemovalCharge, 0.02 ether, "removal");
        assertEq(csm.parametersRegistry.getRewardShareData(2)[1].minKeyNumber, 17, "reward share");
        assertEq(csm.parametersRegistry.getPerformanceLeewayData(2)[0].value, 500, "leeway");
        assertEq(csm.parametersRegistry.getMaxElWithdrawalRequestFee(0), 0.1 ether, "fee");
        assertEq(csm.parametersRegistry.getMaxWithdrawalRequestFee(0), 0.1 ether, "fee");
        assertEq(csm.accounting.getBondAmountByKeysCountWstETH(1, 0), 2.4 ether, "shares at par");
        (bool success, bytes memory result) = csm.locator.stakingRouter().staticcall(abi.encodeWithSignature("getWithdrawalCredentials()"));
        vm.assertTrue(success, "router");
        bytes32 expected = bytes32(uint256(1) << 248 | uint256(uint160(csm.locator.withdrawalVault())));
        vm.assertEq(abi.decode(result, (bytes32)), expected, "credentials");
    }

    /// What clients find the rest by.
    function test_ModuleNamesTheOthers() public {
        vm.assertEq(csm.module.LIDO_LOCATOR(), address(csm.locator), "locator");
        vm.assertEq(address(csm.module.ACCOUNTING()), address(csm.accounting), "accounting");
        vm.assertEq(address(csm.module.PARAMETERS_REGISTRY()), address(csm.parametersRegistry), "parameters");
        vm.assertEq(uint256(csm.module.getInitializedVersion()), csm.module.release(), "release");
        vm.assertEq(address(csm.accounting.LIDO()), address(csm.stETH), "stETH");
        vm.assertEq(address(csm.accounting.WSTETH()), address(csm.wstETH), "wstETH");
    }

    function test_UnknownCurve() public {
        vm.expectRevert(bytes4(keccak256("InvalidCurveId()")));
        csm.accounting.getBondAmountByKeysCount(1, 9);
    }

    function testFuzz_BondIsAlwaysCovered(uint256 first, uint256 more, uint256 rebase) public {
        first = bound(first, 1, 12);
        more = bound(more, 1, 12);
        uint256 id = create(manager, first);
        csm.stETH.rebase{value: bound(rebase, 0, 3 ether)}();
        add(id, 50, more);
        assertEq(csm.accounting.getUnbondedKeysCount(id), 0, "all covered");
        assertEq(csm.module.getNodeOperator(id).depositableValidatorsCount, first + more, "all depositable");
    }
}
