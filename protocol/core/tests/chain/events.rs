//! Logs become events or a reason in words; nothing crashes.

use crate::double::{self, Block, Emitted, Transaction, CONTRACTS};
use alloy_sol_types::private::U256;
use cluster_core::{
    chain::{decode, BlockRef, Event, Hash32, Header, Log, Malformed},
    committee::OperatorId,
    encoding::to_hex,
};
use proptest::prelude::*;

fn log(emitted: Emitted) -> Log {
    let block = BlockRef { number: 1, hash: Hash32([1; 32]) };
    let header = Header { block, parent_hash: Hash32([0; 32]), time_s: 5 };
    let block = Block { header, transactions: vec![Transaction::new(1, vec![emitted])] };
    block.logs().remove(0)
}

fn read(emitted: Emitted) -> Result<Option<Event>, Malformed> {
    let log = log(emitted);
    decode(CONTRACTS.which(&log.contract).unwrap(), &log)
}

fn good() -> Vec<(&'static str, Emitted)> {
    let key = double::identity(1).to_bytes();
    vec![
        ("operator", double::operator(0, 1, &key)),
        ("operator removal", double::operator_removal(u32::MAX, 1)),
        ("verified", double::verified(1, true, false)),
        ("cluster node", double::cluster_node(1, 7)),
        ("cluster node switched", double::switched(7, false)),
        ("request", double::request(1, 7, &[0, 1, 2, 3], 1000)),
        ("exit", double::exit(1, 7, &[vec![1; 48], vec![2; 48]])),
        ("registration", double::registration(1, 5, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], u64::MAX)),
        ("removal", double::removal(1, 5)),
        ("payment", double::paid(5, 99)),
        ("fee recipient", double::recipient(1, 9)),
        ("fee recipient of a validator", double::validator_recipient(1, 5, 0)),
    ]
}

#[test]
fn every_event_of_the_contracts_is_read() {
    for (description, emitted) in good() {
        assert!(matches!(read(emitted), Ok(Some(_))), "{description}");
    }
    let Ok(Some(Event::DepositDataRequested(requested))) = read(double::request(1, 7, &[0, 1, 2, 3], 3)) else {
        panic!("a request")
    };
    assert_eq!(requested.operator_ids, [0, 1, 2, 3].map(OperatorId));
    assert_eq!(requested.owner, double::wallet(1).address());
    assert_eq!(requested.validator_count, 3);
}

#[test]
fn other_events_are_passed_over() {
    let (contract, mut topics, data) = double::recipient(1, 9);
    topics[0][0] ^= 1;
    assert_eq!(read((contract, topics.clone(), data.clone())), Ok(None), "another topic");
    assert_eq!(read((contract, vec![], data.clone())), Ok(None), "no topics");
    let (_, topics, data) = double::recipient(1, 9);
    assert_eq!(read((CONTRACTS.network, topics, data)), Ok(None), "another contract's event");
}

/// Description, log, words of the reason.
fn bad() -> Vec<(&'static str, Emitted, &'static str)> {
    let request = |change: fn(&mut cluster_core::chain::abi::ValidatorDepositDataGeneration)| {
        let mut event = double::request_event(1, 7, &[1, 2, 3, 4], 1);
        change(&mut event);
        double::emit_request(&event)
    };
    let registration = |change: fn(&mut cluster_core::chain::abi::ValidatorRegistration)| {
        let mut event = double::registration_event(1, 5, &[1, 2, 3, 4], 9);
        change(&mut event);
        double::emit_registration(&event)
    };
    let cut = |(contract, topics, mut data): Emitted| {
        data.truncate(data.len() - 40);
        (contract, topics, data)
    };
    let topic = |(contract, mut topics, data): Emitted, at: usize, byte: usize| {
        topics[at][byte] = 0xff;
        (contract, topics, data)
    };
    let short = |(contract, mut topics, data): Emitted| {
        topics.pop();
        (contract, topics, data)
    };
    vec![
        ("short key of an operator", double::operator(1, 1, &[2; 32]), "publicKey has 32 bytes instead of 33"),
        ("no key of an operator", double::operator(1, 1, &[]), "publicKey has 0 bytes instead of 33"),
        ("a key that is no point", double::operator(1, 1, &[5; 33]), "publicKey is not a compressed secp256k1"),
        ("an id above 32 bits", topic(double::operator(1, 1, &[2; 33]), 1, 0), "id is not a number from 0 to"),
        ("an owner that is no address", topic(double::removal(1, 5), 1, 0), "ownerAddress is not an address"),
        ("a topic is missing", short(double::removal(1, 5)), "ValidatorRemoval has 2 topics, this log has 1"),
        ("data cut off", cut(double::registration(1, 5, &[1, 2, 3, 4], 9)), "not in the encoding of the ABI"),
        ("no validators", request(|r| r.validatorCount = U256::ZERO), "validatorCount is not a number from 1 to 1000"),
        ("too many", request(|r| r.validatorCount = U256::from(1001)), "validatorCount is not a number from 1 to 1000"),
        ("absurdly many", request(|r| r.validatorCount = U256::MAX), "validatorCount is not a number from 1 to 1000"),
        ("31 ETH", request(|r| r.depositAmount -= U256::from(1)), "depositAmount is not 32 ETH"),
        (
            "somebody else's key",
            request(|r| r.ownerPubkey = vec![4; 65].into()),
            "ownerPubkey does not belong to owner",
        ),
        ("a short key", request(|r| r.ownerPubkey = vec![4; 64].into()), "ownerPubkey has 64 bytes instead of 65"),
        ("zero withdrawals", request(|r| r.withdrawAddress = [0; 20].into()), "withdrawAddress is the zero address"),
        ("three operators", request(|r| r.operatorIds.truncate(3)), "operatorIds: a committee has 4, 7, 10 or 13"),
        ("a million operators", request(|r| r.operatorIds = vec![1; 1_000]), "a committee has 4, 7, 10 or 13"),
        ("an operator twice", request(|r| r.operatorIds[0] = 2), "operatorIds: operator 2 is listed twice"),
        ("descending", request(|r| r.operatorIds.reverse()), "operatorIds: operator 3 stands after a higher id"),
        ("short pubkey", registration(|r| r.publicKey = vec![1; 47].into()), "publicKey has 47 bytes instead of 48"),
        ("long share", registration(|r| r.sharesPublicKeys[3] = vec![1; 49].into()), "sharesPublicKeys has 49 bytes"),
        (
            "empty envelope",
            registration(|r| r.encryptedKeys[0] = vec![].into()),
            "encryptedKeys has 0 bytes instead of 93",
        ),
        (
            "a share is missing",
            registration(|r| drop(r.sharesPublicKeys.pop())),
            "sharesPublicKeys has 3 entries instead",
        ),
        (
            "an envelope too many",
            registration(|r| r.encryptedKeys.push(vec![1; 93].into())),
            "encryptedKeys has 5 entries",
        ),
        ("no keys to exit", double::exit(1, 7, &[]), "validatorPubKeys has 0 entries"),
        ("1,001 keys to exit", double::exit(1, 7, &vec![vec![1; 48]; 1001]), "validatorPubKeys has 1001 entries"),
        (
            "a key twice",
            double::exit(1, 7, &[vec![1; 48], vec![1; 48]]),
            "validatorPubKeys names the key at position 1",
        ),
        ("a short key to exit", double::exit(1, 7, &[vec![1; 40]]), "validatorPubKeys has 40 bytes"),
        ("zero fee recipient", double::recipient(1, 0), "newAddress is the zero address"),
    ]
}

