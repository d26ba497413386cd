//! From a log to an event with checked fields.

use super::{
    abi::{
        ClusterNodeActivity, ClusterNodeRegistration, FeeRecipientAddressChanged, OperatorRegistration,
        OperatorRemoval, OperatorTaskDetail, OperatorVerified, ValidatorDepositDataGeneration,
        ValidatorExitDataGeneration, ValidatorFeeRecipientAddressChanged, ValidatorRegistration, ValidatorRemoval,
    },
    Contract, EventId, Log, Malformed, PubkeyBytes,
};
use crate::{
    committee::{self, OperatorId},
    registry::MAX_NAME_BYTES,
    request::{Request, DEPOSIT_AMOUNT_GWEI, MAX_VALIDATORS},
};
use alloy_sol_types::{
    abi::{
        decode_sequence_with_config,
        token::{DynSeqToken, PackedSeqToken, WordToken},
        AbiDecoderConfig,
    },
    SolEvent, TopicList,
};
use cluster_crypto::{
    ethereum::Address,
    identity,
    seal::{Envelope, ENVELOPE_BYTES},
};
use std::collections::HashSet;

/// Longest data of a log that is read, in bytes. A thousand exits have 130,000.
pub const MAX_LOG_DATA_BYTES: usize = 256 * 1024;
/// Most validators of one exit event.
pub const MAX_EXIT_VALIDATORS: usize = crate::exit::MAX_EXITS;
/// How long after its block an event may still start a ceremony: seven days, in seconds.
pub const REQUEST_LIFETIME_S: u64 = 7 * 24 * 3600;
/// Memory that decoding may take: a few times what the longest log has.
const DECODER_BYTES: usize = 4 * MAX_LOG_DATA_BYTES;

/// What a contract says. Lengths, ranges, keys and committees are checked; who may say it is decided by
/// [`super::Facts`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An operator joined.
    OperatorRegistered(OperatorRegistered),
    /// An operator left.
    OperatorRemoved {
        /// The operator.
        id: OperatorId,
        /// Its owner.
        owner: Address,
    },
    /// Administrators marked the operators of a wallet.
    OperatorVerified {
        /// The wallet.
        owner: Address,
        /// Run on behalf of the DAO.
        from_dao: bool,
        /// Verified.
        verified: bool,
    },
    /// A gateway's key was registered.
    ClusterNodeRegistered {
        /// Who registered it.
        owner: Address,
        /// The gateway's key.
        cluster_pubkey: identity::PublicKey,
    },
    /// A gateway's key was switched off, or on again.
    ClusterNodeSwitched {
        /// The gateway's key.
        cluster_pubkey: identity::PublicKey,
        /// Whether it counts.
        active: bool,
    },
    /// An owner asks for validators.
    DepositDataRequested(DepositDataRequested),
    /// An owner orders exits.
    ExitRequested(ExitRequested),
    /// A validator was given to a committee, or to another one.
    ValidatorRegistered(Box<ValidatorRegistered>),
    /// A validator was taken from its committee.
    ValidatorRemoved {
        /// Its owner.
        owner: Address,
        /// The validator.
        pubkey: PubkeyBytes,
    },
    /// A validator's subscription was paid.
    ValidatorPaid {
        /// The validator.
        pubkey: PubkeyBytes,
        /// Block until which it is paid.
        until_block: u64,
    },
    /// An owner chose where the fees of all its validators go.
    FeeRecipientChanged {
        /// The owner.
        owner: Address,
        /// Where they go.
        recipient: Address,
    },
    /// An owner chose where the fees of one validator go.
    ValidatorFeeRecipientChanged {
        /// Who chose: it counts while this wallet owns the validator.
        owner: Address,
        /// The validator, registered or not.
        pubkey: PubkeyBytes,
        /// Where they go; zero takes the choice back.
        recipient: Address,
    },
}

/// An operator joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorRegistered {
    /// Its number; 0 is one.
    pub id: OperatorId,
    /// For people, made printable: see [`printable_name`].
    pub name: String,
    /// Its wallet.
    pub owner: Address,
    /// Its identity.
    pub public_key: identity::PublicKey,
}

