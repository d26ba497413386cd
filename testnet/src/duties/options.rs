//! What a run of duties does, and what makes no sense, in words.

use std::path::{Path, PathBuf};
use std::time::Duration;

use cluster_core::beacon::Preset;
use cluster_core::committee::OperatorId;
use cluster_core::network::Network;
use cluster_node::network::{Link, Transport};

use super::byzantine::Behaviour;
pub use super::fork::ForkPlan;
pub use super::options_error::OptionsError;
use super::options_error::ROLLING_SLOTS;
use super::report::Marks;
use crate::evm::ChainOptions;
use crate::world::{World, FIRST_ID};

/// Nobody is generated beyond the largest committee: a wrong number is refused in words.
const MOST_OPERATORS: usize = 13;
/// With a quorum alive, so much must be reached whatever else is done.
const MARK: f64 = 0.99;

/// What a run does. Operators are named by their position, counted from 1, or by their id.
#[derive(Clone, Debug)]
pub struct Options {
    /// Folder of everything that the run leaves.
    pub out: PathBuf,
    /// The program that operators run as: `cluster-testnet` itself.
    pub program: PathBuf,
    /// Ethereum network whose rules the ceremony follows; the chain is a new one.
    pub network: Network,
    /// Operators: 4, 7, 10 or 13.
    pub operators: usize,
    /// Validators.
    pub validators: u32,
    /// Epochs in the report. The chain runs one more: attestations of an epoch may be included until the end of the next one.
    pub epochs: u64,
    /// Shape of the chain.
    pub preset: Preset,
    /// Length of a slot.
    pub slot_seconds: u64,
    /// Forks of the chain.
    pub fork: ForkPlan,
    /// Keys by splitting well-known ones in place of a ceremony.
    pub split: bool,
    /// Everybody is registered on a chain of our own, and operators get their shares from its contracts.
    pub chain: bool,
    /// Transport of the mesh.
    pub transport: Transport,
    /// Quality of all links between operators.
    pub link: Link,
    /// Directions, from and to, in which nothing passes.
    pub one_way: Vec<(u32, u32)>,
    /// Operators that misbehave, and how; one may do so in several ways.
    pub byzantine: Vec<(u32, Behaviour)>,
    /// Operators that are stopped for good, and the epoch at whose start.
    pub stop: Vec<(u32, u64)>,
    /// Every operator in turn is killed and started again.
    pub rolling_restart: bool,
    /// Whether there are two beacon nodes.
    pub second_beacon: bool,
    /// Epoch at whose start the first beacon node is killed for good.
    pub kill_beacon: Option<u64>,
    /// Epoch at whose start the first beacon node is killed and started again.
    pub restart_beacon: Option<u64>,
    /// Whether the beacon node has an external builder.
    pub builder: bool,
    /// First epoch in which the builder fails, in every way that it knows.
    pub builder_fails: Option<u64>,
    /// This program as the next release: every operator in turn is stopped and started again with it.
    pub upgrade: Option<PathBuf>,
    /// A validator, by its index, that its owner orders to leave, and the epoch.
    pub exit: Option<(u64, u64)>,
    /// `cluster-node`, with which the owner orders.
    pub node_program: PathBuf,
    /// Whether the network stays up after the last epoch.
    pub serve: bool,
    /// Seed of keys and faults.
    pub seed: u64,
}

/// The options with operators by their ids, and what they mean for the run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// As given.
    pub options: Options,
    /// Directions in which nothing passes.
    pub one_way: Vec<(OperatorId, OperatorId)>,
    /// Who misbehaves.
    pub byzantine: Vec<(OperatorId, Behaviour)>,
    /// Who is stopped at the start of which epoch.
    pub stop: Vec<(OperatorId, u64)>,
}

impl Options {
    /// The run of the README: 32 validators, 4 operators, 4 epochs of the minimal preset, no faults.
    #[must_use]
    pub fn new(out: PathBuf, program: PathBuf, seed: u64) -> Self {
        Self {
            out,
            network: Network::Hoodi,
            operators: 4,
            validators: 32,
            epochs: 4,
            preset: Preset::Minimal,
            slot_seconds: 3,
            fork: ForkPlan::Electra,
            split: false,
            chain: false,
            transport: Transport::Quic,
            link: Link::default(),
            one_way: Vec::new(),
            byzantine: Vec::new(),
            stop: Vec::new(),
            rolling_restart: false,
            second_beacon: false,
            kill_beacon: None,
            restart_beacon: None,
            builder: false,
            builder_fails: None,
            upgrade: None,
            exit: None,
            node_program: program.with_file_name("cluster-node"),
            program,
            serve: false,
            seed,
        }
    }

