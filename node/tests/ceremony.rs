//! Ceremonies of real operators and a real gateway over loopback sockets.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::collections::BTreeMap;
use std::process::Command;
use std::time::{Duration, Instant};

use cluster_core::certificate::{Certificate, Readiness};
use cluster_core::committee::OperatorId;
use cluster_core::dkg::Step;
use cluster_node::driver::Hooks;
use cluster_node::operator::RunningOperator;
use cluster_node::store::CeremonyState;
use common::{certificate_with, World};
use rand_core::OsRng;

async fn start_all(world: &World, absent: &[OperatorId]) -> BTreeMap<OperatorId, RunningOperator> {
    let mut running = BTreeMap::new();
    for id in world.ids().into_iter().filter(|id| !absent.contains(id)) {
        running.insert(id, world.start_operator(id, Hooks::default()).await);
    }
    running
}

fn logs() {
    let _ = tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_test_writer()
        .try_init();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_operators_make_keys_and_the_gateway_gets_all_attestations() {
    logs();
    let world = World::new(4);
    let operators = start_all(&world, &[]).await;
    let gateway = world.start_gateway().await;
    world.introduce(&operators, &gateway).await;
    for round in 0..3 {
        let signed = world.request(3, round);
        let began = Instant::now();
        let ceremony_id = tokio::task::block_in_place(|| gateway.submit(&signed)).unwrap();
        let certificate = certificate_with(&gateway, ceremony_id, 4, Duration::from_secs(30)).await;
        eprintln!("ceremony {round}: {:?}", began.elapsed());
        let verified = certificate.verify(Some(world.registry.as_ref()), &mut OsRng).unwrap();
        assert_eq!(verified.readiness, Readiness::Ready);
        assert_eq!(certificate.transcript.validators.len(), 3);
        if round == 0 {
            verify_names_what_is_tampered(&certificate);
        }
    }
    for operator in operators.into_values() {
        operator.shutdown().await;
    }
    gateway.shutdown().await;
}

/// `cluster-node verify` on what the ceremony left, and on the same with one field changed at a time.
fn verify_names_what_is_tampered(certificate: &Certificate) {
    let dir = tempfile::tempdir().unwrap();
    let original = serde_json::to_value(certificate).unwrap();
    let deposits = serde_json::to_value(certificate.deposit_data()).unwrap();
    let run = |certificate: &serde_json::Value, deposits: &serde_json::Value| {
        std::fs::write(dir.path().join("certificate.json"), certificate.to_string()).unwrap();
        std::fs::write(dir.path().join("deposit_data-1.json"), deposits.to_string()).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_cluster-node")).arg("verify").arg(dir.path()).output().unwrap();
        (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    let (ok, shown) = run(&original, &deposits);
    assert!(
        ok && shown.contains("all 4 valid") && shown.contains("deposit_data-1.json equal the certificate"),
        "{shown}"
    );
    for pointer in [
        "/ceremony_id",
        "/transcript/request/request/validator_count",
        "/transcript/request/request/withdrawal_address",
        "/transcript/validators/1/deposit_data_root",
        "/attestations/2/signature",
    ] {
        let mut tampered = original.clone();
        let field = tampered.pointer_mut(pointer).unwrap();
        *field = match &*field {
            serde_json::Value::String(text) => flipped(text).into(),
            number => (number.as_u64().unwrap() + 1).into(),
        };
        let (ok, shown) = run(&tampered, &deposits);
        assert!(!ok && shown.contains("certificate.json:"), "{pointer}: {shown}");
    }
    for field in ["pubkey", "withdrawal_credentials", "signature", "deposit_data_root", "fork_version"] {
        let mut tampered = deposits.clone();
        let text = tampered[2][field].as_str().unwrap().to_owned();
        tampered[2][field] = flipped(&text).into();
        let (ok, shown) = run(&original, &tampered);
        assert!(!ok && shown.contains(&format!("deposit_data-1.json[2].{field}")), "{field}: {shown}");
    }
}

/// The same hex text with its last digit changed.
fn flipped(text: &str) -> String {
    let (rest, last) = text.split_at(text.len() - 1);
    format!("{rest}{}", if last == "0" { "1" } else { "0" })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_killed_in_any_step_resumes_and_attests() {
    logs();
    let world = World::new(4);
    let victim = OperatorId(3);
    let mut operators = start_all(&world, &[victim]).await;
    let gateway = world.start_gateway().await;
    for (nonce, step) in Step::ALL.into_iter().enumerate() {
        let hooks = Hooks { crash_at: Some(step), ..Hooks::default() };
        operators.insert(victim, world.start_operator(victim, hooks).await);
        world.introduce(&operators, &gateway).await;
        let signed = world.request(2, nonce as u64);
        let ceremony_id = tokio::task::block_in_place(|| gateway.submit(&signed)).unwrap();
        let doomed = operators.remove(&victim).unwrap();
        tokio::time::timeout(Duration::from_secs(30), doomed.crashed())
            .await
            .unwrap_or_else(|_| panic!("operator 3 never entered step {step}"));
        doomed.kill().await;
        // Back under another port, as after a move to another machine.
        let revived = world.start_operator(victim, Hooks::default()).await;
        operators.insert(victim, revived);
        world.introduce(&operators, &gateway).await;
        let certificate = certificate_with(&gateway, ceremony_id, 4, Duration::from_secs(60)).await;
        certificate
            .verify(Some(world.registry.as_ref()), &mut OsRng)
            .unwrap_or_else(|error| panic!("step {step}: {error}"));
        operators.remove(&victim).unwrap().kill().await;
    }
    gateway.shutdown().await;
    for operator in operators.into_values() {
        operator.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_away_for_the_whole_ceremony_completes_it_later() {
    logs();
    let world = World::new(4);
    let absent = OperatorId(2);
    let mut operators = start_all(&world, &[absent]).await;
    let gateway = world.start_gateway().await;
    world.introduce(&operators, &gateway).await;
    let signed = world.request(2, 1);
    let ceremony_id = tokio::task::block_in_place(|| gateway.submit(&signed)).unwrap();
    let incomplete = certificate_with(&gateway, ceremony_id, 3, Duration::from_secs(40)).await;
    assert_eq!(incomplete.readiness(), Readiness::Incomplete { missing: vec![absent] });
    // The others restart in the meantime: what they keep for the absent one is on disk.
    let restarted = OperatorId(1);
    operators.remove(&restarted).unwrap().kill().await;
    operators.insert(restarted, world.start_operator(restarted, Hooks::default()).await);
    operators.insert(absent, world.start_operator(absent, Hooks::default()).await);
    world.introduce(&operators, &gateway).await;
    let ready = certificate_with(&gateway, ceremony_id, 4, Duration::from_secs(40)).await;
    ready.verify(Some(world.registry.as_ref()), &mut OsRng).unwrap();
    assert_eq!(ready.readiness(), Readiness::Ready);
    assert_eq!(ready.transcript.validators, incomplete.transcript.validators);
    for operator in operators.values() {
        let give_up = Instant::now() + Duration::from_secs(20);
        while operator.ceremony_state(ceremony_id).unwrap() != Some(CeremonyState::Ready) {
            assert!(Instant::now() < give_up, "operator {} never saw the ceremony ready", operator.operator_id());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    gateway.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_over_the_gateways_http_are_refused_with_field_and_reason() {
    let world = World::new(4);
    let gateway = world.start_gateway().await;
    let url = format!("http://{}/v1/requests", gateway.http_address().unwrap());
    let client = reqwest::Client::new();
    let post = async |body: String| {
        let response = client.post(&url).header("content-type", "application/json").body(body).send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.json::<serde_json::Value>().await.unwrap())
    };
    let good = world.request(1, 7);
    let resigned = |change: &dyn Fn(&mut cluster_core::request::Request)| {
        let mut request = good.request.clone();
        change(&mut request);
        let signature = world.wallet.sign_digest(&request.digest());
        serde_json::to_string(&cluster_core::request::SignedRequest::by_signature(request, signature)).unwrap()
    };
    let tampered = {
        let mut signed = good.clone();
        signed.request.validator_count = 2;
        serde_json::to_string(&signed).unwrap()
    };
    let cases = [
        ("an unknown operator", resigned(&|r| r.operator_ids[3] = OperatorId(9)), 422, "operator_ids", "operator 9"),
        ("a duplicate operator", resigned(&|r| r.operator_ids[3] = OperatorId(1)), 422, "operator_ids", "twice"),
        ("three operators", resigned(&|r| r.operator_ids.truncate(3)), 422, "operator_ids", "4, 7, 10 or 13"),
        ("count zero", resigned(&|r| r.validator_count = 0), 422, "validator_count", "at least one"),
        ("count above the limit", resigned(&|r| r.validator_count = 1001), 422, "validator_count", "1000"),
        ("expired", resigned(&|r| r.deadline = 1), 422, "deadline", "passed"),
        ("another chain", resigned(&|r| r.chain_id = 1), 422, "chain_id", "560048"),
        ("a changed field", tampered, 422, "signature", "owner"),
        (
            "a zero withdrawal address",
            resigned(&|r| r.withdrawal_address = Default::default()),
            422,
            "withdrawal_address",
            "lost",
        ),
    ];
    for (name, body, status, field, words) in cases {
        let (found, problem) = post(body).await;
        assert_eq!((found, problem["field"].as_str()), (status, Some(field)), "{name}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(words), "{name}: {problem}");
    }
    let (status, accepted) = post(serde_json::to_string(&good).unwrap()).await;
    assert_eq!(status, 202, "{accepted}");
    let (status, problem) = post(serde_json::to_string(&good).unwrap()).await;
    assert_eq!((status, problem["field"].as_str()), (409, Some("nonce")), "{problem}");
    assert_eq!(problem["ceremony_id"], accepted["ceremony_id"]);
    let (status, problem) = post(resigned(&|r| r.validator_count = 2)).await;
    assert_eq!(
        (status, problem["field"].as_str()),
        (409, Some("nonce")),
        "another request under a used nonce: {problem}"
    );
    let (status, _) = post("{".into()).await;
    assert_eq!(status, 400);
    gateway.shutdown().await;
}
