//! A genuine ceremony result, made by a trusted dealer instead of a DKG.

use cluster_core::{
    certificate::{Attestation, Certificate, Contribution, Transcript, ValidatorRecord},
    committee::OperatorId,
    deposit::DepositMessage,
    network::Network,
    registry::{FileRegistry, GatewayEntry, OperatorEntry, RegistryFile},
    request::{Request, SignedRequest, DEPOSIT_AMOUNT_GWEI},
};
use cluster_crypto::{
    bls::{HashedMessage, PublicKey},
    ethereum::WalletKey,
    identity,
    polynomial::Polynomials,
    seal::{seal_envelopes, EnvelopeContext},
    threshold, ShareIndex, Threshold,
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

pub const NOW_S: u64 = 1_800_000_000;

/// Operators, an owner and a gateway, with all their keys.
pub struct World {
    pub rng: ChaCha20Rng,
    pub network: Network,
    pub wallet: WalletKey,
    pub operators: Vec<(OperatorId, identity::SecretKey)>,
    pub registry: FileRegistry,
    gateway: identity::PublicKey,
}

impl World {
    /// Registers `registered` operators with the ids 3, 6, 9, ...: never equal to share indices.
    pub fn new(network: Network, registered: usize, seed: u64) -> World {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let ids = (1..=registered as u32).map(|at| OperatorId(3 * at));
        let operators: Vec<_> = ids.map(|id| (id, identity::SecretKey::generate(&mut rng))).collect();
        let gateway = identity::SecretKey::generate(&mut rng).public_key();
        let entry = |(id, key): &(OperatorId, identity::SecretKey)| OperatorEntry {
            id: *id,
            name: format!("operator {id}"),
            public_key: key.public_key(),
            owner: None,
            verified: true,
            from_dao: false,
            fee_gwei: None,
            addresses: vec![format!("/ip4/127.0.0.1/tcp/{}", 9000 + id.0)],
        };
        let registry = RegistryFile {
            network,
            operators: operators.iter().map(entry).collect(),
            gateways: vec![GatewayEntry { name: "gateway".into(), public_key: gateway, addresses: vec![] }],
            bootstraps: vec![],
        };
        let registry = FileRegistry::try_from(registry).unwrap();
        let wallet = WalletKey::generate(&mut rng);
        World { rng, network, wallet, operators, registry, gateway }
    }

    /// A request that passes every check, for the first `n` operators.
    pub fn request(&self, n: usize, validator_count: u32) -> Request {
        Request {
            chain_id: self.network.chain_id(),
            owner: self.wallet.address(),
            cluster_pubkey: self.gateway,
            operator_ids: self.operators[..n].iter().map(|(id, _)| *id).collect(),
            validator_count,
            withdrawal_address: self.network.lido_withdrawal_vault(),
            amount_gwei: DEPOSIT_AMOUNT_GWEI,
            nonce: 7,
            deadline: NOW_S + 3600,
            reshare: None,
        }
    }

    pub fn sign(&self, request: Request) -> SignedRequest {
        let signature = self.wallet.sign_digest(&request.digest());
        SignedRequest::by_signature(request, signature)
    }

    /// A contribution of each of the first `n` operators for `k` validators.
    pub fn contributions(&mut self, n: usize, k: u32) -> Vec<Contribution> {
        let threshold = Threshold::for_operators(n).unwrap();
        let request = self.sign(self.request(n, k));
        let polynomials = Polynomials::sample(k as usize, threshold, &mut self.rng);
        let transcript = self.transcript(request, threshold, &polynomials);
        let digest = transcript.digest();
        let groups: Vec<PublicKey> = transcript.validators.iter().map(|validator| validator.pubkey).collect();
        let ceremony_id = transcript.ceremony_id();
        let mut contributions = Vec::new();
        for (index, (id, key)) in ShareIndex::all(threshold).zip(&self.operators) {
            let context = EnvelopeContext { ceremony_id: ceremony_id.as_bytes(), operator_id: id.0 };
            let shares = polynomials.shares_for(index);
            let envelopes = seal_envelopes(&key.public_key(), context, &groups, &shares, &mut self.rng).unwrap();
            let attestation = Attestation::sign(key, *id, &digest, envelopes);
            contributions.push(Contribution { transcript: transcript.clone(), attestation });
        }
        contributions
    }

    /// The certificate with the receipts of all `n` operators.
    pub fn certificate(&mut self, n: usize, k: u32) -> Certificate {
        let mut contributions = self.contributions(n, k).into_iter();
        let mut certificate = Certificate::from_contribution(contributions.next().unwrap());
        for contribution in contributions {
            assert!(certificate.merge(contribution.attestation).unwrap());
        }
        certificate
    }

    fn transcript(&mut self, request: SignedRequest, threshold: Threshold, polynomials: &Polynomials) -> Transcript {
        let commitments = polynomials.commit();
        let groups = commitments.group_keys();
        let by_operator: Vec<_> = ShareIndex::all(threshold).map(|index| commitments.share_keys(index)).collect();
        let fields = &request.request;
        let messages: Vec<DepositMessage> = groups
            .iter()
            .map(|group| DepositMessage::new(group, fields.withdrawal_address, fields.amount_gwei))
            .collect();
        let hashed: Vec<_> =
            messages.iter().map(|message| HashedMessage::new(&message.signing_root(self.network))).collect();
        let partials: Vec<_> = ShareIndex::all(threshold)
            .take(threshold.t())
            .map(|index| (index, threshold::sign_partials(&polynomials.shares_for(index), threshold, &hashed).unwrap()))
            .collect();
        let partials: Vec<_> = partials.iter().map(|(index, partials)| (*index, partials.as_slice())).collect();
        let combined = threshold::combine(threshold, &partials).unwrap();
        let signatures = threshold::verify_combined(&groups, &hashed, combined, &mut self.rng).unwrap();
        let validators = (0..groups.len()).map(|k| ValidatorRecord {
            pubkey: groups[k],
            share_pubkeys: by_operator.iter().map(|keys| keys[k]).collect(),
            deposit_signature: signatures[k],
            deposit_data_root: messages[k].with_signature(&signatures[k]).root(),
        });
        let members = &self.operators[..threshold.n()];
        Transcript {
            committee: members.iter().map(|(id, key)| (*id, key.public_key())).collect(),
            qualified: members.iter().map(|(id, _)| (*id, [id.0 as u8; 32])).collect(),
            validators: validators.collect(),
            request,
        }
    }
}
