// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import {EIP712Upgradeable} from "@openzeppelin/contracts-upgradeable/utils/cryptography/EIP712Upgradeable.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {Roles} from "./base/Roles.sol";
import {Subscriptions} from "./base/Subscriptions.sol";
import {ISafeStakeNetwork} from "./interfaces/ISafeStakeNetwork.sol";
import {ISafeStakeRegistry} from "./interfaces/ISafeStakeRegistry.sol";
import {Accrual} from "./libraries/Accrual.sol";
import {Committee} from "./libraries/Committee.sol";

/// See `ISafeStakeNetwork`. Money is in `Funds`, what it buys in `Subscriptions`; here is who may do what.
contract SafeStakeNetwork is Roles, EIP712Upgradeable, ReentrancyGuardTransient, Subscriptions {
    using Accrual for Accrual.Account;

    uint16 public constant MANAGING_OPERATORS_PER_ACCOUNT_LIMIT = 50;
    bytes32 private constant CLAIM_TYPEHASH = keccak256(
        "AccountClaim(address account,uint32[] operatorIds,uint256[] amounts,uint256[] penalties,uint256 claimBlockNumber,uint256 nonce)"
    );

    address public whitelist;
    uint256 private _networkClaimed;
    uint256 private _networkPenalty;
    mapping(uint32 operatorId => uint256) private _lastClaimBlock;
    mapping(uint256 nonce => bool) public _claimNonce;
    uint256[40] private __gap;

    /// @custom:oz-upgrades-unsafe-allow constructor
    constructor() {
        _disableInitializers();
    }

    /// @inheritdoc ISafeStakeNetwork
    function initialize(address registryAddress_, address token_, uint64 minimumBlocksValidatorPay_, uint64 _operatorFee)
        external
        initializer
    {
        if (registryAddress_ == address(0)) revert ZeroAddress();
        __Roles_init_all(msg.sender);
        __EIP712_init("SafeStakeNetwork", "1");
        _registry = ISafeStakeRegistry(registryAddress_);
        _setToken(token_);
        _setMinimumBlocks(minimumBlocksValidatorPay_);
        _setNetworkFee(_operatorFee / 10);
        _registry.initialize(_operatorFee, msg.sender);
    }

    // Operators

    /// @inheritdoc ISafeStakeNetwork
    function registerOperator(address owner, string calldata name, bytes calldata publicKey) external returns (uint32 operatorId) {
        _checkActsFor(owner);
        operatorId = _registry.registerOperator(name, owner, publicKey);
        emit OperatorRegistration(operatorId, name, owner, publicKey);
    }

    /// @inheritdoc ISafeStakeNetwork
    function accountClaimFee(
        uint32[] calldata operatorIds,
        uint256[] calldata amounts,
        uint256[] calldata penalties,
        uint256 claimBlockNumber,
        uint256 nonce,
        bytes calldata signature
    ) external nonReentrant {
        _checkLength(operatorIds.length, amounts.length);
        _checkLength(operatorIds.length, penalties.length);
        if (operatorIds.length == 0) revert EmptyList();
        require(!_claimNonce[nonce], "E1");
        _checkSigner(_claimDigest(operatorIds, amounts, penalties, claimBlockNumber, nonce), signature);
        _claimNonce[nonce] = true;
        (uint256 claimed, uint256 penalty) = _takeEarnings(operatorIds, amounts, penalties, claimBlockNumber);
        emit AccountClaim(nonce, msg.sender, claimed, penalty, claimBlockNumber);
        _pay(msg.sender, claimed, "G3");
    }

    /// @inheritdoc ISafeStakeNetwork
    function settle(uint32[] calldata operatorIds) external {
        for (uint256 i = 0; i < operatorIds.length; ++i) {
            _accounts[operatorIds[i]].settle();
        }
        _network.settle();
    }

    // Validators

    /// @inheritdoc ISafeStakeNetwork
    // The registry is the system's own contract, and every way in is guarded.
    // slither-disable-next-line reentrancy-no-eth
    function registerValidator(
        address owner,
        bytes calldata publicKey,
        uint32[] calldata operatorIds,
        bytes[] calldata sharesPublicKeys,
        bytes[] calldata sharesEncrypted,
        uint256 amount
    ) external payable nonReentrant {
        _checkMayPay(owner);
        _checkNew(publicKey, operatorIds.length, sharesPublicKeys, sharesEncrypted);
        _registry.registerValidator(owner, publicKey, operatorIds, sharesPublicKeys, sharesEncrypted);
        // Nothing was left of a validator that is new.
        uint64 end = _restart(publicKey, new uint32[](0), operatorIds, amount);
        emit ValidatorRegistration(owner, publicKey, operatorIds, sharesPublicKeys, sharesEncrypted, end);
        emit FundsDeposit(amount, owner, msg.sender);
        _collect(amount);
    }

    /// @inheritdoc ISafeStakeNetwork
    function batchRegisterValidator(
        address owner,
        bytes[] calldata publicKeys,
        uint32[] calldata operatorIds,
        bytes[][] calldata sharesPublicKeys,
        bytes[][] calldata sharesEncrypteds,
        uint32 validatorCount,
        uint256 eachAmount
    ) external payable nonReentrant {
        _checkMayPay(owner);
        _checkLength(validatorCount, publicKeys.length);
        _registerGroup(owner, publicKeys, operatorIds, sharesPublicKeys, sharesEncrypteds, eachAmount);
        uint256 total = eachAmount * publicKeys.length;
        emit FundsDeposit(total, owner, msg.sender);
        _collect(total);
    }

    /// @inheritdoc ISafeStakeNetwork
    function registerValidatorGroups(address owner, Group[] calldata groups) external payable nonReentrant {
        _checkMayPay(owner);
        if (groups.length == 0) revert EmptyList();
        uint256 total;
        for (uint256 i = 0; i < groups.length; ++i) {
            Group calldata group = groups[i];
            _registerGroup(owner, group.publicKeys, group.operatorIds, group.sharesPublicKeys, group.sharesEncrypted, group.eachAmount);
            total += group.eachAmount * group.publicKeys.length;
        }
        emit FundsDeposit(total, owner, msg.sender);
        _collect(total);
    }

    /// @inheritdoc ISafeStakeNetwork
    function replaceValidator(
        bytes calldata publicKey,
        uint32[] calldata operatorIds,
        bytes[] calldata sharesPublicKeys,
        bytes[] calldata sharesEncrypted,
        uint256 amount
    ) external payable nonReentrant {
        require(Committee.areShares(operatorIds.length, sharesPublicKeys, sharesEncrypted), "D2");
        uint64 end = _replace(publicKey, operatorIds, amount);
        emit ValidatorRegistration(msg.sender, publicKey, operatorIds, sharesPublicKeys, sharesEncrypted, end);
        _collect(amount);
    }

    /// @inheritdoc ISafeStakeNetwork
    // slither-disable-next-line reentrancy-no-eth
    function removeValidator(bytes[] calldata publicKeys) external nonReentrant {
        if (publicKeys.length == 0) revert EmptyList();
        uint256 refund;
        for (uint256 i = 0; i < publicKeys.length; ++i) {
            (address owner, uint32[] memory operatorIds) = _validator(publicKeys[i]);
            require(owner == msg.sender, "B1");
            refund += _stop(publicKeys[i], operatorIds);
            _registry.removeValidator(publicKeys[i]);
            emit ValidatorRemoval(owner, publicKeys[i]);
        }
        emit FundsWithdrawal(refund, msg.sender);
        _pay(msg.sender, refund, "B3");
    }

    /// @inheritdoc ISafeStakeNetwork
    function deposit(bytes[] calldata publickeys, uint256[] calldata eachamounts, uint256 totalamount) external payable nonReentrant {
        if (publickeys.length == 0) revert EmptyList();
        _checkLength(publickeys.length, eachamounts.length);
        uint256 total;
        for (uint256 i = 0; i < publickeys.length; ++i) {
            _topUp(publickeys[i], eachamounts[i]);
            total += eachamounts[i];
        }
        if (total != totalamount) revert WrongTotal(total, totalamount);
        _collect(total);
    }

    // Settings

    /// @inheritdoc ISafeStakeNetwork
    function withdrawNetworkEarnings(uint256 amount) external nonReentrant onlyRole(ADMIN_ROLE) {
        require(amount > 0, "D1");
        require(_network.take(amount), "D0");
        _networkClaimed += amount;
        emit NetworkFeesWithdrawal(amount, msg.sender);
        _pay(msg.sender, amount, "D2");
    }

    /// @inheritdoc ISafeStakeNetwork
    function setWhiteAddress(address _addr) external onlyRole(ADMIN_ROLE) {
        emit WhitelistUpdate(whitelist, _addr);
        whitelist = _addr;
    }

    /// @inheritdoc ISafeStakeNetwork
    function updateMinimumBlocksValidatorPay(uint64 newMinimumBlocksValidatorPay) external onlyRole(ADMIN_ROLE) {
        _setMinimumBlocks(newMinimumBlocksValidatorPay);
    }

    /// @inheritdoc ISafeStakeNetwork
    function updateNetworkFee(uint256 fee) external onlyRole(ADMIN_ROLE) {
        _setNetworkFee(fee);
    }

    /// @inheritdoc ISafeStakeNetwork
    function updateTokenAddr(address token) external onlyRole(ADMIN_ROLE) {
        if (fundsHeld != 0) revert FundsHeld(fundsHeld);
        _setToken(token);
    }

    // Reading

    /// @inheritdoc ISafeStakeNetwork
    function _SafeStakeRegistryContract() external view returns (address) {
        return address(_registry);
    }

    /// @inheritdoc ISafeStakeNetwork
    function _checkDepositAmount(uint32[] calldata operatorIds, uint256 tokenAmount) external view {
        _quote(operatorIds.length, tokenAmount);
    }

    /// @inheritdoc ISafeStakeNetwork
    function _disbaledOwner(address owner) external view returns (bool) {
        return _disabled(owner);
    }

    /// @inheritdoc ISafeStakeNetwork
    function _operatorInDatas(uint32 operatorId, uint256 index) external view returns (bytes memory publicKey, uint256 indexInData) {
        return (_registry.validatorOfOperator(operatorId, index), index);
    }

    /// @inheritdoc ISafeStakeNetwork
    function _operatorInUse(address owner, uint256 index) external view returns (uint32) {
        return _registry.operatorInUse(owner, index);
    }

    /// @inheritdoc ISafeStakeNetwork
    function _operators(uint32 operatorId) external view returns (uint256 index, uint256 balance, uint256 lastBlockNumber, bool enable) {
        index = getValidatorCountInOperator(operatorId);
        balance = _accounts[operatorId].available();
        lastBlockNumber = _lastClaimBlock[operatorId];
        (, enable) = _registry.operator_detail(operatorId);
    }

    /// @inheritdoc ISafeStakeNetwork
    function _validatorDatas(bytes calldata publicKey)
        external
        view
        returns (uint256 startBlockNumber, uint256 endBlockNumber, uint256 lastOperatorFee, uint256 balance, bool enable)
    {
        bytes32 hash = keccak256(publicKey);
        Stream memory stream = _streams[hash];
        // A start of zero is the mark of no validator, not a time.
        // slither-disable-next-line incorrect-equality
        if (stream.start == 0) return (0, 0, 0, 0, false);
        (, uint32[] memory operatorIds) = _registry.committeeOf(publicKey);
        return (stream.start, stream.end, stream.operatorFee, _left(hash, stream, operatorIds.length), true);
    }

    /// @inheritdoc ISafeStakeNetwork
    function getOperatorEarningsById(uint32 operatorId) external view returns (uint256 earnings) {
        return _accounts[operatorId].available();
    }

    /// @inheritdoc ISafeStakeNetwork
    function getOperatorEarningsByOwner(address owner) external view returns (uint256 earnings) {
        uint256 count = _registry.activeOperatorsOf(owner);
        for (uint256 i = 0; i < count; ++i) {
            earnings += _accounts[_registry._operatorsByOwnerAddress(owner, i)].available();
        }
    }

    /// @inheritdoc ISafeStakeNetwork
    function getValidatorCountInOperator(uint32 operatorId) public view returns (uint256) {
        (,,,, uint32 validatorCount,,,) = _registry._operators(operatorId);
        return validatorCount;
    }

    /// @inheritdoc ISafeStakeNetwork
    function operatorFee(bool withNetworkFee) external view returns (uint256) {
        return _registry._operatorFee() + (withNetworkFee ? _networkFee : 0);
    }

    /// @inheritdoc ISafeStakeNetwork
    function self() external view returns (uint256 networkFee, uint256 networkEarnings, uint256 networkClaimed, uint256 networkPenalty) {
        int256 earned = int256(_network.available() + _networkClaimed) - int256(_networkPenalty);
        return (_networkFee, earned > 0 ? uint256(earned) : 0, _networkClaimed, _networkPenalty);
    }

    /// @inheritdoc ISafeStakeNetwork
    function splitSignature(bytes memory sig) external pure returns (uint8 v, bytes32 r, bytes32 s) {
        _checkLength(65, sig.length);
        assembly ("memory-safe") {
            r := mload(add(sig, 32))
            s := mload(add(sig, 64))
            v := byte(0, mload(add(sig, 96)))
        }
    }

    /// @inheritdoc ISafeStakeNetwork
    function version() external pure returns (uint32) {
        return 1;
    }

    /// @inheritdoc ISafeStakeNetwork
    receive() external payable {
        if (_token != address(0)) revert UnexpectedValue(msg.value);
        fundsHeld += msg.value;
        _network.give(msg.value);
    }

    // Parts: who may

    function _checkActsFor(address owner) private view {
        require(msg.sender == owner || msg.sender == whitelist, "B1");
    }

    function _checkMayPay(address owner) private view {
        _checkActsFor(owner);
        require(!_disabled(owner), "A0");
    }

    function _disabled(address owner) private view returns (bool disabled) {
        (, disabled) = _registry._owners(owner);
    }

    function _checkLength(uint256 expected, uint256 actual) private pure {
        if (expected != actual) revert LengthMismatch(expected, actual);
    }

    function _claimDigest(
        uint32[] calldata operatorIds,
        uint256[] calldata amounts,
        uint256[] calldata penalties,
        uint256 claimBlockNumber,
        uint256 nonce
    ) private view returns (bytes32) {
        return _hashTypedDataV4(
            keccak256(
                abi.encode(
                    CLAIM_TYPEHASH,
                    msg.sender,
                    keccak256(abi.encodePacked(operatorIds)),
                    keccak256(abi.encodePacked(amounts)),
                    keccak256(abi.encodePacked(penalties)),
                    claimBlockNumber,
                    nonce
                )
            )
        );
    }

    function _checkSigner(bytes32 digest, bytes calldata signature) private view {
        (address signer, ECDSA.RecoverError error,) = ECDSA.tryRecover(digest, signature);
        require(error == ECDSA.RecoverError.NoError && hasRole(SIGNER_ROLE, signer), "G1");
    }

    /// Takes what operators of the caller get, and what the network keeps, from the operators' earnings.
    function _takeEarnings(
        uint32[] calldata operatorIds,
        uint256[] calldata amounts,
        uint256[] calldata penalties,
        uint256 claimBlockNumber
    ) private returns (uint256 claimed, uint256 penalty) {
        if (claimBlockNumber >= block.number) revert InvalidClaimBlock(claimBlockNumber);
        for (uint256 i = 0; i < operatorIds.length; ++i) {
            uint32 id = operatorIds[i];
            (address owner,) = _registry.operator_detail(id);
            if (owner != msg.sender) revert NotOperatorOwner(id);
            if (claimBlockNumber <= _lastClaimBlock[id]) revert InvalidClaimBlock(claimBlockNumber);
            _lastClaimBlock[id] = claimBlockNumber;
            require(amounts[i] <= fundsHeld && penalties[i] <= fundsHeld && _accounts[id].take(amounts[i] + penalties[i]), "G2");
            claimed += amounts[i];
            penalty += penalties[i];
        }
        _networkPenalty += penalty;
        _network.give(penalty);
    }

    // Parts: validators

    function _validator(bytes calldata publicKey) private view returns (address owner, uint32[] memory operatorIds) {
        require(_streams[keccak256(publicKey)].start != 0, "B2");
        return _registry.committeeOf(publicKey);
    }

    function _checkNew(bytes calldata publicKey, uint256 size, bytes[] calldata publicShares, bytes[] calldata encryptedShares)
        private
        view
    {
        require(publicKey.length == Committee.VALIDATOR_KEY_LENGTH, "D1");
        // slither-disable-next-line incorrect-equality
        require(_streams[keccak256(publicKey)].start == 0, "A1");
        require(Committee.areShares(size, publicShares, encryptedShares), "D2");
    }

    function _registerGroup(
        address owner,
        bytes[] calldata publicKeys,
        uint32[] calldata operatorIds,
        bytes[][] calldata sharesPublicKeys,
        bytes[][] calldata sharesEncrypted,
        uint256 eachAmount
    ) private {
        if (publicKeys.length == 0) revert EmptyList();
        _checkLength(publicKeys.length, sharesPublicKeys.length);
        _checkLength(publicKeys.length, sharesEncrypted.length);
        (Stream memory stream, uint256 remainder) = _quote(operatorIds.length, eachAmount);
        for (uint256 i = 0; i < publicKeys.length; ++i) {
            _checkNew(publicKeys[i], operatorIds.length, sharesPublicKeys[i], sharesEncrypted[i]);
            _start(publicKeys[i], stream, remainder);
        }
        // Before the events: of the gas that is left, a call keeps back a 64th, which is then theirs.
        _registry.registerValidators(owner, publicKeys, operatorIds);
        for (uint256 i = 0; i < publicKeys.length; ++i) {
            emit ValidatorRegistration(owner, publicKeys[i], operatorIds, sharesPublicKeys[i], sharesEncrypted[i], stream.end);
            emit OperatorTaskDetail(publicKeys[i], stream.operatorFee, eachAmount, stream.start, stream.end);
        }
        _openStreams(operatorIds, stream, publicKeys.length);
    }

    /// Moves a validator of the caller to another committee; returns the block that its payment ends before.
    // slither-disable-next-line reentrancy-no-eth
    function _replace(bytes calldata publicKey, uint32[] calldata operatorIds, uint256 amount) private returns (uint64) {
        require(_streams[keccak256(publicKey)].start != 0, "B2");
        (address owner, uint32[] memory oldOperatorIds) = _registry.replaceCommittee(publicKey, operatorIds);
        require(owner == msg.sender, "B1");
        require(!_disabled(owner), "A0");
        emit ValidatorRemoval(owner, publicKey);
        emit ValidatorReplacement(owner, publicKey, oldOperatorIds, operatorIds);
        if (amount > 0) emit FundsDeposit(amount, owner, msg.sender);
        return _restart(publicKey, oldOperatorIds, operatorIds, amount);
    }

    function _topUp(bytes calldata publicKey, uint256 amount) private {
        require(amount > 0, "D1");
        (address owner, uint32[] memory operatorIds) = _validator(publicKey);
        _checkMayPay(owner);
        emit FundsDeposit(amount, owner, msg.sender);
        _restart(publicKey, operatorIds, operatorIds, amount);
    }
}
