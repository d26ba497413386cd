// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import {IRoles} from "./IRoles.sol";

/// Addresses under 32-byte keys, kept apart from the contract that gives them meaning. Only a NODE writes.
interface ISafeStakeStorage is IRoles {
    error ZeroAddress();

    /// Sets up the contract behind its proxy. The caller gets ADMIN, NODE and SIGNER.
    function initialize() external;

    /// NODE only.
    function setAddress(bytes32 key, address value) external;

    /// NODE only.
    function deleteAddress(bytes32 key) external;

    /// @return Zero where nothing was set.
    function getAddress(bytes32 key) external view returns (address);
}
