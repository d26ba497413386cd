//! The events of the contracts, as their ABI declares them. Names and types of parameters are the ABI's; everything
//! else of the project uses the words of the glossary.
//!
//! Events that are not here change no fact that a node or the service acts on, and are passed over.
#![allow(missing_docs)]

use alloy_sol_types::{sol, SolEvent};

sol! {
    // SafeStakeClusterNode
    event ClusterNodeRegistration(address indexed owner, bytes clusterNodePublicKey);
    event ClusterNodeActivity(bytes clusterNodePublicKey, bool active);
    event ValidatorDepositDataGeneration(bytes clusterNodePublicKey, address owner, bytes ownerPubkey, uint256 validatorCount, uint32[] operatorIds, uint256 depositAmount, address withdrawAddress);
    event ValidatorExitDataGeneration(bytes clusterNodePublicKey, address owner, bytes[] validatorPubKeys, uint256 activeEpoch);
    // SafeStakeNetwork
    event OperatorRegistration(uint32 indexed id, string name, address indexed ownerAddress, bytes publicKey);
    event OperatorTaskDetail(bytes publicKey, uint256 operatorFee, uint256 payAmount, uint256 startBlockNumber, uint256 endBlockNumber);
    event ValidatorRegistration(address indexed ownerAddress, bytes publicKey, uint32[] operatorIds, bytes[] sharesPublicKeys, bytes[] encryptedKeys, uint256 paidBlockNumber);
    event ValidatorRemoval(address indexed ownerAddress, bytes publicKey);
    // SafeStakeRegistry
    event OperatorRemoval(uint32 operatorId, address indexed ownerAddress);
    event OperatorVerified(address owner, bool fromDao, bool verified);
    // SafeStakeOperatorConfig
    event FeeRecipientAddressChanged(address owner, address newAddress);
    event ValidatorFeeRecipientAddressChanged(address indexed owner, bytes publicKey, address newAddress);
}

/// Signature text and first topic of every event that is read.
pub fn topics() -> Vec<(&'static str, [u8; 32])> {
    fn of<E: SolEvent>() -> (&'static str, [u8; 32]) {
        (E::SIGNATURE, E::SIGNATURE_HASH.0)
    }
    vec![
        of::<ClusterNodeRegistration>(),
        of::<ClusterNodeActivity>(),
        of::<ValidatorDepositDataGeneration>(),
        of::<ValidatorExitDataGeneration>(),
        of::<OperatorRegistration>(),
        of::<OperatorTaskDetail>(),
        of::<ValidatorRegistration>(),
        of::<ValidatorRemoval>(),
        of::<OperatorRemoval>(),
        of::<OperatorVerified>(),
        of::<FeeRecipientAddressChanged>(),
        of::<ValidatorFeeRecipientAddressChanged>(),
    ]
}
