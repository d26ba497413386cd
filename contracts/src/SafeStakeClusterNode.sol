// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import {EIP712Upgradeable} from "@openzeppelin/contracts-upgradeable/utils/cryptography/EIP712Upgradeable.sol";
import {NoncesUpgradeable} from "@openzeppelin/contracts-upgradeable/utils/NoncesUpgradeable.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {Roles} from "./base/Roles.sol";
import {ISafeStakeClusterNode} from "./interfaces/ISafeStakeClusterNode.sol";
import {ISafeStakeRegistry} from "./interfaces/ISafeStakeRegistry.sol";
import {Committee} from "./libraries/Committee.sol";

/// See `ISafeStakeClusterNode`.
contract SafeStakeClusterNode is Roles, EIP712Upgradeable, NoncesUpgradeable, ReentrancyGuardTransient, ISafeStakeClusterNode {
    using SafeERC20 for IERC20;

    /// Validators in one request.
    uint256 public constant VALIDATORS_PER_REQUEST_LIMIT = 1000;
    uint256 public constant DEPOSIT_AMOUNT = 32 ether;
    uint256 private constant OWNER_KEY_LENGTH = 65;
    bytes32 private constant GENERATE_TYPEHASH = keccak256(
        "GenerateDepositData(bytes clusterNodePublicKey,address owner,uint256 validatorCount,uint32[] operatorIds,uint256 depositAmount,address withdrawAddress,uint256 nonce,uint256 deadline)"
    );

    struct ClusterNode {
        address owner;
        bool active;
        bytes publicKey;
    }

    ISafeStakeRegistry private _registry;
    address public _token;
    mapping(bytes32 keyHash => ClusterNode) private _nodes;
    mapping(uint8 action => uint256) private _fees;
    uint256[46] private __gap;

    /// @custom:oz-upgrades-unsafe-allow constructor
    constructor() {
        _disableInitializers();
    }

    /// @inheritdoc ISafeStakeClusterNode
    function initialize(address token, address registryAddress) external initializer {
        if (registryAddress == address(0)) revert ZeroAddress();
        __Roles_init_all(msg.sender);
        __EIP712_init("SafeStakeClusterNode", "1");
        __Nonces_init();
        _registry = ISafeStakeRegistry(registryAddress);
        _setToken(token);
    }

    /// @inheritdoc ISafeStakeClusterNode
    function registerClusterNode(bytes calldata clusterNodePublicKey) external {
        if (!Committee.isCompressedKey(clusterNodePublicKey)) revert InvalidClusterNodePublicKey(clusterNodePublicKey);
        ClusterNode storage node = _nodes[keccak256(clusterNodePublicKey)];
        if (node.owner != address(0)) revert ClusterNodeExists(clusterNodePublicKey);
        node.owner = msg.sender;
        node.active = true;
        node.publicKey = clusterNodePublicKey;
        emit ClusterNodeRegistration(msg.sender, clusterNodePublicKey);
    }

    /// @inheritdoc ISafeStakeClusterNode
    function setClusterNodeActive(bytes calldata clusterNodePublicKey, bool active) external {
        ClusterNode storage node = _nodes[keccak256(clusterNodePublicKey)];
        if (node.owner == address(0)) revert InvalidClusterNodePublicKey(clusterNodePublicKey);
        if (node.owner != msg.sender && !hasRole(ADMIN_ROLE, msg.sender)) revert NotClusterNodeOwner(msg.sender);
        node.active = active;
        emit ClusterNodeActivity(clusterNodePublicKey, active);
    }

    /// @inheritdoc ISafeStakeClusterNode
    function generateDepositData(
        bytes calldata clusterNodePublicKey,
        address owner,
        bytes calldata ownerPubkey,
        uint256 validatorCount,
        uint32[] calldata operatorIds,
        uint256 depositAmount,
        address withdrawAddress
    ) external payable nonReentrant {
        if (owner != msg.sender) revert NotOwner(owner, msg.sender);
        _checkRequest(owner, ownerPubkey, validatorCount, depositAmount, withdrawAddress);
        _checkClusterNode(clusterNodePublicKey);
        _checkCommittee(operatorIds);
        emit ValidatorDepositDataGeneration(
            clusterNodePublicKey, owner, ownerPubkey, validatorCount, operatorIds, depositAmount, withdrawAddress
        );
        _collect(Action.GENERATE_DEPOSIT_DATA, validatorCount);
    }

    /// @inheritdoc ISafeStakeClusterNode
    function generateDepositDataFor(Request calldata request, uint256 deadline, bytes calldata signature) external payable nonReentrant {
        if (block.timestamp > deadline) revert SignatureExpired(deadline);
        address signer = ECDSA.recover(_requestDigest(request, _useNonce(request.owner), deadline), signature);
        if (signer != request.owner) revert NotOwner(request.owner, signer);
        _checkRequest(request.owner, request.ownerPubkey, request.validatorCount, request.depositAmount, request.withdrawAddress);
        _checkClusterNode(request.clusterNodePublicKey);
        _checkCommittee(request.operatorIds);
        emit ValidatorDepositDataGeneration(
            request.clusterNodePublicKey,
            request.owner,
            request.ownerPubkey,
            request.validatorCount,
            request.operatorIds,
            request.depositAmount,
            request.withdrawAddress
        );
        _collect(Action.GENERATE_DEPOSIT_DATA, request.validatorCount);
    }

    /// @inheritdoc ISafeStakeClusterNode
    function generateExitData(bytes calldata clusterNodePublicKey, bytes[] calldata validatorPubKeys, uint256 activeEpoch)
        external
        payable
        nonReentrant
    {
        _checkCount(validatorPubKeys.length);
        _checkClusterNode(clusterNodePublicKey);
        for (uint256 i = 0; i < validatorPubKeys.length; ++i) {
            bytes calldata key = validatorPubKeys[i];
            if (key.length != Committee.VALIDATOR_KEY_LENGTH) revert InvalidValidatorPublicKey(key);
            if (!_registry.isValidatorOwner(msg.sender, key)) revert NotValidatorOwner(key);
        }
        emit ValidatorExitDataGeneration(clusterNodePublicKey, msg.sender, validatorPubKeys, activeEpoch);
        _collect(Action.GENERATE_EXIT_DATA, validatorPubKeys.length);
    }

    /// @inheritdoc ISafeStakeClusterNode
    function setActionFees(uint8[] calldata action, uint256[] calldata fee) external onlyRole(ADMIN_ROLE) {
        if (action.length != fee.length) revert LengthMismatch(action.length, fee.length);
        for (uint256 i = 0; i < action.length; ++i) {
            _checkAction(action[i]);
            emit ActionFeeUpdate(action[i], _fees[action[i]], fee[i]);
            _fees[action[i]] = fee[i];
        }
    }

    /// @inheritdoc ISafeStakeClusterNode
    function modifyFeeToken(address token) external onlyRole(ADMIN_ROLE) {
        _setToken(token);
    }

    /// @inheritdoc ISafeStakeClusterNode
    function withdrawFees(address token, address recipient, uint256 amount) external nonReentrant onlyRole(ADMIN_ROLE) {
        if (recipient == address(0)) revert ZeroAddress();
        emit FeesWithdrawal(token, recipient, amount);
        if (token == address(0)) {
            Address.sendValue(payable(recipient), amount);
        } else {
            IERC20(token).safeTransfer(recipient, amount);
        }
    }

    /// @inheritdoc ISafeStakeClusterNode
    function _actionFees(uint8 action) external view returns (uint256) {
        return _fees[action];
    }

    /// @inheritdoc ISafeStakeClusterNode
    function _clusterNodes(bytes calldata publicKey) external view returns (address owner, bytes memory clusterNodePublicKey, bool active) {
        ClusterNode storage node = _nodes[keccak256(publicKey)];
        return (node.owner, node.publicKey, node.active);
    }

    /// @inheritdoc ISafeStakeClusterNode
    function registry() external view returns (address) {
        return address(_registry);
    }

    /// @inheritdoc ISafeStakeClusterNode
    function bytesToAddress(bytes memory _b) public pure returns (address addr) {
        if (_b.length != OWNER_KEY_LENGTH || _b[0] != 0x04) return address(0);
        bytes32 hash;
        assembly ("memory-safe") {
            // The 64 bytes of the point, without the prefix.
            hash := keccak256(add(_b, 33), 64)
        }
        return address(uint160(uint256(hash)));
    }

    /// @inheritdoc ISafeStakeClusterNode
    function checkSecurityLevel(uint32[] calldata operatorIds) external pure returns (bool) {
        return Committee.isSize(operatorIds.length) && Committee.isAscending(operatorIds);
    }

    /// @inheritdoc ISafeStakeClusterNode
    function getActionFee(uint256 action) external view returns (uint256) {
        _checkAction(action);
        return _fees[uint8(action)];
    }

    /// @inheritdoc ISafeStakeClusterNode
    function getClusterNode(bytes calldata clusterNodePublicKey) external view returns (address owner, bool active) {
        ClusterNode storage node = _nodes[keccak256(clusterNodePublicKey)];
        return (node.owner, node.active);
    }

    /// @inheritdoc ISafeStakeClusterNode
    function version() external pure returns (uint32) {
        return 1;
    }

    /// @inheritdoc ISafeStakeClusterNode
    receive() external payable {}

    function _requestDigest(Request calldata request, uint256 nonce, uint256 deadline) private view returns (bytes32) {
        bytes32 content = keccak256(
            abi.encode(
                GENERATE_TYPEHASH,
                keccak256(request.clusterNodePublicKey),
                request.owner,
                request.validatorCount,
                keccak256(abi.encodePacked(request.operatorIds)),
                request.depositAmount,
                request.withdrawAddress,
                nonce,
                deadline
            )
        );
        return _hashTypedDataV4(content);
    }

    function _checkRequest(
        address owner,
        bytes calldata ownerPubkey,
        uint256 validatorCount,
        uint256 depositAmount,
        address withdrawAddress
    ) private view {
        if (owner == address(0) || bytesToAddress(ownerPubkey) != owner) revert OwnerPublicKeyMismatch(owner);
        (, bool disabled) = _registry._owners(owner);
        if (disabled) revert OwnerDisabled(owner);
        _checkCount(validatorCount);
        if (depositAmount != DEPOSIT_AMOUNT) revert InvalidDepositAmount(depositAmount);
        if (withdrawAddress == address(0)) revert ZeroWithdrawAddress();
    }

    function _checkCount(uint256 count) private pure {
        if (count == 0 || count > VALIDATORS_PER_REQUEST_LIMIT) revert InvalidValidatorCount(count);
    }

    function _checkClusterNode(bytes calldata publicKey) private view {
        if (!_nodes[keccak256(publicKey)].active) revert ClusterNodeNotActive(publicKey);
    }

    function _checkCommittee(uint32[] calldata operatorIds) private view {
        if (!Committee.isSize(operatorIds.length) || !Committee.isAscending(operatorIds)) revert InvalidCommittee();
        for (uint256 i = 0; i < operatorIds.length; ++i) {
            (, bool active) = _registry.operator_detail(operatorIds[i]);
            if (!active) revert OperatorNotActive(operatorIds[i]);
        }
    }

    function _checkAction(uint256 action) private pure {
        if (action > uint256(type(Action).max)) revert InvalidAction(action);
    }

    /// Takes exactly the fee for `count` validators from the caller.
    function _collect(Action action, uint256 count) private {
        uint256 fee = _fees[uint8(action)] * count;
        address token = _token;
        uint256 value = token == address(0) ? fee : 0;
        if (msg.value != value) revert WrongFee(value, msg.value);
        if (token == address(0) || fee == 0) return;
        uint256 before = IERC20(token).balanceOf(address(this));
        IERC20(token).safeTransferFrom(msg.sender, address(this), fee);
        uint256 received = IERC20(token).balanceOf(address(this)) - before;
        if (received != fee) revert FeeNotReceived(fee, received);
    }

    function _setToken(address token) private {
        if (token != address(0) && token.code.length == 0) revert InvalidToken(token);
        emit FeeTokenUpdate(_token, token);
        _token = token;
    }
}
