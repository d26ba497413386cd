//! The signer as a process: its socket, shares that move to it, and SIGKILL at any moment.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cluster_core::beacon::{AttestationData, ChainSpec, Epoch};
use cluster_core::encoding::encode;
use cluster_crypto::identity;
use cluster_crypto::keystore::{Kdf, Keystore};
use cluster_node::signer::{
    listen, serve, HandOver, Pubkey, RefusalKind, RemoteSigner, Request, Service, Signer, SignerError, SocketError,
    MAX_CONNECTIONS,
};
use cluster_node::store::{Handover, Store};
use rand_chacha::ChaCha20Rng;
use rand_core::{OsRng, RngCore, SeedableRng};
use tokio_util::sync::CancellationToken;

use crate::common::any_file_contains;
use crate::support::*;

const SLOT: u64 = 100;
const PATIENCE: Duration = Duration::from_secs(20);

/// A signer in this process, with a clock of the test.
struct Served {
    socket: PathBuf,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

async fn serve_in(dir: &Path, key: &identity::SecretKey, clock: &Clock) -> Served {
    let store = Arc::new(Store::open(&dir.join("signer-data"), key).unwrap());
    let signer = open(&store, clock);
    let socket = dir.join("signer.sock");
    let listener = listen(&socket).await.unwrap();
    let stop = CancellationToken::new();
    let service = Service { signer, store, identity: key.clone() };
    let task = tokio::spawn(serve(listener, service, stop.clone()));
    Served { socket, stop, task }
}

impl Served {
    async fn end(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn shares_and_history_move_to_the_signer_which_then_signs_everything_and_nothing_slashable() {
    let (committee, spec, clock) = (Committee::new(2), spec(), Clock::default());
    clock.set(&spec, SLOT);
    let keys = committee.pubkeys();
    let mut answers: Vec<Vec<(usize, Answers)>> = vec![Vec::new(); 10];
    let mut roots = Vec::new();
    for at in 0..3 {
        let (dir, key) = (tempfile::tempdir().unwrap(), identity::SecretKey::generate(&mut OsRng));
        let store = committee.store(at, &dir.path().join("operator-data"));
        // The operator has signed itself until now.
        let early = Request::Attestations { validators: keys.clone(), data: vote(SLOT - 8, 10, 1) };
        open(&store, &clock).sign_blocking(&spec, &early).unwrap();

        let served = serve_in(dir.path(), &key, &clock).await;
        let mode = std::fs::metadata(&served.socket).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        let remote = RemoteSigner::new(&served.socket, PATIENCE);
        let unknown = remote.sign(&spec, Request::Randao { validators: keys.clone(), epoch: Epoch(12) }).await.unwrap();
        assert!(unknown.iter().all(|answer| answer.as_ref().unwrap_err().kind == RefusalKind::UnknownValidator));

        let mut hand_over = HandOver::new(Arc::clone(&store), remote.clone(), committee.operators[at].0);
        hand_over.pass().await.unwrap();
        assert_eq!(store.handover(&committee.source).unwrap(), Some(Handover::Erased));
        assert!(!store.has_traces(&committee.source).unwrap());
        hand_over.pass().await.unwrap();

        let double = Request::Attestations { validators: keys.clone(), data: vote(SLOT - 8, 10, 2) };
        let refused = remote.sign(&spec, double).await.unwrap();
        assert!(refused.iter().all(|answer| answer.as_ref().unwrap_err().kind == RefusalKind::Slashing));
        roots.clear();
        for ((request, expected), signed) in every_request(&committee, &spec, SLOT).into_iter().zip(&mut answers) {
            signed.push((at, remote.sign(&spec, request).await.unwrap()));
            roots.push(expected);
        }
        let mut elsewhere = ChainSpec::clone(&spec);
        elsewhere.genesis_validators_root = [0x48; 32];
        let request = Request::Randao { validators: keys.clone(), epoch: Epoch(12) };
        let other = remote.sign(&Arc::new(elsewhere), request).await.unwrap_err();
        assert!(matches!(other, SignerError::OtherChain { .. }), "{other}");
        served.end().await;
        for validator in 0..2 {
            let share = committee.share_bytes(at, validator);
            for folder in ["operator-data", "signer-data"] {
                assert!(!any_file_contains(&dir.path().join(folder), &share), "a share is on disk in clear");
            }
        }
    }
    for (signed, roots) in answers.iter().zip(&roots) {
        assert_signs(&committee, signed, roots);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hand_over_that_is_cut_anywhere_is_finished_later_and_loses_nothing() {
    let (committee, spec, clock) = (Committee::new(2), spec(), Clock::default());
    clock.set(&spec, SLOT);
    let request = Request::Randao { validators: committee.pubkeys(), epoch: Epoch(12) };
    let (dir, key) = (tempfile::tempdir().unwrap(), identity::SecretKey::generate(&mut OsRng));
    let data_dir = dir.path().join("operator-data");
    let operator = committee.operators[0].0;
    let socket = dir.path().join("signer.sock");
    let copy = |from: &Path, name: &str| {
        let to = dir.path().join(name);
        let copied = Command::new("cp").arg("-r").arg(from).arg(&to).status().unwrap();
        assert!(copied.success());
        to
    };
    let reopen = |path: &Path| Arc::new(Store::open(path, &committee.operators[0].1).unwrap());
    // The signer is away: the shares stay, and are not used here any more once the move began.
    {
        let store = committee.store(0, &data_dir);
        store.begin_handover(&committee.source).unwrap();
        let remote = RemoteSigner::new(&socket, PATIENCE);
        let away = HandOver::new(Arc::clone(&store), remote.clone(), operator).pass().await.unwrap_err();
        assert!(
            matches!(&away, SignerError::Away { .. }) && away.to_string().contains("cluster-node signer"),
            "{away}"
        );
        let unsigned = remote.sign(&spec, request.clone()).await.unwrap_err();
        assert!(matches!(unsigned, SignerError::Away { .. }), "{unsigned}");
        assert!(store.has_traces(&committee.source).unwrap());
        let local = open(&store, &clock).sign_blocking(&spec, &request).unwrap();
        assert_eq!(local[0].as_ref().unwrap_err().kind, RefusalKind::UnknownValidator);
    }
    // Before the confirmation arrives, the operator dies: the copy is the disk it left.
    let died = copy(&data_dir, "died-before-confirmation");
    for path in [&data_dir, &died] {
        let served = serve_in(dir.path(), &key, &clock).await;
        let store = reopen(path);
        let remote = RemoteSigner::new(&served.socket, PATIENCE);
        HandOver::new(Arc::clone(&store), remote.clone(), operator).pass().await.unwrap();
        assert!(!store.has_traces(&committee.source).unwrap());
        let signed = remote.sign(&spec, request.clone()).await.unwrap();
        assert!(signed.iter().all(Result::is_ok), "{signed:?}");
        served.end().await;
    }
    // Between the mark and the removal, the operator dies.
    let store = committee.store(0, &dir.path().join("died-in-removal"));
    store.begin_handover(&committee.source).unwrap();
    drop(store);
    {
        let db = sled::open(dir.path().join("died-in-removal").join("db")).unwrap();
        db.open_tree("handover").unwrap().insert(committee.source.id(), &[1]).unwrap();
        db.flush().unwrap();
    }
    let store = reopen(&dir.path().join("died-in-removal"));
    assert!(store.has_traces(&committee.source).unwrap());
    let served = serve_in(dir.path(), &key, &clock).await;
    let remote = RemoteSigner::new(&served.socket, PATIENCE);
    HandOver::new(Arc::clone(&store), remote.clone(), operator).pass().await.unwrap();
    assert!(!store.has_traces(&committee.source).unwrap());
    served.end().await;
}

fn frame(payload: &[u8]) -> Vec<u8> {
    [(payload.len() as u32).to_le_bytes().as_slice(), payload].concat()
}

fn hello() -> Vec<u8> {
    frame(&[b"cnsigner".as_slice(), &1u16.to_le_bytes(), &1u16.to_le_bytes()].concat())
}

/// Sends bytes and returns what comes back until the signer is silent for good or has answered `frames` times.
fn talk(socket: &Path, bytes: &[u8], frames: usize) -> Vec<Vec<u8>> {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let _ = stream.write_all(bytes);
    let mut answers = Vec::new();
    while answers.len() < frames {
        let mut prefix = [0u8; 4];
        if stream.read_exact(&mut prefix).is_err() {
            break;
        }
        let mut payload = vec![0u8; u32::from_le_bytes(prefix) as usize];
        stream.read_exact(&mut payload).unwrap();
        answers.push(payload);
    }
    answers
}

fn says(answers: &[Vec<u8>], words: &str) -> bool {
    answers.iter().any(|answer| String::from_utf8_lossy(answer).contains(words))
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_oversize_and_too_many_connections_are_refused_and_the_signer_goes_on() {
    let (committee, spec, clock) = (Committee::new(1), spec(), Clock::default());
    clock.set(&spec, SLOT);
    let (dir, key) = (tempfile::tempdir().unwrap(), identity::SecretKey::generate(&mut OsRng));
    let served = serve_in(dir.path(), &key, &clock).await;
    let socket = served.socket.clone();
    let second = listen(&socket).await.unwrap_err();
    assert!(matches!(second, SocketError::InUse { .. }), "{second}");
    std::fs::write(dir.path().join("file"), "x").unwrap();
    let file = listen(&dir.path().join("file")).await.unwrap_err();
    assert!(matches!(file, SocketError::NotASocket { .. }), "{file}");

    let checked = tokio::task::spawn_blocking(move || {
        let newer = frame(&[b"cnsigner".as_slice(), &2u16.to_le_bytes(), &9u16.to_le_bytes()].concat());
        assert!(says(&talk(&socket, &newer, 9), "install the same release"));
        assert!(talk(&socket, b"GET / HTTP/1.1\r\n\r\n", 9).is_empty(), "its first word is a length above the limit");
        assert!(says(&talk(&socket, &frame(b"hello?"), 9), "socket of a cluster-node signer"));
        assert!(talk(&socket, &frame(&[7; 2000]), 9).is_empty(), "a hello above its limit is not even read");

        let with_hello = |more: &[u8]| [hello().as_slice(), more].concat();
        assert!(says(&talk(&socket, &with_hello(&frame(&[0xff; 64])), 9), "none that this signer knows"));
        let huge = u32::MAX.to_le_bytes();
        assert!(says(&talk(&socket, &with_hello(&huge), 9), "the limit is"));
        // A typed call with an untyped root in it does not exist; neither do bytes behind a call.
        let trailing = frame(&[encode(&1u32), vec![0; 40]].concat());
        assert!(says(&talk(&socket, &with_hello(&trailing), 9), "none that this signer knows"));
        let mut rng = ChaCha20Rng::seed_from_u64(5);
        for _ in 0..100 {
            let mut bytes = vec![0u8; (rng.next_u32() % 300) as usize];
            rng.fill_bytes(&mut bytes);
            drop(UnixStream::connect(&socket).map(|mut stream| stream.write_all(&bytes)));
        }

        let open: Vec<UnixStream> = (0..MAX_CONNECTIONS)
            .map(|_| {
                let give_up = Instant::now() + PATIENCE;
                // Connections of before may still be closing.
                loop {
                    let mut stream = UnixStream::connect(&socket).unwrap();
                    stream.set_read_timeout(Some(PATIENCE)).unwrap();
                    stream.write_all(&hello()).unwrap();
                    let mut start = [0u8; 8];
                    if stream.read_exact(&mut start).is_ok() && start[4..] == [0; 4] {
                        return stream;
                    }
                    assert!(Instant::now() < give_up, "no place becomes free");
                }
            })
            .collect();
        assert!(says(&talk(&socket, &hello(), 9), "its limit"));
        drop(open);
    });
    checked.await.unwrap();
    let remote = RemoteSigner::new(&served.socket, PATIENCE);
    let store = committee.store(0, &dir.path().join("operator-data"));
    let mut hand_over = HandOver::new(store, remote.clone(), committee.operators[0].0);
    let give_up = Instant::now() + PATIENCE;
    while let Err(error) = hand_over.pass().await {
        assert!(Instant::now() < give_up, "{error}");
    }
    let request = Request::Randao { validators: committee.pubkeys(), epoch: Epoch(12) };
    assert!(remote.sign(&spec, request).await.unwrap()[0].is_ok());
    served.end().await;
}

/// `cluster-node signer`, killed on drop.
struct Process(Child);

impl Process {
    fn start(dir: &Path) -> Self {
        let signer = Command::new(env!("CARGO_BIN_EXE_cluster-node"))
            .current_dir(dir)
            .args(["signer", "--socket", "signer.sock", "--password-file", "password.txt", "--log-filter", "error"])
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        Self(signer)
    }

    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Remembers every signature that left the signer, and what would be slashable among them.
#[derive(Default)]
struct Checker {
    votes: BTreeMap<(Pubkey, u64), (u64, AttestationData)>,
    blocks: BTreeMap<(Pubkey, u64), u8>,
    signed: usize,
}

impl Checker {
    fn vote(&mut self, validator: Pubkey, data: AttestationData) {
        self.signed += 1;
        let (source, target) = (data.source.epoch.0, data.target.epoch.0);
        if let Some((_, other)) = self.votes.insert((validator, target), (source, data)) {
            assert_eq!(other, data, "a double vote");
        }
        for ((_, other_target), (other_source, _)) in self.votes.iter().filter(|((key, _), _)| *key == validator) {
            assert!(!(source < *other_source && *other_target < target), "a surrounding vote");
            assert!(!(*other_source < source && target < *other_target), "a surrounded vote");
        }
    }

    fn block(&mut self, validator: Pubkey, slot: u64, body: u8) {
        self.signed += 1;
        if let Some(other) = self.blocks.insert((validator, slot), body) {
            assert_eq!(other, body, "a double proposal");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_the_signer_process_never_signs_a_conflict() {
    const KILLS: u32 = 12;
    let (committee, spec) = (Committee::new(3), spec());
    let (dir, keys) = (tempfile::tempdir().unwrap(), committee.pubkeys());
    let password = dir.path().join("password.txt");
    std::fs::write(&password, "correct horse").unwrap();
    std::fs::set_permissions(&password, std::fs::Permissions::from_mode(0o600)).unwrap();
    // A key under a cheaper derivation than the signer's own, which takes seconds without optimisation.
    let key = identity::SecretKey::generate(&mut OsRng);
    let public = key.public_key().to_string();
    let key_file = key.to_bytes().expose(|secret| {
        let public = public.trim_start_matches("0x");
        Keystore::encrypt(secret, "correct horse", Kdf::Pbkdf2, public, "", "", &mut OsRng).unwrap()
    });
    std::fs::write(dir.path().join("signer-key.json"), serde_json::to_string(&key_file).unwrap()).unwrap();
    std::fs::set_permissions(dir.path().join("signer-key.json"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let seed = OsRng.next_u64();
    println!("seed {seed}");
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let remote = RemoteSigner::new(&dir.path().join("signer.sock"), PATIENCE);
    let mut hand_over =
        HandOver::new(committee.store(0, &dir.path().join("operator-data")), remote.clone(), committee.operators[0].0);
    let (mut checker, mut refused) = (Checker::default(), 0);
    for life in 0..u64::from(KILLS) {
        let process = Process::start(dir.path());
        let give_up = Instant::now() + PATIENCE;
        // After the first life there is nothing to hand over; a harmless request tells that the process is there.
        let harmless = Request::Randao { validators: keys.clone(), epoch: Epoch(12) };
        loop {
            match hand_over.pass().await.and(remote.sign(&spec, harmless.clone()).await) {
                Ok(answers) => break assert!(answers.iter().all(Result::is_ok), "{answers:?}"),
                Err(error) => assert!(Instant::now() < give_up, "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let until = 20 + rng.next_u32() % 40;
        for round in 0..until {
            // A small range that moves on, so that requests meet what was signed before; all of it is long past.
            let slot = 80 + 16 * life + u64::from(rng.next_u32() % 48);
            let validators: Vec<Pubkey> = keys.iter().copied().filter(|_| rng.next_u32() % 2 == 0).collect();
            let data =
                vote(slot, (slot / 8).saturating_sub(1 + u64::from(rng.next_u32() % 4)), (rng.next_u32() % 3) as u8);
            let body = (rng.next_u32() % 3) as u8;
            let propose = rng.next_u32() % 3 == 0;
            let request = match propose {
                true => Request::Block { validator: keys[1], header: header(slot, body) },
                false => Request::Attestations { validators: validators.clone(), data },
            };
            let (remote, spec) = (remote.clone(), Arc::clone(&spec));
            let asked = tokio::spawn(async move { remote.sign(&spec, request).await });
            if round + 1 == until {
                // The moment of death is drawn, not waited for: anywhere between the arrival of the request and its
                // answer. Every moment is a valid test; none is assumed to be reached.
                std::thread::sleep(Duration::from_micros(u64::from(rng.next_u32() % 8000)));
                break_process(&process);
            }
            let Ok(answers) = asked.await.unwrap() else { continue };
            refused += answers.iter().filter(|answer| answer.is_err()).count();
            match propose {
                true if answers[0].is_ok() => checker.block(keys[1], slot, body),
                true => {}
                false => {
                    for (validator, answer) in validators.iter().zip(&answers) {
                        if answer.is_ok() {
                            checker.vote(*validator, data);
                        }
                    }
                }
            }
        }
        process.kill();
    }
    assert!(checker.signed >= 50 && refused >= 50, "seed {seed}: {} signed, {refused} refused", checker.signed);
}

fn break_process(process: &Process) {
    let killed = Command::new("kill").args(["-KILL", &process.0.id().to_string()]).status().unwrap();
    assert!(killed.success());
}

#[test]
fn the_process_makes_its_key_once_and_refuses_to_start_without_it() {
    let dir = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| {
        let all = [&["signer", "--socket", "signer.sock"], args].concat();
        let output =
            Command::new(env!("CARGO_BIN_EXE_cluster-node")).current_dir(dir.path()).args(all).output().unwrap();
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(run(&[]).contains("--password-file"));
    assert!(run(&["--password-file", "none.txt"]).contains("none.txt cannot be read"));
    let password = dir.path().join("password.txt");
    std::fs::write(&password, "correct horse").unwrap();
    std::fs::set_permissions(&password, std::fs::Permissions::from_mode(0o600)).unwrap();
    let mut process = Process::start(dir.path());
    let give_up = Instant::now() + PATIENCE;
    while UnixStream::connect(dir.path().join("signer.sock")).is_err() {
        assert!(Instant::now() < give_up, "the signer does not listen");
        // The pause between two attempts; what ends the wait is the socket, or the deadline above.
        std::thread::sleep(Duration::from_millis(10));
    }
    let mode = |file: &str| std::fs::metadata(dir.path().join(file)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("signer.sock"), mode("signer-key.json"), mode("signer-data")), (0o600, 0o600, 0o700));
    let ended = Command::new("kill").args(["-TERM", &process.0.id().to_string()]).status().unwrap();
    assert!(ended.success() && process.0.wait().unwrap().success());
    assert!(!dir.path().join("signer.sock").exists(), "the socket goes with its signer");
    std::fs::rename(dir.path().join("signer-key.json"), dir.path().join("elsewhere.json")).unwrap();
    assert!(run(&["--password-file", "password.txt"]).contains("holds a database sealed with it"));
}
