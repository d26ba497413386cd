//! Anvil as a child process.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use cluster_node::service_client::now_ms;

use super::{EvmError, Tools};

/// Stops anvil when the standard input closes, which happens when this process ends, however it ends.
const SCRIPT: &str = r#"
"$ANVIL" "$@" &
anvil=$!
trap 'kill $anvil; wait $anvil' EXIT
cat >/dev/null
"#;
/// The chain id that contracts are deployed under: the deployment script puts doubles on chains for development only.
const DEVELOPMENT_CHAIN: &str = "31337";
/// Seconds between blocks: nodes wait for confirmations.
const BLOCK_S: &str = "1";
/// Of a block; the deployment needs more than the 30 million that anvil gives by itself.
const BLOCK_GAS: &str = "60000000";
/// Blocks whose state is kept; only the newest is asked for.
const STATES: &str = "64";

/// An EVM that makes a block every second. It ends when this is dropped.
#[derive(Debug)]
pub struct Anvil {
    url: String,
    shell: Child,
}

impl Anvil {
    /// Starts it on a free port, on a development chain, where every transaction gets a block at once. Its clock is so many
    /// seconds late.
    pub fn start(tools: &Tools, late_s: u64) -> Result<Self, EvmError> {
        let failed = |reason: String| EvmError::Process { what: "anvil", reason };
        let clock = match late_s {
            0 => Vec::new(),
            late_s => vec!["--timestamp".to_owned(), (now_ms() / 1_000).saturating_sub(late_s).to_string()],
        };
        let mut shell = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "anvil", "--port", "0", "--chain-id", DEVELOPMENT_CHAIN])
            .args(["--block-time", BLOCK_S, "--mixed-mining", "--gas-limit", BLOCK_GAS])
            .args(["--prune-history", STATES])
            .args(clock)
            .env("ANVIL", &tools.anvil)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C in a terminal is for the network, which ends its parts in order.
            .process_group(0)
            .spawn()
            .map_err(|error| failed(error.to_string()))?;
        let (Some(output), Some(mut errors)) = (shell.stdout.take(), shell.stderr.take()) else {
            return Err(failed("its output cannot be read".to_owned()));
        };
        let mut lines = BufReader::new(output).lines().map_while(Result::ok);
        let address = lines.by_ref().find_map(|line| Some(line.trim().strip_prefix("Listening on ")?.to_owned()));
        let Some(address) = address else {
            drop(shell.stdin.take());
            let mut words = String::new();
            let _ = errors.read_to_string(&mut words);
            return Err(failed(words.trim().to_owned()));
        };
        // Somebody has to read what it writes, or it stops.
        std::thread::spawn(move || lines.for_each(drop));
        std::thread::spawn(move || std::io::copy(&mut errors, &mut std::io::sink()));
        Ok(Self { url: format!("http://{address}"), shell })
    }

    /// Of its JSON-RPC interface.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The same, as a WebSocket.
    #[must_use]
    pub fn socket_url(&self) -> String {
        self.url.replacen("http", "ws", 1)
    }
}

impl Drop for Anvil {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}
