//! A chain that changes its mind at random: whatever happened on the way, the facts are those of the winning chain folded
//! from scratch, and a node that dies at any point and comes back from what it committed ends there too.

use crate::{
    double::{self, Chain, Emitted, Transaction, CONTRACTS},
    facts::operators,
    follower::{answer, drive, look_again, LATER, SETTINGS},
};
use cluster_core::{
    chain::{
        Answer, Ask, BlockRecord, BlockRef, Commit, Entry, FactKey, Facts, Failure, Follower, Ledger, Output, Settings,
    },
    machine::Time,
};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use std::collections::BTreeMap;

const SEEDS: u64 = 60;

/// What a store keeps of commits.
#[derive(Default)]
struct Disk {
    entries: BTreeMap<FactKey, Entry>,
    records: BTreeMap<u64, BlockRecord>,
    tip: Option<BlockRef>,
}

impl Disk {
    fn write(&mut self, commit: &Commit) {
        for entry in &commit.changes {
            if entry.is_removal() {
                self.entries.remove(&entry.key());
            } else {
                self.entries.insert(entry.key(), entry.clone());
            }
        }
        for number in &commit.dropped {
            self.records.remove(number);
        }
        if let Some(record) = &commit.record {
            self.records.insert(record.block.number, record.clone());
        }
        self.tip = commit.tip;
    }

    fn read(&self) -> Ledger {
        Ledger::restore(CONTRACTS, self.entries.values().cloned(), self.records.values().cloned().collect(), self.tip)
    }
}

struct Dice(ChaCha20Rng);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0.next_u64() % limit
    }

    /// Something that a contract might emit, often refused or malformed.
    fn event(&mut self) -> Emitted {
        let owner = 1 + self.below(3) as u8;
        let key = 1 + self.below(4) as u8;
        let first = self.below(4) as u32;
        let ids = [first, first + 1, first + 2, first + 3];
        let mut event = match self.below(11) {
            0 => double::operator(self.below(9) as u32, owner, &double::identity(self.below(9) as u32).to_bytes()),
            1 => double::operator_removal(self.below(9) as u32, owner),
            2 => double::verified(owner, self.below(2) == 0, self.below(2) == 0),
            3 => double::cluster_node(owner, 100 + self.below(2) as u32),
            4 => double::request(owner, 100 + self.below(2) as u32, &ids, 1 + self.below(3)),
            5 => double::exit(owner, 100, &[vec![key; 48]]),
            6 | 7 => double::registration(owner, key, &ids, self.below(1_000)),
            8 => double::removal(owner, key),
            9 => double::paid(key, self.below(1_000)),
            _ if self.below(2) == 0 => double::recipient(owner, key),
            _ => double::validator_recipient(owner, key, self.below(3) as u8),
        };
        if self.below(8) == 0 && !event.2.is_empty() {
            let at = self.below(event.2.len() as u64) as usize;
            event.2[at] ^= 0xff;
        }
        event
    }

    fn transactions(&mut self, made: &mut Vec<Transaction>) -> Vec<Transaction> {
        let count = self.below(3);
        let next = |dice: &mut Self, made: &mut Vec<Transaction>| {
            // A transaction of another branch comes again, in another place; but not twice in one chain.
            let emits = (0..1 + dice.below(3)).map(|_| dice.event()).collect();
            let transaction = Transaction::new(1_000 + made.len() as u64, emits);
            made.push(transaction.clone());
            transaction
        };
        (0..count).map(|_| next(self, made)).collect()
    }

    /// Replaces the last blocks: some transactions are lost, the others come in other blocks.
    fn reorganise(&mut self, chain: &mut Chain, salt: u64, made: &mut Vec<Transaction>) {
        let depth = (1 + self.below(8)).min(chain.blocks.len() as u64 - 1);
        let removed = chain.blocks.split_off(chain.blocks.len() - depth as usize);
        let mut pool: Vec<Transaction> = removed.into_iter().flat_map(|block| block.transactions).collect();
        pool.retain(|_| self.below(4) != 0);
        for _ in 0..depth + self.below(3) {
            let take = (self.below(3) as usize).min(pool.len());
            let mut transactions: Vec<Transaction> = pool.drain(..take).collect();
            transactions.extend(self.transactions(made));
            chain.mine(salt, transactions);
        }
    }
}

/// The model: the chain folded block after block, without any way back.
fn from_scratch(chain: &Chain, blocks: usize) -> Facts {
    let mut ledger = Ledger::new(CONTRACTS);
    for block in &chain.blocks[..blocks] {
        ledger.append(&block.header, &block.logs());
    }
    ledger.facts().clone()
}

fn unreliable(dice: &mut Dice, chain: &Chain, ask: &Ask) -> Answer {
    match dice.below(12) {
        0 => Answer::Failed(Failure::Unavailable),
        1 => Answer::Failed(Failure::TooMuch),
        2 => Answer::Header(None),
        3 => Answer::BlockLogs(vec![]),
        _ => answer(chain, ask),
    }
}

