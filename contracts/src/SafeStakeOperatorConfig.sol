// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import {Roles} from "./base/Roles.sol";
import {ISafeStakeOperatorConfig} from "./interfaces/ISafeStakeOperatorConfig.sol";
import {ISafeStakeStorage} from "./interfaces/ISafeStakeStorage.sol";
import {Committee} from "./libraries/Committee.sol";

/// See `ISafeStakeOperatorConfig`.
contract SafeStakeOperatorConfig is Roles, ISafeStakeOperatorConfig {
    address public _storage;
    uint256[49] private __gap;

    /// @custom:oz-upgrades-unsafe-allow constructor
    constructor() {
        _disableInitializers();
    }

    /// @inheritdoc ISafeStakeOperatorConfig
    function initialize(address storageAddress) external initializer {
        __Roles_init_all(msg.sender);
        _setStorage(storageAddress);
    }

    /// @inheritdoc ISafeStakeOperatorConfig
    function setFeeRecipientAddress(address recipient) external {
        if (recipient == address(0)) revert ZeroFeeRecipient();
        ISafeStakeStorage(_storage).setAddress(generate_storage_key(msg.sender), recipient);
        emit FeeRecipientAddressChanged(msg.sender, recipient);
    }

    /// @inheritdoc ISafeStakeOperatorConfig
    function setValidatorFeeRecipientAddress(bytes calldata publicKey, address recipient) external {
        _setValidator(publicKey, recipient);
    }

    /// @inheritdoc ISafeStakeOperatorConfig
    function setValidatorFeeRecipientAddresses(bytes[] calldata publicKeys, address recipient) external {
        if (publicKeys.length == 0) revert EmptyList();
        for (uint256 i = 0; i < publicKeys.length; ++i) {
            _setValidator(publicKeys[i], recipient);
        }
    }

    /// @inheritdoc ISafeStakeOperatorConfig
    function clearValidatorFeeRecipientAddress(bytes calldata publicKey) external {
        _checkKey(publicKey);
        ISafeStakeStorage(_storage).deleteAddress(_validatorStorageKey(msg.sender, publicKey));
        emit ValidatorFeeRecipientAddressChanged(msg.sender, publicKey, address(0));
    }

    /// @inheritdoc ISafeStakeOperatorConfig
    function setStorageAddress(address _storageAddress) external onlyRole(ADMIN_ROLE) {
        _setStorage(_storageAddress);
    }

    /// @inheritdoc ISafeStakeOperatorConfig
    function getFeeRecipientAddress(address owner) public view returns (address) {
        return ISafeStakeStorage(_storage).getAddress(generate_storage_key(owner));
    }

    /// @inheritdoc ISafeStakeOperatorConfig
    function getValidatorFeeRecipientAddress(address owner, bytes calldata publicKey) external view returns (address) {
        address own = ISafeStakeStorage(_storage).getAddress(_validatorStorageKey(owner, publicKey));
        return own == address(0) ? getFeeRecipientAddress(owner) : own;
    }

    /// @inheritdoc ISafeStakeOperatorConfig
    function generate_storage_key(address owner) public pure returns (bytes32) {
        return keccak256(abi.encodePacked(owner, "FeeRecipientAddress"));
    }

    function _setValidator(bytes calldata publicKey, address recipient) private {
        if (recipient == address(0)) revert ZeroFeeRecipient();
        _checkKey(publicKey);
        ISafeStakeStorage(_storage).setAddress(_validatorStorageKey(msg.sender, publicKey), recipient);
        emit ValidatorFeeRecipientAddressChanged(msg.sender, publicKey, recipient);
    }

    function _checkKey(bytes calldata publicKey) private pure {
        if (publicKey.length != Committee.VALIDATOR_KEY_LENGTH) revert InvalidValidatorPublicKey(publicKey);
    }

    /// Of another length than an owner's key before hashing, so that the two never meet.
    function _validatorStorageKey(address owner, bytes calldata publicKey) private pure returns (bytes32) {
        return keccak256(abi.encodePacked(owner, keccak256(publicKey), "ValidatorFeeRecipientAddress"));
    }

    function _setStorage(address storageAddress) private {
        if (storageAddress == address(0)) revert ZeroAddress();
        emit StorageAddressChanged(_storage, storageAddress);
        _storage = storageAddress;
    }
}
