//! An operator that runs: what can be asked of it, and how it ends.

use std::net::SocketAddr;
use std::sync::Arc;

use cluster_core::ceremony::CeremonyId;
use cluster_core::committee::OperatorId;
use libp2p::Multiaddr;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::duties::Duties;
use super::{release, reload, with_peer_id, Loaded};
use crate::chain::ChainView;
use crate::driver::{results, Ceremonies};
use crate::exits::ExitDesk;
use crate::http::{Readiness, Server};
use crate::metrics::Metrics;
use crate::network::Client;
use crate::registry_file::RegistryFileError;
use crate::signer::Signer;
use crate::store::{CeremonyState, Store, StoreError, ValidatorEntry};

/// Bytes, messages and ceremonies of an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OperatorStats {
    /// Registry number.
    pub operator_id: OperatorId,
    /// Bytes sent by the node's own protocols, frames included.
    pub bytes_sent: u64,
    /// Messages sent by the node's own protocols.
    pub messages_sent: u64,
    /// Ceremonies under way.
    pub open_ceremonies: usize,
}

/// A running operator. Dropping it leaves the operator running; end it with [`RunningOperator::shutdown`] or
/// [`RunningOperator::kill`].
pub struct RunningOperator {
    pub(super) me: OperatorId,
    pub(super) client: Client,
    pub(super) ceremonies: Ceremonies,
    pub(super) duties: Option<Duties>,
    pub(super) chain: Option<ChainView>,
    pub(super) store: Arc<Store>,
    pub(super) metrics: Metrics,
    pub(super) readiness: Readiness,
    pub(super) http: Option<Server>,
    pub(super) signer: Arc<dyn Signer>,
    pub(super) exits: ExitDesk,
    pub(super) stop: CancellationToken,
    pub(super) crashed: CancellationToken,
    pub(super) tasks: TaskTracker,
    pub(super) loaded: Loaded,
}

impl std::fmt::Debug for RunningOperator {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "RunningOperator({})", self.me)
    }
}

impl RunningOperator {
    /// Registry number.
    #[must_use]
    pub fn operator_id(&self) -> OperatorId {
        self.me
    }

    /// The mesh.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Addresses under which others reach this operator, each with its peer id.
    #[must_use]
    pub fn addresses(&self) -> Vec<Multiaddr> {
        with_peer_id(&self.client)
    }

    /// Where HTTP listens.
    #[must_use]
    pub fn http_address(&self) -> Option<SocketAddr> {
        self.http.as_ref().map(|server| server.address)
    }

    /// What signs with this operator's shares.
    #[must_use]
    pub fn signer(&self) -> &Arc<dyn Signer> {
        &self.signer
    }

    /// The validators that this operator holds shares of, those whose duties it does not perform included. Blocks.
    pub fn validators(&self) -> Result<Vec<ValidatorEntry>, StoreError> {
        self.store.validators()
    }

    /// Owners' orders to let validators leave.
    #[must_use]
    pub fn exits(&self) -> &ExitDesk {
        &self.exits
    }

    /// What was read from the contracts; `None` when the registry file says everything.
    #[must_use]
    pub fn chain(&self) -> Option<&ChainView> {
        self.chain.as_ref()
    }

    /// Metrics.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Bytes, messages and ceremonies since the start.
    #[must_use]
    pub fn stats(&self) -> OperatorStats {
        let stats = self.client.stats();
        OperatorStats {
            operator_id: self.me,
            bytes_sent: stats.bytes_sent(),
            messages_sent: stats.messages_sent(),
            open_ceremonies: self.ceremonies.open_count(),
        }
    }

    /// Where a ceremony stands here; `None` when it is unknown.
    pub fn ceremony_state(&self, ceremony_id: CeremonyId) -> Result<Option<CeremonyState>, StoreError> {
        Ok(self.store.ceremony(ceremony_id)?.map(|entry| entry.state))
    }

    /// What a ceremony ended with here, so far.
    pub fn result(&self, ceremony_id: CeremonyId) -> Result<Option<results::StoredResult>, StoreError> {
        results::read(&self.store, ceremony_id)
    }

    /// Resolves when [`crate::driver::Hooks::crash_at`] fired; call [`RunningOperator::kill`] then.
    pub async fn crashed(&self) {
        self.crashed.cancelled().await;
    }

    /// Reads the registry file again.
    pub async fn reload_registry(&self) -> Result<(), RegistryFileError> {
        reload(&self.loaded, &self.client).await
    }

    /// Stops accepting, lets what is being written finish, closes connections and database.
    pub async fn shutdown(self) {
        tracing::info!(operator_id = self.me.0, "operator {} is stopping", self.me);
        self.end().await;
    }

    /// Dies as a process would: nothing more is written or sent from this moment on. Returns when the database's lock is
    /// free, so that the operator can be started again.
    pub async fn kill(self) {
        self.store.close();
        if let Some(server) = &self.http {
            server.abort();
        }
        self.end().await;
    }

    async fn end(self) {
        let Self { client, ceremonies, duties, store, readiness, http, signer, stop, tasks, .. } = self;
        readiness.set(false);
        stop.cancel();
        tasks.close();
        if let Some(duties) = duties {
            duties.hub.shutdown().await;
        }
        if let Some(server) = http {
            server.finish().await;
        }
        client.shutdown().await;
        tasks.wait().await;
        // A machine in the middle of a computation ends it first.
        let joined = tokio::task::spawn_blocking(move || ceremonies.join()).await;
        if joined.is_err() {
            tracing::error!("the threads of ceremonies did not end cleanly");
        }
        // It holds the database as well.
        drop(signer);
        release(store).await;
    }
}
