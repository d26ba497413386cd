//! Orders to exit travel from operator to operator, so that an owner has to reach one of them.

use std::collections::HashSet;
use std::time::Duration;

use cluster_core::committee::OperatorId;
use cluster_core::exit::SignedExitRequest;
use cluster_net::signing;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::exits::ExitDesk;
use crate::network::{Client, RequestError};
use crate::service_client::now_ms;

/// Pause before an order is offered again to an operator that was busy or away.
const AGAIN: Duration = Duration::from_secs(5);

/// Hands every order that the desk has, or takes in, to the other operators of its validators.
pub(super) async fn pass_on(
    desk: ExitDesk,
    client: Client,
    me: OperatorId,
    stop: CancellationToken,
    tasks: TaskTracker,
) {
    let mut changed = desk.changed();
    let mut passed = HashSet::new();
    loop {
        let read = desk.clone();
        let orders = tokio::task::spawn_blocking(move || {
            let orders = read.orders(now_ms() / 1_000)?;
            // What an event of the contracts orders, every operator reads by itself.
            let signed = orders.into_iter().filter(|order| order.origin.event().is_none());
            signed.map(|order| Ok((read.operators(&order)?, order))).collect()
        });
        let orders: Vec<(Vec<OperatorId>, SignedExitRequest)> = match orders.await {
            Ok(Ok(orders)) => orders,
            Ok(Err(error)) => {
                let error: crate::store::StoreError = error;
                tracing::error!(%error, "the orders to exit cannot be passed on: {error}");
                Vec::new()
            }
            Err(_) => return,
        };
        for (operators, order) in orders {
            for operator in operators.into_iter().filter(|operator| *operator != me) {
                if passed.insert((order.id(), operator)) {
                    let (client, order, stop) = (client.clone(), order.clone(), stop.clone());
                    tasks.spawn(async move { stop.run_until_cancelled(offer(&client, operator, order)).await });
                }
            }
        }
        // The desk goes with the operator.
        let Some(Ok(())) = stop.run_until_cancelled(changed.changed()).await else { return };
    }
}

/// Until the operator has it, or refuses it, or it is too late.
async fn offer(client: &Client, operator: OperatorId, order: SignedExitRequest) {
    while now_ms() / 1_000 < order.request.deadline {
        let Some(peer) = client.peer_of(operator) else { return };
        client.wait_connected(peer, AGAIN).await;
        match client.send_signing(peer, signing::Request::Order(order.clone())).await {
            Ok(signing::Response::Accepted) => return,
            Ok(signing::Response::Refused { reason }) => {
                tracing::warn!(
                    operator_id = operator.0,
                    reason,
                    "operator {operator} refuses an owner's order to exit: {reason}"
                );
                return;
            }
            Ok(signing::Response::Busy) => {}
            Err(error @ (RequestError::ShutDown | RequestError::BadFrame(_))) => {
                tracing::debug!(operator_id = operator.0, %error, "an order to exit was not passed on");
                return;
            }
            Err(error) => tracing::debug!(operator_id = operator.0, %error, "an order to exit will be offered again"),
        }
        tokio::time::sleep(AGAIN).await;
    }
}
