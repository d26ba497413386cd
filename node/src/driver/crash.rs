//! The crash switch: dying at a chosen step, for tests of recovery.

use std::sync::atomic::{AtomicBool, Ordering};

use cluster_core::dkg::Step;
use tokio_util::sync::CancellationToken;

/// Environment variable of the crash switch, read only by builds with the feature `fault-injection`.
pub const CRASH_VARIABLE: &str = "CLUSTER_NODE_CRASH_AT";

/// Fires at most once.
pub(crate) struct CrashSwitch {
    at: Option<Step>,
    fired: AtomicBool,
    /// Cancelled when the switch fires in a testnet: the operator stops without goodbye.
    crashed: CancellationToken,
    #[cfg(feature = "fault-injection")]
    process: Option<process::Switch>,
}

impl CrashSwitch {
    pub(crate) fn new(at: Option<Step>, crashed: CancellationToken, data_dir: &std::path::Path) -> Self {
        let _ = data_dir;
        Self {
            at,
            fired: AtomicBool::new(false),
            crashed,
            #[cfg(feature = "fault-injection")]
            process: process::Switch::from_environment(data_dir),
        }
    }

    /// Whether entering `step` is where to die.
    pub(super) fn is_due(&self, step: Step) -> bool {
        #[cfg(feature = "fault-injection")]
        if self.process.as_ref().is_some_and(|switch| switch.is_due(step)) {
            return true;
        }
        self.at == Some(step) && !self.fired.swap(true, Ordering::SeqCst)
    }

    /// Dies, or stops the operator.
    pub(super) fn happen(&self, step: Step) {
        tracing::warn!(%step, "crashing in step {step}, as a test asked for");
        #[cfg(feature = "fault-injection")]
        if let Some(switch) = &self.process {
            switch.happen(step);
        }
        self.crashed.cancel();
    }
}

#[cfg(feature = "fault-injection")]
mod process {
    //! The real thing: SIGKILL to this very process.

    use std::path::PathBuf;

    use cluster_core::dkg::Step;

    pub(super) struct Switch {
        at: Step,
        /// Exists once the process has died here: the restarted process goes on.
        marker: PathBuf,
    }

    impl Switch {
        pub(super) fn from_environment(data_dir: &std::path::Path) -> Option<Self> {
            let at = std::env::var(super::CRASH_VARIABLE).ok()?.parse().ok()?;
            Some(Self { at, marker: data_dir.join("crashed-once") })
        }

        pub(super) fn is_due(&self, step: Step) -> bool {
            step == self.at && !self.marker.exists()
        }

        pub(super) fn happen(&self, step: Step) {
            if step != self.at {
                return;
            }
            if std::fs::write(&self.marker, step.name()).is_err() {
                tracing::error!("the marker of the crash switch cannot be written");
            }
            let _ = nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL);
        }
    }
}
