// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

/// The beacon chain's deposit contract, as the consensus specifications name its functions and its event ("Phase 0 -- Deposit Contract").
interface IDepositContract {
    /// A deposit of 1 ether or more was taken. The beacon chain reads it, and credits whom it names.
    /// @param pubkey 48 bytes.
    /// @param withdrawal_credentials 32 bytes.
    /// @param amount Gwei, 8 bytes, little-endian.
    /// @param signature 96 bytes; nobody checked it.
    /// @param index Number of the deposit from 0, 8 bytes, little-endian.
    event DepositEvent(bytes pubkey, bytes withdrawal_credentials, bytes amount, bytes signature, bytes index);

    /// A field does not have the bytes it must have.
    error InvalidLength(string field, uint256 expected, uint256 found);
    /// Less than 1 ether.
    error TooLittle(uint256 amount);
    /// Parts of a gwei.
    error NotWholeGwei(uint256 amount);
    /// More gwei than 8 bytes can say.
    error TooMuch(uint256 amount);
    /// The root is not that of the other fields and the ether that was sent: something was changed on the way.
    error OtherRoot(bytes32 expected, bytes32 found);
    /// 2^32 - 1 deposits were taken.
    error TreeIsFull();

    /// Takes a deposit for a validator.
    /// @param deposit_data_root SSZ root of the other three and the amount sent, which protects against changed input.
    function deposit(bytes calldata pubkey, bytes calldata withdrawal_credentials, bytes calldata signature, bytes32 deposit_data_root)
        external
        payable;

    /// @return Root of the tree of all deposits, with their count mixed in: of an SSZ list with room for 2^32.
    function get_deposit_root() external view returns (bytes32);

    /// @return Number of deposits, 8 bytes, little-endian.
    function get_deposit_count() external view returns (bytes memory);
}
