//! An operator's side of a signer process.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use cluster_core::beacon::ChainSpec;
use cluster_crypto::identity;
use cluster_crypto::threshold::Partial;
use tokio::net::UnixStream;
use tokio::sync::Semaphore;

use super::request::{Refusal, Request, SignerError, MAX_ITEMS};
use super::wire::{self, Call, FrameError, Greeting, Hello, Parcel, Reply};
use super::Signer;

/// Connections to the signer: a long request must not hold up an attestation.
const CONNECTIONS: usize = 4;
/// Moving 1,000 validators takes the signer about a second.
const IMPORT_PATIENCE: Duration = Duration::from_secs(60);
/// Above this, a reply is decoded where blocking is allowed.
const SMALL_BYTES: usize = 16 * 1024;

/// Signs through a signer process. Connects when it is asked, again after every failure: a signer that was away is used as
/// soon as it is back.
#[derive(Clone, Debug)]
pub struct RemoteSigner {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    socket: PathBuf,
    patience: Duration,
    idle: Mutex<Vec<Connection>>,
    places: Semaphore,
    /// Whether the last call reached the signer, to log changes only.
    reached: Mutex<Option<bool>>,
}

#[derive(Debug)]
struct Connection {
    stream: UnixStream,
    public_key: identity::PublicKey,
}

impl RemoteSigner {
    /// A signer at this socket, which need not be there yet. `patience` is for one answer.
    #[must_use]
    pub fn new(socket: &Path, patience: Duration) -> Self {
        let inner = Inner {
            socket: socket.to_owned(),
            patience,
            idle: Mutex::default(),
            places: Semaphore::new(CONNECTIONS),
            reached: Mutex::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The key that shares for this signer are sealed to.
    pub(super) async fn public_key(&self) -> Result<identity::PublicKey, SignerError> {
        let _place = self.inner.places.acquire().await.map_err(|_| SignerError::Stopping)?;
        let idle = self.inner.idle().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let public_key = connection.public_key;
        self.inner.idle().push(connection);
        Ok(public_key)
    }

    /// Moves shares to the signer; returns when they are on its disk.
    pub(super) async fn import(&self, parcel: Parcel) -> Result<(), SignerError> {
        match self.call(&Call::Import(Box::new(parcel)), IMPORT_PATIENCE).await? {
            Reply::Imported => Ok(()),
            other => Err(self.unexpected(other)),
        }
    }

    /// One call, on a connection that nobody else uses meanwhile.
    async fn call(&self, call: &Call, patience: Duration) -> Result<Reply, SignerError> {
        let _place = self.inner.places.acquire().await.map_err(|_| SignerError::Stopping)?;
        let idle = self.inner.idle().pop();
        // A connection that lay idle may be dead without a sign; every call may be repeated, so a fresh one gets it again.
        if let Some(connection) = idle {
            match self.exchange(connection, call, patience).await {
                Err(FrameError::Ended | FrameError::Io(_)) => {}
                done => return self.conclude(done),
            }
        }
        let connection = self.connect().await?;
        let done = self.exchange(connection, call, patience).await;
        self.conclude(done)
    }

    /// Sends and receives. When this fails, or is dropped half-way, the connection is gone with it: no later call can take
    /// the answer of this one for its own.
    async fn exchange(&self, mut connection: Connection, call: &Call, patience: Duration) -> Result<Reply, FrameError> {
        let exchange = async {
            wire::write(&mut connection.stream, call, wire::CALL_BYTES).await?;
            wire::read(&mut connection.stream, wire::REPLY_BYTES).await
        };
        let payload = tokio::time::timeout(patience, exchange).await.unwrap_or(Err(FrameError::Slow))?;
        let small = payload.len() <= SMALL_BYTES;
        let parse = move || wire::parse(&payload, wire::REPLY_BYTES);
        let reply = if small { parse()? } else { blocking(parse).await? };
        self.inner.idle().push(connection);
        Ok(reply)
    }

    async fn connect(&self) -> Result<Connection, SignerError> {
        let hello = async {
            let mut stream = UnixStream::connect(&self.inner.socket).await?;
            wire::write(&mut stream, &Hello::ours(), wire::HELLO_BYTES).await?;
            let payload = wire::read(&mut stream, wire::HELLO_BYTES).await?;
            Ok((stream, wire::parse(&payload, wire::HELLO_BYTES)?))
        };
        let greeted: Result<(UnixStream, Greeting), FrameError> =
            tokio::time::timeout(self.inner.patience, hello).await.unwrap_or(Err(FrameError::Slow));
        match greeted {
            Ok((stream, Greeting::Welcome { public_key, .. })) => {
                self.note(Ok(()));
                Ok(Connection { stream, public_key })
            }
            Ok((_, Greeting::Refused(reason))) => Err(SignerError::Refused { reason }),
            Err(error) => Err(self.away(&error)),
        }
    }

    fn conclude(&self, done: Result<Reply, FrameError>) -> Result<Reply, SignerError> {
        done.map_err(|error| self.away(&error))
    }

    fn away(&self, error: &FrameError) -> SignerError {
        let reason = error.to_string();
        self.note(Err(&reason));
        SignerError::Away { socket: self.inner.socket.display().to_string(), reason }
    }

    fn unexpected(&self, reply: Reply) -> SignerError {
        match reply {
            Reply::OtherChain(reason) => SignerError::OtherChain { reason },
            Reply::Store(reason) => SignerError::Store { reason },
            Reply::Refused(reason) => SignerError::Refused { reason },
            Reply::Signed(_) | Reply::Imported => {
                SignerError::Refused { reason: "its answer belongs to another question".to_owned() }
            }
        }
    }

    fn note(&self, reached: Result<(), &str>) {
        let socket = self.inner.socket.display();
        let before = self.inner.reached.lock().unwrap_or_else(PoisonError::into_inner).replace(reached.is_ok());
        match (before, reached) {
            (Some(true), Ok(())) | (Some(false), Err(_)) => {}
            (_, Ok(())) => tracing::info!(%socket, "the signer is there"),
            (_, Err(reason)) => {
                tracing::error!(%socket, reason, "the signer is away; no duty is signed until it is back")
            }
        }
    }
}

impl Inner {
    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Signer for RemoteSigner {
    async fn sign(
        &self,
        spec: &Arc<ChainSpec>,
        request: Request,
    ) -> Result<Vec<Result<Partial, Refusal>>, SignerError> {
        let items = request.len();
        if items > MAX_ITEMS {
            return Err(SignerError::TooMany { items });
        }
        let call = Call::Sign { spec: Box::new(ChainSpec::clone(spec)), request };
        match self.call(&call, self.inner.patience).await? {
            Reply::Signed(answers) if answers.len() == items => Ok(answers),
            other => Err(self.unexpected(other)),
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FrameError> + Send + 'static,
) -> Result<T, FrameError> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(FrameError::Ended))
}
