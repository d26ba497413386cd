//! `cluster-node monitoring`: alert rules and dashboards as files.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use crate::monitoring;

/// Flags of `monitoring`.
#[derive(Debug, Args)]
pub(super) struct MonitoringArgs {
    /// Folder to write to; made when it does not exist.
    #[arg(long)]
    out: PathBuf,
    /// Where the alerts' links to the failure catalogue begin: a folder or an URL.
    #[arg(long, default_value = monitoring::DOCS)]
    docs: String,
}

pub(super) fn run(args: &MonitoringArgs) -> anyhow::Result<ExitCode> {
    std::fs::create_dir_all(&args.out).with_context(|| format!("cannot make {}", args.out.display()))?;
    for (name, content) in monitoring::files(&args.docs) {
        let path = args.out.join(name);
        std::fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
        println!("{}", path.display());
    }
    Ok(ExitCode::SUCCESS)
}
