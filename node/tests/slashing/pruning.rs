//! Pruning forgets messages and makes nothing possible: random histories, kept whole and pruned at random times.

use cluster_core::beacon::{Epoch, Root, Slot};
use cluster_node::store::SlashingDb;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

use super::{root, slashable, vote, CHAIN};

const SEED: u64 = 11;
const HISTORIES: u64 = 60;
const STEPS: u64 = 30;
const SLOTS_PER_EPOCH: u64 = 4;

struct Signed {
    votes: Vec<(u64, u64, Root)>,
    blocks: Vec<(u64, Root)>,
}

impl Signed {
    fn vote(&mut self, at: &str, new: (u64, u64, Root)) {
        if let Some(old) = self.votes.iter().find(|old| slashable(**old, new)) {
            panic!("{at}: signed {new:?} after {old:?}");
        }
        self.votes.push(new);
    }

    fn block(&mut self, at: &str, new: (u64, Root)) {
        assert!(self.blocks.iter().all(|old| old.0 != new.0 || old.1 == new.1), "{at}: {new:?}");
        self.blocks.push(new);
    }
}

#[test]
fn a_pruned_history_refuses_whatever_the_whole_one_refuses() {
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [whole, pruned, carried] = [0, 1, 2].map(|at: usize| {
        let database = SlashingDb::open(dirs[at].path()).unwrap();
        database.pin_chain(CHAIN).unwrap();
        database
    });
    let (mut signed, mut refused) = (0, 0);
    for history in 0..HISTORIES {
        let mut rng = ChaCha20Rng::seed_from_u64(SEED + history);
        let at = format!("SEED {SEED}, history {history}");
        let mut pubkey = [0x55; 48];
        pubkey[..8].copy_from_slice(&history.to_be_bytes());
        let mut log = Signed { votes: Vec::new(), blocks: Vec::new() };
        for step in 0..STEPS {
            let (target, signing_root) = (step / 4 + rng.next_u64() % 8, root(rng.next_u64() % 2));
            // Sources after targets too.
            let source = (target + 1).saturating_sub(rng.next_u64() % 6);
            let slot = step + rng.next_u64() % 8;
            let data = vote(source, target);
            // The pruned one goes first and decides, so that both have recorded the same messages.
            let answer = pruned.attest(&[pubkey], &data, signing_root).unwrap()[0];
            if answer.is_ok() {
                assert_eq!(whole.attest(&[pubkey], &data, signing_root).unwrap(), [Ok(())], "{at}");
                log.vote(&at, (source, target, signing_root));
                signed += 1;
            } else {
                refused += 1;
            }
            if pruned.propose(&pubkey, Slot(slot), signing_root).unwrap().is_ok() {
                assert_eq!(whole.propose(&pubkey, Slot(slot), signing_root).unwrap(), Ok(()), "{at}");
                log.block(&at, (slot, signing_root));
            }
            if rng.next_u64() % 8 == 0 {
                pruned.prune(Epoch(rng.next_u64() % (target + 2)), SLOTS_PER_EPOCH).unwrap();
            }
        }
        // What is exported from the pruned history still refuses everything that it refused, and what it has forgotten.
        carried.import(&pruned.export().unwrap()).unwrap();
        for (source, target, _) in log.votes.clone() {
            let other = root(99);
            assert!(carried.attest(&[pubkey], &vote(source, target), other).unwrap()[0].is_err(), "{at}");
            if source > 0 {
                let surrounding = vote(source - 1, target + 1);
                assert!(carried.attest(&[pubkey], &surrounding, other).unwrap()[0].is_err(), "{at}");
            }
            if whole.attest(&[pubkey], &vote(source, target), other).unwrap()[0].is_err() {
                assert!(pruned.attest(&[pubkey], &vote(source, target), other).unwrap()[0].is_err(), "{at}");
            }
        }
        for (slot, _) in &log.blocks {
            assert!(carried.propose(&pubkey, Slot(*slot), root(99)).unwrap().is_err(), "{at}");
        }
    }
    assert!(signed > 200 && refused > 200, "SEED {SEED}: {signed} signed, {refused} refused");
}
