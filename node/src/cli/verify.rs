//! `cluster-node verify DIR`: certificate, deposit data and evidence, checked offline.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{bail, Context};
use clap::Args;
use cluster_core::certificate::{Certificate, Readiness, MAX_CERTIFICATE_BYTES};
use cluster_core::directory::{verify_directory_files, Authority, Report, MAX_DEPOSIT_FILES, MAX_DEPOSIT_FILE_BYTES};
use cluster_core::registry::{FileRegistry, Registry};
use rand_core::OsRng;

use super::lookup::WithEvent;
use crate::driver::results::kind_name;
use crate::evidence::{EvidenceFile, MAX_EVIDENCE_BYTES};
use crate::registry_file;

/// Evidence files that are read.
const MAX_EVIDENCE_FILES: usize = 64;

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// Folder with certificate.json and deposit_data-*.json, or with evidence*.json, or all of them.
    dir: PathBuf,
    /// Registry file; with it the committee's keys are compared with the registered ones.
    #[arg(long)]
    registry: Option<PathBuf>,
    /// Execution node: with it the event of a request that was made on chain is looked up.
    #[arg(long, requires = "registry")]
    rpc_url: Option<String>,
    /// Of a reshare: folder with the certificate.json that it takes over, to compare.
    #[arg(long, value_name = "DIR")]
    previous: Option<PathBuf>,
}

