//! EIP-4361 ("Sign-In with Ethereum"): a strict parser of the message, and the checks of its fields.
//!
//! Grammar (every line ends with LF, except the last): `[scheme "://"] domain " wants you to sign in with your
//! Ethereum account:"`, address, an empty line, optionally a statement, an empty line, then the fields
//! URI, Version, Chain ID, Nonce, Issued At, optionally Expiration Time, Not Before, Request ID, Resources.

use crate::limits;
use cluster_crypto::ethereum::Address;
use std::str::FromStr;
use time::format_description::well_known::Rfc3339;
use time::OffsetDateTime;

/// Most entries under "Resources:".
const RESOURCES: usize = 16;
const HEADING: &str = " wants you to sign in with your Ethereum account:";

/// Why a login is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct SiweError {
    /// The part of the message that is to blame.
    pub field: &'static str,
    /// What is wrong with it.
    pub detail: String,
}

fn wrong(field: &'static str, detail: impl Into<String>) -> SiweError {
    SiweError { field, detail: detail.into() }
}

/// An origin that users reach the service by, e.g. `https://node.example:8443`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// `http` or `https`.
    pub scheme: String,
    /// Host, and port when it is not the scheme's own; lower-case.
    pub authority: String,
}

impl FromStr for Origin {
    type Err = SiweError;

    fn from_str(text: &str) -> Result<Self, SiweError> {
        let bad =
            || wrong("public_urls", format!("{text:?} is not an origin such as https://host or http://host:port"));
        let (scheme, rest) = text.split_once("://").ok_or_else(bad)?;
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
        if !matches!(scheme, "http" | "https") || authority.is_empty() || !authority.bytes().all(plain) {
            return Err(bad());
        }
        Ok(Self { scheme: scheme.to_owned(), authority: authority.to_ascii_lowercase() })
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}://{}", self.scheme, self.authority)
    }
}

/// A parsed message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Of the origin, when the message names it.
    pub scheme: Option<String>,
    /// Who asks for the signature.
    pub domain: String,
    /// Who signs.
    pub address: Address,
    /// What the login is for.
    pub uri: String,
    /// Network.
    pub chain_id: u64,
    /// Given by the service, used once.
    pub nonce: String,
    /// When the message was made.
    pub issued_at: OffsetDateTime,
    /// When it stops to be valid.
    pub expiration_time: Option<OffsetDateTime>,
    /// When it begins to be valid.
    pub not_before: Option<OffsetDateTime>,
}

/// What a message must agree with.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Accepted origins.
    pub origins: &'a [Origin],
    /// The network's chain.
    pub chain_id: u64,
    /// Unix milliseconds.
    pub now_ms: u64,
}

impl Message {
    /// Parses the exact text; anything besides the grammar is refused.
    pub fn parse(text: &str) -> Result<Self, SiweError> {
        if text.len() > limits::LOGIN_MESSAGE_BYTES {
            return Err(wrong("message", "The message is too long."));
        }
        if text.bytes().any(|byte| byte.is_ascii_control() && byte != b'\n') {
            return Err(wrong("message", "The message has control characters."));
        }
        let mut lines = Lines { rest: Some(text) };
        let (scheme, domain) = parse_heading(lines.next("domain")?)?;
        let address = parse_account(lines.next("address")?)?;
        lines.empty("address")?;
        // With a statement: statement and empty line; without: an empty line alone.
        let statement = lines.next("statement")?;
        if !statement.is_empty() {
            lines.empty("statement")?;
        }
        let uri = lines.field("URI", "uri")?.to_owned();
        if lines.field("Version", "version")? != "1" {
            return Err(wrong("version", "The version of the message must be 1."));
        }
        let chain_id = parse_chain_id(lines.field("Chain ID", "chain_id")?)?;
        let nonce = parse_nonce(lines.field("Nonce", "nonce")?)?;
        let issued_at = parse_time(lines.field("Issued At", "issued_at")?, "issued_at")?;
        let expiration_time =
            lines.optional("Expiration Time").map(|text| parse_time(text, "expiration_time")).transpose()?;
        let not_before = lines.optional("Not Before").map(|text| parse_time(text, "not_before")).transpose()?;
        let _request_id = lines.optional("Request ID");
        lines.resources()?;
        Ok(Self { scheme, domain, address, uri, chain_id, nonce, issued_at, expiration_time, not_before })
    }

