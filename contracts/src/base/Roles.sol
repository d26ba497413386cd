// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import {AccessControlUpgradeable} from "@openzeppelin/contracts-upgradeable/access/AccessControlUpgradeable.sol";
import {IInitialized} from "../interfaces/IInitialized.sol";
import {IRoles} from "../interfaces/IRoles.sol";

/// OpenZeppelin's AccessControl with the roles and codes of `IRoles`.
abstract contract Roles is AccessControlUpgradeable, IRoles {
    bytes32 public constant ADMIN_ROLE = keccak256("A");
    bytes32 public constant NODE_ROLE = keccak256("B");
    bytes32 public constant SIGNER_ROLE = keccak256("C");

    /// Accounts that have ADMIN.
    uint256 private _admins;
    uint256[9] private __rolesGap;

    /// @param admin Gets ADMIN, the role that gives all three.
    function __Roles_init(address admin) internal onlyInitializing {
        __AccessControl_init();
        _setRoleAdmin(ADMIN_ROLE, ADMIN_ROLE);
        _setRoleAdmin(NODE_ROLE, ADMIN_ROLE);
        _setRoleAdmin(SIGNER_ROLE, ADMIN_ROLE);
        _grantRole(ADMIN_ROLE, admin);
        emit IInitialized.Initialized(uint8(1));
    }

    /// @param admin Gets all three roles.
    function __Roles_init_all(address admin) internal onlyInitializing {
        __Roles_init(admin);
        _grantRole(NODE_ROLE, admin);
        _grantRole(SIGNER_ROLE, admin);
    }

    /// @inheritdoc IRoles
    function checkRole(bytes32 role) external view {
        _checkRole(role);
    }

    /// @inheritdoc IRoles
    function transferOwnership(bytes32 role, address newOwner) external onlyRole(ADMIN_ROLE) onlyRole(role) {
        require(!hasRole(role, newOwner), "X2");
        _grantRole(role, newOwner);
        _revokeRole(role, msg.sender);
    }

    function _checkRole(bytes32 role, address account) internal view override {
        require(hasRole(role, account), "X0");
    }

    function _grantRole(bytes32 role, address account) internal override returns (bool granted) {
        require(account != address(0), "X1");
        granted = super._grantRole(role, account);
        if (granted && role == ADMIN_ROLE) ++_admins;
    }

    /// Revoking and renouncing both come through here: the last ADMIN stays.
    function _revokeRole(bytes32 role, address account) internal override returns (bool revoked) {
        revoked = super._revokeRole(role, account);
        if (revoked && role == ADMIN_ROLE) {
            require(_admins > 1, "X2");
            --_admins;
        }
    }
}
