//! An operator is replaced: its validators' shares move in a reshare between real operators, and their duties when the contracts
//! say so.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use alloy_primitives::U256;
use cluster_core::certificate::{Certificate, Readiness};
use cluster_core::chain::abi;
use cluster_core::committee::OperatorId;
use cluster_core::request::{Request, Reshare, SignedRequest};
use cluster_crypto::ethereum::Address;
use cluster_net::publish;
use cluster_node::driver::Hooks;
use cluster_node::gateway::RunningGateway;
use cluster_node::operator::RunningOperator;
use cluster_node::store::{Source, ValidatorEntry};
use rand_core::OsRng;

use crate::anvil::{until, Anvil, CONTRACTS};
use crate::common::command::{node, private};
use crate::common::{certificate_with, World};
use crate::emit::{self, emitted};

const OLD: [u32; 4] = [1, 2, 3, 4];
/// Operator 4 is replaced by operator 5.
const NEW: [u32; 4] = [1, 2, 3, 5];
/// Made and moved; another number is measured with this variable.
const VARIABLE: &str = "RESHARE_VALIDATORS";
const PATIENCE: Duration = Duration::from_secs(60);

type Operators = BTreeMap<OperatorId, RunningOperator>;

fn validators() -> usize {
    std::env::var(VARIABLE).ok().and_then(|text| text.parse().ok()).unwrap_or(3)
}

fn ids(committee: [u32; 4]) -> Vec<OperatorId> {
    committee.into_iter().map(OperatorId).collect()
}

/// The owner's registration of all validators of a certificate, as the contract emits it for new ones and for replacements.
async fn register(anvil: &Anvil, certificate: &Certificate) {
    let transcript = &certificate.transcript;
    for (k, validator) in transcript.validators.iter().enumerate() {
        let event = abi::ValidatorRegistration {
            ownerAddress: transcript.request.request.owner.0.into(),
            publicKey: validator.pubkey.to_bytes().to_vec().into(),
            operatorIds: transcript.committee.iter().map(|(id, _)| id.0).collect(),
            sharesPublicKeys: validator.share_pubkeys.iter().map(|key| key.to_bytes().to_vec().into()).collect(),
            encryptedKeys: certificate.attestations.iter().map(|a| a.envelopes[k].to_bytes().to_vec().into()).collect(),
            paidBlockNumber: U256::from(10_000_000),
        };
        anvil.emit(&emitted(CONTRACTS.network, &event)).await;
    }
}

/// What an operator performs for the validators of a certificate with exactly the shares that it names.
fn performed(operator: &RunningOperator, certificate: &Certificate) -> usize {
    let entries = operator.validators().unwrap();
    let is_performed = |entry: &&ValidatorEntry| {
        let mut validators = certificate.transcript.validators.iter();
        entry.active && validators.any(|v| v.pubkey == entry.pubkey && v.share_pubkeys == entry.share_pubkeys)
    };
    entries.iter().filter(is_performed).count()
}

fn save(certificate: &Certificate, dir: &Path) {
    std::fs::create_dir_all(dir).unwrap();
    std::fs::write(dir.join("certificate.json"), serde_json::to_string(certificate).unwrap()).unwrap();
    if certificate.transcript.request.request.reshare.is_none() {
        std::fs::write(dir.join("deposit_data-1.json"), serde_json::to_string(&certificate.deposit_data()).unwrap())
            .unwrap();
    }
}

