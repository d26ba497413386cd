//! `cluster-node preflight`: who of a committee is fit for a ceremony, before one is paid for.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{bail, Context};
use clap::Args;
use cluster_core::committee::{check_ids, OperatorId};
use cluster_core::registry::Registry;
use cluster_net::info::Role;
use futures::future::join_all;

use super::RunArgs;
use crate::config::{
    self, ConfigError, GatewayConfig, IdentityConfig, LogConfig, MeshConfig, OperatorConfig, Overrides,
};
use crate::network::{presence, Network};
use crate::operator::{network_config, Loaded};
use crate::preflight::{ask, Finding};
use crate::registry_file::ReloadableRegistry;
use crate::{keys, telemetry};

/// Time for two nodes with this key to prove themselves: two of their questions.
const TWIN_PATIENCE: Duration = Duration::from_secs(12);

#[derive(Debug, Args)]
pub(super) struct PreflightArgs {
    #[command(flatten)]
    run: RunArgs,
    /// The committee: operator ids separated by commas.
    #[arg(long, value_delimiter = ',', required = true)]
    operators: Vec<OperatorId>,
    /// Seconds to wait for each operator.
    #[arg(long, default_value_t = 10)]
    timeout_s: u64,
}

/// The part of a configuration that is needed here; operators and gateways have it alike.
struct Asker {
    registry_file: PathBuf,
    identity: IdentityConfig,
    mesh: MeshConfig,
    log: LogConfig,
}

impl Asker {
    /// Reads the configuration of an operator, or else of a gateway. When it is neither's, the error is about the
    /// role that its own fields speak for.
    fn load(file: Option<&Path>, flags: &Overrides) -> Result<Self, ConfigError> {
        match config::load::<OperatorConfig>(file, flags) {
            Ok(OperatorConfig { registry_file, identity, mesh, log, .. }) => {
                Ok(Self { registry_file, identity, mesh, log })
            }
            Err(ConfigError::UnknownField { field, .. }) if is_of_gateways(&field) => {
                let GatewayConfig { registry_file, identity, mesh, log, .. } = config::load(file, flags)?;
                Ok(Self { registry_file, identity, mesh, log })
            }
            Err(error) => Err(error),
        }
    }
}

fn is_of_gateways(field: &str) -> bool {
    matches!(field.split('.').next(), Some("service" | "publish"))
}

pub(super) fn run(args: &PreflightArgs) -> anyhow::Result<ExitCode> {
    let mut flags = args.run.overrides()?;
    if args.run.log_filter.is_none() {
        flags.field("log.filter", Some("error"));
    }
    if args.run.listen.is_empty() {
        // The node itself may be running on its own ports.
        flags.list("mesh.listen", &["/ip4/0.0.0.0/udp/0/quic-v1".into(), "/ip4/0.0.0.0/tcp/0".into()]);
    }
    let config = Asker::load(args.run.config.as_deref(), &flags)?;
    telemetry::init(&config.log)?;
    check_ids(&args.operators).context("operators")?;
    let registry = Arc::new(ReloadableRegistry::open(&config.registry_file)?);
    if let Some(unknown) = args.operators.iter().find(|id| registry.operator(**id).is_none()) {
        bail!("operators: operator {unknown} is not in {}", config.registry_file.display());
    }
    let identity = keys::load_identity(&config.identity)?;
    let loaded =
        Loaded { identity, network: registry.network(), registry: registry.clone(), reloadable: Some(registry) };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let patience = Duration::from_secs(args.timeout_s);
    let (findings, doubled) = runtime.block_on(ask_all(&config, &loaded, &args.operators, patience))?;
    let fit = print_table(&findings);
    let Some(own) = doubled else { return Ok(fit) };
    println!("operator {own}: more than one node runs with this key; stop all but one, then restart that one (docs/failures.md#twin)");
    Ok(ExitCode::FAILURE)
}

/// What the committee answers; and the asking operator, when more than one node runs with its key.
async fn ask_all(
    config: &Asker,
    loaded: &Loaded,
    operators: &[OperatorId],
    patience: Duration,
) -> anyhow::Result<(Vec<Finding>, Option<OperatorId>)> {
    let public_key = loaded.identity.public_key();
    let own = loaded.registry.operators().into_iter().find(|entry| entry.public_key == public_key);
    let is_gateway = loaded.registry.gateways().iter().any(|entry| entry.public_key == public_key);
    if own.is_none() && !is_gateway {
        bail!(
            "the key {public_key} is neither an operator's nor a gateway's in {}; peers would refuse it",
            config.registry_file.display()
        );
    }
    let role = if own.is_some() { Role::Operator } else { Role::Gateway };
    let mut network = network_config(loaded, role, &config.mesh)?;
    network.use_relay = false;
    network.is_node = false;
    let (client, mut events) = Network::start(network).await?;
    // Nothing is answered here; whoever asks is told so by the dropped responder and asks the real node.
    let drain = tokio::spawn(async move { while events.next().await.is_some() {} });
    let others: Vec<OperatorId> =
        operators.iter().copied().filter(|id| own.as_ref().map(|entry| entry.id) != Some(*id)).collect();
    client.keep(others.iter().filter_map(|id| client.peer_of(*id)).collect()).await;
    let findings = join_all(others.iter().map(|id| ask(&client, loaded.registry.as_ref(), *id, patience))).await;
    let nodes = presence::count(&client, TWIN_PATIENCE).await;
    client.shutdown().await;
    drain.abort();
    Ok((findings, own.filter(|_| nodes > 1).map(|entry| entry.id)))
}

fn print_table(findings: &[Finding]) -> ExitCode {
    println!(
        "{:<9} {:<20} {:<9} {:<10} {:>8} {:>9} {:>5}  capabilities",
        "operator", "name", "state", "version", "rtt ms", "clock ms", "open"
    );
    let mut unfit = HashSet::new();
    for finding in findings {
        let (id, name) = (finding.operator, &finding.name);
        match &finding.answer {
            Ok(answer) => {
                let state = if answer.problems.is_empty() { "fit" } else { "NOT FIT" };
                let info = &answer.info;
                println!(
                    "{id:<9} {name:<20} {state:<9} {:<10} {:>8} {:>9} {:>5}  {}",
                    shown(&info.version),
                    answer.round_trip.as_millis(),
                    answer.skew_ms,
                    info.open_ceremonies,
                    info.capabilities.iter().map(|text| shown(text)).collect::<Vec<_>>().join(", ")
                );
                if !answer.problems.is_empty() {
                    unfit.insert(id);
                }
            }
            Err(_) => {
                println!("{id:<9} {name:<20} {:<9} {:<10} {:>8} {:>9} {:>5}", "NO ANSWER", "-", "-", "-", "-");
                unfit.insert(id);
            }
        }
    }
    for finding in findings {
        match &finding.answer {
            Ok(answer) => {
                answer.problems.iter().for_each(|problem| println!("operator {}: {problem}", finding.operator))
            }
            Err(problem) => println!("operator {}: {problem}", finding.operator),
        }
    }
    if unfit.is_empty() {
        println!("all {} operators are fit for a ceremony", findings.len());
        return ExitCode::SUCCESS;
    }
    println!(
        "{} of {} operators are not fit; a ceremony now would stay incomplete or fail",
        unfit.len(),
        findings.len()
    );
    ExitCode::FAILURE
}

/// What a peer claims reaches a terminal without control characters.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(40).collect()
}
