//! Every part as an operating-system process, from its binary: an operator dies by SIGKILL in each step, stays away, and
//! comes back.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::path::Path;
use std::time::Duration;

use cluster_core::ceremony::CeremonyId;
use cluster_core::committee::OperatorId;
use cluster_core::dkg::Step;
use cluster_core::network::Network;
use cluster_node::network::Transport;
use cluster_node::service_client::now_ms;
use cluster_testnet::owner::{Ending, Owner, Patience};
use cluster_testnet::world::Wanted;
use support::deposits;
use support::processes::{operator_name, Processes};

const NETWORK: Network = Network::Hoodi;
/// The operator that dies.
const VICTIM: OperatorId = OperatorId(102);
const PATIENCE: Patience = Patience { result: Duration::from_secs(60), missing: Duration::from_secs(40) };

async fn submit(processes: &Processes, owner: &Owner, validators: u32) -> CeremonyId {
    let wanted =
        Wanted { operators: processes.world.ids(), validators, withdrawal_address: NETWORK.lido_withdrawal_vault() };
    let now_ms = now_ms();
    owner.submit(&processes.world.request(&wanted, now_ms, now_ms / 1_000)).await.unwrap()
}

async fn is_ready(processes: &Processes, owner: &Owner, ceremony_id: CeremonyId, validators: usize, what: &str) {
    let ending = owner.follow(ceremony_id, PATIENCE, &mut |_| {}).await;
    assert_eq!(ending.unwrap(), Ending::Ready, "{what}; logs in {}", processes.dir.display());
    let files = owner.files(ceremony_id).await.unwrap();
    let keys = deposits::check(&files.deposit_data, NETWORK, NETWORK.lido_withdrawal_vault()).unwrap();
    assert_eq!(keys.len(), validators, "{what}");
}

/// Who of the committee is fit, asked with the configuration of `name`.
async fn preflight(processes: &Processes, name: &str) -> (bool, String) {
    let ids: Vec<String> = processes.world.ids().iter().map(ToString::to_string).collect();
    let config = processes.dir.join(format!("{name}.toml")).display().to_string();
    let arguments = ["preflight", "--config", &config, "--operators", &ids.join(","), "--timeout-s", "8"];
    let (status, said) = processes.try_cluster_node(&arguments).await;
    (status.success(), said)
}

/// Restarts the victim so that it will die in `step`, and submits a request.
async fn submit_deadly(processes: &mut Processes, owner: &Owner, step: Step) -> CeremonyId {
    processes.terminate(&operator_name(VICTIM)).await;
    processes.rearm(VICTIM);
    processes.start_operator(VICTIM, &[("CLUSTER_NODE_CRASH_AT", step.name())]).await;
    let ceremony_id = submit(processes, owner, 2).await;
    processes.crashed(VICTIM).await;
    ceremony_id
}