pub(super) fn run(args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let registry = args.registry.as_deref().map(registry_file::load).transpose()?;
    let files = Files::list(&args.dir)?;
    let Some(certificate_file) = &files.certificate else {
        if files.evidence.is_empty() {
            bail!("{} has neither certificate.json nor evidence*.json", args.dir.display());
        }
        verify_evidence(&files, registry.as_ref(), None)?;
        return Ok(ExitCode::SUCCESS);
    };
    let certificate_json = read_bounded(certificate_file, MAX_CERTIFICATE_BYTES)?;
    let mut deposits = Vec::new();
    for path in &files.deposits {
        deposits.push((file_name(path), read_bounded(path, MAX_DEPOSIT_FILE_BYTES)?));
    }
    let certificate = Certificate::from_json(&certificate_json)
        .map_err(|error| anyhow::anyhow!("certificate.json:{} is wrong: {}", error.field, error.problem))?;
    let event = certificate.transcript.request.origin.event();
    let with_event = match (&registry, event, &args.rpc_url) {
        (Some(registry), Some(event), Some(url)) => Some(WithEvent::looked_up(registry, event, url)?),
        (Some(registry), Some(_), None) => Some(WithEvent::not_looked_up(registry)),
        _ => None,
    };
    let registry_ref = match &with_event {
        Some(with_event) => Some(with_event as &dyn Registry),
        None => registry.as_ref().map(|registry| registry as &dyn Registry),
    };
    let deposits: Vec<(&str, &str)> = deposits.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let report = verify_directory_files(&certificate_json, &deposits, registry_ref, &mut OsRng)
        .map_err(|error| anyhow::anyhow!("{} is wrong: {error}", error.field()))?;
    print_report(&report);
    if let Some(previous) = &args.previous {
        compare_previous(&certificate, previous)?;
    }
    if !files.evidence.is_empty() {
        verify_evidence(&files, registry.as_ref(), Some(&certificate))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The certificate in a folder, not verified.
pub(super) fn read_certificate(dir: &Path) -> anyhow::Result<Certificate> {
    let text = read_bounded(&dir.join("certificate.json"), MAX_CERTIFICATE_BYTES)?;
    Certificate::from_json(&text)
        .map_err(|error| anyhow::anyhow!("certificate.json:{} is wrong: {}", error.field, error.problem))
}

fn compare_previous(certificate: &Certificate, dir: &Path) -> anyhow::Result<()> {
    let request = &certificate.transcript.request.request;
    let Some(reshare) = &request.reshare else { bail!("the certificate is of no reshare; leave --previous out") };
    let previous = read_certificate(dir)?;
    previous.verify(None, &mut OsRng).with_context(|| format!("{}/certificate.json", dir.display()))?;
    reshare.agrees_with(request, &previous.transcript)?;
    checked("previous ceremony", &format!("the same validators, owner and deposits in {}", dir.display()));
    Ok(())
}

fn print_report(report: &Report) {
    let (n, k) = (report.operators.len(), report.validators);
    let operators: Vec<String> = report.operators.iter().map(ToString::to_string).collect();
    row("ceremony_id", &report.ceremony_id.to_string());
    if let Some(previous) = &report.reshare_of {
        row("reshare of", &previous.to_string());
    }
    row("network", &report.network.to_string());
    row("owner", &report.owner.to_string());
    row("withdrawal address", &report.withdrawal_address.to_string());
    row("operators", &operators.join(", "));
    row("validators", &k.to_string());
    println!();
    match &report.authority {
        Authority::Signature => checked("owner's signature over the request", "valid"),
        Authority::Event { event, looked_up: true } => {
            checked("owner's request on chain", &format!("event {event} asks for this"))
        }
        Authority::Event { event, looked_up: false } => {
            println!("  --    owner's request on chain: event {event}; not looked up (give --rpc-url)");
        }
    }
    checked(
        "committee",
        if report.registry_checked {
            "its keys are those of the registry"
        } else {
            "well formed; keys not compared (give --registry)"
        },
    );
    checked("share keys", &format!("{k} x {n} lie on polynomials that give the validator keys"));
    checked("deposit roots and signatures", &format!("{k} valid for {}", report.network));
    match &report.readiness {
        Readiness::Ready => checked("operators' attestations", &format!("all {n} valid")),
        Readiness::Incomplete { missing } => {
            let missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
            println!("  WAIT  operators' attestations: missing from {}; do not deposit yet", missing.join(", "));
        }
    }
    match report.deposit_files.as_slice() {
        [] if report.reshare_of.is_some() => {
            println!("  --    deposits: those of the ceremony that made the validators; do not deposit again");
        }
        [] => println!("  --    deposit data files: none here"),
        files => checked("deposit data files", &format!("{} equal the certificate", files.join(", "))),
    }
}

fn verify_evidence(
    files: &Files,
    registry: Option<&FileRegistry>,
    certificate: Option<&Certificate>,
) -> anyhow::Result<()> {
    for path in &files.evidence {
        let name = file_name(path);
        let text = read_bounded(path, MAX_EVIDENCE_BYTES)?;
        let evidence = EvidenceFile::parse(&text).map_err(|error| anyhow::anyhow!("{name} is wrong: {error}"))?;
        let ceremony_id = evidence.request.ceremony_id();
        let transcript = certificate
            .map(|certificate| &certificate.transcript)
            .filter(|transcript| transcript.ceremony_id() == ceremony_id);
        let proven = evidence
            .verify(registry.map(|registry| registry as &dyn Registry), transcript, &mut OsRng)
            .map_err(|error| anyhow::anyhow!("{name} is wrong: {error}"))?;
        let keys = if registry.is_some() { "" } else { " (keys from the file, not compared with a registry)" };
        for (operator, kind) in proven {
            checked(
                &name,
                &format!(
                    "proves operator {operator} guilty of {} in ceremony {}{keys}",
                    kind_name(kind),
                    ceremony_id.short()
                ),
            );
        }
    }
    Ok(())
}

fn row(name: &str, value: &str) {
    println!("{name:<20}{value}");
}

fn checked(what: &str, result: &str) {
    println!("  OK    {what}: {result}");
}

/// The files of a folder that matter, in the order of their names.
struct Files {
    certificate: Option<PathBuf>,
    deposits: Vec<PathBuf>,
    evidence: Vec<PathBuf>,
}

impl Files {
    fn list(dir: &Path) -> anyhow::Result<Self> {
        let mut files = Self { certificate: None, deposits: Vec::new(), evidence: Vec::new() };
        let entries = std::fs::read_dir(dir).with_context(|| format!("{} cannot be read", dir.display()))?;
        for entry in entries {
            let path = entry.with_context(|| format!("{} cannot be read", dir.display()))?.path();
            let name = file_name(&path);
            if name == "certificate.json" {
                files.certificate = Some(path);
            } else if name.starts_with("deposit_data") && name.ends_with(".json") {
                files.deposits.push(path);
            } else if name.starts_with("evidence") && name.ends_with(".json") {
                files.evidence.push(path);
            }
        }
        files.deposits.sort();
        files.evidence.sort();
        // One more than allowed is enough to be refused.
        files.deposits.truncate(MAX_DEPOSIT_FILES + 1);
        if files.evidence.len() > MAX_EVIDENCE_FILES {
            bail!(
                "{} has {} evidence files; at most {MAX_EVIDENCE_FILES} are read",
                dir.display(),
                files.evidence.len()
            );
        }
        Ok(files)
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn read_bounded(path: &Path, limit: usize) -> anyhow::Result<String> {
    let length = std::fs::metadata(path).with_context(|| format!("{} cannot be read", path.display()))?.len();
    if length > limit as u64 {
        bail!("{} has {length} bytes; at most {limit} are expected", path.display());
    }
    std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}
