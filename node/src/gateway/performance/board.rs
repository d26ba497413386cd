//! Claims of operators, until enough of them have spoken of a committee and epoch. Bounded per operator: who claims much
//! crowds out its own claims only.

use std::collections::{BTreeMap, VecDeque};

use cluster_core::committee::OperatorId;
use cluster_net::performance::Report;

use super::merge::{self, ClaimError, Merged};

/// Claims kept of one operator: committees times epochs.
const KEPT_REPORTS: usize = 1_024;
/// Validators in the claims kept of one operator: 2,000 for 32 epochs. About 6 MB.
const KEPT_VALIDATORS: usize = 65_536;

type Key = (Vec<OperatorId>, u64);

/// Enough operators have spoken.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) committee: Vec<OperatorId>,
    pub(super) epoch: u64,
    pub(super) merged: Merged,
}

#[derive(Debug)]
struct Place {
    threshold: usize,
    claims: BTreeMap<OperatorId, Report>,
    /// Claims in what was published last.
    published: usize,
}

/// The claims that are here.
#[derive(Debug, Default)]
pub(super) struct Board {
    places: BTreeMap<Key, Place>,
    /// By operator, oldest first, with the number of validators.
    order: BTreeMap<OperatorId, VecDeque<(Key, usize)>>,
}

impl Board {
    /// Takes a claim; the first one of an operator about a committee and epoch stays.
    pub(super) fn take(
        &mut self,
        from: OperatorId,
        report: Report,
        is_operator: impl Fn(OperatorId) -> bool,
    ) -> Result<(), ClaimError> {
        let threshold = merge::check(from, &report, is_operator)?.t();
        let key = (report.committee.clone(), report.epoch);
        let new = || Place { threshold, claims: BTreeMap::new(), published: 0 };
        let place = self.places.entry(key.clone()).or_insert_with(new);
        if place.claims.contains_key(&from) {
            return Ok(());
        }
        let validators = report.validators.len();
        place.claims.insert(from, report);
        self.order.entry(from).or_default().push_back((key, validators));
        self.make_room(from);
        Ok(())
    }

    fn make_room(&mut self, operator: OperatorId) {
        let Some(order) = self.order.get_mut(&operator) else { return };
        let mut validators: usize = order.iter().map(|(_, count)| count).sum();
        while order.len() > KEPT_REPORTS || (validators > KEPT_VALIDATORS && order.len() > 1) {
            let Some((key, count)) = order.pop_front() else { return };
            validators -= count;
            if let Some(place) = self.places.get_mut(&key) {
                place.claims.remove(&operator);
                if place.claims.is_empty() {
                    self.places.remove(&key);
                }
            }
        }
    }

    /// What t operators or more have spoken of, when more have than at the last publication; in order of epochs.
    pub(super) fn due(&self) -> Vec<Due> {
        let due =
            self.places.iter().filter(|(_, place)| place.claims.len() >= place.threshold.max(place.published + 1));
        let mut due: Vec<Due> = due
            .filter_map(|((committee, epoch), place)| {
                let claims: Vec<&Report> = place.claims.values().collect();
                Some(Due { committee: committee.clone(), epoch: *epoch, merged: merge::merge(&claims)? })
            })
            .collect();
        due.sort_by_key(|due| due.epoch);
        due
    }

    /// The service knows what `claims` operators said. What all have spoken of is forgotten.
    pub(super) fn published(&mut self, committee: &[OperatorId], epoch: u64, claims: usize) {
        let key = (committee.to_vec(), epoch);
        let Some(place) = self.places.get_mut(&key) else { return };
        place.published = place.published.max(claims);
        if place.claims.len() < committee.len() {
            return;
        }
        self.places.remove(&key);
        for order in self.order.values_mut() {
            order.retain(|(other, _)| *other != key);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use cluster_net::performance::ValidatorReport;

    fn claim(epoch: u64, exchanges: u32, validators: usize) -> Report {
        let validator = |at: usize| {
            let mut pubkey = [0; 48];
            pubkey[..8].copy_from_slice(&(at as u64).to_be_bytes());
            ValidatorReport { pubkey, duties: Vec::new() }
        };
        Report {
            epoch,
            start_ms: 0,
            committee: (1..=4).map(OperatorId).collect(),
            exchanges,
            seen: vec![0; 4],
            validators: (0..validators).map(validator).collect(),
        }
    }

    fn take(board: &mut Board, from: u32, report: Report) {
        board.take(OperatorId(from), report, |_| true).unwrap();
    }

    #[test]
    fn nothing_is_due_before_a_threshold_has_spoken_and_nothing_twice() {
        let mut board = Board::default();
        take(&mut board, 1, claim(5, 9, 0));
        take(&mut board, 2, claim(5, 9, 0));
        // One operator counts once, whatever it says later.
        take(&mut board, 2, claim(5, 1, 0));
        assert!(board.due().is_empty());
        take(&mut board, 3, claim(5, 9, 0));
        take(&mut board, 3, claim(4, 9, 0));
        let due = board.due();
        assert_eq!((due.len(), due[0].epoch, due[0].merged.claims, due[0].merged.exchanges), (1, 5, 3, 9));
        assert_eq!(board.due(), due, "until it is published");
        board.published(&due[0].committee, 5, 3);
        assert!(board.due().is_empty());
        take(&mut board, 4, claim(5, 0, 0));
        let due = board.due();
        assert_eq!((due[0].merged.claims, due[0].merged.exchanges), (4, 9), "the liar changes nothing");
        board.published(&due[0].committee, 5, 4);
        assert_eq!((board.due(), board.places.len()), (vec![], 1));
        assert_eq!(board.order.values().map(VecDeque::len).sum::<usize>(), 1);
    }

    #[test]
    fn who_claims_much_crowds_out_itself() {
        let mut board = Board::default();
        take(&mut board, 1, claim(0, 9, 1));
        for epoch in 0..KEPT_REPORTS as u64 + 10 {
            take(&mut board, 2, claim(epoch, 9, 1));
        }
        assert_eq!(board.order[&OperatorId(2)].len(), KEPT_REPORTS);
        assert_eq!(board.places[&(claim(0, 0, 0).committee, 0)].claims.len(), 1);
        for epoch in 0..12 {
            take(&mut board, 3, claim(epoch, 9, 8_192));
        }
        assert_eq!(board.order[&OperatorId(3)].len(), KEPT_VALIDATORS / 8_192);
        assert_eq!(board.order[&OperatorId(1)].len(), 1);
        assert!(board.places.len() <= KEPT_REPORTS + 12);
    }
}
