//! Signatures of contract wallets (EIP-1271): the contract says whether it signed.

use super::read::{ReadError, Reader};
use alloy_primitives::{Bytes, FixedBytes};
use alloy_sol_types::sol;
use cluster_crypto::ethereum::Address;

sol! {
    /// EIP-1271.
    interface ContractWallet {
        /// The magic value when the wallet signed `hash`; anything else, or a revert, when it did not.
        function isValidSignature(bytes32 hash, bytes memory signature) external view returns (bytes4 magicValue);
    }
}

/// What `isValidSignature` answers when it agrees: its own selector.
const MAGIC_VALUE: [u8; 4] = [0x16, 0x26, 0xba, 0x7e];

/// Whether the contract at `wallet` signed `digest` (32 bytes), as it says at the head of the chain. An account without code, a contract that
/// refuses and one that answers something else did not. An error means that no node has an answer.
pub async fn signed(reader: &Reader, wallet: Address, digest: [u8; 32], signature: Vec<u8>) -> Result<bool, ReadError> {
    let call = ContractWallet::isValidSignatureCall { hash: FixedBytes(digest), signature: Bytes::from(signature) };
    let block = reader.head().await?;
    match reader.call_once(wallet, &call, block).await {
        Ok(magic) => Ok(magic.0 == MAGIC_VALUE),
        Err(ReadError::Reverted | ReadError::Unreadable { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}
