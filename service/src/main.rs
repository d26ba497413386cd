//! `cluster-service`: the Cluster Node Service as a program.

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use cluster_service::config::{Config, LogFormat, EXAMPLE};
use serde::Serialize;
use std::path::PathBuf;
use tracing_subscriber::EnvFilter;

/// The Cluster Node Service: takes owners' requests for validator keys, verifies what gateways publish, and shows
/// each owner its own validators.
///
/// Settings come from defaults, the file named by --config, CLUSTER_SERVICE_* variables, and these flags; later
/// ones win. `cluster-service config` prints an example file that explains each of them.
#[derive(Parser)]
#[command(name = "cluster-service", version)]
struct Cli {
    /// Configuration file (TOML).
    #[arg(long, env = "CLUSTER_SERVICE_CONFIG", global = true)]
    config: Option<PathBuf>,
    #[command(flatten)]
    flags: Flags,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve (the default).
    Serve,
    /// Forget what was read from the chain, so that the next start reads it again. Stop the service first.
    Rescan,
    /// Print the description of the /v1 API (OpenAPI, JSON).
    Openapi,
    /// Print an example configuration that explains every setting.
    Config,
}

#[derive(Args, Serialize)]
struct Flags {
    /// Address to listen on, e.g. 127.0.0.1:7777.
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    listen: Option<String>,
    /// sqlite://FILE or postgres://USER:PASSWORD@HOST/DATABASE. A password is better put into the environment:
    /// CLUSTER_SERVICE_DATABASE_URL.
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    database_url: Option<String>,
    /// Registry of operators and gateways (TOML or JSON).
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    registry_file: Option<PathBuf>,
    /// Cluster public key that this instance serves: 33 bytes, 0x hex.
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster_pubkey: Option<String>,
    /// Origin at which browsers reach the service or its app; may be repeated.
    #[arg(long = "public-url", global = true)]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    public_urls: Vec<String>,
    /// Project id at WalletConnect's relay, for wallets on phones; needs app_rpc_url in the file or the environment.
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    app_walletconnect_project_id: Option<String>,
    /// URL of the relay, wss://relay.walletconnect.com when missing.
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    app_walletconnect_relay_url: Option<String>,
    /// Log lines: text or json.
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    log_format: Option<String>,
    /// Filter of the log, e.g. info,cluster_service=debug.
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    log_filter: Option<String>,
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    match cli.command {
        Some(Command::Openapi) => print(cluster_service::openapi_json()),
        Some(Command::Config) => print(EXAMPLE),
        Some(Command::Rescan) => {
            let config = Config::load(cli.config.as_deref(), &cli.flags)?;
            let runtime = tokio::runtime::Runtime::new().context("the runtime does not start")?;
            runtime.block_on(rescan(config))
        }
        Some(Command::Serve) | None => {
            let config = Config::load(cli.config.as_deref(), &cli.flags)?;
            let runtime = tokio::runtime::Runtime::new().context("the runtime does not start")?;
            runtime.block_on(serve(config))
        }
    }
}

/// Unlike `print!`, does not panic when the reader closes the pipe.
fn print(text: &str) -> Result<()> {
    use std::io::Write;
    std::io::stdout().write_all(text.as_bytes()).context("cannot write to standard output")
}

async fn rescan(config: Config) -> Result<()> {
    let store = cluster_service::store::Store::open(&config.database_url, 2).await?;
    store.forget_chain().await?;
    store.close().await;
    print("The next start reads the chain again from chain.start_block.\n")
}

async fn serve(config: Config) -> Result<()> {
    let filter = EnvFilter::try_new(&config.log_filter).context("log_filter cannot be read")?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match config.log_format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
    let service = cluster_service::start(config).await?;
    stop_signal().await?;
    tracing::info!("stopping");
    service.shutdown().await;
    Ok(())
}

async fn stop_signal() -> Result<()> {
    use tokio::signal::unix::{signal, SignalKind};
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result.context("cannot listen for SIGINT"),
        _ = terminate.recv() => Ok(()),
    }
}
