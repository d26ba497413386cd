//! What follows deposit data on a chain: Lido and its deposits, registration, exit. Each step is looked at by everybody whom it concerns before
//! the next one is made.

use std::future::Future;
use std::time::Duration;

use alloy_primitives::U256;
use cluster_core::certificate::Certificate;
use cluster_core::chain::{EventId, PubkeyBytes};
use cluster_core::committee::OperatorId;
use cluster_core::encoding::to_hex;
use cluster_core::exit::SignedExitRequest;
use cluster_node::service_client::now_ms;
use serde_json::{json, Value};
use tokio::time::Instant;

use crate::demo::{Demo, DemoError};
use crate::evm::{Chain, ChainOptions, Keys, Registration};
use crate::report::{ChainFigures, CsmFigures, Seen, TransactionFigures};

/// How long operators and service may take to see a transaction: blocks come every second.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(100);
/// Blocks that the owner pays for: a bit more than the least.
pub(crate) const BLOCKS: u64 = 220_000;
/// The epoch that the owner's exit names; for people.
const EPOCH: u64 = 0;
/// Deposits that Lido makes at once.
const DEPOSITS: usize = 64;
/// Keys that a new node operator begins with; the others are added.
const FIRST_KEYS: usize = 1;

/// Does and checks everything; `said` hears one line for each step.
pub async fn run(
    demo: &Demo,
    certificate: &Certificate,
    request: TransactionFigures,
    said: &mut (dyn FnMut(&str) + Send),
) -> Result<ChainFigures, DemoError> {
    let Some(chain) = demo.testnet.chain() else { return Err(DemoError::NoChain) };
    let registrations = Registration::of_certificate(certificate);
    let pubkeys: Vec<PubkeyBytes> = registrations.iter().map(|registration| registration.pubkey).collect();
    let committee: Vec<OperatorId> = certificate.transcript.committee.iter().map(|(id, _)| *id).collect();
    let wallet = &demo.testnet.world.owner;

    let csm = submit(demo, chain, certificate).await?;
    let submitted = service_sees(demo, &pubkeys, "submitted_to_csm").await?;
    said(&format!(
        "they are submitted to Lido's module, as keys of node operator {} ({} gate, bond in {})",
        csm.node_operator_id, csm.gate, csm.bond_token
    ));

    let mut deposited_by = Vec::new();
    for some in pubkeys.chunks(DEPOSITS) {
        let receipt = chain.deposit(u64::try_from(some.len()).unwrap_or(u64::MAX)).await?;
        deposited_by.push(TransactionFigures::new(&receipt, ether_of(some.len()), some.len()));
    }
    let deposited = service_sees(demo, &pubkeys, "deposited").await?;
    let evidence = deposits_of(demo, &pubkeys, &deposited_by).await?;
    said("Lido has deposited 32 ETH for each; the service has the evidence");

    let exact_only = chain.only_exact_payment(wallet, registrations.get(..1).unwrap_or_default(), BLOCKS).await?;
    let registered = chain.register(wallet, &registrations, BLOCKS).await?;
    let registered: Vec<_> =
        registered.iter().map(|one| TransactionFigures::new(&one.receipt, one.paid, one.pubkeys.len())).collect();
    let by_operators =
        operators_see(demo, &committee, "the registration", |id| registered_at(demo, id, &pubkeys)).await?;
    let by_service = service_sees(demo, &pubkeys, "registered").await?;
    said(&format!(
        "{} validators are registered, in {} transactions; operators and service have read it",
        pubkeys.len(),
        registered.len()
    ));

    let left = chain.exit(&demo.testnet.world, &pubkeys, EPOCH).await?;
    let ordered =
        operators_see(demo, &committee, "the order to exit", |id| ordered_at(demo, id, &left.event, &pubkeys)).await?;
    let exits = service_sees(demo, &pubkeys, "exit_requested").await?;
    said("the owner has ordered their exit; the operators have the order");
    Ok(ChainFigures {
        rpc_url: chain.url().to_owned(),
        contracts: chain.deployment.contracts(),
        request,
        exact_payment_only: exact_only,
        registered,
        csm,
        deposited: deposited_by,
        deposits: evidence,
        exit: TransactionFigures::new(&left.receipt, left.paid, pubkeys.len()),
        operators: Seen { registered: by_operators, exit_ordered: ordered },
        service: json!({ "registered": by_service, "submitted_to_csm": submitted, "deposited": deposited, "exit_requested": exits }),
    })
}

/// The service's evidence for each deposit, which must be one of these transactions.
async fn deposits_of(demo: &Demo, pubkeys: &[PubkeyBytes], by: &[TransactionFigures]) -> Result<Vec<Value>, DemoError> {
    let mut found = Vec::new();
    for pubkey in pubkeys {
        let pubkey = to_hex(&pubkey.0);
        let told = demo.owner.get(&format!("/v1/validators/{pubkey}")).await?;
        let evidence = &told["facts"]["deposited"]["evidence"];
        if by.iter().all(|one| evidence["tx_hash"] != one.transaction.as_str()) {
            let what = format!("the service names one of Lido's transactions as the deposit of {pubkey}: {evidence}");
            return Err(DemoError::NotSeen { what, seconds: 0 });
        }
        found.push(json!({ "pubkey": pubkey, "evidence": evidence }));
    }
    Ok(found)
}

