//! Frames, and the codec of the request-response protocols.
//!
//! # Contract
//!
//! One stream carries one request and one response. Each is one frame:
//!
//! ```text
//! length: u32 little endian, at most the limit of the protocol | payload: bincode of `length` bytes | end of stream
//! ```
//!
//! A protocol is offered in every version that this release speaks, the newest first; multistream-select picks the newest
//! that both sides speak, for each stream. A node that was upgraded thus goes on with those that were not.
//!
//! Checked here, in this order: the length against the limit before anything else is read; the bytes as they arrive,
//! in chunks, so that a declared length reserves nothing; the end of the stream after the frame; the payload by
//! `cluster_core::encoding`, which refuses bytes left over and unknown variants; the bounds of what was decoded
//! ([`Wire::check`]). Signatures are checked by the receiver of the message, never here.
//!
//! A frame that is refused fails its request with a [`FrameError`], and the stream is reset. The connection stays:
//! other protocols use it. A peer that is slow is cut off by the timeout of the protocol.

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::sync::Arc;

use cluster_core::encoding::{self, DecodeError};
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::request_response::{self, ProtocolSupport};
use libp2p::StreamProtocol;
use serde::de::{DeserializeOwned, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::info::{self, Version};
use crate::limits;
pub use crate::traffic::{Traffic, TrafficCount};

/// The names of a protocol on the wire, one for each version that this release has, newest first.
#[cfg(not(feature = "next-version"))]
macro_rules! names {
    ($name:literal) => {
        &[concat!("/cluster-node/", $name, "/1")]
    };
}
/// The names of a protocol on the wire; version 2 stands for that of the next release.
#[cfg(feature = "next-version")]
macro_rules! names {
    ($name:literal) => {
        &[concat!("/cluster-node/", $name, "/2"), concat!("/cluster-node/", $name, "/1")]
    };
}
pub(crate) use names;

/// Why a frame was refused.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The declared length is above the limit; nothing of the payload was read.
    #[error("the frame declares {declared} bytes, the limit is {limit}")]
    Oversize {
        /// Bytes that the prefix declares.
        declared: usize,
        /// Bytes that the protocol allows.
        limit: usize,
    },
    /// The stream ended inside the frame.
    #[error("the stream ended after {received} of {expected} bytes")]
    Truncated {
        /// Bytes that were announced: the prefix, or the payload.
        expected: usize,
        /// Bytes that arrived.
        received: usize,
    },
    /// Bytes follow the frame.
    #[error("bytes follow the frame")]
    Trailing,
    /// The payload is not an encoding of the expected type.
    #[error("the payload cannot be decoded: {0}")]
    Malformed(#[from] DecodeError),
    /// The payload decodes, but a part of it is above its limit.
    #[error("{0}")]
    Excess(#[from] Excess),
    /// The frame is not in the format of the version that was negotiated.
    #[error("the frame is not in the format of {protocol}")]
    OtherVersion {
        /// The protocol with the version.
        protocol: String,
    },
    /// The stream failed.
    #[error("the stream failed: {0}")]
    Io(#[source] io::Error),
}

impl FrameError {
    /// The error as libp2p carries it; [`FrameError::of`] finds it again.
    fn into_io(self) -> io::Error {
        match self {
            Self::Io(error) => error,
            Self::Truncated { .. } => io::Error::new(io::ErrorKind::UnexpectedEof, self),
            other => io::Error::new(io::ErrorKind::InvalidData, other),
        }
    }

    /// The frame error inside of an IO error, when there is one.
    pub fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref().and_then(|inner| inner.downcast_ref())
    }
}

/// A decoded message is above one of its limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what} has {size} entries or bytes, the limit is {limit}")]
pub struct Excess {
    /// The field.
    pub what: &'static str,
    /// Its length.
    pub size: usize,
    /// What is allowed.
    pub limit: usize,
}

/// Refuses `size` above `limit`.
pub(crate) fn at_most(what: &'static str, size: usize, limit: usize) -> Result<(), Excess> {
    if size > limit {
        return Err(Excess { what, size, limit });
    }
    Ok(())
}

/// A message of a protocol: serializable, and bounded beyond the length of its frame.
pub trait Wire: Serialize + DeserializeOwned + fmt::Debug + Send + 'static {
    /// Refuses lists and texts above their limits.
    fn check(&self) -> Result<(), Excess>;
}

/// One request-response protocol: its name, its messages and their limits.
pub trait Protocol: fmt::Debug + Clone + Copy + Send + Sync + 'static {
    /// What is asked.
    type Request: Wire;
    /// What is answered.
    type Response: Wire;
    /// `/cluster-node/<name>/1`, by which it is called.
    const NAME: &'static str;
    /// The names of all its versions on the wire, newest first.
    const NAMES: &'static [&'static str] = &[Self::NAME];
    /// Bytes of a request at most.
    const REQUEST_LIMIT: usize;
    /// Bytes of a response at most.
    const RESPONSE_LIMIT: usize;
    /// Streams, in both directions, on one connection.
    const STREAMS: usize = limits::STREAMS_PER_PROTOCOL;
}

