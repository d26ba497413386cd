//! The `/v1` API and its description.

pub mod app_config;
pub mod auth;
pub mod ceremonies;
pub mod chain;
pub mod csm;
pub mod events;
pub mod extract;
pub mod gateway;
pub mod health;
pub mod operators;
pub mod participation;
pub mod performance;
pub mod preflights;
pub mod requests;
pub mod upkeep;
pub mod validators;

use crate::state::AppState;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use cluster_core::certificate::MAX_CERTIFICATE_BYTES;
use std::sync::LazyLock;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Cluster Node Service",
        description = "Requests for validator keys, their ceremonies, and the validators that came of them. \
                       Errors are RFC 9457 problems. An owner sees only its own ceremonies and validators."
    ),
    tags(
        (name = "login", description = "EIP-4361"),
        (name = "requests", description = "Owners' signed requests; public, because they are signed"),
        (name = "preflights", description = "Whether a committee is fit for a ceremony; for any session"),
        (name = "ceremonies", description = "Of the session's owner"),
        (name = "validators", description = "Of the session's owner"),
        (name = "performance", description = "Of the session's owner; what operators say in their majority"),
        (name = "operators", description = "The registry; public"),
        (name = "chain", description = "What is read of the chain; public"),
        (name = "csm", description = "Lido's Community Staking Module, for any session"),
        (name = "gateway", description = "Signed by a registered gateway"),
        (name = "service", description = "The service itself")
    ),
    modifiers(&SecuritySchemes)
)]
struct ApiDoc;

struct SecuritySchemes;

impl Modify for SecuritySchemes {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let components = openapi.components.get_or_insert_default();
        let session = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("Token from /v1/auth/login; browsers carry it in the cookie that /v1/auth/session sets"));
        components.add_security_scheme("session", SecurityScheme::Http(session.build()));
        let signature = "Signature of the gateway over the call; with x-cluster-pubkey and x-cluster-timestamp";
        let key = ApiKey::Header(ApiKeyValue::with_description("x-cluster-signature", signature));
        components.add_security_scheme("gateway", SecurityScheme::ApiKey(key));
    }
}

/// Every route of `/v1`; the description comes out of the same list.
fn routes() -> OpenApiRouter<AppState> {
    let certificate_body = DefaultBodyLimit::max(MAX_CERTIFICATE_BYTES);
    OpenApiRouter::with_openapi(ApiDoc::openapi())
        .routes(routes!(auth::logout))
        .routes(routes!(auth::session))
        .routes(routes!(ceremonies::list))
        .routes(routes!(ceremonies::get))
        .routes(routes!(ceremonies::certificate))
        .routes(routes!(ceremonies::deposit_data))
        .routes(routes!(events::events))
        .routes(routes!(validators::list))
        .routes(routes!(validators::get))
        .routes(routes!(upkeep::of_validator))
        .routes(routes!(upkeep::totals))
        .routes(routes!(performance::list))
        .routes(routes!(participation::series))
        .routes(routes!(participation::totals))
        .routes(routes!(chain::info))
        .routes(routes!(chain::quarantine))
        .routes(routes!(csm::operators))
        .routes(routes!(csm::operator))
        .routes(routes!(csm::operator_keys))
        .routes(routes!(csm::batches))
        .routes(routes!(csm::duplicates))
        .routes(routes!(operators::list))
        .routes(routes!(operators::get))
        .routes(routes!(gateway::requests))
        .routes(routes!(gateway::publish_certificate).layer(certificate_body))
        .routes(routes!(gateway::progress))
        .routes(routes!(gateway::operators))
        .routes(routes!(performance::publish))
        .routes(routes!(upkeep::publish))
        .routes(routes!(preflights::get))
        .routes(routes!(preflights::poll))
        .routes(routes!(preflights::report))
        .routes(routes!(app_config::get))
        .routes(routes!(health::health))
        .routes(routes!(health::openapi))
}

/// Calls that anybody may make and that write to the database; and the one with which a session sets gateways to work.
fn open_routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(auth::nonce))
        .routes(routes!(auth::login))
        .routes(routes!(auth::login_browser))
        .routes(routes!(requests::submit))
        .routes(routes!(requests::typed_data))
        .routes(routes!(preflights::ask))
}

/// The router.
pub fn router(state: &AppState) -> axum::Router<AppState> {
    let limited = open_routes().route_layer(from_fn_with_state(state.clone(), crate::rate_limit::limit));
    routes().merge(limited).into()
}

/// The description as it stands in `openapi.json`.
pub fn openapi_json() -> &'static str {
    static JSON: LazyLock<String> = LazyLock::new(|| {
        let mut json = routes().merge(open_routes()).to_openapi().to_pretty_json().unwrap_or_default();
        json.push('\n');
        json
    });
    &JSON
}
