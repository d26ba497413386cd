//! Telling every node: messages, duplicates, and what counts as taken.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cluster_core::beacon::{Fork, Root};
use cluster_core::encoding::to_hex;
use reqwest::StatusCode;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::limits::{Endpoint, HEADER};
use super::node::{Body, Call, Node};
use super::nodes::{failed, may_pass, Patience, Pool, Purpose, ATTEMPTS};
use super::{BeaconError, ItemFailure};

/// Pauses between looks for a block that a node says it knows: it may still be importing it.
const LOOKS_MS: [u64; 5] = [0, 100, 200, 400, 800];

/// Writes the items as JSON, for nodes that do not take SSZ.
type Json = Arc<dyn Fn() -> Result<Bytes, String> + Send + Sync>;

/// A list of things to tell.
#[derive(Clone)]
pub(super) struct Message {
    pub(super) endpoint: &'static Endpoint,
    pub(super) path: &'static str,
    pub(super) fork: Option<Fork>,
    /// SSZ of the list, where the API has it.
    pub(super) ssz: Option<Bytes>,
    /// The same as JSON.
    pub(super) json: Json,
    /// Number of items.
    pub(super) count: usize,
}

/// What one node made of a list: the items that it refused.
type Taken = BTreeMap<usize, ItemFailure>;

impl Pool {
    /// Tells every node. Returns when one has taken all items, or when every item has been taken by some node; the others go on
    /// being told in the background.
    pub(super) async fn tell(self: &Arc<Self>, message: Message) -> Result<(), BeaconError> {
        let (endpoint, count) = (message.endpoint, message.count);
        if count == 0 {
            return Ok(());
        }
        let mut refused: Option<(String, Taken)> = None;
        let told = self.spread(endpoint, self.patience, move |node, timeout| tell_one(node, message.clone(), timeout));
        let result = told
            .until(|node, taken| {
                // An item stays refused only while every node refuses it.
                let (_, refused) = refused.get_or_insert_with(|| (node.shown.clone(), taken.clone()));
                refused.retain(|index, _| taken.contains_key(index));
                refused.is_empty()
            })
            .await;
        match (result, refused) {
            (Ok(()), _) => Ok(()),
            (Err(_), Some((url, refused))) => Err(BeaconError::Refused {
                url,
                endpoint: endpoint.name,
                failures: refused.into_values().collect(),
                of: count,
            }),
            (Err(error), None) => Err(error),
        }
    }

    /// Publishes a signed block with every node; one that has it in its chain, from whomever, has taken it.
    pub(super) async fn tell_block(
        self: &Arc<Self>,
        endpoint: &'static Endpoint,
        path: &'static str,
        fork: Fork,
        contents: Bytes,
        root: Root,
    ) -> Result<(), BeaconError> {
        let told = self.spread(endpoint, self.block_patience, move |node, timeout| {
            let call = Call::post(endpoint, path, Body::Ssz(contents.clone())).fork(Some(fork));
            publish_one(node, call, root, timeout)
        });
        told.until(|_, ()| true).await
    }

    /// Starts to tell every node, now or as soon as there is one.
    fn spread<T, F>(
        self: &Arc<Self>,
        endpoint: &'static Endpoint,
        patience: Patience,
        tell: impl Fn(Arc<Node>, Duration) -> F + Send + Sync + 'static,
    ) -> Spread<F>
    where
        F: Future<Output = Result<T, BeaconError>> + Send + 'static,
        T: Send + 'static,
    {
        Spread { pool: Arc::clone(self), endpoint, patience, tell: Box::new(tell) }
    }
}

/// Something that every node is being told.
struct Spread<F> {
    pool: Arc<Pool>,
    endpoint: &'static Endpoint,
    patience: Patience,
    tell: Box<dyn Fn(Arc<Node>, Duration) -> F + Send + Sync>,
}