/// An owner asks for validators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DepositDataRequested {
    /// Key of the gateway that collects the result.
    pub cluster_pubkey: identity::PublicKey,
    /// Who asks; the public key in the event is this wallet's.
    pub owner: Address,
    /// 1 to [`MAX_VALIDATORS`].
    pub validator_count: u32,
    /// The committee, ascending.
    pub operator_ids: Vec<OperatorId>,
    /// Where withdrawals go.
    pub withdrawal_address: Address,
}

impl DepositDataRequested {
    /// The request that every operator derives from the event. `time_s` is the time of its block.
    pub fn request(&self, event: &EventId, time_s: u64) -> Request {
        Request {
            chain_id: event.chain_id,
            owner: self.owner,
            cluster_pubkey: self.cluster_pubkey,
            operator_ids: self.operator_ids.clone(),
            validator_count: self.validator_count,
            withdrawal_address: self.withdrawal_address,
            amount_gwei: DEPOSIT_AMOUNT_GWEI,
            nonce: event.nonce(),
            deadline: time_s.saturating_add(REQUEST_LIFETIME_S),
            reshare: None,
        }
    }
}

/// An owner orders exits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExitRequested {
    /// Key of the gateway.
    pub cluster_pubkey: identity::PublicKey,
    /// Who orders.
    pub owner: Address,
    /// The validators, each once.
    pub pubkeys: Vec<PubkeyBytes>,
    /// The epoch that the owner's app named; for people.
    pub epoch: u64,
}

/// A validator was given to a committee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidatorRegistered {
    /// Who did it.
    pub owner: Address,
    /// The validator.
    pub pubkey: PubkeyBytes,
    /// The committee, ascending.
    pub operator_ids: Vec<OperatorId>,
    /// One public share for each operator.
    pub share_pubkeys: Vec<PubkeyBytes>,
    /// One sealed share for each operator.
    pub envelopes: Vec<Envelope>,
    /// Block until which the subscription is paid.
    pub paid_until_block: u64,
}

/// Reads a log of one of the contracts; `None` for an event that changes nothing here.
pub fn decode(contract: Contract, log: &Log) -> Result<Option<Event>, Malformed> {
    let Some(topic) = log.topics.first() else { return Ok(None) };
    let is = |hash: [u8; 32]| *topic == hash;
    let read: fn(&Log) -> Result<Event, Malformed> = match contract {
        Contract::ClusterNode if is(ClusterNodeRegistration::SIGNATURE_HASH.0) => cluster_node_registered,
        Contract::ClusterNode if is(ClusterNodeActivity::SIGNATURE_HASH.0) => cluster_node_switched,
        Contract::ClusterNode if is(ValidatorDepositDataGeneration::SIGNATURE_HASH.0) => deposit_data_requested,
        Contract::ClusterNode if is(ValidatorExitDataGeneration::SIGNATURE_HASH.0) => exit_requested,
        Contract::Network if is(OperatorRegistration::SIGNATURE_HASH.0) => operator_registered,
        Contract::Network if is(OperatorTaskDetail::SIGNATURE_HASH.0) => validator_paid,
        Contract::Network if is(ValidatorRegistration::SIGNATURE_HASH.0) => validator_registered,
        Contract::Network if is(ValidatorRemoval::SIGNATURE_HASH.0) => validator_removed,
        Contract::Registry if is(OperatorRemoval::SIGNATURE_HASH.0) => operator_removed,
        Contract::Registry if is(OperatorVerified::SIGNATURE_HASH.0) => operator_verified,
        Contract::OperatorConfig if is(FeeRecipientAddressChanged::SIGNATURE_HASH.0) => fee_recipient_changed,
        Contract::OperatorConfig if is(ValidatorFeeRecipientAddressChanged::SIGNATURE_HASH.0) => {
            validator_fee_recipient_changed
        }
        _ => return Ok(None),
    };
    if log.data.len() > MAX_LOG_DATA_BYTES {
        return Err(Malformed::TooLong { found: log.data.len(), limit: MAX_LOG_DATA_BYTES });
    }
    read(log).map(Some)
}

