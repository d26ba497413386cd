//! Many ceremonies at once, partitions, and the loss of parts that nobody may depend on.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use cluster_core::ceremony::CeremonyId;
use cluster_core::certificate::Certificate;
use cluster_core::dkg::Step;
use cluster_core::network::Network;
use cluster_node::driver::results::StoredResult;
use cluster_node::network::{Link, Transport};
use cluster_node::service_client::now_ms;
use cluster_testnet::network::{Settings, Testnet};
use cluster_testnet::owner::{Ending, Owner, Patience};
use cluster_testnet::timings::Timings;
use cluster_testnet::world::{Wanted, World};
use support::{deposits, eventually};

const NETWORK: Network = Network::Hoodi;
const PATIENCE: Patience = Patience { result: Duration::from_secs(90), missing: Duration::from_secs(30) };

struct Running {
    testnet: Testnet,
    owner: Owner,
    _dir: tempfile::TempDir,
}

async fn start(operators: usize, latency: Duration, seed: u64) -> Running {
    let dir = tempfile::tempdir().unwrap();
    let world = World::generate(NETWORK, operators, seed);
    let timings = Timings::for_ceremonies(operators, 10, latency);
    let mut settings = Settings::calm(dir.path(), Transport::Quic, timings, seed);
    settings.link = Link { latency, loss: 0.0 };
    let testnet = Testnet::start(world, settings).await.unwrap();
    let owner = Owner::log_in(&testnet.service_url().unwrap(), &testnet.world.owner).await.unwrap();
    Running { testnet, owner, _dir: dir }
}

/// Submits a request for these positions in the list of operators.
async fn submit(running: &Running, positions: &[usize], validators: u32, nonce: u64) -> CeremonyId {
    let ids = running.testnet.world.ids();
    let wanted = Wanted {
        operators: positions.iter().map(|position| ids[*position]).collect(),
        validators,
        withdrawal_address: NETWORK.lido_withdrawal_vault(),
    };
    let request = running.testnet.world.request(&wanted, nonce, now_ms() / 1_000);
    running.owner.submit(&request).await.unwrap()
}

/// The keys of a ceremony that must become ready.
async fn ready(running: &Running, ceremony_id: CeremonyId) -> Vec<String> {
    let ending = running.owner.follow(ceremony_id, PATIENCE, &mut |_| {}).await.unwrap();
    assert_eq!(ending, Ending::Ready, "{ceremony_id}");
    let files = running.owner.files(ceremony_id).await.unwrap();
    let certificate = Certificate::from_json(&files.certificate).unwrap();
    certificate.verify(Some(running.testnet.registry()), &mut rand_core::OsRng).unwrap();
    deposits::check(&files.deposit_data, NETWORK, NETWORK.lido_withdrawal_vault()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_ceremonies_at_once_over_overlapping_committees_of_seven_operators() {
    let running = start(7, Duration::ZERO, 21).await;
    // Nine committees of four, each sharing operators with all others, and one of all seven.
    let mut committees: Vec<Vec<usize>> = (0..9)
        .map(|turn| {
            let mut members: Vec<usize> = [0, 1, 3, 5 + turn / 7].iter().map(|step| (turn + step) % 7).collect();
            members.sort_unstable();
            members
        })
        .collect();
    committees.push((0..7).collect());
    assert_eq!(committees.iter().collect::<BTreeSet<_>>().len(), 10);
    let submitted = committees.iter().zip(1..).map(|(members, nonce)| submit(&running, members, 1, nonce));
    let ceremonies = futures::future::join_all(submitted).await;
    let keys = futures::future::join_all(ceremonies.iter().map(|ceremony_id| ready(&running, *ceremony_id))).await;
    let keys: BTreeSet<String> = keys.into_iter().flatten().collect();
    assert_eq!(keys.len(), 10, "no two ceremonies share a key");
    running.testnet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_into_halves_during_the_ceremony_heals() {
    let running = start(4, Duration::from_millis(40), 22).await;
    let peers: Vec<_> =
        running.testnet.operators().values().map(|operator| operator.client().local_peer_id()).collect();
    let (one, other) = peers.split_at(2);
    for (step, nonce) in [(Step::Commit, 1), (Step::Deal, 2), (Step::Verdicts, 3)] {
        let ceremony_id = submit(&running, &[0, 1, 2, 3], 2, nonce).await;
        eventually("the step begins", Duration::from_secs(20), || {
            std::future::ready(running.testnet.steps.has_entered(ceremony_id, step).then_some(()))
        })
        .await;
        running.testnet.faults.partition(&[one.to_vec(), other.to_vec()]);
        // Two of four are no quorum: whatever was still to agree on is not agreed on, however long it lasts.
        tokio::time::sleep(running.testnet.settings().timings.step + Duration::from_millis(500)).await;
        let status = running.owner.ceremony(ceremony_id).await.unwrap()["status"].clone();
        assert!(status == "running" || status == "pending", "{step}: {status}");
        running.testnet.faults.heal();
        assert_eq!(ready(&running, ceremony_id).await.len(), 2, "{step}");
    }
    running.testnet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_bootstrap_peer_and_for_a_while_without_service_ceremonies_go_on() {
    let mut running = start(4, Duration::from_millis(10), 23).await;
    running.testnet.stop_bootstrap().await;
    let first = submit(&running, &[0, 1, 2, 3], 1, 1).await;
    assert_eq!(ready(&running, first).await.len(), 1);

    // An operator that restarts without the bootstrap peer remembers where the others are.
    let restarted = running.testnet.world.ids()[1];
    running.testnet.kill_operator(restarted).await.unwrap();
    running.testnet.start_operator(restarted).await.unwrap();
    running.testnet.wait_for_mesh().await.unwrap();

    let second = submit(&running, &[0, 1, 2, 3], 2, 2).await;
    eventually("the ceremony begins", Duration::from_secs(20), || {
        std::future::ready(running.testnet.steps.has_entered(second, Step::Deal).then_some(()))
    })
    .await;
    running.testnet.stop_service().await;
    eventually("all operators finish without the service", Duration::from_secs(30), || {
        let finished = running.testnet.operators().values().all(|operator| {
            matches!(operator.result(second).unwrap(), Some(StoredResult::Done { missing, .. }) if missing.is_empty())
        });
        std::future::ready(finished.then_some(()))
    })
    .await;
    running.testnet.start_service().await.unwrap();
    assert_eq!(ready(&running, second).await.len(), 2);
    running.testnet.shutdown().await;
}