impl<T, F> Spread<F>
where
    F: Future<Output = Result<T, BeaconError>> + Send + 'static,
    T: Send + 'static,
{
    /// Waits until `enough` says so of an answer.
    async fn until(self, mut enough: impl FnMut(&Node, T) -> bool + Send) -> Result<(), BeaconError> {
        let Self { pool, endpoint, patience, tell } = self;
        let deadline = Instant::now() + patience.timeout;
        let mut changes = pool.changes.subscribe();
        let (sender, mut results) = mpsc::channel(pool.nodes.len());
        let (mut told, mut under_way): (Vec<usize>, usize) = (Vec::new(), 0);
        let mut attempts = BTreeMap::new();
        let mut errors = BTreeMap::new();
        loop {
            for at in pool.usable(Purpose::Tell) {
                if told.contains(&at) || attempts.get(&at) >= Some(&ATTEMPTS) {
                    continue;
                }
                *attempts.entry(at).or_insert(0) += 1;
                told.push(at);
                under_way += 1;
                let node = Arc::clone(&pool.nodes[at]);
                let telling = tell(Arc::clone(&node), deadline.saturating_duration_since(Instant::now()));
                let (sender, pool) = (sender.clone(), Arc::clone(&pool));
                pool.tasks.clone().spawn(async move {
                    let result = match node.publications.try_acquire() {
                        Ok(_permit) => telling.await,
                        Err(_) => Err(busy(&node, endpoint)),
                    };
                    if let Err(error) = &result {
                        pool.judge(at, error);
                    }
                    // Nobody waits any more when another node was faster.
                    let _ = sender.send((at, result)).await;
                });
            }
            if under_way == 0 && !errors.is_empty() && !errors.values().all(may_pass) {
                return Err(failed(endpoint, errors));
            }
            tokio::select! {
                Some((at, result)) = results.recv(), if under_way > 0 => {
                    under_way -= 1;
                    match result {
                        Ok(answer) => {
                            if enough(&pool.nodes[at], answer) {
                                return Ok(());
                            }
                            // Refused in part, which the caller remembers.
                            let reason = "items were refused".to_owned();
                            errors.insert(at, BeaconError::Request { endpoint: endpoint.name, reason });
                        }
                        Err(error) => {
                            if may_pass(&error) {
                                // Told again when it is back in time.
                                told.retain(|told| *told != at);
                            }
                            errors.insert(at, error);
                        }
                    }
                }
                _ = changes.changed() => {}
                () = tokio::time::sleep_until(deadline) => {
                    return Err(if errors.is_empty() { pool.none_usable(endpoint) } else { failed(endpoint, errors) });
                }
            }
        }
    }
}

/// Tells one node, in SSZ unless it has shown that it takes JSON only.
async fn tell_one(node: Arc<Node>, message: Message, timeout: Duration) -> Result<Taken, BeaconError> {
    let deadline = Instant::now() + timeout;
    let call = |body| Call::post(message.endpoint, message.path, body).fork(message.fork);
    let json = || (message.json)().map_err(|reason| BeaconError::Request { endpoint: message.endpoint.name, reason });
    let ssz = message.ssz.clone().filter(|_| !node.takes_json_only(message.endpoint));
    let result = match ssz {
        Some(ssz) => {
            let result = node.call(&call(Body::Ssz(ssz)), timeout).await;
            let refused = |status| status == StatusCode::UNSUPPORTED_MEDIA_TYPE || status == StatusCode::BAD_REQUEST;
            match &result {
                // A refusal without words about items may be one of the encoding.
                Err(BeaconError::Status { status, .. }) if StatusCode::from_u16(*status).is_ok_and(refused) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    let again = node.call(&call(Body::Json(json()?)), left).await;
                    if matches!(again, Ok(_) | Err(BeaconError::Refused { .. })) {
                        node.set_json_only(message.endpoint);
                    }
                    again
                }
                _ => result,
            }
        }
        None => node.call(&call(Body::Json(json()?)), timeout).await,
    };
    match result {
        Ok(_) => Ok(Taken::new()),
        Err(BeaconError::Refused { failures, .. }) => {
            let lost =
                failures.into_iter().filter(|failure| failure.index < message.count && !is_duplicate(&failure.message));
            Ok(lost.map(|failure| (failure.index, failure)).collect())
        }
        Err(BeaconError::Status { message, .. }) if is_duplicate(&message) || has_no_builder(&message) => {
            Ok(Taken::new())
        }
        Err(error) => Err(error),
    }
}

