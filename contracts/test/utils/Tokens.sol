// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// A token as it should be.
contract PlainToken is ERC20("Plain", "PLAIN") {
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }
}

/// A token whose transfers can be made to return false, and to take a fee.
contract OddToken is PlainToken {
    bool public refuses;
    uint256 public feePercent;

    function set(bool refuses_, uint256 feePercent_) external {
        refuses = refuses_;
        feePercent = feePercent_;
    }

    function transfer(address to, uint256 amount) public override returns (bool) {
        return refuses ? false : super.transfer(to, amount);
    }

    function transferFrom(address from, address to, uint256 amount) public override returns (bool) {
        if (refuses) return false;
        uint256 fee = amount * feePercent / 100;
        if (fee > 0) _burn(from, fee);
        return super.transferFrom(from, to, amount - fee);
    }
}