/// A name for people: at most [`MAX_NAME_BYTES`] bytes without control characters. Whoever registered an operator chose the
/// name, and it reaches logs, metrics and terminals; the operator counts whatever it is called.
pub fn printable_name(name: &[u8], id: OperatorId) -> String {
    let mut printable = String::new();
    for character in String::from_utf8_lossy(name).chars().take(MAX_NAME_BYTES) {
        let character = if character.is_control() { '\u{fffd}' } else { character };
        if printable.len() + character.len_utf8() > MAX_NAME_BYTES {
            break;
        }
        printable.push(character);
    }
    if printable.trim().is_empty() {
        return format!("operator {id}");
    }
    printable
}

fn operator_registered(log: &Log) -> Result<Event, Malformed> {
    let (name, public_key) = data::<OperatorRegistration>(log)?;
    let id = OperatorId(topic_u32("id", log, 1)?);
    Ok(Event::OperatorRegistered(OperatorRegistered {
        id,
        name: printable_name(name.0, id),
        owner: owner("ownerAddress", &topic(log, 2))?,
        public_key: identity_key("publicKey", &public_key)?,
    }))
}

fn operator_removed(log: &Log) -> Result<Event, Malformed> {
    let (id,) = data::<OperatorRemoval>(log)?;
    Ok(Event::OperatorRemoved {
        id: OperatorId(small("operatorId", &id)?),
        owner: owner("ownerAddress", &topic(log, 1))?,
    })
}

fn operator_verified(log: &Log) -> Result<Event, Malformed> {
    let (wallet, from_dao, verified) = data::<OperatorVerified>(log)?;
    Ok(Event::OperatorVerified {
        owner: owner("owner", &wallet)?,
        from_dao: boolean("fromDao", &from_dao)?,
        verified: boolean("verified", &verified)?,
    })
}

fn cluster_node_registered(log: &Log) -> Result<Event, Malformed> {
    let (key,) = data::<ClusterNodeRegistration>(log)?;
    Ok(Event::ClusterNodeRegistered {
        owner: owner("owner", &topic(log, 1))?,
        cluster_pubkey: identity_key("clusterNodePublicKey", &key)?,
    })
}

fn cluster_node_switched(log: &Log) -> Result<Event, Malformed> {
    let (key, active) = data::<ClusterNodeActivity>(log)?;
    Ok(Event::ClusterNodeSwitched {
        cluster_pubkey: identity_key("clusterNodePublicKey", &key)?,
        active: boolean("active", &active)?,
    })
}

fn deposit_data_requested(log: &Log) -> Result<Event, Malformed> {
    let (cluster_pubkey, wallet, owner_pubkey, count, ids, amount, withdrawal) =
        data::<ValidatorDepositDataGeneration>(log)?;
    let wallet = owner("owner", &wallet)?;
    let owner_pubkey: [u8; 65] = fixed("ownerPubkey", &owner_pubkey)?;
    if owner_pubkey[0] != 4 || Address::from_public_key(&owner_pubkey) != wallet {
        return Err(Malformed::OwnerKey);
    }
    let validator_count = number("validatorCount", &count, 1, u64::from(MAX_VALIDATORS))?;
    if word_u128(&amount) != Some(u128::from(DEPOSIT_AMOUNT_GWEI) * 1_000_000_000) {
        return Err(Malformed::Amount);
    }
    Ok(Event::DepositDataRequested(DepositDataRequested {
        cluster_pubkey: identity_key("clusterNodePublicKey", &cluster_pubkey)?,
        owner: wallet,
        validator_count: u32::try_from(validator_count).unwrap_or(MAX_VALIDATORS),
        operator_ids: committee_ids(&ids)?,
        withdrawal_address: owner("withdrawAddress", &withdrawal)?,
    }))
}

