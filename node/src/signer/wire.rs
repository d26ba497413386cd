//! What an operator and a signer process say to each other over a Unix socket.
//!
//! ```text
//! frame       length: u32 little endian, at most the limit of its kind | payload: the project's binary encoding
//! operator    Hello             lowest and highest version that it speaks
//! signer      Greeting          the version to use and the signer's key, or a refusal in words and the end
//! operator    Call   \ any number of times, one after the other
//! signer      Reply  /
//! ```
//!
//! There is no call to sign a root: a call names a typed [`Request`] and the network that it is for. Shares that move to
//! the signer are sealed to its key.

use std::io;
use std::time::Duration;

use cluster_core::beacon::ChainSpec;
use cluster_core::committee::OperatorId;
use cluster_core::encoding::{decode, encode, DecodeError};
use cluster_crypto::seal::Envelope;
use cluster_crypto::threshold::Partial;
use cluster_crypto::{bls, identity, ShareIndex};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::request::{Refusal, Request, SignerError};
use crate::store::{Source, ValidatorEntry};

/// The only version so far.
pub(super) const VERSION: u16 = 1;
const MAGIC: [u8; 8] = *b"cnsigner";
/// Bytes of a hello or a greeting.
pub(super) const HELLO_BYTES: usize = 1024;
/// Bytes of a call: 1,000 validators of 13 operators that move, with their history, or the largest aggregates.
pub(super) const CALL_BYTES: usize = 8 * 1024 * 1024;
/// Bytes of a reply: [`super::MAX_ITEMS`] partials or refusals.
pub(super) const REPLY_BYTES: usize = 4 * 1024 * 1024;
/// Memory grows with the bytes that arrive, by this many at a time.
const CHUNK_BYTES: usize = 64 * 1024;
/// A frame that has begun must end within this time.
pub(super) const FRAME_PATIENCE: Duration = Duration::from_secs(10);

/// The first words of an operator.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Hello {
    magic: [u8; 8],
    lowest: u16,
    highest: u16,
}

impl Hello {
    pub(super) const fn ours() -> Self {
        Self { magic: MAGIC, lowest: VERSION, highest: VERSION }
    }

    /// The version to speak, or why there is none.
    pub(super) fn version(&self) -> Result<u16, String> {
        if self.magic != MAGIC {
            return Err("this is the socket of a cluster-node signer, and what came is something else".to_owned());
        }
        if (self.lowest..=self.highest).contains(&VERSION) {
            return Ok(VERSION);
        }
        let (lowest, highest) = (self.lowest, self.highest);
        Err(format!(
            "the signer speaks version {VERSION}, the operator {lowest} to {highest}; install the same release of both"
        ))
    }
}

/// The signer's answer to a hello.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Greeting {
    Welcome { version: u16, public_key: identity::PublicKey },
    Refused(String),
}

/// What an operator asks.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Call {
    /// One answer per item of the request.
    Sign { spec: Box<ChainSpec>, request: Request },
    /// Shares that move to the signer. The same again changes nothing.
    Import(Box<Parcel>),
}

/// The shares of one source with everything that the signer must know of their validators.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Parcel {
    pub(super) source: Source,
    pub(super) operator_id: OperatorId,
    pub(super) share_index: ShareIndex,
    /// All validators of the source, in order.
    pub(super) validators: Vec<bls::PublicKey>,
    /// The public keys of the shares, in the same order.
    pub(super) share_pubkeys: Vec<bls::PublicKey>,
    /// The shares, in the same order, sealed to the signer's key.
    pub(super) envelopes: Vec<Envelope>,
    /// Those of the validators that were not removed.
    pub(super) entries: Vec<ValidatorEntry>,
    /// What these validators have signed so far: an interchange file (EIP-3076), if there is anything.
    pub(super) history: Option<serde_bytes::ByteBuf>,
}

/// What the signer answers.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Reply {
    Signed(Vec<Result<Partial, Refusal>>),
    /// Shares and history are on the signer's disk.
    Imported,
    OtherChain(String),
    Store(String),
    Refused(String),
}

impl From<SignerError> for Reply {
    fn from(error: SignerError) -> Self {
        match error {
            SignerError::OtherChain { reason } => Self::OtherChain(reason),
            SignerError::Store { reason } => Self::Store(reason),
            other => Self::Refused(other.to_string()),
        }
    }
}

/// Why a frame cannot be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum FrameError {
    /// Between two frames: the end of the conversation.
    #[error("the connection ended")]
    Ended,
    #[error("a frame of {declared} bytes was announced, the limit is {limit}")]
    Oversize { declared: usize, limit: usize },
    #[error("the frame did not end within {} s", FRAME_PATIENCE.as_secs())]
    Slow,
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Malformed(#[from] DecodeError),
}

/// Reads one frame of at most `limit` bytes. Waits for its beginning for as long as it takes, then with patience.
pub(super) async fn read<R: AsyncRead + Unpin>(from: &mut R, limit: usize) -> Result<Vec<u8>, FrameError> {
    let mut prefix = [0u8; 4];
    if from.read(&mut prefix[..1]).await? == 0 {
        return Err(FrameError::Ended);
    }
    let rest = async {
        from.read_exact(&mut prefix[1..]).await?;
        let declared = u32::from_le_bytes(prefix) as usize;
        if declared > limit {
            return Err(FrameError::Oversize { declared, limit });
        }
        let mut payload = Vec::new();
        while payload.len() < declared {
            let start = payload.len();
            payload.resize(start + CHUNK_BYTES.min(declared - start), 0);
            from.read_exact(&mut payload[start..]).await?;
        }
        Ok(payload)
    };
    tokio::time::timeout(FRAME_PATIENCE, rest).await.unwrap_or(Err(FrameError::Slow))
}

/// Writes one value as a frame; a peer that does not read is given up.
pub(super) async fn write<W: AsyncWrite + Unpin, T: Serialize>(
    to: &mut W,
    value: &T,
    limit: usize,
) -> Result<(), FrameError> {
    let payload = encode(value);
    let oversize = FrameError::Oversize { declared: payload.len(), limit };
    let Some(length) = u32::try_from(payload.len()).ok().filter(|_| payload.len() <= limit) else {
        return Err(oversize);
    };
    let all = async {
        to.write_all(&length.to_le_bytes()).await?;
        to.write_all(&payload).await?;
        to.flush().await
    };
    match tokio::time::timeout(FRAME_PATIENCE, all).await {
        Ok(written) => Ok(written?),
        Err(_) => Err(FrameError::Slow),
    }
}

/// Decodes the payload of a frame.
pub(super) fn parse<T: DeserializeOwned>(payload: &[u8], limit: usize) -> Result<T, FrameError> {
    Ok(decode(payload, limit)?)
}
