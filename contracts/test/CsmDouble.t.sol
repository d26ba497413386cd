// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import {CsmDouble} from "../script/CsmDouble.sol";
import {Accounting} from "../src/csm-double/Accounting.sol";
import {CSModule} from "../src/csm-double/CSModule.sol";
import {FeeDistributor} from "../src/csm-double/FeeDistributor.sol";
import {VettedGate} from "../src/csm-double/VettedGate.sol";
import {Watchers} from "../src/csm-double/Watchers.sol";
import {IAccounting} from "../src/csm-double/interfaces/IAccounting.sol";
import {ICSModule} from "../src/csm-double/interfaces/ICSModule.sol";
import {Test} from "./utils/Test.sol";
import {vm} from "./utils/Vm.sol";

contract CsmDoubleTest is Test, CsmDouble {
    uint256 internal constant MANAGER_KEY = 0xACE;
    ICSModule.NodeOperatorManagementProperties internal own;
    ICSModule.PermitInput internal noPermit;
    bytes32[] internal noProof;

    Csm internal csm;
    address internal manager;
    address internal stranger;

    function setUp() public {
        vm.deal(address(this), 1_000_000 ether);
        csm = deployCsmDouble(address(this), 3);
        manager = vm.addr(MANAGER_KEY);
        stranger = named("stranger");
        vm.deal(manager, 10_000 ether);
        vm.deal(stranger, 10_000 ether);
    }

    receive() external payable {}

    function keys(uint256 from, uint256 count) internal pure returns (bytes memory publicKeys, bytes memory signatures) {
        for (uint256 i = from; i < from + count; ++i) {
            bytes32 seed = keccak256(abi.encode(i));
            publicKeys = abi.encodePacked(publicKeys, seed, bytes16(seed));
            signatures = abi.encodePacked(signatures, seed, seed, ~seed);
        }
    }

    function key(uint256 index) internal pure returns (bytes memory publicKey) {
        (publicKey,) = keys(index, 1);
    }

    function create(address account, uint256 count) internal returns (uint256) {
        (bytes memory publicKeys, bytes memory signatures) = keys(0, count);
        uint256 bond = csm.accounting.getBondAmountByKeysCount(count, 0);
        vm.prank(account);
        return csm.permissionlessGate.addNodeOperatorETH{value: bond}(count, publicKeys, signatures, own, address(0));
    }

    function add(uint256 id, uint256 from, uint256 count) internal {
        (bytes memory publicKeys, bytes memory signatures) = keys(from, count);
        uint256 bond = csm.accounting.getRequiredBondForNextKeys(id, count);
        vm.prank(manager);
        csm.module.addValidatorKeysETH{value: bond}(manager, id, count, publicKeys, signatures);
    }

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

    // Gates

    function createVetted(VettedGate gate, uint256 count) internal returns (uint256) {
        // A tree of two leaves: the proof of one is the other.
        bytes32[] memory proof = new bytes32[](1);
        proof[0] = gate.hashLeaf(address(0xdead));
        bytes32 leaf = gate.hashLeaf(manager);
        bytes32 root = leaf < proof[0] ? keccak256(abi.encode(leaf, proof[0])) : keccak256(abi.encode(proof[0], leaf));
        gate.setTreeParams(root, "cid");
        (bytes memory publicKeys, bytes memory signatures) = keys(0, count);
        uint256 bond = csm.accounting.getBondAmountByKeysCount(count, gate.curveId());
        vm.prank(manager);
        return gate.addNodeOperatorETH{value: bond}(count, publicKeys, signatures, own, proof, address(0));
    }

    function test_VettedGateTakesAProofOnce() public {
        uint256 id = createVetted(csm.icsGate, 4);
        assertEq(csm.accounting.getBondCurveId(id), 2, "curve");
        vm.assertTrue(csm.icsGate.isConsumed(manager), "consumed");
        (bytes memory publicKeys, bytes memory signatures) = keys(0, 1);
        vm.expectRevert(VettedGate.AlreadyConsumed.selector);
        vm.prank(manager);
        csm.icsGate.addNodeOperatorETH{value: 1.5 ether}(1, publicKeys, signatures, own, noProof, address(0));
        vm.expectRevert(VettedGate.InvalidProof.selector);
        vm.prank(stranger);
        csm.icsGate.addNodeOperatorETH{value: 1.5 ether}(1, publicKeys, signatures, own, noProof, address(0));
    }

    function test_ClaimOfABondCurve() public {
        uint256 id = create(manager, 4);
        csm.idvtcGate.setTreeParams(csm.idvtcGate.hashLeaf(manager), "cid");
        vm.expectRevert(VettedGate.NotAllowedToClaim.selector);
        csm.idvtcGate.claimBondCurve(id, noProof);
        vm.prank(manager);
        csm.idvtcGate.claimBondCurve(id, noProof);
        (uint256 current, uint256 required) = csm.accounting.getBondSummary(id);
        assertEq(required, 3 ether, "less is needed");
        vm.assertGe(current, 6.3 ether - 10, "the bond is there");
        vm.expectRevert(IAccounting.SenderIsNotEligible.selector);
        vm.prank(stranger);
        csm.accounting.setBondCurve(id, 3);
    }

    // stETH and wstETH

    function test_StETHBondWithAllowanceAndWithPermit() public {
        csm.stETH.rebase{value: 0.3 ether}();
        vm.prank(manager);
        csm.stETH.submit{value: 20 ether}(address(0));
        (bytes memory publicKeys, bytes memory signatures) = keys(0, 2);
        vm.prank(manager);
        vm.expectRevert();
        csm.permissionlessGate.addNodeOperatorStETH(2, publicKeys, signatures, own, noPermit, address(0));
        ICSModule.PermitInput memory permit = stETHPermit(10 ether);
        vm.prank(manager);
        uint256 id = csm.permissionlessGate.addNodeOperatorStETH(2, publicKeys, signatures, own, permit, address(0));
        (uint256 current, uint256 required) = csm.accounting.getBondSummary(id);
        vm.assertGe(current + 10, required, "covered");
        vm.startPrank(manager);
        csm.stETH.approve(address(csm.accounting), 10 ether);
        csm.module.addValidatorKeysStETH(manager, id, 2, publicKeys, signatures, noPermit);
        assertEq(csm.module.getNodeOperator(id).depositableValidatorsCount, 4, "depositable");
    }

    function stETHPermit(uint256 value) internal view returns (ICSModule.PermitInput memory) {
        bytes32 content = keccak256(
            abi.encode(
                keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"),
                manager,
                address(csm.accounting),
                value,
                csm.stETH.nonces(manager),
                block.timestamp
            )
        );
        (uint8 v, bytes32 r, bytes32 s) =
            vm.sign(MANAGER_KEY, keccak256(abi.encodePacked("\x19\x01", csm.stETH.DOMAIN_SEPARATOR(), content)));
        return ICSModule.PermitInput(value, block.timestamp, v, r, s);
    }

    function wstETHPermit(uint256 value) internal view returns (ICSModule.PermitInput memory) {
        bytes32 content = keccak256(
            abi.encode(
                keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"),
                manager,
                address(csm.accounting),
                value,
                csm.wstETH.nonces(manager),
                block.timestamp
            )
        );
        (uint8 v, bytes32 r, bytes32 s) =
            vm.sign(MANAGER_KEY, keccak256(abi.encodePacked("\x19\x01", csm.wstETH.DOMAIN_SEPARATOR(), content)));
        return ICSModule.PermitInput(value, block.timestamp, v, r, s);
    }

    function test_WstETHBondWithPermitAndAllowance() public {
        csm.stETH.rebase{value: 0.3 ether}();
        vm.startPrank(manager);
        csm.stETH.submit{value: 20 ether}(address(0));
        csm.stETH.approve(address(csm.wstETH), 20 ether);
        csm.wstETH.wrap(15 ether);
        (bytes memory publicKeys, bytes memory signatures) = keys(0, 2);
        uint256 id = csm.permissionlessGate.addNodeOperatorWstETH(2, publicKeys, signatures, own, wstETHPermit(5 ether), address(0));
        csm.wstETH.approve(address(csm.accounting), 10 ether);
        csm.module.addValidatorKeysWstETH(manager, id, 1, publicKeys_(1), signatures_(1), noPermit);
        (uint256 current, uint256 required) = csm.accounting.getBondSummary(id);
        vm.assertGe(current + 10, required, "covered");
        assertEq(csm.module.getNodeOperator(id).depositableValidatorsCount, 3, "depositable");
    }

    function publicKeys_(uint256 count) internal pure returns (bytes memory list) {
        (list,) = keys(7, count);
    }

    function signatures_(uint256 count) internal pure returns (bytes memory list) {
        (, list) = keys(7, count);
    }

    function test_VettedGatesTakeStETHAndWstETH() public {
        vm.startPrank(stranger);
        csm.stETH.submit{value: 50 ether}(address(0));
        csm.stETH.approve(address(csm.accounting), 50 ether);
        vm.stopPrank();
        csm.icsGate.setTreeParams(csm.icsGate.hashLeaf(stranger), "cid");
        csm.idvtcGate.setTreeParams(csm.idvtcGate.hashLeaf(stranger), "cid");
        (bytes memory publicKeys, bytes memory signatures) = keys(0, 2);
        vm.startPrank(stranger);
        uint256 id = csm.icsGate.addNodeOperatorStETH(2, publicKeys, signatures, own, noPermit, noProof, address(0));
        assertEq(csm.module.getNodeOperator(id).depositableValidatorsCount, 2, "ICS");
        csm.stETH.approve(address(csm.wstETH), 30 ether);
        csm.wstETH.wrap(20 ether);
        csm.wstETH.approve(address(csm.accounting), 20 ether);
        id = csm.idvtcGate.addNodeOperatorWstETH(2, publicKeys, signatures, own, noPermit, noProof, address(0));
        assertEq(csm.module.getNodeOperator(id).depositableValidatorsCount, 2, "IDVTC");
    }

    // Penalties, exits, rewards

    function test_PenaltiesOfBothReleases() public {
        uint256 id = create(manager, 2);
        csm.module.reportGeneralDelayedPenalty(id, bytes32("x"), 0.2 ether, "");
        uint256 shares = csm.accounting.getBondShares(id);
        vm.expectEmit(true, true, true, true, address(csm.module));
        emit ICSModule.GeneralDelayedPenaltySettled(id, 0.3 ether);
        csm.module.settlePenalty(id);
        assertEq(shares - csm.accounting.getBondShares(id), 0.3 ether, "burnt, at par");
        csm = deployCsmDouble(address(this), 2);
        id = create(manager, 2);
        vm.expectEmit(true, true, true, true, address(csm.module));
        emit ICSModule.ELRewardsStealingPenaltyReported(id, bytes32("block"), 0.2 ether);
        csm.module.reportELRewardsStealingPenalty(id, bytes32("block"), 0.2 ether);
        csm.module.cancelPenalty(id, 0.1 ether);
        assertEq(csm.accounting.getActualLockedBond(id), 0.2 ether, "what is left");
        csm.module.settlePenalty(id);
        csm.module.deposit(1);
        vm.expectEmit(true, true, true, true, address(csm.module));
        emit ICSModule.WithdrawalSubmitted(id, 0, 32 ether, key(0));
        csm.module.reportWithdrawal(id, 0, 32 ether);
    }

    function test_ALockEndsAfterEightWeeks() public {
        uint256 id = create(manager, 2);
        csm.module.reportGeneralDelayedPenalty(id, bytes32("x"), 0.2 ether, "");
        vm.warp(block.timestamp + 8 weeks);
        assertEq(csm.accounting.getLockedBond(id), 0, "over");
    }

    function test_WithdrawalBelow32EtherTakesFromTheBond_AndDebtIsPaidFirst() public {
        uint256 id = create(manager, 1);
        csm.module.deposit(1);
        csm.module.reportWithdrawal(id, 0, 29 ether);
        vm.assertTrue(csm.module.isValidatorWithdrawn(id, 0), "withdrawn");
        assertEq(csm.accounting.getBond(id), 0, "all of it");
        uint256 debt = csm.accounting.getBondDebt(id);
        vm.assertTrue(debt >= 0.6 ether && debt < 0.6 ether + 20, "the rest is owed");
        csm.accounting.depositETH{value: 1 ether}(id);
        vm.assertLe(csm.accounting.getBondDebt(id), 10, "paid, but for rounding");
        vm.expectRevert(ICSModule.SigningKeysInvalidOffset.selector);
        csm.module.reportWithdrawal(id, 0, 32 ether);
    }

    function test_RewardsAreClaimedWithAProof() public {
        uint256 id = create(manager, 1);
        csm.stETH.submit{value: 10 ether}(address(0));
        csm.stETH.transferShares(address(csm.feeDistributor), 5 ether);
        FeeDistributor distributor = csm.feeDistributor;
        bytes32[] memory proof = new bytes32[](1);
        proof[0] = distributor.hashLeaf(99, 1);
        bytes32 leaf = distributor.hashLeaf(id, 3 ether);
        bytes32 root = leaf < proof[0] ? keccak256(abi.encode(leaf, proof[0])) : keccak256(abi.encode(proof[0], leaf));
        distributor.processOracleReport(root, "tree", "log");
        uint256 claimable = csm.accounting.getClaimableRewardsAndBondShares(id, 3 ether, proof);
        vm.assertTrue(claimable <= 3 ether && claimable >= 3 ether - 10, "claimable");
        vm.expectRevert(FeeDistributor.InvalidProof.selector);
        csm.accounting.getClaimableRewardsAndBondShares(id, 4 ether, proof);
        vm.expectRevert(IAccounting.SenderIsNotEligible.selector);
        csm.accounting.claimRewardsStETH(id, 1, 3 ether, proof);
        vm.startPrank(manager);
        csm.accounting.setCustomRewardsClaimer(id, stranger);
        csm.accounting.claimRewardsStETH(id, 1 ether, 3 ether, proof);
        vm.stopPrank();
        vm.assertGe(csm.stETH.balanceOf(manager), 1 ether - 10, "paid to the reward address");
        vm.startPrank(stranger);
        csm.accounting.claimRewardsWstETH(id, 0.5 ether, 3 ether, proof);
        vm.assertGe(csm.wstETH.balanceOf(manager), 0.5 ether - 10, "as wstETH");
        csm.accounting.claimRewardsUnstETH(id, type(uint256).max, 3 ether, proof);
        vm.expectRevert(IAccounting.InvalidAmount.selector);
        csm.accounting.claimRewardsStETH(id, type(uint256).max, 3 ether, proof);
    }

    function test_RewardsArePulledByAnybody() public {
        uint256 id = create(manager, 1);
        csm.stETH.submit{value: 10 ether}(address(0));
        csm.stETH.transferShares(address(csm.feeDistributor), 5 ether);
        csm.feeDistributor.processOracleReport(csm.feeDistributor.hashLeaf(id, 2 ether), "tree", "log");
        vm.prank(stranger);
        csm.accounting.pullAndSplitFeeRewards(id, 2 ether, noProof);
        assertEq(csm.feeDistributor.distributedShares(id), 2 ether, "once");
        vm.expectRevert(FeeDistributor.SenderIsNotAccounting.selector);
        csm.feeDistributor.distributeFees(id, 2 ether, noProof);
        csm.feeDistributor.processOracleReport(csm.feeDistributor.hashLeaf(id, 1 ether), "tree", "log");
        vm.expectRevert(FeeDistributor.FeeSharesDecrease.selector);
        csm.accounting.pullAndSplitFeeRewards(id, 1 ether, noProof);
        csm.feeDistributor.processOracleReport(csm.feeDistributor.hashLeaf(id, 9 ether), "tree", "log");
        vm.expectRevert(FeeDistributor.NotEnoughShares.selector);
        csm.accounting.pullAndSplitFeeRewards(id, 9 ether, noProof);
    }

    function test_StrikesAndExits() public {
        uint256 id = create(manager, 2);
        Watchers watchers = csm.watchers;
        uint256[] memory strikes = new uint256[](3);
        (strikes[0], strikes[1]) = (1, 1);
        watchers.processOracleReport(watchers.hashLeaf(id, key(1), strikes), "strikes");
        vm.expectRevert(Watchers.NotEnoughStrikesToEject.selector);
        watchers.processBadPerformanceProof(id, 1, strikes, noProof);
        strikes[2] = 1;
        vm.expectRevert(Watchers.InvalidProof.selector);
        watchers.processBadPerformanceProof(id, 1, strikes, noProof);
        watchers.processOracleReport(watchers.hashLeaf(id, key(1), strikes), "strikes");
        vm.expectEmit(true, true, true, true, address(watchers));
        emit Watchers.StrikesPenaltyProcessed(id, key(1), 0.258 ether);
        watchers.processBadPerformanceProof(id, 1, strikes, noProof);
        vm.expectEmit(true, true, true, true, address(watchers));
        emit Watchers.ValidatorExitRequest(3, id, 4711, key(0), block.timestamp);
        watchers.requestExit(id, 4711, key(0));
        watchers.processExitDelay(id, key(0));
        watchers.processTriggeredExit(id, 2, key(0), 0.1 ether);
        Watchers.ExitPenaltyInfo memory info = watchers.getExitPenaltyInfo(id, key(0));
        vm.assertTrue(info.delayFee.value == 0.1 ether && info.withdrawalRequestFee.isValue, "penalties");
        uint256[] memory indices = new uint256[](1);
        vm.expectRevert(Watchers.SenderIsNotEligible.selector);
        watchers.voluntaryEject(id, indices, manager);
        vm.prank(manager);
        watchers.voluntaryEject(id, indices, manager);
        watchers.setCurrentFrame(100, 200);
        (uint256 refSlot, uint256 deadline) = watchers.getCurrentFrame();
        vm.assertTrue(refSlot == 100 && deadline == 200, "frame");
    }

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
