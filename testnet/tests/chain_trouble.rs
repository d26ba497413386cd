//! Trouble with the chain for all parts at once, on anvil. `make setup` installs and compiles what it needs; more of the same:
//! `cluster-testnet chain-trouble`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;

use cluster_testnet::trouble::{run, Kind, Options};

/// Another one with every run; a failure says which, and `cluster-testnet chain-trouble --seed` repeats it.
fn seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    now.as_secs()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_ends_with_what_the_chain_says_and_no_ceremony_runs_twice() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { operators: 4, rounds: 1, garbage: 60, seed: seed() };
    let mut said = |line: &str| eprintln!("{line}");
    let report = run(&options, dir.path(), &mut said).await.unwrap_or_else(|error| panic!("{options:?}: {error}"));
    // That everybody knows what the chain says is what `run` fails without; here is how much of it there was.
    let kinds: Vec<Kind> = report.reorgs.iter().map(|reorg| reorg.kind).collect();
    let depths: BTreeSet<u64> = report.reorgs.iter().map(|reorg| reorg.depth).collect();
    assert_eq!((kinds, depths.len()), (Kind::ALL.to_vec(), 6), "every kind, each with a depth of its own");
    assert_eq!((report.garbage.emitted, report.parts.len()), (60, 6));
    let taken_back: u64 = report.reorgs.iter().map(|reorg| reorg.depth).sum();
    for part in &report.parts {
        assert!(part.quarantined >= 60, "{part:?}");
        assert!(part.taken_back >= taken_back, "{part:?}: every block of every branch that lost");
        assert!(part.spoiled_calls > 20 && part.faults.len() >= 4, "{part:?}");
    }
    assert!(report.ceremonies.len() >= 2 && report.ceremonies.iter().all(|ceremony| ceremony.most_often <= 1));
}
