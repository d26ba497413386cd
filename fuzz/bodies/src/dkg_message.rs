//! Messages of a ceremony.

use cluster_core::dkg::{Inventory, Message};

use crate::world::{statements, world, MESSAGE_LIMIT};

/// What decodes is the only encoding of its value.
pub fn target(data: &[u8]) {
    if let Ok(message) = Message::decode(data, MESSAGE_LIMIT) {
        assert_eq!(message.encode(), data);
        let _ = message.step();
    }
}

/// One message of each kind, a relay and an inventory.
pub fn seeds() -> Vec<Vec<u8>> {
    let received = world().received.iter().map(|(_, bytes)| bytes.to_vec());
    let relay = Message::Relay(statements().into_iter().take(5).collect());
    let inventory = Inventory {
        relay: true,
        commits: 3,
        dealings: 1,
        wanted: world().certificate.transcript.qualified.clone(),
        echoes: 2,
        view: 0,
        verdicts: 5,
        receipts: 0,
        decided: false,
        partials: 1,
        attestations: 0,
    };
    received.chain([relay.encode(), Message::Want(inventory).encode()]).collect()
}
