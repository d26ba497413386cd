//! The API that existing apps speak, under `/server/...` and `/...` alike.

pub mod envelope;
pub mod initiator;
pub mod lido;
pub mod operator;
pub mod update;
pub mod validator;

use crate::state::AppState;
use axum::routing::{get, post, MethodRouter};
use axum::Router;

/// Both prefixes: hosted apps keep `/server`, some proxies cut it off.
pub const PREFIXES: [&str; 2] = ["/server", ""];

/// Method and path of every legacy route, without prefix. The router is built from this list and from nothing else,
/// so that the test of tenancy sees every route.
pub const ROUTES: [(&str, &str); 6] = [
    ("GET", "/initiator/status"),
    ("POST", "/initiator/bind/{owner}"),
    ("POST", "/operator/query"),
    ("POST", "/operator/query_lido_csm"),
    ("POST", "/validator/query"),
    ("POST", "/validator/update"),
];

fn handler(path: &str) -> Option<MethodRouter<AppState>> {
    Some(match path {
        "/initiator/status" => get(initiator::status),
        "/initiator/bind/{owner}" => post(initiator::bind),
        "/operator/query" => post(operator::query),
        "/operator/query_lido_csm" => post(lido::query),
        "/validator/query" => post(validator::query),
        "/validator/update" => post(update::update),
        _ => return None,
    })
}

/// All legacy routes under both prefixes.
pub fn router() -> Router<AppState> {
    let mut router = Router::new();
    for prefix in PREFIXES {
        for (_, path) in ROUTES {
            if let Some(handler) = handler(path) {
                router = router.route(&format!("{prefix}{path}"), handler);
            }
        }
    }
    router
}
