// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import {Administered} from "./Administered.sol";
import {CSModule} from "./CSModule.sol";
import {DepositContract} from "./DepositContract.sol";

/// A double of Lido's vaults: an address that takes ether and keeps it.
contract Vault {
    receive() external payable {}
}

/// A double of Lido's StakingRouter: it says where withdrawals go, and deposits for keys of the module. Its administrator plays the deposit
/// security module, who orders that, and Lido, whose ether it is.
contract StakingRouter is Administered {
    uint256 private constant DEPOSIT = 32 ether;
    uint256 private constant PUBLIC_KEY_LENGTH = 48;
    uint256 private constant SIGNATURE_LENGTH = 96;

    // solhint-disable-next-line var-name-mixedcase
    DepositContract public immutable DEPOSIT_CONTRACT;
    bytes32 private immutable _credentials;

    /// The module had so many keys to deposit for, and other ether came with the order.
    error InvalidDepositsValue(uint256 value, uint256 depositsCount);

    constructor(address admin_, address withdrawalVault, DepositContract depositContract) Administered(admin_) {
        DEPOSIT_CONTRACT = depositContract;
        _credentials = bytes32(uint256(1) << 248 | uint256(uint160(withdrawalVault)));
    }

    /// Deposits 32 ether for each of the next keys of a module's queues, at most `maxDepositsCount`; all of the ether that comes has to be used.
    function deposit(CSModule module, uint256 maxDepositsCount) external payable onlyAdmin {
        (bytes memory publicKeys, bytes memory signatures) = module.obtainDepositData(maxDepositsCount, "");
        uint256 count = publicKeys.length / PUBLIC_KEY_LENGTH;
        if (msg.value != count * DEPOSIT) revert InvalidDepositsValue(msg.value, count);
        bytes memory credentials = abi.encodePacked(_credentials);
        for (uint256 i = 0; i < count; ++i) {
            bytes memory key = _part(publicKeys, i, PUBLIC_KEY_LENGTH);
            bytes memory signature = _part(signatures, i, SIGNATURE_LENGTH);
            // 32 ether in gwei, little-endian.
            bytes32 root = DEPOSIT_CONTRACT.depositDataRoot(key, _credentials, hex"0040597307000000", signature);
            DEPOSIT_CONTRACT.deposit{value: DEPOSIT}(key, credentials, signature, root);
        }
    }

    function getWithdrawalCredentials() external view returns (bytes32) {
        return _credentials;
    }

    function _part(bytes memory list, uint256 index, uint256 length) private pure returns (bytes memory part) {
        part = new bytes(length);
        for (uint256 i = 0; i < length; ++i) {
            part[i] = list[index * length + i];
        }
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

    constructor(address admin, address lido_, address wstETH_, address validatorsExitBusOracle_, DepositContract depositContract) {
        withdrawalVault = address(new Vault());
        elRewardsVault = address(new Vault());
        stakingRouter = address(new StakingRouter(admin, withdrawalVault, depositContract));
        lido = lido_;
        wstETH = wstETH_;
        validatorsExitBusOracle = validatorsExitBusOracle_;
    }
}
