//! A real certificate and its deposit data (`app/fixtures`), and every way of changing them that a service might try.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use cluster_app_verify::{Check, Verifier};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use serde_json::{json, Value};
use std::path::Path;

struct Files {
    certificate: Value,
    deposits: Value,
    expected: Value,
}

impl Files {
    fn read() -> Self {
        Self::read_in("")
    }

    fn read_in(folder: &str) -> Self {
        let read = |name: &str| {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(folder).join(name);
            serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
        };
        Self {
            certificate: read("certificate.json"),
            deposits: read("deposit_data.json"),
            expected: read("expected.json"),
        }
    }

    /// The checks that fail; none for good files. A refusal to read counts as a failure of the certificate.
    fn failures(&self) -> Vec<Check> {
        let (certificate, deposits) = (self.certificate.to_string(), self.deposits.to_string());
        let Ok(verifier) = Verifier::new(&certificate, &deposits, &self.expected.to_string()) else {
            return vec![Check::Certificate];
        };
        let mut outcomes = verifier.request();
        outcomes.extend(verifier.certificate(&mut ChaCha20Rng::from_seed([7; 32])));
        outcomes.push(verifier.deposits(0, verifier.deposit_count()));
        assert!(outcomes.iter().all(|outcome| !outcome.detail.is_empty()));
        outcomes.into_iter().filter(|outcome| !outcome.passed).map(|outcome| outcome.check).collect()
    }
}

#[test]
fn files_of_a_ceremony_pass_every_check() {
    let files = Files::read();
    assert_eq!(files.failures(), []);
    let verifier =
        Verifier::new(&files.certificate.to_string(), &files.deposits.to_string(), &files.expected.to_string())
            .unwrap();
    let keys = verifier.pubkeys();
    assert_eq!(keys.len(), verifier.deposit_count());
    assert!(keys.iter().all(|key| key.len() == 98 && key.starts_with("0x")));
    assert_eq!(verifier.request().len() + verifier.certificate(&mut ChaCha20Rng::from_seed([1; 32])).len(), 8);
}

/// Changes the last hex digit, so that lengths stay.
fn flip(value: &Value) -> Value {
    let text = value.as_str().unwrap();
    let (head, last) = text.split_at(text.len() - 1);
    json!(format!("{head}{}", if last == "0" { "1" } else { "0" }))
}

