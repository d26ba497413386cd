//! What is known of a validator from the chain: independent facts, each with its evidence, and the linear status of the
//! existing API, which is derived from them.
//!
//! Nothing here orders the facts. A key may be submitted to CSM before it is registered, deposited by somebody else, or
//! active while its registration was removed; each is shown as it is.

use crate::store::{BeaconRow, FactRow, StoreError, StoreResult};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Kinds of facts; the texts stand in the database.
pub mod kind {
    /// Exits were asked for; one row per validator, actor: the owner.
    pub const EXIT_REQUESTED: &str = "exit_requested";
    /// A validator was registered in the network; subject: its key, actor: its owner.
    pub const VALIDATOR_REGISTERED: &str = "validator_registered";
    /// A validator was removed from the network; subject: its key, actor: its owner.
    pub const VALIDATOR_REMOVED: &str = "validator_removed";
    /// A subscription was paid; subject: the validator's key.
    pub const SUBSCRIPTION: &str = "subscription";
    /// A node operator of CSM came to be; subject: its id, actor: its manager.
    pub const CSM_OPERATOR_ADDED: &str = "csm_operator_added";
    /// Its manager changed; subject: its id, actor: the new manager.
    pub const CSM_MANAGER_CHANGED: &str = "csm_manager_changed";
    /// Its reward address was set or changed; subject: its id, actor: the new address.
    pub const CSM_REWARD_CHANGED: &str = "csm_reward_changed";
    /// A key was submitted to CSM; subject: the key.
    pub const CSM_KEY_ADDED: &str = "csm_key_added";
    /// A key was taken out of CSM; subject: the key.
    pub const CSM_KEY_REMOVED: &str = "csm_key_removed";
    /// CSM knows that a validator has withdrawn; subject: the key.
    pub const CSM_WITHDRAWN: &str = "csm_withdrawn";
    /// CSM knows that a validator was slashed; subject: the key.
    pub const CSM_SLASHED: &str = "csm_slashed";
    /// A penalty of a node operator; subject: its id.
    pub const CSM_PENALTY: &str = "csm_penalty";
    /// A penalty for strikes; subject: the key.
    pub const STRIKES_PENALTY: &str = "strikes_penalty";
    /// An exit came too late; subject: the key.
    pub const EXIT_DELAYED: &str = "exit_delayed";
    /// An exit was forced from the execution layer; subject: the key.
    pub const EXIT_TRIGGERED: &str = "exit_triggered";
    /// Lido asks for an exit; subject: the key.
    pub const LIDO_EXIT_REQUESTED: &str = "lido_exit_requested";
    /// A deposit of 1 ETH or more; subject: the key.
    pub const DEPOSITED: &str = "deposited";

    /// Facts about one validator.
    pub const OF_VALIDATORS: [&str; 13] = [
        EXIT_REQUESTED,
        VALIDATOR_REGISTERED,
        VALIDATOR_REMOVED,
        SUBSCRIPTION,
        CSM_KEY_ADDED,
        CSM_KEY_REMOVED,
        CSM_WITHDRAWN,
        CSM_SLASHED,
        STRIKES_PENALTY,
        EXIT_DELAYED,
        EXIT_TRIGGERED,
        LIDO_EXIT_REQUESTED,
        DEPOSITED,
    ];
}

/// Whether something is so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Truth {
    /// Evidence says so.
    Yes,
    /// Evidence says it is not, or no evidence exists where it would be found.
    No,
    /// Whoever would know is not asked: see the configuration of the service.
    Unknown,
}

/// The log that tells a fact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Evidence {
    /// 32 bytes, 0x hex.
    pub tx_hash: String,
    /// Position of the log in its block.
    pub log_index: i64,
    /// The contract, checksummed.
    pub contract: String,
    /// Height of the block.
    pub block_number: i64,
    /// 32 bytes, 0x hex.
    pub block_hash: String,
}

