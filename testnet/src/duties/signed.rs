//! The log of an operator's signatures: one JSON line for every request that its signer answered with partial signatures.
//!
//! A line is written before the signatures are handed on, so that nothing leaves an operator that is not in its log, however the
//! process ends.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use cluster_core::beacon::{ChainSpec, Root};
use cluster_core::committee::OperatorId;
use cluster_core::encoding::{hex_array, to_hex};
use cluster_crypto::threshold::Partial;
use cluster_node::signer::{Refusal, Request, Signer, SignerError};
use serde::{Deserialize, Serialize};

use super::checker::{Checker, Signatory, Votes};

/// Longest line that is read: a request has 4,096 validators at most.
const LINE_LIMIT: usize = 1024 * 1024;

/// What was signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedEntry {
    /// The kind of message, by [`cluster_core::duty::SigningKind::name`].
    pub kind: String,
    /// What slashing depends on; absent for kinds that cannot be slashable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slashing: Option<Slashing>,
    /// Public keys of the validators, 0x hex.
    pub validators: Vec<String>,
}

/// The parts of a message that slashing depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Slashing {
    /// Of an attestation.
    Attestation {
        /// Slot.
        slot: u64,
        /// Epoch of the source checkpoint.
        source: u64,
        /// Epoch of the target checkpoint.
        target: u64,
        /// Signing root.
        #[serde(with = "hex_array")]
        root: Root,
    },
    /// Of a block.
    Block {
        /// Slot.
        slot: u64,
        /// Signing root.
        #[serde(with = "hex_array")]
        root: Root,
    },
}

/// Appends JSON lines to a file; each is one write to the system, so that a kill leaves no half of one but the last.
#[derive(Debug)]
pub struct LineLog {
    file: Mutex<File>,
}

impl LineLog {
    /// Opens or creates the file. A line that a kill cut short is ended, so that the next one stands alone.
    pub fn open(path: &Path) -> std::io::Result<Self> {
        let mut file = File::options().read(true).append(true).create(true).open(path)?;
        if file.seek(SeekFrom::End(0))? > 0 {
            file.seek(SeekFrom::End(-1))?;
            let mut last = [0];
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                file.write_all(b"\n")?;
            }
        }
        Ok(Self { file: Mutex::new(file) })
    }

    /// Appends one line; when it returns, the line outlives the process.
    pub fn append<T: Serialize>(&self, value: &T) -> std::io::Result<()> {
        let mut line = serde_json::to_vec(value)?;
        line.push(b'\n');
        self.file.lock().unwrap_or_else(PoisonError::into_inner).write_all(&line)
    }
}

/// Reads the JSON lines of a file; `None` stands for a line that is none. A file that is not there has no lines.
pub fn read_lines<T: serde::de::DeserializeOwned>(path: &Path, seen: &mut dyn FnMut(Option<T>)) -> std::io::Result<()> {
    let mut reader = match File::open(path) {
        Ok(file) => BufReader::new(file),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = reader.by_ref().take(LINE_LIMIT as u64).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(());
        }
        if line.iter().any(|byte| !byte.is_ascii_whitespace()) {
            seen(serde_json::from_slice(&line).ok());
        }
    }
}

/// Hands the log of an operator to the checker.
pub fn check_log(path: &Path, operator: OperatorId, checker: &mut Checker) -> std::io::Result<()> {
    let signatory = Signatory::Share(operator);
    read_lines(path, &mut |entry: Option<SignedEntry>| {
        let Some(entry) = entry else { return checker.unreadable() };
        for validator in &entry.validators {
            match entry.slashing {
                Some(Slashing::Attestation { source, target, root, .. }) => {
                    checker.attestation(signatory, validator, Votes { source, target }, root);
                }
                Some(Slashing::Block { slot, root }) => checker.block(signatory, validator, slot, root),
                None => {}
            }
        }
    })
}

/// A signer that logs what it signs.
pub struct LoggedSigner {
    inner: Arc<dyn Signer>,
    log: Arc<LineLog>,
}

impl LoggedSigner {
    /// Around another signer.
    #[must_use]
    pub fn new(inner: Arc<dyn Signer>, log: Arc<LineLog>) -> Self {
        Self { inner, log }
    }
}

#[async_trait]
impl Signer for LoggedSigner {
    async fn sign(
        &self,
        spec: &Arc<ChainSpec>,
        request: Request,
    ) -> Result<Vec<Result<Partial, Refusal>>, SignerError> {
        let slashing = match &request {
            Request::Attestations { data, .. } => Some(Slashing::Attestation {
                slot: data.slot.0,
                source: data.source.epoch.0,
                target: data.target.epoch.0,
                root: spec.attestation(data),
            }),
            Request::Block { header, .. } => Some(Slashing::Block { slot: header.slot.0, root: spec.block(header) }),
            _ => None,
        };
        let (kind, validators) = (request.kind(), request.validators());
        let answers = self.inner.sign(spec, request).await?;
        let signed = validators.iter().zip(&answers).filter(|(_, answer)| answer.is_ok());
        let validators: Vec<String> = signed.map(|(key, _)| to_hex(key)).collect();
        if !validators.is_empty() {
            let entry = SignedEntry { kind: kind.name().to_owned(), slashing, validators };
            // A signature that is not in the log must not leave.
            let logged = self.log.append(&entry);
            logged.map_err(|error| SignerError::Store { reason: error.to_string() })?;
        }
        Ok(answers)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_log_with_slashable_lines_is_found_out_and_cut_lines_are_counted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("signed.jsonl");
        let attestation = |source, target, root: u8| SignedEntry {
            kind: "attestation".to_owned(),
            slashing: Some(Slashing::Attestation { slot: target * 8, source, target, root: [root; 32] }),
            validators: vec!["0xaa".to_owned(), "0xbb".to_owned()],
        };
        let log = LineLog::open(&path).unwrap();
        let randao = SignedEntry { kind: "randao".to_owned(), slashing: None, validators: vec!["0xaa".to_owned()] };
        log.append(&randao).unwrap();
        log.append(&attestation(1, 2, 1)).unwrap();
        // A kill in the middle of a line, and a second life.
        std::fs::write(&path, [std::fs::read(&path).unwrap(), b"{\"kind\":\"att".to_vec()].concat()).unwrap();
        let log = LineLog::open(&path).unwrap();
        log.append(&attestation(1, 2, 1)).unwrap();
        let mut checker = Checker::default();
        check_log(&path, OperatorId(101), &mut checker).unwrap();
        assert_eq!((checker.slashable(), checker.checked().unreadable_lines), (0, 1));
        assert_eq!(checker.checked().share_attestations, 4);

        log.append(&attestation(0, 3, 2)).unwrap();
        let mut checker = Checker::default();
        check_log(&path, OperatorId(101), &mut checker).unwrap();
        assert_eq!(checker.slashable(), 2, "one for each validator");
        check_log(&dir.path().join("none"), OperatorId(102), &mut checker).unwrap();
    }
}
