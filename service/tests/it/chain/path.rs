//! The whole path of validators, by transactions.

use crate::support::chain_world::{DEPOSIT_CONTRACT, MODULE};
use crate::support::{on_both_databases, ChainWorld, Database};
use cluster_core::chain::EventId;
use cluster_core::request::Origin;
use cluster_crypto::ethereum::Address;
use reqwest::Method;
use serde_json::{json, Value};

on_both_databases! {
    async fn an_owner_goes_from_a_request_to_an_exit_by_transactions_alone(database: Database) {
        let chain = ChainWorld::start(database).await;
        let (asked, certificate) = chain.make_validators(2).await;
        let rows = chain.rows().await;
        assert_eq!(rows.as_array().unwrap().len(), 2);
        assert_eq!((&rows[0]["generate_txid"], &rows[0]["status"]), (&json!(asked.tx_hash), &json!("Ready")));
        // Existing apps poll by the transaction.
        let poll = json!({ "pubkey": "", "status": "", "generate_txid": asked.tx_hash, "register_txid": "", "deposit_txid": "", "exit_txid": "" });
        let polled = chain.world.legacy(0, Method::POST, "/server/validator/query", &poll).await.data();
        assert_eq!(polled, rows);
        let keys: Vec<String> = certificate.transcript.validators.iter().map(|row| row.pubkey.to_string()).collect();
        let bytes: Vec<[u8; 48]> = certificate.transcript.validators.iter().map(|row| row.pubkey.to_bytes()).collect();
        let update = |action: &str, txid: &str| chain.update(0, json!([{ "pubkey": keys[0], "action": action, "txid": txid }]));

        let registered = chain.register(&certificate, 0).await;
        let early = update("register", &registered.tx_hash).await;
        assert_eq!((&early.data()[0]["status"], &early.data()[0]["register_txid"]), (&json!("Ready"), &json!("")));
        assert!(early.json()["message"].as_str().unwrap().starts_with("pending"), "{}", early.text);
        chain.anvil.mine(2).await;
        // Confirmed: the answer waits for the service to have read it.
        let late = update("register", &registered.tx_hash).await;
        assert_eq!((&late.data()[0]["status"], &late.data()[0]["register_txid"]), (&json!("Registered"), &json!(registered.tx_hash)));
        assert_eq!(late.json()["message"], "ok");

        // Node operator 0 is a node operator.
        chain.csm_operator(0, chain.owner(0), chain.owner(0)).await;
        let submitted = chain.csm_key(0, &bytes[0]).await;
        chain.catch_up().await;
        let deposit = update("deposit", &submitted.tx_hash).await.data();
        assert_eq!((&deposit[0]["status"], &deposit[0]["deposit_txid"]), (&json!("Deposited"), &json!(submitted.tx_hash)));
        let exit = chain.exit(&bytes[..1]).await;
        chain.catch_up().await;
        assert_eq!(update("exit", "").await.data()[0]["status"], "Exited");
        let rows = chain.rows().await;
        let row = &rows[0];
        assert_eq!([&row["register_txid"], &row["deposit_txid"], &row["exit_txid"]].map(|txid| txid.as_str().unwrap()),
            [registered.tx_hash.as_str(), submitted.tx_hash.as_str(), exit.tx_hash.as_str()]);
        assert_eq!(rows[1]["status"], "Ready", "the other validator has facts of its own");

        let facts = chain.facts(&keys[0]).await;
        for (name, receipt) in [("registered", &registered), ("submitted_to_csm", &submitted), ("exit_requested", &exit)] {
            let evidence = &facts[name]["evidence"];
            assert_eq!(facts[name]["holds"], "yes", "{name}");
            assert_eq!((&evidence["tx_hash"], &evidence["block_number"]), (&json!(receipt.tx_hash), &json!(receipt.block_number)), "{name}");
        }
        assert_eq!((&facts["submitted_to_csm"]["node_operator_id"], &facts["submitted_to_csm"]["by_owner"]), (&json!(0), &json!(true)));
        assert_eq!((&facts["active"]["holds"], &facts["deposited"]["holds"]), (&json!("unknown"), &json!("no")));
        assert!(facts["subscribed_until_block"].as_u64().unwrap() > registered.block_number);
        chain.world.shutdown().await;
    }

    async fn facts_come_in_any_order_and_stand_for_themselves(database: Database) {
        let chain = ChainWorld::start(database).await;
        let (_, certificate) = chain.make_validators(1).await;
        let key = certificate.transcript.validators[0].pubkey;
        let text = key.to_string();
        // Deposited before anything else.
        let deposit = chain.deposit(&key.to_bytes(), Address([0x77; 20])).await;
        chain.catch_up().await;
        let row = chain.rows().await[0].clone();
        assert_eq!((&row["status"], &row["deposit_txid"], &row["register_txid"]), (&json!("Deposited"), &json!(deposit.tx_hash), &json!("")));
        let facts = chain.facts(&text).await;
        assert_eq!((&facts["deposited"]["holds"], &facts["registered"]["holds"]), (&json!("yes"), &json!("no")));
        // Registered, and taken away again.
        chain.register(&certificate, 0).await;
        chain.catch_up().await;
        assert_eq!(chain.rows().await[0]["status"], "Deposited");
        let committee: Vec<u32> = certificate.transcript.committee.iter().map(|(id, _)| id.0).collect();
        assert_eq!(chain.facts(&text).await["operator_ids"], json!(committee));
        chain.remove(&key.to_bytes()).await;
        chain.catch_up().await;
        let facts = chain.facts(&text).await;
        assert_eq!(facts["operator_ids"], json!(null));
        assert_eq!((&facts["registered"]["holds"], &facts["deposited"]["holds"]), (&json!("no"), &json!("yes")));
        // Lido asks for the exit; another module's request with the same key says nothing.
        chain.lido_exit_request(3, 0, &key.to_bytes()).await;
        chain.catch_up().await;
        assert_eq!(chain.facts(&text).await["lido_exit_requested"]["holds"], "no");
        chain.lido_exit_request(4, 0, &key.to_bytes()).await;
        chain.catch_up().await;
        assert_eq!(chain.facts(&text).await["lido_exit_requested"]["holds"], "yes");
        assert_eq!(chain.rows().await[0]["status"], "Deposited", "asked for is not ordered");
        chain.world.shutdown().await;
    }

    async fn a_deposit_under_other_credentials_is_a_warning_and_no_deposit(database: Database) {
        let chain = ChainWorld::start(database).await;
        let (_, certificate) = chain.make_validators(1).await;
        let key = certificate.transcript.validators[0].pubkey;
        chain.deposit(&key.to_bytes(), Address([0x66; 20])).await;
        chain.catch_up().await;
        assert_eq!(chain.rows().await[0]["status"], "Ready");
        let facts = chain.facts(&key.to_string()).await;
        assert_eq!((&facts["deposited"]["holds"], &facts["deposited_elsewhere"]["holds"]), (&json!("no"), &json!("yes")));
        assert_eq!(facts["deposited_elsewhere"]["evidence"]["contract"], DEPOSIT_CONTRACT.to_string());
        chain.world.shutdown().await;
    }

    async fn a_key_that_somebody_else_submitted_is_shown_and_moves_nothing(database: Database) {
        let chain = ChainWorld::start(database).await;
        let (_, certificate) = chain.make_validators(2).await;
        let keys: Vec<_> = certificate.transcript.validators.iter().map(|row| row.pubkey).collect();
        chain.csm_operator(7, Address([0x55; 20]), Address([0x55; 20])).await;
        let foreign = chain.csm_key(7, &keys[0].to_bytes()).await;
        chain.catch_up().await;
        assert_eq!(chain.rows().await[0]["status"], "Ready");
        let facts = chain.facts(&keys[0].to_string()).await;
        assert_eq!((&facts["submitted_to_csm"]["holds"], &facts["submitted_to_csm"]["by_owner"]), (&json!("yes"), &json!(false)));
        let token = chain.world.login(0).await;
        let question = json!({ "pubkeys": [keys[1].to_string(), keys[0].to_string(), keys[0].to_string()] });
        let ask = || async {
            let call = chain.world.call(Method::POST, "/v1/csm/duplicates").bearer_auth(&token).json(&question);
            crate::support::world::Answer::of(call).await.json()
        };
        let found = ask().await;
        assert_eq!(found["submitted"].as_array().unwrap().len(), 1, "{found}");
        let submission = &found["submitted"][0];
        assert_eq!((&submission["pubkey"], &submission["node_operator_id"]), (&json!(keys[0].to_string()), &json!(7)));
        assert_eq!((&submission["evidence"]["tx_hash"], &submission["evidence"]["contract"]), (&json!(foreign.tx_hash), &json!(MODULE.to_string())));
        // The owner becomes its reward address later: then it is the owner's.
        use cluster_service::chain::csm::abi::Module::NodeOperatorRewardAddressChanged;
        let changed = NodeOperatorRewardAddressChanged {
            nodeOperatorId: alloy_primitives::U256::from(7),
            oldAddress: crate::support::anvil::sol_address(Address([0x55; 20])),
            newAddress: crate::support::anvil::sol_address(chain.owner(0)),
        };
        chain.emit(MODULE, &changed).await;
        chain.catch_up().await;
        assert_eq!(chain.rows().await[0]["status"], "Deposited");
        chain.world.shutdown().await;
    }

    async fn the_set_up_page_binds_whom_the_chain_names(database: Database) {
        let chain = ChainWorld::start(database).await;
        let bind = |wallet: usize| {
            let path = format!("/server/initiator/bind/{}", chain.owner(wallet));
            let world = &chain.world;
            async move { world.legacy(wallet, Method::POST, &path, &json!({})).await }
        };
        assert_eq!(bind(1).await.code(), 409, "owner A registered this cluster node");
        assert_eq!(bind(0).await.data()["status"], "Completed");
        assert_eq!(bind(0).await.data()["owner"], chain.owner(0).to_string());
        chain.world.shutdown().await;
    }

    async fn operators_come_from_the_chain_with_what_gateways_heard(database: Database) {
        let chain = ChainWorld::start(database).await;
        let query = json!({ "pag": { "offset": 0, "limit": 10 }, "filter": {}, "sort": { "id": 1 } });
        let list = || async { chain.world.legacy(0, Method::POST, "/operator/query", &query).await.data() };
        let ids = |data: &Value| data["rows"].as_array().unwrap().iter().map(|row| row["id"].as_u64().unwrap()).collect::<Vec<_>>();
        let first = list().await;
        assert_eq!((&first["count"], ids(&first)), (&json!(5), vec![0, 1, 2, 3, 4]), "id 0 is an operator");
        let row = &first["rows"][0];
        assert_eq!((&row["status"], &row["validator_count"], &row["last_ping"]), (&json!("active"), &json!(0), &json!(0)));
        assert_eq!(row["pk"], chain.world.operators[&cluster_core::committee::OperatorId(0)].public_key().to_string());
        assert!(row["tx"].as_str().unwrap().len() == 66 && row["block"].as_u64().unwrap() > 0);

        let now_ms = chain.world.clock.now_ms();
        let report = |operators: Value| {
            let call = chain.world.gateway_call(0, Method::PUT, "/v1/gateway/operators", json!({ "operators": operators }).to_string());
            crate::support::world::Answer::of(call)
        };
        let heard = json!([{ "operator_id": 0, "version": "0.2.0", "last_seen_ms": now_ms },
            { "operator_id": 1, "version": "0.1.0", "last_seen_ms": now_ms - 20 * 60 * 1000 }]);
        assert_eq!(report(heard).await.status, 204);
        let (_, certificate) = chain.make_validators(1).await;
        chain.register(&certificate, 0).await;
        chain.catch_up().await;
        let rows = list().await["rows"].clone();
        assert_eq!((&rows[0]["last_version"], &rows[0]["last_ping"], &rows[0]["validator_count"]), (&json!("1000004000002"), &json!(now_ms / 1000), &json!(1)));
        assert_eq!((&rows[1]["status"], &rows[4]["status"], &rows[4]["validator_count"]), (&json!("inactive"), &json!("active"), &json!(0)));
        // An older report changes nothing, and a wrong one is refused with its field.
        let old = json!([{ "operator_id": 0, "version": "0.1.0", "last_seen_ms": now_ms - 1 }]);
        assert_eq!(report(old).await.status, 204);
        assert_eq!(list().await["rows"][0]["last_version"], "1000004000002");
        for (field, bad) in [
            ("operators[0].operator_id", json!([{ "operator_id": 99, "version": "0.1.0", "last_seen_ms": 1 }])),
            ("operators[0].version", json!([{ "operator_id": 0, "version": "", "last_seen_ms": 1 }])),
            ("operators[0].version", json!([{ "operator_id": 0, "version": "a b", "last_seen_ms": 1 }])),
            ("operators[0].last_seen_ms", json!([{ "operator_id": 0, "version": "0.1.0", "last_seen_ms": now_ms + 3_600_000 }])),
        ] {
            assert_eq!(report(bad).await.problem(422), field);
        }
        let shown = chain.world.get("/v1/operators/0").await.json();
        assert_eq!((&shown["version"], &shown["active"], &shown["validator_count"]), (&json!("0.2.0"), &json!(true), &json!(1)));
        assert_eq!(chain.world.get("/v1/operators").await.json()["items"].as_array().unwrap().len(), 5);
        chain.world.shutdown().await;
    }

    async fn a_certificate_of_an_event_waits_for_the_event_and_must_be_what_it_asks_for(database: Database) {
        let chain = ChainWorld::start(database).await;
        let asked = chain.ask(1).await;
        chain.catch_up().await;
        let good = chain.open_requests().await.pop().unwrap();
        let Origin::Event(event) = good.origin else { panic!("{good:?}") };
        assert_eq!(event.transaction_hash.to_string(), asked.tx_hash);
        // The same request with more validators.
        let mut more = good.clone();
        more.request.validator_count = 2;
        let refused = chain.world.publish(0, &chain.world.certificate(&more, 5)).await;
        assert!(refused.problem(422).starts_with("transcript.request"), "{}", refused.text);
        assert_eq!(chain.world.publish(0, &chain.world.certificate(&good, 5)).await.status, 201);
        // Of an event that never was nothing is stored, and nobody is told that it never will be.
        let by = |event: EventId| {
            let mut request = good.clone();
            (request.request.nonce, request.origin) = (event.nonce(), Origin::Event(event));
            chain.world.certificate(&request, 6)
        };
        let never = by(EventId { log_index: event.log_index + 1, ..event });
        assert_eq!(chain.world.publish(0, &never).await.problem(503), "transcript.request.event");
        // Operators that read the chain sooner than this service are done before it has read the event: their work is taken later.
        let second = chain.ask(1).await;
        let early = by(EventId { transaction_hash: serde_json::from_value(json!(second.tx_hash)).unwrap(), ..event });
        assert_eq!(chain.world.publish(0, &early).await.problem(503), "transcript.request.event");
        chain.catch_up().await;
        assert_eq!(chain.world.publish(0, &early).await.status, 201);
        assert_eq!(chain.world.publish(0, &never).await.status, 503);
        chain.world.shutdown().await;
    }

    async fn the_chain_is_read_again_from_where_it_was_left(database: Database) {
        let chain = ChainWorld::start(database).await;
        let (_, certificate) = chain.make_validators(1).await;
        let ChainWorld { world, anvil, network } = chain;
        let operators = world.operators.clone();
        let mut world = world.restart().await;
        world.operators = operators;
        let chain = ChainWorld { world, anvil, network };
        assert_eq!(chain.rows().await.as_array().unwrap().len(), 1);
        chain.register(&certificate, 0).await;
        chain.catch_up().await;
        assert_eq!(chain.rows().await[0]["status"], "Registered");
        assert_eq!(chain.world.get("/v1/operators").await.json()["items"].as_array().unwrap().len(), 5);
        chain.world.shutdown().await;
    }
}