    /// Everybody in the run. Contracts choose the ids of operators by themselves.
    #[must_use]
    pub fn world(&self) -> World {
        World::generate_from(self.network, self.first_operator_id(), self.operators.min(MOST_OPERATORS), self.seed)
    }

    /// The id of the first operator.
    #[must_use]
    pub fn first_operator_id(&self) -> u32 {
        if self.chain {
            ChainOptions::default().first_operator_id
        } else {
            FIRST_ID
        }
    }

    /// Checks everything that can be known before the run.
    pub fn plan(self, world: &World) -> Result<Plan, OptionsError> {
        self.check_numbers()?;
        let mut one_way = Vec::new();
        for (from, to) in &self.one_way {
            let link = (self.find("--one-way", world, *from)?, self.find("--one-way", world, *to)?);
            if link.0 == link.1 {
                return Err(OptionsError::Loop(link.0));
            }
            one_way.push(link);
        }
        let mut byzantine = Vec::new();
        for (number, behaviour) in &self.byzantine {
            byzantine.push((self.find("--byzantine", world, *number)?, *behaviour));
        }
        let mut stop = Vec::new();
        for (number, epoch) in &self.stop {
            self.check_epoch("--stop", *epoch)?;
            stop.push((self.find("--stop", world, *number)?, *epoch));
        }
        if self.chain && self.split {
            return Err(OptionsError::SplitOnChain);
        }
        self.check_beacons()?;
        self.check_exit()?;
        Ok(Plan { one_way, byzantine, stop, options: self })
    }

    fn check_numbers(&self) -> Result<(), OptionsError> {
        if !matches!(self.operators, 4 | 7 | 10 | 13) {
            return Err(OptionsError::Operators(self.operators));
        }
        let range = |flag, range, found: &dyn ToString, holds: bool| {
            let found = found.to_string();
            holds.then_some(()).ok_or(OptionsError::Range { flag, range, found })
        };
        // Below a slot's worth of validators there are slots without attesters; a genesis of Lodestar needs some, too.
        range("--validators", "8 to 1000", &self.validators, (8..=1_000).contains(&self.validators))?;
        range("--epochs", "2 to 10000", &self.epochs, (2..=10_000).contains(&self.epochs))?;
        range("--slot-seconds", "1 to 60", &self.slot_seconds, (1..=60).contains(&self.slot_seconds))?;
        range("--loss", "0 to 0.5", &self.link.loss, (0.0..=0.5).contains(&self.link.loss))?;
        let latency = self.link.latency;
        range("--latency-ms", "0 to 2000", &latency.as_millis(), latency <= Duration::from_millis(2_000))?;
        self.check_rolling()
    }

    fn check_rolling(&self) -> Result<(), OptionsError> {
        let flag = match (self.rolling_restart, &self.upgrade) {
            (true, Some(_)) => return Err(OptionsError::BothRolling),
            (true, None) => "--rolling-restart",
            (false, Some(_)) => "--rolling-upgrade",
            (false, None) => return Ok(()),
        };
        if self.rolling_gap() < ROLLING_SLOTS {
            let slots = ROLLING_SLOTS * self.operators as u64;
            return Err(OptionsError::Rolling {
                flag,
                operators: self.operators,
                needed: 1 + slots.div_ceil(self.preset.slots_per_epoch()),
                epochs: self.epochs,
            });
        }
        match &self.upgrade {
            Some(program) => is_built(
                flag,
                program,
                "cargo build -p cluster-testnet --bin cluster-testnet-next --features next-version",
            ),
            None => Ok(()),
        }
    }

    fn check_exit(&self) -> Result<(), OptionsError> {
        let Some((index, epoch)) = self.exit else { return Ok(()) };
        self.check_epoch("--exit", epoch)?;
        if index >= u64::from(self.validators) {
            return Err(OptionsError::NoValidator { index, last: self.validators.saturating_sub(1) });
        }
        if self.chain {
            return Ok(());
        }
        is_built("--exit", &self.node_program, "cargo build -p cluster-node")
    }

