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

use async_trait::async_trait;
use cluster_core::beacon::ChainSpec;
use cluster_crypto::threshold::Partial;

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
