// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

/// A double of CSM's ParametersRegistry with the parameters of its three operator types. Curve ids: 0 default, 2 ICS, 3 IDVTC.
contract ParametersRegistry {
    /// From this key on, this value, in basis points (10,000 is all).
    struct KeyNumberValueInterval {
        uint256 minKeyNumber;
        uint256 value;
    }

    /// @param firstKeyBond Wei.
    /// @param nextKeyBond Wei.
    /// @param keyRemovalCharge Wei per key.
    /// @param queuePriority Lower is earlier.
    /// @param queueMaxDeposits Keys that go to this queue; more go to the lowest priority.
    /// @param strikesLifetime Frames.
    /// @param strikesThreshold Strikes that lead to ejection.
    /// @param badPerformancePenalty Wei.
    /// @param allowedExitDelay Seconds.
    /// @param exitDelayFee Wei.
    /// @param delayedPenaltyFine Wei, besides a general delayed penalty.
    /// @param maxWithdrawalRequestFee Wei.
    struct CurveParameters {
        uint256 firstKeyBond;
        uint256 nextKeyBond;
        uint256 keyRemovalCharge;
        uint256 queuePriority;
        uint256 queueMaxDeposits;
        uint256 strikesLifetime;
        uint256 strikesThreshold;
        uint256 badPerformancePenalty;
        uint256 allowedExitDelay;
        uint256 exitDelayFee;
        uint256 delayedPenaltyFine;
        uint256 maxWithdrawalRequestFee;
        uint256 keysLimit;
        KeyNumberValueInterval[] rewardShares;
        KeyNumberValueInterval[] performanceLeeway;
    }

    uint256 public constant QUEUE_LOWEST_PRIORITY = 5;
    uint256 public constant DEFAULT_CURVE = 0;
    uint256 public constant ICS_CURVE = 2;
    uint256 public constant IDVTC_CURVE = 3;

    mapping(uint256 curveId => CurveParameters) private _curves;

    error InvalidCurveId();

    constructor() {
        CurveParameters storage curve = _curves[DEFAULT_CURVE];
        _common(curve);
        (curve.firstKeyBond, curve.nextKeyBond) = (2.4 ether, 1.3 ether);
        curve.rewardShares.push(KeyNumberValueInterval(1, 350));
        curve.performanceLeeway.push(KeyNumberValueInterval(1, 300));

        curve = _curves[1];
        _common(curve);
        (curve.firstKeyBond, curve.nextKeyBond) = (1.5 ether, 1.3 ether);
        curve.rewardShares.push(KeyNumberValueInterval(1, 350));
        curve.performanceLeeway.push(KeyNumberValueInterval(1, 300));

        curve = _curves[ICS_CURVE];
        _identified(curve);
        (curve.firstKeyBond, curve.nextKeyBond) = (1.5 ether, 1.3 ether);
        (curve.queuePriority, curve.queueMaxDeposits) = (0, 10);
        (curve.strikesThreshold, curve.badPerformancePenalty) = (4, 0.172 ether);
        curve.rewardShares.push(KeyNumberValueInterval(1, 600));
        curve.rewardShares.push(KeyNumberValueInterval(17, 350));
        curve.performanceLeeway.push(KeyNumberValueInterval(1, 500));
        curve.performanceLeeway.push(KeyNumberValueInterval(151, 300));

        curve = _curves[IDVTC_CURVE];
        _identified(curve);
        (curve.firstKeyBond, curve.nextKeyBond) = (1.5 ether, 0.5 ether);
        (curve.queuePriority, curve.queueMaxDeposits) = (1, 40);
        curve.rewardShares.push(KeyNumberValueInterval(1, 350));
        curve.rewardShares.push(KeyNumberValueInterval(65, 200));
        curve.performanceLeeway.push(KeyNumberValueInterval(1, 300));
    }

    /// Test function.
    function setKeysLimit(uint256 curveId, uint256 limit) external {
        _curve(curveId).keysLimit = limit;
    }

    function getCurveParameters(uint256 curveId) external view returns (CurveParameters memory) {
        return _curve(curveId);
    }

    function getKeyRemovalCharge(uint256 curveId) external view returns (uint256) {
        return _curve(curveId).keyRemovalCharge;
    }

    function getKeysLimit(uint256 curveId) external view returns (uint256) {
        return _curve(curveId).keysLimit;
    }

    function getQueueConfig(uint256 curveId) external view returns (uint32 priority, uint32 maxDeposits) {
        return (uint32(_curve(curveId).queuePriority), uint32(_curve(curveId).queueMaxDeposits));
    }

    function getRewardShareData(uint256 curveId) external view returns (KeyNumberValueInterval[] memory) {
        return _curve(curveId).rewardShares;
    }

    function getPerformanceLeewayData(uint256 curveId) external view returns (KeyNumberValueInterval[] memory) {
        return _curve(curveId).performanceLeeway;
    }

    function getStrikesParams(uint256 curveId) external view returns (uint256 lifetime, uint256 threshold) {
        return (_curve(curveId).strikesLifetime, _curve(curveId).strikesThreshold);
    }

    function getBadPerformancePenalty(uint256 curveId) external view returns (uint256) {
        return _curve(curveId).badPerformancePenalty;
    }

    function getAllowedExitDelay(uint256 curveId) external view returns (uint256) {
        return _curve(curveId).allowedExitDelay;
    }

    function getExitDelayFee(uint256 curveId) external view returns (uint256) {
        return _curve(curveId).exitDelayFee;
    }

    /// Release 3.
    function getGeneralDelayedPenaltyAdditionalFine(uint256 curveId) external view returns (uint256) {
        return _curve(curveId).delayedPenaltyFine;
    }

    /// Release 2.
    function getElRewardsStealingAdditionalFine(uint256 curveId) external view returns (uint256) {
        return _curve(curveId).delayedPenaltyFine;
    }

    /// Release 3.
    function getMaxElWithdrawalRequestFee(uint256 curveId) external view returns (uint256) {
        return _curve(curveId).maxWithdrawalRequestFee;
    }

    /// Release 2.
    function getMaxWithdrawalRequestFee(uint256 curveId) external view returns (uint256) {
        return _curve(curveId).maxWithdrawalRequestFee;
    }

    function _curve(uint256 curveId) private view returns (CurveParameters storage curve) {
        curve = _curves[curveId];
        if (curve.firstKeyBond == 0) revert InvalidCurveId();
    }

    function _common(CurveParameters storage curve) private {
        curve.keyRemovalCharge = 0.02 ether;
        (curve.queuePriority, curve.queueMaxDeposits) = (QUEUE_LOWEST_PRIORITY, type(uint32).max);
        (curve.strikesLifetime, curve.strikesThreshold) = (6, 3);
        curve.badPerformancePenalty = 0.258 ether;
        (curve.allowedExitDelay, curve.exitDelayFee) = (4 days, 0.1 ether);
        curve.delayedPenaltyFine = 0.1 ether;
        curve.maxWithdrawalRequestFee = 0.1 ether;
        curve.keysLimit = type(uint256).max;
    }

    function _identified(CurveParameters storage curve) private {
        _common(curve);
        curve.keyRemovalCharge = 0.01 ether;
        (curve.allowedExitDelay, curve.exitDelayFee) = (5 days, 0.05 ether);
        curve.delayedPenaltyFine = 0.05 ether;
    }
}
