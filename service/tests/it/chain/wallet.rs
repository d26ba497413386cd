//! Login of contract wallets (EIP-1271).

use crate::support::anvil::wallet_code;
use crate::support::world::{login_text, login_text_of, Answer};
use crate::support::{on_both_databases, ChainWorld, Database, World};
use cluster_crypto::ethereum::{personal_message_digest, Address};
use cluster_service::limits;
use serde_json::json;

const WALLET: Address = Address([0x5a; 20]);
/// Agrees to nothing and says so with other words.
const STUBBORN: Address = Address([0x5b; 20]);

async fn nonce(world: &World) -> String {
    world.post("/v1/auth/nonce", &json!({})).await.json()["nonce"].as_str().unwrap().to_owned()
}

async fn log_in(world: &World, message: &str, signature: &[u8]) -> Answer {
    let signature = format!("0x{}", hex::encode(signature));
    world.post("/v1/auth/login", &json!({ "message": message, "signature": signature })).await
}

fn sign(world: &World, wallet: usize, message: &str) -> Vec<u8> {
    world.wallets[wallet].sign_digest(&personal_message_digest(message.as_bytes())).to_bytes().to_vec()
}

on_both_databases! {
    async fn a_contract_wallet_logs_in_by_its_own_word(database: Database) {
        let chain = ChainWorld::start(database).await;
        let world = &chain.world;
        chain.anvil.set_code(WALLET, &wallet_code(chain.owner(1))).await;
        // 32 bytes of zeros, whatever it is asked.
        chain.anvil.set_code(STUBBORN, &[0x60, 0x20, 0x5f, 0xf3]).await;

        let message = login_text_of(world, WALLET, &nonce(world).await);
        let stranger = sign(world, 2, &message);
        assert_eq!(log_in(world, &message, &stranger).await.problem(401), "signature", "not one of its owners");
        assert_eq!(log_in(world, &message, &[]).await.problem(401), "signature", "nothing is no signature of this wallet");
        // Two signatures, as a wallet of several owners has them: no key alone could have made these bytes.
        let both = [sign(world, 1, &message), stranger].concat();
        let answer = log_in(world, &message, &both).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.json()["owner"], WALLET.to_string());
        let token = answer.json()["token"].as_str().unwrap().to_owned();
        assert_eq!(world.get_as(&token, "/v1/validators").await.json()["items"], json!([]));
        assert_eq!(log_in(world, &message, &both).await.problem(401), "nonce", "once");

        let message = login_text_of(world, STUBBORN, &nonce(world).await);
        assert_eq!(log_in(world, &message, &both).await.problem(401), "signature", "another answer is a no");
        let message = login_text(world, 0, &nonce(world).await);
        assert_eq!(log_in(world, &message, &both).await.problem(401), "signature", "an account without code has a key only");
        chain.world.shutdown().await;
    }

    async fn a_node_is_asked_for_logins_that_began_here_alone(database: Database) {
        let chain = ChainWorld::start(database).await;
        let world = &chain.world;
        chain.anvil.set_code(WALLET, &wallet_code(chain.owner(1))).await;
        let message = login_text_of(world, WALLET, &"a".repeat(32));
        let signature = sign(world, 1, &message);
        assert_eq!(log_in(world, &message, &signature).await.problem(401), "nonce");
        let message = login_text_of(world, WALLET, &nonce(world).await);
        let longest = [sign(world, 1, &message), vec![0; limits::LOGIN_SIGNATURE_BYTES - 65]].concat();
        let longer = [longest.clone(), vec![0]].concat();
        assert_eq!(log_in(world, &message, &longer).await.problem(422), "signature");
        assert_eq!(log_in(world, &message, &longest).await.status, 200);
        chain.world.shutdown().await;
    }

    async fn without_a_chain_a_contract_wallet_is_told_so(database: Database) {
        let world = World::start(database).await;
        let message = login_text_of(&world, WALLET, &nonce(&world).await);
        let answer = log_in(&world, &message, &sign(&world, 0, &message)).await;
        assert!(answer.text.contains("reads the chain"), "{}", answer.text);
        assert_eq!(answer.problem(401), "signature");
        world.shutdown().await;
    }
}
