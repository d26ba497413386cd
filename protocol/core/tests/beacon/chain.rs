//! Constants, forks and domains of a network.

use cluster_core::beacon::{
    is_aggregator, is_sync_aggregator, ChainSpec, DomainType, Epoch, Fork, ForkEpoch, Preset, Slot, SpecError,
    UnknownFork, FAR_FUTURE_EPOCH,
};
use cluster_core::deposit::signing_root;
use cluster_core::encoding::from_hex;
use cluster_core::machine::Time;

use super::{node_spec, node_values, root, vector};

#[test]
fn the_constants_of_a_real_node_are_read() {
    let spec = node_spec();
    assert_eq!((spec.preset, spec.chain_id, spec.slot_ms), (Preset::Minimal, 5, 3_000));
    assert_eq!((spec.attestation_due_ms, spec.aggregate_due_ms), (999, 2_000));
    assert_eq!((spec.sync_message_due_ms, spec.contribution_due_ms), (999, 2_000));
    assert_eq!((spec.epochs_per_sync_committee_period, spec.target_aggregators_per_committee), (8, 16));
    assert_eq!((spec.target_aggregators_per_sync_subcommittee, spec.shard_committee_period), (16, 0));
    assert_eq!(spec.unknown_fork, None, "forks that are not scheduled do not matter");
    assert_eq!((spec.fork_at(Epoch(0)), spec.fork_at(Epoch(u64::MAX))), (Ok(Fork::Electra), Ok(Fork::Electra)));
    let fulu = ForkEpoch { fork: Fork::Fulu, version: [6, 0, 0, 1], epoch: FAR_FUTURE_EPOCH };
    assert_eq!(spec.forks.last(), Some(&fulu));
    assert_eq!(
        (spec.epoch_of(Slot(15)), spec.epoch_of(Slot(16)), spec.sync_period(Epoch(17))),
        (Epoch(1), Epoch(2), 2)
    );

    let genesis = Time(1_795_337_225_000);
    assert_eq!((spec.genesis(), spec.slot_start(Slot(2))), (genesis, genesis.plus_ms(6_000)));
    assert_eq!(spec.slot_at(Time(genesis.0 - 1)), None);
    assert_eq!((spec.slot_at(genesis), spec.slot_at(genesis.plus_ms(2_999))), (Some(Slot(0)), Some(Slot(0))));
    assert_eq!(spec.slot_at(genesis.plus_ms(3_000)), Some(Slot(1)));
    assert_eq!(spec.slot_start(Slot(u64::MAX)), Time(u64::MAX), "no overflow");

    let copy: ChainSpec = serde_json::from_str(&serde_json::to_string(&spec).unwrap()).unwrap();
    assert_eq!(copy, spec);
}

