//! `cluster-node split`, `import` and `exit` through the binary, with official EIP-2335 keystores.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use cluster_core::committee::{Committee, OperatorId};
use cluster_core::exit::SignedExitRequest;
use cluster_core::network::Network;
use cluster_core::registry::{Registry, RegistryFile};
use cluster_crypto::bls::{self, HashedMessage};
use cluster_crypto::ethereum::Address;
use cluster_crypto::keystore::{Kdf, Keystore};
use cluster_crypto::threshold::{combine, verify_combined, Partial};
use cluster_crypto::ShareIndex;
use cluster_node::exits::{ExitDesk, OrderError};
use cluster_node::keys::write_identity;
use cluster_node::service_client::now_ms;
use cluster_node::signer::{LocalSigner, Request};
use cluster_node::split::{split, ShareFile, SplitError, Terms};
use cluster_node::store::{Source, Store};
use rand_core::OsRng;

use crate::common::command::{node, private};
use crate::common::{any_file_contains, World};
use crate::support::{spec, Clock};

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../vectors/eip2333-2335-deposit-cli");
const PASSWORD: &str = "\u{1d531}\u{1d522}\u{1d530}\u{1d531}\u{1d52d}\u{1d51e}\u{1d530}\u{1d530}\u{1d534}\u{1d52c}\u{1d52f}\u{1d521}\u{1f511}";
const SECRET: &str = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f";
const OWNER: &str = "0x00000000000000000000000000000000000000aa";

/// A world whose registry, wallet and first operator's key are files in its folder.
fn prepared() -> World {
    let world = World::new(4);
    let registry = RegistryFile {
        network: Network::Hoodi,
        operators: world.registry.operators(),
        gateways: world.registry.gateways(),
        bootstraps: Vec::new(),
    };
    let dir = world.dir.path();
    std::fs::write(dir.join("registry.toml"), toml::to_string(&registry).unwrap()).unwrap();
    private(&dir.join("owner.key"), &world.wallet.to_bytes().expose(|bytes| hex::encode(bytes)));
    private(&dir.join("password.txt"), "pass");
    private(&dir.join("keystore-password.txt"), PASSWORD);
    world
}

const SPLIT: [&str; 12] = [
    "--password-file",
    "keystore-password.txt",
    "--registry",
    "registry.toml",
    "--operators",
    "1,2,3,4",
    "--owner",
    OWNER,
    "--withdrawal-address",
    "lido",
    "--out",
    "split",
];

