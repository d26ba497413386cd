// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import {FeeDistributor} from "../src/csm-double/FeeDistributor.sol";
import {Watchers} from "../src/csm-double/Watchers.sol";
import {IAccounting} from "../src/csm-double/interfaces/IAccounting.sol";
import {ICSModule} from "../src/csm-double/interfaces/ICSModule.sol";
import {CsmSystem} from "./utils/CsmSystem.sol";
import {vm} from "./utils/Vm.sol";

contract CsmDoubleRewardsTest is CsmSystem {
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
        vm.assertEq(watchers.STRIKES(), address(watchers), "whoever reads penalties finds the strikes");
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
}
