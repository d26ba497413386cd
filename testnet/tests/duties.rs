//! Duties on a real beacon node, through the command line: every operator is a process of its own.
//!
//! Each run takes two minutes of real slots, one run at a time: two at once would be late on a small machine.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, OnceLock, PoisonError};

use alloy_sol_types::SolError;
use cluster_testnet::duties::report::{EpochFigures, Report};
use cluster_testnet::evm::NotValidatorOwner;

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
/// What participation and blocks must reach where a quorum is alive.
const MARK: f64 = 0.99;

/// Runs `cluster-testnet duties` to its end, which must be a success, and checks what every run must satisfy.
fn duties(flags: &str) -> Report {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    // Not deleted when a test fails: the logs in it say why.
    let dir = tempfile::Builder::new().prefix("cluster-duties-").tempdir().unwrap().keep();
    eprintln!("report and logs: {}", dir.display());
    let status = Command::new(env!("CARGO_BIN_EXE_cluster-testnet"))
        .args(["duties", "--beacon", "lodestar", "--out"])
        .arg(&dir)
        .args(flags.split_whitespace())
        .status()
        .unwrap();
    let report = read(&dir);
    assert_eq!((report.slashable, report.wrong_fee_recipient), (0, 0), "{:?}", report.offences());
    let checked = report.checked;
    assert!(checked.share_attestations > 0 && checked.share_blocks > 0, "operators' logs are empty: {checked:?}");
    assert!(checked.attestations > 0 && checked.blocks > 0, "beacon nodes showed no messages: {checked:?}");
    assert_eq!(status.code(), Some(0), "cluster-testnet duties {flags}; see {}", dir.display());
    for figures in after_the_first(&report) {
        assert!(figures.target >= MARK, "{figures:?}; see {}", dir.display());
        assert!(figures.blocks as f64 >= MARK * figures.slots as f64, "{figures:?}; see {}", dir.display());
    }
    std::fs::remove_dir_all(&dir).unwrap();
    report
}

fn read(dir: &Path) -> Report {
    let path = dir.join("report.json");
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; there are logs in it", path.display()));
    serde_json::from_slice(&text).unwrap()
}

/// The epochs in which everybody is there from the beginning.
fn after_the_first(report: &Report) -> Vec<&EpochFigures> {
    report.epochs.iter().filter(|figures| figures.epoch > 0).collect()
}

/// How often other operators counted a fault of `operator`.
fn blamed(report: &Report, operator: u32, reason: &str) -> u64 {
    let others = report.operators.iter().filter(|other| other.id.0 != operator);
    let counts = others.filter_map(|other| other.blamed.get(&operator));
    counts.flatten().filter(|(counted, _)| counted.contains(reason)).map(|(_, count)| count).sum()
}

/// Four epochs without a fault, of validators that are registered by transactions; by another one their owner lets one
/// leave in the first epoch. Several tests look at it.
fn undisturbed() -> &'static Report {
    static RUN: OnceLock<Report> = OnceLock::new();
    RUN.get_or_init(|| {
        duties("--chain anvil --validators 32 --operators 4 --epochs 4 --fork transition --exit 5@0 --seed 31")
    })
}

/// An operator stops for good; with another one an owner leaves the order to let a validator leave. Two tests look at it.
fn without_one() -> &'static Report {
    static RUN: OnceLock<Report> = OnceLock::new();
    RUN.get_or_init(|| duties("--validators 32 --operators 4 --epochs 3 --stop 3@1 --exit 5@0 --split --seed 32"))
}

#[test]
fn a_committee_performs_every_duty_from_electra_into_fulu() {
    let report = undisturbed();
    assert_eq!(report.epochs.len(), 4);
    for figures in after_the_first(report) {
        assert_eq!((figures.source, figures.target), (1.0, 1.0), "{figures:?}");
        assert_eq!((figures.blocks, figures.slots), (8, 8), "{figures:?}");
        assert!(figures.sync >= MARK, "{figures:?}");
    }
    assert!(report.finalized_epoch >= 2, "epoch {} is final", report.finalized_epoch);
    for kind in ["attestation", "block", "sync_message", "aggregate_and_proof", "contribution_and_proof"] {
        assert!(report.submission_ms.get(kind).is_some_and(|values| values.count > 0), "{kind}: {report:?}");
    }
    for operator in &report.operators {
        assert!(operator.cpu_ms > 0 && operator.rss_bytes > 1 << 20 && operator.bytes_sent > 10_000, "{operator:?}");
        assert_eq!(operator.starts, 1, "{operator:?}");
        assert!(operator.blamed.is_empty(), "{operator:?}");
    }
}

