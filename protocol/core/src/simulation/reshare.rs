//! A ceremony that goes on from another one.

use std::collections::{BTreeMap, BTreeSet};

use cluster_crypto::identity;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::{duplicate, scenario::registry, Faults, Members, Simulation, START};
use crate::{
    committee::OperatorId,
    network::Network,
    request::{Request, RequestRules, Reshare, SignedRequest},
};

impl Simulation {
    /// A reshare of what `previous` made: without `leaving`, and with as many new operators as make `operators`. `change` may
    /// falsify the request before it is signed. Operators of `faults.forgetful` have lost their old shares.
    ///
    /// # Errors
    /// The request is refused; the sentence says why.
    pub fn reshare(
        previous: &Self,
        leaving: &BTreeSet<OperatorId>,
        operators: usize,
        faults: Faults,
        change: impl FnOnce(&mut Request),
        seed: u64,
    ) -> Result<Self, String> {
        let transcript = previous.nodes.values().find_map(|node| Some(&node.outcome.as_ref()?.certificate.transcript));
        let transcript = transcript.ok_or("the previous ceremony has no keys")?;
        let mut rng = ChaCha20Rng::seed_from_u64(seed ^ 0x7e54a7e);
        let mut members: Members = BTreeMap::new();
        for (id, node) in previous.nodes.iter().filter(|(id, _)| !leaving.contains(id)) {
            let shares = node.stored.as_ref().filter(|_| !faults.forgetful.contains(id)).map(|stored| &stored.shares);
            members.insert(*id, (node.identity.clone(), shares.map(duplicate).transpose()?));
        }
        // Between and after the old ids, so that indices move.
        let mut new = (0..).map(|turn| OperatorId(5 + turn * 7)).filter(|id| !previous.nodes.contains_key(id));
        while members.len() < operators {
            let id = new.next().ok_or("no more ids")?;
            members.insert(id, (identity::SecretKey::generate(&mut rng), None));
        }
        let committee: Vec<_> = members.iter().map(|(id, (key, _))| (*id, key.public_key())).collect();
        let mut request = Request {
            operator_ids: members.keys().copied().collect(),
            nonce: seed ^ 0x7e54a7e,
            reshare: Some(Reshare::of(transcript)),
            ..transcript.request.request.clone()
        };
        change(&mut request);
        let signature = previous.wallet.sign_digest(&request.digest());
        let registry = registry(Network::Hoodi, &committee, &request.cluster_pubkey)?;
        let signed = SignedRequest::by_signature(request, signature);
        let rules = RequestRules::new(Network::Hoodi);
        let request = signed.check(&rules, &registry, START.seconds()).map_err(|error| error.to_string())?;
        Ok(Self::with(members, request, previous.wallet.clone(), faults, previous.timing, seed))
    }
}