fn exit_requested(log: &Log) -> Result<Event, Malformed> {
    let (cluster_pubkey, wallet, keys, epoch) = data::<ValidatorExitDataGeneration>(log)?;
    let found = keys.0.len();
    if found == 0 || found > MAX_EXIT_VALIDATORS {
        return Err(Malformed::CountRange { field: "validatorPubKeys", limit: MAX_EXIT_VALIDATORS, found });
    }
    let pubkeys = keys.0.iter().map(|key| pubkey("validatorPubKeys", key)).collect::<Result<Vec<_>, _>>()?;
    let mut seen = HashSet::with_capacity(found);
    if let Some(at) = pubkeys.iter().position(|key| !seen.insert(*key)) {
        return Err(Malformed::Duplicate { field: "validatorPubKeys", at });
    }
    Ok(Event::ExitRequested(ExitRequested {
        cluster_pubkey: identity_key("clusterNodePublicKey", &cluster_pubkey)?,
        owner: owner("owner", &wallet)?,
        pubkeys,
        epoch: number("activeEpoch", &epoch, 0, u64::MAX)?,
    }))
}

fn validator_registered(log: &Log) -> Result<Event, Malformed> {
    let (key, ids, shares, sealed, paid) = data::<ValidatorRegistration>(log)?;
    let operator_ids = committee_ids(&ids)?;
    let expected = operator_ids.len();
    for (field, found) in [("sharesPublicKeys", shares.0.len()), ("encryptedKeys", sealed.0.len())] {
        if found != expected {
            return Err(Malformed::Count { field, expected, found });
        }
    }
    let envelope = |bytes: &PackedSeqToken<'_>| {
        let wrong = Malformed::Length { field: "encryptedKeys", expected: ENVELOPE_BYTES, found: bytes.0.len() };
        Envelope::from_bytes(bytes.0).map_err(|_| wrong)
    };
    Ok(Event::ValidatorRegistered(Box::new(ValidatorRegistered {
        owner: owner("ownerAddress", &topic(log, 1))?,
        pubkey: pubkey("publicKey", &key)?,
        operator_ids,
        share_pubkeys: shares.0.iter().map(|share| pubkey("sharesPublicKeys", share)).collect::<Result<_, _>>()?,
        envelopes: sealed.0.iter().map(envelope).collect::<Result<_, _>>()?,
        paid_until_block: number("paidBlockNumber", &paid, 0, u64::MAX)?,
    })))
}

fn validator_removed(log: &Log) -> Result<Event, Malformed> {
    let (key,) = data::<ValidatorRemoval>(log)?;
    Ok(Event::ValidatorRemoved { owner: owner("ownerAddress", &topic(log, 1))?, pubkey: pubkey("publicKey", &key)? })
}

fn validator_paid(log: &Log) -> Result<Event, Malformed> {
    let (key, _fee, _amount, _start, end) = data::<OperatorTaskDetail>(log)?;
    Ok(Event::ValidatorPaid {
        pubkey: pubkey("publicKey", &key)?,
        until_block: number("endBlockNumber", &end, 0, u64::MAX)?,
    })
}

fn fee_recipient_changed(log: &Log) -> Result<Event, Malformed> {
    let (wallet, recipient) = data::<FeeRecipientAddressChanged>(log)?;
    // Fees sent to the zero address are burnt.
    Ok(Event::FeeRecipientChanged { owner: owner("owner", &wallet)?, recipient: owner("newAddress", &recipient)? })
}

fn validator_fee_recipient_changed(log: &Log) -> Result<Event, Malformed> {
    let (key, recipient) = data::<ValidatorFeeRecipientAddressChanged>(log)?;
    Ok(Event::ValidatorFeeRecipientChanged {
        owner: owner("owner", &topic(log, 1))?,
        pubkey: pubkey("publicKey", &key)?,
        recipient: address("newAddress", &recipient)?,
    })
}