    fn check_beacons(&self) -> Result<(), OptionsError> {
        for (flag, epoch) in [("--kill-beacon", self.kill_beacon), ("--restart-beacon", self.restart_beacon)] {
            if let Some(epoch) = epoch {
                self.check_epoch(flag, epoch)?;
            }
        }
        if self.restart_beacon.is_some_and(|epoch| !self.second_beacon && epoch + 1 >= self.epochs) {
            return Err(OptionsError::NoTimeAfter);
        }
        if self.kill_beacon.is_some() && self.restart_beacon.is_some() {
            return Err(OptionsError::BothBeacon);
        }
        if self.kill_beacon.is_some() && !self.second_beacon {
            return Err(OptionsError::LastBeacon);
        }
        if let Some(epoch) = self.builder_fails {
            self.check_epoch("--builder-fails", epoch)?;
        }
        if self.builder_fails.is_some() && !self.builder {
            return Err(OptionsError::NoBuilder);
        }
        if self.builder && (self.second_beacon || self.restart_beacon.is_some()) {
            return Err(OptionsError::BuilderAlone);
        }
        Ok(())
    }

    fn check_epoch(&self, flag: &'static str, epoch: u64) -> Result<(), OptionsError> {
        let last = self.epochs - 1;
        (epoch <= last).then_some(()).ok_or(OptionsError::Epoch { flag, epoch, last })
    }

    fn find(&self, flag: &'static str, world: &World, number: u32) -> Result<OperatorId, OptionsError> {
        let ids = world.ids();
        let id = |found: Option<&OperatorId>| found.map_or(0, |id| id.0);
        world.operator(number).ok_or_else(|| OptionsError::NoOperator {
            flag,
            number,
            count: ids.len(),
            first: id(ids.first()),
            last: id(ids.last()),
        })
    }

    /// First slot in which the builder fails.
    #[must_use]
    pub fn builder_fails_from(&self) -> Option<u64> {
        self.builder_fails.map(|epoch| epoch * self.preset.slots_per_epoch())
    }

    /// Slots from one stop of a rolling restart or upgrade to the next.
    #[must_use]
    pub fn rolling_gap(&self) -> u64 {
        (self.epochs - 1) * self.preset.slots_per_epoch() / self.operators as u64
    }

    /// What the run must reach. Committees with fewer operators than a quorum are not expected to reach anything.
    #[must_use]
    pub fn marks(&self) -> Option<Marks> {
        let tolerated = (self.operators - 1) / 3;
        let mut faulty: Vec<u32> = self.stop.iter().map(|(operator, _)| *operator).collect();
        faulty.extend(self.byzantine.iter().map(|(operator, _)| *operator));
        faulty.sort_unstable();
        faulty.dedup();
        let rolling = self.rolling_restart || self.upgrade.is_some();
        if faulty.len() + usize::from(rolling) > tolerated {
            return None;
        }
        // While the only beacon node is away nobody can do anything, and finality waits for what was missed.
        let alone = self.restart_beacon.filter(|_| !self.second_beacon);
        // Two epochs after the one whose checkpoint it is, a chain that misses nothing has made it final.
        let finalized_epoch = if alone.is_some() { 0 } else { self.epochs - 2 };
        Some(Marks { participation: MARK, from_epoch: alone.map_or(1, |epoch| epoch + 1), finalized_epoch })
    }

    /// What is done to the network, in words.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.link != Link::default() {
            let (latency, loss) = (self.link.latency.as_millis(), self.link.loss * 100.0);
            faults.push(format!("{latency} ms latency and {loss:.1} % loss on all links"));
        }
        faults.extend(self.one_way.iter().map(|(from, to)| format!("nothing passes from operator {from} to {to}")));
        faults.extend(self.byzantine.iter().map(|(who, how)| format!("operator {who} misbehaves: {how}")));
        faults.extend(self.stop.iter().map(|(who, epoch)| format!("operator {who} is stopped in epoch {epoch}")));
        if self.rolling_restart {
            faults.push("every operator in turn is killed and started again".to_owned());
        }
        if self.upgrade.is_some() {
            faults.push("every operator in turn is stopped and started as the next release".to_owned());
        }
        faults.extend(self.builder_fails.map(|epoch| format!("the builder fails from epoch {epoch} on")));
        let beacons = [(self.kill_beacon, "killed"), (self.restart_beacon, "killed and started again")];
        for (epoch, what) in beacons {
            faults.extend(epoch.map(|epoch| format!("the first beacon node is {what} in epoch {epoch}")));
        }
        faults
    }
}

