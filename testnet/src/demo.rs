//! The demo: starts a network, makes validators, and leaves their files in a folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cluster_core::ceremony::CeremonyId;
use cluster_core::certificate::Certificate;
use cluster_core::committee::OperatorId;
use cluster_core::directory::{verify_directory_files, DirectoryError};
use cluster_core::dkg::{Behaviour, Step};
use cluster_core::network::Network;
use cluster_core::request::EventLookup;
use cluster_crypto::ethereum::Address;
use cluster_node::network::{Link, Transport};
use cluster_node::store::StoreError;
use cluster_service::events::CeremonyEvent;
use rand_core::OsRng;

use crate::ceremony::{self, CeremonyError, Finished, Kill};
use crate::evm::{Chain, ChainOptions, EvmError, Tools};
use crate::network::{NetworkError, Settings, Testnet};
use crate::owner::{Ending, Owner, OwnerError};
use crate::path;
use crate::replace::{self, Replaced};
use crate::report::{ReadinessFigures, TransactionFigures};
use crate::timings::Timings;
use crate::world::{Wanted, World};

/// What a demo does.
#[derive(Clone, Debug)]
pub struct Options {
    /// Operators: 4, 7, 10 or 13.
    pub operators: usize,
    /// Validators, 1 to 1000.
    pub validators: u32,
    /// Network of the validators.
    pub network: Network,
    /// Where withdrawals go.
    pub withdrawal_address: Address,
    /// Transport of the mesh.
    pub transport: Transport,
    /// Quality of all links.
    pub link: Link,
    /// An operator (position or id), the step in which it is killed, and whether it comes back.
    pub kill: Option<(u32, Step, bool)>,
    /// Operators (position or id) that misbehave.
    pub byzantine: Vec<(u32, Behaviour)>,
    /// Seed of keys, lost messages and misbehaviour.
    pub seed: u64,
    /// Operators beyond the committee, that only wait to be chosen.
    pub spare_operators: usize,
    /// Everything goes over a chain of our own; none: over the registry file and the service alone.
    pub chain: Option<ChainOptions>,
    /// An operator (position or id) of the committee that is stopped for good when the validators are ready, and replaced by one more
    /// operator.
    pub replace: Option<u32>,
    /// URL of a relay for wallets on phones; only with a chain.
    pub relay: Option<String>,
}

/// Where the certificate of a reshare is written, below the folder of the others.
pub const REPLACED_FOLDER: &str = "replaced";

