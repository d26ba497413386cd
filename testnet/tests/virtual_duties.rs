//! The engine of duties on a virtual chain, in virtual time: every signature is checked, every vote remembered.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::time::Duration;

use cluster_core::beacon::Epoch;
use cluster_core::committee::OperatorId;
use cluster_core::duty::SigningKind;
use cluster_crypto::ethereum::Address;
use cluster_net::upkeep::{Registration, Relay};
use cluster_node::duties::record::{DutyRecord, Miss};
use cluster_node::store::DEFAULT_GAS_LIMIT;
use cluster_testnet::virtual_chain::committee::{Links, VirtualCommittee, FEE_RECIPIENT};
use cluster_testnet::virtual_chain::{spec, NodeFaults};

const GENESIS_S: u64 = 1_800_000_000;
const SLOTS_PER_EPOCH: u64 = 8;

struct Run {
    committee: VirtualCommittee,
    validators: usize,
    _dir: tempfile::TempDir,
}

impl Run {
    fn new(operators: usize, validators: usize, fulu: Option<Epoch>, seed: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let spec = spec(560_048, GENESIS_S, 12_000, fulu);
        let committee = VirtualCommittee::new(spec, operators, validators, dir.path(), seed).unwrap();
        Self { committee, validators, _dir: dir }
    }

    fn start_all(&mut self) {
        for id in self.committee.ids() {
            self.committee.start(id).unwrap();
        }
    }

    async fn epochs(&self, epochs: u64) {
        self.committee.run_until(epochs * SLOTS_PER_EPOCH + 1).await;
    }

    /// Every duty of these epochs was performed.
    fn is_perfect(&self, epochs: std::ops::Range<u64>) {
        for epoch in epochs {
            let votes = self.committee.chain.figures(Epoch(epoch));
            // The genesis block is in slot 0 already.
            let at = format!("epoch {epoch}: {votes:?}; {}", self.misses());
            assert_eq!(votes.target, self.validators, "{at}");
            assert_eq!(votes.head, self.validators, "{at}");
            assert_eq!(votes.blocks as u64, SLOTS_PER_EPOCH, "{at}");
        }
        self.is_safe();
    }

    fn is_safe(&self) {
        assert_eq!(self.committee.chain.offences(), []);
        assert_eq!(self.committee.chain.wrong_fee_recipients(), 0);
    }

    fn misses(&self) -> String {
        let mut out = String::new();
        for id in self.committee.ids() {
            for record in self.committee.records(id) {
                if let Some(miss) = &record.miss {
                    out += &format!("\n operator {id} slot {} {}: {miss}", record.slot, record.kind.name());
                }
            }
        }
        out
    }
}

fn in_virtual_time(run: impl std::future::Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(run);
}

#[test]
fn all_duties_are_performed_and_the_fork_changes_nothing() {
    in_virtual_time(async {
        let mut run = Run::new(4, 8, Some(Epoch(3)), 1);
        run.start_all();
        run.epochs(6).await;
        run.is_perfect(1..6);
        assert_eq!(run.committee.chain.finalized(), Epoch(4));
    });
}

#[test]
fn one_of_four_is_enough_to_be_without() {
    in_virtual_time(async {
        let mut run = Run::new(4, 8, None, 2);
        run.start_all();
        run.epochs(1).await;
        run.committee.kill(OperatorId(102)).await;
        run.epochs(5).await;
        run.is_perfect(2..5);
    });
}

#[test]
fn latency_and_loss_cost_nothing() {
    in_virtual_time(async {
        let mut run = Run::new(4, 8, None, 3);
        run.committee.set_links(Links { latency: Duration::from_millis(150), loss_permille: 20, ..Links::default() });
        run.start_all();
        run.epochs(4).await;
        run.is_perfect(1..4);
    });
}

