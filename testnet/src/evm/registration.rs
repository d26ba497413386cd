//! Validators given to their committees, with as few transactions as the gas of one allows.

use alloy_primitives::{Address as SolAddress, Bytes, U256};
use alloy_sol_types::SolCall;
use cluster_core::certificate::Certificate;
use cluster_core::chain::PubkeyBytes;
use cluster_crypto::ethereum::{Address, WalletKey};

use super::rpc::{gas_limit, GAS_CAP};
use super::{
    batchRegisterValidatorCall, depositCall, operatorFeeCall, registerValidatorCall, registerValidatorGroupsCall,
    removeValidatorCall, setFeeRecipientAddressCall, Chain, EvmError, Group, Receipt,
};

/// What the contract is given for one validator.
#[derive(Clone, Debug)]
pub struct Registration {
    /// The validator.
    pub pubkey: PubkeyBytes,
    operator_ids: Vec<u32>,
    /// 48 bytes for each operator, in their order.
    share_pubkeys: Vec<Bytes>,
    /// 93 bytes for each operator, in their order.
    envelopes: Vec<Bytes>,
}

/// One transaction.
#[derive(Clone, Debug)]
pub struct Registered {
    /// The transaction.
    pub receipt: Receipt,
    /// Its validators.
    pub pubkeys: Vec<PubkeyBytes>,
    /// What the owner paid for them, in wei.
    pub paid: U256,
}

/// A call with its price.
struct Prepared {
    what: &'static str,
    data: Vec<u8>,
    value: U256,
}

impl Registration {
    /// All validators of a certificate that is ready. An operator without an attestation gets no share, which the
    /// contract refuses.
    #[must_use]
    pub fn of_certificate(certificate: &Certificate) -> Vec<Self> {
        let committee = &certificate.transcript.committee;
        let envelope = |id, at: usize| {
            let attestation = certificate.attestations.iter().find(|attestation| attestation.operator_id == id)?;
            Some(Bytes::copy_from_slice(&attestation.envelopes.get(at)?.to_bytes()))
        };
        let validators = certificate.transcript.validators.iter().enumerate();
        validators
            .map(|(at, validator)| Self {
                pubkey: PubkeyBytes::from(&validator.pubkey),
                operator_ids: committee.iter().map(|(id, _)| id.0).collect(),
                share_pubkeys: validator
                    .share_pubkeys
                    .iter()
                    .map(|key| Bytes::copy_from_slice(&key.to_bytes()))
                    .collect(),
                envelopes: committee.iter().filter_map(|(id, _)| envelope(*id, at)).collect(),
            })
            .collect()
    }
}

impl Chain {
    /// Registers validators, each paid for `blocks` blocks exactly. Validators of one committee should follow each other.
    pub async fn register(
        &self,
        wallet: &WalletKey,
        registrations: &[Registration],
        blocks: u64,
    ) -> Result<Vec<Registered>, EvmError> {
        let price = self.rpc.read(self.deployment.network, &operatorFeeCall { withNetworkFee: true }).await?;
        let price = price * U256::from(blocks);
        let mut left = registrations;
        let mut done = Vec::new();
        while !left.is_empty() {
            let count = self.most(wallet, left, price).await?;
            let (now, later) = left.split_at(count);
            let Prepared { what, data, value } = prepare(wallet, now, price);
            let receipt = self.rpc.send_data(wallet, self.deployment.network, what, data, value).await?;
            let pubkeys = now.iter().map(|registration| registration.pubkey).collect();
            done.push(Registered { receipt, pubkeys, paid: value });
            left = later;
        }
        Ok(done)
    }

    /// How many of the first ones fit into one transaction; at least one.
    async fn most(&self, wallet: &WalletKey, left: &[Registration], price: U256) -> Result<usize, EvmError> {
        if left.len() == 1 || self.fits(wallet, left, price).await? {
            return Ok(left.len());
        }
        let (mut fit, mut too_many) = (1, left.len());
        while too_many - fit > 1 {
            let middle = fit + (too_many - fit) / 2;
            match self.fits(wallet, left.get(..middle).unwrap_or(left), price).await? {
                true => fit = middle,
                false => too_many = middle,
            }
        }
        Ok(fit)
    }