#[test]
fn each_malformed_log_has_its_reason_in_words() {
    for (description, emitted, words) in bad() {
        let error = read(emitted).expect_err(description);
        assert!(error.to_string().contains(words), "{description}: {error}");
    }
}

/// One large string and a list of offsets that all point at it would be gigabytes, were they copied.
#[test]
fn an_abi_bomb_costs_nothing() {
    let (contract, topics, _) = double::exit(1, 7, &[vec![1; 48]]);
    let word = |value: u64| {
        let mut word = [0u8; 32];
        word[24..].copy_from_slice(&value.to_be_bytes());
        word
    };
    let count = 4_000u64;
    let mut data: Vec<u8> = [word(128), word(1), word(128), word(0)].concat();
    data.extend(word(count));
    (0..count).for_each(|_| data.extend(word(32 * count)));
    data.extend(word(100_000));
    data.extend(vec![7; 100_000]);
    let error = read((contract, topics.clone(), data)).unwrap_err();
    assert!(error.to_string().contains("4000 entries") || error.to_string().contains("encoding"), "{error}");
    let mut data: Vec<u8> = [word(128), word(1), word(128), word(0)].concat();
    data.extend([0xff; 32]);
    assert!(matches!(read((contract, topics.clone(), data)), Err(Malformed::Encoding { .. })));
    let error = read((contract, topics, vec![0; 300_000])).unwrap_err();
    assert!(matches!(error, Malformed::TooLong { found: 300_000, .. }), "{error}");
}

#[test]
fn names_are_made_printable() {
    let name = |bytes: &[u8]| cluster_core::chain::printable_name(bytes, OperatorId(3));
    assert_eq!(name(b"Alice"), "Alice");
    assert_eq!(name(b""), "operator 3");
    assert_eq!(name(b"  "), "operator 3");
    assert_eq!(name(b"a\x1b[31mb\n"), "a\u{fffd}[31mb\u{fffd}");
    assert!(name(&[0xff; 1000]).len() <= 64);
    assert!(name("\u{1f600}".repeat(50).as_bytes()).len() <= 64);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Any change to any log of any event, and any bytes at all: an answer, and never a crash.
    #[test]
    fn no_bytes_crash_the_decoder(
        which in 0usize..12,
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        cut in any::<prop::sample::Index>(),
        tail in proptest::collection::vec(any::<u8>(), 0..200),
        truncate in any::<bool>(),
    ) {
        let (contract, mut topics, mut data) = good().swap_remove(which).1;
        for (at, byte) in &flips {
            if !data.is_empty() {
                let at = at.index(data.len());
                data[at] ^= byte;
            }
            if topics.len() > 1 {
                let at = 1 + usize::from(*byte) % (topics.len() - 1);
                topics[at][usize::from(*byte) % 32] ^= byte;
            }
        }
        if truncate {
            let length = if data.is_empty() { 0 } else { cut.index(data.len()) };
            data.truncate(length);
            data.extend(tail);
        }
        let shown = to_hex(&data);
        if let Err(error) = read((contract, topics, data)) {
            prop_assert!(!error.to_string().is_empty(), "{}", shown);
        }
    }
}
