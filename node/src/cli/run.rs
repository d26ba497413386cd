//! `cluster-node operator` and `cluster-node gateway`.

use std::process::ExitCode;

use anyhow::Context;
use tokio::signal::unix::{signal, Signal, SignalKind};

use super::{GatewayArgs, RunArgs};
use crate::config::{self, GatewayConfig, OperatorConfig};
use crate::driver::Hooks;
use crate::{gateway, operator, telemetry};

pub(super) fn operator(args: &RunArgs) -> anyhow::Result<ExitCode> {
    let config: OperatorConfig = config::load(args.config.as_deref(), &args.overrides()?)?;
    telemetry::init(&config.log)?;
    runtime()?.block_on(async {
        let mut signals = Signals::new()?;
        let running = operator::start(config, Hooks::default()).await?;
        while signals.next().await == Order::Reload {
            match running.reload_registry().await {
                Ok(()) => tracing::info!("read the registry again"),
                Err(error) => tracing::error!(%error, "the registry stays as it was"),
            }
        }
        running.shutdown().await;
        Ok(ExitCode::SUCCESS)
    })
}

pub(super) fn gateway(args: &GatewayArgs) -> anyhow::Result<ExitCode> {
    let config: GatewayConfig = config::load(args.run.config.as_deref(), &args.overrides()?)?;
    telemetry::init(&config.log)?;
    runtime()?.block_on(async {
        let mut signals = Signals::new()?;
        let running = gateway::start(config).await?;
        while signals.next().await == Order::Reload {
            match running.reload_registry().await {
                Ok(()) => tracing::info!("read the registry again"),
                Err(error) => tracing::error!(%error, "the registry stays as it was"),
            }
        }
        running.shutdown().await;
        Ok(ExitCode::SUCCESS)
    })
}

pub(super) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("the runtime cannot start")
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Reload,
    Stop,
}

/// SIGTERM and SIGINT stop, SIGHUP reads the registry again. Installed before the node starts, so that an early signal is
/// not lost.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    pub(super) fn new() -> anyhow::Result<Self> {
        let install = |kind| signal(kind).context("signals cannot be received");
        Ok(Self {
            terminate: install(SignalKind::terminate())?,
            interrupt: install(SignalKind::interrupt())?,
            hangup: install(SignalKind::hangup())?,
        })
    }

    pub(super) async fn next(&mut self) -> Order {
        tokio::select! {
            _ = self.terminate.recv() => Order::Stop,
            _ = self.interrupt.recv() => Order::Stop,
            _ = self.hangup.recv() => Order::Reload,
        }
    }
}
