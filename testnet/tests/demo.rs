//! The demo as a library: all committee sizes, both transports and networks, kills and misbehaviour.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use cluster_core::committee::OperatorId;
use cluster_core::dkg::{Behaviour, Step};
use cluster_core::network::Network;
use cluster_node::network::{Link, Transport};
use cluster_testnet::ceremony::Finished;
use cluster_testnet::demo::{write_files, write_replaced, Demo, Options};
use cluster_testnet::report::{ReadinessFigures, Report};
use std::process::Command;
use std::time::Duration;
use support::{deposits, processes::binary};

async fn run(options: Options) -> Finished {
    let dir = tempfile::tempdir().unwrap();
    let seed = options.seed;
    let mut demo = Demo::start(options, dir.path()).await.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    let finished = demo.run(&mut |_| {}).await.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    demo.shutdown().await;
    finished
}

/// Everything that `report.json` promises, of a demo in which nothing failed.
fn check_report(report: &Report, options: &Options) {
    assert_eq!((report.n, report.k), (options.operators, options.validators));
    assert_eq!(report.t, (2 * options.operators + 1) / 3);
    assert_eq!(report.readiness, ReadinessFigures::Ready);
    assert!(report.culprits.is_empty(), "{:?}", report.culprits);
    assert!(report.wall_ms > 0.0 && report.cpu_ms > 0.0 && report.rss_bytes > 1 << 20);
    let steps: Vec<&str> = report.steps_ms.keys().map(String::as_str).collect();
    assert_eq!(steps, ["certify", "commit", "deal", "echo", "sign", "store", "verdicts"]);
    assert!(report.steps_ms.values().sum::<f64>() <= report.wall_ms * 1.05, "{report:?}");
    assert_eq!(report.operators.len(), options.operators);
    assert!(report.operators.iter().all(|operator| operator.bytes_sent > 1_000 && operator.messages_sent > 10));
    let mut keys = report.pubkeys.clone();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), options.validators as usize, "as many different keys as were asked for");
}

