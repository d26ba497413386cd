// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import {Administered} from "./Administered.sol";
import {FeeDistributor} from "./FeeDistributor.sol";
import {ParametersRegistry} from "./ParametersRegistry.sol";
import {StETH} from "./StETH.sol";
import {WstETH} from "./WstETH.sol";
import {IAccounting} from "./interfaces/IAccounting.sol";
import {ICSModule} from "./interfaces/ICSModule.sol";

/// A double of CSM's Accounting (CSAccounting in release 2).
contract Accounting is Administered, IAccounting {
    /// Rounding of stETH, forgiven when the bond is compared with what is needed.
    uint256 private constant ROUNDING = 10 wei;
    uint256 private constant LOCK_PERIOD = 8 weeks;

    ICSModule public immutable module;
    StETH public immutable stETH;
    WstETH public immutable wstETH;
    ParametersRegistry public immutable parametersRegistry;
    FeeDistributor public feeDistributor;

    mapping(uint256 id => uint256) public getBondShares;
    mapping(uint256 id => uint256) public getBondCurveId;
    mapping(uint256 id => uint256) public getBondDebt;
    mapping(uint256 id => address) public getCustomRewardsClaimer;
    mapping(uint256 id => uint256) private _locked;
    mapping(uint256 id => uint256) private _lockedUntil;
    uint256 private _withdrawalRequests;

    modifier onlyModule() {
        if (msg.sender != address(module)) revert SenderIsNotModule();
        _;
    }

    constructor(address admin_, ICSModule module_, StETH stETH_, WstETH wstETH_, ParametersRegistry parametersRegistry_)
        Administered(admin_)
    {
        module = module_;
        stETH = stETH_;
        wstETH = wstETH_;
        parametersRegistry = parametersRegistry_;
    }

    function setFeeDistributor(FeeDistributor feeDistributor_) external onlyAdmin {
        feeDistributor = feeDistributor_;
    }

    // Bond in

    /// Anyone adds to the bond of an operator.
    function depositETH(uint256 nodeOperatorId) external payable {
        if (msg.value == 0) revert InvalidAmount();
        _depositETH(msg.sender, nodeOperatorId);
        module.updateDepositableValidatorsCount(nodeOperatorId);
    }

    /// @inheritdoc IAccounting
    function depositETH(address from, uint256 nodeOperatorId) external payable onlyModule {
        _depositETH(from, nodeOperatorId);
    }

    /// @inheritdoc IAccounting
    function depositStETH(address from, uint256 nodeOperatorId, uint256 stETHAmount, ICSModule.PermitInput calldata permit)
        external
        onlyModule
    {
        if (permit.value > 0 && stETH.allowance(from, address(this)) < permit.value) {
            stETH.permit(from, address(this), permit.value, permit.deadline, permit.v, permit.r, permit.s);
        }
        uint256 before = stETH.sharesOf(address(this));
        stETH.transferFrom(from, address(this), stETHAmount);
        emit BondDepositedStETH(nodeOperatorId, from, stETHAmount);
        _add(nodeOperatorId, stETH.sharesOf(address(this)) - before);
    }

    /// @inheritdoc IAccounting
    function depositWstETH(address from, uint256 nodeOperatorId, uint256 wstETHAmount, ICSModule.PermitInput calldata permit)
        external
        onlyModule
    {
        if (permit.value > 0 && wstETH.allowance(from, address(this)) < permit.value) {
            wstETH.permit(from, address(this), permit.value, permit.deadline, permit.v, permit.r, permit.s);
        }
        require(wstETH.transferFrom(from, address(this), wstETHAmount), InvalidAmount());
        uint256 before = stETH.sharesOf(address(this));
        wstETH.unwrap(wstETHAmount);
        emit BondDepositedWstETH(nodeOperatorId, from, wstETHAmount);
        _add(nodeOperatorId, stETH.sharesOf(address(this)) - before);
    }

    // Bond out

    /// @inheritdoc IAccounting
    function setBondCurve(uint256 nodeOperatorId, uint256 curveId) external {
        if (msg.sender != admin && !IGates(address(module)).isGate(msg.sender)) revert SenderIsNotEligible();
        parametersRegistry.getKeysLimit(curveId);
        getBondCurveId[nodeOperatorId] = curveId;
        emit BondCurveSet(nodeOperatorId, curveId);
    }

    /// @inheritdoc IAccounting
    function chargeFee(uint256 nodeOperatorId, uint256 amount) external onlyModule {
        uint256 taken = _take(nodeOperatorId, amount);
        emit BondCharged(nodeOperatorId, amount, taken);
        stETH.transfer(admin, taken);
    }

    /// @inheritdoc IAccounting
    function penalize(uint256 nodeOperatorId, uint256 amount) external onlyModule {
        _burn(nodeOperatorId, amount);
    }

    /// @inheritdoc IAccounting
    function lockBond(uint256 nodeOperatorId, uint256 amount) external onlyModule {
        _locked[nodeOperatorId] = getLockedBond(nodeOperatorId) + amount;
        _lockedUntil[nodeOperatorId] = block.timestamp + LOCK_PERIOD;
        emit BondLockChanged(nodeOperatorId, _locked[nodeOperatorId], _lockedUntil[nodeOperatorId]);
    }

    /// @inheritdoc IAccounting
    function releaseLockedBond(uint256 nodeOperatorId, uint256 amount) external onlyModule {
        uint256 locked = getLockedBond(nodeOperatorId);
        if (amount > locked) revert InvalidAmount();
        _setLock(nodeOperatorId, locked - amount);
    }

    /// @inheritdoc IAccounting
    function settleLockedBond(uint256 nodeOperatorId) external onlyModule returns (uint256 settled) {
        settled = getLockedBond(nodeOperatorId);
        _setLock(nodeOperatorId, 0);
        if (settled > 0) _burn(nodeOperatorId, settled);
    }

    /// Besides manager and reward address. The owner sets it.
    function setCustomRewardsClaimer(uint256 nodeOperatorId, address rewardsClaimer) external {
        if (msg.sender != module.getNodeOperatorOwner(nodeOperatorId)) revert SenderIsNotEligible();
        getCustomRewardsClaimer[nodeOperatorId] = rewardsClaimer;
        emit CustomRewardsClaimerSet(nodeOperatorId, rewardsClaimer);
    }

    function claimRewardsStETH(uint256 nodeOperatorId, uint256 stETHAmount, uint256 cumulativeFeeShares, bytes32[] calldata proof)
        external
        returns (uint256 shares)
    {
        address to = _pull(nodeOperatorId, cumulativeFeeShares, proof);
        shares = _release(nodeOperatorId, stETH.getSharesByPooledEth(_atMost(stETHAmount)));
        emit BondClaimedStETH(nodeOperatorId, to, stETH.transferShares(to, shares));
    }

    function claimRewardsWstETH(uint256 nodeOperatorId, uint256 wstETHAmount, uint256 cumulativeFeeShares, bytes32[] calldata proof)
        external
        returns (uint256 claimed)
    {
        address to = _pull(nodeOperatorId, cumulativeFeeShares, proof);
        uint256 shares = _release(nodeOperatorId, wstETHAmount);
        uint256 amount = stETH.getPooledEthByShares(shares);
        stETH.approve(address(wstETH), amount);
        claimed = wstETH.wrap(amount);
        require(wstETH.transfer(to, claimed), InvalidAmount());
        emit BondClaimedWstETH(nodeOperatorId, to, claimed);
    }

    /// The withdrawal queue is not part of the double: the admin keeps the stETH, and the id of the request is given.
    function claimRewardsUnstETH(uint256 nodeOperatorId, uint256 stETHAmount, uint256 cumulativeFeeShares, bytes32[] calldata proof)
        external
        returns (uint256 requestId)
    {
        address to = _pull(nodeOperatorId, cumulativeFeeShares, proof);
        uint256 shares = _release(nodeOperatorId, stETH.getSharesByPooledEth(_atMost(stETHAmount)));
        requestId = ++_withdrawalRequests;
        emit BondClaimedUnstETH(nodeOperatorId, to, stETH.transferShares(admin, shares), requestId);
    }

    /// Takes rewards into the bond. Anyone.
    function pullAndSplitFeeRewards(uint256 nodeOperatorId, uint256 cumulativeFeeShares, bytes32[] calldata proof) external {
        _add(nodeOperatorId, feeDistributor.distributeFees(nodeOperatorId, cumulativeFeeShares, proof));
        module.updateDepositableValidatorsCount(nodeOperatorId);
    }

    // Reading

    // solhint-disable-next-line func-name-mixedcase
    function LIDO() external view returns (StETH) {
        return stETH;
    }

    // solhint-disable-next-line func-name-mixedcase
    function WSTETH() external view returns (WstETH) {
        return wstETH;
    }

    /// @inheritdoc IAccounting
    function getBondAmountByKeysCount(uint256 keys, uint256 curveId) public view returns (uint256) {
        ParametersRegistry.CurveParameters memory curve = parametersRegistry.getCurveParameters(curveId);
        return keys == 0 ? 0 : curve.firstKeyBond + (keys - 1) * curve.nextKeyBond;
    }

    /// @inheritdoc IAccounting
    function getBondAmountByKeysCountWstETH(uint256 keys, uint256 curveId) external view returns (uint256) {
        return _sharesFor(getBondAmountByKeysCount(keys, curveId));
    }

    /// @inheritdoc IAccounting
    function getRequiredBondForNextKeys(uint256 nodeOperatorId, uint256 additionalKeys) public view returns (uint256) {
        uint256 keys = module.getNodeOperatorNonWithdrawnKeys(nodeOperatorId) + additionalKeys;
        uint256 required =
            getBondAmountByKeysCount(keys, getBondCurveId[nodeOperatorId]) + getLockedBond(nodeOperatorId) + getBondDebt[nodeOperatorId];
        uint256 current = getBond(nodeOperatorId) + ROUNDING;
        return required > current ? required - current + ROUNDING : 0;
    }

    /// @inheritdoc IAccounting
    function getRequiredBondForNextKeysWstETH(uint256 nodeOperatorId, uint256 additionalKeys) external view returns (uint256) {
        return _sharesFor(getRequiredBondForNextKeys(nodeOperatorId, additionalKeys));
    }

    function getBond(uint256 nodeOperatorId) public view returns (uint256) {
        return stETH.getPooledEthByShares(getBondShares[nodeOperatorId]);
    }

    /// Wei, 0 once the time to settle is over.
    function getLockedBond(uint256 nodeOperatorId) public view returns (uint256) {
        return block.timestamp < _lockedUntil[nodeOperatorId] ? _locked[nodeOperatorId] : 0;
    }

    /// The name of `getLockedBond` in release 2.
    function getActualLockedBond(uint256 nodeOperatorId) external view returns (uint256) {
        return getLockedBond(nodeOperatorId);
    }

    /// @inheritdoc IAccounting
    function getBondSummary(uint256 nodeOperatorId) public view returns (uint256 current, uint256 required) {
        uint256 keys = module.getNodeOperatorNonWithdrawnKeys(nodeOperatorId);
        current = getBond(nodeOperatorId);
        required =
            getBondAmountByKeysCount(keys, getBondCurveId[nodeOperatorId]) + getLockedBond(nodeOperatorId) + getBondDebt[nodeOperatorId];
    }

    /// @inheritdoc IAccounting
    function getUnbondedKeysCount(uint256 nodeOperatorId) external view returns (uint256) {
        uint256 keys = module.getNodeOperatorNonWithdrawnKeys(nodeOperatorId);
        uint256 bond = getBond(nodeOperatorId) + ROUNDING;
        uint256 bound = getLockedBond(nodeOperatorId) + getBondDebt[nodeOperatorId];
        bond = bond > bound ? bond - bound : 0;
        ParametersRegistry.CurveParameters memory curve = parametersRegistry.getCurveParameters(getBondCurveId[nodeOperatorId]);
        uint256 covered = bond < curve.firstKeyBond ? 0 : 1 + (bond - curve.firstKeyBond) / curve.nextKeyBond;
        return keys > covered ? keys - covered : 0;
    }

    function getCurveInfo(uint256 curveId) public view returns (BondCurve memory curve) {
        ParametersRegistry.CurveParameters memory parameters = parametersRegistry.getCurveParameters(curveId);
        curve.intervals = new BondCurveInterval[](2);
        curve.intervals[0] = BondCurveInterval(1, parameters.firstKeyBond, parameters.firstKeyBond);
        curve.intervals[1] = BondCurveInterval(2, parameters.firstKeyBond + parameters.nextKeyBond, parameters.nextKeyBond);
    }

    function getBondCurve(uint256 nodeOperatorId) external view returns (BondCurve memory) {
        return getCurveInfo(getBondCurveId[nodeOperatorId]);
    }

    /// Shares that could be claimed without rewards.
    function getClaimableBondShares(uint256 nodeOperatorId) public view returns (uint256) {
        return _claimable(nodeOperatorId, getBondShares[nodeOperatorId]);
    }

    /// Shares that could be claimed with rewards.
    function getClaimableRewardsAndBondShares(uint256 nodeOperatorId, uint256 cumulativeFeeShares, bytes32[] calldata proof)
        external
        view
        returns (uint256)
    {
        uint256 rewards = feeDistributor.getFeesToDistribute(nodeOperatorId, cumulativeFeeShares, proof);
        return _claimable(nodeOperatorId, getBondShares[nodeOperatorId] + rewards);
    }

    // Parts

    function _depositETH(address from, uint256 nodeOperatorId) private {
        uint256 shares = stETH.submit{value: msg.value}(address(0));
        emit BondDepositedETH(nodeOperatorId, from, msg.value);
        _add(nodeOperatorId, shares);
    }

    /// Adds to a bond; what is owed is paid first.
    function _add(uint256 nodeOperatorId, uint256 shares) private {
        getBondShares[nodeOperatorId] += shares;
        uint256 debt = getBondDebt[nodeOperatorId];
        if (debt == 0) return;
        uint256 covered = _take(nodeOperatorId, debt);
        getBondDebt[nodeOperatorId] = debt - covered;
        emit BondDebtCovered(nodeOperatorId, covered);
        stETH.burnShares(stETH.getSharesByPooledEth(covered));
    }

    /// Takes wei from a bond, as much as is there.
    function _take(uint256 nodeOperatorId, uint256 amount) private returns (uint256) {
        uint256 shares = stETH.getSharesByPooledEth(amount);
        if (shares > getBondShares[nodeOperatorId]) shares = getBondShares[nodeOperatorId];
        getBondShares[nodeOperatorId] -= shares;
        return stETH.getPooledEthByShares(shares);
    }

    function _burn(uint256 nodeOperatorId, uint256 amount) private {
        uint256 burnt = _take(nodeOperatorId, amount);
        emit BondBurned(nodeOperatorId, amount, burnt);
        stETH.burnShares(stETH.getSharesByPooledEth(burnt));
        if (burnt + ROUNDING < amount) {
            getBondDebt[nodeOperatorId] += amount - burnt;
            emit BondDebtIncreased(nodeOperatorId, amount - burnt);
        }
    }

    function _setLock(uint256 nodeOperatorId, uint256 amount) private {
        _locked[nodeOperatorId] = amount;
        if (amount == 0) {
            delete _lockedUntil[nodeOperatorId];
            emit BondLockRemoved(nodeOperatorId);
        } else {
            emit BondLockChanged(nodeOperatorId, amount, _lockedUntil[nodeOperatorId]);
        }
    }

    /// Checks who claims, takes rewards into the bond, and says where the claim goes.
    function _pull(uint256 nodeOperatorId, uint256 cumulativeFeeShares, bytes32[] calldata proof) private returns (address to) {
        ICSModule.NodeOperatorManagementProperties memory properties = module.getNodeOperatorManagementProperties(nodeOperatorId);
        if (properties.managerAddress == address(0)) revert NodeOperatorDoesNotExist();
        if (
            msg.sender != properties.managerAddress && msg.sender != properties.rewardAddress
                && msg.sender != getCustomRewardsClaimer[nodeOperatorId]
        ) revert SenderIsNotEligible();
        if (proof.length > 0) _add(nodeOperatorId, feeDistributor.distributeFees(nodeOperatorId, cumulativeFeeShares, proof));
        return properties.rewardAddress;
    }

    /// Takes up to `wanted` shares of what is more than the bond that is needed.
    function _release(uint256 nodeOperatorId, uint256 wanted) private returns (uint256 shares) {
        uint256 claimable = getClaimableBondShares(nodeOperatorId);
        shares = wanted < claimable ? wanted : claimable;
        if (shares == 0) revert InvalidAmount();
        getBondShares[nodeOperatorId] -= shares;
    }

    function _claimable(uint256 nodeOperatorId, uint256 shares) private view returns (uint256) {
        (, uint256 required) = getBondSummary(nodeOperatorId);
        uint256 needed = _sharesFor(required);
        return shares > needed ? shares - needed : 0;
    }

    /// Shares for wei, rounded up.
    function _sharesFor(uint256 amount) private view returns (uint256) {
        uint256 shares = stETH.getSharesByPooledEth(amount);
        return stETH.getPooledEthByShares(shares) < amount ? shares + 1 : shares;
    }

    /// `type(uint256).max` stands for all; kept small enough to be multiplied.
    function _atMost(uint256 amount) private pure returns (uint256) {
        return amount < type(uint128).max ? amount : type(uint128).max;
    }
}

/// The one question that Accounting has about gates.
interface IGates {
    function isGate(address gate) external view returns (bool);
}
