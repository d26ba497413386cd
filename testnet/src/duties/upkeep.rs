//! What operators say they do for validators besides their duties, asked as people ask.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use cluster_core::committee::OperatorId;
use cluster_node::service_client::ReportedUpkeep;

use super::setup::Files;
use super::stats;

const PATIENCE: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(250);

/// By operator, how many validators stand how: `relay registered`, `exit published` and so on.
pub type Counts = BTreeMap<OperatorId, BTreeMap<String, usize>>;

/// Asks until nothing is left that is tried again in the next slot, for a while at most.
pub async fn look(out: &Path, running: &[OperatorId], patience: Duration) -> Counts {
    let until = tokio::time::Instant::now() + patience;
    loop {
        let found = ask(out, running).await;
        let is_open = found.values().any(|counts| counts.contains_key("relay not_taken"));
        if !is_open || tokio::time::Instant::now() >= until {
            return found;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Operators that do not answer are left out.
async fn ask(out: &Path, running: &[OperatorId]) -> Counts {
    let mut found = BTreeMap::new();
    for operator in running {
        let Some(url) = stats::last(&Files::of(out, *operator).stats).and_then(|stats| stats.http) else { continue };
        match answer(&url).await {
            Ok(upkeep) => {
                found.insert(*operator, count(&upkeep));
            }
            Err(error) => {
                tracing::warn!(%error, "operator {operator} does not say what it does for its validators: {error}")
            }
        }
    }
    found
}

async fn answer(url: &str) -> reqwest::Result<ReportedUpkeep> {
    let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build()?;
    client.get(format!("{url}/upkeep")).send().await?.error_for_status()?.json().await
}

fn count(upkeep: &ReportedUpkeep) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for validator in &upkeep.validators {
        for word in [format!("relay {}", validator.relay.state), format!("exit {}", validator.exit)] {
            *counts.entry(word).or_default() += 1;
        }
    }
    counts
}
