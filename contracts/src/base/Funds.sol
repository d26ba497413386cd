// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ISafeStakeNetwork} from "../interfaces/ISafeStakeNetwork.sol";

/// The one door through which money comes in and goes out of the Network contract. `fundsHeld` is what is inside.
abstract contract Funds is ISafeStakeNetwork {
    using SafeERC20 for IERC20;

    address public _token;
    uint256 public fundsHeld;
    uint256[8] private __fundsGap;

    /// Takes exactly `amount` from the caller.
    function _collect(uint256 amount) internal {
        fundsHeld += amount;
        if (_token == address(0)) {
            require(msg.value == amount, "D0");
            return;
        }
        if (msg.value != 0) revert UnexpectedValue(msg.value);
        if (amount == 0) return;
        IERC20 token = IERC20(_token);
        uint256 before = token.balanceOf(address(this));
        require(token.balanceOf(msg.sender) >= amount, "D0");
        require(token.trySafeTransferFrom(msg.sender, address(this), amount), "A2");
        // Strictly: a token that takes a fee of its own would leave the books short.
        // slither-disable-next-line incorrect-equality
        require(token.balanceOf(address(this)) - before == amount, "A2");
    }

    /// Pays out; reverts with `code` if it does not arrive.
    function _pay(address to, uint256 amount, string memory code) internal {
        // slither-disable-next-line incorrect-equality
        if (amount == 0) return;
        fundsHeld -= amount;
        bool paid;
        if (_token == address(0)) {
            (paid,) = to.call{value: amount}("");
        } else {
            paid = IERC20(_token).trySafeTransfer(to, amount);
        }
        require(paid, code);
    }

    function _setToken(address token) internal {
        if (token != address(0) && token.code.length == 0) revert InvalidToken(token);
        emit TokenUpdate(_token, token);
        _token = token;
    }
}
