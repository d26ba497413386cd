//! One operator's part of a ceremony, from the request to the certificate.

use std::time::Duration;

use cluster_core::{
    dkg::{Machine, Message, Output},
    recording::Recording,
    simulation::START,
};

use crate::cpu_time;

/// Bytes of one message at most, as on the wire.
pub const MESSAGE_LIMIT: usize = 4 * 1024 * 1024;

/// The processor time of one operator for a whole recorded ceremony: making its dealing, decoding and judging what
/// the others sent, encoding what it sends and journals, all seven steps. Network and disk are not in it.
///
/// # Errors
/// The operator does not end with a certificate.
pub fn operator(recording: &Recording) -> Result<Duration, String> {
    let (time, done) = cpu_time(|| {
        let mut machine = recording.start()?;
        let mut done = drain(&mut machine);
        for (from, bytes) in &recording.received {
            let message = Message::decode(bytes, MESSAGE_LIMIT).ok()?;
            let _ = machine.on_message(START, *from, message);
            done |= drain(&mut machine);
        }
        done.then_some(())
    });
    done.map(|()| time).ok_or_else(|| "the recorded ceremony does not come to its end again".to_owned())
}

/// Takes the outputs as a driver does: what is sent is encoded once, whoever gets it. True when the machine is done.
fn drain(machine: &mut Machine) -> bool {
    let mut done = false;
    while let Some(output) = machine.poll() {
        match output {
            Output::Send { message, .. } => drop(std::hint::black_box(message.encode())),
            Output::Done(_) => done = true,
            Output::Persist(_) | Output::Abort(_) => {}
        }
    }
    done
}
