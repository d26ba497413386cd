//! Commands to a network that stays up: what fails in life, whenever somebody wants to see it fail.

use std::collections::BTreeSet;
use std::str::FromStr;

use cluster_core::chain::PubkeyBytes;
use cluster_core::committee::OperatorId;
use cluster_core::dkg::Step;
use cluster_node::service_client::now_ms;

use crate::demo::{find, DemoError};
use crate::network::{NetworkError, Testnet};

/// What `help` answers.
pub const HELP: &str = "  operators                 who runs, for how many validators, and how many are ordered to exit
  stop-operator N           kill operator N (its position or id), as SIGKILL would
  stop-operator N@STEP      let it die when a ceremony enters the step: commit, deal, echo, verdicts, store, sign, certify
  start-operator N          start it again, on what it had stored
  stop-service              end the service; its database stays
  start-service             start it again, at the same address
  restart-service           both
  help                      this list";

/// What can be asked of a network. Operators are meant by position, counted from 1, or by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// The list of commands.
    Help,
    /// Who runs.
    Operators,
    /// Kill an operator now, or when it enters a step of a ceremony.
    StopOperator(u32, Option<Step>),
    /// Start a stopped operator.
    StartOperator(u32),
    /// End the service.
    StopService,
    /// Start the stopped service.
    StartService,
    /// End the service and start it again.
    RestartService,
}

/// Why a command was not obeyed. Each is one plain sentence.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// No such operator.
    #[error(transparent)]
    Operator(#[from] DemoError),
    /// A part does not start or stop.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// It is there already.
    #[error("{0} is running")]
    Running(String),
}

impl FromStr for Command {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        let number =
            |text: &str| text.parse().map_err(|_| format!("`{text}` is not a position or an id of an operator"));
        let words: Vec<&str> = line.split_whitespace().collect();
        Ok(match words.as_slice() {
            ["help"] => Self::Help,
            ["operators"] => Self::Operators,
            ["stop-operator", operator] => match operator.split_once('@') {
                None => Self::StopOperator(number(operator)?, None),
                Some((operator, step)) => Self::StopOperator(number(operator)?, Some(working_step(step)?)),
            },
            ["start-operator", operator] => Self::StartOperator(number(operator)?),
            ["stop-service"] => Self::StopService,
            ["start-service"] => Self::StartService,
            ["restart-service"] => Self::RestartService,
            _ => return Err(format!("`{}` is no command; `help` lists them", line.trim())),
        })
    }
}

/// One of the seven steps in which a ceremony is under way.
pub fn working_step(text: &str) -> Result<Step, String> {
    let step: Step = text.parse()?;
    if Step::ALL.contains(&step) {
        return Ok(step);
    }
    Err(format!("`{step}` is not one of the seven steps"))
}

/// Does what the command says; the answer is one line, or the list of commands.
pub async fn obey(testnet: &mut Testnet, command: Command) -> Result<String, ConsoleError> {
    match command {
        Command::Help => Ok(HELP.to_owned()),
        Command::Operators => Ok(operators(testnet)),
        Command::StopOperator(number, None) => {
            let id = find(&testnet.world, number)?;
            testnet.kill_operator(id).await?;
            Ok(format!("operator {id} is stopped"))
        }
        Command::StopOperator(number, Some(step)) => {
            let id = find(&testnet.world, number)?;
            // The switch is built in at the start.
            testnet.kill_operator(id).await?;
            testnet.start_operator_to_crash(id, step).await?;
            testnet.wait_for_mesh().await?;
            Ok(format!("operator {id} dies when a ceremony enters {step}"))
        }
        Command::StartOperator(number) => {
            let id = find(&testnet.world, number)?;
            if testnet.operators().contains_key(&id) {
                return Err(ConsoleError::Running(format!("operator {id}")));
            }
            testnet.start_operator(id).await?;
            testnet.wait_for_mesh().await?;
            Ok(format!("operator {id} is running"))
        }
        Command::StopService => {
            testnet.service_url()?;
            testnet.stop_service().await;
            Ok("the service is stopped".to_owned())
        }
        Command::StartService => {
            if testnet.service_url().is_ok() {
                return Err(ConsoleError::Running("the service".to_owned()));
            }
            testnet.start_service().await?;
            Ok("the service is running".to_owned())
        }
        Command::RestartService => {
            testnet.service_url()?;
            testnet.stop_service().await;
            testnet.start_service().await?;
            Ok("the service is running".to_owned())
        }
    }
}

/// One line: each operator, what it performs for, and what its owners have ordered to leave.
fn operators(testnet: &Testnet) -> String {
    let now_s = now_ms() / 1_000;
    let state = |id: OperatorId| {
        let Some(operator) = testnet.operators().get(&id) else { return "stopped".to_owned() };
        let (Ok(held), Ok(orders)) = (operator.validators(), operator.exits().orders(now_s)) else {
            return "running, but cannot read its database".to_owned();
        };
        let active = held.iter().filter(|validator| validator.active).count();
        let leaving: BTreeSet<_> =
            orders.iter().flat_map(|order| &order.request.pubkeys).map(PubkeyBytes::from).collect();
        format!("running ({active} validators, {} ordered to exit)", leaving.len())
    };
    let each = testnet.world.ids().into_iter().map(|id| format!("operator {id} is {}", state(id)));
    each.collect::<Vec<_>>().join("; ")
}

/// Waits until an operator dies by its switch; it is to be buried with [`Testnet::kill_operator`]. Never returns when none does.
pub async fn next_death(testnet: &Testnet) -> OperatorId {
    let deaths = testnet.operators().iter().map(|(id, operator)| {
        Box::pin(async move {
            operator.crashed().await;
            *id
        })
    });
    let deaths: Vec<_> = deaths.collect();
    if deaths.is_empty() {
        return std::future::pending().await;
    }
    futures::future::select_all(deaths).await.0
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_command_of_the_list_is_understood() {
        for line in HELP.lines() {
            let command = line.trim().split("  ").next().unwrap();
            let command = command.replace('N', "2").replace("STEP", "verdicts");
            assert!(command.parse::<Command>().is_ok(), "{command}");
        }
    }

    #[test]
    fn what_is_no_command_is_answered_with_a_sentence() {
        let parse = |line: &str| line.parse::<Command>();
        assert_eq!(parse(" stop-operator  2@deal\n"), Ok(Command::StopOperator(2, Some(Step::Deal))));
        assert_eq!(parse("stop-operator two"), Err("`two` is not a position or an id of an operator".to_owned()));
        assert_eq!(parse("stop-operator 2@done"), Err("`done` is not one of the seven steps".to_owned()));
        assert!(parse("stop-operator 2@lunch").unwrap_err().contains("the steps are commit"));
        for line in ["", "stop-operator", "start-operator 1 2", "STOP-SERVICE", "stop-operator -1"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
