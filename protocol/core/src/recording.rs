//! A ceremony without faults, and every message that one of its operators received, so that benches and fuzzing can
//! put the same operator through the same ceremony again.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use cluster_crypto::{identity, Secret};

use crate::{
    certificate::Certificate,
    committee::OperatorId,
    dkg::{Machine, Message, Output, Timing},
    machine::Recipient,
    network::Network,
    registry::FileRegistry,
    request::{CheckedRequest, RequestRules},
    simulation::{scenario, START},
};

/// A finished ceremony as its first operator saw it.
pub struct Recording {
    /// The owner's request.
    pub request: CheckedRequest,
    /// The registry that names the operators.
    pub registry: FileRegistry,
    /// The operators' keys.
    pub identities: BTreeMap<OperatorId, identity::SecretKey>,
    /// The operator whose view this is.
    pub me: OperatorId,
    /// What it received, in order: the authenticated sender and the encoded [`Message`].
    pub received: Vec<(OperatorId, Arc<[u8]>)>,
    /// What all operators attested in the end.
    pub certificate: Certificate,
}

/// A message under way to one operator.
struct Envelope {
    from: OperatorId,
    to: OperatorId,
    message: Arc<Message>,
}

impl Recording {
    /// Runs a ceremony of `operators` for `validators` keys; messages arrive in the order in which they were sent.
    ///
    /// # Errors
    /// The sizes are not those of a committee and a request, or the ceremony does not end with a certificate.
    pub fn new(operators: usize, validators: u32, seed: u64) -> Result<Self, String> {
        let (identities, registry, signed) = scenario(operators, validators, Network::Hoodi, seed)?;
        let rules = RequestRules::new(Network::Hoodi);
        let request = signed.check(&rules, &registry, START.seconds()).map_err(|error| error.to_string())?;
        let me = *identities.keys().next().ok_or("the committee is empty")?;
        let mut machines = BTreeMap::new();
        let mut queue = VecDeque::new();
        for (id, identity) in &identities {
            let mut machine = machine(&request, *id, identity).ok_or("an operator is not in the committee")?;
            collect(*id, &mut machine, &identities, &mut queue);
            machines.insert(*id, machine);
        }
        let mut received = Vec::new();
        let mut certificate = None;
        while let Some(Envelope { from, to, message }) = queue.pop_front() {
            let Some(machine) = machines.get_mut(&to) else { continue };
            if to == me {
                received.push((from, message.encode().into()));
            }
            let _ = machine.on_message(START, from, (*message).clone());
            let done = collect(to, machine, &identities, &mut queue);
            certificate = done.filter(|_| to == me).or(certificate);
        }
        let certificate = certificate.ok_or("the ceremony has no result")?;
        Ok(Self { request, registry, identities, me, received, certificate })
    }

    /// The operator's machine at the start of the ceremony, with the same secrets as in the recorded run.
    #[must_use]
    pub fn start(&self) -> Option<Machine> {
        machine(&self.request, self.me, self.identities.get(&self.me)?)
    }
}

/// Nothing of a recording is secret, so the seed may follow from the operator's number.
fn machine(request: &CheckedRequest, id: OperatorId, identity: &identity::SecretKey) -> Option<Machine> {
    let mut seed = [7; 32];
    seed[..4].copy_from_slice(&id.0.to_le_bytes());
    Machine::start(request.clone(), id, identity.clone(), Secret::new(seed), Timing::default(), START)
}

/// Puts what a machine sends into the queue; returns its certificate when it is done.
fn collect(
    from: OperatorId,
    machine: &mut Machine,
    members: &BTreeMap<OperatorId, identity::SecretKey>,
    queue: &mut VecDeque<Envelope>,
) -> Option<Certificate> {
    let mut certificate = None;
    while let Some(output) = machine.poll() {
        match output {
            Output::Send { to: Recipient::One(to), message } => queue.push_back(Envelope { from, to, message }),
            Output::Send { to: Recipient::All, message } => {
                queue.extend(members.keys().filter(|to| **to != from).map(|to| Envelope {
                    from,
                    to: *to,
                    message: Arc::clone(&message),
                }))
            }
            Output::Done(outcome) => certificate = Some(outcome.certificate),
            Output::Persist(_) | Output::Abort(_) => {}
        }
    }
    certificate
}
