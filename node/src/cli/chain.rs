//! `cluster-node chain`: what this node read from the contracts.

use std::process::ExitCode;

use anyhow::{bail, Context};
use clap::{Args, Subcommand};
use cluster_core::chain::{Entry, Facts, Quarantined};
use serde_json::json;

use super::RunArgs;
use crate::config::{self, OperatorConfig};
use crate::keys;
use crate::store::Store;

/// Flags of `chain`.
#[derive(Debug, Args)]
pub(super) struct ChainArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Cursor, numbers of facts, and subscriptions. The node must be stopped; a running one shows the same in its metrics.
    Status(ReadArgs),
    /// Events that could not be handled, each with its reason. The node must be stopped.
    Quarantine(ReadArgs),
    /// Forget what was read, so that the next start reads the contracts from the first block. Shares, slashing history and
    /// validators stay. The node must be stopped.
    Rescan(RunArgs),
}

#[derive(Debug, Args)]
struct ReadArgs {
    #[command(flatten)]
    run: RunArgs,
    /// JSON instead of lines for people.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &ChainArgs) -> anyhow::Result<ExitCode> {
    match &args.what {
        What::Status(args) => status(args),
        What::Quarantine(args) => quarantine(args),
        What::Rescan(args) => {
            open(args)?.forget_chain()?;
            println!("forgotten; the next start reads the contracts from chain.start_block on");
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn open(args: &RunArgs) -> anyhow::Result<Store> {
    let config: OperatorConfig = config::load(args.config.as_deref(), &args.overrides()?)?;
    if !config.data_dir.join("db").exists() {
        bail!("there is no database in {}", config.data_dir.display());
    }
    let identity = keys::load_identity(&config.identity)?;
    Store::open(&config.data_dir, &identity).context("stop the node first")
}

fn status(args: &ReadArgs) -> anyhow::Result<ExitCode> {
    let store = open(&args.run)?;
    let state = store.chain_state()?;
    let Some(cursor) = state.cursor else {
        println!("nothing was read from the contracts yet");
        return Ok(ExitCode::SUCCESS);
    };
    let mut facts = Facts::default();
    for entry in state.entries {
        let _former = facts.set(entry);
    }
    let registered = facts.validators().filter(|(_, fact)| fact.is_registered()).count();
    let first_end = facts.validators().filter(|(_, fact)| fact.is_registered()).map(|(_, fact)| fact.paid_until_block);
    let first_end = first_end.min();
    let active = facts.operators().filter(|(_, fact)| fact.active).count();
    if args.json {
        let status = json!({
            "contracts": cursor.contracts,
            "block": cursor.tip,
            "operators": active,
            "cluster_nodes": facts.cluster_nodes().len(),
            "validators": registered,
            "first_subscription_ends_at_block": first_end,
            "requests": facts.requests().len(),
            "exits": facts.exits().len(),
            "quarantined": facts.quarantine().len(),
            "waiting": state.marks.len(),
        });
        println!("{}", serde_json::to_string_pretty(&status)?);
        return Ok(ExitCode::SUCCESS);
    }
    let row = |name: &str, value: String| println!("{name:<28}{value}");
    row("chain id", cursor.contracts.chain_id.to_string());
    row("block", cursor.tip.map_or("none".to_owned(), |tip| format!("{} {}", tip.number, tip.hash)));
    row("operators", active.to_string());
    row("cluster nodes", facts.cluster_nodes().len().to_string());
    row("validators", registered.to_string());
    row("first subscription ends", first_end.map_or("-".to_owned(), |block| format!("block {block}")));
    row("requests", facts.requests().len().to_string());
    row("exit events", facts.exits().len().to_string());
    row("events in quarantine", facts.quarantine().len().to_string());
    row("facts to act on", state.marks.len().to_string());
    Ok(ExitCode::SUCCESS)
}

fn quarantine(args: &ReadArgs) -> anyhow::Result<ExitCode> {
    let store = open(&args.run)?;
    let kept: Vec<Quarantined> = store
        .chain_state()?
        .entries
        .into_iter()
        .filter_map(|entry| match entry {
            Entry::Quarantine(_, Some(event)) => Some(*event),
            _ => None,
        })
        .collect();
    if args.json {
        println!("{}", serde_json::to_string_pretty(&kept)?);
        return Ok(ExitCode::SUCCESS);
    }
    if kept.is_empty() {
        println!("no event is in quarantine");
    }
    for event in kept {
        println!("block {} {} {}: {}", event.position.block_number, event.contract, event.event, event.words);
    }
    Ok(ExitCode::SUCCESS)
}
