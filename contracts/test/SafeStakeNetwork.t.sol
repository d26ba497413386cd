// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import {ISafeStakeNetwork} from "../src/interfaces/ISafeStakeNetwork.sol";
import {System} from "./utils/System.sol";
import {vm} from "./utils/Vm.sol";

contract SafeStakeNetworkTest is System {
    uint256 internal constant AMOUNT = PRICE * 1000;

    uint32[] internal ids;

    function setUp() public {
        deploySystem(address(0), 1);
        ids = registerOperators(0, 8);
    }

    function four() internal view returns (uint32[] memory) {
        return committee(ids[0], ids[1], ids[2], ids[3]);
    }

    /// Calls registerValidator of `owner` and expects `code`.
    function registrationFails(string memory code, bytes memory key, bytes[] memory publicShares, bytes[] memory encryptedShares) internal {
        uint32[] memory committee_ = four();
        vm.expectRevert(bytes(code));
        vm.prank(owner);
        network.registerValidator{value: AMOUNT}(owner, key, committee_, publicShares, encryptedShares, AMOUNT);
    }

    function test_RegistrationEmitsWhatOperatorsNeed() public {
        (bytes[] memory publicShares, bytes[] memory encryptedShares) = shares(1, 4);
        uint256 end = block.number + 1000;
        vm.expectEmit(true, true, true, true, address(network));
        emit ISafeStakeNetwork.OperatorTaskDetail(validatorKey(1), OPERATOR_FEE, AMOUNT, block.number, end);
        vm.expectEmit(true, true, true, true, address(network));
        emit ISafeStakeNetwork.ValidatorRegistration(owner, validatorKey(1), four(), publicShares, encryptedShares, end);
        vm.expectEmit(true, true, true, true, address(network));
        emit ISafeStakeNetwork.FundsDeposit(AMOUNT, owner, owner);
        registerValidator(owner, 1, four(), AMOUNT);
        (uint256 start, uint256 end_, uint256 fee, uint256 balance, bool enable) = network._validatorDatas(validatorKey(1));
        assertEq(start, block.number, "start");
        assertEq(end_, end, "end");
        assertEq(fee, OPERATOR_FEE, "fee");
        assertEq(balance, AMOUNT, "all is left");
        vm.assertTrue(enable, "enabled");
        assertEq(network.fundsHeld(), AMOUNT, "held");
        assertEq(network.operatorFee(true) * 4, PRICE, "price");
        assertEq(network.operatorFee(false), OPERATOR_FEE, "operators' part");
    }

    function test_A0_DisabledOwner() public {
        registerValidator(owner, 2, four(), AMOUNT);
        vm.prank(admin);
        registry.disableOwnerValidators(owner);
        vm.assertTrue(network._disbaledOwner(owner), "disabled");
        (bytes[] memory publicShares, bytes[] memory encryptedShares) = shares(1, 4);
        registrationFails("A0", validatorKey(1), publicShares, encryptedShares);
        vm.startPrank(owner);
        expectCode("A0");
        network.deposit{value: 1}(oneKey(validatorKey(2)), oneValue(1), 1);
        uint32[] memory other = committee(ids[1], ids[2], ids[3], ids[4]);
        expectCode("A0");
        network.replaceValidator(validatorKey(2), other, publicShares, encryptedShares, 0);
        // The way out stays open.
        network.removeValidator(oneKey(validatorKey(2)));
        assertEq(owner.balance, 1000 ether, "all paid back");
    }

    function test_A1_RegisteredAlready() public {
        registerValidator(owner, 1, four(), AMOUNT);
        (bytes[] memory publicShares, bytes[] memory encryptedShares) = shares(1, 4);
        registrationFails("A1", validatorKey(1), publicShares, encryptedShares);
    }

    function test_D1_D2_LengthsAreChecked() public {
        (bytes[] memory publicShares, bytes[] memory encryptedShares) = shares(1, 4);
        registrationFails("D1", new bytes(47), publicShares, encryptedShares);
        registrationFails("D1", new bytes(49), publicShares, encryptedShares);
        (bytes[] memory five, bytes[] memory fiveEncrypted) = shares(1, 5);
        registrationFails("D2", validatorKey(1), five, encryptedShares);
        registrationFails("D2", validatorKey(1), publicShares, fiveEncrypted);
        encryptedShares[0] = new bytes(92);
        registrationFails("D2", validatorKey(1), publicShares, encryptedShares);
    }

    function test_B1_OnlyTheOwnerOrTheWhitelistedContract() public {
        (bytes[] memory publicShares, bytes[] memory encryptedShares) = shares(1, 4);
        uint32[] memory committee_ = four();
        vm.prank(stranger);
        expectCode("B1");
        network.registerValidator{value: AMOUNT}(owner, validatorKey(1), committee_, publicShares, encryptedShares, AMOUNT);
        vm.prank(stranger);
        expectCode("B1");
        network.registerOperator(owner, "mine", operatorKey(100));

        vm.prank(admin);
        network.setWhiteAddress(stranger);
        vm.startPrank(stranger);
        network.registerValidator{value: AMOUNT}(owner, validatorKey(1), committee_, publicShares, encryptedShares, AMOUNT);
        vm.assertTrue(registry.isValidatorOwner(owner, validatorKey(1)), "the owner's");
        network.deposit{value: PRICE}(oneKey(validatorKey(1)), oneValue(PRICE), PRICE);
        // It pays, and no more: neither removal nor replacement.
        expectCode("B1");
        network.removeValidator(oneKey(validatorKey(1)));
        expectCode("B1");
        network.replaceValidator(validatorKey(1), committee_, publicShares, encryptedShares, 0);
        vm.stopPrank();
        vm.prank(admin);
        network.setWhiteAddress(address(0));
        vm.prank(stranger);
        expectCode("B1");
        network.deposit{value: PRICE}(oneKey(validatorKey(1)), oneValue(PRICE), PRICE);
    }

    function test_B2_UnknownValidator() public {
        (bytes[] memory publicShares, bytes[] memory encryptedShares) = shares(1, 4);
        uint32[] memory committee_ = four();
        vm.startPrank(owner);
        expectCode("B2");
        network.removeValidator(oneKey(validatorKey(1)));
        expectCode("B2");
        network.deposit{value: 1}(oneKey(validatorKey(1)), oneValue(1), 1);
        expectCode("B2");
        network.replaceValidator(validatorKey(1), committee_, publicShares, encryptedShares, 0);
        (,,,, bool enable) = network._validatorDatas(validatorKey(1));
        vm.assertFalse(enable, "not enabled");
    }

    function test_C1_BelowMinimumBlocks() public {
        uint32[] memory committee_ = four();
        network._checkDepositAmount(committee_, PRICE * MINIMUM_BLOCKS);
        expectCode("C1");
        network._checkDepositAmount(committee_, PRICE * MINIMUM_BLOCKS - 1);
        (bytes[] memory publicShares, bytes[] memory encryptedShares) = shares(1, 4);
        uint256 less = PRICE * MINIMUM_BLOCKS - 1;
        vm.prank(owner);
        expectCode("C1");
        network.registerValidator{value: less}(owner, validatorKey(1), committee_, publicShares, encryptedShares, less);
        vm.prank(admin);
        network.updateMinimumBlocksValidatorPay(2000);
        expectCode("C1");
        network._checkDepositAmount(committee_, AMOUNT);
    }

    function test_MoreThanTenYearsAreRefused() public {
        uint32[] memory committee_ = four();
        network._checkDepositAmount(committee_, PRICE * 26_280_000);
        vm.expectRevert(abi.encodeWithSelector(ISafeStakeNetwork.PaidTooLong.selector, 26_280_001));
        network._checkDepositAmount(committee_, PRICE * 26_280_001);
    }

    function test_D0_ValueIsExactlyTheAmount() public {
        (bytes[] memory publicShares, bytes[] memory encryptedShares) = shares(1, 4);
        uint32[] memory committee_ = four();
        vm.startPrank(owner);
        expectCode("D0");
        network.registerValidator{value: AMOUNT - 1}(owner, validatorKey(1), committee_, publicShares, encryptedShares, AMOUNT);
        expectCode("D0");
        network.registerValidator{value: AMOUNT + 1}(owner, validatorKey(1), committee_, publicShares, encryptedShares, AMOUNT);
        expectCode("D0");
        network.registerValidator(owner, validatorKey(1), committee_, publicShares, encryptedShares, AMOUNT);
    }

    function test_BatchOfOneCommittee_EachKeyItsOwnSharesAndFee() public {
        (bytes[][] memory publicShares, bytes[][] memory encryptedShares) = manyShares(1, 20, 4);
        bytes[] memory keys = validatorKeys(1, 20);
        vm.prank(owner);
        vm.recordLogs();
        network.batchRegisterValidator{value: 20 * AMOUNT}(owner, keys, four(), publicShares, encryptedShares, 20, AMOUNT);
        assertEq(network.fundsHeld(), 20 * AMOUNT, "each paid its own fee, once");
        for (uint256 i = 0; i < 20; ++i) {
            (,,, uint256 balance, bool enable) = network._validatorDatas(keys[i]);
            assertEq(balance, AMOUNT, "balance");
            vm.assertTrue(enable, "enabled");
            (bytes memory key, uint256 index) = network._operatorInDatas(ids[0], i);
            vm.assertEq(key, keys[i], "in the operator's list");
            assertEq(index, i, "index");
        }
        assertEq(network._operatorInUse(owner, 3), ids[3], "operators in use");
        assertEq(network.getValidatorCountInOperator(ids[0]), 20, "count");
    }

    function test_BatchesThatDoNotFitAreRefused() public {
        (bytes[][] memory publicShares, bytes[][] memory encryptedShares) = manyShares(1, 2, 4);
        bytes[] memory keys = validatorKeys(1, 2);
        uint32[] memory committee_ = four();
        vm.startPrank(owner);
        vm.expectRevert(abi.encodeWithSelector(ISafeStakeNetwork.LengthMismatch.selector, 3, 2));
        network.batchRegisterValidator{value: 3 * AMOUNT}(owner, keys, committee_, publicShares, encryptedShares, 3, AMOUNT);
        vm.expectRevert(abi.encodeWithSelector(ISafeStakeNetwork.LengthMismatch.selector, 1, 2));
        network.batchRegisterValidator{value: AMOUNT}(owner, oneKey(keys[0]), committee_, publicShares, encryptedShares, 1, AMOUNT);
        expectCode("D0");
        network.batchRegisterValidator{value: 3 * AMOUNT}(owner, keys, committee_, publicShares, encryptedShares, 2, AMOUNT);
        keys[1] = keys[0];
        expectCode("A1");
        network.batchRegisterValidator{value: 2 * AMOUNT}(owner, keys, committee_, publicShares, encryptedShares, 2, AMOUNT);
        bytes[][] memory none = new bytes[][](0);
        vm.expectRevert(ISafeStakeNetwork.EmptyList.selector);
        network.batchRegisterValidator(owner, new bytes[](0), committee_, none, none, 0, AMOUNT);
        vm.expectRevert(ISafeStakeNetwork.EmptyList.selector);
        network.registerValidatorGroups(owner, new ISafeStakeNetwork.Group[](0));
    }

    function test_GroupsOfMixedCommitteesAreNeverMixedUp() public {
        ISafeStakeNetwork.Group[] memory groups = new ISafeStakeNetwork.Group[](3);
        uint256 total;
        for (uint32 g = 0; g < 3; ++g) {
            groups[g].operatorIds = committee(ids[g], ids[g + 1], ids[g + 2], ids[g + 3]);
            groups[g].publicKeys = validatorKeys(10 * g, 5);
            (groups[g].sharesPublicKeys, groups[g].sharesEncrypted) = manyShares(10 * g, 5, 4);
            groups[g].eachAmount = AMOUNT * (g + 1);
            total += 5 * groups[g].eachAmount;
        }
        vm.prank(owner);
        network.registerValidatorGroups{value: total}(owner, groups);
        for (uint256 g = 0; g < 3; ++g) {
            for (uint256 i = 0; i < 5; ++i) {
                (, uint32[] memory committee_) = registry.committeeOf(validatorKey(10 * g + i));
                vm.assertEq(abi.encode(committee_), abi.encode(groups[g].operatorIds), "committee");
                (,,, uint256 balance,) = network._validatorDatas(validatorKey(10 * g + i));
                assertEq(balance, AMOUNT * (g + 1), "own fee");
            }
        }
        assertEq(network.fundsHeld(), total, "sum");
    }

    function test_RemovalRefundsProRata() public {
        registerValidator(owner, 1, four(), AMOUNT + 17);
        vm.roll(block.number + 250);
        uint256 before = owner.balance;
        vm.expectEmit(true, true, true, true, address(network));
        emit ISafeStakeNetwork.ValidatorRemoval(owner, validatorKey(1));
        vm.expectEmit(true, true, true, true, address(network));
        emit ISafeStakeNetwork.FundsWithdrawal(750 * PRICE + 17, owner);
        vm.prank(owner);
        network.removeValidator(oneKey(validatorKey(1)));
        assertEq(owner.balance - before, 750 * PRICE + 17, "three quarters and what was over");
        for (uint256 i = 0; i < 4; ++i) {
            assertEq(network.getOperatorEarningsById(ids[i]), 250 * OPERATOR_FEE, "a quarter earned");
        }
        (, uint256 earned,,) = network.self();
        assertEq(earned, 250 * 4 * NETWORK_FEE, "network's quarter");
        assertEq(network.fundsHeld(), 250 * PRICE, "held");
        // Not a second time.
        vm.prank(owner);
        expectCode("B2");
        network.removeValidator(oneKey(validatorKey(1)));
    }

    function test_RemovalOfTheSameKeyTwiceInOneCall() public {
        registerValidator(owner, 1, four(), AMOUNT);
        bytes[] memory twice = new bytes[](2);
        (twice[0], twice[1]) = (validatorKey(1), validatorKey(1));
        vm.startPrank(owner);
        expectCode("B2");
        network.removeValidator(twice);
        vm.expectRevert(ISafeStakeNetwork.EmptyList.selector);
        network.removeValidator(new bytes[](0));
    }

    function test_AfterTheEndNothingIsLeftAndOperatorsHaveAll() public {
        registerValidator(owner, 1, four(), AMOUNT);
        vm.roll(block.number + 5000);
        uint256 before = owner.balance;
        vm.prank(owner);
        network.removeValidator(oneKey(validatorKey(1)));
        assertEq(owner.balance, before, "nothing comes back");
        assertEq(network.getOperatorEarningsById(ids[0]), 1000 * OPERATOR_FEE, "to the end and not further");
    }

    function test_TopUp() public {
        registerValidator(owner, 1, four(), AMOUNT);
        vm.roll(block.number + 400);
        vm.prank(owner);
        network.deposit{value: 2 * AMOUNT}(oneKey(validatorKey(1)), oneValue(2 * AMOUNT), 2 * AMOUNT);
        (, uint256 end,, uint256 balance,) = network._validatorDatas(validatorKey(1));
        assertEq(end, block.number + 600 + 2000, "added at the end");
        assertEq(balance, 2600 * PRICE, "left");
        // Long after the end, a top-up starts anew; the gap costs nothing and pays nobody.
        vm.roll(end + 3000);
        vm.prank(owner);
        network.deposit{value: AMOUNT}(oneKey(validatorKey(1)), oneValue(AMOUNT), AMOUNT);
        (uint256 start, uint256 end_,,,) = network._validatorDatas(validatorKey(1));
        assertEq(start, block.number, "start");
        assertEq(end_, block.number + 1000, "end");
        vm.prank(owner);
        network.removeValidator(oneKey(validatorKey(1)));
        assertEq(network.getOperatorEarningsById(ids[0]), 3000 * OPERATOR_FEE, "earned");
    }

    function test_TopUpAtAnotherFee() public {
        registerValidator(owner, 1, four(), AMOUNT);
        vm.prank(admin);
        registry.updateOperatorFee(2 * OPERATOR_FEE);
        vm.roll(block.number + 500);
        (,,, uint256 left,) = network._validatorDatas(validatorKey(1));
        assertEq(left, 500 * PRICE, "what was paid keeps its fee");
        vm.prank(owner);
        network.deposit{value: AMOUNT}(oneKey(validatorKey(1)), oneValue(AMOUNT), AMOUNT);
        uint256 price = 4 * (2 * OPERATOR_FEE + NETWORK_FEE);
        (, uint256 end, uint256 fee,,) = network._validatorDatas(validatorKey(1));
        assertEq(end, block.number + (500 * PRICE + AMOUNT) / price, "all at the new fee");
        assertEq(fee, 2 * OPERATOR_FEE, "new fee");
    }

    function test_D1_TopUpOfNothing_AndSumsAreChecked() public {
        registerValidator(owner, 1, four(), AMOUNT);
        vm.startPrank(owner);
        expectCode("D1");
        network.deposit(oneKey(validatorKey(1)), oneValue(0), 0);
        vm.expectRevert(abi.encodeWithSelector(ISafeStakeNetwork.WrongTotal.selector, 5, 6));
        network.deposit{value: 6}(oneKey(validatorKey(1)), oneValue(5), 6);
        expectCode("D0");
        network.deposit{value: 6}(oneKey(validatorKey(1)), oneValue(5), 5);
        vm.expectRevert(abi.encodeWithSelector(ISafeStakeNetwork.LengthMismatch.selector, 1, 2));
        network.deposit{value: 6}(oneKey(validatorKey(1)), new uint256[](2), 6);
        vm.expectRevert(ISafeStakeNetwork.EmptyList.selector);
        network.deposit(new bytes[](0), new uint256[](0), 0);
    }

    function test_Replacement() public {
        registerValidator(owner, 1, four(), AMOUNT);
        vm.roll(block.number + 100);
        uint32[] memory other = committee(ids[2], ids[3], ids[4], ids[5]);
        (bytes[] memory publicShares, bytes[] memory encryptedShares) = shares(77, 4);
        vm.expectEmit(true, true, true, true, address(network));
        emit ISafeStakeNetwork.ValidatorRemoval(owner, validatorKey(1));
        vm.expectEmit(true, true, true, true, address(network));
        emit ISafeStakeNetwork.ValidatorReplacement(owner, validatorKey(1), four(), other);
        vm.expectEmit(true, true, true, true, address(network));
        emit ISafeStakeNetwork.ValidatorRegistration(owner, validatorKey(1), other, publicShares, encryptedShares, block.number + 900 + 50);
        vm.prank(owner);
        network.replaceValidator{value: 50 * PRICE}(validatorKey(1), other, publicShares, encryptedShares, 50 * PRICE);
        (, uint32[] memory committee_) = registry.committeeOf(validatorKey(1));
        vm.assertEq(abi.encode(committee_), abi.encode(other), "new committee");
        assertEq(network.getValidatorCountInOperator(ids[0]), 0, "left the old one");
        vm.roll(block.number + 10);
        vm.prank(owner);
        network.removeValidator(oneKey(validatorKey(1)));
        assertEq(network.getOperatorEarningsById(ids[0]), 100 * OPERATOR_FEE, "old committee");
        assertEq(network.getOperatorEarningsById(ids[2]), 110 * OPERATOR_FEE, "in both");
        assertEq(network.getOperatorEarningsById(ids[5]), 10 * OPERATOR_FEE, "new committee");
    }

    function test_ReplacementByALargerCommitteeIsPricedAnew() public {
        registerValidator(owner, 1, four(), AMOUNT);
        (bytes[] memory publicShares, bytes[] memory encryptedShares) = shares(77, 7);
        uint32[] memory seven = new uint32[](7);
        for (uint256 i = 0; i < 7; ++i) {
            seven[i] = ids[i];
        }
        vm.startPrank(owner);
        expectCode("D2");
        network.replaceValidator(validatorKey(1), four(), publicShares, encryptedShares, 0);
        network.replaceValidator(validatorKey(1), seven, publicShares, encryptedShares, 0);
        (, uint256 end,,,) = network._validatorDatas(validatorKey(1));
        assertEq(end, block.number + uint256(4000) / 7, "blocks");
        vm.stopPrank();
        vm.prank(stranger);
        expectCode("B1");
        network.replaceValidator(validatorKey(1), seven, publicShares, encryptedShares, 0);
    }

    function test_NetworkEarnings_D0_D1_D2() public {
        registerValidator(owner, 1, four(), AMOUNT);
        vm.roll(block.number + 500);
        vm.startPrank(admin);
        expectCode("D1");
        network.withdrawNetworkEarnings(0);
        expectCode("D0");
        network.withdrawNetworkEarnings(1);
        vm.stopPrank();
        vm.prank(owner);
        network.removeValidator(oneKey(validatorKey(1)));
        uint256 earned = 500 * 4 * NETWORK_FEE;
        vm.startPrank(admin);
        expectCode("D0");
        network.withdrawNetworkEarnings(earned + 1);
        vm.expectEmit(true, true, true, true, address(network));
        emit ISafeStakeNetwork.NetworkFeesWithdrawal(earned - 1, admin);
        network.withdrawNetworkEarnings(earned - 1);
        assertEq(admin.balance, earned - 1, "paid");
        (uint256 fee, uint256 earnings, uint256 claimed, uint256 penalty) = network.self();
        assertEq(fee, NETWORK_FEE, "fee");
        assertEq(earnings, earned, "earned in all");
        assertEq(claimed, earned - 1, "withdrawn");
        assertEq(penalty, 0, "penalties");
        network.grantRole(network.ADMIN_ROLE(), address(this));
        vm.stopPrank();
        // This contract takes no native currency.
        expectCode("D2");
        network.withdrawNetworkEarnings(1);
    }

    function test_B3_RefundToAContractThatRefusesIt() public {
        vm.deal(address(this), 1 ether);
        registerValidator(address(this), 1, four(), AMOUNT);
        expectCode("B3");
        network.removeValidator(oneKey(validatorKey(1)));
        // What cannot be paid out yet is not lost: the validator stays paid.
        (,,, uint256 balance, bool enable) = network._validatorDatas(validatorKey(1));
        vm.assertTrue(enable && balance == AMOUNT, "kept");
    }

    function test_GivenCurrencyIsTheNetworks() public {
        vm.prank(stranger);
        (bool sent,) = address(network).call{value: 5}("");
        vm.assertTrue(sent, "taken");
        (, uint256 earnings,,) = network.self();
        assertEq(earnings, 5, "the network's");
        assertEq(network.fundsHeld(), 5, "counted");
        vm.prank(admin);
        network.withdrawNetworkEarnings(5);
        assertEq(network.fundsHeld(), 0, "gone");
    }

    function test_SettingsAndReads() public {
        vm.startPrank(admin);
        vm.expectEmit(true, true, true, true, address(network));
        emit ISafeStakeNetwork.NetworkFeeUpdate(NETWORK_FEE, 7);
        network.updateNetworkFee(7);
        vm.expectRevert(abi.encodeWithSelector(ISafeStakeNetwork.InvalidFee.selector, 1e18 + 1));
        network.updateNetworkFee(1e18 + 1);
        assertEq(network.operatorFee(true), OPERATOR_FEE + 7, "with the network's");
        network.updateMinimumBlocksValidatorPay(5);
        assertEq(network._minimumBlocksValidatorPay(), 5, "minimum");
        network.setWhiteAddress(stranger);
        vm.assertEq(network.whitelist(), stranger, "whitelist");
        vm.assertEq(network._SafeStakeRegistryContract(), address(registry), "registry");
        assertEq(network.MANAGING_OPERATORS_PER_ACCOUNT_LIMIT(), 50, "limit");
        assertEq(network.version(), 1, "version");
        (uint8 v, bytes32 r, bytes32 s) = network.splitSignature(abi.encodePacked(bytes32(uint256(1)), bytes32(uint256(2)), uint8(28)));
        vm.assertTrue(v == 28 && r == bytes32(uint256(1)) && s == bytes32(uint256(2)), "parts");
        vm.expectRevert(abi.encodeWithSelector(ISafeStakeNetwork.LengthMismatch.selector, 65, 64));
        network.splitSignature(new bytes(64));
    }

    function test_InitialisedOnce() public {
        vm.expectRevert();
        network.initialize(address(registry), address(0), 1, 1);
        vm.expectRevert();
        registry.initialize(1, stranger);
    }

    /// For any amount, times and sizes: what comes back and what is earned add up to what was paid, to the unit.
    function testFuzz_RefundAndEarningsAddUp(uint256 amount, uint256 blocks, uint256 offset, bool seven) public {
        uint256 size = seven ? 7 : 4;
        uint32[] memory committee_ = new uint32[](size);
        for (uint256 i = 0; i < size; ++i) {
            committee_[i] = ids[i];
        }
        uint256 price = size * (OPERATOR_FEE + NETWORK_FEE);
        amount = bound(amount, price * MINIMUM_BLOCKS, price * 26_280_000);
        blocks = bound(blocks, 0, 30_000_000);
        vm.roll(1_000_000 + bound(offset, 0, 60_000));
        registerValidator(owner, 1, committee_, amount);
        uint256 used = blocks < amount / price ? blocks : amount / price;
        vm.roll(block.number + blocks);
        uint256 before = owner.balance;
        vm.prank(owner);
        network.removeValidator(oneKey(validatorKey(1)));
        assertEq(owner.balance - before, amount - used * price, "refund");
        for (uint256 i = 0; i < size; ++i) {
            assertEq(network.getOperatorEarningsById(ids[i]), used * OPERATOR_FEE, "operator");
        }
        (, uint256 earnings,,) = network.self();
        assertEq(earnings, used * size * NETWORK_FEE, "network");
        assertEq(network.fundsHeld(), used * price, "held");
    }
}
