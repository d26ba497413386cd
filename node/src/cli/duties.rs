//! `cluster-node duties`: what became of this operator's duties.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::{bail, Context};
use clap::Args;
use cluster_core::beacon::Slot;

use super::RunArgs;
use crate::config::{self, OperatorConfig};
use crate::duties::ledger;
use crate::duties::record::DutyRecord;
use crate::keys;
use crate::network::Twin;
use crate::operator::{DutyRecords, MAX_DUTY_RECORDS};
use crate::store::Store;

/// Flags of `duties`.
#[derive(Debug, Args)]
pub(super) struct DutiesArgs {
    #[command(flatten)]
    run: RunArgs,
    /// First slot.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Last slot; the newest when not given.
    #[arg(long)]
    to: Option<u64>,
    /// Only duties that were missed.
    #[arg(long)]
    missed: bool,
    /// One JSON object for each duty instead of lines for people.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &DutiesArgs) -> anyhow::Result<ExitCode> {
    let flags = args.run.overrides()?;
    let config: OperatorConfig = config::load(args.run.config.as_deref(), &flags)?;
    let (mut records, twin) = read(&config, args)?;
    // Beside the records, which programs read.
    if let Some(Twin { session, told_by, .. }) = twin {
        eprintln!("another node runs with this operator's key (session {session}, told by {told_by}): this one performs no duties.");
        eprintln!("Stop the other node for good, then restart this one; see docs/failures.md#twin");
    }
    records.retain(|record| !args.missed || record.miss.is_some());
    if records.is_empty() {
        println!("no {}duties in these slots", if args.missed { "missed " } else { "" });
        return Ok(ExitCode::SUCCESS);
    }
    for record in &records {
        if args.json {
            println!("{}", serde_json::to_string(record)?);
        } else {
            println!("{}", line(record));
        }
    }
    if !args.json {
        println!("{}", summary(&records));
    }
    Ok(ExitCode::SUCCESS)
}

/// From the running operator, or from its database when it is stopped.
fn read(config: &OperatorConfig, args: &DutiesArgs) -> anyhow::Result<(Vec<DutyRecord>, Option<Twin>)> {
    if let Some(address) = config.http.address()? {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        match runtime.block_on(ask(&format!("http://{address}/duties"), args)) {
            Ok(answer) => return Ok(answer),
            Err(error) if error.is_connect() => {}
            Err(error) => bail!("the operator at {address} did not answer: {error}"),
        }
    }
    let identity = keys::load_identity(&config.identity)?;
    let store = Store::open(&config.data_dir, &identity)
        .context("the operator does not answer on http.listen, and its database cannot be opened")?;
    let to = Slot(args.to.unwrap_or(u64::MAX - 1));
    Ok((ledger::read(&store, Slot(args.from), to, usize::MAX)?, None))
}

async fn ask(url: &str, args: &DutiesArgs) -> Result<(Vec<DutyRecord>, Option<Twin>), reqwest::Error> {
    let client = reqwest::Client::new();
    let (mut records, mut from) = (Vec::new(), args.from);
    loop {
        let mut query = vec![("from", from.to_string())];
        query.extend(args.to.map(|to| ("to", to.to_string())));
        let answer = client.get(url).query(&query).send().await?.error_for_status()?;
        let page: DutyRecords = answer.json().await?;
        let is_full = page.records.len() >= MAX_DUTY_RECORDS;
        records.extend(page.records);
        match page.next {
            Some(next) if next > from => from = next,
            // A single slot with more records than one answer holds.
            Some(next) if is_full => from = next + 1,
            _ => return Ok((records, page.twin)),
        }
    }
}

fn line(record: &DutyRecord) -> String {
    let at = |ms: Option<u32>| ms.map_or("-".to_owned(), |ms| format!("{ms} ms"));
    let participants: Vec<String> = record.participants.iter().map(|(id, ms)| format!("{id} ({ms} ms)")).collect();
    let mut line = format!(
        "slot {} {}: {} of {} submitted at {} (data {}, decided {}{}, signed {}); took part: {}",
        record.slot,
        record.kind.name(),
        record.submitted,
        record.validators.len(),
        at(record.steps.submitted_ms),
        at(record.steps.data_ms),
        at(record.steps.decided_ms),
        record.decided_by.map_or(String::new(), |(round, leader)| format!(" in round {round} of operator {leader}")),
        at(record.steps.signed_ms),
        if participants.is_empty() { "nobody".to_owned() } else { participants.join(", ") },
    );
    if !record.bad.is_empty() {
        let bad: Vec<String> = record.bad.iter().map(ToString::to_string).collect();
        line += &format!("; wrong partial signatures by operators {}", bad.join(", "));
    }
    if let Some(miss) = &record.miss {
        line += &format!("; missed ({}): {miss}", miss.name());
    }
    line
}

fn summary(records: &[DutyRecord]) -> String {
    let mut kinds: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for record in records {
        let (submitted, expected) = kinds.entry(record.kind.name()).or_default();
        *submitted += u64::from(record.submitted);
        *expected += record.validators.len() as u64;
    }
    let parts: Vec<String> =
        kinds.iter().map(|(kind, (submitted, expected))| format!("{kind} {submitted} of {expected}")).collect();
    format!("in all: {}", parts.join(", "))
}
