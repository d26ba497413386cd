//! A whole ceremony: its validators in the table, its shares moved to a signer process, and a database of version 1.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cluster_core::beacon::Epoch;
use cluster_core::committee::OperatorId;
use cluster_core::network::Network;
use cluster_crypto::identity;
use cluster_node::driver::Hooks;
use cluster_node::signer::{listen, serve, HandOver, RemoteSigner, Request, Service, Signer};
use cluster_node::store::{CeremonyState, Handover, Source, Store, SCHEMA_VERSION};
use rand_core::OsRng;
use tokio_util::sync::CancellationToken;

use crate::common::{certificate_with, World};
use crate::support::{open, spec, Clock};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ceremonys_validators_are_listed_sign_and_move_to_a_signer_also_from_a_database_of_version_1() {
    let world = World::new(4);
    let mut operators = BTreeMap::new();
    for id in world.ids() {
        operators.insert(id, world.start_operator(id, Hooks::default()).await);
    }
    let gateway = world.start_gateway().await;
    world.introduce(&operators, &gateway).await;
    let signed = world.request(3, 1);
    let ceremony_id = tokio::task::block_in_place(|| gateway.submit(&signed)).unwrap();
    let certificate = certificate_with(&gateway, ceremony_id, 4, Duration::from_secs(60)).await;
    let me = OperatorId(2);
    let give_up = Instant::now() + Duration::from_secs(60);
    while operators[&me].ceremony_state(ceremony_id).unwrap() != Some(CeremonyState::Ready) {
        assert!(Instant::now() < give_up);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let network = spec();
    let clock = Clock::at(&network, 16);
    let validators: Vec<_> =
        certificate.transcript.validators.iter().map(|validator| validator.pubkey.to_bytes()).collect();
    let request = Request::Randao { validators: validators.clone(), epoch: Epoch(2) };
    for operator in operators.into_values() {
        operator.shutdown().await;
    }
    gateway.shutdown().await;

    let (data_dir, key) = (world.data_dir(me), &world.keys[&me]);
    let share = {
        // As version 1 left it: without a table of validators.
        let db = sled::open(data_dir.join("db")).unwrap();
        db.drop_tree("validators").unwrap();
        db.open_tree("meta").unwrap().insert(b"schema_version", &1u32.to_le_bytes()).unwrap();
        db.flush().unwrap();
        drop(db);
        let store = Arc::new(Store::open(&data_dir, key).unwrap());
        let entries = store.validators().unwrap();
        assert_eq!((entries.len(), SCHEMA_VERSION), (3, 2));
        for entry in &entries {
            let place = usize::try_from(entry.position).unwrap();
            assert_eq!(entry.pubkey.to_bytes(), validators[place]);
            assert_eq!((entry.owner, entry.active), (Some(world.wallet.address()), true));
            assert_eq!(entry.fee_recipient, Network::Hoodi.lido_el_rewards_vault());
            assert_eq!(entry.share_index.get(), 2);
        }
        let answers = open(&store, &clock).sign_blocking(&network, &request).unwrap();
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        store.flush().unwrap();
        answers
    };

    let store = Arc::new(Store::open(&data_dir, key).unwrap());
    let dir = world.dir.path();
    let signer_key = identity::SecretKey::generate(&mut OsRng);
    let signer_store = Arc::new(Store::open(&dir.join("signer-data"), &signer_key).unwrap());
    let signer = open(&signer_store, &clock);
    let listener = listen(&dir.join("signer.sock")).await.unwrap();
    let stop = CancellationToken::new();
    let service = Service { signer, store: signer_store, identity: signer_key };
    let serving = tokio::spawn(serve(listener, service, stop.clone()));
    let remote = RemoteSigner::new(&dir.join("signer.sock"), Duration::from_secs(20));
    HandOver::new(Arc::clone(&store), remote.clone(), me).pass().await.unwrap();
    assert_eq!(store.handover(&Source::Ceremony(ceremony_id)).unwrap(), Some(Handover::Erased));
    assert!(!store.has_shares(ceremony_id).unwrap());
    assert_eq!(remote.sign(&network, request).await.unwrap(), share, "the same shares sign");
    drop(store);
    stop.cancel();
    serving.await.unwrap();

    // The operator without its shares starts, answers for its result, and begins no ceremony anew.
    let operator = world.start_operator(me, Hooks::default()).await;
    assert_eq!(operator.ceremony_state(ceremony_id).unwrap(), Some(CeremonyState::Ready));
    assert!(operator.result(ceremony_id).unwrap().is_some());
    assert_eq!(operator.stats().open_ceremonies, 0);
    operator.shutdown().await;
}
