//! The signer process: `cluster-node signer`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cluster_core::ceremony::CeremonyId;
use cluster_core::dkg::StoredShares;
use cluster_core::slashing::Interchange;
use cluster_crypto::polynomial::SecretVector;
use cluster_crypto::seal::{open_envelope, EnvelopeContext};
use cluster_crypto::{bls, identity};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::local::LocalSigner;
use super::request::SignerError;
use super::wire::{self, Call, FrameError, Greeting, Hello, Parcel, Reply};
use super::Signer;
use crate::store::Store;

/// Connections at the same time. An operator opens at most four.
pub const MAX_CONNECTIONS: usize = 8;
/// How long a new connection may take to say hello.
const HELLO_PATIENCE: Duration = Duration::from_secs(5);
/// Validators of one source.
const MAX_VALIDATORS: usize = 1000;

/// Why the socket cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Another signer answers there.
    #[error("another signer listens on {path} already")]
    InUse {
        /// The socket.
        path: PathBuf,
    },
    /// Something that is no socket has the name.
    #[error("{path} exists and is no socket; choose another --socket")]
    NotASocket {
        /// The file.
        path: PathBuf,
    },
    /// The system refuses.
    #[error("the socket {path} cannot be made: {reason}")]
    System {
        /// The socket.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
}

/// Listens on a socket that only this user may connect to (mode 0600).
pub async fn listen(path: &Path) -> Result<UnixListener, SocketError> {
    use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
    let system = |error: std::io::Error| SocketError::System { path: path.to_owned(), reason: error.to_string() };
    if let Ok(found) = std::fs::symlink_metadata(path) {
        if !found.file_type().is_socket() {
            return Err(SocketError::NotASocket { path: path.to_owned() });
        }
        if UnixStream::connect(path).await.is_ok() {
            return Err(SocketError::InUse { path: path.to_owned() });
        }
    }
    // Made in a folder that nobody else can enter and then moved: at no moment can others connect. The move also replaces
    // the socket of a signer that was killed.
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let folder = path.with_file_name(format!(".{name}.{}", std::process::id()));
    std::fs::DirBuilder::new().mode(0o700).create(&folder).map_err(system)?;
    let inside = folder.join("s");
    let made = UnixListener::bind(&inside).and_then(|listener| {
        std::fs::set_permissions(&inside, std::fs::Permissions::from_mode(0o600))?;
        std::fs::rename(&inside, path)?;
        Ok(listener)
    });
    let _ = std::fs::remove_file(&inside);
    let _ = std::fs::remove_dir(&folder);
    made.map_err(system)
}

/// What the signer process holds.
#[derive(Clone, Debug)]
pub struct Service {
    /// Signs.
    pub signer: LocalSigner,
    /// Shares, slashing history, pinned chain.
    pub store: Arc<Store>,
    /// The key that the store is sealed with, and that shares are sealed to on their way here.
    pub identity: identity::SecretKey,
}

/// Serves until `stop` is cancelled and the requests under way are answered.
pub async fn serve(listener: UnixListener, service: Service, stop: CancellationToken) {
    let (places, tasks) = (Arc::new(Semaphore::new(MAX_CONNECTIONS)), TaskTracker::new());
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::error!(%error, "the socket does not accept a connection");
                // Out of files, most likely: trying at once would only burn the processor.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        match Arc::clone(&places).try_acquire_owned() {
            Ok(place) => {
                let (service, stop) = (service.clone(), stop.clone());
                tasks.spawn(async move { attend(stream, service, place, stop).await });
            }
            Err(_) => refuse(stream),
        }
    }
    tasks.close();
    tasks.wait().await;
}

/// A short word for one too many; the socket's buffer holds it, so nothing waits.
fn refuse(stream: UnixStream) {
    let words = format!("the signer has {MAX_CONNECTIONS} connections already, its limit");
    tracing::warn!("refused a connection: {words}");
    let payload = cluster_core::encoding::encode(&Greeting::Refused(words));
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    let _ = stream.try_write(&[length.to_le_bytes().as_slice(), &payload].concat());
}

async fn attend(mut stream: UnixStream, service: Service, place: OwnedSemaphorePermit, stop: CancellationToken) {
    if let Err(error) = converse(&mut stream, &service, &stop).await {
        if !matches!(error, FrameError::Ended) {
            tracing::warn!(%error, "a connection of the signer ended: {error}");
        }
    }
    drop(place);
}

