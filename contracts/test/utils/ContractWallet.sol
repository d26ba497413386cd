// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// A wallet of several owners, for tests of those who meet one: it signs by EIP-1271 and sends what enough owners signed.
contract ContractWallet is IERC1271 {
    /// One of the calls of a transaction.
    struct Call {
        address to;
        uint256 value;
        bytes data;
    }

    mapping(address account => bool) public isOwner;
    uint256 public immutable threshold;
    /// Transactions that were sent; the next one signs this number.
    uint256 public nonce;

    error NotEnoughOwners();

    constructor(address[] memory owners, uint256 threshold_) {
        for (uint256 i = 0; i < owners.length; ++i) {
            isOwner[owners[i]] = true;
        }
        threshold = threshold_;
    }

    receive() external payable {}

    /// `signatures` has 65 bytes of each owner, ascending by address.
    function isValidSignature(bytes32 hash, bytes calldata signatures) external view returns (bytes4) {
        return isSigned(hash, signatures) ? IERC1271.isValidSignature.selector : bytes4(0xffffffff);
    }

    /// What owners sign for these calls to be sent next.
    function digestOf(Call[] calldata calls) public view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), nonce, calls));
    }

    /// Sends all of them or none; anybody may bring the signatures.
    function execute(Call[] calldata calls, bytes calldata signatures) external {
        if (!isSigned(digestOf(calls), signatures)) revert NotEnoughOwners();
        ++nonce;
        for (uint256 i = 0; i < calls.length; ++i) {
            (bool done, bytes memory answer) = calls[i].to.call{value: calls[i].value}(calls[i].data);
            if (!done) {
                // The reason of the call is the reason of the transaction.
                assembly ("memory-safe") {
                    revert(add(answer, 0x20), mload(answer))
                }
            }
        }
    }

    function isSigned(bytes32 hash, bytes calldata signatures) private view returns (bool) {
        if (signatures.length != 65 * threshold) return false;
        address last = address(0);
        for (uint256 i = 0; i < threshold; ++i) {
            (address signer, ECDSA.RecoverError error,) = ECDSA.tryRecover(hash, signatures[65 * i:65 * (i + 1)]);
            if (error != ECDSA.RecoverError.NoError || signer <= last || !isOwner[signer]) return false;
            last = signer;
        }
        return true;
    }
}