#[test]
fn a_keystore_is_split_imported_by_every_operator_and_signs_under_its_own_key() {
    let world = prepared();
    let dir = world.dir.path();
    let keystore = format!("{VECTORS}/keystore_pbkdf2.json");
    let careless = node(dir, &[&["split", &keystore], SPLIT.as_slice()].concat());
    assert!(!careless.ok && careless.err.contains("must never be used anywhere else"), "{}", careless.err);
    assert!(careless.err.contains("--old-keys-are-stopped") && !dir.join("split").exists(), "{}", careless.err);
    let done = node(dir, &[&["split", &keystore], SPLIT.as_slice(), &["--old-keys-are-stopped"]].concat());
    assert!(done.ok, "{}", done.err);
    let again = node(dir, &[&["split", &keystore], SPLIT.as_slice(), &["--old-keys-are-stopped"]].concat());
    assert!(!again.ok, "share files are never overwritten");
    let secret = hex::decode(SECRET).unwrap();
    assert!(
        !any_file_contains(&dir.join("split"), &secret) && !any_file_contains(&dir.join("split"), SECRET.as_bytes())
    );

    let expected = bls::SecretKey::from_bytes(&secret.try_into().unwrap()).unwrap().public_key();
    let network = spec();
    let (threshold, epoch) = (Committee::new(members(&world)).unwrap().threshold(), cluster_core::beacon::Epoch(2));
    let mut partials: Vec<(ShareIndex, Vec<Partial>)> = Vec::new();
    for (at, (id, key)) in world.keys.iter().enumerate() {
        write_identity(&dir.join(format!("key-{id}.json")), &cluster_crypto::Secret::new("pass".into()), key, "")
            .unwrap();
        let (file, data) = (format!("split/share-operator-{id}.json"), format!("data-{id}"));
        let mode = std::fs::metadata(dir.join(&file)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        let key_file = format!("key-{id}.json");
        let flags = ["--registry", "registry.toml", "--key-file", &key_file, "--data-dir", &data];
        let other = format!("split/share-operator-{}.json", if id.0 == 1 { 2 } else { 1 });
        let foreign = node(dir, &[&["import", &other], flags.as_slice()].concat());
        assert!(!foreign.ok && foreign.err.contains("is for operator"), "{}", foreign.err);
        let imported = node(dir, &[&["import", &file], flags.as_slice()].concat());
        assert!(imported.ok && imported.out.contains(&expected.to_string()), "{} {}", imported.out, imported.err);
        assert!(
            imported.out.lines().next() == done.out.lines().rev().nth(1).map(|line| line.split(':').next().unwrap())
        );

        let store = Arc::new(Store::open(&dir.join(&data), key).unwrap());
        let entry = store.validator(&expected.to_bytes()).unwrap().unwrap();
        assert!(matches!(entry.source, Source::Split(_)));
        assert_eq!(entry.owner, Some(OWNER.parse::<Address>().unwrap()));
        assert_eq!(entry.fee_recipient, Network::Hoodi.lido_el_rewards_vault(), "Lido's rule");
        let signer = LocalSigner::open(store, Clock::at(&network, 16).now()).unwrap();
        let request = Request::Randao { validators: vec![expected.to_bytes()], epoch };
        let signed: Result<Vec<_>, _> = signer.sign_blocking(&network, &request).unwrap().into_iter().collect();
        partials.push((ShareIndex::new(at as u8 + 1).unwrap(), signed.unwrap()));
    }
    partials.remove(1);
    let signed: Vec<_> = partials.iter().map(|(index, partials)| (*index, partials.as_slice())).collect();
    let candidates = combine(threshold, &signed).unwrap();
    let message = HashedMessage::new(&network.randao(epoch));
    assert!(verify_combined(&[expected], &[message], candidates, &mut OsRng).is_some());
}

fn members(world: &World) -> Vec<(OperatorId, cluster_crypto::identity::PublicKey)> {
    world.keys.iter().map(|(id, key)| (*id, key.public_key())).collect()
}

#[test]
fn what_is_wrong_with_keystores_and_flags_is_said_before_anything_is_written() {
    let world = prepared();
    let dir = world.dir.path();
    let keystore = format!("{VECTORS}/keystore_pbkdf2.json");
    std::fs::create_dir(dir.join("empty")).unwrap();
    std::fs::write(dir.join("twin.json"), std::fs::read(&keystore).unwrap()).unwrap();
    let text = std::fs::read_to_string(&keystore).unwrap();
    std::fs::write(dir.join("renamed.json"), text.replace("9612d7a7", "9612d7a8")).unwrap();
    private(&dir.join("wrong.txt"), "wrong");
    let go = "--old-keys-are-stopped";
    let with = |keystores: &[&str], flags: &[&str]| -> Vec<String> {
        let defaults = SPLIT.chunks(2).filter(|pair| !flags.contains(&pair[0])).flatten();
        ["split"]
            .iter()
            .chain(keystores)
            .chain(defaults)
            .chain(flags)
            .chain([&go])
            .map(|arg| (*arg).to_owned())
            .collect()
    };
    let thief = "0x0000000000000000000000000000000000000011";
    let cases = [
        (with(&["missing.json"], &[]), "missing.json cannot be read"),
        (with(&["registry.toml"], &[]), "is not a keystore"),
        (with(&["empty"], &[]), "has no keystore*.json"),
        (with(&[&keystore], &["--password-file", "wrong.txt"]), "password is wrong"),
        (with(&["renamed.json"], &[]), "names the public key 9612d7a8"),
        (with(&[&keystore, "twin.json"], &[]), "is there twice"),
        (with(&[&keystore], &["--operators", "1,2,3"]), "4, 7, 10 or 13"),
        (with(&[&keystore], &["--operators", "1,2,3,9"]), "operator 9, which is not registered"),
        (with(&[&keystore], &["--fee-recipient", thief]), "validators of Lido pay to"),
    ];
    for (args, words) in cases {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let run = node(dir, &args);
        assert!(!run.ok && run.err.contains(words), "{args:?}: {}", run.err);
        assert!(!dir.join("split").exists(), "{args:?}");
    }
    // A folder of keystores, each with its own password.
    let (keys, passwords) = (dir.join("keys"), dir.join("passwords"));
    std::fs::create_dir(&keys).unwrap();
    std::fs::create_dir(&passwords).unwrap();
    for n in 0..2 {
        let key = bls::SecretKey::generate(&mut OsRng);
        let public = hex::encode(key.public_key().to_bytes());
        let password = format!("password {n}");
        let file = key
            .to_bytes()
            .expose(|secret| Keystore::encrypt(secret, &password, Kdf::Pbkdf2, &public, "", "", &mut OsRng).unwrap());
        std::fs::write(keys.join(format!("keystore-{n}.json")), serde_json::to_string(&file).unwrap()).unwrap();
        private(&passwords.join(format!("keystore-{n}.txt")), &password);
    }
    let flags = SPLIT[2..].to_vec();
    let run = node(dir, &[&["split", "keys", "--password-dir", "passwords", go], flags.as_slice()].concat());
    assert!(run.ok && run.out.contains("2 validators"), "{}", run.err);
}

#[test]
fn a_share_file_that_was_changed_anywhere_is_refused() {
    let world = World::new(4);
    let keys: Vec<_> = (0..2).map(|_| bls::SecretKey::generate(&mut OsRng)).collect();
    let terms = Terms {
        network: Network::Hoodi,
        owner: None,
        withdrawal_address: None,
        fee_recipient: Address([7; 20]),
        gas_limit: 1,
    };
    let committee = Committee::new(members(&world)).unwrap();
    let files = split(&keys, terms, &committee, &mut OsRng).unwrap();
    let (me, key) = (OperatorId(3), &world.keys[&OperatorId(3)]);
    let open = |file: &ShareFile, network| file.open(me, key, network, world.registry.as_ref(), &mut OsRng);
    let good = &files[2];
    assert_eq!(open(good, Network::Hoodi).unwrap().entries.len(), 2);
    let text = serde_json::to_string(good).unwrap();
    assert_eq!(ShareFile::from_json(&text).unwrap(), *good, "JSON round trip");
    assert!(matches!(open(good, Network::Mainnet), Err(SplitError::OtherNetwork { .. })));
    assert!(matches!(open(&files[0], Network::Hoodi), Err(SplitError::OtherOperator { .. })));
    type Change = (&'static str, fn(&mut ShareFile));
    let changes: [Change; 7] = [
        ("fee recipient", |file| file.transcript.terms.fee_recipient.0[0] ^= 1),
        ("owner", |file| file.transcript.terms.owner = Some(Address([9; 20]))),
        ("order of validators", |file| file.transcript.validators.swap(0, 1)),
        ("order of shares", |file| file.envelopes.swap(0, 1)),
        ("a share less", |file| file.envelopes.truncate(1)),
        ("a share key", |file| file.transcript.validators[0].share_pubkeys.swap(0, 1)),
        ("version", |file| file.transcript.version = 2),
    ];
    for (name, change) in changes {
        let mut file = good.clone();
        change(&mut file);
        assert!(open(&file, Network::Hoodi).is_err(), "{name}");
    }
    let mut other_key = good.clone();
    other_key.transcript.committee[0].public_key = world.gateway_key.public_key();
    let refused = open(&other_key, Network::Hoodi).unwrap_err();
    assert!(matches!(refused, SplitError::OtherKey { id: OperatorId(1) }), "{refused}");
}

#[test]
fn exit_signs_an_order_that_operators_of_the_validators_take_in_once() {
    let world = prepared();
    let dir = world.dir.path();
    let key = bls::SecretKey::generate(&mut OsRng);
    let pubkey = key.public_key();
    let terms = Terms {
        network: Network::Hoodi,
        owner: Some(world.wallet.address()),
        withdrawal_address: None,
        fee_recipient: Address([7; 20]),
        gas_limit: 1,
    };
    let committee = Committee::new(members(&world)).unwrap();
    let files = split(&[key], terms, &committee, &mut OsRng).unwrap();
    let operator = &world.keys[&OperatorId(1)];
    let imported = files[0].open(OperatorId(1), operator, Network::Hoodi, world.registry.as_ref(), &mut OsRng).unwrap();
    let store = Arc::new(Store::open(&dir.join("data"), operator).unwrap());
    store.import_shares(&imported.shares, &imported.entries).unwrap();
    let desk = ExitDesk::new(&store, Network::Hoodi.chain_id());

    let named = pubkey.to_string();
    let flags = ["exit", "--network", "hoodi", "--owner-key-file", "owner.key", "--validators", &named];
    let nowhere = node(dir, &flags);
    assert!(!nowhere.ok && nowhere.err.contains("give --out or --operator"), "{}", nowhere.err);
    let shown = node(dir, &[flags.as_slice(), &["--dry-run"]].concat());
    assert!(shown.ok && shown.out.contains("\"primaryType\": \"ExitRequest\""), "{}", shown.err);
    let away = node(dir, &[flags.as_slice(), &["--out", "order.json", "--operator", "http://127.0.0.1:9"]].concat());
    assert!(!away.ok && away.err.contains("1 of 1 operators did not take the order"), "{}", away.err);
    let order = SignedExitRequest::from_json(&std::fs::read_to_string(dir.join("order.json")).unwrap()).unwrap();

    let changes = desk.changed();
    let now = now_ms() / 1000;
    desk.take(&order, now).unwrap();
    desk.take(&order, now).unwrap();
    assert_eq!(*changes.borrow(), 1, "the same again changes nothing");
    assert_eq!(desk.orders(now).unwrap(), std::slice::from_ref(&order));
    let mut unknown = order.clone();
    unknown.request.pubkeys = vec![bls::SecretKey::generate(&mut OsRng).public_key()];
    unknown.origin = cluster_core::request::Origin::Signature(world.wallet.sign_digest(&unknown.request.digest()));
    let refused = desk.take(&unknown, now).unwrap_err();
    assert!(matches!(refused, OrderError::Unknown { .. }) && refused.field() == "pubkeys", "{refused}");
    assert!(desk.orders(order.request.deadline + 1).unwrap().is_empty(), "forgotten after the deadline");

    let expired = node(dir, &[flags.as_slice(), &["--out", "x.json", "--valid-for-s", "9999999999"]].concat());
    assert!(!expired.ok && expired.err.contains("deadline: "), "{}", expired.err);
    let nobody = node(dir, &[&flags[..5], &["--out", "x.json"]].concat());
    assert!(!nobody.ok && nobody.err.contains("pubkeys: "), "{}", nobody.err);
}
