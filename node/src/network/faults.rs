//! Link faults: latency, loss, partitions and one-way blocks between nodes of one process.
//!
//! For tests and the testnet. The faults are applied where requests leave a client and where their answers come back,
//! so that the real sockets, codecs and timeouts stay in use. One handle is shared by all nodes of a test and switched
//! while they run. A request over a faulty link fails as a timeout: as in reality, the sender cannot know whether it
//! was handled, and a lost answer is one to a request that was.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use libp2p::PeerId;
use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};

/// The quality of one direction of a link.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Link {
    /// Delay of every message.
    pub latency: Duration,
    /// Probability that a message is lost, 0 to 1.
    pub loss: f64,
}

impl Default for Link {
    fn default() -> Self {
        Self { latency: Duration::ZERO, loss: 0.0 }
    }
}

/// A handle on the faults of all links; clones share them.
#[derive(Debug, Clone)]
pub struct LinkFaults {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    rng: ChaCha8Rng,
    default: Link,
    links: HashMap<(PeerId, PeerId), Link>,
    groups: HashMap<PeerId, usize>,
    blocked: HashSet<(PeerId, PeerId)>,
    lost_after: Duration,
}

/// What happens to one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It arrives after a while.
    Arrives(Duration),
    /// It never arrives; the sender notices after a while.
    Lost(Duration),
}

impl LinkFaults {
    /// No faults yet; losses are drawn from `seed`.
    pub fn new(seed: u64) -> Self {
        Self {
            state: Arc::new(Mutex::new(State {
                rng: ChaCha8Rng::seed_from_u64(seed),
                default: Link::default(),
                links: HashMap::new(),
                groups: HashMap::new(),
                blocked: HashSet::new(),
                lost_after: Duration::from_secs(1),
            })),
        }
    }

    /// The quality of all links that have none of their own.
    pub fn set_default(&self, link: Link) {
        self.lock().default = link;
    }

    /// The quality of the direction `from` to `to`.
    pub fn set_link(&self, from: PeerId, to: PeerId, link: Link) {
        self.lock().links.insert((from, to), link);
    }

    /// How long a sender waits for an answer that was lost, in place of the timeout of the protocol.
    pub fn set_lost_after(&self, wait: Duration) {
        self.lock().lost_after = wait;
    }

    /// Splits the nodes: messages pass only within a group, and freely to and from nodes in no group.
    pub fn partition(&self, groups: &[Vec<PeerId>]) {
        let members = groups.iter().enumerate().flat_map(|(group, peers)| peers.iter().map(move |peer| (*peer, group)));
        self.lock().groups = members.collect();
    }

    /// Stops messages from `from` to `to`; the other direction stays.
    pub fn block(&self, from: PeerId, to: PeerId) {
        self.lock().blocked.insert((from, to));
    }

    /// Ends partitions and blocks; latency and loss stay.
    pub fn heal(&self) {
        let mut state = self.lock();
        state.groups.clear();
        state.blocked.clear();
    }

    /// Whether no message passes from `from` to `to`.
    pub fn is_blocked(&self, from: &PeerId, to: &PeerId) -> bool {
        self.lock().is_blocked(from, to)
    }

    /// Draws the fate of one message.
    pub(super) fn draw(&self, from: &PeerId, to: &PeerId) -> Fate {
        let mut state = self.lock();
        let link = state.links.get(&(*from, *to)).copied().unwrap_or(state.default);
        // 53 random bits are a uniform number in [0, 1).
        let drawn = (state.rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        if state.is_blocked(from, to) || drawn < link.loss {
            return Fate::Lost(state.lost_after);
        }
        Fate::Arrives(link.latency)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl State {
    fn is_blocked(&self, from: &PeerId, to: &PeerId) -> bool {
        let parted = match (self.groups.get(from), self.groups.get(to)) {
            (Some(one), Some(other)) => one != other,
            _ => false,
        };
        parted || self.blocked.contains(&(*from, *to))
    }
}