    async fn fits(&self, wallet: &WalletKey, some: &[Registration], price: U256) -> Result<bool, EvmError> {
        let Prepared { what, data, value } = prepare(wallet, some, price);
        match self.rpc.estimate_data(wallet.address(), self.deployment.network, what, &data, value).await {
            Ok(gas) => Ok(gas_limit(gas) <= GAS_CAP),
            // More than a whole block has, or than the node lets a transaction have.
            Err(EvmError::Refused { reason, .. }) if reason.to_lowercase().contains("gas") => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Pays for so many blocks more of a validator with a committee of so many operators.
    pub async fn top_up(
        &self,
        wallet: &WalletKey,
        pubkey: &PubkeyBytes,
        operators: usize,
        blocks: u64,
    ) -> Result<Receipt, EvmError> {
        let price = self.rpc.read(self.deployment.network, &operatorFeeCall { withNetworkFee: true }).await?;
        let amount = price * U256::from(blocks) * U256::from(operators);
        let call = depositCall {
            publickeys: vec![Bytes::copy_from_slice(&pubkey.0)],
            eachamounts: vec![amount],
            totalamount: amount,
        };
        self.rpc.send(wallet, self.deployment.network, &call, amount).await
    }

    /// Takes a validator away from its committee.
    pub async fn remove(&self, wallet: &WalletKey, pubkey: &PubkeyBytes) -> Result<Receipt, EvmError> {
        let call = removeValidatorCall { publicKeys: vec![Bytes::copy_from_slice(&pubkey.0)] };
        self.rpc.send(wallet, self.deployment.network, &call, U256::ZERO).await
    }

    /// Where the fees of all validators of this wallet go that are not Lido's.
    pub async fn set_fee_recipient(&self, wallet: &WalletKey, recipient: Address) -> Result<Receipt, EvmError> {
        let call = setFeeRecipientAddressCall { recipient: SolAddress::from(recipient.0) };
        self.rpc.send(wallet, self.deployment.operator_config, &call, U256::ZERO).await
    }

    /// What these cost, to the wei, and whether the contract takes that and nothing else: no wei more, none less.
    pub async fn only_exact_payment(
        &self,
        wallet: &WalletKey,
        some: &[Registration],
        blocks: u64,
    ) -> Result<bool, EvmError> {
        let price = self.rpc.read(self.deployment.network, &operatorFeeCall { withNetworkFee: true }).await?;
        let Prepared { what, data, value } = prepare(wallet, some, price * U256::from(blocks));
        let one = U256::from(1);
        let (from, to) = (wallet.address(), self.deployment.network);
        for wrong in [value + one, value - one] {
            match self.rpc.estimate_data(from, to, what, &data, wrong).await {
                Ok(_) => return Ok(false),
                Err(EvmError::Refused { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        self.rpc.estimate_data(from, to, what, &data, value).await.map(|_| true)
    }
}

/// `price` is for one operator. One validator, or several of one committee, go the way that existing apps go.
fn prepare(wallet: &WalletKey, some: &[Registration], price: U256) -> Prepared {
    let owner = SolAddress::from(wallet.address().0);
    let each = |group: &[Registration]| {
        price * U256::from(group.first().map_or(0, |registration| registration.operator_ids.len()))
    };
    let groups: Vec<&[Registration]> = some.chunk_by(|one, next| one.operator_ids == next.operator_ids).collect();
    let value = groups.iter().map(|group| each(group) * U256::from(group.len())).sum();
    match groups.as_slice() {
        [[one]] => {
            let call = registerValidatorCall {
                owner,
                publicKey: key(one),
                operatorIds: one.operator_ids.clone(),
                sharesPublicKeys: one.share_pubkeys.clone(),
                sharesEncrypted: one.envelopes.clone(),
                amount: value,
            };
            Prepared { what: "registerValidator", data: call.abi_encode(), value }
        }
        [group] => {
            let Group { operatorIds, publicKeys, sharesPublicKeys, sharesEncrypted, eachAmount } =
                group_of(group, each(group));
            let call = batchRegisterValidatorCall {
                owner,
                validatorCount: u32::try_from(publicKeys.len()).unwrap_or(u32::MAX),
                publicKeys,
                operatorIds,
                sharesPublicKeys,
                sharesEncrypteds: sharesEncrypted,
                eachAmount,
            };
            Prepared { what: "batchRegisterValidator", data: call.abi_encode(), value }
        }
        groups => {
            let groups = groups.iter().map(|group| group_of(group, each(group))).collect();
            let call = registerValidatorGroupsCall { owner, groups };
            Prepared { what: "registerValidatorGroups", data: call.abi_encode(), value }
        }
    }
}

fn group_of(some: &[Registration], each: U256) -> Group {
    Group {
        operatorIds: some.first().map(|one| one.operator_ids.clone()).unwrap_or_default(),
        publicKeys: some.iter().map(key).collect(),
        sharesPublicKeys: some.iter().map(|one| one.share_pubkeys.clone()).collect(),
        sharesEncrypted: some.iter().map(|one| one.envelopes.clone()).collect(),
        eachAmount: each,
    }
}

fn key(one: &Registration) -> Bytes {
    Bytes::copy_from_slice(&one.pubkey.0)
}
