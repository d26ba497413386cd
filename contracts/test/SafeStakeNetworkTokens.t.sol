// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import {ISafeStakeNetwork} from "../src/interfaces/ISafeStakeNetwork.sol";
import {System} from "./utils/System.sol";
import {OddToken, PlainToken} from "./utils/Tokens.sol";
import {vm} from "./utils/Vm.sol";

/// Payments in an ERC-20 token.
contract SafeStakeNetworkTokensTest is System {
    uint256 internal constant AMOUNT = PRICE * 1000;

    uint32[] internal ids;

    function setUp() public {
        deploySystem(address(0), 1);
        ids = registerOperators(0, 8);
    }

    function four() internal view returns (uint32[] memory) {
        return committee(ids[0], ids[1], ids[2], ids[3]);
    }

    function test_TokenPayments() public {
        PlainToken token = new PlainToken();
        deploySystem(address(token), 1);
        ids = registerOperators(0, 4);
        (bytes[] memory publicShares, bytes[] memory encryptedShares) = shares(1, 4);
        uint32[] memory committee_ = four();
        vm.startPrank(owner);
        expectCode("D0");
        network.registerValidator(owner, validatorKey(1), committee_, publicShares, encryptedShares, AMOUNT);
        token.mint(owner, 10 * AMOUNT);
        expectCode("A2");
        network.registerValidator(owner, validatorKey(1), committee_, publicShares, encryptedShares, AMOUNT);
        token.approve(address(network), 10 * AMOUNT);
        vm.expectRevert(abi.encodeWithSelector(ISafeStakeNetwork.UnexpectedValue.selector, 1));
        network.registerValidator{value: 1}(owner, validatorKey(1), committee_, publicShares, encryptedShares, AMOUNT);
        network.registerValidator(owner, validatorKey(1), committee_, publicShares, encryptedShares, AMOUNT);
        assertEq(token.balanceOf(address(network)), AMOUNT, "paid");
        vm.roll(block.number + 500);
        network.removeValidator(oneKey(validatorKey(1)));
        assertEq(token.balanceOf(owner), 10 * AMOUNT - 500 * PRICE, "half came back");
        (bool sent,) = address(network).call{value: 1}("");
        vm.assertFalse(sent, "native currency is refused");
    }

    function test_A2_TokensThatDoNotArriveInFull() public {
        OddToken token = new OddToken();
        deploySystem(address(token), 1);
        ids = registerOperators(0, 4);
        (bytes[] memory publicShares, bytes[] memory encryptedShares) = shares(1, 4);
        uint32[] memory committee_ = four();
        token.mint(owner, 10 * AMOUNT);
        vm.startPrank(owner);
        token.approve(address(network), 10 * AMOUNT);
        token.set(false, 1);
        expectCode("A2");
        network.registerValidator(owner, validatorKey(1), committee_, publicShares, encryptedShares, AMOUNT);
        token.set(true, 0);
        expectCode("A2");
        network.registerValidator(owner, validatorKey(1), committee_, publicShares, encryptedShares, AMOUNT);
        token.set(false, 0);
        network.registerValidator(owner, validatorKey(1), committee_, publicShares, encryptedShares, AMOUNT);
        token.set(true, 0);
        expectCode("B3");
        network.removeValidator(oneKey(validatorKey(1)));
    }

    function test_TokenChangesOnlyWhileNothingIsHeld() public {
        PlainToken token = new PlainToken();
        registerValidator(owner, 1, four(), AMOUNT);
        vm.prank(admin);
        vm.expectRevert(abi.encodeWithSelector(ISafeStakeNetwork.FundsHeld.selector, AMOUNT));
        network.updateTokenAddr(address(token));
        vm.prank(owner);
        network.removeValidator(oneKey(validatorKey(1)));
        vm.startPrank(admin);
        vm.expectRevert(abi.encodeWithSelector(ISafeStakeNetwork.InvalidToken.selector, stranger));
        network.updateTokenAddr(stranger);
        network.updateTokenAddr(address(token));
        vm.assertEq(network._token(), address(token), "token");
    }
}
