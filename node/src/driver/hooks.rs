//! What tests and the testnet may hook into: faults, observation, crashes. A binary started from its command line has
//! none of them, except the crash switch of builds with the feature `fault-injection`.

use std::sync::Arc;
use std::time::Duration;

use cluster_core::ceremony::CeremonyId;
use cluster_core::committee::OperatorId;
use cluster_core::dkg::{Context, Message, Step};
use cluster_core::machine::{Recipient, Time};
use cluster_crypto::identity;

use crate::beacon::Beacon;
use crate::duties::mesh::Mesh;
use crate::duties::record::Recorder;
use crate::network::{LinkFaults, Transport};
use crate::signer::Signer;

/// A message that a misbehaving operator really sends.
#[derive(Clone, Debug)]
pub struct Emission {
    /// To whom.
    pub to: Recipient,
    /// What.
    pub message: Arc<Message>,
    /// How long it is held back.
    pub delay: Duration,
}

/// Misbehaviour behind an honest machine: changes what leaves it.
pub trait Tamper: Send {
    /// Sees what the operator receives.
    fn overhear(&mut self, message: &Message);
    /// What leaves instead of `message`.
    fn tamper(&mut self, to: Recipient, message: Arc<Message>) -> Vec<Emission>;
}

/// Makes a [`Tamper`] for each ceremony of an operator; the operator's own key lets a liar sign its lies.
pub type MakeTamper = Arc<dyn Fn(&Context, OperatorId, &identity::SecretKey) -> Box<dyn Tamper> + Send + Sync>;

/// Called when a ceremony enters a step.
pub type OnStep = Arc<dyn Fn(CeremonyId, Step, Time) + Send + Sync>;

/// Hooks of one operator; all of them are off by default.
#[derive(Clone, Default)]
pub struct Hooks {
    /// Latency, loss and partitions on this operator's links.
    pub faults: Option<LinkFaults>,
    /// Transports to use.
    pub transport: Transport,
    /// Byzantine behaviour.
    pub tamper: Option<MakeTamper>,
    /// Observation of steps.
    pub on_step: Option<OnStep>,
    /// Die when a ceremony enters this step: after what it persists is on disk, before anything is sent. In a process of
    /// its own the death is a SIGKILL (feature `fault-injection`); in a testnet the operator stops as by
    /// [`crate::operator::RunningOperator::kill`].
    pub crash_at: Option<Step>,
    /// Put between duties and the beacon nodes.
    pub wrap_beacon: Option<Wrap<dyn Beacon>>,
    /// Put between duties and the signer.
    pub wrap_signer: Option<Wrap<dyn Signer>>,
    /// Put between duties and the other operators.
    pub wrap_mesh: Option<Wrap<dyn Mesh>>,
    /// Takes records of duties, beside the node's own ledger.
    pub recorder: Option<Arc<dyn Recorder>>,
}

/// Puts something around a part of the operator.
pub type Wrap<T> = Arc<dyn Fn(Arc<T>) -> Arc<T> + Send + Sync>;

impl std::fmt::Debug for Hooks {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Hooks")
            .field("faults", &self.faults.is_some())
            .field("tamper", &self.tamper.is_some())
            .field("crash_at", &self.crash_at)
            .finish_non_exhaustive()
    }
}
