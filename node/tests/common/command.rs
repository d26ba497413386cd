//! The built binary.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// How a run of the binary ended, and what it said.
pub struct Run {
    pub ok: bool,
    pub out: String,
    pub err: String,
}

/// Runs `cluster-node` to its end.
pub fn node(dir: &Path, args: &[&str]) -> Run {
    let output = Command::new(env!("CARGO_BIN_EXE_cluster-node")).current_dir(dir).args(args).output().unwrap();
    Run {
        ok: output.status.success(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Writes a file as secrets have to be.
pub fn private(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}
