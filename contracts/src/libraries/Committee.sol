// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

/// Lengths and shapes that every contract checks alike.
library Committee {
    uint256 internal constant VALIDATOR_KEY_LENGTH = 48;
    uint256 internal constant OPERATOR_KEY_LENGTH = 33;
    uint256 internal constant ENCRYPTED_SHARE_LENGTH = 93;

    /// @return Whether `size` is 3f+1 for f of 1 to 4: 4, 7, 10, 13.
    function isSize(uint256 size) internal pure returns (bool) {
        return size == 4 || size == 7 || size == 10 || size == 13;
    }

    /// @return Whether every id is greater than the one before it.
    function isAscending(uint32[] calldata operatorIds) internal pure returns (bool) {
        for (uint256 i = 1; i < operatorIds.length; ++i) {
            if (operatorIds[i] <= operatorIds[i - 1]) return false;
        }
        return true;
    }

    /// @return Whether the key has the form of a compressed secp256k1 key. Whether the point exists is checked off chain.
    function isCompressedKey(bytes calldata key) internal pure returns (bool) {
        return key.length == OPERATOR_KEY_LENGTH && (key[0] == 0x02 || key[0] == 0x03);
    }

    /// @return Whether there is a public share of 48 bytes and a sealed one of 93 bytes for each of `size` operators.
    function areShares(uint256 size, bytes[] calldata publicShares, bytes[] calldata encryptedShares) internal pure returns (bool) {
        if (publicShares.length != size || encryptedShares.length != size) return false;
        for (uint256 i = 0; i < size; ++i) {
            if (publicShares[i].length != VALIDATOR_KEY_LENGTH || encryptedShares[i].length != ENCRYPTED_SHARE_LENGTH) return false;
        }
        return true;
    }
}
