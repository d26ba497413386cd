//! Execution nodes that are killed, lie, ask for patience or limit ranges: nothing is lost.

use std::time::Duration;

use crate::anvil::{config, from_scratch, Anvil, Reader};
use crate::emit;
use crate::proxy::{Mood, Proxy};

/// A chain long enough for ranges, with events at both ends.
async fn long_chain() -> Anvil {
    let anvil = Anvil::start().await;
    for event in emit::set_up() {
        anvil.emit(&event).await;
    }
    anvil.mine(500).await;
    anvil.emit(&emit::request(3)).await;
    anvil.mine(300).await;
    anvil.emit(&emit::registration(2, 1)).await;
    anvil
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_of_a_hundred_blocks_is_found_and_kept() {
    let anvil = long_chain().await;
    let proxy = Proxy::start(&anvil.url, Mood::Ranges(100)).await;
    let reader = Reader::start(&config(vec![proxy.url.clone()])).await;
    reader.reaches(&anvil).await;
    let facts = reader.facts();
    assert_eq!(facts, from_scratch(&anvil).await);
    assert_eq!(facts.requests().len(), 1);
    let ranges = proxy.calls().iter().filter(|method| *method == "eth_getLogs").count();
    assert!(ranges >= 8, "{ranges}");
    reader.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn misbehaving_endpoints_cost_nothing_but_time() {
    for mood in [Mood::Busy, Mood::Boasting, Mood::Broken] {
        let anvil = long_chain().await;
        let bad = Proxy::start(&anvil.url, mood).await;
        let good = Proxy::start(&anvil.url, Mood::Honest).await;
        let reader = Reader::start(&config(vec![bad.url.clone(), good.url.clone()])).await;
        reader.reaches(&anvil).await;
        assert_eq!(reader.facts(), from_scratch(&anvil).await, "{mood:?}");
        assert!(!bad.calls().is_empty() && !good.calls().is_empty(), "{mood:?}: both were asked");
        reader.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_killed_is_replaced_and_one_alone_is_waited_for() {
    let anvil = long_chain().await;
    let (first, second) = (Proxy::start(&anvil.url, Mood::Honest).await, Proxy::start(&anvil.url, Mood::Honest).await);
    let reader = Reader::start(&config(vec![first.url.clone(), second.url.clone()])).await;
    reader.reaches(&anvil).await;
    first.kill().await;
    anvil.emit(&emit::operator(30)).await;
    reader.reaches(&anvil).await;
    // Now the only one left asks for patience, for a while.
    second.set(Mood::Busy);
    anvil.emit(&emit::operator(31)).await;
    tokio::time::timeout(Duration::from_secs(60), async {
        let before = second.calls().len();
        while second.calls().len() < before + 3 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("it is asked again and again, with pauses");
    second.set(Mood::Honest);
    reader.reaches(&anvil).await;
    assert_eq!(reader.facts(), from_scratch(&anvil).await);
    reader.stop().await;
}
