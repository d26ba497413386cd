use crate::vectors::{bytes, deposit_files, read};
use cluster_core::{
    deposit::{
        compute_domain, deposit_domain, signing_root, DepositData, DepositDataJson, DepositMessage, DOMAIN_DEPOSIT,
    },
    network::Network,
};
use cluster_crypto::bls;
use serde_json::Value;

fn message(value: &Value) -> DepositMessage {
    let amount = &value["amount"];
    DepositMessage {
        pubkey: bytes(&value["pubkey"]),
        withdrawal_credentials: bytes(&value["withdrawal_credentials"]),
        amount: amount.as_u64().unwrap_or_else(|| amount.as_str().unwrap().parse().unwrap()),
    }
}

fn data(value: &Value) -> DepositData {
    let DepositMessage { pubkey, withdrawal_credentials, amount } = message(value);
    DepositData { pubkey, withdrawal_credentials, amount, signature: bytes(&value["signature"]) }
}

#[test]
fn container_roots_match_the_generated_cases() {
    let mut counts = [0; 4];
    for case in read("ssz-generated/hash_tree_root.json").as_array().unwrap() {
        let (value, root): (_, [u8; 32]) = (&case["value"], bytes(&case["root"]));
        match case["type"].as_str().unwrap() {
            "DepositMessage" => {
                assert_eq!(message(value).root(), root);
                counts[0] += 1;
            }
            "DepositData" => {
                assert_eq!(data(value).root(), root);
                counts[1] += 1;
            }
            "ForkData" => {
                let genesis = bytes(&value["genesis_validators_root"]);
                let domain = compute_domain([1, 2, 3, 4], bytes(&value["current_version"]), genesis);
                assert_eq!(domain[..4], [1, 2, 3, 4]);
                assert_eq!(domain[4..], root[..28]);
                counts[2] += 1;
            }
            "SigningData" => {
                assert_eq!(signing_root(bytes(&value["object_root"]), bytes(&value["domain"])), root);
                counts[3] += 1;
            }
            _ => {}
        }
    }
    assert_eq!(counts, [8; 4]);
}

#[test]
fn domains_match_the_generated_cases() {
    let cases = read("ssz-generated/domains_signing_roots.json");
    let mut deposits = 0;
    for case in cases.as_array().unwrap() {
        let domain = compute_domain(
            bytes(&case["domain_type"]),
            bytes(&case["fork_version"]),
            bytes(&case["genesis_validators_root"]),
        );
        assert_eq!(domain, bytes(&case["domain"]), "{case}");
        assert_eq!(signing_root(bytes(&case["object_root"]), domain), bytes(&case["signing_root"]));
        let network: Network = case["network"].as_str().unwrap().parse().unwrap();
        if case["domain_name"] == "DEPOSIT" {
            assert_eq!(domain, deposit_domain(network));
            deposits += 1;
        }
    }
    assert!(deposits >= 2);
}

/// Other tools' files: roots for all, signatures under the fork version that the file names.
#[test]
fn deposit_files_of_other_tools_verify() {
    let mut entries = 0;
    for path in [deposit_files("deposit-cli-generated"), deposit_files("lighthouse-deposit-data")].concat() {
        let file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        for entry in file.as_array().unwrap() {
            assert_eq!(message(entry).root(), bytes(&entry["deposit_message_root"]));
            assert_eq!(data(entry).root(), bytes(&entry["deposit_data_root"]));
            let domain = compute_domain(DOMAIN_DEPOSIT, bytes(&entry["fork_version"]), [0; 32]);
            let hashed = bls::HashedMessage::new(&signing_root(message(entry).root(), domain));
            let pubkey = bls::PublicKey::from_bytes(&bytes::<48>(&entry["pubkey"])).unwrap();
            let signature = bls::Signature::from_bytes(&bytes::<96>(&entry["signature"])).unwrap();
            assert!(bls::verify(&pubkey, &hashed, &signature), "{entry}");
            entries += 1;
        }
    }
    assert_eq!(entries, 7 + 22);
}

#[test]
fn launchpad_entries_for_lido_verify_and_every_changed_field_is_named() {
    for network in Network::ALL {
        let vault = network.lido_withdrawal_vault();
        let [path] = &deposit_files(&format!("deposit-cli-generated/{network}-csm"))[..] else { panic!("one file") };
        let file: Vec<DepositDataJson> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        for entry in &file {
            assert_eq!(entry.verify(network, vault), Ok(()));
        }
        let (first, second) = (&file[0], &file[1]);
        type Change<'a> = (&'static str, Box<dyn Fn(&mut DepositDataJson) + 'a>);
        let changes: Vec<Change> = vec![
            ("deposit_message_root", Box::new(|entry| entry.pubkey = second.pubkey.clone())),
            ("pubkey", Box::new(|entry| entry.pubkey = "c0".to_owned() + &"0".repeat(94))),
            ("pubkey", Box::new(|entry| entry.pubkey = entry.pubkey.to_uppercase())),
            ("pubkey", Box::new(|entry| entry.pubkey.insert_str(0, "0x"))),
            ("withdrawal_credentials", Box::new(|entry| entry.withdrawal_credentials.replace_range(..2, "02"))),
            ("withdrawal_credentials", Box::new(|entry| entry.withdrawal_credentials.replace_range(62.., "00"))),
            ("amount", Box::new(|entry| entry.amount += 1)),
            ("signature", Box::new(|entry| entry.signature = second.signature.clone())),
            ("signature", Box::new(|entry| entry.signature.truncate(190))),
            ("signature", Box::new(|entry| entry.signature = "c0".to_owned() + &"0".repeat(190))),
            (
                "deposit_message_root",
                Box::new(|entry| entry.deposit_message_root = second.deposit_message_root.clone()),
            ),
            ("deposit_data_root", Box::new(|entry| entry.deposit_data_root = second.deposit_data_root.clone())),
            ("fork_version", Box::new(|entry| entry.fork_version = "01017000".into())),
            ("network_name", Box::new(|entry| entry.network_name = "holesky".into())),
            ("deposit_cli_version", Box::new(|entry| entry.deposit_cli_version.clear())),
            ("deposit_cli_version", Box::new(|entry| entry.deposit_cli_version = "\u{7}".into())),
        ];
        for (field, change) in changes {
            let mut entry = first.clone();
            change(&mut entry);
            let error = entry.verify(network, vault).expect_err(field);
            assert_eq!(error.field(), field, "{error}");
            assert!(error.to_string().starts_with(field), "{error}");
        }
        let other = if network == Network::Hoodi { Network::Mainnet } else { Network::Hoodi };
        assert_eq!(first.verify(other, vault).unwrap_err().field(), "network_name");
        let error = first.verify(network, network.lido_el_rewards_vault()).unwrap_err();
        assert_eq!(error.field(), "withdrawal_credentials");
    }
}

/// The tree that `contracts/test/DepositContract.t.sol` fills: its leaves are what we call a deposit's root.
#[test]
fn leaves_of_the_deposit_contract_are_roots_of_deposit_data() {
    let vectors = read("deposit-tree.json");
    let deposits = vectors["deposits"].as_array().unwrap();
    for deposit in deposits {
        assert_eq!(data(deposit).root(), bytes::<32>(&deposit["deposit_data_root"]));
    }
    assert_eq!((deposits.len(), vectors["roots"].as_array().unwrap().len()), (29, 30));
}