#[test]
fn registration_by_transactions_starts_duties_and_the_owners_transaction_ends_them() {
    let report = undisturbed();
    let chain = report.chain.as_ref().expect("a chain");
    let network: u64 = chain.registered.iter().map(|one| one.validators as u64).sum();
    assert_eq!((chain.request.validators, network, report.validators), (32, 32, 32), "{chain:?}");
    // 0.001 ether for each in the request, 0.0005 to let one leave; registrations have a price per operator and block.
    assert_eq!(chain.request.paid_wei, "32000000000000000", "{chain:?}");
    for one in &chain.registered {
        assert!(one.block > chain.request.block && one.paid_wei.parse::<u128>().unwrap() > 0, "{chain:?}");
    }
    // Nobody had a share before, and everybody has all of them afterwards: that there were duties, other tests see.
    let operators: Vec<_> =
        chain.operators.iter().map(|one| (one.id.0, one.validators_before, one.validators)).collect();
    assert_eq!(operators, (1..=4).map(|id| (id, 0, 32)).collect::<Vec<_>>(), "{chain:?}");
    assert!(report.operators.iter().all(|operator| operator.submitted.contains_key("attestation")), "{report:?}");

    let exit = report.exit.as_ref().expect("an order to leave");
    let refusal = hex::encode(NotValidatorOwner::SELECTOR);
    assert!(!exit.stranger_accepted && exit.stranger_heard.contains(&refusal), "the contract refuses: {exit:?}");
    let order = chain.exit.as_ref().expect("the owner's transaction");
    assert!(exit.accepted && exit.owner_heard.contains(&order.transaction), "{exit:?}");
    assert_eq!((order.validators, order.paid_wei.as_str()), (1, "500000000000000"), "{chain:?}");
    // The earliest epoch that the chain allows: MAX_SEED_LOOKAHEAD after the next one.
    assert_eq!((exit.status.as_str(), exit.exit_epoch), ("exited_unslashed", 5), "{exit:?}");
}

#[test]
fn a_committee_goes_on_without_one_of_its_operators() {
    let report = without_one();
    assert_eq!(report.keys, "split");
    assert!(report.events.iter().any(|event| event.slot == 8 && event.what == "operator 103 is stopped"), "{report:?}");
}

#[test]
fn a_committee_survives_a_liar_and_names_it() {
    let report = duties(
        "--validators 32 --operators 4 --epochs 3 --fork fulu --transport tcp --seed 33 --byzantine 2:wrong-partials \
         --byzantine 2:equivocating-votes --byzantine 2:other-fee-recipient --byzantine 2:slashable-attestation",
    );
    assert!(blamed(&report, 102, "a partial signature is wrong") > 0, "{:?}", report.operators);
    assert!(blamed(&report, 102, "two different messages") > 0, "{:?}", report.operators);
    for honest in [101, 103, 104] {
        let by_honest = report.operators.iter().filter(|operator| operator.id.0 != 102);
        assert!(by_honest.clone().all(|operator| !operator.blamed.contains_key(&honest)), "{:?}", report.operators);
    }
}

#[test]
fn operators_that_are_killed_in_turn_come_back() {
    let report = duties("--validators 32 --operators 4 --epochs 3 --rolling-restart --seed 34");
    assert!(report.operators.iter().all(|operator| operator.starts == 2), "{:?}", report.operators);
}

#[test]
fn only_the_owner_lets_a_validator_leave() {
    let exit = without_one().exit.as_ref().expect("an order to leave");
    assert!(!exit.stranger_accepted, "{exit:?}");
    let belongs = format!("validator {} belongs to ", exit.pubkey);
    assert!(exit.stranger_heard.contains(&belongs), "the stranger is refused in words: {exit:?}");
    assert!(exit.accepted && exit.owner_heard.contains("accepted"), "{exit:?}");
    // By word of each operator that runs: the one validator is on its way out.
    let said: Vec<_> = without_one().upkeep.values().map(|said| said.get("exit published").copied()).collect();
    assert_eq!(said, [Some(1); 3], "{:?}", without_one().upkeep);
    // The run ends in epoch 4.
    assert_eq!((exit.status.as_str(), exit.exit_epoch), ("active_exiting", 5), "{exit:?}");
}

