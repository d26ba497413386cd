// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

/// A double of Lido's vaults: an address that takes ether and keeps it.
contract Vault {
    receive() external payable {}
}

/// A double of Lido's StakingRouter, for the one question that deposit data depend on.
contract StakingRouter {
    bytes32 private immutable _credentials;

    constructor(address withdrawalVault) {
        _credentials = bytes32(uint256(1) << 248 | uint256(uint160(withdrawalVault)));
    }

    function getWithdrawalCredentials() external view returns (bytes32) {
        return _credentials;
    }
}

/// A double of LidoLocator: where things are.
contract LidoLocator {
    address public immutable withdrawalVault;
    address public immutable elRewardsVault;
    address public immutable stakingRouter;
    address public immutable lido;
    address public immutable wstETH;
    address public immutable validatorsExitBusOracle;

    constructor(address lido_, address wstETH_, address validatorsExitBusOracle_) {
        withdrawalVault = address(new Vault());
        elRewardsVault = address(new Vault());
        stakingRouter = address(new StakingRouter(withdrawalVault));
        lido = lido_;
        wstETH = wstETH_;
        validatorsExitBusOracle = validatorsExitBusOracle_;
    }
}