#[test]
fn every_operator_is_killed_in_turn_and_nothing_slashable_is_signed() {
    in_virtual_time(async {
        let mut run = Run::new(4, 8, None, 4);
        run.start_all();
        for (epoch, id) in (1..).zip(run.committee.ids()) {
            run.epochs(epoch).await;
            run.committee.kill(id).await;
            tokio::time::sleep(Duration::from_secs(20)).await;
            run.committee.start(id).unwrap();
        }
        run.epochs(7).await;
        run.is_perfect(1..7);
    });
}

#[test]
fn a_beacon_node_that_is_down_costs_its_operator_and_nobody_else() {
    in_virtual_time(async {
        let mut run = Run::new(4, 8, None, 5);
        run.start_all();
        run.epochs(1).await;
        let node = run.committee.node(OperatorId(103)).unwrap();
        node.set_faults(NodeFaults { down: true, ..NodeFaults::default() });
        run.epochs(3).await;
        node.set_faults(NodeFaults::default());
        run.epochs(5).await;
        run.is_perfect(1..5);
    });
}

#[test]
fn builders_know_whom_to_pay_before_a_validator_is_active() {
    in_virtual_time(async {
        let mut run = Run::new(4, 8, None, 6);
        run.committee.settings.builder = true;
        run.committee.chain.activate_in(Epoch(3));
        run.start_all();
        run.epochs(5).await;
        let registrations = run.committee.chain.registrations();
        assert_eq!(registrations.len(), run.validators, "one for every validator");
        for (recipient, since) in registrations.values() {
            assert_eq!(*recipient, FEE_RECIPIENT);
            assert!(*since < Epoch(3), "known since epoch {since}");
        }
        // They also perform their duties from then on.
        run.is_perfect(4..5);
    });
}

/// Operators read the owner's change in different epochs; relays pass over registrations that are not newer.
#[test]
fn builders_hear_of_another_fee_recipient_and_every_operator_says_how_it_stands() {
    in_virtual_time(async {
        let mut run = Run::new(4, 1, None, 9);
        run.committee.settings.builder = true;
        run.start_all();
        let ids = run.committee.ids();
        let relays = |run: &Run, id| {
            let keys = run.committee.chain.registrations().into_keys().collect::<Vec<_>>();
            keys.iter().map(|key| run.committee.upkeep(id, key).relay).collect::<Vec<_>>()
        };
        let told = |epoch, recipient| {
            Relay::Registered(Registration { epoch, fee_recipient: recipient, gas_limit: DEFAULT_GAS_LIMIT })
        };
        // The last one's beacon node takes nothing for a while.
        let refuses = NodeFaults { refuses_registrations: true, ..NodeFaults::default() };
        run.committee.node(ids[3]).unwrap().set_faults(refuses);
        run.epochs(3).await;
        for id in &ids[..3] {
            assert_eq!(relays(&run, *id), [told(0, FEE_RECIPIENT)], "operator {id}");
        }
        for relay in relays(&run, ids[3]) {
            assert!(matches!(relay, Relay::NotTaken(held) if held.fee_recipient == FEE_RECIPIENT), "{relay:?}");
        }
        run.committee.node(ids[3]).unwrap().set_faults(NodeFaults::default());
        // Told again in the next slot, not in the next epoch.
        run.committee.run_until(3 * SLOTS_PER_EPOCH + 3).await;
        assert_eq!(relays(&run, ids[3]), [told(3, FEE_RECIPIENT)]);
        let other = Address([0xad; 20]);
        for (at, id) in ids.iter().enumerate() {
            run.committee.set_fee_recipient(*id, other).unwrap();
            run.epochs(4 + at as u64).await;
        }
        // From the next period on relays know it.
        run.epochs(11).await;
        for (recipient, since) in run.committee.chain.registrations().into_values() {
            assert_eq!((recipient, since), (other, Epoch(10)));
        }
        for id in &ids {
            for relay in relays(&run, *id) {
                let Relay::Registered(held) = relay else { panic!("operator {id}: {relay:?}") };
                // Three of the four have it since the third has read it.
                assert_eq!(
                    (held.fee_recipient, (6..=8).contains(&held.epoch)),
                    (other, true),
                    "operator {id}: {held:?}"
                );
            }
        }
        assert_eq!(run.committee.chain.offences(), []);
    });
}

