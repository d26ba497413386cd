//! Keys submitted to the double of Lido's Community Staking Module, through the ways that a node operator goes.

use alloy_primitives::{Address as SolAddress, Bytes, U256};
use cluster_core::certificate::Certificate;
use cluster_crypto::ethereum::WalletKey;

use super::chain::find_event;
use super::{
    addNodeOperatorETHCall, addValidatorKeysETHCall, getBondAmountByKeysCountCall, getRequiredBondForNextKeysCall,
    Chain, EvmError, Management, NodeOperatorAdded, Receipt,
};

/// Bond curve of the gate for everybody.
const DEFAULT_CURVE: u64 = 0;

/// Keys with their deposit signatures, as the module wants them: one after the other.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    count: u64,
    pubkeys: Vec<u8>,
    signatures: Vec<u8>,
}

/// One transaction.
#[derive(Clone, Debug)]
pub struct Submitted {
    /// The transaction.
    pub receipt: Receipt,
    /// Whose keys they are now.
    pub node_operator_id: u64,
    /// How many.
    pub keys: u64,
    /// What was sent for them, in wei.
    pub bond: U256,
}

impl Keys {
    /// Of these positions in a certificate.
    #[must_use]
    pub fn of_certificate(certificate: &Certificate, positions: std::ops::Range<usize>) -> Self {
        let mut keys = Self::default();
        for validator in certificate.transcript.validators.get(positions).unwrap_or_default() {
            keys.count += 1;
            keys.pubkeys.extend(validator.pubkey.to_bytes());
            keys.signatures.extend(validator.deposit_signature.to_bytes());
        }
        keys
    }
}

impl Chain {
    /// Through the gate for everybody: a new node operator with these keys, its bond in ether to the wei.
    pub async fn add_node_operator(&self, wallet: &WalletKey, keys: &Keys) -> Result<Submitted, EvmError> {
        let csm = &self.deployment.csm;
        let question =
            getBondAmountByKeysCountCall { keys: U256::from(keys.count), curveId: U256::from(DEFAULT_CURVE) };
        let bond = self.rpc.read(csm.accounting, &question).await?;
        let call = addNodeOperatorETHCall {
            keysCount: U256::from(keys.count),
            publicKeys: Bytes::copy_from_slice(&keys.pubkeys),
            signatures: Bytes::copy_from_slice(&keys.signatures),
            // Zero: the sender is manager and gets the rewards.
            managementProperties: Management {
                managerAddress: SolAddress::ZERO,
                rewardAddress: SolAddress::ZERO,
                extendedManagerPermissions: false,
            },
            referrer: SolAddress::ZERO,
        };
        let receipt = self.rpc.send(wallet, csm.permissionless_gate, &call, bond).await?;
        let added: NodeOperatorAdded = find_event(&receipt, "addNodeOperatorETH", "NodeOperatorAdded")?;
        let node_operator_id = added.nodeOperatorId.saturating_to();
        Ok(Submitted { receipt, node_operator_id, keys: keys.count, bond })
    }

    /// Through the module: more keys of a node operator that the wallet manages.
    pub async fn add_keys(
        &self,
        wallet: &WalletKey,
        node_operator_id: u64,
        keys: &Keys,
    ) -> Result<Submitted, EvmError> {
        let csm = &self.deployment.csm;
        let (id, count) = (U256::from(node_operator_id), U256::from(keys.count));
        let question = getRequiredBondForNextKeysCall { nodeOperatorId: id, additionalKeys: count };
        let bond = self.rpc.read(csm.accounting, &question).await?;
        let call = addValidatorKeysETHCall {
            from: SolAddress::from(wallet.address().0),
            nodeOperatorId: id,
            keysCount: count,
            publicKeys: Bytes::copy_from_slice(&keys.pubkeys),
            signatures: Bytes::copy_from_slice(&keys.signatures),
        };
        let receipt = self.rpc.send(wallet, csm.module, &call, bond).await?;
        Ok(Submitted { receipt, node_operator_id, keys: keys.count, bond })
    }
}
