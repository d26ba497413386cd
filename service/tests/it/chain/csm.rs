//! Lido's Community Staking Module.

use crate::support::chain_world::MODULE;
use crate::support::csm::{self, Csm};
use crate::support::{on_both_databases, ChainWorld, Database};
use alloy_primitives::{Bytes, U256};
use cluster_service::chain::csm::abi::Module;
use reqwest::Method;
use serde_json::{json, Value};

on_both_databases! {
    async fn node_operators_come_from_the_modules_events(database: Database) {
        let chain = ChainWorld::start(database).await;
        let (a, b, c) = (chain.owner(0), chain.owner(1), chain.owner(2));
        for (id, manager, reward) in [(0, a, a), (1, b, b), (2, a, c), (10, a, a), (9, a, a)] {
            chain.csm_operator(id, manager, reward).await;
        }
        let changed = Module::NodeOperatorManagerAddressChanged {
            nodeOperatorId: U256::from(1),
            oldAddress: crate::support::anvil::sol_address(b),
            newAddress: crate::support::anvil::sol_address(a),
        };
        chain.emit(MODULE, &changed).await;
        chain.catch_up().await;
        let query = |body: Value| {
            let world = &chain.world;
            async move { world.legacy(0, Method::POST, "/server/operator/query_lido_csm", &body).await }
        };
        let ids = |data: &Value| data["rows"].as_array().unwrap().iter().map(|row| row["operator_id"].as_u64().unwrap()).collect::<Vec<_>>();
        // As existing apps ask.
        let app = json!({ "pag": { "offset": 0, "limit": 30 }, "filter": { "manager_address": a.to_string() }, "sort": { "operator_id": -1 } });
        let found = query(app).await.data();
        assert_eq!((&found["count"], ids(&found)), (&json!(5), vec![10, 9, 2, 1, 0]));
        assert_eq!(found["rows"][2], json!({ "manager_address": a.to_string(), "operator_id": 2, "reward_address": c.to_string() }));
        let cases = [
            ("ascending, second page", json!({ "pag": { "offset": 1, "limit": 2 }, "sort": { "operator_id": 1 } }), vec![1, 2]),
            ("the former manager", json!({ "filter": { "manager_address": b.to_string().to_lowercase() } }), vec![]),
            ("no filter is the caller", json!({}), vec![10, 9, 2, 1, 0]),
        ];
        for (description, body, expected) in cases {
            assert_eq!(ids(&query(body).await.data()), expected, "{description}");
        }
        for bad in [json!({ "pag": { "offset": 0, "limit": 101 } }), json!({ "sort": { "id": 1 } }), json!({ "filter": { "manager_address": "me" } })] {
            assert_eq!(query(bad).await.code(), 400);
        }
        // In /v1: manager or reward address.
        let token = chain.world.login(2).await;
        let own = chain.world.get_as(&token, "/v1/csm/operators").await.json();
        assert_eq!(own["items"], json!([{ "node_operator_id": 2, "manager_address": a.to_string(), "reward_address": c.to_string() }]));
        chain.world.shutdown().await;
    }

    async fn contracts_that_are_not_there_are_a_problem_in_words(database: Database) {
        let chain = ChainWorld::start(database).await;
        let token = chain.world.login(0).await;
        // The module of these tests only emits; accounting is nobody's address.
        for path in ["/v1/csm/operators/0", "/v1/csm/operators/0/keys", "/v1/csm/plan?keys=3"] {
            let answer = chain.world.get_as(&token, path).await;
            assert!(matches!(answer.status.as_u16(), 404 | 503), "{path}: {}", answer.text);
        }
        for (field, path) in [
            ("keys", "/v1/csm/plan?keys=0"),
            ("keys", "/v1/csm/plan?keys=1001"),
            ("per_transaction", "/v1/csm/plan?keys=1&per_transaction=101"),
            ("per_transaction", "/v1/csm/plan?keys=1000&per_transaction=9"),
            ("query", "/v1/csm/plan?keys=1&token=doge"),
            ("node_operator_id", "/v1/csm/operators/first"),
        ] {
            assert_eq!(chain.world.get_as(&token, path).await.problem(422), field, "{path}");
        }
        let ask = |keys: Value| {
            let call = chain.world.call(Method::POST, "/v1/csm/duplicates").bearer_auth(&token).json(&json!({ "pubkeys": keys }));
            crate::support::world::Answer::of(call)
        };
        assert_eq!(ask(json!([])).await.problem(422), "pubkeys");
        assert_eq!(ask(json!(["0x12"])).await.problem(422), "pubkeys[0]");
        assert_eq!(ask(json!([format!("0x{}", "aB".repeat(48))])).await.json()["submitted"], json!([]));
        chain.world.shutdown().await;
    }

    async fn a_node_operator_is_shown_as_its_contracts_tell(database: Database) {
        let (chain, csm) = with_double(database).await;
        let (a, b) = (chain.owner(0), chain.owner(1));
        let keys: Vec<[u8; 48]> = (1..=5).map(|at| [at; 48]).collect();
        csm.enter(&chain.anvil, a, &keys[..3], 24 + 13 * 2).await;
        csm.enter(&chain.anvil, b, &keys[3..], 24 + 13).await;
        let token = chain.world.login(0).await;
        let view = |id: u64| {
            let (world, token) = (&chain.world, token.clone());
            async move {
                // What is read is at most two seconds old.
                tokio::time::sleep(std::time::Duration::from_millis(2_100)).await;
                world.get_as(&token, &format!("/v1/csm/operators/{id}")).await.json()
            }
        };
        let first = view(0).await;
        assert_eq!((&first["node_operator_id"], &first["manager_address"]), (&json!(0), &json!(a.to_string())));
        assert_eq!(first["keys"], json!({ "added": 3, "vetted": 3, "deposited": 0, "depositable": 3, "enqueued": 3, "exited": 0, "withdrawn": 0 }));
        assert_eq!(first["bond"]["required_wei"], "5000000000000000000");
        let wei = |value: &Value| value.as_str().unwrap().parse::<u128>().unwrap();
        assert!(5_000_000_000_000_000_000u128.abs_diff(wei(&first["bond"]["current_wei"])) < 10, "shares round");
        assert_eq!(first["queue"], json!([{ "priority": 5, "keys_ahead": 0, "own_keys": 3, "complete": true }]));
        assert_eq!(view(1).await["queue"][0]["keys_ahead"], 3);
        chain.world.get_as(&token, "/v1/csm/operators/2").await.problem(404);

        let anvil = &chain.anvil;
        let id = U256::ZERO;
        csm.admin(anvil, csm.module, &csm::depositCall { count: U256::from(2) }).await;
        csm.admin(anvil, csm.module, &csm::decreaseVettedSigningKeysCountCall { nodeOperatorId: U256::from(1), vettedKeysCount: U256::ZERO }).await;
        csm.admin(anvil, csm.module, &csm::updateTargetValidatorsLimitsCall { nodeOperatorId: id, mode: U256::from(1), limit: U256::from(9) }).await;
        let half = U256::from(500_000_000_000_000_000u64);
        csm.admin(anvil, csm.module, &csm::reportGeneralDelayedPenaltyCall { nodeOperatorId: id, penaltyType: [1; 32].into(), amount: half, details: "x".into() }).await;
        let key = Bytes::copy_from_slice(&keys[1]);
        csm.admin(anvil, csm.watchers, &csm::requestExitCall { nodeOperatorId: id, validatorIndex: U256::from(5), pubkey: key.clone() }).await;
        csm.admin(anvil, csm.watchers, &csm::processExitDelayCall { nodeOperatorId: id, pubkey: key }).await;
        let all = U256::from(32_000_000_000_000_000_000u128);
        csm.admin(anvil, csm.module, &csm::reportWithdrawalCall { nodeOperatorId: id, keyIndex: id, exitBalance: all }).await;
        chain.catch_up().await;
        let later = view(0).await;
        assert_eq!((&later["keys"]["deposited"], &later["keys"]["withdrawn"]), (&json!(2), &json!(1)));
        assert!(wei(&later["bond"]["locked_wei"]) >= 500_000_000_000_000_000);
        assert_eq!(later["target_limit"], json!({ "mode": 1, "limit": 9 }));
        let states = |page: &Value| page["items"].as_array().unwrap().iter().map(|key| key["states"].clone()).collect::<Vec<_>>();
        let page = chain.world.get_as(&token, "/v1/csm/operators/0/keys?limit=2").await.json();
        assert_eq!(page["items"][0]["pubkey"], format!("0x{}", "01".repeat(48)));
        assert_eq!((&states(&page)[0], &states(&page)[1][1]), (&json!(["WITHDRAWN"]), &json!("EXIT_REQUESTED")));
        assert!(wei(&page["items"][1]["exit_delay_fee_wei"]) > 0 && page["items"][1]["strikes_penalty_wei"].is_null());
        assert!(page["items"][1]["exit_requested_at_s"].as_u64().unwrap() > 0);
        let next = page["next_cursor"].as_str().unwrap();
        let last = chain.world.get_as(&token, &format!("/v1/csm/operators/0/keys?limit=2&cursor={next}")).await.json();
        assert_eq!((last["items"].as_array().unwrap().len(), &last["next_cursor"]), (1, &json!(null)));
        let bad = chain.world.get_as(&token, "/v1/csm/operators/1/keys").await.json();
        assert_eq!(states(&bad).iter().map(|states| states[0].as_str().unwrap()).collect::<Vec<_>>(), ["INVALID", "UNCHECKED"]);
        chain.world.shutdown().await;
    }

    async fn batches_and_bonds_are_planned_from_the_contracts(database: Database) {
        let (chain, csm) = with_double(database).await;
        csm.enter(&chain.anvil, chain.owner(0), &[[1; 48]], 24 + 13).await;
        let token = chain.world.login(0).await;
        let plan = |query: &str| {
            let (world, token, path) = (&chain.world, token.clone(), format!("/v1/csm/plan?{query}"));
            async move { world.get_as(&token, &path).await }
        };
        let eth = |tenths: u64| (u128::from(tenths) * 100_000_000_000_000_000).to_string();
        let new = plan("keys=60").await.json();
        assert_eq!((&new["node_operator_id"], &new["curve_id"], &new["token"]), (&json!(null), &json!(0), &json!("eth")));
        assert_eq!(new["total_bond_wei"], eth(24 + 13 * 59));
        let batch = |at: usize| &new["batches"][at];
        assert_eq!((&batch(0)["kind"], &batch(0)["keys"], &batch(0)["bond_wei"]), (&json!("new"), &json!(30), &json!(eth(24 + 13 * 29))));
        assert_eq!((&batch(1)["kind"], &batch(1)["from"], &batch(1)["bond_wei"]), (&json!("existing"), &json!(30), &json!(eth(13 * 30))));
        assert!(batch(0)["gas_limit"].as_u64().unwrap() <= new["batches"][0]["gas_limit"].as_u64().unwrap().min(16_777_216));
        // Node operator 0 has bond for one key more than it has keys.
        let existing = plan("keys=4&per_transaction=2&node_operator_id=0").await.json();
        assert_eq!(existing["node_operator_id"], 0);
        let bonds: Vec<u128> = existing["batches"].as_array().unwrap().iter().map(|batch| batch["bond_wei"].as_str().unwrap().parse().unwrap()).collect();
        assert!(bonds[0].abs_diff(1_300_000_000_000_000_000) < 10 && bonds[1].abs_diff(2_600_000_000_000_000_000) < 10, "{bonds:?}");
        let idvtc = plan("keys=4&type=idvtc&token=steth").await.json();
        assert_eq!((&idvtc["curve_id"], &idvtc["total_bond_wei"]), (&json!(3), &json!(eth(15 + 5 * 3))));
        let wrapped = plan("keys=1&token=wsteth").await.json();
        assert_ne!(wrapped["total_bond_wei"], "0");
        plan("keys=1&node_operator_id=9").await.problem(404);
        let metrics = chain.world.get("/metrics").await.text;
        assert!(metrics.contains("cluster_service_chain_cache_hits_total"), "{metrics}");
        chain.world.shutdown().await;
    }
}

/// A world with the double of CSM.
async fn with_double(database: Database) -> (ChainWorld, Csm) {
    let mut csm = None;
    let chain = ChainWorld::start_with(database, |config, anvil| {
        let deployed = tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(Csm::deploy(anvil)));
        deployed.configure(&mut config.chain);
        csm = Some(deployed);
    })
    .await;
    (chain, csm.unwrap())
}