/// What is changed in the real node's values, and what becomes of it.
#[test]
fn what_a_node_may_leave_out_and_what_is_refused() {
    let read = |changes: &[(&str, Option<&str>)]| {
        let mut values = node_values();
        for (key, value) in changes {
            match value {
                Some(value) => values.insert((*key).to_owned(), (*value).to_owned()),
                None => values.remove(*key),
            };
        }
        ChainSpec::from_api(1, [7; 32], &values)
    };
    let old = read(&[("SLOT_DURATION_MS", None), ("ATTESTATION_DUE_BPS", None), ("AGGREGATE_DUE_BPS", None)]).unwrap();
    assert_eq!((old.slot_ms, old.attestation_due_ms, old.aggregate_due_ms), (6_000, 2_000, 4_000), "thirds");
    let before_fulu = read(&[("FULU_FORK_EPOCH", None), ("FULU_FORK_VERSION", None)]).unwrap();
    assert_eq!(before_fulu.forks.len(), 6);

    let refused: [(&str, Option<&str>, &str); 12] = [
        ("PRESET_BASE", None, "has no PRESET_BASE"),
        ("PRESET_BASE", Some("gnosis"), "the preset `gnosis` is not known"),
        ("SLOTS_PER_EPOCH", Some("32"), "has SLOTS_PER_EPOCH = 32, but the minimal preset has 8"),
        ("MAX_WITHDRAWALS_PER_PAYLOAD", Some("x\n"), "has MAX_WITHDRAWALS_PER_PAYLOAD = x\\n, but"),
        ("SLOT_DURATION_MS", Some("0"), "SLOT_DURATION_MS = `0`; expected a slot of at most an hour"),
        ("SLOT_DURATION_MS", Some("-1"), "SLOT_DURATION_MS = `-1`; expected a decimal number"),
        ("ATTESTATION_DUE_BPS", Some("10001"), "expected at most 10000 basis points"),
        ("DEPOSIT_CHAIN_ID", None, "has no DEPOSIT_CHAIN_ID"),
        ("TARGET_AGGREGATORS_PER_COMMITTEE", Some("0"), "expected a number above zero"),
        ("GENESIS_FORK_VERSION", Some("0x0001"), "GENESIS_FORK_VERSION = `0x0001`; expected 0x and 8 hex digits"),
        ("ELECTRA_FORK_EPOCH", None, "has no ELECTRA_FORK_EPOCH"),
        ("GLOAS_FORK_EPOCH", Some("soon"), "GLOAS_FORK_EPOCH = `soon`; expected a decimal number"),
    ];
    for (key, value, words) in refused {
        let error = read(&[(key, value)]).unwrap_err().to_string();
        assert!(error.contains(words), "{key} = {value:?}: {error}");
    }
    let disorder = read(&[("DENEB_FORK_EPOCH", Some("9")), ("ELECTRA_FORK_EPOCH", Some("8"))]);
    assert_eq!(disorder, Err(SpecError::ForkOrder { earlier: Fork::Deneb, later: Fork::Electra }));
}

#[test]
fn forks_begin_at_their_epochs_and_unknown_ones_are_refused_in_words() {
    let mut values = node_values();
    let epochs = [("ELECTRA", "3"), ("FULU", "5"), ("GLOAS", "9"), ("HEZE", "8")];
    values.extend(epochs.map(|(name, epoch)| (format!("{name}_FORK_EPOCH"), epoch.to_owned())));
    let spec = ChainSpec::from_api(1, [7; 32], &values).unwrap();
    let old = spec.fork_at(Epoch(2)).unwrap_err();
    assert_eq!(old, UnknownFork::TooOld { epoch: Epoch(2), fork: Fork::Deneb });
    assert!(old.to_string().contains("epoch 2 is in the fork deneb, which is not supported"));
    let known: Vec<_> = (3..8).map(|epoch| spec.fork_at(Epoch(epoch)).unwrap()).collect();
    assert_eq!(known, [Fork::Electra, Fork::Electra, Fork::Fulu, Fork::Fulu, Fork::Fulu]);
    for epoch in [8, 9, u64::MAX] {
        let error = spec.fork_at(Epoch(epoch)).unwrap_err();
        assert_eq!(error, UnknownFork::TooNew { name: "heze".to_owned(), at: Epoch(8) }, "the first of two");
        assert!(error.to_string().contains("the fork heze begins at epoch 8"), "{error}");
    }
    // Domains change with the fork, except those that must not.
    let version = |epoch| spec.domain(DomainType::BeaconAttester, Epoch(epoch));
    assert!(version(2) != version(3) && version(4) != version(5) && version(3) == version(4));
    let exit = |epoch| spec.domain(DomainType::VoluntaryExit, Epoch(epoch));
    assert_eq!(exit(0), exit(7));
}

