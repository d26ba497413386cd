// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import {IRoles} from "./IRoles.sol";

/// Where validators' proposals pay to: an address per owner, and one per validator that goes before it.
///
/// Everything is filed under the sender. Who owns a validator is the registry's word: readers look an address up for the owner that the registry
/// names, so that what a stranger sets for a validator has no effect.
interface ISafeStakeOperatorConfig is IRoles {
    /// @param owner The sender.
    /// @param newAddress For all its validators without an address of their own.
    event FeeRecipientAddressChanged(address owner, address newAddress);

    /// Beside the listed events.
    /// @param newAddress For this validator; zero when the owner's holds again.
    event ValidatorFeeRecipientAddressChanged(address indexed owner, bytes publicKey, address newAddress);
    event StorageAddressChanged(address indexed oldAddress, address indexed newAddress);

    error ZeroFeeRecipient();
    /// A validator's public key is not 48 bytes.
    error InvalidValidatorPublicKey(bytes publicKey);
    error EmptyList();
    error ZeroAddress();

    /// Sets up the contract behind its proxy. The caller gets ADMIN, NODE and SIGNER.
    /// @param storageAddress A SafeStakeStorage in which this contract gets NODE.
    function initialize(address storageAddress) external;

    /// For all validators of the caller without an address of their own. Not zero.
    function setFeeRecipientAddress(address recipient) external;

    /// For one validator of the caller. Not zero.
    function setValidatorFeeRecipientAddress(bytes calldata publicKey, address recipient) external;

    /// For several validators of the caller. Not zero.
    function setValidatorFeeRecipientAddresses(bytes[] calldata publicKeys, address recipient) external;

    /// The owner's address holds for the validator again.
    function clearValidatorFeeRecipientAddress(bytes calldata publicKey) external;

    /// Uses another storage. What the old one holds does not move. ADMIN only.
    function setStorageAddress(address _storageAddress) external;

    /// @return The owner's address, zero if it has set none.
    function getFeeRecipientAddress(address owner) external view returns (address);

    /// @return What counts for the validator while `owner` owns it: its own address, else the owner's, else zero.
    function getValidatorFeeRecipientAddress(address owner, bytes calldata publicKey) external view returns (address);

    /// @return Key of the owner's address in the storage: keccak256(owner || "FeeRecipientAddress").
    function generate_storage_key(address owner) external pure returns (bytes32);

    function _storage() external view returns (address);
}
