//! Execution nodes on bad days, and events that are none.

use crate::support::chain_world::{CONFIRMATIONS, EXIT_BUS, MODULE};
use crate::support::proxy::{Mood, Proxy};
use crate::support::world::Answer;
use crate::support::{on_both_databases, ChainWorld, Database, World};
use alloy_sol_types::SolEvent;
use cluster_service::chain::csm::abi::{DepositContract, ExitBus, Module};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use reqwest::Method;
use serde_json::json;

/// A world that sees the chain through two proxies.
async fn proxied(database: Database, first: Mood, second: Mood) -> (ChainWorld, Proxy, Proxy) {
    let slot = std::sync::Arc::new(std::sync::Mutex::new(None));
    let held = slot.clone();
    let chain = ChainWorld::start_with(database, move |config, anvil| {
        let url = anvil.url.clone();
        let (first, second) = tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current()
                .block_on(async { (Proxy::start(&url, first).await, Proxy::start(&url, second).await) })
        });
        config.chain.rpc_urls = vec![first.url.clone(), second.url.clone()];
        config.chain.timeout_ms = 2_000;
        *held.lock().unwrap() = Some((first, second));
    })
    .await;
    let (first, second) = slot.lock().unwrap().take().unwrap();
    (chain, first, second)
}

async fn register_and_see(chain: &ChainWorld) {
    let (_, certificate) = chain.make_validators(1).await;
    let registered = chain.register(&certificate, 0).await;
    chain.catch_up().await;
    let rows = chain.rows().await;
    let row = rows.as_array().unwrap().iter().find(|row| row["register_txid"] == registered.tx_hash);
    assert_eq!(row.unwrap()["status"], "Registered");
}

