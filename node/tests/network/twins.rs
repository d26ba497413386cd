//! Two nodes that run with one key: proven to both, and nobody else is taken for one.

use cluster_node::network::{Client, Transport};
use libp2p::Multiaddr;

use crate::{until, Node, World};

#[tokio::test]
async fn two_nodes_with_one_key_prove_each_other_and_nobody_else_is_accused() {
    let world = World::new(11);
    let witness = Node::start(world.operator(0, Transport::Quic)).await;
    let hub: Vec<Multiaddr> =
        witness.client.addresses().into_iter().map(|address| address.with_p2p(witness.peer()).unwrap()).collect();
    let config = |at: usize| {
        let mut config = world.operator(at, Transport::Quic);
        config.bootstrap = hub.clone();
        config
    };
    let (one, other) = (Node::start(config(1)).await, Node::start(config(1)).await);
    let bystander = Node::start(config(2)).await;
    // A tool that asks in the name of an operator is no second node.
    let mut tool = config(2);
    tool.is_node = false;
    let tool = Node::start(tool).await;
    for node in [&one, &other, &bystander, &tool] {
        node.sees(witness.peer()).await;
    }
    let twin = |node: &Node| node.client.twin().borrow().clone();
    until("both know of each other", || twin(&one).is_some() && twin(&other).is_some()).await;
    let (told, told_other) = (twin(&one).unwrap(), twin(&other).unwrap());
    assert_ne!(told.session, told_other.session);
    for node in [&one, &other] {
        let metrics = cluster_node::metrics::Metrics::new();
        node.client.register(&metrics);
        assert!(metrics.text().contains("cluster_node_operator_twin 1"), "{}", metrics.text());
    }
    // As many questions as it took to find the twins, and some more.
    let asked = |node: &Node| node.client.stats().presence.messages_received;
    let enough = asked(&one) + 6;
    until("the others have asked as often", || asked(&bystander) > enough).await;
    assert_eq!((twin(&bystander), twin(&witness), twin(&tool)), (None, None, None));
}

/// A process that ends without a goodbye leaves its session and its connection behind with its peers.
#[tokio::test]
async fn a_restart_is_not_taken_for_a_twin() {
    let world = World::new(12);
    let witness = Node::start(world.operator(0, Transport::Quic)).await;
    let hub: Vec<Multiaddr> =
        witness.client.addresses().into_iter().map(|address| address.with_p2p(witness.peer()).unwrap()).collect();
    let config = || {
        let mut config = world.operator(1, Transport::Quic);
        config.bootstrap = hub.clone();
        config
    };
    let asked = |client: &Client| client.stats().presence.messages_received;
    for life in 1..=3 {
        // What runs in a runtime of its own can be ended at once.
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let config = config();
        let node = runtime.spawn(Node::start(config)).await.unwrap();
        node.sees(witness.peer()).await;
        until("its peer has answered several times", || asked(&node.client) >= 4).await;
        assert_eq!(*node.client.twin().borrow(), None, "in life {life}");
        runtime.shutdown_background();
    }
}
