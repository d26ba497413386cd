//! Events: merged over nodes, each told once, and bounded.

use std::time::Duration;

use cluster_core::beacon::{Epoch, Slot};
use cluster_node::beacon::{Beacon, BeaconEvent, NodeState};
use tokio::sync::broadcast::Receiver;

use crate::fake::{recorded, Client, Fake};

fn event(position: usize) -> String {
    format!("{}\n\n", recorded("events")[position].as_str().unwrap())
}

async fn next(events: &mut Receiver<BeaconEvent>) -> BeaconEvent {
    tokio::time::timeout(Duration::from_secs(20), events.recv()).await.expect("an event").unwrap()
}

async fn next_head(events: &mut Receiver<BeaconEvent>) -> (Slot, bool) {
    loop {
        if let BeaconEvent::Head(head) = next(events).await {
            return (head.slot, head.epoch_transition);
        }
    }
}

#[tokio::test]
async fn heads_and_checkpoints_are_told_once() {
    let (first, second) = (Fake::start().await, Fake::start().await);
    let client = Client::start(&[&first, &second], |_| {});
    let mut events = client.nodes.events();
    let mut connected = vec![next(&mut events).await, next(&mut events).await];
    connected.sort_by_key(|event| {
        format!("{event:?}") == format!("{:?}", BeaconEvent::Reconnected { url: second.url.clone() })
    });
    let expected = [&first, &second].map(|fake| BeaconEvent::Reconnected { url: fake.url.clone() });
    assert_eq!(connected, expected);

    let optimistic = event(0).replace("\"execution_optimistic\":false", "\"execution_optimistic\":true");
    let root = "12".repeat(32);
    let checkpoint = format!(
        "event: finalized_checkpoint\ndata: {{\"block\":\"0x{root}\",\"state\":\"0x{root}\",\"epoch\":\"2\",\"execution_optimistic\":false}}\n\n"
    );
    first.send(optimistic).await;
    // In pieces, with an event that nobody asked for between them.
    let (start, end) = (event(0), event(2));
    let (start, rest) = start.split_at(40);
    first.send(start.to_owned()).await;
    first.send(rest.to_owned() + &event(1)).await;
    assert_eq!(next_head(&mut events).await.0, Slot(1));
    second.send(event(0) + &end + &checkpoint).await;
    assert_eq!(next_head(&mut events).await.0, Slot(2), "the repetition by the second node is dropped");
    assert_eq!(next(&mut events).await, BeaconEvent::Finalized { epoch: Epoch(2), block_root: [0x12; 32] });
    first.send(checkpoint + &end + &event(0).replace("\"slot\":\"1\"", "\"slot\":\"3\"")).await;
    assert_eq!(next_head(&mut events).await.0, Slot(3));
}

#[tokio::test]
async fn a_stream_that_goes_wrong_is_followed_anew() {
    let fake = Fake::start().await;
    let client = Client::start(&[&fake], |_| {});
    let mut events = client.nodes.events();
    let reconnected = BeaconEvent::Reconnected { url: fake.url.clone() };
    assert_eq!(next(&mut events).await, reconnected);
    for wrong in [vec![b'x'; 80_000], b"event: head\ndata: {\"slot\":1}\n\n".to_vec()] {
        fake.send(wrong).await;
        assert_eq!(next(&mut events).await, reconnected);
    }
    fake.send(event(0)).await;
    assert_eq!(next_head(&mut events).await.0, Slot(1));
    client.until(&[NodeState::Ready]).await;
}

#[tokio::test]
async fn a_stream_that_opens_later_than_a_duty_could_wait_is_waited_for() {
    let fake = Fake::start().await;
    let timeout = Duration::from_secs(1);
    fake.open_events_after(timeout * 3);
    let client = Client::start(&[&fake], |config| config.timeout_ms = 1_000);
    let mut events = client.nodes.events();
    assert_eq!(next(&mut events).await, BeaconEvent::Reconnected { url: fake.url.clone() });
    fake.send(event(0)).await;
    assert_eq!(next_head(&mut events).await.0, Slot(1));
    assert_eq!(fake.seen("/eth/v1/events").len(), 1, "nothing was begun anew");
}
