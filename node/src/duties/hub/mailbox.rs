//! Messages that wait for their instance or exchange: within bounds, also before it has started here.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use cluster_core::committee::OperatorId;
use cluster_core::machine::Time;
use cluster_net::codec::Bytes;
use tokio::sync::Notify;

/// Letters of one operator in one mailbox: some rounds of votes, each said twice.
const LETTERS_PER_PEER: usize = 32;
/// Letters of one operator in all mailboxes.
const PEER_LETTERS: usize = 2_048;
/// Bytes of one operator in all mailboxes: two of the largest values, and votes.
const PEER_BYTES: usize = 20 * 1024 * 1024;
/// Bytes of all operators in all mailboxes.
const TOTAL_BYTES: usize = 128 * 1024 * 1024;

/// A message that waits.
#[derive(Debug)]
pub(super) struct Letter {
    pub(super) from: OperatorId,
    pub(super) bytes: Bytes,
    /// When it came.
    pub(super) at: Time,
    _ticket: Ticket,
}

impl Letter {
    pub(super) fn new(from: OperatorId, bytes: Bytes, at: Time, ticket: Ticket) -> Self {
        Self { from, bytes, at, _ticket: ticket }
    }
}

/// What all waiting letters together may hold, by sender, so that one of them cannot crowd out the others.
#[derive(Clone, Debug, Default)]
pub(super) struct Budget(Arc<Mutex<Spent>>);

#[derive(Debug, Default)]
struct Spent {
    bytes: usize,
    /// Letters and bytes of each operator.
    peers: BTreeMap<OperatorId, (usize, usize)>,
}

/// A letter's place in the budget; dropping it gives the place back.
#[derive(Debug)]
pub(super) struct Ticket {
    budget: Budget,
    from: OperatorId,
    bytes: usize,
}

impl Budget {
    /// Takes a place for a letter, if there is one.
    pub(super) fn take(&self, from: OperatorId, bytes: usize) -> Option<Ticket> {
        let mut spent = lock(&self.0);
        let (letters, held) = spent.peers.get(&from).copied().unwrap_or_default();
        if letters >= PEER_LETTERS || held + bytes > PEER_BYTES || spent.bytes + bytes > TOTAL_BYTES {
            return None;
        }
        spent.bytes += bytes;
        spent.peers.insert(from, (letters + 1, held + bytes));
        drop(spent);
        Some(Ticket { budget: self.clone(), from, bytes })
    }

    /// Bytes that wait.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        lock(&self.0).bytes
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut spent = lock(&self.budget.0);
        spent.bytes -= self.bytes;
        if let Some((letters, bytes)) = spent.peers.get_mut(&self.from) {
            (*letters, *bytes) = (*letters - 1, *bytes - self.bytes);
            if *letters == 0 {
                spent.peers.remove(&self.from);
            }
        }
    }
}

/// What became of a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Push {
    /// It waits for the reader, or the same letter does.
    Taken,
    /// The sender has enough letters here.
    Full,
    /// Nobody will read it.
    Ended,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The reader has not started.
    Waiting,
    Running,
    Ended,
}

/// The letters of one instance or exchange.
#[derive(Debug)]
pub(super) struct Mailbox {
    inside: Mutex<Inside>,
    arrived: Notify,
}

#[derive(Debug)]
struct Inside {
    phase: Phase,
    letters: VecDeque<Letter>,
    counts: BTreeMap<OperatorId, usize>,
}

impl Mailbox {
    pub(super) fn new() -> Self {
        let inside = Inside { phase: Phase::Waiting, letters: VecDeque::new(), counts: BTreeMap::new() };
        Self { inside: Mutex::new(inside), arrived: Notify::new() }
    }

    pub(super) fn push(&self, letter: Letter) -> Push {
        let mut inside = lock(&self.inside);
        if inside.phase == Phase::Ended {
            return Push::Ended;
        }
        // Before the start every repetition would be kept, and machines repeat themselves.
        let is_same = |held: &Letter| held.from == letter.from && held.bytes == letter.bytes;
        if inside.phase == Phase::Waiting && inside.letters.iter().any(is_same) {
            return Push::Taken;
        }
        let count = inside.counts.entry(letter.from).or_default();
        if *count >= LETTERS_PER_PEER {
            return Push::Full;
        }
        *count += 1;
        inside.letters.push_back(letter);
        drop(inside);
        self.arrived.notify_one();
        Push::Taken
    }

    /// Starts reading, once; false when somebody has.
    pub(super) fn begin(&self) -> bool {
        let mut inside = lock(&self.inside);
        let is_first = inside.phase == Phase::Waiting;
        if is_first {
            inside.phase = Phase::Running;
        }
        is_first
    }

    /// Ends reading: letters that wait, and all that come, go nowhere.
    pub(super) fn end(&self) {
        let mut inside = lock(&self.inside);
        inside.phase = Phase::Ended;
        inside.counts.clear();
        inside.letters.clear();
    }

    pub(super) fn is_running(&self) -> bool {
        lock(&self.inside).phase == Phase::Running
    }

    /// Up to `most` letters that are there.
    pub(super) fn take(&self, most: usize) -> Vec<Letter> {
        let mut inside = lock(&self.inside);
        let most = most.min(inside.letters.len());
        let letters: Vec<Letter> = inside.letters.drain(..most).collect();
        for letter in &letters {
            if let Some(count) = inside.counts.get_mut(&letter.from) {
                *count = count.saturating_sub(1);
            }
        }
        letters
    }

    /// Waits for letters. Nothing is lost when the future is dropped.
    pub(super) async fn wait(&self, most: usize) -> Vec<Letter> {
        loop {
            let arrived = self.arrived.notified();
            let letters = self.take(most);
            if !letters.is_empty() {
                return letters;
            }
            arrived.await;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_bounded_by_sender_and_in_all_and_give_their_place_back() {
        let budget = Budget::default();
        let mailbox = Mailbox::new();
        let send = |from: u32, bytes: Vec<u8>| match budget.take(OperatorId(from), bytes.len()) {
            Some(ticket) => mailbox.push(Letter::new(OperatorId(from), bytes.into(), Time(0), ticket)),
            None => Push::Full,
        };
        for number in 0..LETTERS_PER_PEER {
            assert_eq!(send(1, vec![number as u8]), Push::Taken);
        }
        assert_eq!(send(1, vec![200]), Push::Full, "enough letters of one sender");
        assert_eq!(send(1, vec![3]), Push::Taken, "what is there needs no place");
        assert_eq!(send(2, vec![1]), Push::Taken, "others have their own places");
        assert_eq!(budget.bytes(), LETTERS_PER_PEER + 1);
        assert_eq!(mailbox.take(5).len(), 5);
        assert_eq!(budget.bytes(), LETTERS_PER_PEER - 4);
        assert_eq!(send(1, vec![201]), Push::Taken);
        // Large letters.
        assert_eq!(send(3, vec![0; PEER_BYTES]), Push::Taken);
        assert_eq!(send(3, vec![1]), Push::Full);
        let full = (4..20).filter(|from| send(*from, vec![0; PEER_BYTES]) == Push::Full).count();
        assert!(budget.bytes() <= TOTAL_BYTES && full > 0);
        assert!(mailbox.begin() && !mailbox.begin());
        mailbox.end();
        assert_eq!((budget.bytes(), send(1, vec![1])), (0, Push::Ended));
        assert_eq!(budget.bytes(), 0);
    }
}
