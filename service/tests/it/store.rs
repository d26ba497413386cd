//! Databases: empty, existing, newer than the program.

use crate::support::{on_both_databases, Database, World};
use cluster_service::store::{Store, StoreError};
use sqlx::Connection;
use std::path::Path;

on_both_databases! {
    async fn an_existing_database_is_taken_as_it_is(database: Database) {
        let world = World::start(database).await;
        let signed = world.signed(0, 1, 2);
        assert_eq!(world.submit(&signed).await.status, 202);
        assert_eq!(world.publish(0, &world.certificate(&signed, 1)).await.status, 201);
        let world = world.restart().await;
        let token = world.login(0).await;
        assert_eq!(world.get_as(&token, "/v1/validators").await.json()["items"].as_array().unwrap().len(), 2);
        assert_eq!(world.submit(&signed).await.json()["status"], "ready");
        world.shutdown().await;
    }

    async fn a_database_of_a_newer_program_is_refused_in_words(database: Database) {
        Store::open(&database.url, 2).await.unwrap().close().await;
        let mut connection = sqlx::AnyConnection::connect(&database.url).await.unwrap();
        let statement = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             SELECT 9999, 'from the future', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1";
        sqlx::query(statement).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        let error = Store::open(&database.url, 2).await.unwrap_err();
        assert!(matches!(error, StoreError::Migration(_)) && error.to_string().contains("9999"), "{error}");
    }

    async fn a_database_from_before_upkeep_knows_the_committees_that_the_contracts_named(database: Database) {
        sqlx::any::install_default_drivers();
        let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
        let before = tempfile::tempdir().unwrap();
        for file in std::fs::read_dir(all).unwrap().map(|file| file.unwrap()) {
            if file.file_name().to_str().unwrap() < "0006" {
                std::fs::copy(file.path(), before.path().join(file.file_name())).unwrap();
            }
        }
        let separator = if database.url.contains('?') { '&' } else { '?' };
        let url = if database.url.starts_with("sqlite:") { format!("{}{separator}mode=rwc", database.url) } else { database.url.clone() };
        let mut connection = sqlx::AnyConnection::connect(&url).await.unwrap();
        sqlx::migrate::Migrator::new(before.path()).await.unwrap().run(&mut connection).await.unwrap();
        let ceremony = "INSERT INTO ceremonies (ceremony_id, position, owner, nonce, cluster_pubkey, validator_count, operator_ids, \
            withdrawal_address, deadline_s, request, status, created_at_ms, updated_at_ms) \
            VALUES ('c', 1, 'me', '1', '', 4, '[1,2,3,4]', '', 1, '{}', 'ready', 1, 1)";
        sqlx::query(ceremony).execute(&mut connection).await.unwrap();
        // As the service writes data, now and in earlier versions; registered by another one; not registered.
        let table = [
            ("a", "0x1", "me", r#"{"event":15,"operator_ids":[5,16,27,380]}"#, vec![5, 16, 27, 380]),
            ("b", "0x1", "me", r#"{"event":15}"#, vec![1, 2, 3, 4]),
            ("c", "0x1", "you", r#"{"event":15,"operator_ids":[5,16,27,380]}"#, vec![1, 2, 3, 4]),
            ("d", "", "me", r#"{"event":15,"operator_ids":[5,16,27,380]}"#, vec![1, 2, 3, 4]),
        ];
        for (at, (pubkey, txid, actor, data, _)) in table.iter().enumerate() {
            let validator = "INSERT INTO validators (pubkey, id, ceremony_id, owner, cluster_pubkey, status, register_txid, operators, \
                created_at_ms, updated_at_ms) VALUES ($1, $2, 'c', 'me', '', 'Registered', $3, '[]', 1, 1)";
            sqlx::query(validator).bind(*pubkey).bind(at as i64).bind(*txid).execute(&mut connection).await.unwrap();
            let fact = "INSERT INTO chain_facts (block_number, log_index, item, kind, subject, actor, data, contract, tx_hash, block_hash) \
                VALUES ($1, 0, 0, 'validator_registered', $2, $3, $4, '', '', '')";
            sqlx::query(fact).bind(at as i64).bind(*pubkey).bind(*actor).bind(*data).execute(&mut connection).await.unwrap();
        }
        connection.close().await.unwrap();
        let store = Store::open(&database.url, 2).await.unwrap();
        for (pubkey, .., committee) in table {
            assert_eq!(store.present_committee_of("me", pubkey).await.unwrap().unwrap().operator_ids().unwrap(), committee, "{pubkey}");
        }
        store.close().await;
    }

    async fn expired_rows_and_requests_that_never_started_are_deleted(database: Database) {
        let store = Store::open(&database.url, 2).await.unwrap();
        let request = |name: &str, deadline_s: u64| cluster_service::store::NewCeremony {
            ceremony_id: name.to_owned(),
            owner: "0xa".to_owned(),
            nonce: u64::MAX,
            cluster_pubkey: String::new(),
            validator_count: 1,
            operator_ids: vec![1, 2, 3, 4],
            withdrawal_address: String::new(),
            deadline_s,
            request: "{}".to_owned(),
        };
        let mut write = store.write().await.unwrap();
        let rows = [("old", 99, "expired"), ("new", 100, "expired"), ("waiting", 1, "pending"), ("begun", 1, "running")];
        for (at, (name, deadline_s, status)) in rows.into_iter().enumerate() {
            write.add_ceremony(&request(name, deadline_s), at as u64).await.unwrap();
            write.add_event(name, 1, "f", "{}").await.unwrap();
            if status != "pending" {
                write.report_status(name, status, "", 1).await.unwrap();
            }
        }
        write.add_session("live", "0xa", 501).await.unwrap();
        write.add_session("dead", "0xa", 500).await.unwrap();
        write.commit().await.unwrap();
        store.purge(500, 100).await.unwrap();
        let left = store.ceremonies_of("0xa", "", i64::MAX, 10).await.unwrap();
        assert_eq!(left.iter().map(|row| row.ceremony_id.as_str()).collect::<Vec<_>>(), ["begun", "waiting", "new"]);
        assert!(store.events_after("old", 0, 10).await.unwrap().is_empty());
        assert_eq!(store.session_owner("live", 0).await.unwrap().as_deref(), Some("0xa"));
        assert_eq!(store.session_owner("dead", 0).await.unwrap(), None);
        // Where room is needed, the oldest that never started go, one by one, and nothing else.
        let mut write = store.write().await.unwrap();
        assert!(!write.drop_oldest_unstarted(1).await.unwrap(), "none is old enough");
        for left in [true, true, false] {
            assert_eq!(write.drop_oldest_unstarted(1000).await.unwrap(), left);
        }
        write.commit().await.unwrap();
        let left = store.ceremonies_of("0xa", "", i64::MAX, 10).await.unwrap();
        assert_eq!(left.iter().map(|row| row.ceremony_id.as_str()).collect::<Vec<_>>(), ["begun"]);
        // A transaction that is not committed leaves nothing.
        let mut write = store.write().await.unwrap();
        write.add_session("lost", "0xa", 501).await.unwrap();
        drop(write);
        assert_eq!(store.session_owner("lost", 0).await.unwrap(), None);
        store.close().await;
    }
}

#[tokio::test]
async fn other_databases_are_refused_in_words() {
    let error = Store::open("mysql://localhost/x", 1).await.unwrap_err();
    assert!(matches!(error, StoreError::UnknownDatabase));
}
