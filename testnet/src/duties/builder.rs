//! What a builder's relay saw, compared with what it should have seen.

use cluster_core::encoding::to_hex;

use super::observer::Watched;
use super::report::{BuilderFigures, EpochFigures};
use crate::lodestar::RelayReport;

/// The figures of a relay. `expected` are all validators; `epochs` what the chain became.
#[must_use]
pub fn figures(
    seen: RelayReport,
    expected: &[Watched],
    epochs: &[EpochFigures],
    fails_from_slot: Option<u64>,
    slots_per_epoch: u64,
) -> BuilderFigures {
    let mut figures = BuilderFigures {
        refused: seen.refused_count,
        refusals: seen.refused.iter().map(|refused| format!("{}: {}", refused.pubkey, refused.reason)).collect(),
        headers: seen.headers,
        bids: seen.bids,
        blinded: seen.blinded_blocks.into_keys().collect(),
        fails_from_slot,
        failures: seen.failures,
        ..BuilderFigures::default()
    };
    for validator in expected {
        let recipient = to_hex(&validator.fee_recipient);
        let found = seen.registered.iter().find(|found| found.pubkey.eq_ignore_ascii_case(&validator.pubkey));
        match found {
            Some(found) if found.fee_recipient.eq_ignore_ascii_case(&recipient) => {
                figures.registrations.insert(validator.pubkey.clone(), found.count);
            }
            Some(found) => figures
                .wrong_recipients
                .push(format!("to pay {} for blocks of {}, not {recipient}", found.fee_recipient, validator.pubkey)),
            None => figures.unregistered.push(validator.pubkey.clone()),
        }
    }
    let failing = epochs.iter().filter(|epoch| {
        // Epochs in which it fails from the first slot on.
        fails_from_slot.is_some_and(|slot| epoch.epoch * slots_per_epoch >= slot)
    });
    figures.fallbacks = failing.map(|epoch| epoch.blocks - epoch.builder_blocks).sum();
    figures
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::lodestar::Registered;

    #[test]
    fn who_is_not_registered_or_pays_somebody_else_is_found() {
        let watched = |key: &str| Watched { pubkey: key.to_owned(), fee_recipient: [0xaa; 20] };
        let registered = |key: &str, byte: u8| Registered {
            pubkey: key.to_owned(),
            fee_recipient: to_hex(&[byte; 20]),
            gas_limit: 1,
            timestamp: 1,
            count: 2,
        };
        let seen = RelayReport {
            registered: vec![registered("0x01", 0xaa), registered("0x02", 0xbb)],
            blinded_blocks: BTreeMap::from([(3, 4)]),
            ..RelayReport::default()
        };
        let epoch =
            |epoch, blocks, builder_blocks| EpochFigures { epoch, blocks, builder_blocks, ..EpochFigures::default() };
        let epochs = [epoch(0, 7, 5), epoch(1, 8, 0), epoch(2, 7, 1)];
        let found = figures(seen, &["0x01", "0x02", "0x03"].map(watched), &epochs, Some(8), 8);
        assert_eq!(found.registrations, BTreeMap::from([("0x01".to_owned(), 2)]));
        assert_eq!((found.wrong_recipients.len(), found.unregistered), (1, vec!["0x03".to_owned()]));
        assert_eq!((found.blinded, found.fallbacks), (vec![3], 14));
    }
}
