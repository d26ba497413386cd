//! Owners that say what is not so.

use crate::support::{on_both_databases, ChainWorld, Database};
use cluster_crypto::ethereum::Address;
use serde_json::{json, Value};

on_both_databases! {
    async fn a_clients_word_about_transactions_is_only_a_hint(database: Database) {
        let chain = ChainWorld::start(database).await;
        let (asked, certificate) = chain.make_validators(3).await;
        let keys: Vec<String> = certificate.transcript.validators.iter().map(|row| row.pubkey.to_string()).collect();
        let bytes: Vec<[u8; 48]> = certificate.transcript.validators.iter().map(|row| row.pubkey.to_bytes()).collect();
        let registered = chain.register(&certificate, 1).await;
        chain.csm_operator(7, Address([0x55; 20]), Address([0x55; 20])).await;
        let foreign = chain.csm_key(7, &bytes[0]).await;
        let other_key = chain.csm_key(7, &[0x42; 48]).await;
        // A transaction that fails: the validator is registered already.
        let failed = {
            let amount = alloy_primitives::U256::ZERO;
            let data = [&cluster_crypto::ethereum::keccak256(b"removeValidator(bytes[])")[..4], &[0u8; 64]].concat();
            let receipt = chain.anvil.send(chain.owner(0), Some(chain.network.network), data, amount).await;
            assert!(!receipt.succeeded);
            receipt
        };
        chain.catch_up().await;
        let unknown = format!("0x{}", "ab".repeat(32));
        let one = |action: &str, txid: &str| json!([{ "pubkey": keys[0], "action": action, "txid": txid }]);
        let lies = [
            ("a transaction that nobody knows", one("register", &unknown)),
            ("one that failed", one("register", &failed.tx_hash)),
            ("one that registers another validator", one("register", &registered.tx_hash)),
            ("one of another kind", one("exit", &registered.tx_hash)),
            ("the request", one("deposit", &asked.tx_hash)),
            ("somebody else's submission of this key", one("deposit", &foreign.tx_hash)),
            ("a submission of another key", one("deposit", &other_key.tx_hash)),
            ("nothing at all", one("register", "")),
            ("nothing at all", one("deposit", "")),
            ("nothing at all", one("exit", "")),
            ("not registered, although it is", json!([{ "pubkey": keys[1], "action": "ready", "txid": "" }])),
            ("a truth and a lie", json!([{ "pubkey": keys[1], "action": "register", "txid": registered.tx_hash },
                { "pubkey": keys[2], "action": "register", "txid": registered.tx_hash }])),
        ];
        for (description, rows) in lies {
            let answer = chain.update(0, rows).await;
            assert_eq!(answer.code(), 409, "{description}: {}", answer.text);
        }
        let statuses = |rows: Value| rows.as_array().unwrap().iter().map(|row| row["status"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
        assert_eq!(statuses(chain.rows().await), ["Ready", "Registered", "Ready"]);
        for row in chain.rows().await.as_array().unwrap() {
            assert_eq!((&row["deposit_txid"], &row["exit_txid"]), (&json!(""), &json!("")));
        }
        // Others' validators do not exist, whatever the transaction says.
        let row = json!([{ "pubkey": keys[1], "action": "register", "txid": registered.tx_hash }]);
        assert_eq!(chain.update(1, row).await.code(), 404);
        // The bounds of a call.
        let many: Vec<Value> = (0..101).map(|at| json!({ "pubkey": keys[0], "action": "register", "txid": format!("0x{at:064x}") })).collect();
        assert_eq!(chain.update(0, Value::from(many)).await.code(), 400);
        chain.world.shutdown().await;
    }

    async fn a_truth_that_was_not_read_yet_is_pending(database: Database) {
        let chain = ChainWorld::start(database).await;
        let (_, certificate) = chain.make_validators(2).await;
        let registered = chain.register(&certificate, 0).await;
        let keys: Vec<String> = certificate.transcript.validators.iter().map(|row| row.pubkey.to_string()).collect();
        let rows = json!([{ "pubkey": keys[0], "action": "register", "txid": registered.tx_hash }]);
        let answer = chain.update(0, rows.clone()).await;
        assert_eq!(answer.json()["message"], "pending: 0 of 2 confirmations");
        assert_eq!(answer.data()[0]["status"], "Ready");
        chain.anvil.mine(1).await;
        assert_eq!(chain.update(0, rows).await.json()["message"], "pending: 1 of 2 confirmations");
        chain.world.shutdown().await;
    }
}
