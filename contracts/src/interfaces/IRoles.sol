// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

/// Three roles, the same in every contract. Only an ADMIN grants, revokes and hands over.
///
/// Codes of reverts (`Error(string)`):
/// - `X0` the account does not have the role that the call needs
/// - `X1` the account that is to get a role is zero
/// - `X2` the change would leave nobody with ADMIN, or hands a role to an account that already has it
interface IRoles {
    /// @return keccak256("A"): settings, fees, flags, and who has a role.
    function ADMIN_ROLE() external view returns (bytes32);

    /// @return keccak256("B"): a contract of the system that may call another one.
    function NODE_ROLE() external view returns (bytes32);

    /// @return keccak256("C"): whose signatures authorise claims of operators.
    function SIGNER_ROLE() external view returns (bytes32);

    /// Returns if the caller has `role`, reverts with `X0` otherwise.
    function checkRole(bytes32 role) external view;

    /// Hands `role` of the caller to `newOwner`. The caller is an ADMIN and has `role`.
    function transferOwnership(bytes32 role, address newOwner) external;
}
