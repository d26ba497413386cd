//! Where anvil, forge and the contracts are.

use std::path::{Path, PathBuf};

use super::EvmError;

/// The variable that names another folder of contracts.
const CONTRACTS_VARIABLE: &str = "CLUSTER_CONTRACTS";
/// The variable that names another anvil.
const ANVIL_VARIABLE: &str = "CLUSTER_ANVIL";
/// What npm calls this machine.
const ARCHITECTURE: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
const SYSTEM: &str = if cfg!(target_os = "macos") { "darwin" } else { "linux" };

/// Tools of Foundry, and the contracts that they deploy.
#[derive(Clone, Debug)]
pub struct Tools {
    pub(super) anvil: PathBuf,
    pub(super) forge: PathBuf,
    pub(super) contracts: PathBuf,
}

impl Tools {
    /// Looks where `make setup` puts them.
    pub fn find() -> Result<Self, EvmError> {
        let contracts = std::env::var_os(CONTRACTS_VARIABLE).map_or_else(default_dir, PathBuf::from);
        let script = contracts.join("script/Deploy.s.sol");
        exists("the deployment script of the contracts", &script)?;
        // The programs themselves: the launchers of the npm packages end with 0 whatever the program ends with.
        let tool = |name: &str| {
            let package = format!("node_modules/@foundry-rs/{name}-{SYSTEM}-{ARCHITECTURE}/bin/{name}");
            contracts.join(package)
        };
        let anvil = std::env::var_os(ANVIL_VARIABLE).map_or_else(|| tool("anvil"), PathBuf::from);
        exists("anvil", &anvil)?;
        let forge = tool("forge");
        exists("forge", &forge)?;
        exists("the Solidity compiler", &contracts.join("node_modules/solc/soljson.js"))?;
        Ok(Self { anvil, forge, contracts })
    }

    /// Whether forge has compiled the contracts before, which takes minutes.
    #[must_use]
    pub fn is_compiled(&self) -> bool {
        self.contracts.join("out/Deploy.s.sol/Deploy.json").is_file()
    }
}

fn exists(what: &'static str, path: &Path) -> Result<(), EvmError> {
    if path.is_file() {
        return Ok(());
    }
    Err(EvmError::NotInstalled { what, path: path.to_owned() })
}

fn default_dir() -> PathBuf {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    repository.unwrap_or(Path::new(".")).join("contracts")
}
