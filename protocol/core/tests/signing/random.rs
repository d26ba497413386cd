//! Random committees: who knows what, who lies about what, who is away, what is lost.

use cluster_core::signing::Item;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

use crate::committee::{wrong, Keys, Net, Weather, A, B, SIZES};

/// More with `SIMULATION_SEEDS`.
fn seeds() -> std::ops::Range<u64> {
    0..std::env::var("SIMULATION_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(24)
}

/// Every item that t honest operators list and sign is signed at every operator that lists it; no item with fewer than t
/// signers is; nobody is named who did not lie.
#[test]
fn what_enough_honest_operators_sign_is_signed_and_only_liars_are_named() {
    for seed in seeds() {
        let rng = &mut ChaCha20Rng::seed_from_u64(seed);
        let mut below = |limit: usize| rng.next_u32() as usize % limit;
        let n = SIZES[below(4)];
        let keys = Keys::new(n, 1 + below(8), seed);
        let everything: Vec<Item> = keys.slot(A).into_iter().chain(keys.slot(B)).collect();
        let f = keys.threshold.f();
        let faulty: Vec<usize> = (0..below(f + 1)).map(|i| (i * 5 + seed as usize) % n).collect();
        let away = |operator: usize| faulty.contains(&operator) && (operator + seed as usize).is_multiple_of(3);
        let weather = Weather {
            max_latency_ms: below(800) as u64,
            loss_permille: [0, 20, 300][below(3)],
            double_permille: 100,
            ..Weather::default()
        };
        let mut net = Net::new(&keys, weather, seed);
        let mut liars = Vec::new();
        let mut honest = vec![0; everything.len()];
        let mut signers = vec![0; everything.len()];
        let mut lists = vec![Vec::new(); n];
        for (operator, list) in lists.iter_mut().enumerate() {
            if away(operator) {
                continue;
            }
            let known: Vec<usize> = (0..everything.len()).filter(|_| below(10) > 0).collect();
            let items: Vec<Item> = known.iter().map(|at| everything[*at].clone()).collect();
            let mut own = keys.own(operator, &items);
            for (at, partial) in known.iter().zip(&mut own) {
                if below(12) == 0 {
                    *partial = None;
                    continue;
                }
                signers[*at] += 1;
                if faulty.contains(&operator) && below(3) == 0 {
                    *partial = partial.as_ref().map(wrong);
                    liars.push(keys.ids[operator]);
                } else if !faulty.contains(&operator) {
                    honest[*at] += 1;
                }
            }
            *list = known;
            net.start(operator, items, own);
        }
        net.run(300_000);
        for operator in (0..n).filter(|operator| !away(*operator)) {
            let signed = net.verified(operator);
            for (item, at) in lists[operator].iter().enumerate() {
                let is_signed = signed.contains(&item);
                assert!(is_signed || honest[*at] < keys.threshold.t(), "seed {seed}: {at} is not signed at {operator}");
                assert!(!is_signed || signers[*at] >= keys.threshold.t(), "seed {seed}: {at} is signed by too few");
            }
            let node = &net.nodes[operator];
            assert!(node.bad.iter().all(|id| liars.contains(id)), "seed {seed}: {:?} of {liars:?}", node.bad);
            assert!(node.faults.is_empty() && node.inconsistent.is_empty(), "seed {seed}");
        }
    }
}
