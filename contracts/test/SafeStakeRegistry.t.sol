// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import {ISafeStakeRegistry} from "../src/interfaces/ISafeStakeRegistry.sol";
import {System} from "./utils/System.sol";
import {vm} from "./utils/Vm.sol";

contract SafeStakeRegistryTest is System {
    uint32[] internal ids;

    function setUp() public {
        deploySystem(address(0), 0);
        ids = registerOperators(0, 8);
    }

    function four() internal view returns (uint32[] memory) {
        return committee(ids[0], ids[1], ids[2], ids[3]);
    }

    /// The registry called by itself, as the Network contract calls it.
    function add(address account, uint256 index, uint32[] memory committee_) internal {
        (bytes[] memory publicShares, bytes[] memory encryptedShares) = shares(index, committee_.length);
        vm.prank(address(network));
        registry.registerValidator(account, validatorKey(index), committee_, publicShares, encryptedShares);
    }

    function test_OperatorIdZeroIsAnId() public {
        assertEq(ids[0], 0, "first id");
        (string memory name, bytes memory key, address account,,, bool active,,) = registry._operators(0);
        vm.assertEq(bytes(name), bytes("operator"), "name");
        vm.assertEq(key, operatorKey(0), "key");
        vm.assertEq(account, operatorOwner(0), "owner");
        vm.assertTrue(active, "active");
        assertEq(registry._operatorsByPublicKeys(operatorKey(0)), 0, "by key");
        assertEq(registry._lastOperatorId(), 7, "last id");
        assertEq(registry.operatorCount(), 8, "count");
        registerValidator(owner, 1, four(), PRICE * 100);
        (, uint32[] memory committee_,,) = registry.validatorOf(validatorKey(1));
        assertEq(committee_[0], 0, "in a committee");
        // Its key cannot be registered again, although its id is 0.
        expectCode("A2");
        vm.prank(stranger);
        network.registerOperator(stranger, "again", operatorKey(0));
    }

    function test_IdsCanStartAtOne() public {
        deploySystem(address(0), 1);
        assertEq(registry._lastOperatorId(), 0, "none yet");
        assertEq(registerOperators(0, 1)[0], 1, "first id");
        assertEq(registry._lastOperatorId(), 1, "last id");
        (address account, bool active) = registry.operator_detail(0);
        vm.assertEq(account, address(0), "0 is nobody");
        vm.assertFalse(active, "0 is not active");
    }

    function test_A0_MoreThanTenOperators() public {
        vm.startPrank(stranger);
        for (uint256 i = 0; i < 10; ++i) {
            network.registerOperator(stranger, "mine", operatorKey(100 + i));
        }
        expectCode("A0");
        network.registerOperator(stranger, "mine", operatorKey(110));
        // One that is removed makes room for another.
        registry.removeOperator(registry._operatorsByPublicKeys(operatorKey(103)));
        network.registerOperator(stranger, "mine", operatorKey(110));
        assertEq(registry.activeOperatorsOf(stranger), 10, "operators");
    }

    function test_A1_OwnerHasValidators() public {
        add(owner, 1, four());
        expectCode("A1");
        vm.prank(owner);
        network.registerOperator(owner, "mine", operatorKey(100));
    }

    function test_A2_KeyUsed_AlsoOfARemovedOperator() public {
        vm.prank(operatorOwner(7));
        registry.removeOperator(ids[7]);
        expectCode("A2");
        vm.prank(stranger);
        network.registerOperator(stranger, "other", operatorKey(7));
    }

    function test_OperatorKeyAndNameAreChecked() public {
        bytes memory key = operatorKey(50);
        bytes memory uncompressed = abi.encodePacked(bytes1(0x04), keccak256("x"));
        vm.startPrank(stranger);
        vm.expectRevert(abi.encodeWithSelector(ISafeStakeRegistry.InvalidOperatorPublicKey.selector, uncompressed));
        network.registerOperator(stranger, "name", uncompressed);
        vm.expectPartialRevert(ISafeStakeRegistry.InvalidOperatorPublicKey.selector);
        network.registerOperator(stranger, "name", abi.encodePacked(key, bytes1(0)));
        vm.expectPartialRevert(ISafeStakeRegistry.InvalidOperatorPublicKey.selector);
        network.registerOperator(stranger, "name", "");
        vm.expectRevert(abi.encodeWithSelector(ISafeStakeRegistry.InvalidOperatorName.selector, 0));
        network.registerOperator(stranger, "", key);
        vm.expectRevert(abi.encodeWithSelector(ISafeStakeRegistry.InvalidOperatorName.selector, 101));
        network.registerOperator(stranger, string(new bytes(101)), key);
        network.registerOperator(stranger, string(new bytes(100)), key);
        vm.stopPrank();
        vm.expectRevert(ISafeStakeRegistry.ZeroAddress.selector);
        vm.prank(address(network));
        registry.registerOperator("name", address(0), operatorKey(51));
    }

    function test_B0_B1_B2_RemovalOfOperators() public {
        add(owner, 1, four());
        expectCode("B1");
        vm.prank(stranger);
        registry.removeOperator(ids[0]);
        expectCode("B2");
        vm.prank(operatorOwner(0));
        registry.removeOperator(ids[0]);

        vm.expectEmit(true, true, true, true, address(registry));
        emit ISafeStakeRegistry.OperatorRemoval(ids[7], operatorOwner(7));
        vm.prank(operatorOwner(7));
        registry.removeOperator(ids[7]);
        (address account, bool active) = registry.operator_detail(ids[7]);
        vm.assertEq(account, operatorOwner(7), "still known");
        vm.assertFalse(active, "inactive");
        vm.assertFalse(registry.isAccountRegisteredOperator(operatorOwner(7)), "no operator any more");
        expectCode("B0");
        vm.prank(operatorOwner(7));
        registry.removeOperator(ids[7]);
        expectCode("B0");
        registry.removeOperator(999);
    }

    function test_RemovalKeepsTheOwnersListInOrder() public {
        vm.startPrank(stranger);
        uint32 a = network.registerOperator(stranger, "a", operatorKey(100));
        uint32 b = network.registerOperator(stranger, "b", operatorKey(101));
        uint32 c = network.registerOperator(stranger, "c", operatorKey(102));
        registry.removeOperator(a);
        assertEq(registry._operatorsByOwnerAddress(stranger, 0), c, "last one moved");
        assertEq(registry._operatorsByOwnerAddress(stranger, 1), b, "the other stayed");
        (,,, uint32 index,,,,) = registry._operators(c);
        assertEq(index, 0, "index moved too");
        registry.removeOperator(c);
        registry.removeOperator(b);
        vm.expectRevert();
        registry._operatorsByOwnerAddress(stranger, 0);
    }

    function test_C1_VerifyOperator() public {
        vm.startPrank(admin);
        expectCode("C1");
        registry.verifyOperator(stranger, true, true);
        vm.expectEmit(true, true, true, true, address(registry));
        emit ISafeStakeRegistry.OperatorVerified(operatorOwner(0), true, false);
        registry.verifyOperator(operatorOwner(0), true, false);
        (,,,,,, bool dao, bool verified) = registry._operators(ids[0]);
        vm.assertTrue(dao && !verified, "flags");
        registry.verifyOperator(operatorOwner(0), false, true);
        (,,,,,, dao, verified) = registry._operators(ids[0]);
        vm.assertTrue(!dao && verified, "flags turned");
    }

    function test_D1_LengthOfValidatorKey() public {
        (bytes[] memory publicShares, bytes[] memory encryptedShares) = shares(1, 4);
        vm.startPrank(address(network));
        expectCode("D1");
        registry.registerValidator(owner, abi.encodePacked(validatorKey(1), bytes1(0)), four(), publicShares, encryptedShares);
        expectCode("D1");
        registry.registerValidator(owner, new bytes(47), four(), publicShares, encryptedShares);
    }

    function test_D2_SharesOfEveryWrongKind() public {
        (bytes[] memory publicShares, bytes[] memory encryptedShares) = shares(1, 4);
        (bytes[] memory fewer, bytes[] memory fewerEncrypted) = shares(1, 3);
        vm.startPrank(address(network));
        expectCode("D2");
        registry.registerValidator(owner, validatorKey(1), four(), fewer, encryptedShares);
        expectCode("D2");
        registry.registerValidator(owner, validatorKey(1), four(), publicShares, fewerEncrypted);
        bytes memory kept = publicShares[2];
        publicShares[2] = new bytes(47);
        expectCode("D2");
        registry.registerValidator(owner, validatorKey(1), four(), publicShares, encryptedShares);
        publicShares[2] = kept;
        encryptedShares[3] = new bytes(94);
        expectCode("D2");
        registry.registerValidator(owner, validatorKey(1), four(), publicShares, encryptedShares);
    }

    function test_E1_Exists() public {
        add(owner, 1, four());
        (bytes[] memory publicShares, bytes[] memory encryptedShares) = shares(1, 4);
        expectCode("E1");
        vm.prank(address(network));
        registry.registerValidator(stranger, validatorKey(1), four(), publicShares, encryptedShares);
        // Twice in one batch as well.
        bytes[] memory twice = validatorKeys(2, 2);
        twice[1] = twice[0];
        expectCode("E1");
        vm.prank(address(network));
        registry.registerValidators(owner, twice, four());
    }

    function test_E2_OwnerIsAnOperator() public {
        address account = operatorOwner(0);
        vm.expectRevert(bytes("E2"));
        vm.prank(address(network));
        registry.registerValidators(account, validatorKeys(1, 1), four());
    }

    function test_E3_NotAscending() public {
        vm.startPrank(address(network));
        uint32[] memory twice = committee(ids[0], ids[1], ids[1], ids[2]);
        expectCode("E3");
        registry.registerValidators(owner, validatorKeys(1, 1), twice);
        uint32[] memory turned = committee(ids[0], ids[2], ids[1], ids[3]);
        expectCode("E3");
        registry.registerValidators(owner, validatorKeys(1, 1), turned);
    }

    function test_E4_InactiveOrUnknownOperator() public {
        vm.prank(operatorOwner(3));
        registry.removeOperator(ids[3]);
        vm.startPrank(address(network));
        expectCode("E4");
        registry.registerValidators(owner, validatorKeys(1, 1), four());
        expectCode("E4");
        registry.registerValidators(owner, validatorKeys(1, 1), committee(ids[0], ids[1], ids[2], 999));
    }

    function test_E5_TwoThousandValidatorsPerOperator() public {
        vm.startPrank(address(network));
        for (uint256 i = 0; i < 20; ++i) {
            registry.registerValidators(owner, validatorKeys(100 * i, 100), four());
        }
        expectCode("E5");
        registry.registerValidators(owner, validatorKeys(5000, 1), committee(ids[3], ids[4], ids[5], ids[6]));
        registry.removeValidator(validatorKey(17));
        registry.registerValidators(owner, validatorKeys(5000, 1), committee(ids[3], ids[4], ids[5], ids[6]));
        (,,,, uint32 count,,,) = registry._operators(ids[3]);
        assertEq(count, 2000, "full again");
    }

    function test_CommitteeSizes() public {
        ids = registerOperators(8, 6);
        uint32 last = ids[5];
        for (uint256 size = 0; size <= 15; ++size) {
            uint32[] memory committee_ = new uint32[](size);
            for (uint256 i = 0; i < size; ++i) {
                committee_[i] = uint32(i <= last ? i : 999);
            }
            bool good = size == 4 || size == 7 || size == 10 || size == 13;
            vm.assertEq(registry.checkOperatorsLength(size), good, "gate");
            if (!good) vm.expectRevert(abi.encodeWithSelector(ISafeStakeRegistry.InvalidCommitteeSize.selector, size));
            vm.prank(address(network));
            registry.registerValidators(owner, validatorKeys(size, 1), committee_);
        }
    }

    function test_F1_G1_G2_DisableAndEnable() public {
        vm.startPrank(admin);
        expectCode("G1");
        registry.enableOwnerValidators(owner);
        expectCode("G2");
        registry.disableOwnerValidators(address(0));
        expectCode("G2");
        registry.enableOwnerValidators(address(0));
        registry.disableOwnerValidators(owner);
        (, bool disabled) = registry._owners(owner);
        vm.assertTrue(disabled, "disabled");
        expectCode("F1");
        registry.disableOwnerValidators(owner);
        registry.enableOwnerValidators(owner);
        (, disabled) = registry._owners(owner);
        vm.assertFalse(disabled, "enabled");
    }

    function test_Fees() public {
        vm.startPrank(admin);
        vm.expectRevert(abi.encodeWithSelector(ISafeStakeRegistry.InvalidFee.selector, 0));
        registry.updateOperatorFee(0);
        vm.expectRevert(abi.encodeWithSelector(ISafeStakeRegistry.InvalidFee.selector, 1e18 + 1));
        registry.updateOperatorFee(1e18 + 1);
        registry.updateOperatorFee(1e18);
        assertEq(registry._operatorFee(), 1e18, "fee");
    }

    function test_EmptyAndUnknown() public {
        vm.startPrank(address(network));
        vm.expectRevert(ISafeStakeRegistry.EmptyList.selector);
        registry.registerValidators(owner, new bytes[](0), four());
        vm.expectRevert(ISafeStakeRegistry.ZeroAddress.selector);
        registry.registerValidators(address(0), validatorKeys(1, 1), four());
        bytes memory unknown = abi.encodeWithSelector(ISafeStakeRegistry.UnknownValidator.selector, validatorKey(1));
        vm.expectRevert(unknown);
        registry.removeValidator(validatorKey(1));
        vm.expectRevert(unknown);
        registry.committeeOf(validatorKey(1));
        vm.expectRevert(unknown);
        registry.replaceCommittee(validatorKey(1), four());
        vm.expectPartialRevert(ISafeStakeRegistry.UnknownValidator.selector);
        registry.validatorOfOperator(ids[0], 0);
        (address account, uint32[] memory none,, bytes memory key) = registry.validatorOf(validatorKey(1));
        vm.assertTrue(account == address(0) && none.length == 0 && key.length == 0, "zero and empty");
        (account,, key) = registry._validators(validatorKey(1));
        vm.assertTrue(account == address(0) && key.length == 0, "zero and empty");
        assertEq(registry._lastInitiatorId(), 0, "no initiators");
        assertEq(registry.version(), 1, "version");
    }

    function test_ReadsOfSeveralCommitteesAndRemoval() public {
        add(owner, 1, four());
        add(owner, 2, committee(ids[2], ids[3], ids[4], ids[5]));
        add(owner, 3, four());
        add(stranger, 4, four());
        assertEq(registry._activeValidatorCount(), 4, "all");
        (uint32 count,, bytes[] memory keys) = registry.ownerOf(owner);
        assertEq(count, 3, "of the owner");
        for (uint256 i = 0; i < 3; ++i) {
            (address account, uint32 index, bytes memory key) = registry._validators(keys[i]);
            vm.assertEq(account, owner, "owner");
            assertEq(index, i, "index is the place in the list");
            vm.assertEq(key, keys[i], "key");
            vm.assertTrue(registry.isValidatorOwner(owner, keys[i]), "owns");
            vm.assertFalse(registry.isValidatorOwner(stranger, keys[i]), "stranger does not");
        }
        vm.assertEq(registry.validatorOfOperator(ids[4], 0), validatorKey(2), "list of an operator");
        vm.assertEq(registry.validatorOfOperator(ids[2], 3), validatorKey(4), "across clusters");
        assertEq(registry.operatorInUse(owner, 5), ids[5], "operators in use");

        vm.startPrank(address(network));
        registry.removeValidator(validatorKey(1));
        registry.removeValidator(validatorKey(2));
        vm.stopPrank();
        vm.assertEq(registry.validatorOfOperator(ids[0], 0), validatorKey(3), "moved to the freed place");
        vm.assertFalse(registry.isValidatorOwner(owner, validatorKey(1)), "gone");
        vm.expectRevert();
        registry.operatorInUse(owner, 4);
        vm.assertTrue(registry.isAccountRegisteredValidator(owner), "one is left");
        vm.prank(address(network));
        registry.removeValidator(validatorKey(3));
        vm.assertFalse(registry.isAccountRegisteredValidator(owner), "none is left");
        // A key that was removed can come back, with another owner.
        add(stranger, 1, four());
        vm.assertTrue(registry.isValidatorOwner(stranger, validatorKey(1)), "registered again");
    }

    function test_FiftyOperatorsInUse() public {
        ids = registerOperators(100, 53);
        vm.startPrank(address(network));
        for (uint256 i = 0; i < 12; ++i) {
            registry.registerValidators(owner, validatorKeys(i, 1), committee(ids[4 * i], ids[4 * i + 1], ids[4 * i + 2], ids[4 * i + 3]));
        }
        registry.registerValidators(owner, validatorKeys(12, 1), committee(ids[0], ids[1], ids[48], ids[49]));
        vm.expectRevert(abi.encodeWithSelector(ISafeStakeRegistry.TooManyOperatorsInUse.selector, owner, 50));
        registry.registerValidators(owner, validatorKeys(13, 1), committee(ids[0], ids[1], ids[2], ids[50]));
        // One committee less makes room.
        registry.removeValidator(validatorKey(3));
        registry.registerValidators(owner, validatorKeys(13, 1), committee(ids[0], ids[1], ids[2], ids[50]));
    }

    /// Whatever is added and removed in whatever order, every list and count agrees with a plain model.
    function testFuzz_ListsAgreeWithAModel(uint256 seed) public {
        uint256[12] memory where;
        for (uint256 step = 0; step < 40; ++step) {
            seed = uint256(keccak256(abi.encode(seed)));
            uint256 index = seed % 12;
            uint32 first = uint32((seed >> 8) % 3);
            if (where[index] == 0) {
                add(owner, index, committee(ids[first], ids[first + 1], ids[first + 2], ids[first + 3]));
                where[index] = first + 1;
            } else {
                vm.prank(address(network));
                registry.removeValidator(validatorKey(index));
                where[index] = 0;
            }
        }
        uint256 total;
        uint256[8] memory perOperator;
        for (uint256 index = 0; index < 12; ++index) {
            bool there = where[index] != 0;
            vm.assertEq(registry.isValidatorOwner(owner, validatorKey(index)), there, "registered");
            if (!there) continue;
            ++total;
            (, uint32[] memory committee_) = registry.committeeOf(validatorKey(index));
            for (uint256 i = 0; i < 4; ++i) {
                assertEq(committee_[i], ids[where[index] - 1 + i], "committee");
                ++perOperator[where[index] - 1 + i];
            }
        }
        (uint32 count,, bytes[] memory keys) = registry.ownerOf(owner);
        assertEq(count, total, "count");
        assertEq(keys.length, total, "list");
        for (uint256 i = 0; i < 8; ++i) {
            assertEq(network.getValidatorCountInOperator(ids[i]), perOperator[i], "count of an operator");
        }
    }
}
