//! `cluster-bootstrap`: a bootstrap peer as a process.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use clap::Parser;
use cluster_bootstrap::config::{self, FileConfig, LogFormat};
use cluster_bootstrap::{start, BootstrapConfig, Running};
use cluster_net::key_file;
use figment::value::Value;
use tokio::signal::unix::{signal, SignalKind};

/// Helps the nodes of a network to find each other: Kademlia, address tests and a relay. Holds no shares.
#[derive(Parser)]
#[command(name = "cluster-bootstrap", version)]
struct Flags {
    /// Configuration file (TOML).
    #[arg(long, env = "CLUSTER_BOOTSTRAP_CONFIG")]
    config: Option<PathBuf>,
    /// Prints a documented configuration with all defaults, and ends.
    #[arg(long)]
    example: bool,
    /// Registry file (registry_file).
    #[arg(long)]
    registry_file: Option<String>,
    /// Encrypted key file (identity.key_file).
    #[arg(long)]
    key_file: Option<String>,
    /// File with the password of the key file (identity.password_file).
    #[arg(long)]
    password_file: Option<String>,
    /// Multiaddress to listen on; may be repeated (mesh.listen).
    #[arg(long)]
    listen: Vec<String>,
    /// Public multiaddress; may be repeated (mesh.external_addresses).
    #[arg(long)]
    external_address: Vec<String>,
    /// Address of the HTTP server (http.listen).
    #[arg(long)]
    http: Option<String>,
}

impl Flags {
    fn fields(&self) -> Vec<(&'static str, Value)> {
        let text = |name, value: &Option<String>| value.as_ref().map(|value| (name, Value::from(value.clone())));
        let list = |name, values: &Vec<String>| (!values.is_empty()).then(|| (name, Value::from(values.clone())));
        [
            text("registry_file", &self.registry_file),
            text("identity.key_file", &self.key_file),
            text("identity.password_file", &self.password_file),
            list("mesh.listen", &self.listen),
            list("mesh.external_addresses", &self.external_address),
            text("http.listen", &self.http),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let flags = Flags::parse();
    if flags.example {
        print!("{}", config::EXAMPLE);
        return Ok(());
    }
    let config = config::load(flags.config.as_deref(), &flags.fields())?;
    init_logs(&config)?;
    let identity = key_file::load_identity(&config.identity.key_file, &config.identity.password_file)?;
    let running = start(BootstrapConfig {
        identity,
        registry: Arc::new(config.registry()?),
        listen: config::addresses("mesh.listen", &config.mesh.listen)?,
        external: config::addresses("mesh.external_addresses", &config.mesh.external_addresses)?,
        relay: config.mesh.relay,
        forward_records: config.mesh.forward_records,
        http: config.http.address()?,
    })
    .await?;
    for address in running.dial_addresses() {
        tracing::info!(%address, "listening");
    }
    run_until_stopped(&config, &running).await?;
    tracing::info!("stopping");
    running.shutdown().await;
    Ok(())
}

/// Follows the registry on SIGHUP; returns on SIGINT or SIGTERM.
async fn run_until_stopped(config: &FileConfig, running: &Running) -> anyhow::Result<()> {
    let mut hangup = signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    loop {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => return Ok(()),
            _ = terminate.recv() => return Ok(()),
            _ = hangup.recv() => match config.registry() {
                Ok(registry) => {
                    running.follow(Arc::new(registry));
                    tracing::info!("read the registry again");
                }
                // A half-written file must not throw everybody out.
                Err(error) => tracing::error!(%error, "the old registry stays in use"),
            },
        }
    }
}

fn init_logs(config: &FileConfig) -> anyhow::Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_new(&config.log.filter).context("log.filter")?;
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match config.log.format {
        LogFormat::Text => logs.init(),
        LogFormat::Json => logs.json().flatten_event(true).init(),
    }
    Ok(())
}
