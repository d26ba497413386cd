// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";
import {IDepositContract} from "./interfaces/IDepositContract.sol";

/// A double of the beacon chain's deposit contract, written from the consensus specifications. It takes the same deposits, and has the same roots and
/// events; what it refuses, it refuses with errors of its own.
///
/// The tree holds the roots of all deposits as leaves. It only grows at the right end, so that of each level no more is kept than the last complete
/// left sibling: enough for the root of everything, whatever the number of leaves.
contract DepositContract is IDepositContract, IERC165 {
    uint256 private constant DEPTH = 32;
    uint256 private constant MOST_DEPOSITS = 2 ** DEPTH - 1;
    uint256 private constant LEAST_AMOUNT = 1 ether;

    /// Of each level the last complete subtree that waits for its right sibling.
    bytes32[DEPTH] private _lefts;
    /// Of each level the root of an empty subtree.
    bytes32[DEPTH] private _empty;
    uint256 private _count;

    constructor() {
        for (uint256 level = 1; level < DEPTH; ++level) {
            _empty[level] = _pair(_empty[level - 1], _empty[level - 1]);
        }
    }

    /// @inheritdoc IDepositContract
    function deposit(bytes calldata pubkey, bytes calldata withdrawal_credentials, bytes calldata signature, bytes32 deposit_data_root)
        external
        payable
    {
        _checkLength("pubkey", 48, pubkey);
        _checkLength("withdrawal_credentials", 32, withdrawal_credentials);
        _checkLength("signature", 96, signature);
        bytes memory amount = _amount(msg.value);
        emit DepositEvent(pubkey, withdrawal_credentials, amount, signature, _littleEndian(uint64(_count)));
        bytes32 leaf = depositDataRoot(pubkey, bytes32(withdrawal_credentials), amount, signature);
        if (leaf != deposit_data_root) revert OtherRoot(leaf, deposit_data_root);
        _append(leaf);
    }

    /// @inheritdoc IDepositContract
    function get_deposit_root() external view returns (bytes32) {
        bytes32 node;
        for (uint256 level = 0; level < DEPTH; ++level) {
            bool isRight = _count >> level & 1 == 1;
            node = isRight ? _pair(_lefts[level], node) : _pair(node, _empty[level]);
        }
        return sha256(abi.encodePacked(node, _littleEndian(uint64(_count)), bytes24(0)));
    }

    /// @inheritdoc IDepositContract
    function get_deposit_count() external view returns (bytes memory) {
        return _littleEndian(uint64(_count));
    }

    /// @inheritdoc IERC165
    function supportsInterface(bytes4 interfaceId) external pure returns (bool) {
        return interfaceId == type(IERC165).interfaceId || interfaceId == type(IDepositContract).interfaceId;
    }

    /// SSZ root of a deposit's data: what `deposit` wants as its last argument.
    /// @param amount Gwei, 8 bytes, little-endian.
    function depositDataRoot(bytes calldata pubkey, bytes32 withdrawalCredentials, bytes memory amount, bytes calldata signature)
        public
        pure
        returns (bytes32)
    {
        bytes32 keyRoot = sha256(abi.encodePacked(pubkey, bytes16(0)));
        bytes32 signatureRoot = _pair(sha256(signature[:64]), sha256(abi.encodePacked(signature[64:], bytes32(0))));
        bytes32 right = _pair(bytes32(abi.encodePacked(amount, bytes24(0))), signatureRoot);
        return _pair(_pair(keyRoot, withdrawalCredentials), right);
    }

    /// The new leaf closes as many subtrees as the old number of leaves has ones at its end.
    function _append(bytes32 node) private {
        if (_count >= MOST_DEPOSITS) revert TreeIsFull();
        uint256 count = ++_count;
        // One of the levels has a bit of the count, which is below 2^32.
        uint256 level = 0;
        for (; count & 1 == 0; count >>= 1) {
            node = _pair(_lefts[level], node);
            ++level;
        }
        _lefts[level] = node;
    }

    function _amount(uint256 value) private pure returns (bytes memory) {
        if (value < LEAST_AMOUNT) revert TooLittle(value);
        if (value % 1 gwei != 0) revert NotWholeGwei(value);
        if (value / 1 gwei > type(uint64).max) revert TooMuch(value);
        return _littleEndian(uint64(value / 1 gwei));
    }

    function _checkLength(string memory field, uint256 expected, bytes calldata value) private pure {
        if (value.length != expected) revert InvalidLength(field, expected, value.length);
    }

    function _littleEndian(uint64 value) private pure returns (bytes memory bytes_) {
        bytes_ = new bytes(8);
        for (uint256 i = 0; i < 8; ++i) {
            bytes_[i] = bytes1(uint8(value >> 8 * i));
        }
    }

    function _pair(bytes32 left, bytes32 right) private pure returns (bytes32) {
        return sha256(abi.encodePacked(left, right));
    }
}
