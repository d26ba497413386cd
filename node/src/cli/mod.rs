//! The command line.

mod chain;
mod duties;
mod exit;
mod follow;
mod keygen;
mod lookup;
mod monitoring;
mod preflight;
mod request;
mod run;
mod signer;
mod slashing;
mod split;
mod upkeep;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::{self, ConfigError, Overrides};

/// Distributed validator node: generates validator keys that no single machine ever holds.
#[derive(Debug, Parser)]
#[command(name = "cluster-node", version = cluster_net::info::RELEASE, about, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run an operator: take part in key generation.
    Operator(RunArgs),
    /// Run a gateway: carry requests from the service to operators and certificates back. Holds no key shares.
    Gateway(GatewayArgs),
    /// Run a signer: keeps an operator's shares and slashing history in a process of their own.
    Signer(signer::SignerArgs),
    /// Make the key of an operator or gateway.
    Keygen(keygen::KeygenArgs),
    /// Check deposit data and certificate of a ceremony, offline.
    Verify(verify::VerifyArgs),
    /// Sign and submit a request for validators as their owner.
    Request(request::RequestArgs),
    /// Split existing validator keystores to a committee, as a trusted dealer.
    Split(split::SplitArgs),
    /// Take over this operator's share file of a split. The node must be stopped.
    Import(split::ImportArgs),
    /// Order validators to leave the chain, as their owner.
    Exit(exit::ExitArgs),
    /// Find out which operators of a committee are reachable and fit, before a ceremony.
    Preflight(preflight::PreflightArgs),
    /// Print what became of an operator's duties: who took part, when, and why one was missed.
    Duties(duties::DutiesArgs),
    /// Print how the validators of a running operator stand with builders, and how far their exits are.
    Upkeep(upkeep::UpkeepArgs),
    /// Carry the record of what validators have signed from one node to another (EIP-3076).
    Slashing(slashing::SlashingArgs),
    /// Look at what this node read from the contracts.
    Chain(chain::ChainArgs),
    /// Write Prometheus alert rules and Grafana dashboards for the metrics of this version.
    Monitoring(monitoring::MonitoringArgs),
    /// Print a documented configuration file.
    Config(ConfigArgs),
}

#[derive(Debug, Args)]
struct ConfigArgs {
    /// Whose configuration.
    #[arg(value_enum)]
    role: Role,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Role {
    /// An operator's.
    Operator,
    /// A gateway's.
    Gateway,
}

/// Flags of both roles. A flag overrides the environment, which overrides the file.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct RunArgs {
    /// Configuration file (TOML); `cluster-node config operator|gateway` prints one.
    #[arg(long, env = "CLUSTER_NODE_CONFIG")]
    config: Option<PathBuf>,
    /// Folder of the database [field data_dir].
    #[arg(long)]
    data_dir: Option<String>,
    /// Registry of the network [field registry_file].
    #[arg(long)]
    registry: Option<String>,
    /// Encrypted key file [field identity.key_file].
    #[arg(long)]
    key_file: Option<String>,
    /// File with the key file's password [field identity.password_file].
    #[arg(long)]
    password_file: Option<String>,
    /// Multiaddress to listen on; may be given several times [field mesh.listen].
    #[arg(long)]
    listen: Vec<String>,
    /// Multiaddress under which others reach this node; may be given several times [field mesh.external_addresses].
    #[arg(long)]
    external_address: Vec<String>,
    /// Address of metrics and health, empty for none [field http.listen].
    #[arg(long)]
    http: Option<String>,
    /// Shape of log lines, text or json [field log.format].
    #[arg(long)]
    log_format: Option<String>,
    /// Level or directives of logs [field log.filter].
    #[arg(long)]
    log_filter: Option<String>,
    /// Any other field: section.field=value.
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    set: Vec<String>,
}

impl RunArgs {
    pub(crate) fn overrides(&self) -> Result<Overrides, ConfigError> {
        let mut flags = Overrides::default();
        for text in &self.set {
            flags.set(text)?;
        }
        flags.field("data_dir", self.data_dir.clone());
        flags.field("registry_file", self.registry.clone());
        flags.field("identity.key_file", self.key_file.clone());
        flags.field("identity.password_file", self.password_file.clone());
        flags.list("mesh.listen", &self.listen);
        flags.list("mesh.external_addresses", &self.external_address);
        flags.field("http.listen", self.http.clone());
        flags.field("log.format", self.log_format.clone());
        flags.field("log.filter", self.log_filter.clone());
        Ok(flags)
    }
}

#[derive(Clone, Debug, Default, Args)]
struct GatewayArgs {
    #[command(flatten)]
    run: RunArgs,
    /// Base URL of the Cluster Node Service [field service.url].
    #[arg(long)]
    service: Option<String>,
}

impl GatewayArgs {
    fn overrides(&self) -> Result<Overrides, ConfigError> {
        let mut flags = self.run.overrides()?;
        flags.field("service.url", self.service.clone());
        Ok(flags)
    }
}

/// Runs the command; what it returns is the process's exit code.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        Command::Operator(args) => run::operator(&args),
        Command::Gateway(args) => run::gateway(&args),
        Command::Signer(args) => signer::run(&args),
        Command::Keygen(args) => keygen::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Request(args) => request::run(&args),
        Command::Split(args) => split::run(&args),
        Command::Import(args) => split::import(&args),
        Command::Exit(args) => exit::run(&args),
        Command::Preflight(args) => preflight::run(&args),
        Command::Duties(args) => duties::run(&args),
        Command::Upkeep(args) => upkeep::run(&args),
        Command::Slashing(args) => slashing::run(&args),
        Command::Chain(args) => chain::run(&args),
        Command::Monitoring(args) => monitoring::run(&args),
        Command::Config(args) => {
            print!(
                "{}",
                match args.role {
                    Role::Operator => config::OPERATOR_EXAMPLE,
                    Role::Gateway => config::GATEWAY_EXAMPLE,
                }
            );
            Ok(ExitCode::SUCCESS)
        }
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