#[test]
fn every_change_is_refused_and_named() {
    type Change = (&'static str, Check, fn(&mut Files));
    let changes: &[Change] = &[
        ("another owner is logged in", Check::Request, |files| {
            files.expected["owner"] = json!("0x1111111111111111111111111111111111111111");
        }),
        ("the certificate of another ceremony", Check::Request, |files| {
            files.expected["ceremony_id"] = flip(&files.expected["ceremony_id"]);
        }),
        ("a reshare, whose validators are not new", Check::Request, |files| {
            let digest = files.certificate["ceremony_id"].clone();
            let request = &mut files.certificate["transcript"]["request"]["request"];
            request["reshare"] = json!({
                "previous": digest, "operator_ids": request["operator_ids"], "share_keys": vec![digest.clone(); 4],
                "validators": digest,
            });
        }),
        ("another network", Check::Network, |files| files.expected["chain_id"] = json!(1)),
        ("a network without validators", Check::Network, |files| files.expected["chain_id"] = json!(5)),
        ("another withdrawal address was chosen", Check::WithdrawalAddress, |files| {
            files.expected["withdrawal_address"] = json!("0x2222222222222222222222222222222222222222");
        }),
        ("more validators were asked for", Check::Committee, |files| files.expected["validator_count"] = json!(3)),
        ("another operator was chosen", Check::Committee, |files| {
            files.expected["operators"][3]["operator_id"] = json!(9_999);
        }),
        ("an operator has another key in the registry", Check::Certificate, |files| {
            files.expected["operators"][0]["public_key"] = files.expected["operators"][1]["public_key"].clone();
        }),
        ("a key was submitted before", Check::Duplicates, |files| {
            let key = format!("0x{}", files.deposits[1]["pubkey"].as_str().unwrap());
            files.expected["known_pubkeys"] = json!([key.to_uppercase().replace("0X", "0x")]);
        }),
        ("a key is there twice", Check::Duplicates, |files| files.deposits[1] = files.deposits[0].clone()),
        ("a deposit is missing", Check::DepositData, |files| {
            files.deposits.as_array_mut().unwrap().pop();
        }),
        ("deposits in another order", Check::DepositData, |files| files.deposits.as_array_mut().unwrap().reverse()),
        ("an operator has not signed", Check::Receipts, |files| {
            files.certificate["attestations"].as_array_mut().unwrap().pop();
        }),
        ("too few operators have signed", Check::Certificate, |files| {
            files.certificate["attestations"].as_array_mut().unwrap().truncate(2);
        }),
        ("an operator's signature", Check::Certificate, |files| {
            let signature = &mut files.certificate["attestations"][2]["signature"];
            *signature = flip(signature);
        }),
        ("a sealed share", Check::Certificate, |files| {
            let envelope = &mut files.certificate["attestations"][0]["envelopes"][0];
            *envelope = flip(envelope);
        }),
        ("the owner's signature", Check::Certificate, |files| {
            let signature = &mut files.certificate["transcript"]["request"]["signature"];
            let text = signature.as_str().unwrap().to_owned();
            *signature = json!(format!("{}{}", &text[..10], text[10..].replacen('a', "b", 1)));
        }),
        ("the withdrawal address in the request", Check::WithdrawalAddress, |files| {
            files.certificate["transcript"]["request"]["request"]["withdrawal_address"] =
                json!("0x2222222222222222222222222222222222222222");
        }),
        ("a validator's key share", Check::Certificate, |files| {
            let validators = &mut files.certificate["transcript"]["validators"];
            let other = validators[1]["share_pubkeys"][0].clone();
            validators[0]["share_pubkeys"][0] = other;
        }),
        ("a validator's deposit signature", Check::Certificate, |files| {
            let validators = &mut files.certificate["transcript"]["validators"];
            let other = validators[1]["deposit_signature"].clone();
            validators[0]["deposit_signature"] = other;
        }),
        ("a root of the transcript", Check::Certificate, |files| {
            let root = &mut files.certificate["transcript"]["validators"][0]["deposit_data_root"];
            *root = flip(root);
        }),
    ];
    for (what, check, change) in changes {
        let mut files = Files::read();
        change(&mut files);
        assert!(files.failures().contains(check), "{what}: {:?}", files.failures());
    }
    for field in
        ["pubkey", "withdrawal_credentials", "signature", "deposit_message_root", "deposit_data_root", "fork_version"]
    {
        let mut files = Files::read();
        files.deposits[1][field] = flip(&files.deposits[1][field]);
        let failures = files.failures();
        assert!(failures.contains(&Check::DepositData) && failures.contains(&Check::Deposits), "{field}: {failures:?}");
    }
    for (field, value) in [("amount", json!(31_000_000_000u64)), ("network_name", json!("mainnet"))] {
        let mut files = Files::read();
        files.deposits[0][field] = value;
        let failures = files.failures();
        assert!(failures.contains(&Check::DepositData) && failures.contains(&Check::Deposits), "{field}: {failures:?}");
    }
}

#[test]
fn what_is_no_certificate_or_no_list_is_refused_in_words() {
    let files = Files::read();
    let (certificate, deposits, expected) =
        (files.certificate.to_string(), files.deposits.to_string(), files.expected.to_string());
    let refused =
        |certificate: &str, deposits: &str, expected: &str| Verifier::new(certificate, deposits, expected).unwrap_err();
    assert!(refused("{}", &deposits, &expected).starts_with("certificate: "));
    assert!(refused(&certificate, "{}", &expected).starts_with("deposit data: "));
    assert!(refused(&certificate, &deposits, "[]").starts_with("expected values: "));
}

/// The request is a log of the chain: it counts when it is the one that the certificate names, and asks for the same.
#[test]
fn a_request_by_an_event_needs_the_log_that_the_certificate_names() {
    assert_eq!(Files::read_in("event").failures(), []);
    let nobody_looked = |expected: &mut Value| drop(expected.as_object_mut().unwrap().remove("event"));
    type Change<'a> = (&'a str, &'a dyn Fn(&mut Value));
    let changes: [Change<'_>; 6] = [
        ("nobody looked", &nobody_looked),
        ("another transaction", &|expected| {
            expected["event"]["transaction_hash"] = flip(&expected["event"]["transaction_hash"]);
        }),
        ("another position", &|expected| expected["event"]["log_index"] = json!(1)),
        ("another contract", &|expected| expected["event"]["contract"] = json!(format!("0x{}", "11".repeat(20)))),
        ("another kind of event", &|expected| {
            expected["event"]["topics"][0] = flip(&expected["event"]["topics"][0]);
        }),
        ("no data", &|expected| expected["event"]["data"] = json!("0x")),
    ];
    for (what, change) in changes {
        let mut files = Files::read_in("event");
        change(&mut files.expected);
        assert_eq!(files.failures(), [Check::Certificate], "{what}");
    }
}

/// Each word of the event's data in turn is another one; some are not part of the request.
#[test]
fn a_log_that_asks_for_something_else_is_found_out() {
    let good = Files::read_in("event");
    let data = good.expected["event"]["data"].as_str().unwrap().to_owned();
    let digits = data.len();
    let found = (2..digits).step_by(64).filter(|at| {
        let mut files = Files::read_in("event");
        let last = at + 63;
        let digit = if &data[last..=last] == "3" { "2" } else { "3" };
        files.expected["event"]["data"] = json!(format!("{}{digit}{}", &data[..last], &data[last + 1..]));
        files.failures() == [Check::Certificate]
    });
    assert!(found.count() >= 4, "owner, count, committee and address are all compared");
}
