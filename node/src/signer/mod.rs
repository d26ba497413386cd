//! The signer: the one module that opens shares, and that asks slashing protection before every signature.
//!
//! | file | part |
//! | --- | --- |
//! | `request.rs` | what can be asked for, and how it is refused: typed messages only, never a root |

mod encoding;
mod request;

use std::sync::Arc;

use async_trait::async_trait;
use cluster_core::beacon::ChainSpec;
use cluster_crypto::threshold::Partial;

pub use request::{Pubkey, Refusal, RefusalKind, Request, SignerError, MAX_ITEMS};

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
