//! What several test binaries share.

#![allow(dead_code)]

pub mod deposits;
pub mod processes;

use std::future::Future;
use std::time::{Duration, Instant};

/// Asks again and again until the answer is there; panics after `patience`, saying what did not happen.
pub async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    patience: Duration,
    mut ask: impl FnMut() -> F,
) -> T {
    let give_up = Instant::now() + patience;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < give_up, "not after {patience:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
