// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import {vm} from "./Vm.sol";

/// What a test needs beside the cheatcodes.
abstract contract Test {
    /// Tells forge's invariant tests which functions of which contract to call.
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    bool public constant IS_TEST = true;

    /// @return `value` brought into [low, high], evenly.
    function bound(uint256 value, uint256 low, uint256 high) internal pure returns (uint256) {
        if (value >= low && value <= high) return value;
        return low + value % (high - low + 1);
    }

    /// An address that nobody has the key of, with a name in traces.
    function named(string memory name) internal returns (address account) {
        account = address(uint160(uint256(keccak256(bytes(name)))));
        vm.label(account, name);
    }

    /// The next call reverts with `Error(code)`.
    function expectCode(string memory code) internal {
        vm.expectRevert(bytes(code));
    }

    /// @return A 65-byte signature.
    function signature(uint256 privateKey, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(privateKey, digest);
        return abi.encodePacked(r, s, v);
    }

    function assertEq(uint256 left, uint256 right, string memory what) internal pure {
        vm.assertEq(left, right, what);
    }
}
