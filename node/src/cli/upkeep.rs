//! `cluster-node upkeep`: what this operator does for its validators besides their duties.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::{bail, Context};
use clap::Args;

use super::RunArgs;
use crate::config::{self, OperatorConfig};
use crate::service_client::{ReportedRelay, ReportedUpkeep, UpkeepOfValidator};

/// Flags of `upkeep`.
#[derive(Debug, Args)]
pub(super) struct UpkeepArgs {
    #[command(flatten)]
    run: RunArgs,
    /// One JSON object for each validator instead of lines for people.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &UpkeepArgs) -> anyhow::Result<ExitCode> {
    let flags = args.run.overrides()?;
    let config: OperatorConfig = config::load(args.run.config.as_deref(), &flags)?;
    let Some(address) = config.http.address()? else {
        bail!("http.listen is not set: only a running operator knows how registrations and exits stand");
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let upkeep = runtime.block_on(ask(&format!("http://{address}/upkeep")));
    let upkeep = upkeep.with_context(|| format!("the operator at {address} did not answer; is it running?"))?;
    for validator in &upkeep.validators {
        if args.json {
            println!("{}", serde_json::to_string(validator)?);
        } else {
            println!("{}", line(validator));
        }
    }
    if !args.json {
        println!("{}", summary(&upkeep));
    }
    Ok(ExitCode::SUCCESS)
}

async fn ask(url: &str) -> Result<ReportedUpkeep, reqwest::Error> {
    reqwest::Client::new().get(url).send().await?.error_for_status()?.json().await
}

fn line(validator: &UpkeepOfValidator) -> String {
    let exit = match validator.exit.as_str() {
        "none" => String::new(),
        "ordered" => "; its exit is ordered and not signed yet".to_owned(),
        "signed" => "; its exit is signed here, and waits for the others".to_owned(),
        "published" => "; its exit is published".to_owned(),
        other => format!("; exit: {other}"),
    };
    format!("{} {}{exit}", validator.pubkey, relay_words(&validator.relay))
}

fn relay_words(relay: &ReportedRelay) -> String {
    let since = relay.epoch.map_or_else(String::new, |epoch| format!(" since epoch {epoch}"));
    let told = match (&relay.fee_recipient, relay.gas_limit) {
        (Some(recipient), Some(gas)) => format!(", to pay {recipient}, gas limit {gas}"),
        _ => String::new(),
    };
    match relay.state.as_str() {
        "off" => "is registered with no builder: this operator asks none (duties.builder)".to_owned(),
        "waiting" => "is not registered with builders yet".to_owned(),
        "incomplete" => format!("is not registered with builders{since}: too few operators sign"),
        "not_taken" => format!("is signed for builders, but no beacon node takes it{since}{told}"),
        _ => format!("is registered with builders{since}{told}"),
    }
}

fn summary(upkeep: &ReportedUpkeep) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for validator in &upkeep.validators {
        *counts.entry(validator.relay.state.as_str()).or_default() += 1;
    }
    let counts: Vec<String> = counts.iter().map(|(state, count)| format!("{state} {count}")).collect();
    match upkeep.validators.len() {
        0 => "this operator performs for no validator".to_owned(),
        validators => format!("{validators} validators; registration with builders: {}", counts.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cluster_core::committee::OperatorId;
    use cluster_crypto::ethereum::Address;
    use cluster_net::upkeep::{Exit, Registration, Relay, ValidatorUpkeep};

    #[test]
    fn every_state_has_words_and_all_are_counted() {
        let held = Registration { epoch: 7, fee_recipient: Address([0xab; 20]), gas_limit: 60_000_000 };
        let paid = format!("to pay 0x{}, gas limit 60000000", "ab".repeat(20));
        let table = [
            (Relay::Off, Exit::None, "is registered with no builder: this operator asks none (duties.builder)".to_owned()),
            (Relay::Waiting, Exit::Ordered, "is not registered with builders yet; its exit is ordered and not signed yet".to_owned()),
            (
                Relay::Incomplete { epoch: 3 },
                Exit::Signed,
                "is not registered with builders since epoch 3: too few operators sign; its exit is signed here, and waits for the others"
                    .to_owned(),
            ),
            (
                Relay::NotTaken(held),
                Exit::None,
                format!("is signed for builders, but no beacon node takes it since epoch 7, {paid}"),
            ),
            (
                Relay::Registered(held),
                Exit::Published,
                format!("is registered with builders since epoch 7, {paid}; its exit is published"),
            ),
        ];
        let validators =
            table.iter().map(|(relay, exit, _)| ValidatorUpkeep { pubkey: [1; 48], relay: *relay, exit: *exit });
        let upkeep = ReportedUpkeep::of(OperatorId(4), &validators.collect::<Vec<_>>());
        for (validator, (_, _, words)) in upkeep.validators.iter().zip(&table) {
            assert_eq!(line(validator), format!("0x{} {words}", "01".repeat(48)));
        }
        let all = "5 validators; registration with builders: incomplete 1, not_taken 1, off 1, registered 1, waiting 1";
        assert_eq!(summary(&upkeep), all);
        assert_eq!(summary(&ReportedUpkeep::of(OperatorId(4), &[])), "this operator performs for no validator");
    }
}
