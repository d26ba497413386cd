// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import {ISafeStakeNetwork} from "../src/interfaces/ISafeStakeNetwork.sol";
import {Accrual} from "../src/libraries/Accrual.sol";
import {System} from "./utils/System.sol";
import {vm} from "./utils/Vm.sol";

contract SafeStakeNetworkClaimsTest is System {
    uint256 internal constant EARNED = 500 * OPERATOR_FEE;

    uint32[] internal ids;
    address internal operator;
    uint256 internal claimBlock;

    function setUp() public {
        deploySystem(address(0), 1);
        ids = registerOperators(0, 4);
        operator = operatorOwner(0);
        registerValidator(owner, 1, ids, PRICE * 1000);
        vm.roll(block.number + 500);
        vm.prank(owner);
        network.removeValidator(oneKey(validatorKey(1)));
        claimBlock = block.number - 1;
    }

    function claim(address account, uint32 id, uint256 amount, uint256 penalty, uint256 nonce, bytes memory signature_) internal {
        vm.prank(account);
        network.accountClaimFee(oneId(id), oneValue(amount), oneValue(penalty), claimBlock, nonce, signature_);
    }

    function signed(address account, uint32 id, uint256 amount, uint256 penalty, uint256 nonce) internal view returns (bytes memory) {
        return signature(SIGNER_KEY, claimDigest(account, oneId(id), oneValue(amount), oneValue(penalty), claimBlock, nonce));
    }

    function test_ClaimPaysAndPenaltyStays() public {
        bytes memory signature_ = signed(operator, ids[0], EARNED - 1000, 1000, 7);
        vm.expectEmit(true, true, true, true, address(network));
        emit ISafeStakeNetwork.AccountClaim(7, operator, EARNED - 1000, 1000, claimBlock);
        claim(operator, ids[0], EARNED - 1000, 1000, 7, signature_);
        assertEq(operator.balance, EARNED - 1000, "paid");
        assertEq(network.getOperatorEarningsById(ids[0]), 0, "nothing left");
        (,,, uint256 penalty) = network.self();
        assertEq(penalty, 1000, "penalty");
        vm.assertTrue(network._claimNonce(7), "nonce used");
        (uint256 index, uint256 balance, uint256 last, bool enable) = network._operators(ids[0]);
        vm.assertTrue(index == 0 && balance == 0 && last == claimBlock && enable, "accounts");
        // The network can take the penalty besides its fees.
        vm.prank(admin);
        network.withdrawNetworkEarnings(500 * 4 * NETWORK_FEE + 1000);
    }

    function test_E1_DoubleClaim() public {
        bytes memory signature_ = signed(operator, ids[0], 1000, 0, 7);
        claim(operator, ids[0], 1000, 0, 7, signature_);
        expectCode("E1");
        claim(operator, ids[0], 1000, 0, 7, signature_);
        // Another nonce for the same blocks is no second claim either.
        bytes memory another = signed(operator, ids[0], 1000, 0, 8);
        vm.expectRevert(abi.encodeWithSelector(ISafeStakeNetwork.InvalidClaimBlock.selector, claimBlock));
        claim(operator, ids[0], 1000, 0, 8, another);
    }

    function test_SameOperatorTwiceInOneClaim() public {
        uint32[] memory twice = new uint32[](2);
        (twice[0], twice[1]) = (ids[0], ids[0]);
        uint256[] memory amounts = new uint256[](2);
        (amounts[0], amounts[1]) = (1000, 1000);
        uint256[] memory penalties = new uint256[](2);
        bytes memory signature_ = signature(SIGNER_KEY, claimDigest(operator, twice, amounts, penalties, claimBlock, 1));
        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(ISafeStakeNetwork.InvalidClaimBlock.selector, claimBlock));
        network.accountClaimFee(twice, amounts, penalties, claimBlock, 1, signature_);
    }

    function test_G1_SignatureOfSomebodyElse_OrOfSomethingElse() public {
        bytes32 digest = claimDigest(operator, oneId(ids[0]), oneValue(1000), oneValue(0), claimBlock, 7);
        bytes memory strangers = signature(0xBAD, digest);
        expectCode("G1");
        claim(operator, ids[0], 1000, 0, 7, strangers);
        bytes memory good = signature(SIGNER_KEY, digest);
        expectCode("G1");
        claim(operator, ids[0], 1001, 0, 7, good);
        expectCode("G1");
        claim(operator, ids[0], 1000, 1, 7, good);
        expectCode("G1");
        claim(operator, ids[0], 1000, 0, 8, good);
        expectCode("G1");
        claim(operatorOwner(1), ids[0], 1000, 0, 7, good);
        expectCode("G1");
        claim(operator, ids[1], 1000, 0, 7, good);
        expectCode("G1");
        claim(operator, ids[0], 1000, 0, 7, new bytes(65));
        expectCode("G1");
        claim(operator, ids[0], 1000, 0, 7, new bytes(64));
        vm.startPrank(admin);
        network.revokeRole(network.SIGNER_ROLE(), vm.addr(SIGNER_KEY));
        vm.stopPrank();
        expectCode("G1");
        claim(operator, ids[0], 1000, 0, 7, good);
    }

    function test_G1_MalleatedSignature() public {
        bytes32 digest = claimDigest(operator, oneId(ids[0]), oneValue(1000), oneValue(0), claimBlock, 7);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(SIGNER_KEY, digest);
        uint256 order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
        expectCode("G1");
        claim(operator, ids[0], 1000, 0, 7, abi.encodePacked(r, bytes32(order - uint256(s)), v == 27 ? uint8(28) : uint8(27)));
    }

    function test_G1_OtherChainOrContract() public {
        bytes memory signature_ = signed(operator, ids[0], 1000, 0, 7);
        vm.chainId(block.chainid + 1);
        expectCode("G1");
        claim(operator, ids[0], 1000, 0, 7, signature_);
        vm.chainId(block.chainid - 1);
        address real = address(network);
        deploySystem(address(0), 1);
        ids = registerOperators(0, 4);
        vm.assertTrue(real != address(network), "another contract");
        vm.roll(2_000_000);
        expectCode("G1");
        claim(operator, ids[0], 1000, 0, 7, signature_);
    }

    function test_G2_MoreThanEarned() public {
        bytes memory signature_ = signed(operator, ids[0], EARNED + 1, 0, 7);
        expectCode("G2");
        claim(operator, ids[0], EARNED + 1, 0, 7, signature_);
        signature_ = signed(operator, ids[0], EARNED, 1, 7);
        expectCode("G2");
        claim(operator, ids[0], EARNED, 1, 7, signature_);
        signature_ = signed(operator, ids[0], type(uint256).max, 1, 7);
        expectCode("G2");
        claim(operator, ids[0], type(uint256).max, 1, 7, signature_);
    }

    function test_G3_PayoutToAContractThatRefusesIt() public {
        network.registerOperator(address(this), "mine", operatorKey(100));
        uint32 mine = registry._operatorsByPublicKeys(operatorKey(100));
        uint32[] memory others = committee(ids[0], ids[1], ids[2], mine);
        registerValidator(owner, 2, others, PRICE * 1000);
        vm.roll(block.number + 10);
        vm.prank(owner);
        network.removeValidator(oneKey(validatorKey(2)));
        bytes memory signature_ = signed(address(this), mine, 1000, 0, 9);
        expectCode("G3");
        claim(address(this), mine, 1000, 0, 9, signature_);
    }

    function test_OnlyOwnOperators_AndPastBlocks() public {
        bytes memory signature_ = signed(stranger, ids[0], 1000, 0, 7);
        vm.expectRevert(abi.encodeWithSelector(ISafeStakeNetwork.NotOperatorOwner.selector, ids[0]));
        claim(stranger, ids[0], 1000, 0, 7, signature_);
        claimBlock = block.number;
        signature_ = signed(operator, ids[0], 1000, 0, 7);
        vm.expectRevert(abi.encodeWithSelector(ISafeStakeNetwork.InvalidClaimBlock.selector, claimBlock));
        claim(operator, ids[0], 1000, 0, 7, signature_);
        uint256[] memory two = new uint256[](2);
        vm.startPrank(operator);
        vm.expectRevert(abi.encodeWithSelector(ISafeStakeNetwork.LengthMismatch.selector, 1, 2));
        network.accountClaimFee(oneId(ids[0]), two, oneValue(0), 1, 1, signature_);
        vm.expectRevert(abi.encodeWithSelector(ISafeStakeNetwork.LengthMismatch.selector, 1, 2));
        network.accountClaimFee(oneId(ids[0]), oneValue(0), two, 1, 1, signature_);
        vm.expectRevert(ISafeStakeNetwork.EmptyList.selector);
        network.accountClaimFee(new uint32[](0), new uint256[](0), new uint256[](0), 1, 1, signature_);
    }

    function test_ARemovedOperatorStillClaims() public {
        vm.prank(operator);
        registry.removeOperator(ids[0]);
        assertEq(network.getOperatorEarningsByOwner(operator), 0, "of active operators");
        claim(operator, ids[0], EARNED, 0, 7, signed(operator, ids[0], EARNED, 0, 7));
        assertEq(operator.balance, EARNED, "paid");
    }

    function test_EarningsAreBookedByPeriods() public {
        uint256 period = Accrual.PERIOD;
        uint256 boundary = (block.number / period + 1) * period;
        vm.roll(boundary + 100);
        registerValidator(owner, 2, ids, PRICE * period * 3);
        vm.roll(boundary + period - 1);
        assertEq(
            network.getOperatorEarningsById(ids[1]), 0 + EARNED - 100 * OPERATOR_FEE, "a new stream is deducted until its period is over"
        );
        vm.roll(boundary + period);
        assertEq(network.getOperatorEarningsById(ids[1]), EARNED + (period - 100) * OPERATOR_FEE, "one period");
        assertEq(network.getOperatorEarningsByOwner(operatorOwner(1)), EARNED + (period - 100) * OPERATOR_FEE, "by owner");
        vm.roll(boundary + 10 * period);
        assertEq(network.getOperatorEarningsById(ids[1]), EARNED + 3 * period * OPERATOR_FEE, "to the exact end");
        network.settle(ids);
        assertEq(network.getOperatorEarningsById(ids[1]), EARNED + 3 * period * OPERATOR_FEE, "booking changes nothing");
    }

    function testFuzz_NobodyClaimsMoreThanEarned(uint256 amount, uint256 penalty) public {
        amount = bound(amount, 0, 2 * EARNED);
        penalty = bound(penalty, 0, 2 * EARNED);
        bytes memory signature_ = signed(operator, ids[0], amount, penalty, 7);
        bool fits = amount + penalty <= EARNED;
        if (!fits) vm.expectRevert(bytes("G2"));
        claim(operator, ids[0], amount, penalty, 7, signature_);
        assertEq(operator.balance, fits ? amount : 0, "paid");
    }
}
