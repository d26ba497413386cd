//! Messages between operators: lost, late, cut off, or made by a liar.

use std::sync::Arc;

use super::chain::SLOT_MS;
use super::engine::{Event, Simulation};
use super::since_start;
use crate::consensus::Message;
use crate::duty::InstanceId;
use crate::machine::Recipient;

impl Simulation {
    pub(super) fn send(&mut self, from: usize, instance: InstanceId, to: Recipient, message: &Message) {
        let Some(running) = self.nodes[from].running.get_mut(&instance) else { return };
        let sent = match &mut running.adversary {
            None => vec![(to, message.clone())],
            Some(adversary) => adversary.tamper(to, message, &mut self.rng),
        };
        for (to, message) in sent {
            let message = Arc::new(message);
            for node in 0..self.nodes.len() {
                let receiver = &self.nodes[node];
                let is_meant = match to {
                    Recipient::All => true,
                    Recipient::One(id) => receiver.id == id,
                };
                if is_meant && receiver.operator != self.nodes[from].operator {
                    self.transmit(from, node, instance, &message);
                }
            }
        }
    }

    fn transmit(&mut self, from: usize, node: usize, instance: InstanceId, message: &Arc<Message>) {
        let (sender, receiver) = (self.nodes[from].operator, self.nodes[node].operator);
        let elapsed = since_start(self.now);
        let is_cut = self.faults.partitions.iter().any(|(begin, end, side)| {
            (*begin..*end).contains(&elapsed) && (side >> sender) & 1 != (side >> receiver) & 1
        });
        if is_cut || self.draw(1_000) < self.faults.loss_permille {
            return;
        }
        let (least, most) = self.faults.latency_ms;
        let mut latency = least + self.draw(most - least + 1);
        if self.draw(1_000) < self.faults.slow_permille {
            latency += self.draw(2 * SLOT_MS);
        }
        let from = self.nodes[from].id;
        let at = self.now.plus_ms(latency);
        self.at(at, Event::Deliver { node, from, instance, message: Arc::clone(message) });
    }
}
