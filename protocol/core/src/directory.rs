//! Offline verification of what a ceremony left in a directory: `certificate.json` and the deposit
//! data files. Reading the files is the caller's part.

use crate::{
    ceremony::CeremonyId,
    certificate::{Certificate, CertificateError, Readiness},
    chain::EventId,
    committee::OperatorId,
    deposit::{DepositDataJson, DepositError},
    network::Network,
    registry::Registry,
    request::{EventLookup, Origin, MAX_VALIDATORS},
};
use cluster_crypto::ethereum::Address;
use rand_core::CryptoRngCore;
use serde::Serialize;

/// Longest deposit data file that callers should read, in bytes. An entry has about 850.
pub const MAX_DEPOSIT_FILE_BYTES: usize = 2 << 20;
/// Most deposit data files of one directory.
pub const MAX_DEPOSIT_FILES: usize = 64;

/// What is wrong in the directory.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryError {
    /// In the certificate; names the field.
    #[error("certificate.json: {0}")]
    Certificate(#[from] CertificateError),
    /// The certificate is ready and no deposit data file is there.
    #[error("there is no deposit_data-*.json beside certificate.json")]
    NoDepositFile,
    /// Too many files.
    #[error("there are {found} deposit data files, more than the limit of {MAX_DEPOSIT_FILES}")]
    TooManyFiles {
        /// Files found.
        found: usize,
    },
    /// Too large to read.
    #[error("{file}: {len} bytes, more than the limit of {MAX_DEPOSIT_FILE_BYTES}")]
    TooLong {
        /// File name.
        file: String,
        /// Bytes found.
        len: usize,
    },
    /// Not the JSON of a deposit data file.
    #[error("{file}: {path}: {reason}")]
    Malformed {
        /// File name.
        file: String,
        /// Path of the field, `.` for the whole file.
        path: String,
        /// What the reader says.
        reason: String,
    },
    /// A field differs from what the certificate proves.
    #[error("{file}: [{position}].{error}")]
    Entry {
        /// File name.
        file: String,
        /// Position in the array.
        position: usize,
        /// The field and what is wrong with it.
        error: DepositError,
    },
    /// Entries are missing or too many.
    #[error("the deposit data files hold {found} entries, the certificate has {expected} validators")]
    Count {
        /// Validators of the certificate.
        expected: usize,
        /// Entries in all files.
        found: usize,
    },
}

impl DirectoryError {
    /// The file and field that are wrong, such as `deposit_data-1.json[0].signature`.
    pub fn field(&self) -> String {
        match self {
            DirectoryError::Certificate(error) => format!("certificate.json:{}", error.field),
            DirectoryError::NoDepositFile | DirectoryError::TooManyFiles { .. } | DirectoryError::Count { .. } => {
                "deposit_data".to_owned()
            }
            DirectoryError::TooLong { file, .. } => file.clone(),
            DirectoryError::Malformed { file, path, .. } => format!("{file}{path}"),
            DirectoryError::Entry { file, position, error } => format!("{file}[{position}].{}", error.field()),
        }
    }
}

/// What a verified directory contains.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The ceremony.
    pub ceremony_id: CeremonyId,
    /// The ceremony whose validators it took over, if it is a reshare: they are not new, and not to be deposited again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reshare_of: Option<CeremonyId>,
    /// The network of the validators.
    pub network: Network,
    /// Who asked.
    pub owner: Address,
    /// Where withdrawals go.
    pub withdrawal_address: Address,
    /// The committee, ascending.
    pub operators: Vec<OperatorId>,
    /// Validators.
    pub validators: usize,
    /// Whether every operator has its shares.
    pub readiness: Readiness,
    /// Deposit data files checked.
    pub deposit_files: Vec<String>,
    /// Whether the operators' keys were compared with a registry.
    pub registry_checked: bool,
    /// What makes the request the owner's.
    pub authority: Authority,
}

