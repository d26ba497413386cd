//! `cluster-node signer`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{bail, Context};
use clap::Args;
use cluster_core::machine::Time;
use cluster_crypto::identity;
use rand_core::OsRng;
use tokio_util::sync::CancellationToken;

use super::run::{runtime, Order, Signals};
use crate::config::{IdentityConfig, LogConfig, LogFormat};
use crate::service_client::now_ms;
use crate::signer::{listen, serve, LocalSigner, Service};
use crate::store::Store;
use crate::{keys, telemetry};

#[derive(Debug, Args)]
pub(super) struct SignerArgs {
    /// Socket to listen on; only this user may connect to it. The operator's configuration names it in signer.socket.
    #[arg(long)]
    socket: PathBuf,
    /// Folder of the signer's own database: shares (encrypted) and slashing history. Never the operator's.
    #[arg(long, default_value = "signer-data")]
    data_dir: PathBuf,
    /// Encrypted key of the database; made at the first start.
    #[arg(long, default_value = "signer-key.json")]
    key_file: PathBuf,
    /// File with the key file's password; must exist, with mode 0600.
    #[arg(long)]
    password_file: PathBuf,
    /// Shape of log lines, text or json.
    #[arg(long, default_value = "text")]
    log_format: String,
    /// Level or directives of logs.
    #[arg(long, default_value = "info")]
    log_filter: String,
}

pub(super) fn run(args: &SignerArgs) -> anyhow::Result<ExitCode> {
    let format = match args.log_format.as_str() {
        "text" => LogFormat::Text,
        "json" => LogFormat::Json,
        other => bail!("--log-format `{other}` is neither text nor json"),
    };
    telemetry::init(&LogConfig { format, filter: args.log_filter.clone() })?;
    let identity = key(args)?;
    let store = Arc::new(Store::open(&args.data_dir, &identity)?);
    let signer = LocalSigner::open(Arc::clone(&store), Arc::new(|| Time(now_ms())))?;
    runtime()?.block_on(async {
        let mut signals = Signals::new()?;
        let listener = listen(&args.socket).await?;
        let (validators, socket) = (signer.validators(), args.socket.display());
        tracing::info!(validators, %socket, "the signer is running, for {validators} validators");
        let stop = CancellationToken::new();
        let service = Service { signer, store: Arc::clone(&store), identity };
        let serving = tokio::spawn(serve(listener, service, stop.clone()));
        // Nothing to read again here.
        while signals.next().await == Order::Reload {}
        tracing::info!("the signer is stopping");
        stop.cancel();
        serving.await.context("the signer did not end cleanly")?;
        let _ = std::fs::remove_file(&args.socket);
        Ok(ExitCode::SUCCESS)
    })
}

/// The key that the database is sealed with. It is made once: with a database and without its key the shares are lost, and
/// a new key would only hide that.
fn key(args: &SignerArgs) -> anyhow::Result<identity::SecretKey> {
    if !args.key_file.exists() {
        if has_database(&args.data_dir) {
            bail!(
                "{} is missing, but {} holds a database sealed with it; restore the file",
                args.key_file.display(),
                args.data_dir.display()
            );
        }
        let password = keys::read_password(&args.password_file)?;
        let key = identity::SecretKey::generate(&mut OsRng);
        keys::write_identity(&args.key_file, &password, &key, "cluster-node signer: key of its database")?;
        tracing::info!(key_file = %args.key_file.display(), "made the key of the signer's database; back it up with its password");
        return Ok(key);
    }
    let config = IdentityConfig { key_file: args.key_file.clone(), password_file: args.password_file.clone() };
    Ok(keys::load_identity(&config)?)
}

fn has_database(data_dir: &Path) -> bool {
    data_dir.join("db").exists()
}
