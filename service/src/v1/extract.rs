//! Extractors whose refusals are problems that name a field.

use crate::hex::normalized;
use crate::limits;
use crate::problem::{ApiResult, Problem};
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::{request::Parts, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A JSON body.
pub struct ApiJson<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for ApiJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> ApiResult<Self> {
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Problem::too_large(limits::BODY_BYTES),
            _ => Problem::malformed("The body could not be read."),
        })?;
        parse_json(&bytes).map(Self)
    }
}

/// Parses JSON; a refusal names the field.
pub fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> ApiResult<T> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let error = error.into_inner();
        if !error.is_data() {
            return Problem::malformed(format!("The body is not JSON: {error}."));
        }
        let detail = error.to_string();
        Problem::invalid(field_of(&path, &detail), detail)
    })?;
    reader.end().map_err(|error| Problem::malformed(format!("The body is not one JSON value: {error}.")))?;
    Ok(value)
}

/// A missing or unknown field stands in serde's text, not in its path.
fn field_of(path: &str, detail: &str) -> String {
    let named = ["missing field `", "unknown field `", "duplicate field `"]
        .iter()
        .find_map(|prefix| detail.strip_prefix(prefix)?.split_once('`').map(|(name, _)| name));
    // Fields of an owner's request are named as in `SignedRequest::check`, without the wrapping object.
    let path = path.strip_prefix("request.").unwrap_or(path);
    match named {
        Some(name) if matches!(path, "." | "request") || path == name => name.to_owned(),
        Some(name) => format!("{}.{name}", path.strip_suffix(&format!(".{name}")).unwrap_or(path)),
        None => path.to_owned(),
    }
}

/// Query parameters.
pub struct ApiQuery<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for ApiQuery<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> ApiResult<Self> {
        let query = Query::from_request_parts(parts, state).await;
        query.map(|Query(value)| Self(value)).map_err(|rejection| Problem::invalid("query", rejection.body_text()))
    }
}

/// The one parameter of a path.
pub struct ApiPath(pub String);

impl<S: Send + Sync> FromRequestParts<S> for ApiPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> ApiResult<Self> {
        let path = Path::from_request_parts(parts, state).await;
        path.map(|Path(value)| Self(value)).map_err(|_| Problem::malformed("The path is not UTF-8."))
    }
}

/// A part of a list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// Items to return, 1 to 100; 50 when missing.
    #[param(minimum = 1, maximum = 100)]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

impl PageQuery {
    /// The checked limit.
    pub fn limit(&self) -> ApiResult<i64> {
        match self.limit.unwrap_or(limits::PAGE_ITEMS_DEFAULT) {
            limit @ 1..=limits::PAGE_ITEMS => Ok(i64::from(limit)),
            _ => Err(Problem::invalid("limit", format!("limit must be 1 to {}.", limits::PAGE_ITEMS))),
        }
    }

    /// The position after which the page begins, or `first` for the first page.
    pub fn position(&self, first: i64) -> ApiResult<i64> {
        parse_cursor(self.cursor.as_deref(), first)
    }
}

/// Reads a cursor that the service gave out.
pub fn parse_cursor(cursor: Option<&str>, first: i64) -> ApiResult<i64> {
    match cursor {
        None | Some("") => Ok(first),
        Some(text) => text
            .parse()
            .ok()
            .filter(|position| *position >= 0)
            .ok_or_else(|| Problem::invalid("cursor", "The cursor is not one that this service gave out.")),
    }
}

/// A page of a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Cursor of the next page; null on the last one.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// Cuts a list that was read with one item more than `limit`.
    pub fn cut<R>(
        mut rows: Vec<R>,
        limit: i64,
        position: impl Fn(&R) -> i64,
        item: impl Fn(R) -> ApiResult<T>,
    ) -> ApiResult<Self> {
        let limit = usize::try_from(limit).unwrap_or(0);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = rows.last().filter(|_| more).map(|last| position(last).to_string());
        let items = rows.into_iter().map(item).collect::<ApiResult<Vec<T>>>()?;
        Ok(Self { items, next_cursor })
    }
}

/// `{ceremony_id}` of a path, as a database key.
pub fn ceremony_key(text: &str) -> ApiResult<String> {
    normalized::<32>(text).ok_or_else(|| Problem::invalid("ceremony_id", "A ceremony id is 0x and 64 hex digits."))
}

/// `{pubkey}` of a path, as a database key.
pub fn pubkey_key(text: &str) -> ApiResult<String> {
    normalized::<48>(text).ok_or_else(|| Problem::invalid("pubkey", "A validator key is 0x and 96 hex digits."))
}