fn is_built(flag: &'static str, path: &Path, how: &'static str) -> Result<(), OptionsError> {
    if path.is_file() {
        return Ok(());
    }
    Err(OptionsError::NoProgram { flag, path: path.to_owned(), how })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn said(change: impl FnOnce(&mut Options)) -> String {
        let mut options = Options::new(PathBuf::new(), PathBuf::new(), 1);
        change(&mut options);
        let world = options.world();
        options.plan(&world).map_or_else(|error| error.to_string(), |_| "fine".to_owned())
    }

    #[test]
    fn what_makes_no_sense_is_refused_in_words() {
        assert_eq!(said(|_| {}), "fine");
        assert_eq!(said(|options| options.operators = 5), "--operators must be 4, 7, 10 or 13, not 5");
        assert_eq!(said(|options| options.validators = 7), "--validators must be 8 to 1000, not 7");
        assert_eq!(said(|options| options.link.loss = 0.6), "--loss must be 0 to 0.5, not 0.6");
        assert_eq!(
            said(|options| options.stop = vec![(5, 1)]),
            "--stop: there is no operator 5; name one by its position, 1 to 4, or by its id, 101 to 104"
        );
        assert_eq!(
            said(|options| options.stop = vec![(104, 4)]),
            "--stop names epoch 4, but the run has the epochs 0 to 3"
        );
        assert_eq!(
            said(|options| options.one_way = vec![(1, 101)]),
            "--one-way must name two different operators, not 101 twice"
        );
        assert_eq!(said(|options| options.builder_fails = Some(1)), "--builder-fails needs --builder");
        let split = said(|options| (options.chain, options.split) = (true, true));
        assert!(split.starts_with("--chain anvil is about keys of a ceremony"), "{split}");
        let ids = said(|options| (options.chain, options.stop) = (true, vec![(5, 1)]));
        assert_eq!(ids, "--stop: there is no operator 5; name one by its position, 1 to 4, or by its id, 1 to 4");
        let with_two = said(|options| (options.builder, options.second_beacon) = (true, true));
        assert!(with_two.starts_with("--builder is for runs with one beacon node"), "{with_two}");
        assert_eq!(
            said(|options| options.exit = Some((32, 1))),
            "--exit: there is no validator 32; they are numbered 0 to 31"
        );
        let missing = said(|options| options.upgrade = Some("/nowhere/cluster-testnet-next".into()));
        assert!(
            missing.starts_with("--rolling-upgrade needs /nowhere/cluster-testnet-next, which is not there"),
            "{missing}"
        );
        assert!(said(|options| options.kill_beacon = Some(1)).starts_with("--kill-beacon needs --second-beacon"));
        let late = said(|options| options.restart_beacon = Some(3));
        assert!(late.starts_with("--restart-beacon without --second-beacon needs an epoch"), "{late}");
        let said_rolling = said(|options| {
            options.rolling_restart = true;
            options.epochs = 2;
        });
        assert!(
            said_rolling.starts_with("--rolling-restart of 4 operators needs 3 epochs or more, not 2"),
            "{said_rolling}"
        );
    }

    #[test]
    fn a_committee_without_a_quorum_has_no_marks() {
        let mut options = Options::new(PathBuf::new(), PathBuf::new(), 1);
        assert_eq!(options.marks().unwrap(), Marks { participation: 0.99, from_epoch: 1, finalized_epoch: 2 });
        options.restart_beacon = Some(1);
        assert_eq!(options.marks().unwrap(), Marks { participation: 0.99, from_epoch: 2, finalized_epoch: 0 });
        options.second_beacon = true;
        assert_eq!(options.marks().unwrap().from_epoch, 1, "the other beacon node is there");
        options.byzantine = vec![(2, Behaviour::Silent), (2, Behaviour::WrongPartials)];
        assert!(options.marks().is_some(), "one operator is within what four tolerate");
        options.stop = vec![(3, 1)];
        assert_eq!(options.marks(), None);
    }
}