async fn converse(stream: &mut UnixStream, service: &Service, stop: &CancellationToken) -> Result<(), FrameError> {
    let first = tokio::time::timeout(HELLO_PATIENCE, wire::read(stream, wire::HELLO_BYTES)).await;
    let payload = first.unwrap_or(Err(FrameError::Slow))?;
    let greeting = match wire::parse::<Hello>(&payload, wire::HELLO_BYTES) {
        Ok(hello) => match hello.version() {
            Ok(version) => Greeting::Welcome { version, public_key: service.identity.public_key() },
            Err(words) => Greeting::Refused(words),
        },
        Err(_) => Greeting::Refused("this is the socket of a cluster-node signer".to_owned()),
    };
    wire::write(stream, &greeting, wire::HELLO_BYTES).await?;
    if matches!(greeting, Greeting::Refused(_)) {
        return Err(FrameError::Ended);
    }
    // A call that has begun is finished; between two calls the connection may end at any time.
    while let Some(payload) = stop.run_until_cancelled(wire::read(stream, wire::CALL_BYTES)).await {
        let payload = match payload {
            Ok(payload) => payload,
            Err(error @ FrameError::Oversize { .. }) => {
                wire::write(stream, &Reply::Refused(error.to_string()), wire::REPLY_BYTES).await?;
                return Err(error);
            }
            Err(error) => return Err(error),
        };
        let parsed = tokio::task::spawn_blocking(move || wire::parse::<Call>(&payload, wire::CALL_BYTES)).await;
        let call = match parsed.unwrap_or(Err(FrameError::Ended)) {
            Ok(call) => call,
            Err(error) => {
                let words = format!("the call is none that this signer knows: {error}");
                wire::write(stream, &Reply::Refused(words), wire::REPLY_BYTES).await?;
                return Err(error);
            }
        };
        let reply = answer(service, call).await;
        wire::write(stream, &reply, wire::REPLY_BYTES).await?;
    }
    Ok(())
}

async fn answer(service: &Service, call: Call) -> Reply {
    match call {
        Call::Sign { spec, request } => {
            let (kind, items) = (request.kind(), request.len());
            match service.signer.sign(&Arc::new(*spec), request).await {
                Ok(answers) => {
                    let refused = answers.iter().filter_map(|answer| answer.as_ref().err());
                    for refusal in refused.clone().take(3) {
                        tracing::warn!(kind = kind.name(), reason = refusal.kind.name(), "refused: {refusal}");
                    }
                    tracing::debug!(kind = kind.name(), items, refused = refused.count(), "answered");
                    Reply::Signed(answers)
                }
                Err(error) => {
                    tracing::error!(kind = kind.name(), items, %error, "signed nothing: {error}");
                    error.into()
                }
            }
        }
        Call::Import(parcel) => {
            let service = service.clone();
            let done = tokio::task::spawn_blocking(move || take_over(&service, &parcel)).await;
            match done.unwrap_or(Err(SignerError::Stopping)) {
                Ok(()) => Reply::Imported,
                Err(error) => {
                    tracing::error!(%error, "shares were not taken over: {error}");
                    error.into()
                }
            }
        }
    }
}

/// Stores shares that move here: history first, so that no share is ever usable without it.
fn take_over(service: &Service, parcel: &Parcel) -> Result<(), SignerError> {
    let shares = open_parcel(service, parcel)?;
    let refused = |reason: String| SignerError::Refused { reason };
    if let Some(history) = &parcel.history {
        let file = Interchange::from_json(history).map_err(|error| refused(error.to_string()))?;
        service.store.slashing().import(&file)?;
    }
    service.store.import_shares(&shares, &parcel.entries)?;
    let validators = parcel.entries.len();
    tracing::info!(
        validators,
        source = hex::encode(&parcel.source.id()[..4]),
        "holds the shares of {validators} validators"
    );
    Ok(())
}

/// Opens the envelopes and compares each share with its public key, and the entries with the shares.
fn open_parcel(service: &Service, parcel: &Parcel) -> Result<StoredShares, SignerError> {
    let refused = |reason: &str| SignerError::Refused { reason: reason.to_owned() };
    let count = parcel.validators.len();
    let lengths = [count, parcel.envelopes.len(), parcel.share_pubkeys.len()];
    if count == 0 || count > MAX_VALIDATORS || lengths != [count; 3] {
        return Err(refused("shares and validators do not match in number, or are too many"));
    }
    let context = EnvelopeContext { ceremony_id: parcel.source.id(), operator_id: parcel.operator_id.0 };
    let mut keys: Vec<bls::SecretKey> = Vec::with_capacity(count);
    for ((validator, expected), envelope) in parcel.validators.iter().zip(&parcel.share_pubkeys).zip(&parcel.envelopes)
    {
        let share = open_envelope(&service.identity, context, validator, envelope)
            .map_err(|error| SignerError::Refused { reason: format!("a share does not open: {error}") })?;
        if share.public_key() != *expected {
            return Err(refused("a share is not the one that its public key names"));
        }
        keys.push(share);
    }
    for entry in &parcel.entries {
        let place = usize::try_from(entry.position).unwrap_or(usize::MAX);
        let named = entry.share_pubkeys.get(usize::from(parcel.share_index.get()) - 1);
        let fits = entry.source == parcel.source
            && entry.share_index == parcel.share_index
            && entry.threshold().is_some()
            && parcel.validators.get(place) == Some(&entry.pubkey)
            && named.is_some()
            && parcel.share_pubkeys.get(place) == named;
        if !fits {
            return Err(refused("what is said of a validator does not fit its share"));
        }
    }
    Ok(StoredShares {
        ceremony_id: CeremonyId(*parcel.source.id()),
        operator_id: parcel.operator_id,
        share_index: parcel.share_index,
        validators: parcel.validators.clone(),
        share_pubkeys: parcel.share_pubkeys.clone(),
        shares: SecretVector::from_secret_keys(&keys),
        qualified: Vec::new(),
    })
}
