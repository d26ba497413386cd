// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import {ICSModule} from "./ICSModule.sol";

/// What callers meet at CSM's Accounting (CSAccounting in release 2): bond, kept as shares of stETH, and rewards. Amounts in wei, shares of stETH.
interface IAccounting {
    /// Part of a bond curve.
    /// @param minKeysCount From this number of keys on.
    /// @param minBond For that many keys.
    /// @param trend For every further key.
    struct BondCurveInterval {
        uint256 minKeysCount;
        uint256 minBond;
        uint256 trend;
    }

    struct BondCurve {
        BondCurveInterval[] intervals;
    }

    event BondDepositedETH(uint256 indexed nodeOperatorId, address from, uint256 amount);
    event BondDepositedStETH(uint256 indexed nodeOperatorId, address from, uint256 amount);
    event BondDepositedWstETH(uint256 indexed nodeOperatorId, address from, uint256 amount);
    event BondClaimedStETH(uint256 indexed nodeOperatorId, address to, uint256 amount);
    event BondClaimedWstETH(uint256 indexed nodeOperatorId, address to, uint256 amount);
    event BondClaimedUnstETH(uint256 indexed nodeOperatorId, address to, uint256 amount, uint256 requestId);
    event BondBurned(uint256 indexed nodeOperatorId, uint256 toBurnAmount, uint256 burnedAmount);
    event BondCharged(uint256 indexed nodeOperatorId, uint256 toChargeAmount, uint256 chargedAmount);
    event BondDebtIncreased(uint256 indexed nodeOperatorId, uint256 amount);
    event BondDebtCovered(uint256 indexed nodeOperatorId, uint256 amount);
    event BondLockChanged(uint256 indexed nodeOperatorId, uint256 newAmount, uint256 until);
    event BondLockRemoved(uint256 indexed nodeOperatorId);
    event BondCurveSet(uint256 indexed nodeOperatorId, uint256 curveId);
    event CustomRewardsClaimerSet(uint256 indexed nodeOperatorId, address rewardsClaimer);

    error SenderIsNotModule();
    error SenderIsNotEligible();
    error NodeOperatorDoesNotExist();
    error InvalidBondCurveId();
    error InvalidAmount();

    function depositETH(address from, uint256 nodeOperatorId) external payable;
    function depositStETH(address from, uint256 nodeOperatorId, uint256 stETHAmount, ICSModule.PermitInput calldata permit) external;
    function depositWstETH(address from, uint256 nodeOperatorId, uint256 wstETHAmount, ICSModule.PermitInput calldata permit) external;
    function setBondCurve(uint256 nodeOperatorId, uint256 curveId) external;
    function chargeFee(uint256 nodeOperatorId, uint256 amount) external;
    function penalize(uint256 nodeOperatorId, uint256 amount) external;
    function lockBond(uint256 nodeOperatorId, uint256 amount) external;
    function releaseLockedBond(uint256 nodeOperatorId, uint256 amount) external;
    function settleLockedBond(uint256 nodeOperatorId) external returns (uint256 settled);

    function getBondCurveId(uint256 nodeOperatorId) external view returns (uint256);
    function getBondAmountByKeysCount(uint256 keys, uint256 curveId) external view returns (uint256);
    function getBondAmountByKeysCountWstETH(uint256 keys, uint256 curveId) external view returns (uint256);
    function getRequiredBondForNextKeys(uint256 nodeOperatorId, uint256 additionalKeys) external view returns (uint256);
    function getRequiredBondForNextKeysWstETH(uint256 nodeOperatorId, uint256 additionalKeys) external view returns (uint256);
    function getUnbondedKeysCount(uint256 nodeOperatorId) external view returns (uint256);
    function getBondSummary(uint256 nodeOperatorId) external view returns (uint256 current, uint256 required);
}
