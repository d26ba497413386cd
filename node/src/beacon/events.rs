//! Server-sent events of every node, merged: heads and final checkpoints, each reported once.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use cluster_core::beacon::{Epoch, Root};
use cluster_core::encoding::hex_array;
use serde::Deserialize;

use super::limits::{EVENTS, EVENT_LIMIT};
use super::node::{Call, Node};
use super::nodes::Pool;
use super::{BeaconError, BeaconEvent, HeadEvent, NodeState};

const PATH: &str = "/eth/v1/events?topics=head,finalized_checkpoint";
/// Pause before the next attempt to follow a node's events.
const RETRY: Duration = Duration::from_millis(500);
/// Least time for a stream to open: a slot of mainnet.
const OPENING_LEAST: Duration = Duration::from_secs(12);
/// Slots without a byte after which a connection counts as dead, and the least time.
const SILENT_SLOTS: u32 = 5;
const SILENT_LEAST: Duration = Duration::from_secs(30);
/// Events that are remembered to drop repetitions by other nodes.
const REMEMBERED: usize = 64;

#[derive(Deserialize)]
struct Finalized {
    epoch: Epoch,
    #[serde(with = "hex_array")]
    block: Root,
}

/// What was reported before.
#[derive(Debug, Default)]
pub(super) struct Reported(VecDeque<BeaconEvent>);

impl Reported {
    /// Whether the event is new, which it is once.
    pub(super) fn is_new(&mut self, event: &BeaconEvent) -> bool {
        if matches!(event, BeaconEvent::Reconnected { .. }) {
            return true;
        }
        if self.0.contains(event) {
            return false;
        }
        if self.0.len() >= REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back(event.clone());
        true
    }
}

/// Follows one node's events until the end.
pub(super) async fn follow(pool: Arc<Pool>, node: Arc<Node>) {
    let mut changes = pool.changes.subscribe();
    loop {
        let attempt = async {
            // Events of a node on another chain are not ours.
            while matches!(node.state(), NodeState::Unreachable | NodeState::OtherChain) {
                if changes.changed().await.is_err() {
                    return;
                }
            }
            if let Err(error) = receive(&pool, &node).await {
                tracing::debug!(node = %node.shown, %error, "the events of the beacon node {} end", node.shown);
            }
            tokio::time::sleep(RETRY).await;
        };
        tokio::select! {
            () = pool.stop.cancelled() => return,
            () = attempt => {}
        }
    }
}

async fn receive(pool: &Pool, node: &Node) -> Result<(), BeaconError> {
    let mut response = node.stream(&Call::get(&EVENTS, PATH), opening(pool)).await?;
    pool.report(BeaconEvent::Reconnected { url: node.shown.clone() });
    let mut parser = Parser::default();
    let wrong = |reason: String| BeaconError::Answer { url: node.shown.clone(), endpoint: EVENTS.name, reason };
    loop {
        let chunk = tokio::time::timeout(silence(pool), response.chunk()).await;
        let chunk = chunk.map_err(|_| wrong("nothing was received for a long time".to_owned()))?;
        let Some(chunk) = chunk.map_err(|error| wrong(error.without_url().to_string()))? else { return Ok(()) };
        let mut wrong_event = None;
        parser
            .push(&chunk, |name, data| match read(name, data) {
                Ok(Some(event)) => {
                    if let BeaconEvent::Head(head) = &event {
                        node.set_head(head.slot);
                    }
                    pool.report(event);
                }
                Ok(None) => {}
                Err(error) => wrong_event = Some(error),
            })
            .map_err(|TooLong| BeaconError::TooLong {
                url: node.shown.clone(),
                endpoint: EVENTS.name,
                limit: EVENT_LIMIT,
            })?;
        if let Some(error) = wrong_event {
            return Err(wrong(error));
        }
        // The node may have turned out to be on another chain meanwhile.
        if node.state() == NodeState::OtherChain {
            return Ok(());
        }
    }
}

/// Time for a stream to open: no duty waits for it, and a node under load that is given up on begins anew.
fn opening(pool: &Pool) -> Duration {
    OPENING_LEAST.max(pool.timeout).max(slot(pool))
}

fn silence(pool: &Pool) -> Duration {
    SILENT_LEAST.max(slot(pool).saturating_mul(SILENT_SLOTS))
}

