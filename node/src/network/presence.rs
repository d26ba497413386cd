//! Does another node run with this node's key? The protocol is `cluster_net::presence`.
//!
//! [`Desk`] is what a node keeps for its peers, in the swarm task. [`spawn_watch`] starts an operator's own questions: once
//! another node is proven, [`Shared::twin`] says so until this process ends.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cluster_net::gate::Member;
use cluster_net::limits;
use cluster_net::presence::{Request, Response, Session, Sighting};
use futures::future::join_all;
use libp2p::PeerId;
use rand_core::{OsRng, RngCore};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::client::{Client, RequestError};
use super::task::Command;
use super::Shared;

/// Time between questions while the process is young: a twin should be found before much is signed.
const EAGER: Duration = Duration::from_secs(1);
/// How long it is young.
const YOUTH: Duration = Duration::from_secs(20);
/// How often a caller of [`count`] asks again.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// Another node that runs with this node's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Twin {
    /// Its session, in hex.
    pub session: String,
    /// The peer that handed on its signed statement; the peer answers for nothing.
    pub told_by: String,
    /// When this node learned of it, in seconds since 1970.
    pub at: u64,
}

/// One session of a peer.
#[derive(Debug)]
struct Heard {
    session: Session,
    at: Instant,
}

/// What was heard of one peer.
#[derive(Debug, Default)]
struct Entry {
    /// At most [`limits::PRESENCE_SESSIONS`] and the newest.
    heard: Vec<Heard>,
    /// Of and by sessions in `heard` only.
    sightings: Vec<Sighting>,
}

/// The sessions of all peers that were heard not long ago.
#[derive(Debug, Default)]
pub(super) struct Desk {
    peers: BTreeMap<PeerId, Entry>,
}

impl Desk {
    /// Takes what a peer says and tells it what is known under its identity. Memory is bounded for each peer, and only
    /// registered peers can ask; signatures are checked by those who act on them.
    pub(super) fn answer(&mut self, peer: PeerId, request: &Request, now: Instant) -> Response {
        let Request::Here { session, sightings } = request;
        self.forget(now);
        let entry = self.peers.entry(peer).or_default();
        entry.heard.retain(|heard| heard.session != *session);
        if entry.heard.len() > limits::PRESENCE_SESSIONS {
            // The one that was silent for longest: it stands first.
            entry.heard.remove(0);
        }
        entry.heard.push(Heard { session: *session, at: now });
        entry.sightings.retain(|held| held.by != *session);
        entry.sightings.extend(sightings.iter().filter(|new| new.by == *session).cloned());
        entry.tidy();
        let others = entry.heard.iter().filter(|heard| heard.session != *session);
        Response::Others {
            sessions: others.map(|heard| heard.session).take(limits::PRESENCE_SESSIONS).collect(),
            sightings: entry
                .sightings
                .iter()
                .filter(|held| held.of == *session)
                .take(limits::PRESENCE_SESSIONS)
                .cloned()
                .collect(),
        }
    }

    fn forget(&mut self, now: Instant) {
        self.peers.retain(|_, entry| {
            entry.heard.retain(|heard| now.saturating_duration_since(heard.at) < limits::PRESENCE_MEMORY);
            entry.tidy();
            !entry.heard.is_empty()
        });
    }
}

impl Entry {
    /// Drops statements of and about sessions that are not held any more, and doubled ones.
    fn tidy(&mut self) {
        let held: BTreeSet<Session> = self.heard.iter().map(|heard| heard.session).collect();
        let mut seen = BTreeSet::new();
        self.sightings.retain(|sighting| {
            held.contains(&sighting.by) && held.contains(&sighting.of) && seen.insert((sighting.by, sighting.of))
        });
    }
}

/// A session for a process that starts.
pub(super) fn new_session() -> Session {
    let mut bytes = [0; 16];
    OsRng.fill_bytes(&mut bytes);
    Session(bytes)
}

