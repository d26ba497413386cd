//! The checks, each with a name that the page translates and a sentence about what was found.

use cluster_core::certificate::{Certificate, Readiness};
use cluster_core::chain::{decode, BlockRef, Contract, Event, EventId, Hash32, Log};
use cluster_core::committee::OperatorId;
use cluster_core::deposit::DepositDataJson;
use cluster_core::network::Network;
use cluster_core::registry::{BootstrapEntry, GatewayEntry, OperatorEntry, Registry};
use cluster_core::request::{EventLookup, EventRequest, Origin};
use cluster_crypto::ethereum::Address;
use cluster_crypto::identity;
use rand_core::CryptoRngCore;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// What the deposit data are called in messages.
const DEPOSIT_FILE: &str = "deposit_data";

/// What the owner expects, from sources other than the certificate.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// The chain that the wallet is on.
    pub chain_id: u64,
    /// The wallet.
    pub owner: Address,
    /// The ceremony that was asked for: 0x hex.
    pub ceremony_id: String,
    /// Where withdrawals must go: the vault as read from the chain or as known, or the owner's own choice.
    pub withdrawal_address: Address,
    /// Validators asked for.
    pub validator_count: u32,
    /// The committee that was chosen with its registered keys.
    pub operators: Vec<ExpectedOperator>,
    /// Keys that were deposited or submitted before; none of them may come again. 0x hex.
    #[serde(default)]
    pub known_pubkeys: Vec<String>,
    /// For a request by an event of the chain: what the wallet's chain has there.
    #[serde(default)]
    pub event: Option<ExpectedEvent>,
}

/// A log of the ClusterNode contract, as an execution node gave it out.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedEvent {
    /// Where the network has the contract.
    pub contract: Address,
    /// The transaction that the log is of.
    pub transaction_hash: Hash32,
    /// Position among the contract's logs in the transaction.
    pub log_index: u32,
    /// Up to four words, 0x hex.
    pub topics: Vec<Hash32>,
    /// 0x hex.
    pub data: String,
}

impl ExpectedEvent {
    /// What it asks for. The time of the block is not needed: deadlines of past requests are not compared.
    fn request(&self, event: &EventId) -> EventLookup {
        if (self.contract, self.transaction_hash, self.log_index)
            != (event.contract, event.transaction_hash, event.log_index)
        {
            return EventLookup::Unknown;
        }
        let Ok(data) = hex::decode(self.data.trim_start_matches("0x")) else { return EventLookup::Unknown };
        let block = BlockRef { number: 0, hash: Hash32([0; 32]) };
        let topics = self.topics.iter().map(|topic| topic.0).collect();
        let (contract, transaction_hash) = (self.contract, self.transaction_hash);
        let log = Log { block, transaction_hash, block_log_index: 0, contract, topics, data };
        match decode(Contract::ClusterNode, &log) {
            Ok(Some(Event::DepositDataRequested(requested))) => {
                EventLookup::Found(Box::new(EventRequest { request: requested.request(event, 0), block_number: 0 }))
            }
            _ => EventLookup::Unknown,
        }
    }
}

/// An operator as the registry has it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedOperator {
    /// Id in the registry.
    pub operator_id: u32,
    /// 33 bytes, 0x hex.
    pub public_key: identity::PublicKey,
}

/// What is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// Chain id and fork version are those of the wallet's network.
    Network,
    /// The certificate belongs to this owner and ceremony.
    Request,
    /// Committee, number of validators.
    Committee,
    /// Withdrawals go where the owner wants.
    WithdrawalAddress,
    /// The owner's and the operators' signatures, share keys, deposit roots and signatures of all validators.
    Certificate,
    /// Every operator has signed that it holds its shares.
    Receipts,
    /// No key twice, none known from before.
    Duplicates,
    /// The deposit data are exactly those of the certificate.
    DepositData,
    /// BLS signature, roots and credentials of each entry, recomputed.
    Deposits,
    /// A reshare: the keys, the owner and the deposits are those of the ceremony before.
    Takeover,
}

/// What came of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// Which.
    pub check: Check,
    /// Whether all is as it must be.
    pub passed: bool,
    /// What was found, in one sentence.
    pub detail: String,
}

impl Outcome {
    pub(crate) fn of(check: Check, result: Result<String, String>) -> Self {
        match result {
            Ok(detail) => Self { check, passed: true, detail },
            Err(detail) => Self { check, passed: false, detail },
        }
    }
}

/// Certificate and deposit data beside what was expected.
#[derive(Debug)]
pub struct Verifier {
    certificate: Certificate,
    deposits: Vec<DepositDataJson>,
    expected: Expected,
}

impl Verifier {
    /// Reads the three texts. An error names what cannot be read.
    pub fn new(certificate: &str, deposit_data: &str, expected: &str) -> Result<Self, String> {
        let expected = serde_json::from_str(expected).map_err(|error| format!("expected values: {error}"))?;
        let parsed = parse(certificate)?;
        let deposits: Vec<DepositDataJson> =
            serde_json::from_str(deposit_data).map_err(|error| format!("deposit data: {error}"))?;
        Ok(Self { certificate: parsed, deposits, expected })
    }