impl From<&FactRow> for Evidence {
    fn from(row: &FactRow) -> Self {
        Self {
            tx_hash: row.tx_hash.clone(),
            log_index: row.log_index,
            contract: crate::hex::checksummed(&row.contract),
            block_number: row.block_number,
            block_hash: row.block_hash.clone(),
        }
    }
}

/// What a beacon node said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct BeaconEvidence {
    /// Number of the validator on the beacon chain.
    pub validator_index: i64,
    /// As the Beacon API names it, e.g. `active_ongoing`.
    pub status: String,
    /// Null until known.
    pub activation_epoch: Option<i64>,
    /// Null until known.
    pub exit_epoch: Option<i64>,
    /// Whether it was slashed.
    pub slashed: bool,
    /// Slot of the state that was read.
    pub slot: i64,
    /// When it was read, Unix milliseconds.
    pub seen_at_ms: i64,
}

impl From<&BeaconRow> for BeaconEvidence {
    fn from(row: &BeaconRow) -> Self {
        let known = |epoch: i64| (epoch >= 0).then_some(epoch);
        Self {
            validator_index: row.validator_index,
            status: row.status.clone(),
            activation_epoch: known(row.activation_epoch),
            exit_epoch: known(row.exit_epoch),
            slashed: row.slashed != 0,
            slot: row.slot,
            seen_at_ms: row.seen_at_ms,
        }
    }
}

/// A fact told by a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct LogFact {
    /// Whether it holds.
    pub holds: Truth,
    /// The log that decided it last; null when there is none.
    pub evidence: Option<Evidence>,
}

/// Whether and by whom a key was submitted to CSM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct CsmFact {
    /// Whether the key is in the module now.
    pub holds: Truth,
    /// Whose keys it is among.
    pub node_operator_id: Option<u64>,
    /// Whether the validator's owner is or was manager or reward address of that node operator. `false`: somebody else
    /// submitted the key; do not submit it again.
    pub by_owner: bool,
    /// The log that decided it last.
    pub evidence: Option<Evidence>,
}

/// A fact told by a beacon node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct BeaconFact {
    /// Whether it holds.
    pub holds: Truth,
    /// Null when no beacon node knows the validator, or none is asked.
    pub evidence: Option<BeaconEvidence>,
}

/// Everything that is known of one validator from the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ValidatorFacts {
    /// In the network's contract, by its owner.
    pub registered: LogFact,
    /// The committee by the contract, ascending; null unless registered. It differs from the one that made the key when the
    /// validator was moved.
    pub operator_ids: Option<Vec<u32>>,
    /// Block at which the subscription ends; null when none was paid.
    pub subscribed_until_block: Option<u64>,
    /// In CSM.
    pub submitted_to_csm: CsmFact,
    /// With the deposit contract under the validator's own withdrawal credentials, or known to a beacon node.
    pub deposited: LogFact,
    /// Somebody deposited for this key under other withdrawal credentials: the key is lost, do not use it.
    pub deposited_elsewhere: LogFact,
    /// Performing duties.
    pub active: BeaconFact,
    /// On its way out on the beacon chain.
    pub exiting: BeaconFact,
    /// Out.
    pub exited: BeaconFact,
    /// The owner ordered the exit by a transaction.
    pub exit_requested: LogFact,
    /// Lido asked for the exit.
    pub lido_exit_requested: LogFact,
    /// CSM reported the withdrawal.
    pub withdrawn: LogFact,
}

/// Data of [`kind::CSM_KEY_ADDED`] and its like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfNodeOperator {
    /// Id in the module, as a decimal text: 256 bits.
    pub node_operator_id: String,
}

/// Data of [`kind::VALIDATOR_REGISTERED`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// The committee; missing in rows of earlier versions.
    pub operator_ids: Option<Vec<u32>>,
}

/// Data of [`kind::SUBSCRIPTION`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// Last block that is paid.
    pub until_block: u64,
}

/// Data of [`kind::DEPOSITED`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deposit {
    /// Gwei, as a decimal text.
    pub amount_gwei: String,
    /// 32 bytes, 0x hex.
    pub withdrawal_credentials: String,
}

