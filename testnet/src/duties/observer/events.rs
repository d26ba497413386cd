//! The event stream of one beacon node, connected again whenever it ends.

use std::time::Duration;

use cluster_core::beacon::{Root, SingleAttestation};
use cluster_core::encoding::hex_array;
use serde::Deserialize;
use tokio::sync::mpsc;

/// Pause before the next attempt.
const RETRY: Duration = Duration::from_millis(200);
/// Bytes of one event; a node writes a few hundred.
const EVENT_LIMIT: usize = 256 * 1024;
const TOPICS: &str = "/eth/v1/events?topics=single_attestation,block,block_gossip";

/// What a node saw.
#[derive(Clone, Debug)]
pub(super) enum Seen {
    /// An attestation of one validator.
    Attestation(Box<SingleAttestation>),
    /// A signed block, imported or only received.
    Block { slot: u64, root: Root, imported: bool },
}

#[derive(Deserialize)]
struct BlockJson {
    slot: String,
    #[serde(with = "hex_array")]
    block: Root,
}

/// Hands on what the node sees until the receiver is gone.
pub(super) async fn follow(http: reqwest::Client, url: String, seen: mpsc::Sender<Seen>) {
    while !seen.is_closed() {
        if let Err(error) = stream(&http, &url, &seen).await {
            tracing::debug!(url, "the events of {url} ended: {error}");
        }
        tokio::time::sleep(RETRY).await;
    }
}

async fn stream(http: &reqwest::Client, url: &str, seen: &mpsc::Sender<Seen>) -> Result<(), String> {
    let answer = http.get(format!("{url}{TOPICS}")).header("accept", "text/event-stream").send().await;
    let mut response = answer.and_then(reqwest::Response::error_for_status).map_err(|error| error.to_string())?;
    let mut buffer = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| error.to_string())? {
        if buffer.len() + chunk.len() > EVENT_LIMIT {
            return Err(format!("an event is longer than {EVENT_LIMIT} bytes"));
        }
        buffer.extend_from_slice(&chunk);
        for event in cut(&mut buffer) {
            if let Some(event) = parse(&event) {
                // The receiver is slower than the node: the node's socket waits meanwhile.
                seen.send(event).await.map_err(|_| "nobody listens any more".to_owned())?;
            }
        }
    }
    Ok(())
}

/// Takes whole events off the buffer.
fn cut(buffer: &mut Vec<u8>) -> Vec<String> {
    let mut events = Vec::new();
    while let Some(end) = buffer.windows(2).position(|pair| pair == b"\n\n") {
        let event: Vec<u8> = buffer.drain(..end + 2).collect();
        events.push(String::from_utf8_lossy(&event).into_owned());
    }
    events
}

fn parse(event: &str) -> Option<Seen> {
    let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name).map(str::trim_start));
    let data = field("data:")?;
    let block = |imported: bool| {
        let block: BlockJson = serde_json::from_str(data).ok()?;
        Some(Seen::Block { slot: block.slot.parse().ok()?, root: block.block, imported })
    };
    match field("event:")? {
        "single_attestation" => serde_json::from_str(data).ok().map(|single| Seen::Attestation(Box::new(single))),
        "block" => block(true),
        "block_gossip" => block(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use super::*;

    #[test]
    fn events_are_cut_where_they_end_and_not_where_a_packet_does() {
        let root = "ab".repeat(32);
        let text = format!(
            "id:\nevent: block\ndata: {{\"slot\":\"7\",\"block\":\"0x{root}\",\"execution_optimistic\":false}}\n\n\
             : keep alive\n\nevent: block_gossip\ndata: {{\"slot\":\"8\",\"block\":\"0x{root}\"}}\n\nevent: hea"
        );
        let (mut buffer, mut seen) = (Vec::new(), Vec::new());
        for packet in text.as_bytes().chunks(5) {
            buffer.extend_from_slice(packet);
            seen.extend(cut(&mut buffer).iter().filter_map(|event| parse(event)));
        }
        let found: Vec<(u64, bool)> = seen
            .iter()
            .map(|seen| match seen {
                Seen::Block { slot, root, imported } => {
                    assert_eq!(*root, [0xab; 32]);
                    (*slot, *imported)
                }
                Seen::Attestation(single) => panic!("{single:?}"),
            })
            .collect();
        assert_eq!(found, [(7, true), (8, false)]);
        assert_eq!(buffer, b"event: hea");
    }
}