/// The owner's way without any of our libraries: the binary asks, waits, and verifies.
async fn request_from_the_command_line(processes: &Processes) {
    let (dir, out) = (processes.dir.display().to_string(), processes.dir.join("out").display().to_string());
    let ids: Vec<String> = processes.world.ids().iter().map(ToString::to_string).collect();
    let registry = format!("{dir}/registry.toml");
    let cluster_pubkey = processes.world.gateway.public_key().to_string();
    processes
        .cluster_node(&[
            "request",
            "--registry",
            &registry,
            "--owner-key-file",
            &format!("{dir}/owner.key"),
            "--cluster-pubkey",
            &cluster_pubkey,
            "--operators",
            &ids.join(","),
            "--validators",
            "3",
            "--withdrawal-address",
            "lido",
            "--service",
            &processes.service_url,
            "--wait",
            "--out",
            &out,
        ])
        .await;
    let said = processes.cluster_node(&["verify", &out, "--registry", &registry]).await;
    assert!(said.contains("deposit roots and signatures: 3 valid for hoodi"), "{said}");
    let file = std::fs::read_dir(Path::new(&out)).unwrap().map(|entry| entry.unwrap().path());
    let file = file.into_iter().find(|path| path.to_string_lossy().contains("deposit_data-")).unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(deposits::check(&text, NETWORK, NETWORK.lido_withdrawal_vault()).unwrap().len(), 3);
    deposits::check_with_python(&file, NETWORK, NETWORK.lido_withdrawal_vault());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_killed_in_any_step_comes_back_and_the_owner_gets_deposit_data() {
    // The kernel closes the TCP connections of a killed process; over QUIC its peers would wait ten seconds for it to be
    // gone, in each of the steps.
    let mut processes = Processes::start(NETWORK, 4, Transport::Tcp, 11).await;
    let owner = Owner::log_in(&processes.service_url, &processes.world.owner).await.unwrap();
    request_from_the_command_line(&processes).await;
    // With the running gateway's own configuration and key, and without disturbing it.
    let said = preflight(&processes, "gateway").await;
    assert!(said.0 && said.1.contains("all 4 operators are fit"), "{}", said.1);

    for step in Step::ALL {
        let ceremony_id = submit_deadly(&mut processes, &owner, step).await;
        processes.start_operator(VICTIM, &[]).await;
        is_ready(&processes, &owner, ceremony_id, 2, &format!("killed in step {step}")).await;
    }
    processes.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_that_stays_away_is_named_and_completes_when_it_comes_back() {
    let mut processes = Processes::start(NETWORK, 4, Transport::Quic, 12).await;
    let owner = Owner::log_in(&processes.service_url, &processes.world.owner).await.unwrap();
    let first = submit(&processes, &owner, 1).await;
    is_ready(&processes, &owner, first, 1, "nothing failed").await;

    // In bounded time the ceremony is incomplete and names who is missing.
    let ceremony_id = submit_deadly(&mut processes, &owner, Step::Deal).await;
    let short = Patience { missing: Duration::from_secs(1), ..PATIENCE };
    let ending = owner.follow(ceremony_id, short, &mut |_| {}).await.unwrap();
    assert_eq!(ending, Ending::Incomplete { missing: vec![VICTIM.0] });
    assert!(owner.files(ceremony_id).await.is_err(), "nothing to deposit while an operator is missing");
    let (fit, said) = preflight(&processes, "operator-101").await;
    assert!(!fit && said.contains("operator 102: not reachable") && said.contains("1 of 3 operators"), "{said}");

    // It comes back, and incomplete becomes ready.
    processes.start_operator(VICTIM, &[]).await;
    is_ready(&processes, &owner, ceremony_id, 2, "came back").await;

    // A registry that cannot be read changes nothing; one that can is taken up.
    let registry = std::fs::read_to_string(processes.dir.join("registry.toml")).unwrap();
    processes.reload(OperatorId(101), "not a registry", "the registry stays as it was").await;
    processes.reload(OperatorId(101), &registry, "read the registry again").await;

    // Nothing that was finished is lost when everything is killed and started again.
    for name in [operator_name(VICTIM), "gateway".to_owned(), "service".to_owned(), "bootstrap".to_owned()] {
        processes.kill(&name).await;
    }
    for name in ["bootstrap", "service", "gateway"] {
        processes.spawn(name, &[]);
    }
    processes.start_operator(VICTIM, &[]).await;
    is_ready(&processes, &owner, first, 1, "after the restart of everything").await;
    is_ready(&processes, &owner, ceremony_id, 2, "after the restart of everything").await;
    let last = submit(&processes, &owner, 1).await;
    is_ready(&processes, &owner, last, 1, "after the restart of everything").await;
    processes.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn releases_that_share_a_version_make_keys_together_and_those_that_do_not_say_so_before_any_work() {
    let mut processes = Processes::start(NETWORK, 4, Transport::Tcp, 13).await;
    let owner = Owner::log_in(&processes.service_url, &processes.world.owner).await.unwrap();
    // The next release speaks the version of this one, too.
    processes.upgrade_operator(VICTIM, &[]).await;
    let (fit, said) = preflight(&processes, "operator-101").await;
    assert!(fit && said.contains("+next") && said.contains("all 3 operators are fit"), "{said}");
    let ceremony_id = submit(&processes, &owner, 1).await;
    is_ready(&processes, &owner, ceremony_id, 1, "two releases in one committee").await;

    // A later one that has dropped it.
    processes.upgrade_operator(VICTIM, &[("CLUSTER_NET_NEXT_VERSION_ONLY", "1")]).await;
    let ours = "the peer speaks version 2 of dkg, this node only version 1 of dkg: upgrade this node";
    let (fit, said) = preflight(&processes, "operator-101").await;
    assert!(!fit && said.contains(&format!("operator {VICTIM}: {ours}")), "{said}");
    processes.log_says(OperatorId(101), ours).await;
    let theirs = "this node speaks version 2 of dkg, the peer only version 1 of dkg: ask its operator to upgrade";
    processes.log_says(VICTIM, theirs).await;
    processes.shutdown().await;
}