/// What makes a verified request its owner's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Authority {
    /// The owner's signature, which was verified.
    Signature,
    /// An event of the chain.
    Event {
        /// The event.
        event: EventId,
        /// Whether it was looked up and asks for exactly this. Otherwise the owner is only claimed.
        looked_up: bool,
    },
}

fn authority(origin: &Origin, registry: Option<&dyn Registry>) -> Authority {
    match origin {
        Origin::Signature(_) => Authority::Signature,
        Origin::Event(event) => {
            let answer = registry.map(|registry| registry.event_request(event));
            Authority::Event { event: *event, looked_up: matches!(answer, Some(EventLookup::Found(_))) }
        }
    }
}

/// Verifies the certificate in full and compares every field of every deposit data entry with it.
///
/// The files, in the order given, must hold each validator exactly once and in the order of the
/// certificate: a validator in two files invites two deposits. Files may be absent only while the
/// certificate is incomplete, and for a reshare.
pub fn verify_directory_files(
    certificate_json: &str,
    deposit_files: &[(&str, &str)],
    registry: Option<&dyn Registry>,
    rng: &mut impl CryptoRngCore,
) -> Result<Report, DirectoryError> {
    let certificate = Certificate::from_json(certificate_json)?;
    let verified = certificate.verify(registry, rng)?;
    let request = &certificate.transcript.request.request;
    let reshare_of = request.reshare.as_ref().map(|reshare| reshare.previous);
    // The deposits of a reshare's validators are those of the ceremony that made them.
    if deposit_files.is_empty() && verified.readiness == Readiness::Ready && reshare_of.is_none() {
        return Err(DirectoryError::NoDepositFile);
    }
    if deposit_files.len() > MAX_DEPOSIT_FILES {
        return Err(DirectoryError::TooManyFiles { found: deposit_files.len() });
    }
    if !deposit_files.is_empty() {
        compare_deposits(&certificate.deposit_data(), deposit_files)?;
    }
    Ok(Report {
        ceremony_id: verified.ceremony_id,
        reshare_of,
        network: verified.network,
        owner: request.owner,
        withdrawal_address: request.withdrawal_address,
        operators: verified.committee.ids().collect(),
        validators: certificate.transcript.validators.len(),
        readiness: verified.readiness,
        deposit_files: deposit_files.iter().map(|(name, _)| (*name).to_owned()).collect(),
        registry_checked: registry.is_some(),
        authority: authority(&certificate.transcript.request.origin, registry),
    })
}

fn compare_deposits(expected: &[DepositDataJson], files: &[(&str, &str)]) -> Result<(), DirectoryError> {
    let mut remaining = expected.iter();
    let mut found = 0;
    for (file, text) in files {
        for (position, entry) in parse(file, text)?.iter().enumerate() {
            found += 1;
            // Entries beyond the last validator are counted, and reported below.
            let Some(expected) = remaining.next() else { continue };
            entry.compare(expected).map_err(|error| DirectoryError::Entry {
                file: (*file).to_owned(),
                position,
                error,
            })?;
        }
    }
    if found != expected.len() {
        return Err(DirectoryError::Count { expected: expected.len(), found });
    }
    Ok(())
}

fn parse(file: &str, text: &str) -> Result<Vec<DepositDataJson>, DirectoryError> {
    if text.len() > MAX_DEPOSIT_FILE_BYTES {
        return Err(DirectoryError::TooLong { file: file.to_owned(), len: text.len() });
    }
    let malformed = |path: String, reason: String| DirectoryError::Malformed { file: file.to_owned(), path, reason };
    let mut reader = serde_json::Deserializer::from_str(text);
    let entries: Vec<DepositDataJson> = serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| malformed(error.path().to_string(), error.inner().to_string()))?;
    reader.end().map_err(|error| malformed(".".to_owned(), error.to_string()))?;
    if entries.len() > MAX_VALIDATORS as usize {
        return Err(DirectoryError::Count { expected: MAX_VALIDATORS as usize, found: entries.len() });
    }
    Ok(entries)
}
