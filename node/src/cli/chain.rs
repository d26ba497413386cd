//! `cluster-node chain`: what this node read from the contracts.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{bail, Context};
use clap::{Args, Subcommand};
use cluster_core::chain::{Entry, Facts, Quarantined};
use reqwest::StatusCode;
use serde::de::DeserializeOwned;

use super::{Role, RunArgs};
use crate::chain::Report;
use crate::config::{self, ConfigError, GatewayConfig, HttpConfig, IdentityConfig, OperatorConfig};
use crate::keys;
use crate::store::{Store, StoreError};

/// Flags of `chain`.
#[derive(Debug, Args)]
pub(super) struct ChainArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Cursor, numbers of facts, and subscriptions: of the running node over `http.listen`, or of one that is stopped.
    Status(ReadArgs),
    /// Events that could not be handled, each with its reason: of the running node, or of one that is stopped.
    Quarantine(ReadArgs),
    /// Forget what was read, so that the next start reads the contracts from the first block. Shares, slashing history and
    /// validators stay. The node must be stopped.
    Rescan(NodeArgs),
}

#[derive(Debug, Args)]
struct ReadArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// JSON instead of lines for people.
    #[arg(long)]
    json: bool,
}

/// Whose chain.
#[derive(Debug, Args)]
struct NodeArgs {
    /// What the node is; its configuration has the fields of this role.
    #[arg(long, value_enum, default_value = "operator")]
    role: Role,
    #[command(flatten)]
    run: RunArgs,
}

/// The part of either role's configuration that says where a node is.
struct Place {
    data_dir: PathBuf,
    identity: IdentityConfig,
    http: HttpConfig,
}

impl NodeArgs {
    fn place(&self) -> anyhow::Result<Place> {
        let (file, flags) = (self.run.config.as_deref(), self.run.overrides()?);
        Ok(match self.role {
            Role::Operator => {
                let loaded: Result<OperatorConfig, ConfigError> = config::load(file, &flags);
                let config = loaded.map_err(|error| match error {
                    ConfigError::UnknownField { .. } => anyhow::Error::new(error)
                        .context("this is no configuration of an operator; for a gateway's give --role gateway"),
                    error => error.into(),
                })?;
                Place { data_dir: config.data_dir, identity: config.identity, http: config.http }
            }
            Role::Gateway => {
                let config: GatewayConfig = config::load(file, &flags)?;
                Place { data_dir: config.data_dir, identity: config.identity, http: config.http }
            }
        })
    }
}

pub(super) fn run(args: &ChainArgs) -> anyhow::Result<ExitCode> {
    match &args.what {
        What::Status(args) => status(args)?,
        What::Quarantine(args) => quarantine(args)?,
        What::Rescan(args) => {
            open(&args.place()?)?.forget_chain()?;
            println!("forgotten; the next start reads the contracts from chain.start_block on");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn open(config: &Place) -> anyhow::Result<Store> {
    if !config.data_dir.join("db").exists() {
        bail!("there is no database in {}", config.data_dir.display());
    }
    let identity = keys::load_identity(&config.identity)?;
    Store::open(&config.data_dir, &identity).map_err(|error| match error {
        StoreError::Locked { .. } => anyhow::Error::new(error)
            .context("the node runs, and does not answer on http.listen: give its http.listen, or stop it"),
        error => error.into(),
    })
}

/// The answer of a running node; `None` when nobody listens on `http.listen`, or nobody is to.
fn ask<T: DeserializeOwned>(config: &Place, path: &str) -> anyhow::Result<Option<T>> {
    let Some(address) = config.http.address()? else { return Ok(None) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let client = reqwest::Client::builder().no_proxy().build()?;
        let answer = match client.get(format!("http://{address}{path}")).send().await {
            Ok(answer) => answer,
            Err(error) if error.is_connect() => return Ok(None),
            Err(error) => bail!("the node at {address} did not answer: {error}"),
        };
        if answer.status() == StatusCode::NOT_FOUND {
            bail!("the node at {address} reads no contracts: chain.urls was empty when it started");
        }
        let answer = answer.error_for_status().with_context(|| format!("the node at {address} did not answer"))?;
        let answer = answer.json().await;
        Ok(Some(answer.with_context(|| format!("what listens on {address} is no node of this version"))?))
    })
}

fn status(args: &ReadArgs) -> anyhow::Result<()> {
    let config = args.node.place()?;
    let report = match ask(&config, "/chain")? {
        Some(report) => report,
        None => match stopped(&open(&config)?)? {
            Some(report) => report,
            None => {
                println!("nothing was read from the contracts yet");
                return Ok(());
            }
        },
    };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        rows(&report).iter().for_each(|(name, value)| println!("{name:<28}{value}"));
    }
    Ok(())
}

/// From the database; `None` before the first block.
fn stopped(store: &Store) -> anyhow::Result<Option<Report>> {
    let state = store.chain_state()?;
    let Some(cursor) = state.cursor else { return Ok(None) };
    let mut facts = Facts::default();
    for entry in state.entries {
        let _former = facts.set(entry);
    }
    Ok(Some(Report::new(cursor.contracts, cursor.tip, &facts, state.marks.len())))
}

fn rows(report: &Report) -> Vec<(&'static str, String)> {
    let state = match (report.caught_up, report.head) {
        (None, _) => "stopped".to_owned(),
        (Some(true), Some(head)) => format!("running, everything confirmed up to head {head} is taken in"),
        (Some(_), Some(head)) => format!("running, behind head {head}"),
        (Some(_), None) => "running, no execution node has told the head".to_owned(),
    };
    let ends = report.first_subscription_ends_at_block.map(|end| match report.block {
        Some(tip) if end <= tip.number => format!("block {end}, {} blocks ago", tip.number - end),
        Some(tip) => format!("block {end}, in {} blocks", end - tip.number),
        None => format!("block {end}"),
    });
    vec![
        ("node", state),
        ("chain id", report.contracts.chain_id.to_string()),
        ("block", report.block.map_or("none".to_owned(), |tip| format!("{} {}", tip.number, tip.hash))),
        ("operators", report.operators.to_string()),
        ("cluster nodes", report.cluster_nodes.to_string()),
        ("validators", report.validators.to_string()),
        ("first subscription ends", ends.unwrap_or_else(|| "-".to_owned())),
        ("requests", report.requests.to_string()),
        ("exit events", report.exits.to_string()),
        ("events in quarantine", report.quarantined.to_string()),
        ("facts to act on", report.waiting.to_string()),
    ]
}

fn quarantine(args: &ReadArgs) -> anyhow::Result<()> {
    let config = args.node.place()?;
    let kept: Vec<Quarantined> = match ask(&config, "/chain/quarantine")? {
        Some(kept) => kept,
        None => open(&config)?
            .chain_state()?
            .entries
            .into_iter()
            .filter_map(|entry| match entry {
                Entry::Quarantine(_, Some(event)) => Some(*event),
                _ => None,
            })
            .collect(),
    };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&kept)?);
        return Ok(());
    }
    if kept.is_empty() {
        println!("no event is in quarantine");
    }
    for event in kept {
        println!("block {} {} {}: {}", event.position.block_number, event.contract, event.event, event.words);
    }
    Ok(())
}
