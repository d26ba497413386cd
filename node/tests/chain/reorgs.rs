//! Reorganisations of every depth around every kind of event: afterwards the facts are those of the winning chain.

use crate::anvil::{config, from_scratch, Anvil, Reader};
use crate::emit::{self, Emitted};

/// Name, what the losing chain has.
fn kinds() -> Vec<(&'static str, Emitted)> {
    vec![
        ("operator", emit::operator(20)),
        ("cluster node", emit::cluster_node(101)),
        ("request", emit::request(2)),
        ("registration", emit::registration(2, 1)),
        ("replacement", emit::registration(1, 3)),
        ("removal", emit::removal(1)),
        ("exit", emit::exit(1)),
        ("fee recipient", emit::recipient(9)),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_depth_around_every_kind_of_event() {
    let anvil = Anvil::start().await;
    for event in emit::set_up() {
        anvil.emit(&event).await;
    }
    // One reader over HTTP and one over a WebSocket follow everything.
    let over_http = Reader::start(&config(vec![anvil.url.clone()])).await;
    let over_socket = Reader::start(&config(vec![anvil.ws.clone()])).await;
    for (kind, event) in kinds() {
        let before = from_scratch(&anvil).await;
        for depth in 1..=8u64 {
            let snapshot = anvil.snapshot().await;
            anvil.emit(&event).await;
            anvil.mine(depth - 1).await;
            for reader in [&over_http, &over_socket] {
                reader.reaches(&anvil).await;
                if depth == 1 {
                    assert_ne!(reader.facts(), before, "{kind}: seen on the losing chain");
                }
            }
            anvil.revert(&snapshot).await;
            // The winning chain has the event nowhere, or later, in another block.
            let again = depth % 2 == 0;
            anvil.mine(depth).await;
            if again {
                anvil.emit(&event).await;
            }
            anvil.mine(1).await;
            let winning = from_scratch(&anvil).await;
            for reader in [&over_http, &over_socket] {
                reader.reaches(&anvil).await;
                assert_eq!(reader.facts(), winning, "{kind}, depth {depth}");
            }
        }
    }
    over_http.stop().await;
    over_socket.stop().await;
}