    /// A certificate beside the deposit data that it proves.
    pub(crate) fn of(certificate: Certificate, expected: Expected) -> Self {
        let deposits = certificate.deposit_data();
        Self { certificate, deposits, expected }
    }

    /// What is verified.
    pub(crate) fn held(&self) -> &Certificate {
        &self.certificate
    }

    /// Entries of the deposit data.
    pub fn deposit_count(&self) -> usize {
        self.deposits.len()
    }

    /// Keys of the deposit data, in order, 0x hex.
    pub fn pubkeys(&self) -> Vec<String> {
        self.deposits.iter().map(|entry| format!("0x{}", entry.pubkey)).collect()
    }

    /// Whether the certificate answers what this owner asked for.
    pub fn request(&self) -> Vec<Outcome> {
        vec![
            Outcome::of(Check::Network, self.check_network()),
            Outcome::of(Check::Request, self.check_request()),
            Outcome::of(Check::Committee, self.check_committee()),
            Outcome::of(Check::WithdrawalAddress, self.check_withdrawal_address()),
            Outcome::of(Check::Duplicates, self.check_duplicates()),
        ]
    }

    /// Whether the certificate holds, with the registered keys, and whether the deposit data are its own.
    pub fn certificate(&self, rng: &mut impl CryptoRngCore) -> Vec<Outcome> {
        let registry = Keys {
            operators: self.expected.operators.iter().map(entry).collect(),
            event: self.expected.event.as_ref(),
        };
        let verified = self.certificate.verify(Some(&registry), rng);
        let holds = verified.map_err(|error| error.to_string()).map(|verified| {
            let signed = self.certificate.attestations.len();
            let of = verified.committee.threshold().n();
            format!("{signed} of {of} operators signed it; request, shares, deposit roots and signatures hold.")
        });
        vec![
            Outcome::of(Check::Certificate, holds),
            Outcome::of(Check::Receipts, self.check_receipts()),
            Outcome::of(Check::DepositData, self.check_deposit_data()),
        ]
    }

    /// Recomputes entries from `first` on; the first that is wrong, or one that says that all are right.
    pub fn deposits(&self, first: usize, count: usize) -> Outcome {
        let network = match self.network() {
            Ok(network) => network,
            Err(detail) => return Outcome::of(Check::Deposits, Err(detail)),
        };
        let wrong = self.deposits.iter().enumerate().skip(first).take(count).find_map(|(position, deposit)| {
            let error = deposit.verify(network, self.expected.withdrawal_address).err()?;
            Some(format!("{DEPOSIT_FILE}[{position}].{error}"))
        });
        Outcome::of(Check::Deposits, wrong.map_or(Ok("Roots and BLS signatures hold.".to_owned()), Err))
    }

    fn network(&self) -> Result<Network, String> {
        let chain_id = self.expected.chain_id;
        Network::from_chain_id(chain_id).ok_or_else(|| format!("Chain {chain_id} is not a network for validators."))
    }

    pub(crate) fn check_network(&self) -> Result<String, String> {
        let network = self.network()?;
        let found = self.certificate.transcript.request.request.chain_id;
        if found != network.chain_id() {
            return Err(format!("The certificate is for chain {found}, not for {network}."));
        }
        Ok(format!("{network}, genesis fork version 0x{}.", hex::encode(network.genesis_fork_version())))
    }

    /// It makes new keys for this owner.
    fn check_request(&self) -> Result<String, String> {
        let whose = self.check_identity()?;
        match &self.certificate.transcript.request.request.reshare {
            None => Ok(whose),
            Some(reshare) => Err(format!(
                "It moves the validators of ceremony {} to other operators; they must not be deposited again.",
                reshare.previous
            )),
        }
    }

    /// It is of this owner and this ceremony.
    pub(crate) fn check_identity(&self) -> Result<String, String> {
        let (owner, found) = (self.expected.owner, self.certificate.transcript.request.request.owner);
        if found != owner {
            return Err(format!("It belongs to {found}, not to you."));
        }
        let (wanted, ceremony_id) = (&self.expected.ceremony_id, self.certificate.ceremony_id.to_string());
        if !wanted.eq_ignore_ascii_case(&ceremony_id) {
            return Err(format!("It is the certificate of ceremony {ceremony_id}."));
        }
        match &self.certificate.transcript.request.origin {
            Origin::Signature(_) => Ok(format!("Signed by {owner}.")),
            Origin::Event(event) => Ok(format!("Sent by {owner} in transaction {}.", event.transaction_hash)),
        }
    }

