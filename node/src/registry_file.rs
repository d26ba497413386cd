//! The registry as a file, read again on demand.

use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use cluster_core::committee::OperatorId;
use cluster_core::network::Network;
use cluster_core::registry::{
    BootstrapEntry, FileRegistry, GatewayEntry, OperatorEntry, Registry, RegistryError, MAX_REGISTRY_BYTES,
};

/// Why a registry file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RegistryFileError {
    /// The file.
    #[error("the registry file {path} cannot be read: {reason}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// Its content.
    #[error("the registry file {path} is wrong: {error}")]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: RegistryError,
    },
}

/// Reads a registry file, TOML or JSON.
pub fn load(path: &Path) -> Result<FileRegistry, RegistryFileError> {
    let read = |reason: String| RegistryFileError::Read { path: path.to_owned(), reason };
    let length = std::fs::metadata(path).map_err(|error| read(error.to_string()))?.len();
    if length > MAX_REGISTRY_BYTES as u64 {
        return Err(read(format!("it has {length} bytes, more than {MAX_REGISTRY_BYTES}")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| read(error.to_string()))?;
    FileRegistry::parse(&text).map_err(|error| RegistryFileError::Content { path: path.to_owned(), error })
}

/// A registry whose content can be replaced while the node runs.
#[derive(Debug)]
pub struct ReloadableRegistry {
    path: PathBuf,
    network: Network,
    current: RwLock<Arc<FileRegistry>>,
}

impl ReloadableRegistry {
    /// Reads the file for the first time.
    pub fn open(path: &Path) -> Result<Self, RegistryFileError> {
        let first = load(path)?;
        Ok(Self { path: path.to_owned(), network: first.network(), current: RwLock::new(Arc::new(first)) })
    }

    /// The network that the registry serves; fixed at start.
    pub fn network(&self) -> Network {
        self.network
    }

    /// Reads the file again. When it is wrong, the old content stays.
    pub fn reload(&self) -> Result<(), RegistryFileError> {
        let next = Arc::new(load(&self.path)?);
        match self.current.write() {
            Ok(mut current) => *current = next,
            Err(poisoned) => *poisoned.into_inner() = next,
        }
        Ok(())
    }

    fn current(&self) -> Arc<FileRegistry> {
        match self.current.read() {
            Ok(current) => Arc::clone(&current),
            Err(poisoned) => Arc::clone(&poisoned.into_inner()),
        }
    }
}

impl Registry for ReloadableRegistry {
    fn operator(&self, id: OperatorId) -> Option<OperatorEntry> {
        self.current().operator(id)
    }

    fn operators(&self) -> Vec<OperatorEntry> {
        self.current().operators()
    }

    fn gateways(&self) -> Vec<GatewayEntry> {
        self.current().gateways()
    }

    fn bootstraps(&self) -> Vec<BootstrapEntry> {
        self.current().bootstraps()
    }
}