on_both_databases! {
    async fn the_next_node_is_asked_when_the_first_fails_in_whatever_way(database: Database) {
        let (chain, first, second) = proxied(database, Mood::Dead, Mood::Honest).await;
        for mood in [Mood::Dead, Mood::Busy, Mood::Garbage, Mood::OtherChain, Mood::HeadAhead(1_000_000)] {
            first.set(mood);
            chain.anvil.mine(1).await;
            let head = chain.anvil.head().await;
            chain.wait_until_read(head - CONFIRMATIONS).await;
        }
        first.set(Mood::Dead);
        register_and_see(&chain).await;
        assert!(second.calls() > 10);
        let metrics = chain.world.get("/metrics").await.text;
        assert!(metrics.contains("cluster_service_chain_node_errors_total{node=\"127.0.0.1:"), "{metrics}");
        chain.world.shutdown().await;
    }

    async fn while_no_node_answers_the_service_says_so_and_later_misses_nothing(database: Database) {
        let (chain, first, second) = proxied(database, Mood::Honest, Mood::Honest).await;
        let (_, certificate) = chain.make_validators(1).await;
        first.set(Mood::Dead);
        second.set(Mood::Busy);
        let registered = chain.register(&certificate, 0).await;
        chain.anvil.mine(CONFIRMATIONS + 20).await;
        let row = json!([{ "pubkey": certificate.transcript.validators[0].pubkey, "action": "register", "txid": registered.tx_hash }]);
        assert_eq!(chain.update(0, row).await.code(), 503);
        let token = chain.world.login(0).await;
        chain.world.get_as(&token, "/v1/csm/operators/0").await.problem(503);
        assert_eq!(chain.rows().await[0]["status"], "Ready");
        first.set(Mood::Honest);
        chain.catch_up().await;
        assert_eq!(chain.rows().await[0]["register_txid"], registered.tx_hash.as_str());
        chain.world.shutdown().await;
    }

    async fn ranges_that_are_refused_shrink_until_they_are_answered(database: Database) {
        let (chain, first, _second) = proxied(database, Mood::Ranges(100), Mood::Ranges(100)).await;
        let (_, certificate) = chain.make_validators(1).await;
        let registered = chain.register(&certificate, 0).await;
        chain.anvil.mine(1_000).await;
        // Read from the beginning, long after all of it happened: old blocks are asked for in ranges.
        // Another first block is another source: everything is read anew.
        let ChainWorld { mut world, anvil, network } = chain;
        let operators = world.operators.clone();
        world.clock.advance_ms(10 * 24 * 3600 * 1000);
        world.config.chain.start_block = 1;
        let calls = first.calls();
        let mut world = world.restart().await;
        world.operators = operators;
        let chain = ChainWorld { world, anvil, network };
        chain.catch_up().await;
        assert_eq!(chain.rows().await[0]["register_txid"], registered.tx_hash.as_str());
        let calls = first.calls() - calls;
        assert!(calls < 700, "1,000 blocks in ranges took {calls} calls");
        chain.world.shutdown().await;
    }

    async fn malformed_events_are_shown_and_stop_nothing(database: Database) {
        let chain = ChainWorld::start(database).await;
        let seed: u64 = rand::random();
        println!("seed {seed}");
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let topics = [
            Module::NodeOperatorAdded::SIGNATURE_HASH.0,
            Module::SigningKeyAdded::SIGNATURE_HASH.0,
            Module::ValidatorWithdrawn::SIGNATURE_HASH.0,
            Module::GeneralDelayedPenaltyReported::SIGNATURE_HASH.0,
        ];
        let mut emitted = 0;
        for round in 0..60usize {
            let mut words = vec![topics[round % topics.len()]];
            let extra = rng.next_u32() as usize % 4;
            words.extend((0..extra).map(|_| {
                let mut word = [0u8; 32];
                rng.fill_bytes(&mut word);
                word
            }));
            let mut data = vec![0u8; rng.next_u32() as usize % 200];
            rng.fill_bytes(&mut data);
            if round % 3 == 0 {
                // A length of 2^255.
                data.truncate(32);
                data.extend([0x80].iter().chain(&[0; 31]));
            }
            chain.anvil.emit(MODULE, &words, &data).await;
            emitted += 1;
        }
        // Keys that are none, in events that are well-formed.
        for key in [&[][..], &[1; 47], &[1; 49], &[1; 4096]] {
            chain.csm_key(0, key).await;
        }
        chain.anvil.emit(EXIT_BUS, &[ExitBus::ValidatorExitRequest::SIGNATURE_HASH.0], &[1; 31]).await;
        chain.anvil.emit(crate::support::chain_world::DEPOSIT_CONTRACT, &[DepositContract::DepositEvent::SIGNATURE_HASH.0], &[0xff; 160]).await;
        // The network's own contracts, broken, and repaired.
        let code = chain.anvil.rpc("eth_getCode", json!([chain.network.network, "latest"])).await;
        chain.anvil.make_echo(chain.network.network).await;
        for signature in ["ValidatorRegistration(address,bytes,uint32[],bytes[],bytes[],uint256)", "OperatorRegistration(uint32,string,address,bytes)"] {
            let topic = cluster_crypto::ethereum::keccak256(signature.as_bytes());
            chain.anvil.emit(chain.network.network, &[topic, [1; 32]], &[0xff; 96]).await;
            chain.anvil.emit(chain.network.network, &[topic], &[]).await;
        }
        chain.anvil.rpc("anvil_setCode", json!([chain.network.network, code])).await;
        chain.catch_up().await;
        // Good ones come after all of that.
        register_and_see(&chain).await;
        let mut shown = 0;
        let mut cursor = String::new();
        loop {
            let page = chain.world.get(&format!("/v1/chain/quarantine?limit=25&cursor={cursor}")).await.json();
            for item in page["items"].as_array().unwrap() {
                assert!(!item["reason"].as_str().unwrap().is_empty() && item["tx_hash"].as_str().unwrap().len() == 66);
                shown += 1;
            }
            match page["next_cursor"].as_str() {
                Some(next) => cursor = next.to_owned(),
                None => break,
            }
        }
        // Most of the random ones, all of the others: bytes may happen to be an event.
        assert!(shown > emitted / 2 + 10, "{shown} of {emitted}");
        let info = chain.world.get("/v1/chain").await.json();
        assert_eq!(info["quarantined"], shown);
        assert!(chain.world.get("/metrics").await.text.contains(&format!("cluster_service_chain_quarantined {shown}\n")));
        chain.world.get("/v1/chain/quarantine?cursor=x").await.problem(422);
        chain.world.shutdown().await;
    }

    async fn without_a_chain_everything_is_as_it_was_and_the_rest_says_why(database: Database) {
        let world = World::start(database).await;
        let info = world.get("/v1/chain").await.json();
        assert_eq!((&info["configured"], &info["contracts"], &info["chain_id"]), (&json!(false), &json!(null), &json!(560_048)));
        assert_eq!(info["lido"]["csm_module"], "0x79CEf36D84743222f37765204Bec41E92a93E59d");
        let token = world.login(0).await;
        for path in ["/v1/csm/operators", "/v1/csm/operators/0", "/v1/csm/operators/0/keys", "/v1/csm/plan?keys=1"] {
            let answer = world.get_as(&token, path).await;
            answer.problem(503);
            assert!(answer.json()["type"].as_str().unwrap().ends_with(":no-chain"), "{path}");
            world.get(path).await.problem(401);
        }
        let call = world.call(Method::POST, "/v1/csm/duplicates").bearer_auth(&token).json(&json!({ "pubkeys": [] }));
        Answer::of(call).await.problem(503);
        assert_eq!(world.legacy(0, Method::POST, "/server/operator/query_lido_csm", &json!({})).await.code(), 503);
        world.shutdown().await;
    }
}