    pub(crate) fn check_committee(&self) -> Result<String, String> {
        let request = &self.certificate.transcript.request.request;
        let wanted: Vec<OperatorId> =
            self.expected.operators.iter().map(|member| OperatorId(member.operator_id)).collect();
        if request.operator_ids != wanted {
            return Err("It names other operators than those you chose.".to_owned());
        }
        let (count, found) = (self.expected.validator_count, self.certificate.transcript.validators.len());
        if found != count as usize || self.deposits.len() != found {
            return Err(format!(
                "You asked for {count} validators; it has {found}, the deposit data {}.",
                self.deposits.len()
            ));
        }
        let names: Vec<String> = wanted.iter().map(ToString::to_string).collect();
        Ok(format!("Operators {}, {count} validators.", names.join(", ")))
    }

    pub(crate) fn check_withdrawal_address(&self) -> Result<String, String> {
        let wanted = self.expected.withdrawal_address;
        let found = self.certificate.transcript.request.request.withdrawal_address;
        if found != wanted {
            return Err(format!("Withdrawals would go to {found}."));
        }
        let vault = self.network()?.lido_withdrawal_vault();
        let which = if wanted == vault { ", Lido's withdrawal vault" } else { "" };
        Ok(format!("{wanted}{which}."))
    }

    /// Field by field, because a single wrong digit must be named.
    fn check_deposit_data(&self) -> Result<String, String> {
        let proved = self.certificate.deposit_data();
        for (position, (entry, expected)) in self.deposits.iter().zip(&proved).enumerate() {
            if let Some(field) = first_difference(entry, expected) {
                return Err(format!("{DEPOSIT_FILE}[{position}].{field} differs from what the operators signed."));
            }
        }
        if self.deposits.len() != proved.len() {
            return Err(format!("{} entries for {} validators.", self.deposits.len(), proved.len()));
        }
        Ok(format!("{} entries, each as the operators signed it.", proved.len()))
    }

    fn check_receipts(&self) -> Result<String, String> {
        match self.certificate.readiness() {
            Readiness::Ready => Ok("Every operator signed that it holds its shares.".to_owned()),
            Readiness::Incomplete { missing } => {
                let names: Vec<String> = missing.iter().map(ToString::to_string).collect();
                Err(format!("Operator {} has not confirmed its shares.", names.join(", ")))
            }
        }
    }

    fn check_duplicates(&self) -> Result<String, String> {
        let known: HashSet<String> = self.expected.known_pubkeys.iter().map(|key| key.to_lowercase()).collect();
        let mut seen = HashSet::new();
        for key in self.pubkeys() {
            if known.contains(&key.to_lowercase()) {
                return Err(format!("{key} was submitted before."));
            }
            if !seen.insert(key.to_lowercase()) {
                return Err(format!("{key} is there twice."));
            }
        }
        Ok("No key is there twice, and none was submitted before.".to_owned())
    }
}

/// Reads `certificate.json`.
pub(crate) fn parse(certificate: &str) -> Result<Certificate, String> {
    Certificate::from_json(certificate).map_err(|error| format!("certificate: {error}"))
}

/// The name of the first field that is not equal.
pub(crate) fn first_difference(found: &DepositDataJson, expected: &DepositDataJson) -> Option<&'static str> {
    let fields = [
        ("pubkey", &found.pubkey, &expected.pubkey),
        ("withdrawal_credentials", &found.withdrawal_credentials, &expected.withdrawal_credentials),
        ("signature", &found.signature, &expected.signature),
        ("deposit_message_root", &found.deposit_message_root, &expected.deposit_message_root),
        ("deposit_data_root", &found.deposit_data_root, &expected.deposit_data_root),
        ("fork_version", &found.fork_version, &expected.fork_version),
        ("network_name", &found.network_name, &expected.network_name),
        ("deposit_cli_version", &found.deposit_cli_version, &expected.deposit_cli_version),
    ];
    let text = fields.into_iter().find(|(_, found, expected)| found != expected).map(|(name, _, _)| name);
    text.or_else(|| (found.amount != expected.amount).then_some("amount"))
}

fn entry(member: &ExpectedOperator) -> OperatorEntry {
    OperatorEntry {
        id: OperatorId(member.operator_id),
        name: String::new(),
        public_key: member.public_key,
        owner: None,
        verified: false,
        from_dao: false,
        fee_gwei: None,
        addresses: Vec::new(),
    }
}

/// The registered keys of one committee, and the one event that was looked up.
struct Keys<'a> {
    operators: Vec<OperatorEntry>,
    event: Option<&'a ExpectedEvent>,
}

impl Registry for Keys<'_> {
    fn operator(&self, id: OperatorId) -> Option<OperatorEntry> {
        self.operators.iter().find(|entry| entry.id == id).cloned()
    }

    fn operators(&self) -> Vec<OperatorEntry> {
        self.operators.clone()
    }

    fn event_request(&self, event: &EventId) -> EventLookup {
        self.event.map_or(EventLookup::NoChain, |found| found.request(event))
    }

    fn gateways(&self) -> Vec<GatewayEntry> {
        Vec::new()
    }

    fn bootstraps(&self) -> Vec<BootstrapEntry> {
        Vec::new()
    }
}