/// Mainnet and Hoodi, every fork and kind of domain, from an implementation that shares no code with ours.
#[test]
fn domains_of_public_networks() {
    let vectors = vector("ssz-generated/domains_signing_roots.json");
    let mut checked = 0;
    for network in ["mainnet", "hoodi"] {
        let rows: Vec<_> = vectors.as_array().unwrap().iter().filter(|row| row["network"] == network).collect();
        // Epoch i is in fork i.
        let forks = (0u64..).zip(Fork::ALL).map(|(epoch, fork)| {
            let row = rows.iter().find(|row| row["fork"] == fork.name() && row["domain_name"] == "RANDAO").unwrap();
            let version = from_hex(row["fork_version"].as_str().unwrap()).unwrap();
            ForkEpoch { fork, version, epoch: Epoch(epoch) }
        });
        let spec = ChainSpec {
            forks: forks.collect(),
            genesis_validators_root: root(&rows[0]["genesis_validators_root"]),
            ..node_spec()
        };
        for row in &rows {
            let kind = kind(row["domain_name"].as_str().unwrap());
            let fork: Fork = row["fork"].as_str().unwrap().parse().unwrap();
            let epoch = Epoch(Fork::ALL.iter().position(|known| *known == fork).unwrap() as u64);
            // EIP-7044: an exit of any epoch has Capella's domain; the rows of other forks are what it was before.
            if kind == DomainType::VoluntaryExit && fork != Fork::Capella {
                assert_ne!(spec.domain(kind, epoch), root(&row["domain"]), "{row}");
                continue;
            }
            let domain = spec.domain(kind, epoch);
            assert_eq!(domain, root(&row["domain"]), "{row}");
            assert_eq!(signing_root(root(&row["object_root"]), domain), root(&row["signing_root"]), "{row}");
            checked += 1;
        }
    }
    assert_eq!(checked, vectors.as_array().unwrap().len() - 12);
}

fn kind(name: &str) -> DomainType {
    match name {
        "BEACON_PROPOSER" => DomainType::BeaconProposer,
        "BEACON_ATTESTER" => DomainType::BeaconAttester,
        "RANDAO" => DomainType::Randao,
        "DEPOSIT" => DomainType::Deposit,
        "VOLUNTARY_EXIT" => DomainType::VoluntaryExit,
        "SELECTION_PROOF" => DomainType::SelectionProof,
        "AGGREGATE_AND_PROOF" => DomainType::AggregateAndProof,
        "SYNC_COMMITTEE" => DomainType::SyncCommittee,
        "SYNC_COMMITTEE_SELECTION_PROOF" => DomainType::SyncCommitteeSelectionProof,
        "CONTRIBUTION_AND_PROOF" => DomainType::ContributionAndProof,
        "BLS_TO_EXECUTION_CHANGE" => DomainType::BlsToExecutionChange,
        "APPLICATION_BUILDER" => DomainType::ApplicationBuilder,
        other => panic!("{other}"),
    }
}

/// Which of the proofs of 96 equal bytes 0 to 39 select, computed with Python's hashlib.
#[test]
fn selection_of_aggregators() {
    let minimal = node_spec();
    let mainnet = ChainSpec { preset: Preset::Mainnet, ..minimal.clone() };
    let selected = |is: &dyn Fn(&[u8; 96]) -> bool| (0..40u8).filter(|byte| is(&[*byte; 96])).collect::<Vec<_>>();
    // 512 / 4 / 16 = 8, and 128 / 16 = 8.
    assert_eq!(selected(&|proof| is_sync_aggregator(&mainnet, proof)), [2, 12, 17, 27]);
    assert_eq!(selected(&|proof| is_aggregator(&mainnet, 128, proof)), [2, 12, 17, 27]);
    let half = [0, 2, 3, 4, 10, 12, 13, 14, 17, 19, 20, 21, 22, 23, 24, 25, 27, 29, 30, 34, 35, 36, 37, 39];
    assert_eq!(selected(&|proof| is_aggregator(&mainnet, 47, proof)), half);
    assert_eq!(selected(&|proof| is_aggregator(&mainnet, 31, proof)).len(), 40, "small committees all aggregate");
    assert_eq!(selected(&|proof| is_aggregator(&mainnet, 0, proof)).len(), 40);
    assert_eq!(selected(&|proof| is_sync_aggregator(&minimal, proof)).len(), 40);
}
