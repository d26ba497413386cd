//! A thousand events that no contract should emit: nothing crashes, everything good after them is handled, and each bad
//! one is there with its reason.

use cluster_core::chain::double;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

use crate::anvil::{config, Anvil, Reader};
use crate::emit::{self, Emitted};

const BAD: usize = 1_000;

/// Real topics, and spoiled data.
fn bad(dice: &mut ChaCha20Rng) -> Emitted {
    let good = [emit::operator(50), emit::cluster_node(200), emit::request(1), emit::registration(60, 0)];
    let (contract, topics, mut data) = good[(dice.next_u32() % 4) as usize].clone();
    double::spoil(dice, &mut data);
    (contract, topics, data)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_malformed_events_stop_nothing() {
    let anvil = Anvil::start().await;
    let reader = Reader::start(&config(vec![anvil.url.clone()])).await;
    let mut dice = ChaCha20Rng::seed_from_u64(4);
    for event in emit::set_up() {
        anvil.emit(&event).await;
    }
    for at in 0..BAD {
        anvil.emit(&bad(&mut dice)).await;
        if at % 100 == 0 {
            anvil.emit(&emit::operator(1_000 + at as u32)).await;
        }
    }
    anvil.emit(&emit::registration(7, 2)).await;
    reader.reaches(&anvil).await;
    let facts = reader.facts();
    for at in (0..BAD).step_by(100) {
        assert!(facts.operator(cluster_core::committee::OperatorId(1_000 + at as u32)).is_some(), "operator {at}");
    }
    assert!(facts.validator(&cluster_core::chain::PubkeyBytes([7; 48])).is_some());
    // A flip may leave an event that is well formed: a name cut short, another validator. The rest is kept with its reason.
    let kept = facts.quarantine().len();
    assert!(kept > BAD * 9 / 10 && kept <= BAD, "{kept}");
    assert!(facts.quarantine().all(|event| !event.words.is_empty()));
    assert_eq!(reader.metrics.quarantined.get(), i64::try_from(kept).unwrap());
    reader.stop().await;
}
