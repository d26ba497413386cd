//! What the suites share: a running service, callers, genuine certificates, databases.

pub mod anvil;
pub mod chain_world;
pub mod csm;
pub mod dealer;
pub mod postgres;
pub mod proxy;
pub mod world;

pub use chain_world::ChainWorld;
pub use world::{Database, World};

/// Writes each async test twice, once for either database. A test takes a [`Database`].
macro_rules! on_both_databases {
    ($($(#[$meta:meta])* async fn $name:ident($database:ident: Database) $body:block)+) => {
        $(
            $(#[$meta])*
            mod $name {
                use super::*;

                async fn check($database: Database) $body

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn sqlite() {
                    check(Database::sqlite()).await;
                }

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn postgres() {
                    check(Database::postgres().await).await;
                }
            }
        )+
    };
}
pub(crate) use on_both_databases;
