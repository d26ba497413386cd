// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import {ISafeStakeNetwork} from "../src/interfaces/ISafeStakeNetwork.sol";
import {System} from "./utils/System.sol";
import {vm} from "./utils/Vm.sol";

/// What transactions cost, as `.gas-snapshot` keeps it. One test is one transaction; `execution` adds what calldata and the transaction itself cost.
contract GasTest is System {
    /// EIP-7825: the most that one transaction can use.
    uint256 internal constant TRANSACTION_GAS_LIMIT = 16_777_216;
    uint256 internal constant AMOUNT = PRICE * 200_000;

    uint32[] internal ids;

    function setUp() public {
        deploySystem(address(0), 1);
        ids = registerOperators(0, 13);
        // As in practice: the owner and the operators already have validators.
        registerValidator(owner, 1_000_000, some(4), AMOUNT);
        registerValidator(owner, 1_000_001, some(7), AMOUNT * 2);
        registerValidator(owner, 1_000_002, some(13), AMOUNT * 4);
    }

    function some(uint256 count) internal view returns (uint32[] memory list) {
        list = new uint32[](count);
        for (uint256 i = 0; i < count; ++i) {
            list[i] = ids[i];
        }
    }

    /// Tokens of calldata (EIP-7623): 4 for a byte that is not zero, 1 for one that is.
    function tokens(bytes memory data) internal pure returns (uint256) {
        uint256 zeros;
        for (uint256 i = 0; i < data.length; ++i) {
            if (data[i] == 0) ++zeros;
        }
        return zeros + 4 * (data.length - zeros);
    }

    /// What a transaction with this calldata leaves for its execution under the limit.
    function executionLimit(bytes memory data) internal pure returns (uint256) {
        return TRANSACTION_GAS_LIMIT - 21_000 - 4 * tokens(data);
    }

    /// Gas of a transaction with this calldata (EIP-2028), at least the floor of EIP-7623.
    function transactionGas(bytes memory data, uint256 execution) internal pure returns (uint256) {
        uint256 standard = 21_000 + 4 * tokens(data) + execution;
        uint256 floor = 21_000 + 10 * tokens(data);
        return standard > floor ? standard : floor;
    }

    /// Registers `count` validators in one transaction and returns its gas.
    function batch(uint256 count, uint256 size) internal returns (uint256) {
        (bytes[][] memory publicShares, bytes[][] memory encryptedShares) = manyShares(0, count, size);
        uint256 amount = AMOUNT * size / 4;
        bytes memory data = abi.encodeCall(
            network.batchRegisterValidator,
            (owner, validatorKeys(0, count), some(size), publicShares, encryptedShares, uint32(count), amount)
        );
        uint256 limit = executionLimit(data);
        vm.deal(owner, amount * count);
        vm.prank(owner);
        uint256 before = gasleft();
        (bool success,) = address(network).call{value: amount * count, gas: limit}(data);
        uint256 used = before - gasleft();
        vm.assertTrue(success, "registered");
        return transactionGas(data, used);
    }

    function check(uint256 count, uint256 size, uint256 limitPerKey) internal {
        uint256 gas = batch(count, size);
        emit Gas(count, size, gas, gas / count);
        vm.assertLe(gas, TRANSACTION_GAS_LIMIT, "fits in one transaction");
        vm.assertLe(gas / count, limitPerKey, "gas per key");
        assertEq(network.fundsHeld(), AMOUNT * (1 + 2 + 4) + count * AMOUNT * size / 4, "each paid its own fee");
    }

    event Gas(uint256 keys, uint256 size, uint256 gas, uint256 gasPerKey);

    function test_Register1Of4() public {
        check(1, 4, 400_000);
    }

    function test_Register10Of4() public {
        check(10, 4, 170_000);
    }

    function test_Register20Of4() public {
        check(20, 4, 160_000);
    }

    function test_Register50Of4() public {
        check(50, 4, 150_000);
    }

    /// 100 validators of one committee of four in one transaction.
    function test_Register100Of4() public {
        check(100, 4, 150_000);
    }

    /// What fits into one transaction.
    function test_Register118Of4() public {
        check(118, 4, 140_000);
    }

    function test_Register99Of7() public {
        check(99, 7, 167_000);
    }

    function test_Register74Of13() public {
        check(74, 13, 239_000);
    }

    /// 100 validators of five committees in one transaction, as groups.
    function test_Register100InFiveGroups() public {
        ISafeStakeNetwork.Group[] memory groups = new ISafeStakeNetwork.Group[](5);
        for (uint32 g = 0; g < 5; ++g) {
            groups[g].operatorIds = committee(ids[g], ids[g + 1], ids[g + 2], ids[g + 3]);
            groups[g].publicKeys = validatorKeys(20 * g, 20);
            (groups[g].sharesPublicKeys, groups[g].sharesEncrypted) = manyShares(20 * g, 20, 4);
            groups[g].eachAmount = AMOUNT;
        }
        bytes memory data = abi.encodeCall(network.registerValidatorGroups, (owner, groups));
        uint256 limit = executionLimit(data);
        vm.deal(owner, AMOUNT * 100);
        vm.prank(owner);
        uint256 before = gasleft();
        (bool success,) = address(network).call{value: AMOUNT * 100, gas: limit}(data);
        uint256 gas = transactionGas(data, before - gasleft());
        vm.assertTrue(success, "registered");
        emit Gas(100, 4, gas, gas / 100);
        vm.assertLe(gas, TRANSACTION_GAS_LIMIT, "fits in one transaction");
    }

    function test_RegisterOne() public {
        (bytes[] memory publicShares, bytes[] memory encryptedShares) = shares(5, 4);
        uint32[] memory committee_ = some(4);
        vm.prank(owner);
        network.registerValidator{value: AMOUNT}(owner, validatorKey(5), committee_, publicShares, encryptedShares, AMOUNT);
    }

    function test_TopUp() public {
        vm.prank(owner);
        network.deposit{value: AMOUNT}(oneKey(validatorKey(1_000_000)), oneValue(AMOUNT), AMOUNT);
    }

    function test_Remove() public {
        vm.prank(owner);
        network.removeValidator(oneKey(validatorKey(1_000_000)));
    }

    /// Sealed shares of a validator on chain: 93 bytes per operator.
    function test_BytesOfSealedSharesOnChain() public pure {
        (, bytes[] memory four) = shares(1, 4);
        (, bytes[] memory thirteen) = shares(1, 13);
        uint256 bytesOfFour;
        uint256 bytesOfThirteen;
        for (uint256 i = 0; i < 4; ++i) {
            bytesOfFour += four[i].length;
        }
        for (uint256 i = 0; i < 13; ++i) {
            bytesOfThirteen += thirteen[i].length;
        }
        assertEq(bytesOfFour, 372, "four operators");
        assertEq(bytesOfThirteen, 1209, "thirteen operators");
    }
}
