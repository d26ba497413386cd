//! Bodies, queries, paths and login headers of the service's calls, and the service's answers as the gateway reads them.

use axum::{
    body::Body,
    extract::{FromRequest, Query, Request},
    http::Uri,
};
use cluster_core::{certificate::Certificate, encoding::to_hex, request::SignedRequest};
use cluster_crypto::ethereum::{personal_message_digest, WalletKey};
use cluster_node::service_client::{PolledRequests, ProgressReport as SentReport};
use cluster_service::{
    auth::legacy::{authenticate, login_message},
    legacy::{envelope::LegacyJson, operator::OperatorQuery, update::UpdateRow, validator::ValidatorQuery},
    v1::{
        auth::LoginCall,
        extract::{ceremony_key, parse_cursor, parse_json, pubkey_key, PageQuery},
        gateway::{PollQuery, ProgressReport},
    },
};
use futures::executor::block_on;
use serde::de::DeserializeOwned;

use crate::world::{world, NOW_S};

/// Reads the bytes in the place of everything that a caller sends.
pub fn target(data: &[u8]) {
    body::<SignedRequest>(data);
    body::<Certificate>(data);
    body::<ProgressReport>(data);
    body::<LoginCall>(data);
    legacy_body::<ValidatorQuery>(data);
    legacy_body::<Vec<UpdateRow>>(data);
    legacy_body::<OperatorQuery>(data);
    let _ = serde_json::from_slice::<PolledRequests>(data);
    let _ = serde_json::from_slice::<SentReport>(data);
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(uri) = Uri::try_from(format!("/v1/ceremonies?{text}")) {
        let _ = Query::<PollQuery>::try_from_uri(&uri);
        let _ = Query::<PageQuery>::try_from_uri(&uri).map(|page| (page.limit().is_ok(), page.position(0).is_ok()));
    }
    let _ = (ceremony_key(text), pubkey_key(text), parse_cursor(Some(text), 0));
    let mut headers = text.splitn(3, '\n');
    if let (Some(signature), Some(owner), Some(deadline)) = (headers.next(), headers.next(), headers.next()) {
        let _ = authenticate(signature, owner, deadline, NOW_S)
            .map(|login| assert!(login.owner.eq_ignore_ascii_case(owner)));
    }
}

/// A refusal of the `/v1` API names the place.
fn body<T: DeserializeOwned>(data: &[u8]) {
    if let Err(problem) = parse_json::<T>(data) {
        assert!((400..500).contains(&problem.status));
    }
}

fn legacy_body<T: DeserializeOwned>(data: &[u8]) {
    let request = Request::new(Body::from(data.to_vec()));
    if let Err(error) = block_on(LegacyJson::<T>::from_request(request, &())) {
        assert_eq!(error.code, 400);
    }
}

/// One of each.
pub fn seeds() -> Vec<Vec<u8>> {
    let wallet = WalletKey::from_bytes(&[3; 32]).expect("a scalar");
    let (owner, deadline) = (wallet.address().to_string(), NOW_S + 60);
    let text = login_message(&owner, deadline).expect("a date");
    let signature = wallet.sign_digest(&personal_message_digest(text.as_bytes()));
    let request = serde_json::to_string(world().request.signed()).expect("JSON");
    let txid = to_hex(&[1; 32]);
    let pubkey = to_hex(&world().certificate.transcript.validators[0].pubkey.to_bytes());
    [
        format!("{}\n{owner}\n{deadline}", to_hex(&signature.to_bytes())),
        format!(r#"{{"cursor":"7","requests":[{request}]}}"#),
        r#"{"operator_id":10,"step":"deal","at_ms":1,"culprits":[{"operator_id":17,"kind":"silent"}],"aborted":null}"#
            .into(),
        format!(r#"{{"message":"text","signature":"{}"}}"#, to_hex(&signature.to_bytes())),
        format!(r#"{{"pubkey":"{pubkey}","status":"Ready","generate_txid":"{txid}"}}"#),
        format!(r#"[{{"pubkey":"{pubkey}","action":"deposit","txid":"{txid}"}}]"#),
        r#"{"pag":{"offset":0,"limit":10},"filter":{"name":"a","verified":1,"fromDao":0},"sort":{"id":-1}}"#.into(),
        "limit=10&cursor=5&after=7&wait_ms=10".into(),
        txid,
        pubkey,
        request,
    ]
    .into_iter()
    .map(String::into_bytes)
    .collect()
}