#[test]
fn builders_build_blocks_and_when_they_fail_the_beacon_node_does() {
    let report = duties("--validators 32 --operators 4 --epochs 3 --builder --builder-fails 2 --split --seed 36");
    let builder = report.builder.as_ref().expect("a builder");
    assert_eq!((builder.refused, &builder.wrong_recipients), (0, &Vec::new()), "{builder:?}");
    assert_eq!(builder.registrations.len(), 32, "every validator is registered and pays whom it should: {builder:?}");
    let said: Vec<_> = report.upkeep.values().map(|said| said.get("relay registered").copied()).collect();
    assert_eq!(said, [Some(32); 4], "and every operator says so: {:?}", report.upkeep);
    // Blinded proposals after the first epoch, until the builder fails. A leader that is late for its round is replaced by
    // one with a local block.
    let [_, built, failing] = &report.epochs[..] else { panic!("{:?}", report.epochs) };
    assert!(built.builder_blocks >= 6 && built.blocks == 8, "{built:?}");
    let blinded = builder.blinded.iter().filter(|slot| (8..16).contains(*slot)).count() as u64;
    assert!(blinded >= built.builder_blocks, "each was signed by its proposer: {builder:?}");
    // Away, silent, invalid, broken: each twice in the epoch, and the local block is there in time to be voted for.
    for kind in ["away", "slow", "invalid", "error"] {
        assert!(builder.failures.get(kind) >= Some(&2), "{kind}: {builder:?}");
    }
    assert_eq!((failing.builder_blocks, failing.blocks, builder.fallbacks), (0, 8, 8), "{failing:?}");
    assert!(failing.head >= MARK, "{failing:?}");
}

#[test]
fn a_committee_is_upgraded_one_operator_after_the_other_under_duties() {
    let report = duties("--validators 32 --operators 4 --epochs 3 --rolling-upgrade --split --seed 37");
    let release = report.versions["cluster-node"].as_str();
    for (turn, operator) in report.operators.iter().enumerate() {
        let [old, new] = &operator.lives[..] else { panic!("{operator:?}") };
        assert_eq!(
            (old.release.as_str(), new.release.as_str()),
            (release, &*format!("{release}+next")),
            "{operator:?}"
        );
        for protocol in ["consensus", "signing"] {
            let sent = |counts: &std::collections::BTreeMap<String, u64>| counts.get(protocol).copied().unwrap_or(0);
            assert!(sent(&old.newest_sent) > 0, "version 1 is the newest of the old release: {operator:?}");
            assert!(sent(&new.newest_sent) > 0, "upgraded operators speak version 2 with each other: {operator:?}");
            // Whoever is upgraded before others speaks version 1 with those.
            let is_last = turn + 1 == report.operators.len();
            assert_eq!(sent(&new.older_sent) == 0, is_last, "{protocol}: {operator:?}");
        }
        assert!(operator.blamed.is_empty(), "{operator:?}");
    }
}

#[test]
fn one_of_two_beacon_nodes_may_die() {
    let report = duties("--validators 32 --operators 4 --epochs 2 --second-beacon --kill-beacon 1 --seed 35");
    assert!(report.events.iter().any(|event| event.what == "the first beacon node is killed"), "{report:?}");
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_starts() {
    let run = |flags: &str| {
        let program = env!("CARGO_BIN_EXE_cluster-testnet");
        let output = Command::new(program).arg("duties").args(flags.split_whitespace()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = run("--stop 9@1");
    assert!(code == Some(2) && said.contains("--stop: there is no operator 9"), "{code:?} {said}");
    let (code, said) = run("--byzantine 2:lazy");
    assert!(
        code == Some(2) && said.contains("`lazy` is not one of wrong-partials, equivocating-votes"),
        "{code:?} {said}"
    );
}
