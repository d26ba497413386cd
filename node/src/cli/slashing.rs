//! `cluster-node slashing`: what validators have signed, from one node to another (EIP-3076).

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{bail, Context};
use clap::{Args, Subcommand};
use cluster_core::encoding::{from_hex, to_hex};
use cluster_core::slashing::{Interchange, MAX_INTERCHANGE_BYTES};

use super::RunArgs;
use crate::config::{self, OperatorConfig};
use crate::store::{SlashingDb, StoreError};

#[derive(Debug, Args)]
pub(super) struct SlashingArgs {
    #[command(subcommand)]
    command: SlashingCommand,
}

#[derive(Debug, Subcommand)]
enum SlashingCommand {
    /// Write what this node's validators have signed to a file in the interchange format of EIP-3076.
    ///
    /// Stop the operator (or its signer) first. Once another node has imported the file and signs, this one must not sign any more.
    Export(ExportArgs),
    /// Take over what validators have signed on another node, from a file in the interchange format of EIP-3076.
    ///
    /// Stop the operator (or its signer) first. Nothing is lost: the file joins what is on record, and importing it again changes nothing.
    Import(ImportArgs),
}

#[derive(Debug, Args)]
struct ExportArgs {
    #[command(flatten)]
    run: RunArgs,
    /// The file to write; it must not exist.
    #[arg(long)]
    out: PathBuf,
}

#[derive(Debug, Args)]
struct ImportArgs {
    #[command(flatten)]
    run: RunArgs,
    /// The file to read, JSON.
    file: PathBuf,
    /// Refuse the file unless it is of the chain with this genesis validators root (0x and 64 hex digits).
    #[arg(long)]
    genesis_validators_root: Option<String>,
}

pub(super) fn run(args: &SlashingArgs) -> anyhow::Result<ExitCode> {
    match &args.command {
        SlashingCommand::Export(args) => export(args),
        SlashingCommand::Import(args) => import(args),
    }
}

fn export(args: &ExportArgs) -> anyhow::Result<ExitCode> {
    let data_dir = data_dir(&args.run)?;
    // Opening would make an empty one, which the reader would take for his own.
    if !data_dir.join("db").exists() {
        bail!("{} has no database; check data_dir", data_dir.display());
    }
    let file = match open(&data_dir)?.export() {
        Err(StoreError::NoChain) => {
            bail!("there is nothing to export: nothing was signed or imported in {}", data_dir.display())
        }
        file => file?,
    };
    write_new(&args.out, &file).with_context(|| format!("{} cannot be written", args.out.display()))?;
    let (blocks, attestations) = messages(&file);
    println!("wrote {}", args.out.display());
    println!("validators     {}", file.data.len());
    println!("blocks         {blocks}");
    println!("attestations   {attestations}");
    println!("chain          {}", to_hex(&file.metadata.genesis_validators_root));
    println!("Once another node has imported it and signs, do not let this node sign for these validators again.");
    Ok(ExitCode::SUCCESS)
}

fn import(args: &ImportArgs) -> anyhow::Result<ExitCode> {
    let path = &args.file;
    let shown = path.display();
    let length = std::fs::metadata(path).with_context(|| format!("{shown} cannot be read"))?.len();
    if length > MAX_INTERCHANGE_BYTES as u64 {
        bail!("{shown} has {length} bytes; at most {MAX_INTERCHANGE_BYTES} are read. Let the other node prune its history before it exports");
    }
    let bytes = std::fs::read(path).with_context(|| format!("{shown} cannot be read"))?;
    let file = Interchange::from_json(&bytes).with_context(|| format!("{shown} is no interchange file (EIP-3076)"))?;
    if let Some(text) = &args.genesis_validators_root {
        let expected: [u8; 32] = from_hex(text).context("--genesis-validators-root is wrong")?;
        if file.metadata.genesis_validators_root != expected {
            let found = to_hex(&file.metadata.genesis_validators_root);
            bail!("{shown} is of the chain with genesis validators root {found}, not of {text}; nothing was imported");
        }
    }
    let data_dir = data_dir(&args.run)?;
    let database = open(&data_dir)?;
    let report = match database.import(&file) {
        Err(error @ StoreError::OtherChain { .. }) => return Err(error).context(format!("{shown} was not imported")),
        report => report?,
    };
    println!("imported {shown} into {}", data_dir.display());
    println!("validators     {}", report.validators);
    println!("blocks         {}", report.blocks);
    println!("attestations   {}", report.attestations);
    println!("chain          {}", to_hex(&file.metadata.genesis_validators_root));
    if let Some(slot) = report.newest_slot {
        println!("newest block   slot {slot}: for no validator of the file a block at or before its newest one is signed any more");
    }
    if let Some(epoch) = report.newest_target {
        println!("newest vote    target epoch {epoch}: for no validator of the file a vote for its newest target or an earlier one is signed any more");
    }
    Ok(ExitCode::SUCCESS)
}

fn data_dir(args: &RunArgs) -> anyhow::Result<PathBuf> {
    let config: OperatorConfig = config::load(args.config.as_deref(), &args.overrides()?)?;
    Ok(config.data_dir)
}

fn open(data_dir: &Path) -> anyhow::Result<SlashingDb> {
    match SlashingDb::open(data_dir) {
        Err(error @ StoreError::Locked { .. }) => {
            Err(error).context("the operator (or its signer) is running; stop it, then run this command again")
        }
        database => Ok(database?),
    }
}

fn messages(file: &Interchange) -> (usize, usize) {
    file.data.iter().fold((0, 0), |(blocks, attestations), entry| {
        (blocks + entry.signed_blocks.len(), attestations + entry.signed_attestations.len())
    })
}

/// Durable before the command says so: the database may be deleted next.
fn write_new(path: &Path, file: &Interchange) -> anyhow::Result<()> {
    let mut out = BufWriter::new(std::fs::OpenOptions::new().write(true).create_new(true).open(path)?);
    serde_json::to_writer_pretty(&mut out, file)?;
    out.write_all(b"\n")?;
    out.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?;
    Ok(())
}
