//! Messages to a live machine, in every stage of a ceremony: as they come, and signed by the member that they name, so
//! that what lies behind the check of signatures is reached as well.

use std::{cell::RefCell, collections::BTreeMap, sync::Arc};

use cluster_core::{
    dkg::{vote_digest, Body, Machine, Message, Output, Record, Signed, Timing},
    machine::Time,
    simulation::START,
};

use crate::world::{world, MESSAGE_LIMIT};

/// A machine at some stage, with the journal that led there.
struct Live {
    machine: Machine,
    journal: Vec<Record>,
}

thread_local! {
    /// Machines that no input has changed yet, by the number of genuine messages that they have received.
    static UNTOUCHED: RefCell<BTreeMap<usize, Live>> = const { RefCell::new(BTreeMap::new()) };
}

/// The stage, the position of the sender in the committee, and a message.
pub fn target(data: &[u8]) {
    let [stage, sender, message @ ..] = data else { return };
    let Ok(message) = Message::decode(message, MESSAGE_LIMIT) else { return };
    let stage = usize::from(*stage) % (world().received.len() + 1);
    let member = usize::from(*sender) % world().identities.len();
    let Some(from) = world().identities.keys().nth(member).copied() else { return };
    let mut live = UNTOUCHED.with_borrow_mut(|kept| kept.remove(&stage)).unwrap_or_else(|| at_stage(stage));
    let mut touched = false;
    for message in [genuinely_signed(&live.machine, &message), message] {
        let _ = live.machine.on_message(START, from, message);
        touched |= live.drain();
    }
    if touched {
        live.go_on(stage);
    } else {
        UNTOUCHED.with_borrow_mut(|kept| kept.insert(stage, live));
    }
}

/// Every genuine message, at the stage in which it came and two stages before.
pub fn seeds() -> Vec<Vec<u8>> {
    let member = |from| world().identities.keys().position(|id| *id == from).unwrap_or(0) as u8;
    let mut seeds = Vec::new();
    for (stage, (from, bytes)) in world().received.iter().enumerate() {
        for stage in [stage, stage.saturating_sub(2)] {
            seeds.push([&[stage as u8, member(*from)], &bytes[..]].concat());
        }
    }
    for (stage, bytes) in crate::dkg_message::seeds().iter().rev().take(2).enumerate() {
        seeds.push([&[7 * stage as u8 + 5, 1], &bytes[..]].concat());
    }
    seeds
}

fn at_stage(stage: usize) -> Live {
    let machine = world().start().expect("the operator is in the committee");
    let mut live = Live { machine, journal: Vec::new() };
    live.drain();
    live.receive(0, stage);
    live
}

impl Live {
    /// The genuine messages from one stage to another.
    fn receive(&mut self, from_stage: usize, to_stage: usize) {
        for (from, bytes) in &world().received[from_stage..to_stage] {
            let message = Message::decode(bytes, MESSAGE_LIMIT).expect("a genuine message");
            let _ = self.machine.on_message(START, *from, message);
            self.drain();
        }
    }

    /// Whether there was any output.
    fn drain(&mut self) -> bool {
        let mut any = false;
        while let Some(output) = self.machine.poll() {
            any = true;
            match output {
                Output::Persist(Record::Shares(_)) => {}
                Output::Persist(record) => self.journal.push(record),
                Output::Send { message, .. } => assert!(message.encode().len() <= MESSAGE_LIMIT),
                Output::Done(outcome) => drop(outcome),
                Output::Abort(report) => assert!(!report.reason.is_empty()),
            }
        }
        any
    }

    /// The rest of the ceremony, all of its deadlines, and a restart from the journal.
    fn go_on(mut self, stage: usize) {
        self.receive(stage, world().received.len());
        let mut now = START;
        for _ in 0..64 {
            let Some(deadline) = self.machine.deadline() else { break };
            now = Time(deadline.0.max(now.0 + 1));
            self.machine.on_deadline(now);
            self.drain();
        }
        let identity = world().identities[&world().me].clone();
        let request = world().request.clone();
        let restored = Machine::restore(request, world().me, identity, self.journal, Timing::default(), now);
        assert_eq!(restored.map(|machine| machine.step()).ok(), Some(self.machine.step()), "the journal must do");
    }
}

/// The same statements with right signatures; one who is not in the committee cannot sign.
fn genuinely_signed(machine: &Machine, message: &Message) -> Message {
    let sign = |signed: &Arc<Signed>| {
        let Some(identity) = world().identities.get(&signed.from) else { return Arc::clone(signed) };
        let mut body = signed.body.clone();
        if let Body::Verdict(ballot) = &mut body {
            ballot.vote = identity.sign(&vote_digest(machine.context(), signed.from, ballot.view, &ballot.qualified));
        }
        Arc::new(Signed::new(machine.context(), signed.from, identity, body))
    };
    match message {
        Message::Deliver(signed) => Message::Deliver(sign(signed)),
        Message::Relay(relayed) => Message::Relay(relayed.iter().take(8).map(sign).collect()),
        Message::Want(inventory) => Message::Want(inventory.clone()),
    }
}