/// What the derivation needs to know beside the facts.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Owner of the validator: lower-case address.
    pub owner: &'a str,
    /// Node operators of CSM (ids, decimal) of which the owner is or was manager or reward address.
    pub own_node_operators: &'a [String],
    /// What a beacon node said last, if any.
    pub beacon: Option<&'a BeaconRow>,
    /// Whether a beacon node is asked at all.
    pub asks_beacon: bool,
    /// Those of the deposit data: hex, with or without 0x; `None` while there are none.
    pub withdrawal_credentials: Option<&'a str>,
}

impl ValidatorFacts {
    /// From the rows of one validator in the order of the chain.
    pub fn of(rows: &[FactRow], context: &Context<'_>) -> StoreResult<Self> {
        let by_owner = |row: &&FactRow| row.actor == context.owner;
        let registered = newest(rows, &[kind::VALIDATOR_REGISTERED, kind::VALIDATOR_REMOVED], by_owner);
        let subscription = newest(rows, &[kind::SUBSCRIPTION], |_| true);
        let subscription = subscription.map(data::<Subscription>).transpose()?;
        let registration = registered.filter(|row| row.kind == kind::VALIDATOR_REGISTERED);
        let registration = registration.map(data::<Registration>).transpose()?;
        let (deposit, elsewhere) = deposits(rows, context)?;
        let known = context.beacon.is_some();
        let is = |statuses: &[&str]| context.beacon.is_some_and(|row| statuses.contains(&row.status.as_str()));
        let beacon_fact = |holds: bool| BeaconFact {
            holds: if context.asks_beacon { truth(holds) } else { Truth::Unknown },
            evidence: context.beacon.map(Into::into),
        };
        Ok(Self {
            registered: log_fact(registered, kind::VALIDATOR_REGISTERED),
            operator_ids: registration.and_then(|registration| registration.operator_ids),
            subscribed_until_block: subscription.map(|subscription| subscription.until_block),
            submitted_to_csm: csm_fact(rows, context)?,
            deposited: LogFact { holds: truth(deposit.is_some() || known), evidence: deposit.map(Into::into) },
            deposited_elsewhere: LogFact { holds: truth(elsewhere.is_some()), evidence: elsewhere.map(Into::into) },
            active: beacon_fact(is(&["active_ongoing", "active_exiting", "active_slashed"])),
            exiting: beacon_fact(is(&["active_exiting", "active_slashed"])),
            exited: beacon_fact(is(&EXITED)),
            exit_requested: log_fact(newest(rows, &[kind::EXIT_REQUESTED], by_owner), kind::EXIT_REQUESTED),
            lido_exit_requested: log_fact(
                newest(rows, &[kind::LIDO_EXIT_REQUESTED], |_| true),
                kind::LIDO_EXIT_REQUESTED,
            ),
            withdrawn: log_fact(newest(rows, &[kind::CSM_WITHDRAWN], |_| true), kind::CSM_WITHDRAWN),
        })
    }

    /// The linear status of the existing API: the last of its stations that has evidence by the owner, whatever the
    /// earlier ones say. `Exited` means that the exit was ordered or has begun, as it always did.
    pub fn linear_status(&self) -> Option<&'static str> {
        let yes = |truth: Truth| truth == Truth::Yes;
        if yes(self.exit_requested.holds) || yes(self.exiting.holds) || yes(self.exited.holds) {
            return Some("Exited");
        }
        let submitted = yes(self.submitted_to_csm.holds) && self.submitted_to_csm.by_owner;
        if submitted || yes(self.deposited.holds) {
            return Some("Deposited");
        }
        yes(self.registered.holds).then_some("Registered")
    }

    /// Transactions for the three columns of the existing API; '' where there is none.
    pub fn txids(&self) -> [String; 3] {
        let of = |evidence: &Option<Evidence>, holds: bool| {
            evidence.as_ref().filter(|_| holds).map(|evidence| evidence.tx_hash.clone()).unwrap_or_default()
        };
        let submitted = &self.submitted_to_csm;
        let by_csm = of(&submitted.evidence, submitted.holds == Truth::Yes && submitted.by_owner);
        let by_deposit = of(&self.deposited.evidence, self.deposited.holds == Truth::Yes);
        [
            of(&self.registered.evidence, self.registered.holds == Truth::Yes),
            if by_csm.is_empty() { by_deposit } else { by_csm },
            of(&self.exit_requested.evidence, self.exit_requested.holds == Truth::Yes),
        ]
    }
}