/// Publishes a block with one node. Whatever the node answers, a block that is in its chain has been taken: other operators
/// publish the same block, and a call that timed out may have been carried out.
async fn publish_one(node: Arc<Node>, call: Call, root: Root, timeout: Duration) -> Result<(), BeaconError> {
    let deadline = Instant::now() + timeout;
    let error = match node.call(&call, timeout).await {
        Ok(answer) if answer.status != StatusCode::ACCEPTED => return Ok(()),
        Ok(answer) => answer.wrong("the block was passed on, but is not valid for the node"),
        Err(error) => error,
    };
    let looks = match &error {
        BeaconError::Unreachable { .. } => return Err(error),
        BeaconError::Status { message, .. } if !is_duplicate(message) => &LOOKS_MS[..1],
        _ => &LOOKS_MS[..],
    };
    for pause in looks {
        tokio::time::sleep(Duration::from_millis(*pause)).await;
        // A little time is left even to a call that timed out.
        let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(500));
        let header = Call::get(&HEADER, format!("/eth/v1/beacon/headers/{}", to_hex(&root)));
        if node.call(&header, left).await.is_ok() {
            return Ok(());
        }
    }
    Err(error)
}

fn busy(node: &Node, endpoint: &'static Endpoint) -> BeaconError {
    let reason = "it has not taken earlier messages yet".to_owned();
    BeaconError::Request { endpoint: endpoint.name, reason: format!("{} is busy: {reason}", node.shown) }
}

/// Whether a node's words say that it has the message already. Nodes word it differently: `BLOCK_ERROR_ALREADY_KNOWN`,
/// `PriorAttestationKnown`, `Aggregator already known`, `duplicate`.
fn is_duplicate(message: &str) -> bool {
    let plain = plain(message);
    ["alreadyknown", "alreadyexists", "alreadyseen", "supersetknown", "duplicate"]
        .iter()
        .any(|word| plain.contains(word))
        || (plain.contains("prior") && plain.contains("known") && !plain.contains("unknown"))
}

/// Whether a node's words say that it has no builder to register validators with.
fn has_no_builder(message: &str) -> bool {
    let plain = plain(message);
    plain.contains("builder")
        && ["notconfigured", "notenabled", "disabled", "missing", "nobuilder"].iter().any(|word| plain.contains(word))
}

fn plain(message: &str) -> String {
    message.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::{has_no_builder, is_duplicate};

    #[test]
    fn duplicates_are_recognised_in_every_wording() {
        for duplicate in [
            "BLOCK_ERROR_ALREADY_KNOWN",
            "VOLUNTARY_EXIT_ERROR_ALREADY_EXISTS",
            "Verification: PriorAttestationKnown { validator_index: 7 }",
            "AggregatorAlreadyKnown(3)",
            "AttestationSupersetKnown(0x12)",
            "duplicate block",
        ] {
            assert!(is_duplicate(duplicate), "{duplicate}");
        }
        for other in [
            "ATTESTATION_ERROR_UNKNOWN_OR_PREFINALIZED_BEACON_BLOCK_ROOT",
            "UnknownHeadBlock",
            "prior epoch, unknown root",
            "",
        ] {
            assert!(!is_duplicate(other), "{other}");
        }
        assert!(has_no_builder("External builder not configured"));
        assert!(!has_no_builder("External builder answered 500"));
    }
}
