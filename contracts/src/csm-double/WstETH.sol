// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {StETH} from "./StETH.sol";

/// A double of wstETH: one wstETH is one share of stETH.
contract WstETH is ERC20("Wrapped liquid staked Ether 2.0", "wstETH"), ERC20Permit("Wrapped liquid staked Ether 2.0") {
    StETH public immutable stETH;

    constructor(StETH stETH_) {
        stETH = stETH_;
    }

    /// @return shares wstETH for `amount` of the caller's stETH.
    function wrap(uint256 amount) external returns (uint256 shares) {
        shares = stETH.getSharesByPooledEth(amount);
        _mint(msg.sender, shares);
        stETH.transferFrom(msg.sender, address(this), amount);
    }

    /// @return stETH for `shares` of the caller's wstETH.
    function unwrap(uint256 shares) external returns (uint256) {
        _burn(msg.sender, shares);
        return stETH.transferShares(msg.sender, shares);
    }

    function getWstETHByStETH(uint256 amount) external view returns (uint256) {
        return stETH.getSharesByPooledEth(amount);
    }

    function getStETHByWstETH(uint256 shares) external view returns (uint256) {
        return stETH.getPooledEthByShares(shares);
    }
}