/// The behaviour of protocol `P`.
pub type Behaviour<P> = request_response::Behaviour<Codec<P>>;

/// Builds the behaviour of protocol `P`: both directions, [`Protocol::STREAMS`], counted in `traffic`.
pub fn behaviour<P: Protocol>(timeout: std::time::Duration, traffic: Arc<Traffic>) -> Behaviour<P> {
    let config =
        request_response::Config::default().with_request_timeout(timeout).with_max_concurrent_streams(P::STREAMS);
    let spoken = P::NAMES.iter().filter(|name| P::NAMES.len() == 1 || version_of(name) >= info::lowest_version());
    let protocols: Vec<_> = spoken.map(|name| (StreamProtocol::new(name), ProtocolSupport::Full)).collect();
    request_response::Behaviour::with_codec(Codec::new(traffic), protocols, config)
}

/// The version at the end of a name on the wire.
fn version_of(name: &str) -> Version {
    name.rsplit('/').next().and_then(|version| version.parse().ok()).unwrap_or(1)
}

/// What precedes the payload in a frame of this version: nothing in version 1. The version of the test builds begins with its
/// number, so that a frame in the format of another version than was negotiated is refused.
fn preamble(version: Version) -> &'static [u8] {
    match version {
        #[cfg(feature = "next-version")]
        2 => &[2],
        _ => &[],
    }
}

/// Reads one frame of at most `limit` bytes and the end of the stream behind it.
///
/// Memory grows with the bytes that arrive, [`limits::READ_CHUNK_BYTES`] at a time.
pub async fn read_frame<T>(io: &mut T, limit: usize) -> Result<Vec<u8>, FrameError>
where
    T: AsyncRead + Unpin + Send,
{
    let mut prefix = [0u8; limits::FRAME_PREFIX_BYTES];
    let received = fill(io, &mut prefix).await?;
    if received < prefix.len() {
        return Err(FrameError::Truncated { expected: prefix.len(), received });
    }
    let declared = u32::from_le_bytes(prefix) as usize;
    if declared > limit {
        return Err(FrameError::Oversize { declared, limit });
    }
    let mut payload = Vec::new();
    while payload.len() < declared {
        let start = payload.len();
        let chunk = (declared - start).min(limits::READ_CHUNK_BYTES);
        payload.resize(start + chunk, 0);
        let read = fill(io, &mut payload[start..]).await?;
        if read < chunk {
            return Err(FrameError::Truncated { expected: declared, received: start + read });
        }
    }
    // The writer closes its half after the frame; anything else is not this protocol.
    if fill(io, &mut [0u8; 1]).await? != 0 {
        return Err(FrameError::Trailing);
    }
    Ok(payload)
}

/// Writes one frame. The caller closes the stream.
pub async fn write_frame<T>(io: &mut T, payload: &[u8], limit: usize) -> Result<(), FrameError>
where
    T: AsyncWrite + Unpin + Send,
{
    let oversize = FrameError::Oversize { declared: payload.len(), limit };
    if payload.len() > limit {
        return Err(oversize);
    }
    let Ok(length) = u32::try_from(payload.len()) else {
        return Err(oversize);
    };
    io.write_all(&length.to_le_bytes()).await.map_err(FrameError::Io)?;
    io.write_all(payload).await.map_err(FrameError::Io)?;
    io.flush().await.map_err(FrameError::Io)
}

/// Decodes and bounds a payload.
pub fn decode<M: Wire>(payload: &[u8], limit: usize) -> Result<M, FrameError> {
    let message: M = encoding::decode(payload, limit)?;
    message.check()?;
    Ok(message)
}

