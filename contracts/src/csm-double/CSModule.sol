// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import {DepositQueue} from "./DepositQueue.sol";
import {Administered} from "./Administered.sol";
import {ParametersRegistry} from "./ParametersRegistry.sol";
import {IAccounting} from "./interfaces/IAccounting.sol";
import {ICSModule} from "./interfaces/ICSModule.sol";

/// Where the module finds Lido's router.
interface ILocator {
    function stakingRouter() external view returns (address);
}

/// A double of CSM's module. See `ICSModule` for what it is and is not.
contract CSModule is DepositQueue {
    uint256 private constant PUBLIC_KEY_LENGTH = 48;
    uint256 private constant SIGNATURE_LENGTH = 96;

    /// 2 or 3: which events are emitted where the releases differ.
    uint256 public immutable release;
    /// Who may create operators.
    mapping(address gate => bool) public isGate;
    bool public isPaused;
    /// Where Lido's other contracts are.
    address public LIDO_LOCATOR;
    mapping(uint256 id => mapping(uint256 index => bytes)) private _publicKeys;
    mapping(uint256 id => mapping(uint256 index => bytes)) private _signatures;
    mapping(uint256 id => mapping(uint256 index => bool)) private _withdrawn;

    constructor(address admin_, ParametersRegistry parametersRegistry_, uint256 release_)
        Administered(admin_)
        DepositQueue(parametersRegistry_)
    {
        release = release_;
    }

    // Set-up and what Lido's other contracts, councils and votes do

    function setAccounting(IAccounting accounting_) external onlyAdmin {
        accounting = accounting_;
    }

    function setLocator(address locator) external onlyAdmin {
        LIDO_LOCATOR = locator;
    }

    function setGate(address gate, bool allowed) external onlyAdmin {
        isGate[gate] = allowed;
    }

    function pauseFor(uint256) external onlyAdmin {
        if (isPaused) revert ResumedExpected();
        isPaused = true;
    }

    function resume() external onlyAdmin {
        if (!isPaused) revert PausedExpected();
        isPaused = false;
    }

    /// Gives Lido's router up to `depositsCount` keys in the order of the queues, which it deposits for.
    function obtainDepositData(uint256 depositsCount, bytes calldata) external returns (bytes memory publicKeys, bytes memory signatures) {
        if (msg.sender != ILocator(LIDO_LOCATOR).stakingRouter()) revert AccessDenied();
        return _obtain(depositsCount);
    }

    /// Test function: the same without a deposit.
    function deposit(uint256 count) external onlyAdmin returns (bytes memory publicKeys, bytes memory signatures) {
        return _obtain(count);
    }

    /// Test function: the council found the key at index `vettedKeysCount` bad.
    function decreaseVettedSigningKeysCount(uint256 nodeOperatorId, uint256 vettedKeysCount) external onlyAdmin {
        _checkExists(nodeOperatorId);
        NodeOperator storage operator = _nodeOperators[nodeOperatorId];
        if (vettedKeysCount >= operator.totalVettedKeys || vettedKeysCount < operator.totalDepositedKeys) revert InvalidKeysCount();
        operator.totalVettedKeys = uint32(vettedKeysCount);
        emit VettedSigningKeysCountChanged(nodeOperatorId, vettedKeysCount);
        emit VettedSigningKeysCountDecreased(nodeOperatorId);
        _updateDepositable(nodeOperatorId);
    }

    function updateTargetValidatorsLimits(uint256 nodeOperatorId, uint256 mode, uint256 limit) external onlyAdmin {
        _checkExists(nodeOperatorId);
        NodeOperator storage operator = _nodeOperators[nodeOperatorId];
        (operator.targetLimitMode, operator.targetLimit) = (uint8(mode), uint32(limit));
        emit TargetValidatorsCountChanged(nodeOperatorId, mode, limit);
        _updateDepositable(nodeOperatorId);
    }

    /// Test function: a validator is out, with this balance in wei; what is missing to 32 ether is taken from the bond.
    function reportWithdrawal(uint256 nodeOperatorId, uint256 keyIndex, uint256 exitBalance) external onlyAdmin {
        _checkExists(nodeOperatorId);
        NodeOperator storage operator = _nodeOperators[nodeOperatorId];
        if (keyIndex >= operator.totalDepositedKeys || _withdrawn[nodeOperatorId][keyIndex]) revert SigningKeysInvalidOffset();
        _withdrawn[nodeOperatorId][keyIndex] = true;
        ++operator.totalWithdrawnKeys;
        ++operator.totalExitedKeys;
        bytes memory key = _publicKeys[nodeOperatorId][keyIndex];
        if (release == 2) emit WithdrawalSubmitted(nodeOperatorId, keyIndex, exitBalance, key);
        else emit ValidatorWithdrawn(nodeOperatorId, keyIndex, exitBalance, 0, key);
        emit ExitedSigningKeysCountChanged(nodeOperatorId, operator.totalExitedKeys);
        if (exitBalance < 32 ether) accounting.penalize(nodeOperatorId, 32 ether - exitBalance);
        _updateDepositable(nodeOperatorId);
    }

    /// Release 3: a penalty that is settled later, e.g. for a wrong fee recipient.
    function reportGeneralDelayedPenalty(uint256 nodeOperatorId, bytes32 penaltyType, uint256 amount, string calldata details)
        external
        onlyAdmin
    {
        uint256 fine = parametersRegistry.getGeneralDelayedPenaltyAdditionalFine(accounting.getBondCurveId(nodeOperatorId));
        accounting.lockBond(nodeOperatorId, amount + fine);
        emit GeneralDelayedPenaltyReported(nodeOperatorId, penaltyType, amount, fine, details);
        _updateDepositable(nodeOperatorId);
    }

    /// Release 2 of the same.
    function reportELRewardsStealingPenalty(uint256 nodeOperatorId, bytes32 blockHash, uint256 amount) external onlyAdmin {
        uint256 fine = parametersRegistry.getElRewardsStealingAdditionalFine(accounting.getBondCurveId(nodeOperatorId));
        accounting.lockBond(nodeOperatorId, amount + fine);
        emit ELRewardsStealingPenaltyReported(nodeOperatorId, blockHash, amount);
        _updateDepositable(nodeOperatorId);
    }

    function cancelPenalty(uint256 nodeOperatorId, uint256 amount) external onlyAdmin {
        accounting.releaseLockedBond(nodeOperatorId, amount);
        if (release == 2) emit ELRewardsStealingPenaltyCancelled(nodeOperatorId, amount);
        else emit GeneralDelayedPenaltyCancelled(nodeOperatorId, amount);
        _updateDepositable(nodeOperatorId);
    }

    function settlePenalty(uint256 nodeOperatorId) external onlyAdmin {
        uint256 amount = accounting.settleLockedBond(nodeOperatorId);
        if (release == 2) emit ELRewardsStealingPenaltySettled(nodeOperatorId);
        else emit GeneralDelayedPenaltySettled(nodeOperatorId, amount);
        _updateDepositable(nodeOperatorId);
    }

    // Operators

    /// @inheritdoc ICSModule
    function createNodeOperator(address from, NodeOperatorManagementProperties calldata properties, address referrer)
        external
        returns (uint256 nodeOperatorId)
    {
        if (isPaused) revert ResumedExpected();
        if (!isGate[msg.sender]) revert AccessDenied();
        nodeOperatorId = _operatorsCount++;
        NodeOperator storage operator = _nodeOperators[nodeOperatorId];
        operator.managerAddress = properties.managerAddress == address(0) ? from : properties.managerAddress;
        operator.rewardAddress = properties.rewardAddress == address(0) ? from : properties.rewardAddress;
        operator.extendedManagerPermissions = properties.extendedManagerPermissions;
        emit NodeOperatorAdded(nodeOperatorId, operator.managerAddress, operator.rewardAddress, operator.extendedManagerPermissions);
        if (referrer != address(0)) emit ReferrerSet(nodeOperatorId, referrer);
        emit NonceChanged(++_nonce);
    }

    function proposeNodeOperatorManagerAddressChange(uint256 nodeOperatorId, address proposed) external {
        NodeOperator storage operator = _nodeOperators[nodeOperatorId];
        if (msg.sender != operator.managerAddress) revert SenderIsNotManagerAddress();
        emit NodeOperatorManagerAddressChangeProposed(nodeOperatorId, operator.proposedManagerAddress, proposed);
        operator.proposedManagerAddress = proposed;
    }

    function confirmNodeOperatorManagerAddressChange(uint256 nodeOperatorId) external {
        NodeOperator storage operator = _nodeOperators[nodeOperatorId];
        if (msg.sender != operator.proposedManagerAddress) revert SenderIsNotProposedAddress();
        emit NodeOperatorManagerAddressChanged(nodeOperatorId, operator.managerAddress, msg.sender);
        (operator.managerAddress, operator.proposedManagerAddress) = (msg.sender, address(0));
    }

    function proposeNodeOperatorRewardAddressChange(uint256 nodeOperatorId, address proposed) external {
        NodeOperator storage operator = _nodeOperators[nodeOperatorId];
        if (msg.sender != operator.rewardAddress) revert SenderIsNotRewardAddress();
        emit NodeOperatorRewardAddressChangeProposed(nodeOperatorId, operator.proposedRewardAddress, proposed);
        operator.proposedRewardAddress = proposed;
    }

    function confirmNodeOperatorRewardAddressChange(uint256 nodeOperatorId) external {
        NodeOperator storage operator = _nodeOperators[nodeOperatorId];
        if (msg.sender != operator.proposedRewardAddress) revert SenderIsNotProposedAddress();
        emit NodeOperatorRewardAddressChanged(nodeOperatorId, operator.rewardAddress, msg.sender);
        (operator.rewardAddress, operator.proposedRewardAddress) = (msg.sender, address(0));
    }

    // Keys

    /// @inheritdoc ICSModule
    function addValidatorKeysETH(
        address from,
        uint256 nodeOperatorId,
        uint256 keysCount,
        bytes calldata publicKeys,
        bytes calldata signatures
    ) external payable {
        _checkMayAdd(from, nodeOperatorId);
        if (msg.value < accounting.getRequiredBondForNextKeys(nodeOperatorId, keysCount)) revert InvalidAmount();
        if (msg.value > 0) accounting.depositETH{value: msg.value}(from, nodeOperatorId);
        _addKeys(nodeOperatorId, keysCount, publicKeys, signatures);
    }

    /// @inheritdoc ICSModule
    function addValidatorKeysStETH(
        address from,
        uint256 nodeOperatorId,
        uint256 keysCount,
        bytes calldata publicKeys,
        bytes calldata signatures,
        PermitInput calldata permit
    ) external {
        _checkMayAdd(from, nodeOperatorId);
        uint256 amount = accounting.getRequiredBondForNextKeys(nodeOperatorId, keysCount);
        if (amount > 0) accounting.depositStETH(from, nodeOperatorId, amount, permit);
        _addKeys(nodeOperatorId, keysCount, publicKeys, signatures);
    }

    /// @inheritdoc ICSModule
    function addValidatorKeysWstETH(
        address from,
        uint256 nodeOperatorId,
        uint256 keysCount,
        bytes calldata publicKeys,
        bytes calldata signatures,
        PermitInput calldata permit
    ) external {
        _checkMayAdd(from, nodeOperatorId);
        uint256 amount = accounting.getRequiredBondForNextKeysWstETH(nodeOperatorId, keysCount);
        if (amount > 0) accounting.depositWstETH(from, nodeOperatorId, amount, permit);
        _addKeys(nodeOperatorId, keysCount, publicKeys, signatures);
    }

    /// @inheritdoc ICSModule
    function removeKeys(uint256 nodeOperatorId, uint256 startIndex, uint256 keysCount) external {
        _checkExists(nodeOperatorId);
        NodeOperator storage operator = _nodeOperators[nodeOperatorId];
        if (msg.sender != operator.managerAddress) revert SenderIsNotManagerAddress();
        uint256 total = operator.totalAddedKeys;
        if (startIndex < operator.totalDepositedKeys || keysCount == 0 || startIndex + keysCount > total) {
            revert SigningKeysInvalidOffset();
        }
        // From the last one down: the last key of all moves into each place that becomes free.
        for (uint256 i = startIndex + keysCount; i > startIndex; --i) {
            bytes memory removed = _publicKeys[nodeOperatorId][i - 1];
            --total;
            _publicKeys[nodeOperatorId][i - 1] = _publicKeys[nodeOperatorId][total];
            _signatures[nodeOperatorId][i - 1] = _signatures[nodeOperatorId][total];
            delete _publicKeys[nodeOperatorId][total];
            delete _signatures[nodeOperatorId][total];
            emit SigningKeyRemoved(nodeOperatorId, removed);
        }
        (operator.totalAddedKeys, operator.totalVettedKeys) = (uint32(total), uint32(total));
        emit TotalSigningKeysCountChanged(nodeOperatorId, total);
        emit VettedSigningKeysCountChanged(nodeOperatorId, total);
        uint256 charge = parametersRegistry.getKeyRemovalCharge(accounting.getBondCurveId(nodeOperatorId));
        accounting.chargeFee(nodeOperatorId, charge * keysCount);
        emit KeyRemovalChargeApplied(nodeOperatorId);
        _updateDepositable(nodeOperatorId);
        emit NonceChanged(++_nonce);
    }

    // Reading

    /// By this clients tell releases apart.
    function getInitializedVersion() external view returns (uint64) {
        return uint64(release);
    }

    // solhint-disable-next-line func-name-mixedcase
    function ACCOUNTING() external view returns (IAccounting) {
        return accounting;
    }

    // solhint-disable-next-line func-name-mixedcase
    function PARAMETERS_REGISTRY() external view returns (ParametersRegistry) {
        return parametersRegistry;
    }

    function getNodeOperator(uint256 nodeOperatorId) external view returns (NodeOperator memory) {
        return _nodeOperators[nodeOperatorId];
    }

    function getNodeOperatorsCount() external view returns (uint256) {
        return _operatorsCount;
    }

    function getNonce() external view returns (uint256) {
        return _nonce;
    }

    function getNodeOperatorOwner(uint256 nodeOperatorId) public view returns (address) {
        NodeOperator storage operator = _nodeOperators[nodeOperatorId];
        return operator.extendedManagerPermissions ? operator.managerAddress : operator.rewardAddress;
    }

    function getNodeOperatorManagementProperties(uint256 nodeOperatorId) external view returns (NodeOperatorManagementProperties memory) {
        NodeOperator storage operator = _nodeOperators[nodeOperatorId];
        return NodeOperatorManagementProperties(operator.managerAddress, operator.rewardAddress, operator.extendedManagerPermissions);
    }

    function getNodeOperatorNonWithdrawnKeys(uint256 nodeOperatorId) external view returns (uint256) {
        NodeOperator storage operator = _nodeOperators[nodeOperatorId];
        return operator.totalAddedKeys - operator.totalWithdrawnKeys;
    }

    function getNodeOperatorSummary(uint256 nodeOperatorId)
        external
        view
        returns (
            uint256 targetLimitMode,
            uint256 targetValidatorsCount,
            uint256 stuckValidatorsCount,
            uint256 refundedValidatorsCount,
            uint256 stuckPenaltyEndTimestamp,
            uint256 totalExitedValidators,
            uint256 totalDepositedValidators,
            uint256 depositableValidatorsCount
        )
    {
        NodeOperator storage operator = _nodeOperators[nodeOperatorId];
        return (
            operator.targetLimitMode,
            operator.targetLimit,
            0,
            0,
            0,
            operator.totalExitedKeys,
            operator.totalDepositedKeys,
            operator.depositableValidatorsCount
        );
    }

    function getSigningKeys(uint256 nodeOperatorId, uint256 startIndex, uint256 keysCount) public view returns (bytes memory keys) {
        if (startIndex + keysCount > _nodeOperators[nodeOperatorId].totalAddedKeys) revert SigningKeysInvalidOffset();
        for (uint256 i = 0; i < keysCount; ++i) {
            keys = abi.encodePacked(keys, _publicKeys[nodeOperatorId][startIndex + i]);
        }
    }

    function getSigningKeysWithSignatures(uint256 nodeOperatorId, uint256 startIndex, uint256 keysCount)
        public
        view
        returns (bytes memory keys, bytes memory signatures)
    {
        keys = getSigningKeys(nodeOperatorId, startIndex, keysCount);
        for (uint256 i = 0; i < keysCount; ++i) {
            signatures = abi.encodePacked(signatures, _signatures[nodeOperatorId][startIndex + i]);
        }
    }

    function isValidatorWithdrawn(uint256 nodeOperatorId, uint256 keyIndex) external view returns (bool) {
        return _withdrawn[nodeOperatorId][keyIndex];
    }

    // Parts

    /// The manager for itself, or a gate for an operator that it just made.
    function _checkMayAdd(address from, uint256 nodeOperatorId) private view {
        if (isPaused) revert ResumedExpected();
        _checkExists(nodeOperatorId);
        NodeOperator storage operator = _nodeOperators[nodeOperatorId];
        if (isGate[msg.sender]) {
            if (operator.totalAddedKeys > 0) revert CannotAddKeys();
        } else {
            if (from != msg.sender) revert SenderIsNotEligible();
            if (operator.managerAddress != msg.sender) revert SenderIsNotManagerAddress();
        }
    }

    function _addKeys(uint256 id, uint256 count, bytes calldata publicKeys, bytes calldata signatures) private {
        if (count == 0) revert InvalidKeysCount();
        if (publicKeys.length != count * PUBLIC_KEY_LENGTH || signatures.length != count * SIGNATURE_LENGTH) revert InvalidLength();
        NodeOperator storage operator = _nodeOperators[id];
        uint256 total = operator.totalAddedKeys;
        uint256 limit = parametersRegistry.getKeysLimit(accounting.getBondCurveId(id));
        if (total + count - operator.totalWithdrawnKeys > limit) revert KeysLimitExceeded();
        // Keys behind one that was found bad stay unvetted until it is removed.
        bool vetted = operator.totalVettedKeys == total;
        for (uint256 i = 0; i < count; ++i) {
            _storeKey(
                id,
                total + i,
                publicKeys[i * PUBLIC_KEY_LENGTH:(i + 1) * PUBLIC_KEY_LENGTH],
                signatures[i * SIGNATURE_LENGTH:(i + 1) * SIGNATURE_LENGTH]
            );
        }
        operator.totalAddedKeys = uint32(total + count);
        emit TotalSigningKeysCountChanged(id, total + count);
        if (vetted) {
            operator.totalVettedKeys = uint32(total + count);
            emit VettedSigningKeysCountChanged(id, total + count);
        }
        _updateDepositable(id);
        emit NonceChanged(++_nonce);
    }

    function _storeKey(uint256 id, uint256 index, bytes calldata key, bytes calldata signature) private {
        if (bytes32(key[:32]) == 0 && bytes16(key[32:]) == 0) revert EmptyKey();
        _publicKeys[id][index] = key;
        _signatures[id][index] = signature;
        emit SigningKeyAdded(id, key);
    }

    function _obtain(uint256 count) private returns (bytes memory publicKeys, bytes memory signatures) {
        for (uint256 priority = 0; priority <= LOWEST_PRIORITY; ++priority) {
            while (count > 0) {
                (uint256 id, uint256 taken, bool found) = _pop(priority, count);
                if (!found) break;
                if (taken == 0) continue;
                count -= taken;
                (bytes memory keys, bytes memory signed) = _deposited(id, taken);
                publicKeys = abi.encodePacked(publicKeys, keys);
                signatures = abi.encodePacked(signatures, signed);
            }
        }
        emit NonceChanged(++_nonce);
    }

    function _deposited(uint256 id, uint256 count) private returns (bytes memory keys, bytes memory signatures) {
        NodeOperator storage operator = _nodeOperators[id];
        (keys, signatures) = getSigningKeysWithSignatures(id, operator.totalDepositedKeys, count);
        operator.totalDepositedKeys += uint32(count);
        operator.depositableValidatorsCount -= uint32(count);
        emit DepositedSigningKeysCountChanged(id, operator.totalDepositedKeys);
        emit DepositableSigningKeysCountChanged(id, operator.depositableValidatorsCount);
    }
}