/// An operator that stays refuses a reshare which would have its keys sign another deposit.
async fn assert_refused(world: &World, gateway: &RunningGateway, first: &Certificate) {
    let request = Request {
        withdrawal_address: Address([0x66; 20]),
        operator_ids: ids(NEW),
        nonce: 77,
        reshare: Some(Reshare::of(&first.transcript)),
        ..first.transcript.request.request.clone()
    };
    let signature = world.wallet.sign_digest(&request.digest());
    let submit = publish::Request::Submit(SignedRequest::by_signature(request, signature));
    let peer = gateway.client().peer_of(OperatorId(1)).unwrap();
    let answer = gateway.client().send_publish(peer, submit).await.unwrap();
    let publish::Response::Refused { field, reason } = answer else { panic!("{answer:?}") };
    assert!(field == "reshare" && reason.contains("withdrawal_address"), "{field}: {reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_operator_is_replaced_and_duties_move_when_the_contracts_say_so() {
    let (anvil, world) = emit::five_operators().await;
    let mut operators = Operators::new();
    for id in world.ids() {
        operators.insert(id, world.start_operator(id, Hooks::default()).await);
    }
    let gateway = world.start_gateway().await;
    world.introduce(&operators, &gateway).await;

    let mut request = world.request(validators() as u32, 1).request;
    request.operator_ids = ids(OLD);
    let signature = world.wallet.sign_digest(&request.digest());
    let signed = SignedRequest::by_signature(request, signature);
    let ceremony_id = tokio::task::block_in_place(|| gateway.submit(&signed)).unwrap();
    let first = certificate_with(&gateway, ceremony_id, 4, PATIENCE).await;
    register(&anvil, &first).await;
    let all = |operators: &Operators, committee: [u32; 4], certificate: &Certificate| {
        let counts = ids(committee).into_iter().map(|id| performed(&operators[&id], certificate));
        counts.filter(|count| *count == validators()).count()
    };
    until("the first committee", || all(&operators, OLD, &first) == 4).await;

    // It never comes back in time: nobody waits for it.
    operators.remove(&OperatorId(4)).unwrap().kill().await;
    assert_refused(&world, &gateway, &first).await;
    let (dir, url) = (world.dir.path(), format!("http://{}", gateway.http_address().unwrap()));
    save(&first, &dir.join("first"));
    world.wallet.to_bytes().expose(|key| private(&dir.join("wallet"), &hex::encode(key)));
    let command = ["request", "--network", "hoodi", "--owner-key-file", "wallet", "--gateway", &url];
    let ask = |operators: &str| node(dir, &[&command[..], &["--reshare", "first", "--operators", operators]].concat());
    let few = ask("1,2,5,6");
    assert!(!few.ok && few.err.contains("2 of the 4 operators that hold the shares"), "{}", few.err);
    let began = Instant::now();
    let asked = tokio::task::block_in_place(|| ask("1,2,3,5"));
    assert!(asked.ok, "{}", asked.err);
    let ceremony_id = asked.out.trim().rsplit(' ').next().unwrap().parse().unwrap();
    let second = certificate_with(&gateway, ceremony_id, 4, PATIENCE).await;
    eprintln!("reshare of {} validators, from the command to the certificate: {:?}", validators(), began.elapsed());
    let verified = second.verify(Some(world.registry.as_ref()), &mut OsRng).unwrap();
    assert_eq!(verified.readiness, Readiness::Ready);
    for (before, after) in first.transcript.validators.iter().zip(&second.transcript.validators) {
        assert_eq!((before.pubkey, before.deposit_data_root), (after.pubkey, after.deposit_data_root));
        assert!(after.share_pubkeys.iter().all(|key| !before.share_pubkeys.contains(key)));
    }
    save(&second, &dir.join("second"));
    let shown = node(dir, &["verify", "second", "--previous", "first"]);
    assert!(shown.ok && shown.out.contains("do not deposit again"), "{}{}", shown.out, shown.err);
    assert!(shown.out.contains(&first.ceremony_id.to_string()) && shown.out.contains("the same validators"));
    let shown = node(dir, &["verify", "first", "--previous", "second"]);
    assert!(!shown.ok && shown.err.contains("of no reshare"), "{}", shown.err);

    // The reshare alone changes nothing: the old shares sign, and the new operator has no validator.
    for id in [1, 2, 3] {
        assert_eq!(performed(&operators[&OperatorId(id)], &first), validators());
    }
    assert!(operators[&OperatorId(5)].validators().unwrap().is_empty());

    register(&anvil, &second).await;
    until("those who stay", || all(&operators, NEW, &second) == 3).await;
    assert!(operators[&OperatorId(5)].validators().unwrap().is_empty(), "it joins when everybody has heard of it");
    anvil.mine(64).await;
    until("the new committee", || all(&operators, NEW, &second) == 4).await;
    let entry = operators[&OperatorId(5)].validators().unwrap().remove(0);
    assert!(matches!(entry.source, Source::Registered(_)) && entry.owner == Some(world.wallet.address()));
    assert_eq!(entry.withdrawal_address, Some(second.transcript.request.request.withdrawal_address));

    // The operator that left finds out when it is back.
    let left = world.start_operator(OperatorId(4), Hooks::default()).await;
    until("the old operator stops", || left.validators().unwrap().iter().all(|entry| !entry.active)).await;
    assert_eq!(left.validators().unwrap().len(), validators(), "its shares and history stay");
    left.shutdown().await;
    for operator in operators.into_values() {
        operator.shutdown().await;
    }
    gateway.shutdown().await;
}