/// The fields that are not indexed, borrowed from the log. What a declared length asks for beyond the log is refused before
/// anything is allocated.
fn data<E: SolEvent>(log: &Log) -> Result<E::DataToken<'_>, Malformed> {
    let event = E::SIGNATURE.split('(').next().unwrap_or(E::SIGNATURE);
    let expected = <E::TopicList as TopicList>::COUNT;
    if log.topics.len() != expected {
        return Err(Malformed::Topics { event, expected, found: log.topics.len() });
    }
    let config = AbiDecoderConfig::new().memory_limit(DECODER_BYTES);
    decode_sequence_with_config::<E::DataToken<'_>>(&log.data, config)
        .map_err(|error| Malformed::Encoding { event, reason: crate::encoding::shorten(&error.to_string(), 200) })
}

/// The caller has compared the number of topics with the event's.
fn topic(log: &Log, at: usize) -> WordToken {
    WordToken(log.topics.get(at).copied().unwrap_or_default().into())
}

fn topic_u32(field: &'static str, log: &Log, at: usize) -> Result<u32, Malformed> {
    small(field, &topic(log, at))
}

fn word_u128(word: &WordToken) -> Option<u128> {
    let (high, low) = word.0 .0.split_first_chunk::<16>()?;
    let low: &[u8; 16] = low.try_into().ok()?;
    (*high == [0; 16]).then(|| u128::from_be_bytes(*low))
}

fn number(field: &'static str, word: &WordToken, min: u64, max: u64) -> Result<u64, Malformed> {
    let value = word_u128(word).and_then(|value| u64::try_from(value).ok());
    value.filter(|value| (min..=max).contains(value)).ok_or(Malformed::Number { field, min, max })
}

fn small(field: &'static str, word: &WordToken) -> Result<u32, Malformed> {
    let max = u64::from(u32::MAX);
    u32::try_from(number(field, word, 0, max)?).map_err(|_| Malformed::Number { field, min: 0, max })
}

fn boolean(field: &'static str, word: &WordToken) -> Result<bool, Malformed> {
    match word_u128(word) {
        Some(0) => Ok(false),
        Some(1) => Ok(true),
        _ => Err(Malformed::Bool { field }),
    }
}

fn address(field: &'static str, word: &WordToken) -> Result<Address, Malformed> {
    let bytes = &word.0 .0;
    match bytes.split_first_chunk::<12>() {
        Some(([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], rest)) => {
            rest.try_into().map(Address).map_err(|_| Malformed::Address { field })
        }
        _ => Err(Malformed::Address { field }),
    }
}

/// An address that somebody has.
fn owner(field: &'static str, word: &WordToken) -> Result<Address, Malformed> {
    let address = address(field, word)?;
    if address.is_zero() {
        return Err(Malformed::Zero { field });
    }
    Ok(address)
}

fn fixed<const N: usize>(field: &'static str, bytes: &PackedSeqToken<'_>) -> Result<[u8; N], Malformed> {
    bytes.0.try_into().map_err(|_| Malformed::Length { field, expected: N, found: bytes.0.len() })
}

fn pubkey(field: &'static str, bytes: &PackedSeqToken<'_>) -> Result<PubkeyBytes, Malformed> {
    fixed(field, bytes).map(PubkeyBytes)
}

fn identity_key(field: &'static str, bytes: &PackedSeqToken<'_>) -> Result<identity::PublicKey, Malformed> {
    let bytes: [u8; 33] = fixed(field, bytes)?;
    identity::PublicKey::from_bytes(&bytes).map_err(|_| Malformed::Key { field })
}

fn committee_ids(ids: &DynSeqToken<WordToken>) -> Result<Vec<OperatorId>, Malformed> {
    // Size first: a list of a million ids is not worth a million checks.
    if ids.0.len() > committee::MAX_SIZE {
        return Err(committee::CommitteeError::WrongSize { n: ids.0.len() }.into());
    }
    let ids = ids.0.iter().map(|id| small("operatorIds", id).map(OperatorId)).collect::<Result<Vec<_>, _>>()?;
    committee::check_ids(&ids)?;
    Ok(ids)
}
