//! The signer: the one module that opens shares, and that asks slashing protection before every signature.
//!
//! | file | part |
//! | --- | --- |
//! | `request.rs` | what can be asked for, and how it is refused: typed messages only, never a root |
//! | `keyring.rs` | shares in memory; the only place that signs with them |
//! | `clearance.rs` | what the keyring needs to sign: for attestations and blocks only slashing protection gives it |
//! | `local.rs` | the signer with a store of its own process; all checks |
//! | `server.rs`, `wire.rs` | `cluster-node signer`: the same behind a Unix socket |
//! | `remote.rs`, `handover.rs` | an operator's side of that: asking, and moving its shares there |

mod clearance;
mod encoding;
mod handover;
mod keyring;
mod local;
mod remote;
mod request;
mod server;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cluster_core::beacon::ChainSpec;
use cluster_core::committee::OperatorId;
use cluster_crypto::threshold::Partial;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::SignerConfig;
use crate::store::{Store, StoreError};

pub use handover::HandOver;
pub use local::{LocalSigner, Now};
pub use remote::RemoteSigner;
pub use request::{Pubkey, Refusal, RefusalKind, Request, SignerError, MAX_ITEMS};
pub use server::{listen, serve, Service, SocketError, MAX_CONNECTIONS};

/// Makes partial signatures with this operator's shares.
#[async_trait]
pub trait Signer: Send + Sync + 'static {
    /// Signs one kind of message: one answer per item of the request, in order ([`Request::validators`]).
    ///
    /// Before a partial signature of an attestation or a block exists, slashing protection has checked and recorded it, on
    /// disk. The same request again gives the same answers.
    ///
    /// # Errors
    /// Nothing was signed: another chain, an unknown fork, a failing database, or a signer that is away.
    async fn sign(&self, spec: &Arc<ChainSpec>, request: Request)
        -> Result<Vec<Result<Partial, Refusal>>, SignerError>;
}

/// The signer of an operator: its own store, or the process at the configured socket, to which its shares then move.
/// Blocks while shares are opened.
pub(crate) fn of_operator(
    config: &SignerConfig,
    store: &Arc<Store>,
    me: OperatorId,
    now: Now,
    stop: &CancellationToken,
    tasks: &TaskTracker,
) -> Result<Arc<dyn Signer>, StoreError> {
    if config.socket.as_os_str().is_empty() {
        let moved = moved(store)?;
        if moved > 0 {
            tracing::error!(
                moved,
                "the shares of {moved} validators are in a signer process; set signer.socket to sign for them"
            );
        }
        return Ok(Arc::new(LocalSigner::open(Arc::clone(store), now)?));
    }
    let remote = RemoteSigner::new(&config.socket, Duration::from_millis(config.timeout_ms));
    let hand_over = HandOver::new(Arc::clone(store), remote.clone(), me);
    tasks.spawn(hand_over.run(stop.clone()));
    Ok(Arc::new(remote))
}

/// Validators whose shares this process does not use any more.
fn moved(store: &Store) -> Result<usize, StoreError> {
    let mut moved = 0;
    for entry in store.validators()? {
        moved += usize::from(store.handover(&entry.source)?.is_some());
    }
    Ok(moved)
}
