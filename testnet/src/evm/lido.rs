//! Keys submitted to the double of Lido's Community Staking Module, through the ways that a node operator goes, and deposits for
//! them, as Lido orders those.

use alloy_primitives::{Address as SolAddress, Bytes, B256, U256};
use alloy_sol_types::SolCall;
use cluster_core::certificate::Certificate;
use cluster_crypto::ethereum::{Address, WalletKey};

use super::chain::find_event;
use super::gates::{Bond, Gate};
use super::{
    addValidatorKeysETHCall, addValidatorKeysStETHCall, addValidatorKeysWstETHCall, approveCall,
    getBondAmountByKeysCountCall, getBondAmountByKeysCountWstETHCall, getRequiredBondForNextKeysCall,
    getRequiredBondForNextKeysWstETHCall, Chain, EvmError, Management, NodeOperatorAdded, OpenGate, Permit, Receipt,
    StakingRouter, VettedGate,
};

/// Ether of a deposit.
const DEPOSIT_ETHER: u64 = 32;

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
    /// What was paid for them, in wei of ether or in the smallest unit of the token.
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

    fn pubkeys(&self) -> Bytes {
        Bytes::copy_from_slice(&self.pubkeys)
    }

    fn signatures(&self) -> Bytes {
        Bytes::copy_from_slice(&self.signatures)
    }
}

/// Zero: the sender is manager and gets the rewards.
fn own() -> Management {
    Management { managerAddress: SolAddress::ZERO, rewardAddress: SolAddress::ZERO, extendedManagerPermissions: false }
}

/// None: what may be taken was approved by a transaction.
fn no_permit() -> Permit {
    Permit { value: U256::ZERO, deadline: U256::ZERO, v: 0, r: [0; 32].into(), s: [0; 32].into() }
}

impl Gate {
    /// Bond curve of who comes through it.
    const fn curve(self) -> u64 {
        match self {
            Self::Permissionless => 0,
            Self::Ics => 2,
            Self::Idvtc => 3,
        }
    }
}

impl Chain {
    /// Through a gate: a new node operator with these keys, its bond to the wei. A wallet that is to pass a vetted gate is put on
    /// its list first.
    pub async fn add_node_operator(
        &self,
        wallet: &WalletKey,
        gate: Gate,
        bond: Bond,
        keys: &Keys,
    ) -> Result<Submitted, EvmError> {
        let csm = &self.deployment.csm;
        let (count, curve) = (U256::from(keys.count), U256::from(gate.curve()));
        let in_steth = getBondAmountByKeysCountCall { keys: count, curveId: curve };
        let in_wsteth = getBondAmountByKeysCountWstETHCall { keys: count, curveId: curve };
        let amount = self.bond_amount(bond, &in_steth, &in_wsteth).await?;
        let sent = self.lay_out(wallet, bond, amount).await?;
        let (to, data) = match gate {
            Gate::Permissionless => (csm.permissionless_gate, through_open_gate(bond, keys)),
            Gate::Ics | Gate::Idvtc => {
                let to = if gate == Gate::Ics { csm.ics_gate } else { csm.idvtc_gate };
                let proof = self.put_on_list(to, wallet).await?;
                (to, through_vetted_gate(bond, keys, proof))
            }
        };
        let receipt = self.rpc.send_data(wallet, to, "addNodeOperator", data, sent).await?;
        let added: NodeOperatorAdded = find_event(&receipt, "addNodeOperator", "NodeOperatorAdded")?;
        let node_operator_id = added.nodeOperatorId.saturating_to();
        Ok(Submitted { receipt, node_operator_id, keys: keys.count, bond: amount })
    }

    /// Through the module: more keys of a node operator that the wallet manages.
    pub async fn add_keys(
        &self,
        wallet: &WalletKey,
        node_operator_id: u64,
        bond: Bond,
        keys: &Keys,
    ) -> Result<Submitted, EvmError> {
        let csm = &self.deployment.csm;
        let (id, count) = (U256::from(node_operator_id), U256::from(keys.count));
        let in_steth = getRequiredBondForNextKeysCall { nodeOperatorId: id, additionalKeys: count };
        let in_wsteth = getRequiredBondForNextKeysWstETHCall { nodeOperatorId: id, additionalKeys: count };
        let amount = self.bond_amount(bond, &in_steth, &in_wsteth).await?;
        let sent = self.lay_out(wallet, bond, amount).await?;
        let from = SolAddress::from(wallet.address().0);
        let (pubkeys, signatures, permit) = (keys.pubkeys(), keys.signatures(), no_permit());
        let data = match bond {
            Bond::Eth => {
                addValidatorKeysETHCall { from, nodeOperatorId: id, keysCount: count, publicKeys: pubkeys, signatures }
                    .abi_encode()
            }
            Bond::Steth => addValidatorKeysStETHCall {
                from,
                nodeOperatorId: id,
                keysCount: count,
                publicKeys: pubkeys,
                signatures,
                permit,
            }
            .abi_encode(),
            Bond::Wsteth => addValidatorKeysWstETHCall {
                from,
                nodeOperatorId: id,
                keysCount: count,
                publicKeys: pubkeys,
                signatures,
                permit,
            }
            .abi_encode(),
        };
        let receipt = self.rpc.send_data(wallet, csm.module, "addValidatorKeys", data, sent).await?;
        Ok(Submitted { receipt, node_operator_id, keys: keys.count, bond: amount })
    }