/// Of so many deposits, in wei.
fn ether_of(deposits: usize) -> U256 {
    U256::from(32_000_000_000_000_000_000u128) * U256::from(deposits)
}

/// The first key with a new node operator, the others added to it.
async fn submit(demo: &Demo, chain: &Chain, certificate: &Certificate) -> Result<CsmFigures, DemoError> {
    let wallet = &demo.testnet.world.owner;
    let count = certificate.transcript.validators.len();
    let ChainOptions { gate, bond, .. } = demo.chain_options();
    let first = Keys::of_certificate(certificate, 0..FIRST_KEYS);
    let first = chain.add_node_operator(wallet, gate, bond, &first).await?;
    let id = first.node_operator_id;
    let mut transactions = vec![first];
    if count > FIRST_KEYS {
        let others = Keys::of_certificate(certificate, FIRST_KEYS..count);
        transactions.push(chain.add_keys(wallet, id, bond, &others).await?);
    }
    let path = format!("/v1/csm/operators/{id}");
    let is_complete = |view: &Value| view["keys"]["added"].as_u64() == u64::try_from(count).ok();
    let view = until("the service has the node operator with all its keys", || async {
        Ok(demo.owner.get(&path).await.ok().filter(&is_complete))
    })
    .await?;
    let keys = demo.owner.get(&format!("{path}/keys?limit=100")).await?;
    let query = json!({ "pag": { "offset": 0, "limit": 30 }, "filter": { "manager_address": wallet.address() }, "sort": { "operator_id": -1 } });
    let listed = until("existing apps are told of the node operator", || async {
        let answer = demo.owner.legacy(wallet, "/server/operator/query_lido_csm", &query).await?;
        Ok(answer["rows"].as_array().filter(|rows| !rows.is_empty()).cloned())
    })
    .await?;
    let figure = |one: &crate::evm::Submitted| {
        TransactionFigures::new(&one.receipt, one.bond, usize::try_from(one.keys).unwrap_or(usize::MAX))
    };
    Ok(CsmFigures {
        gate: gate.to_string(),
        bond_token: bond.to_string(),
        node_operator_id: id,
        transactions: transactions.iter().map(figure).collect(),
        bond: view["bond"].clone(),
        keys: keys["items"].clone(),
        listed: listed.iter().filter_map(|row| row["operator_id"].as_u64()).collect(),
    })
}

/// Waits until something is there.
pub async fn until<T, F>(what: &str, mut look: impl FnMut() -> F) -> Result<T, DemoError>
where
    F: Future<Output = Result<Option<T>, DemoError>>,
{
    let give_up = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        if Instant::now() >= give_up {
            return Err(DemoError::NotSeen { what: what.to_owned(), seconds: PATIENCE.as_secs() });
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Waits until all these operators say yes.
async fn operators_see(
    demo: &Demo,
    committee: &[OperatorId],
    what: &str,
    sees: impl Fn(OperatorId) -> Result<bool, DemoError>,
) -> Result<Vec<OperatorId>, DemoError> {
    for id in committee.iter().filter(|id| demo.testnet.operators().contains_key(id)) {
        until(&format!("operator {id} has {what}"), || async { sees(*id).map(|sees| sees.then_some(())) }).await?;
    }
    Ok(committee.to_vec())
}

/// Whether an operator performs duties for exactly these.
pub fn registered_at(demo: &Demo, id: OperatorId, pubkeys: &[PubkeyBytes]) -> Result<bool, DemoError> {
    let held = demo.testnet.operator(id)?.validators();
    let held = held.map_err(|error| DemoError::Store { operator: id, error })?;
    let mut active: Vec<PubkeyBytes> =
        held.iter().filter(|entry| entry.active).map(|entry| PubkeyBytes::from(&entry.pubkey)).collect();
    let mut wanted = pubkeys.to_vec();
    active.sort();
    wanted.sort();
    Ok(active == wanted)
}

fn ordered_at(demo: &Demo, id: OperatorId, event: &EventId, pubkeys: &[PubkeyBytes]) -> Result<bool, DemoError> {
    let orders = demo.testnet.operator(id)?.exits().orders(now_ms() / 1_000);
    let orders = orders.map_err(|error| DemoError::Store { operator: id, error })?;
    let is_it = |order: &SignedExitRequest| {
        order.origin.event() == Some(event)
            && order.request.pubkeys.len() == pubkeys.len()
            && order.request.pubkeys.iter().all(|pubkey| pubkeys.contains(&PubkeyBytes::from(pubkey)))
    };
    Ok(orders.iter().any(is_it))
}

/// Waits until the service says yes to a fact of each of these, with evidence. How many they are.
pub async fn service_sees(demo: &Demo, pubkeys: &[PubkeyBytes], fact: &str) -> Result<usize, DemoError> {
    for pubkey in pubkeys {
        let pubkey = to_hex(&pubkey.0);
        let path = format!("/v1/validators/{pubkey}");
        until(&format!("the service knows that {pubkey} is {fact}"), || async {
            let facts = &demo.owner.get(&path).await?["facts"][fact];
            Ok((facts["holds"] == "yes" && facts["evidence"]["tx_hash"].is_string()).then_some(()))
        })
        .await?;
    }
    Ok(pubkeys.len())
}
