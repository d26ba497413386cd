//! An order to leave, given as owners give it: with `cluster-node exit`, to the HTTP server of one operator, which passes it
//! on to the others.

use std::path::Path;
use std::time::Duration;

use cluster_core::network::Network;
use cluster_crypto::ethereum::WalletKey;
use cluster_node::keys;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use tokio::process::Command;

use super::observer::{Observer, ObserverError};
use super::report::ExitFigures;

const PATIENCE: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(250);

/// What an order needs.
pub struct Order<'a> {
    /// `cluster-node`.
    pub program: &'a Path,
    /// The validators' network.
    pub network: Network,
    /// Base URL of an operator's HTTP server.
    pub operator: &'a str,
    /// Index of the validator.
    pub validator: u64,
    /// Its public key, 0x hex.
    pub pubkey: &'a str,
    /// Who may order it to leave.
    pub owner: &'a WalletKey,
    /// Seed of the stranger's key.
    pub seed: u64,
    /// Slot of the order.
    pub slot: u64,
}

/// Has a stranger order the validator to leave, and then its owner.
pub async fn give(order: &Order<'_>) -> std::io::Result<ExitFigures> {
    let stranger = WalletKey::generate(&mut ChaCha20Rng::seed_from_u64(!order.seed));
    let (stranger_accepted, stranger_heard) = run(order, &stranger).await?;
    let (accepted, owner_heard) = run(order, order.owner).await?;
    Ok(ExitFigures {
        validator: order.validator,
        pubkey: order.pubkey.to_owned(),
        slot: order.slot,
        stranger_accepted,
        stranger_heard,
        accepted,
        owner_heard,
        ..ExitFigures::default()
    })
}

/// Looks at the validator's status until it has left, if its time has come, and for a while at most.
pub async fn look(observer: &Observer, figures: &mut ExitFigures, patience: Duration) -> Result<(), ObserverError> {
    let until = tokio::time::Instant::now() + patience;
    loop {
        let (status, exit_epoch) = observer.status(figures.validator).await?;
        (figures.status, figures.exit_epoch) = (status, exit_epoch);
        if figures.status != "active_exiting" || tokio::time::Instant::now() >= until {
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Whether the operator took the order, and what was said.
async fn run(order: &Order<'_>, wallet: &WalletKey) -> std::io::Result<(bool, String)> {
    // The key is on disk for as long as the command runs.
    let dir = tempfile::tempdir()?;
    let key_file = dir.path().join("owner.key");
    let key = wallet.to_bytes().expose(|bytes| hex::encode(bytes));
    keys::write_private(&key_file, key.as_bytes()).map_err(|error| std::io::Error::other(error.to_string()))?;
    let command = Command::new(order.program)
        .args(["exit", "--network", order.network.name(), "--validators", order.pubkey, "--operator", order.operator])
        .arg("--owner-key-file")
        .arg(&key_file)
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PATIENCE, command).await??;
    let said = [output.stdout, output.stderr].concat();
    Ok((output.status.success(), String::from_utf8_lossy(&said).trim().to_owned()))
}