    /// Checks everything that needs neither the nonce's state nor the signature.
    pub fn check(&self, expected: Expected<'_>) -> Result<(), SiweError> {
        let origin = expected.origins.iter().find(|origin| {
            origin.authority == self.domain.to_ascii_lowercase()
                && self.scheme.as_ref().is_none_or(|scheme| *scheme == origin.scheme)
        });
        let origin = origin.ok_or_else(|| {
            let known: Vec<String> = expected.origins.iter().map(Origin::to_string).collect();
            wrong("domain", format!("The message was made for another site; this service is {}.", known.join(", ")))
        })?;
        let rest = self.uri.strip_prefix(&origin.to_string());
        if !rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || rest.starts_with('?')) {
            return Err(wrong("uri", format!("The URI must be {origin} or below it.")));
        }
        if self.chain_id != expected.chain_id {
            return Err(wrong("chain_id", format!("The chain id must be {}.", expected.chain_id)));
        }
        self.check_times(expected.now_ms)
    }

    fn check_times(&self, now_ms: u64) -> Result<(), SiweError> {
        let now_ms = i128::from(now_ms);
        let ms = |time: OffsetDateTime| time.unix_timestamp_nanos() / 1_000_000;
        let skew_ms = i128::from(limits::CLOCK_SKEW_S) * 1000;
        if ms(self.issued_at) > now_ms + skew_ms {
            return Err(wrong("issued_at", "The message was issued in the future."));
        }
        if ms(self.issued_at) < now_ms - skew_ms - i128::from(limits::LOGIN_NONCE_TTL_MS) {
            return Err(wrong("issued_at", "The message was issued too long ago; make a new one."));
        }
        if self.expiration_time.is_some_and(|time| ms(time) <= now_ms) {
            return Err(wrong("expiration_time", "The message has expired; make a new one."));
        }
        if self.not_before.is_some_and(|time| ms(time) > now_ms) {
            return Err(wrong("not_before", "The message is not valid yet."));
        }
        Ok(())
    }
}

fn parse_heading(line: &str) -> Result<(Option<String>, String), SiweError> {
    let origin = line
        .strip_suffix(HEADING)
        .ok_or_else(|| wrong("domain", format!("The first line must be the domain and {:?}.", HEADING.trim_start())))?;
    let (scheme, domain) = match origin.split_once("://") {
        Some((scheme, domain)) => (Some(scheme.to_owned()), domain),
        None => (None, origin),
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
    if domain.is_empty() || !domain.bytes().all(plain) {
        return Err(wrong("domain", "The domain is not a host with an optional port."));
    }
    Ok((scheme, domain.to_owned()))
}

/// EIP-4361 requires the EIP-55 checksum.
fn parse_account(line: &str) -> Result<Address, SiweError> {
    let bad = || wrong("address", "The second line must be an address with its EIP-55 checksum.");
    let address = crate::hex::parse_address(line).ok_or_else(bad)?;
    if address.to_string() != line {
        return Err(bad());
    }
    Ok(address)
}

fn parse_chain_id(text: &str) -> Result<u64, SiweError> {
    let bad = || wrong("chain_id", "The chain id is not a number.");
    if text.is_empty() || text.starts_with('0') || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(bad());
    }
    text.parse().map_err(|_| bad())
}

fn parse_nonce(text: &str) -> Result<String, SiweError> {
    if text.len() < 8 || text.len() > 64 || !text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(wrong("nonce", "The nonce must be 8 to 64 letters and digits."));
    }
    Ok(text.to_owned())
}

fn parse_time(text: &str, field: &'static str) -> Result<OffsetDateTime, SiweError> {
    OffsetDateTime::parse(text, &Rfc3339).map_err(|_| wrong(field, "The time is not in the form of RFC 3339."))
}

/// The lines that are left; `None` after the last.
struct Lines<'a> {
    rest: Option<&'a str>,
}

impl<'a> Lines<'a> {
    fn next(&mut self, field: &'static str) -> Result<&'a str, SiweError> {
        let rest = self.rest.ok_or_else(|| wrong(field, "The message ends too early."))?;
        let (line, rest) = match rest.split_once('\n') {
            Some((line, rest)) => (line, Some(rest)),
            None => (rest, None),
        };
        self.rest = rest;
        Ok(line)
    }

    fn empty(&mut self, after: &'static str) -> Result<(), SiweError> {
        match self.next(after)? {
            "" => Ok(()),
            _ => Err(wrong(after, "An empty line must follow.")),
        }
    }

    fn field(&mut self, name: &str, field: &'static str) -> Result<&'a str, SiweError> {
        let line = self.next(field)?;
        let value = line.strip_prefix(name).and_then(|rest| rest.strip_prefix(": "));
        value.ok_or_else(|| wrong(field, format!("The line \"{name}: ...\" is missing or out of order.")))
    }

    /// Takes the next line when it is this field.
    fn optional(&mut self, name: &str) -> Option<&'a str> {
        let mut ahead = Lines { rest: self.rest };
        let value = ahead.next("message").ok()?.strip_prefix(name)?.strip_prefix(": ")?;
        self.rest = ahead.rest;
        Some(value)
    }

    /// An optional list of resources, then the end of the text.
    fn resources(&mut self) -> Result<(), SiweError> {
        if self.rest.is_none() {
            return Ok(());
        }
        if self.next("resources")? != "Resources:" {
            return Err(wrong("message", "A line of the message is unknown, repeated or out of order."));
        }
        let mut count = 0;
        while self.rest.is_some() {
            count += 1;
            if !self.next("resources")?.starts_with("- ") || count > RESOURCES {
                return Err(wrong("resources", format!("Resources must be at most {RESOURCES} lines \"- URI\".")));
            }
        }
        Ok(())
    }
}