/// Length of a slot; nothing until the chain is known.
fn slot(pool: &Pool) -> Duration {
    Duration::from_millis(pool.chain.borrow().as_ref().map_or(0, |chain| chain.slot_ms))
}

/// An event that is of interest.
fn read(name: &str, data: &[u8]) -> Result<Option<BeaconEvent>, String> {
    match name {
        "head" => {
            let head: HeadEvent = serde_json::from_slice(data).map_err(|error| error.to_string())?;
            // Nobody may sign for a head that no execution client has checked; it is reported again when one has.
            Ok((!head.execution_optimistic).then_some(BeaconEvent::Head(head)))
        }
        "finalized_checkpoint" => {
            let Finalized { epoch, block } = serde_json::from_slice(data).map_err(|error| error.to_string())?;
            Ok(Some(BeaconEvent::Finalized { epoch, block_root: block }))
        }
        _ => Ok(None),
    }
}

/// A line or an event is longer than [`EVENT_LIMIT`].
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLong;

/// Takes a stream of server-sent events apart (WHATWG HTML, section 9.2). Holds at most one line and one event.
#[derive(Debug, Default)]
pub(super) struct Parser {
    line: Vec<u8>,
    name: String,
    data: Vec<u8>,
}

impl Parser {
    /// Takes bytes, and hands out name and data of each event that is complete.
    pub(super) fn push(&mut self, bytes: &[u8], mut event: impl FnMut(&str, &[u8])) -> Result<(), TooLong> {
        for byte in bytes {
            if *byte != b'\n' {
                if self.line.len() >= EVENT_LIMIT {
                    return Err(TooLong);
                }
                self.line.push(*byte);
                continue;
            }
            let line = std::mem::take(&mut self.line);
            let line = line.strip_suffix(b"\r").unwrap_or(&line);
            if line.is_empty() {
                if !self.data.is_empty() {
                    event(&self.name, &self.data);
                }
                self.name.clear();
                self.data.clear();
            } else {
                self.field(line)?;
            }
        }
        Ok(())
    }

    fn field(&mut self, line: &[u8]) -> Result<(), TooLong> {
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let (name, value) = line.split_at(colon);
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match name {
            b"event" => self.name = String::from_utf8_lossy(value).into_owned(),
            b"data" => {
                if self.data.len() + value.len() >= EVENT_LIMIT {
                    return Err(TooLong);
                }
                if !self.data.is_empty() {
                    self.data.push(b'\n');
                }
                self.data.extend_from_slice(value);
            }
            // A comment, an id or a time to wait.
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Parser, TooLong, EVENT_LIMIT};

    fn parsed(parser: &mut Parser, text: &[u8]) -> Result<Vec<(String, String)>, TooLong> {
        let mut events = Vec::new();
        parser.push(text, |name, data| events.push((name.to_owned(), String::from_utf8_lossy(data).into_owned())))?;
        Ok(events)
    }

    #[test]
    fn events_are_the_same_however_the_bytes_are_cut() {
        let stream = b": hello\r\nevent: head\r\ndata: {\"a\":1}\r\n\r\nid: 7\nevent:block\ndata:one\ndata: two\n\n\nevent: empty\n\ndata\n\n";
        let expected =
            [("head", "{\"a\":1}"), ("block", "one\ntwo")].map(|(name, data)| (name.to_owned(), data.to_owned()));
        assert_eq!(parsed(&mut Parser::default(), stream), Ok(expected.to_vec()));
        for size in 1..stream.len() {
            let mut parser = Parser::default();
            let events: Vec<_> = stream.chunks(size).flat_map(|chunk| parsed(&mut parser, chunk)).flatten().collect();
            assert_eq!(events, expected, "in pieces of {size}");
        }
    }

    #[test]
    fn a_line_or_event_without_end_is_refused() {
        let mut parser = Parser::default();
        assert_eq!(parsed(&mut parser, &vec![b'x'; EVENT_LIMIT]), Ok(Vec::new()), "the limit");
        assert_eq!(parsed(&mut parser, b"x"), Err(TooLong), "one byte more");
        let mut parser = Parser::default();
        let line = [b"data: ".as_slice(), &[b'x'; 1_000], b"\n"].concat();
        let taken = (0..).take_while(|_| parsed(&mut parser, &line).is_ok()).count();
        assert_eq!(taken, EVENT_LIMIT / 1_001, "lines of one event");
    }
}
