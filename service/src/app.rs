//! The web app: files that were built from `app/` and put into this program, and the headers that fence them in.
//!
//! A program that was compiled before the app was built says so in words at `/`; the API does not depend on it. A debug
//! build reads the files from the folder while it runs. Paths without a file are the app's own routes when a browser asks for a page;
//! anybody else gets the API's 404.

use crate::state::AppState;
use axum::extract::{Request, State};
use axum::http::{header, HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use rand_core::{OsRng, RngCore};
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "../app/dist"]
#[allow_missing = true]
struct Assets;

/// The page that all routes of the app share.
const PAGE: &str = "index.html";
/// Stands in the page where the nonce of its style sheets goes.
const NONCE_MARK: &str = "__CSP_NONCE__";
/// Files in this folder have a hash of their content in their name.
const HASHED: &str = "assets/";
/// A worker is fenced in by the policy of its own script: the verifier fetches and compiles WebAssembly.
const FILE_POLICY: &str =
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; frame-ancestors 'none'";
const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Cluster Node</title>\
<h1>The web app is not in this program</h1><p>It was compiled before the app was built. Run <code>make app</code>, then compile \
<code>cluster-service</code> again. The API works: see <a href=\"/v1/openapi.json\">/v1/openapi.json</a>.</p></html>";

/// The answer for a path that no API has; `None` when the app has nothing to do with the call.
pub fn serve(state: &AppState, request: &Request) -> Option<Response> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return None;
    }
    let path = request.uri().path().trim_start_matches('/');
    if path != PAGE && !path.is_empty() {
        if let Some(file) = file(path, request.headers()) {
            return Some(file);
        }
    }
    // A missing script must not be answered with a page.
    if path.starts_with(HASHED)
        || path.starts_with("v1/")
        || path.starts_with("server/")
        || !wants_page(request.headers())
    {
        return None;
    }
    Some(page(state))
}

fn wants_page(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accept.split(',').any(|kind| kind.trim().split(';').next() == Some("text/html"))
}

fn file(path: &str, headers: &HeaderMap) -> Option<Response> {
    // Compressed twins are not files of their own.
    if path.ends_with(".br") {
        return None;
    }
    let plain = Assets::get(path)?;
    let cache = if path.starts_with(HASHED) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let kind = content_type(path, plain.metadata.mimetype());
    let head = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, cache),
        (header::VARY, "accept-encoding"),
        (header::CONTENT_SECURITY_POLICY, FILE_POLICY),
    ];
    let compressed = takes_brotli(headers).then(|| Assets::get(&format!("{path}.br"))).flatten();
    Some(match compressed {
        Some(file) => (head, [(header::CONTENT_ENCODING, "br")], file.data.into_owned()).into_response(),
        None => (head, plain.data.into_owned()).into_response(),
    })
}

/// Browsers compile WebAssembly while it arrives only under its own type.
fn content_type<'a>(path: &str, guessed: &'a str) -> &'a str {
    if path.ends_with(".wasm") {
        return "application/wasm";
    }
    guessed
}

fn takes_brotli(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accept.split(',').any(|coding| coding.trim() == "br")
}

fn page(state: &AppState) -> Response {
    let mut random = [0u8; 16];
    OsRng.fill_bytes(&mut random);
    let nonce = hex::encode(random);
    let built = Assets::get(PAGE).and_then(|file| String::from_utf8(file.data.into_owned()).ok());
    let (status, html) = match built {
        Some(html) => (StatusCode::OK, html.replace(NONCE_MARK, &nonce)),
        None => (StatusCode::SERVICE_UNAVAILABLE, NOT_BUILT.to_owned()),
    };
    let head = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8".to_owned()),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (header::CONTENT_SECURITY_POLICY, policy(&nonce, state)),
    ];
    (status, head, html).into_response()
}

/// Nothing but this origin, the configured node of the execution chain and the configured relay is ever asked. Wallets announce themselves with icons
/// in `data:` URLs (EIP-6963); libraries put style sheets into the page, which carry the nonce.
fn policy(nonce: &str, state: &AppState) -> String {
    let relay = state.app.walletconnect.as_ref().map(|relay| relay.relay_origin.as_str());
    let others: String =
        [state.app.rpc_origin.as_deref(), relay].into_iter().flatten().map(|origin| format!(" {origin}")).collect();
    format!(
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; \
         font-src 'self'; connect-src 'self'{others}; worker-src 'self'; manifest-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'"
    )
}

/// Adds to every answer what keeps browsers from guessing, framing and telling others.
pub async fn security_headers(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    headers.insert(
        "permissions-policy",
        HeaderValue::from_static("camera=(), microphone=(), geolocation=(), payment=(), usb=(), interest-cohort=()"),
    );
    // The API's answers are data; nothing in them is to be run.
    let locked = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(locked);
    if state.origins.iter().all(|origin| origin.scheme == "https") {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    response
}
