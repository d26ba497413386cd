//! The folder of a run. What an earlier run left in it goes, also one that failed before it began; anything else is not touched.

use std::path::{Path, PathBuf};

use super::run::REPORT_FILE;
use super::setup;

/// Says that a folder is ours. Written before anything else, so that a run that fails at once leaves it, too.
const MARK: &str = ".cluster-testnet";
const WORDS: &str = "`cluster-testnet duties` replaces what its runs left in this folder.\n";

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The system refuses.
    #[error("{path} cannot be used: {reason}")]
    Unusable {
        /// The folder.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// It holds something else.
    #[error("{path} holds `{found}`, which is not of an earlier run: name an empty or a new folder with --out, or empty this one if nothing in it is needed")]
    NotOurs {
        /// The folder.
        path: PathBuf,
        /// Something in it.
        found: String,
    },
}

/// An empty folder for a run; its absolute path.
pub(super) fn prepare(out: &Path) -> Result<PathBuf, FolderError> {
    let failed = |error: std::io::Error| FolderError::Unusable { path: out.to_owned(), reason: error.to_string() };
    std::fs::create_dir_all(out).map_err(failed)?;
    let dir = std::path::absolute(out).map_err(failed)?;
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(&dir).map_err(failed)? {
        entries.push(entry.map_err(failed)?.path());
    }
    let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    // Runs of older versions left no mark.
    let is_ours = [MARK, setup::FILE].iter().any(|file| dir.join(file).is_file());
    if let Some(found) = entries.first().filter(|_| !is_ours) {
        return Err(FolderError::NotOurs { path: out.to_owned(), found: name(found) });
    }
    std::fs::write(dir.join(MARK), WORDS).map_err(failed)?;
    for path in entries {
        let name = name(&path);
        if matches!(name.as_str(), "network" | "beacon") {
            std::fs::remove_dir_all(&path).map_err(failed)?;
        } else if matches!(name.as_str(), setup::FILE | REPORT_FILE) || name.starts_with("operator-") {
            std::fs::remove_file(&path).map_err(failed)?;
        }
    }
    Ok(dir)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_left_goes_even_if_they_failed_at_once_and_nothing_else_is_touched() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        // A run that fails before it has a setup.
        prepare(&out).unwrap();
        std::fs::create_dir(out.join("network")).unwrap();
        std::fs::write(out.join("operator-1.log"), "").unwrap();
        prepare(&out).unwrap();
        let left: Vec<_> = std::fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, [MARK]);

        std::fs::write(out.join("notes.txt"), "mine").unwrap();
        prepare(&out).unwrap();
        assert!(out.join("notes.txt").is_file(), "a file of somebody else in a folder of ours");

        let other = dir.path().join("other");
        std::fs::create_dir_all(other.join("network")).unwrap();
        let refused = prepare(&other).unwrap_err().to_string();
        assert!(refused.contains("`network`") && refused.contains("--out"), "{refused}");
        assert!(other.join("network").is_dir() && !other.join(MARK).exists());
    }

    #[test]
    fn a_folder_of_an_older_version_is_known_by_its_setup() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(setup::FILE), "{}").unwrap();
        prepare(dir.path()).unwrap();
        assert!(!dir.path().join(setup::FILE).exists());
    }
}