#[test]
fn a_builder_that_keeps_every_beacon_node_waiting_costs_no_block() {
    in_virtual_time(async {
        let mut run = Run::new(4, 8, None, 7);
        run.committee.settings.builder = true;
        for id in run.committee.ids() {
            let faults = NodeFaults { builder_delay: Duration::from_secs(10), ..NodeFaults::default() };
            run.committee.node(id).unwrap().set_faults(faults);
        }
        run.start_all();
        run.epochs(3).await;
        // Every block is the head before others attest, a third into the slot.
        run.is_perfect(1..3);
    });
}

#[test]
fn an_operator_with_a_twin_says_nothing_and_the_others_go_on() {
    in_virtual_time(async {
        let mut run = Run::new(4, 8, None, 6);
        run.start_all();
        run.epochs(1).await;
        let doubled = OperatorId(102);
        run.committee.set_twin(doubled, true);
        run.epochs(4).await;
        run.is_perfect(1..4);
        let first = SLOTS_PER_EPOCH + 2;
        let records = run.committee.records(doubled);
        let with_twin: Vec<_> = records.iter().filter(|record| record.slot.0 > first).collect();
        assert!(with_twin.iter().any(|record| record.kind == SigningKind::Block), "{with_twin:?}");
        for record in with_twin {
            assert_eq!((record.miss.as_ref(), record.submitted), (Some(&Miss::Twin), 0), "{record:?}");
        }
        for id in run.committee.ids().into_iter().filter(|id| *id != doubled) {
            let later = run.committee.records(id).into_iter().filter(|record| record.slot.0 > first);
            let took_part = |record: &DutyRecord| record.participants.iter().any(|(operator, _)| *operator == doubled);
            let spoke: Vec<_> = later.filter(took_part).collect();
            assert!(spoke.is_empty(), "operator {doubled} signed: {spoke:?}");
        }
    });
}

/// An operator that hears nothing in the first half of every slot is told the decision when the block is out.
#[test]
fn who_decides_late_records_what_the_committee_has_done() {
    in_virtual_time(async {
        let mut run = Run::new(4, 8, None, 7);
        run.start_all();
        run.epochs(1).await;
        let late = OperatorId(104);
        let others: Vec<OperatorId> = run.committee.ids().into_iter().filter(|id| *id != late).collect();
        let cut: BTreeSet<_> = others.iter().flat_map(|id| [(*id, late), (late, *id)]).collect();
        let spec = run.committee.chain.spec().clone();
        let slots = SLOTS_PER_EPOCH + 2..3 * SLOTS_PER_EPOCH;
        for slot in slots.clone() {
            run.committee.run_until(slot - 1).await;
            let half = Duration::from_millis(spec.slot_ms / 2);
            tokio::time::sleep(half).await;
            run.committee.set_links(Links { cut: cut.clone(), ..Links::default() });
            tokio::time::sleep(half).await;
            run.committee.set_links(Links::default());
        }
        run.epochs(5).await;
        run.is_perfect(2..5);
        let mut blocks = 0;
        for record in run.committee.records(late) {
            let other_view = matches!(record.miss, Some(Miss::OtherView { .. }));
            assert!(!other_view, "{record:?}");
            let was_late = slots.contains(&record.slot.0) && record.steps.decided_ms.is_some_and(|at| at >= 6_000);
            blocks += u64::from(was_late && record.kind == SigningKind::Block && record.submitted == 1);
        }
        assert!(blocks >= SLOTS_PER_EPOCH, "{blocks} blocks were decided late; {}", run.misses());
    });
}