/// Starts the task that asks an operator's peers whether they know another node with its key.
pub(super) fn spawn_watch(shared: Arc<Shared>, commands: &mpsc::Sender<Command>) {
    // Weak, so that this task does not keep the command channel open after the last client is gone.
    let commands = commands.downgrade();
    tokio::spawn(async move {
        let started = Instant::now();
        let mut known = BTreeMap::new();
        loop {
            let wait = if started.elapsed() < YOUTH { EAGER } else { limits::PRESENCE_INTERVAL };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = shared.stopped.cancelled() => return,
            }
            let Some(client) = commands.upgrade().map(|commands| Client::new(shared.clone(), commands)) else { return };
            let peers = witnesses(&client);
            known.retain(|peer, _| peers.contains(peer));
            let told: Vec<Vec<Session>> =
                peers.iter().map(|peer| known.get(peer).cloned().unwrap_or_default()).collect();
            let asked = peers.iter().zip(told).map(|(peer, told)| ask(&shared, &client, *peer, told));
            for (peer, answer) in peers.iter().zip(join_all(asked).await) {
                known.insert(*peer, answer.unwrap_or_default());
            }
        }
    });
}

/// The connected peers that are asked; nodes with the same key choose alike.
fn witnesses(client: &Client) -> Vec<PeerId> {
    let connected = client.peers().into_iter().filter(|(_, status)| status.connections > 0);
    let answering = connected.filter(|(_, status)| !matches!(status.member, Member::Bootstrap));
    answering.map(|(peer, _)| peer).take(limits::PRESENCE_PEERS).collect()
}

/// Asks one peer, and at once again with a statement about each session that it had not named before. Returns the
/// sessions that it names.
async fn ask(
    shared: &Shared,
    client: &Client,
    peer: PeerId,
    mut told: Vec<Session>,
) -> Result<Vec<Session>, RequestError> {
    for _ in 0..2 {
        let sightings = told.iter().map(|of| Sighting::sign(shared.chain_id, &shared.identity, shared.session, *of));
        let sightings: Vec<Sighting> = sightings.take(limits::PRESENCE_SIGHTINGS).collect();
        let Response::Others { sessions, sightings } = client.present(peer, sightings).await?;
        note(shared, peer, &sightings);
        let sessions: Vec<Session> = sessions.into_iter().filter(|other| *other != shared.session).collect();
        let is_news = sessions.iter().any(|session| !told.contains(session));
        told = sessions;
        if !is_news {
            break;
        }
    }
    Ok(told)
}

fn note(shared: &Shared, peer: PeerId, sightings: &[Sighting]) {
    let key = shared.identity.public_key();
    let proof = sightings.iter().find(|sighting| sighting.proves(shared.chain_id, &key, shared.session));
    let Some(proof) = proof.filter(|_| shared.twin.borrow().is_none()) else { return };
    let told_by = shared.members.get(&peer).map_or_else(|| peer.to_string(), |member| member.to_string());
    tracing::error!(
        session = %proof.by, told_by,
        "another node runs with this operator's key, as its own signature says that {told_by} handed on: this one performs no duties until it is restarted. Stop the other node first"
    );
    let twin = Twin { session: proof.by.to_string(), told_by, at: super::clock_ms() / 1_000 };
    shared.twin.send_replace(Some(twin));
}

