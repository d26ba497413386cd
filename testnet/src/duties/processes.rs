//! Operators as processes of their own.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use cluster_core::committee::OperatorId;
use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tokio::time::Instant;

use super::setup::Files;
use super::stats;

/// How long an operator may take to end by itself.
const END_PATIENCE: Duration = Duration::from_secs(15);
const LOOK: Duration = Duration::from_millis(100);
/// What operators log when the environment says nothing else.
const LOG_LEVEL: &str = "info";

/// Why an operator process is not as it should be.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// It does not start.
    #[error("operator {operator} does not start: {reason}")]
    Start {
        /// Which.
        operator: OperatorId,
        /// The system's words.
        reason: String,
    },
    /// It ended by itself.
    #[error("operator {operator} ended by itself ({status}); its log is {log}")]
    Ended {
        /// Which.
        operator: OperatorId,
        /// How.
        status: ExitStatus,
        /// Where to read why.
        log: PathBuf,
    },
    /// The system does not let us.
    #[error("operator {operator} cannot be {what}: {reason}")]
    Signal {
        /// Which.
        operator: OperatorId,
        /// Such as killed.
        what: &'static str,
        /// The system's words.
        reason: String,
    },
}

/// The operator processes of a run. Dropping it kills them; they also end when this process does.
#[derive(Debug)]
pub struct Processes {
    program: PathBuf,
    setup: PathBuf,
    dir: PathBuf,
    running: BTreeMap<OperatorId, Child>,
}

impl Processes {
    /// None yet. `setup` is the run's `world.json`.
    #[must_use]
    pub fn new(program: &Path, setup: &Path, dir: &Path) -> Self {
        Self { program: program.to_owned(), setup: setup.to_owned(), dir: dir.to_owned(), running: BTreeMap::new() }
    }

    /// Who runs.
    #[must_use]
    pub fn running(&self) -> Vec<OperatorId> {
        self.running.keys().copied().collect()
    }

    /// Starts an operator that does not run.
    pub fn start(&mut self, operator: OperatorId) -> Result<(), ProcessError> {
        let program = self.program.clone();
        self.start_as(&program, operator)
    }

    /// Starts an operator that does not run, as another program.
    pub fn start_as(&mut self, program: &Path, operator: OperatorId) -> Result<(), ProcessError> {
        let failed = |error: std::io::Error| ProcessError::Start { operator, reason: error.to_string() };
        let log = File::options().create(true).append(true).open(Files::of(&self.dir, operator).log).map_err(failed)?;
        let level = std::env::var("RUST_LOG").unwrap_or_else(|_| LOG_LEVEL.to_owned());
        let child = Command::new(program)
            .arg("operator-process")
            .arg("--world")
            .arg(&self.setup)
            .arg("--id")
            .arg(operator.to_string())
            .env("RUST_LOG", level)
            // The operator ends when its standard input does: with this process, however it ends.
            .stdin(Stdio::piped())
            .stdout(log.try_clone().map_err(failed)?)
            .stderr(log)
            .kill_on_drop(true)
            // Ctrl-C in a terminal is for the run, which ends its processes in order.
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        self.running.insert(operator, child);
        Ok(())
    }

    /// Kills an operator with SIGKILL.
    pub async fn kill(&mut self, operator: OperatorId) -> Result<(), ProcessError> {
        let Some(mut child) = self.running.remove(&operator) else { return Ok(()) };
        let failed =
            |error: std::io::Error| ProcessError::Signal { operator, what: "killed", reason: error.to_string() };
        child.kill().await.map_err(failed)
    }

    /// Ends an operator as an administrator would; kills it when it does not end.
    pub async fn stop(&mut self, operator: OperatorId) -> Result<(), ProcessError> {
        let Some(child) = self.running.get_mut(&operator) else { return Ok(()) };
        let failed = |reason: String| ProcessError::Signal { operator, what: "stopped", reason };
        if let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()) {
            kill(Pid::from_raw(pid), Signal::SIGTERM).map_err(|error| failed(error.to_string()))?;
        }
        match tokio::time::timeout(END_PATIENCE, child.wait()).await {
            Ok(ended) => {
                ended.map_err(|error| failed(error.to_string()))?;
                self.running.remove(&operator);
                Ok(())
            }
            Err(_) => self.kill(operator).await,
        }
    }

    /// Ends all of them at once.
    pub async fn stop_all(&mut self) -> Result<(), ProcessError> {
        for (operator, child) in &self.running {
            if let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()) {
                kill(Pid::from_raw(pid), Signal::SIGTERM).map_err(|error| ProcessError::Signal {
                    operator: *operator,
                    what: "stopped",
                    reason: error.to_string(),
                })?;
            }
        }
        for operator in self.running() {
            let Some(child) = self.running.get_mut(&operator) else { continue };
            if tokio::time::timeout(END_PATIENCE, child.wait()).await.is_err() {
                self.kill(operator).await?;
            }
        }
        self.running.clear();
        Ok(())
    }

    /// That no operator has ended by itself.
    pub fn check(&mut self) -> Result<(), ProcessError> {
        for (operator, child) in &mut self.running {
            if let Ok(Some(status)) = child.try_wait() {
                let log = Files::of(&self.dir, *operator).log;
                return Err(ProcessError::Ended { operator: *operator, status, log });
            }
        }
        Ok(())
    }

    /// Waits until every operator is connected to all others that run; who is not, after the deadline, is returned.
    pub async fn connected(&mut self, deadline: Instant) -> Result<Vec<OperatorId>, ProcessError> {
        loop {
            self.check()?;
            let others = self.running.len().saturating_sub(1);
            let mut lonely = self.running();
            lonely.retain(|operator| {
                let pid = self.running.get(operator).and_then(Child::id);
                let line = stats::last(&Files::of(&self.dir, *operator).stats);
                !line.is_some_and(|line| Some(line.pid) == pid && line.operators_connected >= others)
            });
            if lonely.is_empty() || Instant::now() >= deadline {
                return Ok(lonely);
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}
