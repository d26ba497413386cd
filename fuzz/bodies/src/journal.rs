//! Records of a node's journal, as they lie on a disk that something else may have written to.

use cluster_core::dkg::{Output, Record};
use cluster_crypto::Secret;
use cluster_node::store::{from_entry, to_entry, Entry};

use crate::world::{assert_same, world};

/// The first byte chooses the kind of entry; what is read is written back as the same bytes.
pub fn target(data: &[u8]) {
    let Some((kind, bytes)) = data.split_first() else { return };
    let entry = match kind % 3 {
        0 => Entry::Plain(bytes.to_vec()),
        1 => Entry::Sealed(Secret::new(bytes.to_vec())),
        _ => Entry::Shares(Secret::new(bytes.to_vec())),
    };
    if let Ok(record) = from_entry(entry) {
        assert_same(&encoded(record), &data_of(kind % 3, bytes));
    }
}

/// Every record of a genuine ceremony.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut machine = world().start().expect("the operator is in the committee");
    let mut seeds = vec![encoded(Record::Deadline { now: cluster_core::simulation::START })];
    let mut received = world().received.iter();
    loop {
        while let Some(output) = machine.poll() {
            if let Output::Persist(record) = output {
                seeds.push(encoded(record));
            }
        }
        let Some((from, bytes)) = received.next() else { return seeds };
        if let Ok(message) = cluster_core::dkg::Message::decode(bytes, bytes.len()) {
            let _ = machine.on_message(cluster_core::simulation::START, *from, message);
        }
    }
}

fn encoded(record: Record) -> Vec<u8> {
    match to_entry(record) {
        Entry::Plain(bytes) => data_of(0, &bytes),
        Entry::Sealed(secret) => secret.expose(|bytes| data_of(1, bytes)),
        Entry::Shares(secret) => secret.expose(|bytes| data_of(2, bytes)),
    }
}

fn data_of(kind: u8, bytes: &[u8]) -> Vec<u8> {
    [&[kind], bytes].concat()
}
