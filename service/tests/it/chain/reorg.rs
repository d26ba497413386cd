//! Blocks that leave the chain take along what they told.

use crate::support::{on_both_databases, ChainWorld, Database};
use cluster_crypto::ethereum::Address;
use serde_json::{json, Value};

async fn state(chain: &ChainWorld) -> Value {
    let rows = chain.rows().await;
    let info = chain.world.get("/v1/operators").await.json();
    json!({ "rows": rows, "operators": info["items"] })
}

/// Statuses and transactions, without the time of the last change.
fn stations(state: &Value) -> Vec<[String; 4]> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let rows = state["rows"].as_array().unwrap().iter();
    rows.map(|row| {
        [text(&row["status"]), text(&row["register_txid"]), text(&row["deposit_txid"]), text(&row["exit_txid"])]
    })
    .collect()
}

on_both_databases! {
    async fn reorganisations_of_every_depth_end_in_the_winning_chain(database: Database) {
        let chain = ChainWorld::start(database).await;
        let (_, certificate) = chain.make_validators(2).await;
        let bytes: Vec<[u8; 48]> = certificate.transcript.validators.iter().map(|row| row.pubkey.to_bytes()).collect();
        let before = state(&chain).await;
        for depth in 1..=8u64 {
            let snapshot = chain.anvil.snapshot().await;
            // The losing branch: every kind of fact, `depth` blocks deeper than what counts.
            chain.register(&certificate, 0).await;
            chain.csm_operator(depth, chain.owner(0), chain.owner(0)).await;
            chain.csm_key(depth, &bytes[0]).await;
            chain.deposit(&bytes[1], Address([0x77; 20])).await;
            chain.exit(&bytes[..1]).await;
            chain.anvil.mine(depth).await;
            chain.catch_up().await;
            let lost = state(&chain).await;
            assert_eq!(lost["rows"][0]["status"], "Exited", "depth {depth}");
            assert_eq!(lost["rows"][1]["status"], "Deposited", "depth {depth}");
            // The winning one: longer, and with other blocks from the first on.
            chain.anvil.revert(snapshot).await;
            chain.anvil.rpc("evm_increaseTime", json!([1000 + depth])).await;
            chain.anvil.mine(depth + 12).await;
            chain.catch_up().await;
            assert_eq!(stations(&state(&chain).await), stations(&before), "depth {depth}");
            let facts = chain.facts(&certificate.transcript.validators[1].pubkey.to_string()).await;
            assert_eq!(facts["deposited"]["holds"], "no", "depth {depth}");
        }
        let metrics = chain.world.get("/metrics").await.text;
        assert!(!metrics.contains("cluster_service_chain_blocks_undone_total 0\n"), "{metrics}");
        chain.world.shutdown().await;
    }

    async fn a_request_that_leaves_the_chain_is_hidden_and_comes_back_with_it(database: Database) {
        let chain = ChainWorld::start(database).await;
        let snapshot = chain.anvil.snapshot().await;
        let (asked, certificate) = chain.make_validators(1).await;
        assert_eq!(chain.rows().await.as_array().unwrap().len(), 1);
        let token = chain.world.login(0).await;
        let ceremony = format!("/v1/ceremonies/{}", certificate.ceremony_id);
        assert_eq!(chain.world.get_as(&token, &ceremony).await.status, 200);
        let raw = chain.anvil.rpc("eth_getTransactionByHash", json!([asked.tx_hash])).await;
        chain.anvil.revert(snapshot).await;
        chain.anvil.rpc("evm_increaseTime", json!([500])).await;
        chain.anvil.mine(20).await;
        chain.catch_up().await;
        assert_eq!(chain.rows().await, json!([]));
        assert_eq!(chain.world.get_as(&token, &ceremony).await.status, 404);
        assert!(chain.open_requests().await.is_empty());
        // The same transaction again, in another block: it is the same ceremony, and nothing was lost.
        let again = chain.ask(1).await;
        assert_eq!(again.tx_hash, raw["hash"].as_str().unwrap(), "the same sender, nonce and content");
        chain.catch_up().await;
        assert_eq!(chain.rows().await.as_array().unwrap().len(), 1);
        assert_eq!(chain.world.get_as(&token, &ceremony).await.json()["status"], "ready");
        chain.world.shutdown().await;
    }
}