async fn is_valid_everywhere(options: Options) {
    let finished = run(options.clone()).await;
    check_report(&finished.report, &options);
    let files = finished.files.as_ref().unwrap();
    let address = options.withdrawal_address;
    let pubkeys =
        deposits::check(&files.deposit_data, options.network, address).unwrap_or_else(|error| panic!("{error}"));
    let reported: Vec<String> =
        finished.report.pubkeys.iter().map(|key| key.trim_start_matches("0x").to_owned()).collect();
    assert_eq!(pubkeys, reported);
    let dir = tempfile::tempdir().unwrap();
    let path = write_files(dir.path(), &finished, "").unwrap().unwrap();
    deposits::check_with_python(&path, options.network, address);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_operators_over_quic_for_hoodi() {
    is_valid_everywhere(Options::new(Network::Hoodi, 4, 3, 1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_operators_over_tcp_for_mainnet() {
    is_valid_everywhere(Options { transport: Transport::Tcp, ..Options::new(Network::Mainnet, 4, 2, 2) }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_is_replaced_after_the_ceremony() {
    let options = Options { replace: Some(2), ..Options::new(Network::Hoodi, 4, 2, 11) };
    let dir = tempfile::tempdir().unwrap();
    let mut demo = Demo::start(options, dir.path()).await.unwrap();
    let ids = demo.testnet.world.ids();
    let mut finished = demo.run(&mut |_| {}).await.unwrap();
    let replaced = demo.replace(&mut finished).await.unwrap().unwrap();
    demo.shutdown().await;
    let figures = finished.report.replacement.as_ref().unwrap();
    assert_eq!((figures.left, figures.joined, figures.k), (ids[1], ids[4], 2));
    assert!(figures.wall_ms > 0.0 && finished.report.readiness == ReadinessFigures::Ready);
    let out = tempfile::tempdir().unwrap();
    write_files(out.path(), &finished, "").unwrap();
    write_replaced(out.path(), &replaced).unwrap();
    let moved = Command::new(binary("cluster-node"))
        .args(["verify", "replaced", "--previous", "."])
        .current_dir(out.path())
        .output()
        .unwrap();
    let said = String::from_utf8(moved.stdout).unwrap();
    assert!(moved.status.success() && said.contains("the same validators, owner and deposits"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn seven_operators_over_tcp_for_hoodi() {
    is_valid_everywhere(Options { transport: Transport::Tcp, ..Options::new(Network::Hoodi, 7, 2, 3) }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_operators_over_quic_for_mainnet() {
    is_valid_everywhere(Options::new(Network::Mainnet, 10, 1, 4)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thirteen_operators_over_quic_for_hoodi() {
    is_valid_everywhere(Options::new(Network::Hoodi, 13, 1, 5)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn latency_and_loss_delay_but_do_not_stop() {
    let link = Link { latency: Duration::from_millis(20), loss: 0.05 };
    let finished = run(Options { link, ..Options::new(Network::Hoodi, 4, 1, 6) }).await;
    assert_eq!(finished.report.readiness, ReadinessFigures::Ready);
    assert!(finished.report.wall_ms > 7.0 * 20.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_operator_is_missing_and_named() {
    let kill = Some((2, Step::Echo, false));
    let finished = run(Options { kill, ..Options::new(Network::Hoodi, 4, 2, 7) }).await;
    let gone = OperatorId(102);
    assert_eq!(finished.report.readiness, ReadinessFigures::Incomplete { missing: vec![gone] });
    assert!(finished.files.is_none(), "nothing to deposit");
    assert_eq!(finished.report.pubkeys.len(), 2);
    let named = finished.report.culprits.iter().find(|culprit| culprit.kind == "silent").unwrap();
    assert_eq!((named.operator_id, named.named_by.len()), (gone, 3));
    assert!(finished.report.wall_ms < 30_000.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_operator_that_restarts_completes_the_ceremony() {
    let kill = Some((104, Step::Sign, true));
    let finished = run(Options { kill, transport: Transport::Tcp, ..Options::new(Network::Hoodi, 4, 1, 8) }).await;
    assert_eq!(finished.report.readiness, ReadinessFigures::Ready);
}

/// `cluster-node verify` on the folder that the demo leaves: the evidence holds, and no longer when it names another one.
fn evidence_convicts(finished: &Finished) {
    let dir = tempfile::tempdir().unwrap();
    write_files(dir.path(), finished, "").unwrap().unwrap();
    let verify = || {
        let output = Command::new(binary("cluster-node")).arg("verify").arg(dir.path()).output().unwrap();
        (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    let (ok, said) = verify();
    assert!(ok && said.contains("proves operator 103 guilty of wrong_share"), "{said}");
    let path = dir.path().join("evidence-101.json");
    let mut evidence: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    for culprit in evidence["culprits"].as_array_mut().unwrap() {
        culprit["operator_id"] = 102.into();
    }
    std::fs::write(&path, evidence.to_string()).unwrap();
    let (ok, said) = verify();
    assert!(!ok && said.contains("the evidence proves operator 103 guilty, not 102"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dealer_of_wrong_shares_is_proven_guilty_and_excluded() {
    let byzantine = vec![(3, Behaviour::WrongShare)];
    let finished = run(Options { byzantine, ..Options::new(Network::Hoodi, 4, 2, 9) }).await;
    assert_eq!(finished.report.readiness, ReadinessFigures::Ready);
    let named = finished.report.culprits.iter().find(|culprit| culprit.kind == "wrong_share").unwrap();
    assert_eq!(named.operator_id, OperatorId(103));
    evidence_convicts(&finished);
    let certificate = cluster_core::certificate::Certificate::from_json(&finished.files.unwrap().certificate).unwrap();
    assert!(certificate.transcript.qualified.iter().all(|(dealer, _)| *dealer != OperatorId(103)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_goes_by_its_position_or_its_id_and_no_other_number() {
    let world = cluster_testnet::world::World::generate(Network::Hoodi, 13, 10);
    let found: Vec<_> = [1, 13, 101, 113].into_iter().map(|number| world.operator(number).unwrap().0).collect();
    assert_eq!(found, [101, 113, 101, 113]);
    assert!([0, 14, 100, 114].into_iter().all(|number| world.operator(number).is_none()));
    let dir = tempfile::tempdir().unwrap();
    let wrong = Options { byzantine: vec![(5, Behaviour::Silent)], ..Options::new(Network::Hoodi, 4, 1, 10) };
    let error = Demo::start(wrong, dir.path()).await.err().unwrap().to_string();
    assert_eq!(error, "there is no operator 5; name one by its position, 1 to 4, or by its id, 101 to 104");
}
