//! A token bucket per address for calls that need no authentication.

use crate::limits;
use crate::problem::Problem;
use crate::state::AppState;
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};

/// Buckets of all addresses, at most [`limits::RATE_LIMIT_ADDRESSES`].
#[derive(Debug)]
pub struct RateLimiter {
    per_second: u32,
    burst: u32,
    trust_forwarded_for: bool,
    buckets: Mutex<HashMap<IpAddr, Bucket>>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// Thousandths of a call.
    tokens_milli: u64,
    refilled_at_ms: u64,
}

impl RateLimiter {
    /// `per_second` 0 switches the limit off.
    pub fn new(per_second: u32, burst: u32, trust_forwarded_for: bool) -> Self {
        Self { per_second, burst: burst.max(1), trust_forwarded_for, buckets: Mutex::default() }
    }

    /// Takes a token of this address; `false` when there is none.
    pub fn admit(&self, address: IpAddr, now_ms: u64) -> bool {
        if self.per_second == 0 {
            return true;
        }
        let key = network_of(address);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= limits::RATE_LIMIT_ADDRESSES && !buckets.contains_key(&key) {
            // A full bucket says nothing: forget it. When all are in use, newcomers wait.
            buckets.retain(|_, bucket| !self.is_full(bucket, now_ms));
            if buckets.len() >= limits::RATE_LIMIT_ADDRESSES {
                return false;
            }
        }
        let full = Bucket { tokens_milli: self.capacity_milli(), refilled_at_ms: now_ms };
        let bucket = buckets.entry(key).or_insert(full);
        bucket.tokens_milli = self.refilled_milli(bucket, now_ms);
        bucket.refilled_at_ms = now_ms;
        match bucket.tokens_milli.checked_sub(1000) {
            Some(rest) => {
                bucket.tokens_milli = rest;
                true
            }
            None => false,
        }
    }

    fn capacity_milli(&self) -> u64 {
        u64::from(self.burst) * 1000
    }

    fn refilled_milli(&self, bucket: &Bucket, now_ms: u64) -> u64 {
        let elapsed_ms = now_ms.saturating_sub(bucket.refilled_at_ms);
        // One token a second is one thousandth of a token a millisecond.
        let gained = elapsed_ms.saturating_mul(u64::from(self.per_second));
        bucket.tokens_milli.saturating_add(gained).min(self.capacity_milli())
    }

    fn is_full(&self, bucket: &Bucket, now_ms: u64) -> bool {
        self.refilled_milli(bucket, now_ms) == self.capacity_milli()
    }

    fn address_of(&self, request: &Request) -> Option<IpAddr> {
        if self.trust_forwarded_for {
            // The last entry is the one that our own proxy wrote; all before it are the caller's words.
            let header = request.headers().get_all("x-forwarded-for").iter().next_back()?;
            return header.to_str().ok()?.rsplit(',').next()?.trim().parse().ok();
        }
        request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip())
    }
}

/// One customer of an IPv6 provider owns at least a /64.
fn network_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_none() => {
            IpAddr::V6(Ipv6Addr::from(u128::from(v6) & !u128::from(u64::MAX)))
        }
        other => other.to_canonical(),
    }
}

/// Middleware that refuses calls above the limit with 429.
pub async fn limit(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let address = state.rate_limiter.address_of(&request).unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
    if state.rate_limiter.admit(address, state.clock.now_ms()) {
        return next.run(request).await;
    }
    Problem::too_many("Too many calls from this address; wait a second.").into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_empties_refills_and_is_per_network() {
        let limiter = RateLimiter::new(2, 3, false);
        let (a, b) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let admitted = |address, now_ms| limiter.admit(address, now_ms);
        assert_eq!([0, 0, 0, 0].map(|now_ms| admitted(a, now_ms)), [true, true, true, false]);
        assert!(admitted(b, 0), "another address has its own bucket");
        assert!(!admitted(a, 499));
        assert!(admitted(a, 500), "two a second: one after 500 ms");
        let (v6, neighbour) = ("2001:db8::1".parse::<IpAddr>(), "2001:db8::2".parse::<IpAddr>());
        assert_eq!(v6.map(network_of), neighbour.map(network_of));
    }

    #[test]
    fn memory_is_bounded_and_newcomers_wait_while_all_buckets_are_in_use() {
        let limiter = RateLimiter::new(1, 1, false);
        for n in 0..=u32::try_from(limits::RATE_LIMIT_ADDRESSES).unwrap_or(u32::MAX) {
            limiter.admit(IpAddr::from(n.to_be_bytes()), 0);
        }
        let held = || limiter.buckets.lock().map(|buckets| buckets.len()).unwrap_or_default();
        assert_eq!(held(), limits::RATE_LIMIT_ADDRESSES);
        assert!(!limiter.admit(IpAddr::from([203, 0, 113, 1]), 0));
        assert!(limiter.admit(IpAddr::from([203, 0, 113, 1]), 1000), "full buckets are forgotten");
        assert_eq!(held(), 1);
    }
}
