//! A script of `testnet/lodestar` as a child process.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use cluster_core::beacon::Preset;

use super::{install, LodestarError};

/// Loading its modules takes a node five seconds of one core, and a genesis of many validators some more.
const START_PATIENCE: Duration = Duration::from_secs(180);
const CALL_PATIENCE: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(50);
/// Bytes at the end of a log that an error shows.
const LOG_TAIL: usize = 2_000;

/// A process; it ends when its standard input is closed.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) child: Child,
    _stdin: Option<ChildStdin>,
}

impl Running {
    /// How it ended, if it has.
    pub(super) fn ended(&mut self) -> Result<Option<ExitStatus>, LodestarError> {
        let waited = self.child.try_wait();
        waited.map_err(|error| LodestarError::Io {
            what: "waiting for the process".to_owned(),
            reason: error.to_string(),
        })
    }
}

/// Starts a script; what it prints is appended to `log`.
pub(super) fn start(script: &str, arguments: &[String], preset: Preset, log: &Path) -> Result<Running, LodestarError> {
    let installed = install::find()?;
    let failed = |what: &str| {
        let what = format!("{what} {}", log.display());
        move |error: std::io::Error| LodestarError::Io { what, reason: error.to_string() }
    };
    let output = File::options().create(true).append(true).open(log).map_err(failed("opening the log"))?;
    let errors = output.try_clone().map_err(failed("opening the log"))?;
    let mut child = Command::new(&installed.node)
        .arg(installed.script(script))
        .args(arguments)
        .env("LODESTAR_PRESET", preset.name())
        .stdin(Stdio::piped())
        .stdout(output)
        .stderr(errors)
        // Ctrl-C in a terminal is for the run, which ends its processes in order.
        .process_group(0)
        .spawn()
        .map_err(failed("starting Node.js, with the log"))?;
    crate::priority::raise_child(child.id());
    let _stdin = child.stdin.take();
    Ok(Running { child, _stdin })
}

/// Waits until the process answers at this URL.
pub(super) async fn ready(
    running: &mut Running,
    http: &reqwest::Client,
    url: &str,
    log: &Path,
) -> Result<(), LodestarError> {
    let started = Instant::now();
    loop {
        let answer = http.get(url).send().await;
        // Whoever else listens on the port is not this process.
        if let Some(status) = running.ended()? {
            return Err(LodestarError::Ended { status: status.to_string(), tail: tail(log), log: log.to_owned() });
        }
        if answer.is_ok_and(|answer| answer.status().is_success()) {
            return Ok(());
        }
        if started.elapsed() > START_PATIENCE {
            return Err(LodestarError::NotReady { seconds: START_PATIENCE.as_secs(), log: log.to_owned() });
        }
        tokio::time::sleep(POLL).await;
    }
}

/// A client for calls to processes of this machine.
pub(super) fn client() -> Result<reqwest::Client, LodestarError> {
    let client = reqwest::Client::builder().no_proxy().timeout(CALL_PATIENCE).build();
    client.map_err(|error| LodestarError::Http { reason: error.to_string() })
}

/// The end of a log.
fn tail(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let from = text.len().saturating_sub(LOG_TAIL);
    String::from_utf8_lossy(text.get(from..).unwrap_or_default()).into_owned()
}