/// Answers some questions, badly at times; with chance, the node dies between two outputs.
fn run_a_while(dice: &mut Dice, chain: &Chain, follower: &mut Follower, disk: &mut Disk, settings: Settings) {
    for _ in 0..dice.below(60) {
        if dice.below(40) == 0 {
            *follower = Follower::new(settings, disk.read());
        }
        match follower.poll() {
            Some(Output::Commit(commit)) => disk.write(&commit),
            Some(Output::Trouble(_)) => {}
            Some(Output::Ask(ask)) => {
                let answer = match ask {
                    // An empty answer in the place of logs would be a lie that nobody can see.
                    Ask::BlockLogs { .. } | Ask::RangeLogs { .. } if dice.below(3) != 0 => answer(chain, &ask),
                    Ask::BlockLogs { .. } | Ask::RangeLogs { .. } => Answer::Failed(Failure::Unavailable),
                    _ => unreliable(dice, chain, &ask),
                };
                follower.on_answer(LATER, answer);
            }
            None => {
                look_again(follower);
            }
        }
    }
}

fn story(seed: u64) {
    let mut dice = Dice(ChaCha20Rng::seed_from_u64(seed));
    let settings = Settings { confirmations: [0, 0, 1, 3, 12][dice.below(5) as usize], max_range: 7, ..SETTINGS };
    let mut chain = Chain::default();
    let mut made = Vec::new();
    chain.mine(
        0,
        vec![Transaction::new(1, operators(1, 0..=5)), Transaction::new(2, vec![double::cluster_node(1, 100)])],
    );
    (0..dice.below(150)).for_each(|_| {
        let transactions = dice.transactions(&mut made);
        chain.mine(0, transactions);
    });
    let mut disk = Disk::default();
    let mut follower = Follower::new(settings, disk.read());
    for round in 0..12 {
        run_a_while(&mut dice, &chain, &mut follower, &mut disk, settings);
        match dice.below(3) {
            0 => dice.reorganise(&mut chain, round + 1, &mut made),
            _ => {
                let transactions = dice.transactions(&mut made);
                chain.mine(0, transactions);
            }
        }
    }
    // Quiet at last; two looks, since the first may end in a wait after a failure.
    for _ in 0..3 {
        quiet(&chain, &mut follower, &mut disk);
    }
    let blocks = (chain.blocks.len() as u64).saturating_sub(settings.confirmations) as usize;
    let expected = from_scratch(&chain, blocks);
    assert_eq!(follower.ledger().tip().map(|tip| tip.number), blocks.checked_sub(1).map(|at| at as u64), "seed {seed}");
    assert_eq!(follower.ledger().facts(), &expected, "seed {seed}");
    assert_eq!(disk.read().facts(), &expected, "seed {seed}: what was written");
    assert_eq!(disk.tip, follower.ledger().tip(), "seed {seed}");
}

fn quiet(chain: &Chain, follower: &mut Follower, disk: &mut Disk) {
    loop {
        match follower.poll() {
            Some(Output::Commit(commit)) => disk.write(&commit),
            Some(Output::Trouble(_)) => {}
            Some(Output::Ask(ask)) => follower.on_answer(LATER, answer(chain, &ask)),
            None => break,
        }
    }
    look_again(follower);
}

#[test]
fn facts_are_those_of_the_winning_chain() {
    let seeds = std::env::var("SIMULATION_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(SEEDS);
    (0..seeds).for_each(story);
}

/// The same request in another block, behind another transaction: the same event, hence the same ceremony.
#[test]
fn a_request_that_moves_keeps_its_ceremony() {
    let request = Transaction::new(50, vec![double::recipient(1, 1), double::request(1, 100, &[0, 1, 2, 3], 1)]);
    let base = {
        let mut chain = Chain::default();
        chain.mine(0, vec![Transaction::new(1, operators(1, 0..=5))]);
        chain.mine(0, vec![Transaction::new(2, vec![double::cluster_node(1, 100)])]);
        chain
    };
    let mut follower = Follower::new(SETTINGS, Ledger::new(CONTRACTS));
    let mut seen = Vec::new();
    for (salt, before) in [(1, 0u64), (2, 3)] {
        let mut chain = base.clone();
        chain.mine(salt, (0..before).map(|at| Transaction::new(60 + at, vec![double::recipient(2, 9)])).collect());
        chain.mine(salt, vec![Transaction::new(70, vec![double::recipient(3, salt as u8)]), request.clone()]);
        chain.mine(salt, vec![]);
        drive(&mut follower, LATER, |ask| answer(&chain, ask));
        let facts = follower.ledger().facts();
        assert_eq!(facts.requests().len(), 1);
        seen.extend(facts.requests().map(|(event, found)| (*event, found.request.clone())));
        follower.on_deadline(Time(u64::MAX));
    }
    assert_eq!(seen[0].0, seen[1].0);
    assert_ne!(seen[0].1.deadline, seen[1].1.deadline, "the block has another time");
}
