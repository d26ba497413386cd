//! The login headers of existing apps: a wallet's signature over a fixed text, valid for at most a day.
//!
//! The text names no domain and no service, so whoever sees the three headers can use them anywhere until the
//! deadline. It is kept because existing apps know nothing else; `/v1` uses EIP-4361 instead.

use crate::hex::{address_key, parse_address};
use crate::legacy::envelope::LegacyError;
use crate::limits;
use crate::state::AppState;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use cluster_core::encoding::to_hex;
use cluster_crypto::ethereum::{personal_message_digest, recover_public_key, Address, RecoverableSignature};
use time::macros::format_description;
use time::OffsetDateTime;

/// The caller of a legacy endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegacyOwner {
    /// Lower-case address.
    pub owner: String,
    /// 65 bytes uncompressed, 0x hex, recovered from the signature.
    pub owner_pubkey: String,
}

/// The exact text that the wallet signed: a space before each line feed, none at the end, time in UTC.
pub fn login_message(owner: &str, deadline_s: u64) -> Option<String> {
    let deadline = OffsetDateTime::from_unix_timestamp(i64::try_from(deadline_s).ok()?).ok()?;
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    let deadline = deadline.format(format).ok()?;
    Some(format!("welcome to safestake cluster node \nowner:{owner} \ndeadline:{deadline}"))
}

impl FromRequestParts<AppState> for LegacyOwner {
    type Rejection = LegacyError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, LegacyError> {
        let header = |name: &'static str| {
            let value = parts.headers.get(name).and_then(|value| value.to_str().ok());
            value.ok_or_else(|| LegacyError::unauthorized(format!("The header {name} is missing; sign in first.")))
        };
        authenticate(header("v-signature")?, header("v-owner")?, header("v-deadline")?, state.clock.now_s())
    }
}

/// Checks the three headers. The signature counts until its deadline, at most a day ahead of `now_s` (Unix seconds).
pub fn authenticate(signature: &str, owner: &str, deadline: &str, now_s: u64) -> Result<LegacyOwner, LegacyError> {
    let refuse = |why: &str| LegacyError::unauthorized(why);
    let address = parse_address(owner).ok_or_else(|| refuse("v-owner is not an address."))?;
    if deadline.is_empty() || deadline.len() > 12 || !deadline.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(refuse("v-deadline is not a number of seconds."));
    }
    let deadline_s: u64 = deadline.parse().map_err(|_| refuse("v-deadline is not a number of seconds."))?;
    if deadline_s < now_s {
        return Err(refuse("The sign-in has expired; sign in again."));
    }
    if deadline_s > now_s + limits::LEGACY_DEADLINE_S + limits::CLOCK_SKEW_S {
        return Err(refuse("v-deadline is more than 24 hours ahead; sign in again."));
    }
    let signature: RecoverableSignature = cluster_core::encoding::from_hex::<65>(signature)
        .ok()
        .and_then(|bytes| RecoverableSignature::from_bytes(&bytes).ok())
        .ok_or_else(|| refuse("v-signature is not a signature."))?;
    let message = login_message(owner, deadline_s).ok_or_else(|| refuse("v-deadline is out of range."))?;
    let digest = personal_message_digest(message.as_bytes());
    let public_key = recover_public_key(&digest, &signature).map_err(|_| refuse("v-signature is not a signature."))?;
    if Address::from_public_key(&public_key) != address {
        return Err(refuse("v-signature was not made by v-owner for this deadline."));
    }
    Ok(LegacyOwner { owner: address_key(&address), owner_pubkey: to_hex(&public_key) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_text_is_exactly_what_existing_apps_sign() {
        let owner = "0x5FbDB2315678afecb367f032d93F642f64180aa3";
        let expected = "welcome to safestake cluster node \nowner:0x5FbDB2315678afecb367f032d93F642f64180aa3 \ndeadline:2024-02-29 23:59:58";
        assert_eq!(login_message(owner, 1_709_251_198).as_deref(), Some(expected));
        assert_eq!(login_message(owner, u64::MAX), None);
    }
}