/// How many nodes run with the key of `client` beside it, as far as they prove it to the peers that it is connected to
/// within `patience`. A node that its peers name alone is not waited for.
pub(crate) async fn count(client: &Client, patience: Duration) -> usize {
    let (chain_id, key, session) = client.identity_of_sessions();
    let (mut proven, deadline) = (BTreeSet::new(), Instant::now() + patience);
    loop {
        let answers = join_all(witnesses(client).into_iter().map(|peer| client.present(peer, Vec::new()))).await;
        let mut named = 0;
        for Response::Others { sessions, sightings } in answers.into_iter().flatten() {
            named = named.max(sessions.len());
            let proofs = sightings.iter().filter(|sighting| sighting.proves(chain_id, &key, session));
            proven.extend(proofs.map(|sighting| sighting.by));
        }
        if named < 2 || proven.len() > 1 || Instant::now() >= deadline {
            return proven.len();
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use cluster_crypto::identity::SecretKey;
    use rand_chacha::rand_core::SeedableRng;

    const CHAIN: u64 = 560_048;

    fn session(number: u8) -> Session {
        Session([number; 16])
    }

    fn here(desk: &mut Desk, peer: PeerId, number: u8, sightings: Vec<Sighting>, now: Instant) -> (Vec<u8>, usize) {
        let request = Request::Here { session: session(number), sightings };
        let Response::Others { sessions, sightings } = desk.answer(peer, &request, now);
        (sessions.iter().map(|session| session.0[0]).collect(), sightings.len())
    }

    fn key() -> SecretKey {
        SecretKey::generate(&mut rand_chacha::ChaCha8Rng::seed_from_u64(1))
    }

    fn sighting(by: u8, of: u8) -> Sighting {
        Sighting::sign(CHAIN, &key(), session(by), session(of))
    }

    #[test]
    fn each_session_hears_of_the_others_and_gets_what_they_say_of_it() {
        let (mut desk, peer, stranger, now) = (Desk::default(), PeerId::random(), PeerId::random(), Instant::now());
        assert_eq!(here(&mut desk, peer, 1, vec![], now), (vec![], 0));
        assert_eq!(here(&mut desk, stranger, 9, vec![], now), (vec![], 0), "another identity");
        assert_eq!(here(&mut desk, peer, 2, vec![], now), (vec![1], 0));
        assert_eq!(here(&mut desk, peer, 1, vec![], now), (vec![2], 0));
        assert_eq!(here(&mut desk, peer, 1, vec![sighting(1, 2)], now), (vec![2], 0));
        assert_eq!(here(&mut desk, peer, 2, vec![], now), (vec![1], 1));
        // What it says on behalf of another session, or of one that is not known, is not kept.
        assert_eq!(here(&mut desk, peer, 2, vec![sighting(1, 2), sighting(2, 7)], now), (vec![1], 1));
        let later = now + limits::PRESENCE_MEMORY;
        assert_eq!(here(&mut desk, peer, 2, vec![], later), (vec![], 0), "who is silent is forgotten");
    }

    #[test]
    fn sessions_and_sightings_without_end_are_bounded() {
        let (mut desk, peer, now) = (Desk::default(), PeerId::random(), Instant::now());
        for number in 0..100 {
            let all = (0..limits::PRESENCE_SIGHTINGS as u8).map(|back| sighting(number, number.saturating_sub(back)));
            let (sessions, sightings) = here(&mut desk, peer, number, all.collect(), now);
            assert!(sessions.len() <= limits::PRESENCE_SESSIONS && sightings <= limits::PRESENCE_SESSIONS);
        }
        let entry = &desk.peers[&peer];
        assert_eq!(entry.heard.len(), limits::PRESENCE_SESSIONS + 1);
        assert!(entry.sightings.len() <= entry.heard.len() * limits::PRESENCE_SIGHTINGS);
    }

    #[test]
    fn only_another_session_with_the_same_key_proves_anything() {
        let key = key();
        let own = key.public_key();
        assert!(sighting(1, 2).proves(CHAIN, &own, session(2)));
        assert!(!sighting(2, 2).proves(CHAIN, &own, session(2)), "by itself");
        assert!(!sighting(1, 3).proves(CHAIN, &own, session(2)), "of another");
        assert!(!sighting(1, 2).proves(CHAIN + 1, &own, session(2)), "on another chain");
        let forger = SecretKey::generate(&mut rand_chacha::ChaCha8Rng::seed_from_u64(2));
        let forged = Sighting::sign(CHAIN, &forger, session(1), session(2));
        assert!(!forged.proves(CHAIN, &own, session(2)), "with another key");
        let redirected = Sighting { by: session(4), ..sighting(1, 2) };
        assert!(!redirected.proves(CHAIN, &own, session(2)), "changed on the way");
    }
}
