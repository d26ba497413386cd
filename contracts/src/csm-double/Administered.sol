// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

/// One account that plays the parts of Lido's oracles, councils and votes.
abstract contract Administered {
    address public immutable admin;

    error OnlyAdmin();

    modifier onlyAdmin() {
        if (msg.sender != admin) revert OnlyAdmin();
        _;
    }

    constructor(address admin_) {
        admin = admin_;
    }
}
