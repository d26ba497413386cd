//! The demo on a chain of its own: real transactions on anvil, our contracts, a double of Lido's. `make setup` installs and
//! compiles what it needs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use alloy_primitives::U256;
use cluster_core::certificate::Certificate;
use cluster_core::chain::{decode, Contract, Event, PubkeyBytes};
use cluster_core::committee::OperatorId;
use cluster_core::encoding::to_hex;
use cluster_core::network::Network;
use cluster_node::network::Transport;
use cluster_testnet::ceremony;
use cluster_testnet::demo::{write_files, Demo, Options};
use cluster_testnet::evm::{operatorFeeCall, Bond, ChainOptions, Gate, Keys, Registration, GAS_CAP};
use cluster_testnet::path::{registered_at, service_sees, until};
use cluster_testnet::report::Report;
use cluster_testnet::timings::Timings;
use cluster_testnet::world::Wanted;
use serde_json::{json, Value};
use support::processes::binary;

/// On a chain whose first operator has the id 0.
fn options(operators: usize, validators: u32, seed: u64) -> Options {
    Options {
        transport: Transport::Tcp,
        chain: Some(ChainOptions { first_operator_id: 0, ..ChainOptions::default() }),
        ..Options::new(Network::Hoodi, operators, validators, seed)
    }
}

