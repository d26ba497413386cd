//! Misbehaviour for operators with real sockets: the adversaries of the simulation behind the node's hook.

use std::sync::Arc;
use std::time::Duration;

use cluster_core::dkg::{Adversary, Behaviour, Message};
use cluster_core::machine::Recipient;
use cluster_crypto::Secret;
use cluster_node::driver::{Emission, MakeTamper, Tamper};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use zeroize::Zeroize;

struct Tampering {
    adversary: Adversary,
    rng: ChaCha20Rng,
}

impl Tamper for Tampering {
    fn overhear(&mut self, message: &Message) {
        self.adversary.overhear(message);
    }

    fn tamper(&mut self, to: Recipient, message: Arc<Message>) -> Vec<Emission> {
        let emissions = self.adversary.tamper(to, message, &mut self.rng);
        let real = |emission: cluster_core::dkg::Emission| Emission {
            to: emission.to,
            message: emission.message,
            delay: Duration::from_millis(emission.delay_ms),
        };
        emissions.into_iter().map(real).collect()
    }
}

/// Makes an operator misbehave in every ceremony.
#[must_use]
pub fn make_tamper(behaviour: Behaviour, seed: u64) -> MakeTamper {
    Arc::new(move |context, me, identity| {
        let mut rng = ChaCha20Rng::seed_from_u64(seed ^ u64::from(me.0));
        let mut own = [0u8; 32];
        rng.fill_bytes(&mut own);
        let adversary = Adversary::new(behaviour, context.clone(), me, identity.clone(), Secret::new(own));
        own.zeroize();
        Box::new(Tampering { adversary, rng })
    })
}
