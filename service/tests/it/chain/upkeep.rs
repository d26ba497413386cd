//! What the contracts say decides whose words count, about which validators, and where fees are due.

use crate::performance::pubkeys;
use crate::support::anvil::{self, sol_address};
use crate::support::{on_both_databases, ChainWorld, Database};
use crate::upkeep::{registered, report, shown, taken, totals};
use alloy_primitives::{Bytes, U256};
use cluster_crypto::ethereum::Address;
use serde_json::{json, Value};

fn text(address: Address) -> String {
    address.to_string().to_lowercase()
}

on_both_databases! {
    async fn the_committee_and_the_fee_recipients_are_those_of_the_contracts(database: Database) {
        let chain = ChainWorld::start(database).await;
        let (_, certificate) = chain.make_validators(2).await;
        let keys = pubkeys(&certificate);
        let bytes: Vec<[u8; 48]> = certificate.transcript.validators.iter().map(|row| row.pubkey.to_bytes()).collect();
        let token = chain.world.login(0).await;
        let chosen = Address([0x61; 20]);
        for operator_id in 0..4 {
            let word = report(operator_id, &keys, &registered(7, &text(chosen)), "none");
            assert_eq!(taken(&chain.world, 0, &word).await, (2, 0));
        }
        let count = |answer: &Value| {
            let number = |pointer: &str| answer.pointer(pointer).unwrap().as_u64().unwrap();
            let [all, whole, partly, mixed] =
                ["/validators", "/relay/registered", "/relay/partly", "/mixed_recipients"].map(number);
            (all, whole, partly, mixed, answer["attention"].clone())
        };
        let now = || async { count(&totals(&chain.world, &token).await) };
        assert_eq!(now().await, (0, 0, 0, 0, json!([])), "no validator is registered");
        chain.register(&certificate, 0).await;
        chain.register(&certificate, 1).await;
        chain.catch_up().await;
        assert_eq!(now().await, (2, 2, 0, 0, json!([])), "the owner chose nobody");

        let config = chain.network.operator_config;
        let call = anvil::setFeeRecipientAddressCall { recipient: sol_address(chosen) };
        chain.as_owner(0, config, &call, U256::ZERO).await;
        let other = anvil::setValidatorFeeRecipientAddressCall {
            publicKey: Bytes::copy_from_slice(&bytes[1]),
            recipient: sol_address(Address([0x62; 20])),
        };
        chain.as_owner(0, config, &other, U256::ZERO).await;
        chain.catch_up().await;
        assert_eq!(now().await, (2, 2, 0, 1, json!([keys[1]])), "another one for the second validator");
        let call = anvil::setFeeRecipientAddressCall { recipient: sol_address(Address([0x62; 20])) };
        chain.as_owner(0, config, &call, U256::ZERO).await;
        let other = anvil::setValidatorFeeRecipientAddressCall { recipient: sol_address(chosen), ..other };
        chain.as_owner(0, config, &other, U256::ZERO).await;
        chain.catch_up().await;
        assert_eq!(now().await, (2, 2, 0, 1, json!([keys[0]])), "and the other way round");

        // The second validator moves: operator 4 takes the place of operator 3.
        let validator = &certificate.transcript.validators[1];
        let envelopes = certificate.attestations.iter().map(|attestation| attestation.envelopes[1].to_bytes());
        let call = anvil::replaceValidatorCall {
            publicKey: Bytes::copy_from_slice(&bytes[1]),
            operatorIds: vec![0, 1, 2, 4],
            sharesPublicKeys: validator.share_pubkeys.iter().map(|key| Bytes::copy_from_slice(&key.to_bytes())).collect(),
            sharesEncrypted: envelopes.map(|bytes| Bytes::copy_from_slice(&bytes)).collect(),
            amount: U256::ZERO,
        };
        chain.as_owner(0, chain.network.network, &call, U256::ZERO).await;
        chain.catch_up().await;
        let items = shown(&chain.world, &token, &keys[1]).await;
        let said: Vec<_> = items.as_array().unwrap().iter().map(|item| (item["operator_id"].clone(), item["at_ms"].is_null())).collect();
        assert_eq!(said, [(json!(0), false), (json!(1), false), (json!(2), false), (json!(4), true)]);
        let mut attention = keys.clone();
        attention.sort();
        assert_eq!(now().await, (2, 1, 1, 1, json!(attention)), "operator 4 has said nothing");
        let word = registered(8, &text(chosen));
        assert_eq!(taken(&chain.world, 0, &report(3, &keys, &word, "none")).await, (1, 1), "still of the first validator's");
        assert_eq!(taken(&chain.world, 0, &report(4, &keys, &word, "none")).await, (1, 1));
        assert_eq!(now().await, (2, 2, 0, 1, json!([keys[0]])));
        chain.remove(&bytes[0]).await;
        chain.catch_up().await;
        assert_eq!(now().await, (1, 1, 0, 0, json!([])));
        chain.world.shutdown().await;
    }
}