/// Reads until `buffer` is full or the stream ends; returns the bytes read.
async fn fill<T>(io: &mut T, buffer: &mut [u8]) -> Result<usize, FrameError>
where
    T: AsyncRead + Unpin + Send,
{
    let mut filled = 0;
    while filled < buffer.len() {
        match io.read(&mut buffer[filled..]).await.map_err(FrameError::Io)? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}

/// The codec of protocol `P`, counting what it moves.
#[derive(Debug)]
pub struct Codec<P> {
    traffic: Arc<Traffic>,
    protocol: PhantomData<P>,
}

impl<P> Clone for Codec<P> {
    fn clone(&self) -> Self {
        Self::new(self.traffic.clone())
    }
}

impl<P> Codec<P> {
    /// A codec that counts into `traffic`.
    pub fn new(traffic: Arc<Traffic>) -> Self {
        Self { traffic, protocol: PhantomData }
    }
}

impl<P: Protocol> Codec<P> {
    async fn read_message<T, M>(&self, protocol: &StreamProtocol, io: &mut T, limit: usize) -> io::Result<M>
    where
        T: AsyncRead + Unpin + Send,
        M: Wire,
    {
        let preamble = preamble(version_of(protocol.as_ref()));
        let message = match read_frame(io, limit + preamble.len()).await {
            Ok(frame) => {
                self.traffic.received(frame.len() + limits::FRAME_PREFIX_BYTES);
                match frame.strip_prefix(preamble) {
                    Some(payload) => decode(payload, limit),
                    None => Err(FrameError::OtherVersion { protocol: protocol.to_string() }),
                }
            }
            Err(error) => Err(error),
        };
        message.map_err(|error| {
            // The only trace of a request that is refused: libp2p reports failures of requests that it has delivered.
            self.traffic.refused();
            tracing::debug!(protocol = P::NAME, %error, "refused a frame");
            error.into_io()
        })
    }

    async fn write_message<T, M>(
        &self,
        protocol: &StreamProtocol,
        io: &mut T,
        message: M,
        limit: usize,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
        M: Wire,
    {
        // Our own bug must not become the peer's refusal: the same bounds hold on the way out.
        message.check().map_err(|error| FrameError::from(error).into_io())?;
        let version = version_of(protocol.as_ref());
        let preamble = preamble(version);
        let mut frame = encoding::encode(&message);
        drop(message);
        if !preamble.is_empty() {
            frame.splice(..0, preamble.iter().copied());
        }
        write_frame(io, &frame, limit + preamble.len()).await.map_err(FrameError::into_io)?;
        self.traffic.sent(frame.len() + limits::FRAME_PREFIX_BYTES);
        if version == info::MAX_VERSION {
            self.traffic.sent_newest();
        }
        Ok(())
    }
}

impl<P: Protocol> request_response::Codec for Codec<P> {
    type Protocol = StreamProtocol;
    type Request = P::Request;
    type Response = P::Response;

    async fn read_request<T>(&mut self, protocol: &StreamProtocol, io: &mut T) -> io::Result<P::Request>
    where
        T: AsyncRead + Unpin + Send,
    {
        self.read_message(protocol, io, P::REQUEST_LIMIT).await
    }

    async fn read_response<T>(&mut self, protocol: &StreamProtocol, io: &mut T) -> io::Result<P::Response>
    where
        T: AsyncRead + Unpin + Send,
    {
        self.read_message(protocol, io, P::RESPONSE_LIMIT).await
    }

    async fn write_request<T>(&mut self, protocol: &StreamProtocol, io: &mut T, request: P::Request) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        self.write_message(protocol, io, request, P::REQUEST_LIMIT).await
    }

    async fn write_response<T>(
        &mut self,
        protocol: &StreamProtocol,
        io: &mut T,
        response: P::Response,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        self.write_message(protocol, io, response, P::RESPONSE_LIMIT).await
    }
}

/// Bytes that are passed on without being looked at; cheap to clone, so that one encoding serves a whole committee.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Bytes(Arc<[u8]>);

impl Bytes {
    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }

    /// The bytes, shared.
    pub fn shared(&self) -> Arc<[u8]> {
        self.0.clone()
    }
}

impl std::ops::Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

impl From<Arc<[u8]>> for Bytes {
    fn from(bytes: Arc<[u8]>) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct BytesVisitor;

        impl Visitor<'_> for BytesVisitor {
            type Value = Bytes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.into()))
            }

            fn visit_byte_buf<E: serde::de::Error>(self, bytes: Vec<u8>) -> Result<Bytes, E> {
                Ok(Bytes(bytes.into()))
            }
        }

        // Borrowing from the frame, not `deserialize_byte_buf`: no copy is made before the length is checked.
        deserializer.deserialize_bytes(BytesVisitor)
    }
}

/// A value that travels encoded and is decoded by its receiver, because decoding costs more than a connection's task
/// should spend: a contribution of 1,000 validators holds 14,000 points whose subgroup is checked.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub struct Encoded<T> {
    bytes: Bytes,
    #[serde(skip)]
    value: PhantomData<fn() -> T>,
}

impl<T: Serialize + DeserializeOwned> Encoded<T> {
    /// Encodes `value`.
    pub fn new(value: &T) -> Self {
        Self { bytes: encoding::encode(value).into(), value: PhantomData }
    }

    /// Decodes the value. Call it where blocking is allowed.
    pub fn decode(&self) -> Result<T, DecodeError> {
        encoding::decode(&self.bytes, limits::PUBLISH_BYTES)
    }

    /// Bytes of the encoding.
    pub fn encoded_len(&self) -> usize {
        self.bytes.len()
    }
}

// By hand: deriving would ask the same of `T`.
impl<T> Clone for Encoded<T> {
    fn clone(&self) -> Self {
        Self { bytes: self.bytes.clone(), value: PhantomData }
    }
}

impl<T> PartialEq for Encoded<T> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl<T> Eq for Encoded<T> {}

impl<T> fmt::Debug for Encoded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Encoded<{}>({:?})", std::any::type_name::<T>(), self.bytes)
    }
}

/// Cuts a text at a character so that it has at most `limit` bytes.
pub fn cut(mut text: String, limit: usize) -> String {
    let mut end = limit.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}