/// Why a demo failed.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// An operator that does not exist.
    #[error("there is no operator {number}; name one by its position, 1 to {count}, or by its id, {first} to {last}")]
    NoOperator {
        /// As given.
        number: u32,
        /// How many there are.
        count: usize,
        /// The first id.
        first: OperatorId,
        /// The last id.
        last: OperatorId,
    },
    /// The network.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The service.
    #[error(transparent)]
    Owner(#[from] OwnerError),
    /// The chain.
    #[error(transparent)]
    Evm(#[from] EvmError),
    /// The ceremony.
    #[error(transparent)]
    Ceremony(#[from] CeremonyError),
    /// Only networks on a chain go the whole path.
    #[error("the network is on no chain")]
    NoChain,
    /// Somebody did not notice what is on the chain.
    #[error("after {seconds} s it is not so that {what}")]
    NotSeen {
        /// What should be.
        what: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// The reshare did not become ready.
    #[error("the reshare {ceremony_id} ended otherwise: {ending:?}")]
    NotReplaced {
        /// Which.
        ceremony_id: CeremonyId,
        /// How.
        ending: Ending,
    },
    /// An operator's database.
    #[error("operator {operator}: {error}")]
    Store {
        /// Which.
        operator: OperatorId,
        /// What happened.
        error: StoreError,
    },
    /// A file cannot be written.
    #[error("{path} cannot be written: {reason}")]
    Write {
        /// Which.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// What the owner got is wrong.
    #[error("the files do not verify: {0}")]
    Files(#[from] DirectoryError),
    /// The service served files of another request.
    #[error("the service served {found} validators, {expected} were asked for")]
    Count {
        /// Asked for.
        expected: u32,
        /// Served.
        found: usize,
    },
}

impl Options {
    /// The demo of the README: four operators, three validators, no faults.
    #[must_use]
    pub fn new(network: Network, operators: usize, validators: u32, seed: u64) -> Self {
        Self {
            operators,
            validators,
            network,
            withdrawal_address: network.lido_withdrawal_vault(),
            transport: Transport::Quic,
            link: Link::default(),
            kill: None,
            byzantine: Vec::new(),
            seed,
            spare_operators: 0,
            chain: None,
            replace: None,
            relay: None,
        }
    }

    fn timings(&self) -> Timings {
        Timings::for_ceremonies(self.operators, self.validators, self.link.latency)
    }
}

/// A network that is ready for requests, and its owner.
pub struct Demo {
    /// The network.
    pub testnet: Testnet,
    /// The owner, logged in.
    pub owner: Owner,
    options: Options,
    kill: Option<Kill>,
}

impl Demo {
    /// Starts the network in `dir`; returns when it is complete.
    pub async fn start(options: Options, dir: &Path) -> Result<Self, DemoError> {
        // One more, for the place that becomes free.
        let spare = options.spare_operators.max(usize::from(options.replace.is_some()));
        let operators = options.operators + spare;
        let world = match options.chain {
            Some(ChainOptions { first_operator_id, .. }) => {
                World::generate_from(options.network, first_operator_id, operators, options.seed)
            }
            None => World::generate(options.network, operators, options.seed),
        };
        let mut settings = Settings::calm(dir, options.transport, options.timings(), options.seed);
        settings.link = options.link;
        settings.relay.clone_from(&options.relay);
        for (number, behaviour) in &options.byzantine {
            settings.byzantine.insert(find(&world, *number)?, *behaviour);
        }
        let mut kill = None;
        if let Some((number, step, restart)) = options.kill {
            let operator = find(&world, number)?;
            settings.crash.insert(operator, step);
            kill = Some(Kill { operator, restart });
        }
        if let Some(chain) = options.chain {
            settings.chain = Some(Arc::new(Chain::start(&Tools::find()?, &world, chain).await?));
        }
        let testnet = Testnet::start(world, settings).await?;
        let owner = match testnet.service_url() {
            Ok(url) => Owner::log_in(&url, &testnet.world.owner).await.map_err(DemoError::from),
            Err(error) => Err(error.into()),
        };
        match owner {
            Ok(owner) => Ok(Self { testnet, owner, options, kill }),
            Err(error) => {
                testnet.shutdown().await;
                Err(error)
            }
        }
    }

    /// Submits the request and follows it to its end; verifies what the owner got.
    pub async fn run(&mut self, seen: &mut (dyn FnMut(&CeremonyEvent) + Send)) -> Result<Finished, DemoError> {
        let wanted = Wanted {
            operators: self.committee(),
            validators: self.options.validators,
            withdrawal_address: self.options.withdrawal_address,
        };
        let mut patience = self.options.timings().patience();
        if self.kill.is_some_and(|kill| !kill.restart) && self.options.byzantine.is_empty() {
            // Nobody is left who could come.
            patience.missing = Duration::from_millis(500);
        }
        let finished = ceremony::run(&mut self.testnet, &self.owner, &wanted, self.kill, patience, seen).await?;
        self.verify(&finished).await?;
        Ok(finished)
    }

    /// On a chain, what follows deposit data: registration, Lido, exit, each checked. `said` hears a line for each.
    pub async fn go_on(&self, finished: &mut Finished, said: &mut (dyn FnMut(&str) + Send)) -> Result<(), DemoError> {
        let (Some(files), Some(asked)) = (&finished.files, &finished.asked) else { return Ok(()) };
        let certificate = Certificate::from_json(&files.certificate).map_err(CeremonyError::from)?;
        let validators = certificate.transcript.validators.len();
        let request = TransactionFigures::new(&asked.receipt, asked.paid, validators);
        finished.report.chain = Some(path::run(self, &certificate, request, said).await?);
        Ok(())
    }

    /// With `replace`, moves the validators of a finished ceremony to another committee.
    pub async fn replace(&mut self, finished: &mut Finished) -> Result<Option<Replaced>, DemoError> {
        let (Some(number), Some(files)) = (self.options.replace, &finished.files) else { return Ok(None) };
        let leaving = find(&self.testnet.world, number)?;
        let committee = self.committee();
        let joining = self.testnet.world.ids().into_iter().find(|id| !committee.contains(id));
        let (true, Some(joining)) = (committee.contains(&leaving), joining) else {
            return Err(DemoError::NoOperator {
                number,
                count: committee.len(),
                first: committee.first().copied().unwrap_or(leaving),
                last: committee.last().copied().unwrap_or(leaving),
            });
        };
        let patience = self.options.timings().patience();
        let replaced =
            replace::run(&mut self.testnet, &self.owner, &files.certificate, leaving, joining, patience).await?;
        finished.report.replacement = Some(replaced.figures.clone());
        Ok(Some(replaced))
    }

    /// The operators that make the validators.
    fn committee(&self) -> Vec<OperatorId> {
        self.testnet.world.ids().into_iter().take(self.options.operators).collect()
    }

    /// What its chain is; the defaults without one.
    #[must_use]
    pub fn chain_options(&self) -> ChainOptions {
        self.options.chain.unwrap_or_default()
    }

    /// Ends the network.
    pub async fn shutdown(self) {
        self.testnet.shutdown().await;
    }

    async fn verify(&self, finished: &Finished) -> Result<(), DemoError> {
        let Some(files) = &finished.files else { return Ok(()) };
        let deposits = [(files.deposit_name.as_str(), files.deposit_data.as_str())];
        let found = match (self.testnet.chain(), finished.request.origin.event()) {
            (Some(chain), Some(event)) => chain.look_up(event).await?,
            _ => EventLookup::NoChain,
        };
        let registry = self.testnet.everybody(found);
        let report = verify_directory_files(&files.certificate, &deposits, Some(&registry), &mut OsRng)?;
        let same = report.ceremony_id == finished.request.ceremony_id();
        if !same || report.validators != self.options.validators as usize {
            return Err(DemoError::Count { expected: self.options.validators, found: report.validators });
        }
        Ok(())
    }
}

/// Writes what a finished ceremony left into `dir`, in place of what an earlier demo left there. Returns the path of the
/// deposit data file, if there is one.
pub fn write_files(dir: &Path, finished: &Finished, registry_toml: &str) -> Result<Option<PathBuf>, DemoError> {
    let failed =
        |path: &Path, error: std::io::Error| DemoError::Write { path: path.to_owned(), reason: error.to_string() };
    std::fs::create_dir_all(dir).map_err(|error| failed(dir, error))?;
    for entry in std::fs::read_dir(dir).map_err(|error| failed(dir, error))?.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_ours = name == "certificate.json"
            || name == "report.json"
            || name == "contracts.json"
            || (["deposit_data-", "evidence-"].iter().any(|kind| name.starts_with(kind)) && name.ends_with(".json"));
        if is_ours {
            std::fs::remove_file(entry.path()).map_err(|error| failed(&entry.path(), error))?;
        }
    }
    let replaced = dir.join(REPLACED_FOLDER).join("certificate.json");
    if replaced.exists() {
        std::fs::remove_file(&replaced).map_err(|error| failed(&replaced, error))?;
    }
    let write = |name: &str, text: &str| {
        let path = dir.join(name);
        std::fs::write(&path, text).map_err(|error| failed(&path, error))?;
        Ok::<_, DemoError>(path)
    };
    let report = serde_json::to_string_pretty(&finished.report).unwrap_or_default();
    write("report.json", &format!("{report}\n"))?;
    write("registry.toml", registry_toml)?;
    for (operator, text) in &finished.evidence {
        write(&format!("evidence-{operator}.json"), text)?;
    }
    let Some(files) = &finished.files else { return Ok(None) };
    write("certificate.json", &files.certificate)?;
    write(&files.deposit_name, &files.deposit_data).map(Some)
}

/// Writes the certificate of a reshare into its folder below `dir`.
pub fn write_replaced(dir: &Path, replaced: &Replaced) -> Result<PathBuf, DemoError> {
    let path = dir.join(&replaced.figures.certificate);
    let failed = |error: std::io::Error| DemoError::Write { path: path.clone(), reason: error.to_string() };
    std::fs::create_dir_all(dir.join(REPLACED_FOLDER)).map_err(failed)?;
    std::fs::write(&path, &replaced.certificate).map_err(failed)?;
    Ok(path)
}

/// Whether the validators can be deposited for.
#[must_use]
pub fn is_ready(finished: &Finished) -> bool {
    finished.report.readiness == ReadinessFigures::Ready
}

/// The operator that a person means by its position, counted from 1, or by its id.
pub fn find(world: &World, number: u32) -> Result<OperatorId, DemoError> {
    world.operator(number).ok_or_else(|| {
        let ids = world.ids();
        let end = |id: Option<&OperatorId>| id.copied().unwrap_or(OperatorId(0));
        DemoError::NoOperator { number, count: ids.len(), first: end(ids.first()), last: end(ids.last()) }
    })
}