fn wei(text: &str) -> U256 {
    text.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_on_the_chain_becomes_registered_submitted_and_leaving_validators() {
    let dir = tempfile::tempdir().unwrap();
    let mut demo = Demo::start(options(4, 3, 21), dir.path()).await.unwrap();
    let mut finished = demo.run(&mut |_| {}).await.unwrap();
    let mut lines = Vec::new();
    demo.go_on(&mut finished, &mut |line| lines.push(line.to_owned())).await.unwrap();
    let out = tempfile::tempdir().unwrap();
    let registry = toml::to_string(&demo.testnet.world.registry_file(Vec::new())).unwrap();
    write_files(out.path(), &finished, &registry).unwrap().unwrap();
    // The files verify offline, by a registry that knows operator 0.
    let verified = Command::new(binary("cluster-node"))
        .arg("verify")
        .arg(out.path())
        .arg("--registry")
        .arg(out.path().join("registry.toml"))
        .output()
        .unwrap();
    let said = String::from_utf8([verified.stdout, verified.stderr].concat()).unwrap();
    assert!(verified.status.success() && said.contains("its keys are those of the registry"), "{said}");
    // What is asserted on is what the file says.
    let report = std::fs::read_to_string(out.path().join("report.json")).unwrap();
    let report: Report = serde_json::from_str(&report).unwrap();
    let chain = report.chain.unwrap();
    let all: Vec<OperatorId> = (0..4).map(OperatorId).collect();
    assert_eq!(demo.testnet.world.ids(), all, "operator 0 is one");

    // The request: the fee of three, to the wei, and a ceremony that is named after the event.
    assert_eq!(wei(&chain.request.paid_wei), U256::from(3_000_000_000_000_000u64));
    let event = *finished.request.origin.event().unwrap();
    assert_eq!(event.transaction_hash.to_string(), chain.request.transaction);
    assert_eq!(event.contract, chain.contracts.cluster_node);

    // Registration: one transaction of three validators; the price is per operator and block.
    assert!(chain.exact_payment_only);
    let registered = &chain.registered[..];
    assert_eq!((registered.len(), registered[0].validators), (1, 3));
    let running = demo.testnet.chain().unwrap();
    let fee = operatorFeeCall { withNetworkFee: true };
    let fee = running.rpc.read(chain.contracts.network, &fee).await.unwrap();
    assert_eq!(wei(&registered[0].paid_wei), fee * U256::from(4 * 3 * 220_000u64));
    assert!(registered[0].gas < GAS_CAP && registered[0].block > chain.request.block);

    // Lido: node operator 0, its first key through the gate and the others added, every one at the price of the curve.
    assert_eq!((chain.csm.node_operator_id, &chain.csm.listed[..]), (0, &[0][..]));
    let bonds: Vec<_> = chain.csm.transactions.iter().map(|one| (one.validators, wei(&one.paid_wei))).collect();
    let tenths = |count: u64| U256::from(count) * U256::from(100_000_000_000_000_000u64);
    assert_eq!(bonds, [(1, tenths(24)), (2, tenths(26))]);
    assert_eq!((&chain.csm.bond["excess_wei"], &chain.csm.bond["missing_wei"]), (&json!("0"), &json!("0")));
    assert_eq!((&*chain.csm.gate, &*chain.csm.bond_token), ("permissionless", "eth"));
    let states: Vec<_> =
        chain.csm.keys.as_array().unwrap().iter().map(|key| (&key["pubkey"], &key["states"])).collect();
    let (pubkeys, depositable) =
        (report.pubkeys.iter().map(|key| json!(key)).collect::<Vec<_>>(), json!(["DEPOSITABLE"]));
    assert_eq!(states, pubkeys.iter().map(|key| (key, &depositable)).collect::<Vec<_>>());

    // Lido's deposits: 32 ether for each, and the service names the log of each.
    let [by_lido] = &chain.deposited[..] else { panic!("one transaction: {:?}", chain.deposited) };
    assert_eq!((by_lido.validators, wei(&by_lido.paid_wei)), (3, tenths(960)));
    let deposit_contract = running.deployment.csm.deposit_contract.to_string();
    for (deposit, pubkey) in chain.deposits.iter().zip(&pubkeys) {
        let evidence = &deposit["evidence"];
        assert_eq!((&deposit["pubkey"], &evidence["contract"]), (pubkey, &json!(deposit_contract)));
        assert_eq!(evidence["tx_hash"], by_lido.transaction.as_str());
    }
    assert_eq!(chain.deposits.len(), 3);

    // The order to exit: paid exactly, with every operator, and known to the service.
    assert_eq!(wei(&chain.exit.paid_wei), U256::from(1_500_000_000_000_000u64));
    assert_eq!((&chain.operators.registered, &chain.operators.exit_ordered), (&all, &all));
    assert_eq!(chain.service, json!({ "registered": 3, "submitted_to_csm": 3, "deposited": 3, "exit_requested": 3 }));
    assert_eq!(lines.len(), 4, "{lines:?}");
    demo.shutdown().await;
}

/// Makes validators by a committee; the certificate.
async fn make(demo: &mut Demo, operators: &[u32], validators: u32) -> Certificate {
    let wanted = Wanted {
        operators: operators.iter().copied().map(OperatorId).collect(),
        validators,
        withdrawal_address: Network::Hoodi.lido_withdrawal_vault(),
    };
    let patience = Timings::for_ceremonies(operators.len(), validators, std::time::Duration::ZERO).patience();
    let finished = ceremony::run(&mut demo.testnet, &demo.owner, &wanted, None, patience, &mut |_| {}).await.unwrap();
    Certificate::from_json(&finished.files.expect("the ceremony is ready").certificate).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_validators_of_mixed_committees_take_as_few_transactions_as_gas_allows() {
    const BLOCKS: u64 = 216_001;
    let dir = tempfile::tempdir().unwrap();
    let mut demo = Demo::start(options(7, 34, 22), dir.path()).await.unwrap();
    let (mut registrations, mut certificates) = (Vec::new(), Vec::new());
    let mut committees: BTreeMap<PubkeyBytes, Vec<OperatorId>> = BTreeMap::new();
    for (operators, validators) in [([0, 1, 2, 3], 34), ([3, 4, 5, 6], 33), ([0, 2, 4, 6], 33)] {
        let certificate = make(&mut demo, &operators, validators).await;
        for registration in Registration::of_certificate(&certificate) {
            committees.insert(registration.pubkey, operators.iter().copied().map(OperatorId).collect());
            registrations.push(registration);
        }
        certificates.push(certificate);
    }
    let first_certificate = certificates.swap_remove(0);
    let first_pubkeys: Vec<PubkeyBytes> = registrations.iter().take(4).map(|one| one.pubkey).collect();
    assert_eq!((registrations.len(), committees.len()), (100, 100));

    let chain = demo.testnet.chain().unwrap().clone();
    let owner = &demo.testnet.world.owner;
    // Across the border between two committees: not a wei more or less.
    assert!(chain.only_exact_payment(owner, &registrations[32..36], BLOCKS).await.unwrap());
    let registered = chain.register(owner, &registrations, BLOCKS).await.unwrap();
    let gas: u64 = registered.iter().map(|one| one.receipt.gas_used).sum();
    assert!(registered.iter().all(|one| one.receipt.gas_used <= GAS_CAP));
    assert_eq!(registered.len() as u64, gas.div_ceil(GAS_CAP), "{gas} gas in all: no fewer transactions could hold it");
    let price = chain.rpc.read(chain.deployment.network, &operatorFeeCall { withNetworkFee: true }).await.unwrap();
    let paid: U256 = registered.iter().map(|one| one.paid).sum();
    assert_eq!(paid, price * U256::from(BLOCKS * 4 * 100));

    // What the contract says of each: its own committee, paid for until the very block.
    let mut told = BTreeSet::new();
    for one in &registered {
        for log in one.receipt.logs.iter().filter(|log| log.contract == chain.deployment.network) {
            if let Ok(Some(Event::ValidatorRegistered(event))) = decode(Contract::Network, log) {
                assert_eq!(event.operator_ids, committees[&event.pubkey]);
                assert_eq!(event.paid_until_block, one.receipt.block.number + BLOCKS);
                told.insert(event.pubkey);
            }
        }
    }
    assert_eq!(told.len(), 100);

    // Every operator has its own and no others.
    for id in demo.testnet.world.ids() {
        let own = committees.iter().filter(|(_, committee)| committee.contains(&id)).map(|(pubkey, _)| *pubkey);
        let own: Vec<PubkeyBytes> = own.collect();
        let what = format!("operator {id} performs the duties of its {} validators", own.len());
        until(&what, || async { registered_at(&demo, id, &own).map(|is| is.then_some(())) }).await.unwrap();
    }
    let pubkeys: Vec<PubkeyBytes> = committees.keys().copied().collect();
    assert_eq!(service_sees(&demo, &pubkeys, "registered").await.unwrap(), 100);
    // Existing apps see the same.
    let filter = json!({ "pubkey": "", "status": "", "generate_txid": "", "register_txid": "", "deposit_txid": "", "exit_txid": "" });
    let rows = demo.owner.legacy(owner, "/server/validator/query", &filter).await.unwrap();
    let committee_of = |row: &Value| -> BTreeSet<u64> {
        let operators = row["operators"].as_array().unwrap();
        operators.iter().map(|operator| operator["operator_id"].as_u64().unwrap()).collect()
    };
    let shown: BTreeMap<String, (BTreeSet<u64>, String)> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let text = |field: &str| row[field].as_str().unwrap().to_owned();
            (text("pubkey"), (committee_of(row), text("status")))
        })
        .collect();
    let expected = committees.iter().map(|(pubkey, committee)| {
        (to_hex(&pubkey.0), (committee.iter().map(|id| u64::from(id.0)).collect(), "Registered".to_owned()))
    });
    assert_eq!(shown, expected.collect());

    // Lido by a vetted gate, which wants a proof, and with a bond in wstETH: the curve of that gate, and its queue.
    let keys = |positions| Keys::of_certificate(&first_certificate, positions);
    let entered = chain.add_node_operator(owner, Gate::Idvtc, Bond::Wsteth, &keys(0..2)).await.unwrap();
    let added = chain.add_keys(owner, entered.node_operator_id, Bond::Steth, &keys(2..4)).await.unwrap();
    let tenths = |count: u64| U256::from(count) * U256::from(100_000_000_000_000_000u64);
    // 1.5 ETH for the first key, 0.5 for each other one; a share of the double is worth one ether, but for rounding.
    assert!(entered.bond.abs_diff(tenths(20)) <= U256::from(10) && added.bond.abs_diff(tenths(10)) <= U256::from(20));
    let view = format!("/v1/csm/operators/{}", entered.node_operator_id);
    let has_all = |view: &Value| view["keys"]["added"] == 4 && view["bond"]["missing_wei"] == "0";
    until("the service has the node operator of the vetted gate, fully bonded", || async {
        Ok(demo.owner.get(&view).await.ok().filter(&has_all))
    })
    .await
    .unwrap();
    chain.deposit(3).await.unwrap();
    assert_eq!(service_sees(&demo, &first_pubkeys[..3], "deposited").await.unwrap(), 3);
    let fourth = demo.owner.get(&format!("/v1/validators/{}", to_hex(&first_pubkeys[3].0))).await.unwrap();
    assert_eq!(fourth["facts"]["deposited"]["holds"], "no");
    demo.shutdown().await;
}

#[test]
fn without_an_evm_it_says_what_to_install() {
    let nothing = tempfile::tempdir().unwrap();
    let output = Command::new(binary("cluster-testnet"))
        .args(["demo", "--chain", "anvil", "--out"])
        .arg(nothing.path().join("out"))
        .env("CLUSTER_CONTRACTS", nothing.path())
        .output()
        .unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(!output.status.success() && said.contains("make setup") && said.contains("--chain none"), "{said}");
    assert!(!nothing.path().join("out").exists());
}
