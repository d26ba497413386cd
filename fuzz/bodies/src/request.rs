//! Owners' requests: JSON from wallets and gateways, binary from gossip and journals.

use cluster_core::{
    encoding::{decode, encode},
    network::Network,
    request::{RequestRules, SignedRequest, MAX_REQUEST_BYTES},
};

use crate::world::{assert_same, world, NOW_S};

/// Reads both forms and checks what was read; an accepted request is the genuine one.
pub fn target(data: &[u8]) {
    let binary = decode::<SignedRequest>(data, MAX_REQUEST_BYTES).ok();
    if let Some(request) = &binary {
        assert_same(&encode(request), data);
    }
    for request in binary.into_iter().chain(serde_json::from_slice(data)) {
        let rules = RequestRules::new(Network::Hoodi);
        match request.check(&rules, &world().registry, NOW_S) {
            Ok(checked) => assert_eq!(checked.request(), world().request.request(), "nobody else can sign"),
            Err(error) => assert!(!error.field().is_empty() && !error.to_string().is_empty()),
        }
        let _ = request.check_ignoring_deadline(&rules, &world().registry);
    }
}

/// Both forms.
pub fn seeds() -> Vec<Vec<u8>> {
    let request = world().request.signed();
    vec![encode(request), serde_json::to_vec(request).expect("JSON")]
}