    /// Lido deposits 32 ether for each of the next keys in the module's queues; there must be so many.
    pub async fn deposit(&self, keys: u64) -> Result<Receipt, EvmError> {
        let csm = &self.deployment.csm;
        let ether = super::chain::ether(DEPOSIT_ETHER * keys);
        let has = super::chain::ether(DEPOSIT_ETHER * keys + 100);
        self.rpc.set_balance(self.admin().address(), has).await?;
        let module = SolAddress::from(csm.module.0);
        let call = StakingRouter::depositCall { module, maxDepositsCount: U256::from(keys) };
        self.rpc.send_data(self.admin(), csm.staking_router, "deposit", call.abi_encode(), ether).await
    }

    /// Asks Accounting for a bond in the unit that it is paid in: ether and stETH have one, wstETH another.
    async fn bond_amount<S: SolCall<Return = U256>, W: SolCall<Return = U256>>(
        &self,
        bond: Bond,
        in_steth: &S,
        in_wsteth: &W,
    ) -> Result<U256, EvmError> {
        let accounting = self.deployment.csm.accounting;
        match bond {
            Bond::Eth | Bond::Steth => self.rpc.read(accounting, in_steth).await,
            Bond::Wsteth => self.rpc.read(accounting, in_wsteth).await,
        }
    }

    /// Lets Accounting take a bond in tokens, exactly; what is to be sent with the call in ether.
    async fn lay_out(&self, wallet: &WalletKey, bond: Bond, amount: U256) -> Result<U256, EvmError> {
        let csm = &self.deployment.csm;
        let token: Address = match bond {
            Bond::Eth => return Ok(amount),
            Bond::Steth => csm.steth,
            Bond::Wsteth => csm.wsteth,
        };
        let call = approveCall { spender: SolAddress::from(csm.accounting.0), amount };
        self.rpc.send(wallet, token, &call, U256::ZERO).await?;
        Ok(U256::ZERO)
    }
}

fn through_open_gate(bond: Bond, keys: &Keys) -> Vec<u8> {
    let (count, pubkeys, signatures) = (U256::from(keys.count), keys.pubkeys(), keys.signatures());
    let (permit, referrer) = (no_permit(), SolAddress::ZERO);
    match bond {
        Bond::Eth => OpenGate::addNodeOperatorETHCall {
            keysCount: count,
            publicKeys: pubkeys,
            signatures,
            managementProperties: own(),
            referrer,
        }
        .abi_encode(),
        Bond::Steth => OpenGate::addNodeOperatorStETHCall {
            keysCount: count,
            publicKeys: pubkeys,
            signatures,
            managementProperties: own(),
            permit,
            referrer,
        }
        .abi_encode(),
        Bond::Wsteth => OpenGate::addNodeOperatorWstETHCall {
            keysCount: count,
            publicKeys: pubkeys,
            signatures,
            managementProperties: own(),
            permit,
            referrer,
        }
        .abi_encode(),
    }
}

fn through_vetted_gate(bond: Bond, keys: &Keys, proof: Vec<B256>) -> Vec<u8> {
    let (count, pubkeys, signatures) = (U256::from(keys.count), keys.pubkeys(), keys.signatures());
    let (permit, referrer) = (no_permit(), SolAddress::ZERO);
    match bond {
        Bond::Eth => VettedGate::addNodeOperatorETHCall {
            keysCount: count,
            publicKeys: pubkeys,
            signatures,
            managementProperties: own(),
            proof,
            referrer,
        }
        .abi_encode(),
        Bond::Steth => VettedGate::addNodeOperatorStETHCall {
            keysCount: count,
            publicKeys: pubkeys,
            signatures,
            managementProperties: own(),
            permit,
            proof,
            referrer,
        }
        .abi_encode(),
        Bond::Wsteth => VettedGate::addNodeOperatorWstETHCall {
            keysCount: count,
            publicKeys: pubkeys,
            signatures,
            managementProperties: own(),
            permit,
            proof,
            referrer,
        }
        .abi_encode(),
    }
}
