//! Several execution nodes as one: the preferred one is asked first, the next when it fails, and one that failed or lied is
//! left alone for a while.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use cluster_core::chain::{Answer, Ask, Contracts, Failure, Trouble};

use super::metrics::ChainMetrics;
use super::{Endpoint, EndpointError};
use crate::config::ChainConfig;

/// First pause after a failure; doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Longest pause after failures.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How long a node that was caught lying about its head is not asked for it.
const DISBELIEF: Duration = Duration::from_secs(120);

/// Execution nodes in the order of preference.
#[derive(Debug)]
pub struct Endpoints {
    nodes: Vec<Node>,
    metrics: ChainMetrics,
}

#[derive(Debug)]
struct Node {
    endpoint: Endpoint,
    health: Mutex<Health>,
}

#[derive(Debug, Default)]
struct Health {
    right_chain: bool,
    failures: u32,
    resting_until: Option<Instant>,
    disbelieved_until: Option<Instant>,
    announced: u64,
}

impl Node {
    fn health(&self) -> std::sync::MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_resting(&self) -> bool {
        self.health().resting_until.is_some_and(|until| until > Instant::now())
    }

    fn is_believed(&self) -> bool {
        self.health().disbelieved_until.is_none_or(|until| until <= Instant::now())
    }

    fn worked(&self) {
        let mut health = self.health();
        if health.failures > 0 {
            tracing::info!(
                endpoint = self.endpoint.name(),
                "the execution node {} answers again",
                self.endpoint.name()
            );
        }
        health.failures = 0;
        health.resting_until = None;
    }

    fn failed(&self, error: &EndpointError) {
        let mut health = self.health();
        let doubled = FIRST_PAUSE.saturating_mul(1 << health.failures.min(16));
        let pause = match error {
            EndpointError::Limited { retry_after: Some(after), .. } => *after,
            _ => doubled,
        };
        // Said once, not with every attempt.
        if health.failures == 0 {
            tracing::warn!(endpoint = self.endpoint.name(), %error, "{error}; the next one is asked");
        }
        health.failures = health.failures.saturating_add(1);
        health.resting_until = Some(Instant::now() + pause.min(LONGEST_PAUSE));
    }

    async fn ask(&self, ask: &Ask) -> Result<Answer, EndpointError> {
        let known = self.health().right_chain;
        if !known {
            self.endpoint.check_chain().await?;
            self.health().right_chain = true;
        }
        self.endpoint.answer(ask).await
    }
}

impl Endpoints {
    /// The endpoints of a configuration that was checked.
    pub fn new(config: &ChainConfig, contracts: Contracts, metrics: ChainMetrics) -> Result<Self, String> {
        let patience = Duration::from_millis(config.timeout_ms);
        let node = |url: &String| {
            Ok::<_, String>(Node { endpoint: Endpoint::new(url, contracts, patience)?, health: Mutex::default() })
        };
        let nodes = config.urls.iter().map(node).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { nodes, metrics })
    }

    /// Every endpoint.
    pub fn iter(&self) -> impl Iterator<Item = &Endpoint> {
        self.nodes.iter().map(|node| &node.endpoint)
    }

    /// One answer, from whoever has one.
    pub async fn answer(&self, ask: &Ask) -> Answer {
        match ask {
            Ask::Head => self.head().await,
            _ => self.first_answer(ask).await,
        }
    }

    /// The follower found out that an answer was wrong.
    pub fn blame(&self, trouble: &Trouble) {
        if let Trouble::MissingBlock { number, .. } = trouble {
            for node in &self.nodes {
                let mut health = node.health();
                if health.announced >= *number {
                    health.disbelieved_until = Some(Instant::now() + DISBELIEF);
                    health.announced = 0;
                    let name = node.endpoint.name();
                    tracing::warn!(
                        endpoint = name,
                        number,
                        "the execution node {name} announces blocks that it does not have"
                    );
                }
            }
        }
    }

    /// All are asked, and the highest is taken: one that lags does not hold the others up.
    async fn head(&self) -> Answer {
        let usable: Vec<&Node> = self.nodes.iter().filter(|node| !node.is_resting() && node.is_believed()).collect();
        // When nobody is left, everybody is asked.
        let asked = if usable.is_empty() { self.nodes.iter().collect() } else { usable };
        let answers = futures::future::join_all(asked.iter().map(|node| node.ask(&Ask::Head))).await;
        let mut highest = None;
        for (node, answer) in asked.into_iter().zip(answers) {
            self.metrics.called(answer.is_ok());
            match answer {
                Ok(Answer::Head(head)) => {
                    node.worked();
                    node.health().announced = head;
                    highest = highest.max(Some(head));
                }
                Ok(_) => {}
                Err(error) => node.failed(&error),
            }
        }
        highest.map_or(Answer::Failed(Failure::Unavailable), Answer::Head)
    }

    async fn first_answer(&self, ask: &Ask) -> Answer {
        let (resting, ready): (Vec<&Node>, Vec<&Node>) = self.nodes.iter().partition(|node| node.is_resting());
        let (mut too_much, mut missing, mut behind) = (false, false, false);
        for node in ready.into_iter().chain(resting) {
            let answer = node.ask(ask).await;
            self.metrics.called(answer.is_ok());
            match answer {
                // Another one may have come further.
                Ok(Answer::Header(None)) => missing = true,
                Ok(answer) => {
                    node.worked();
                    return answer;
                }
                Err(EndpointError::TooMuch { .. }) => too_much = true,
                Err(EndpointError::Behind { .. }) => behind = true,
                Err(error) => node.failed(&error),
            }
        }
        if missing {
            return Answer::Header(None);
        }
        Answer::Failed(match (too_much, behind) {
            (true, _) => Failure::TooMuch,
            (false, true) => Failure::Missing,
            (false, false) => Failure::Unavailable,
        })
    }
}