/// Statuses of the Beacon API that mean "out".
const EXITED: [&str; 4] = ["exited_unslashed", "exited_slashed", "withdrawal_possible", "withdrawal_done"];

fn truth(holds: bool) -> Truth {
    if holds {
        Truth::Yes
    } else {
        Truth::No
    }
}

fn newest<'a>(rows: &'a [FactRow], kinds: &[&str], counts: impl Fn(&&FactRow) -> bool) -> Option<&'a FactRow> {
    rows.iter().filter(|row| kinds.contains(&row.kind.as_str())).rfind(counts)
}

fn log_fact(row: Option<&FactRow>, yes: &str) -> LogFact {
    LogFact { holds: truth(row.is_some_and(|row| row.kind == yes)), evidence: row.map(Into::into) }
}

/// The first deposit under the validator's own credentials, and the first under others.
fn deposits<'a>(rows: &'a [FactRow], context: &Context<'_>) -> StoreResult<(Option<&'a FactRow>, Option<&'a FactRow>)> {
    let own = context.withdrawal_credentials.map(|text| text.trim_start_matches("0x"));
    let (mut deposit, mut elsewhere) = (None, None);
    for row in rows.iter().filter(|row| row.kind == kind::DEPOSITED) {
        let credentials = data::<Deposit>(row)?.withdrawal_credentials;
        let ours = own.is_none_or(|own| credentials.trim_start_matches("0x") == own);
        let place = if ours { &mut deposit } else { &mut elsewhere };
        *place = place.or(Some(row));
    }
    Ok((deposit, elsewhere))
}

fn csm_fact(rows: &[FactRow], context: &Context<'_>) -> StoreResult<CsmFact> {
    let Some(row) = newest(rows, &[kind::CSM_KEY_ADDED, kind::CSM_KEY_REMOVED], |_| true) else {
        return Ok(CsmFact { holds: Truth::No, node_operator_id: None, by_owner: false, evidence: None });
    };
    let mut row = row;
    let mut of = data::<OfNodeOperator>(row)?;
    // Several node operators may have submitted one key: the owner's own submission is the one that counts for it.
    for other in rows.iter().filter(|other| other.kind == kind::CSM_KEY_ADDED) {
        let theirs = data::<OfNodeOperator>(other)?;
        let own = context.own_node_operators.contains(&theirs.node_operator_id);
        if own && !context.own_node_operators.contains(&of.node_operator_id) && !removed_since(rows, other, &theirs)? {
            (row, of) = (other, theirs);
        }
    }
    Ok(CsmFact {
        holds: truth(row.kind == kind::CSM_KEY_ADDED),
        by_owner: context.own_node_operators.contains(&of.node_operator_id),
        node_operator_id: of.node_operator_id.parse().ok(),
        evidence: Some(row.into()),
    })
}

fn removed_since(rows: &[FactRow], added: &FactRow, of: &OfNodeOperator) -> StoreResult<bool> {
    let position = |row: &FactRow| (row.block_number, row.log_index);
    for row in rows.iter().filter(|row| row.kind == kind::CSM_KEY_REMOVED && position(row) > position(added)) {
        if data::<OfNodeOperator>(row)? == *of {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Reads the data of a fact.
pub fn data<T: serde::de::DeserializeOwned>(row: &FactRow) -> StoreResult<T> {
    serde_json::from_str(&row.data).map_err(|_| StoreError::Corrupt { column: "data" })
}
