// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import {Roles} from "./base/Roles.sol";
import {ISafeStakeStorage} from "./interfaces/ISafeStakeStorage.sol";

/// See `ISafeStakeStorage`.
contract SafeStakeStorage is Roles, ISafeStakeStorage {
    mapping(bytes32 key => address) private _addresses;
    uint256[49] private __gap;

    /// @custom:oz-upgrades-unsafe-allow constructor
    constructor() {
        _disableInitializers();
    }

    /// @inheritdoc ISafeStakeStorage
    function initialize() external initializer {
        __Roles_init_all(msg.sender);
    }

    /// @inheritdoc ISafeStakeStorage
    function setAddress(bytes32 key, address value) external onlyRole(NODE_ROLE) {
        if (value == address(0)) revert ZeroAddress();
        _addresses[key] = value;
    }

    /// @inheritdoc ISafeStakeStorage
    function deleteAddress(bytes32 key) external onlyRole(NODE_ROLE) {
        delete _addresses[key];
    }

    /// @inheritdoc ISafeStakeStorage
    function getAddress(bytes32 key) external view returns (address) {
        return _addresses[key];
    }
}
